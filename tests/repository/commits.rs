//! Commits, merges and trees, without a remote.

use super::world::*;

#[tokio::test]
async fn edits_fit_their_parent_or_are_refused() {
    let world = world(Way::File).await;
    rival(&world.remote, "main", "120000", "link", "apps/dev.yaml");
    rival(&world.remote, "main", "160000", "module", "");
    rival(&world.remote, "main", "100755", "run.sh", "#!/bin/sh\n");
    let parent = world.mirror.tip("main").await.unwrap().unwrap();
    for (bad, why) in [
        (edit("apps/dev.yaml", Some("image: x\n"), "y"), "other bytes"),
        (edit("apps/dev.yaml", None, "y"), "exists"),
        (edit("apps/none.yaml", Some(""), "y"), "does not exist"),
        (edit("apps", Some(""), "y"), "a folder"),
        (edit("apps/dev.yaml/x", None, "y"), "`dev.yaml` is a file"),
        (edit("link", Some("apps/dev.yaml"), "y"), "a symlink"),
        (edit("link/x", None, "y"), "`link` is a symlink"),
        (edit("../x", None, "y"), "`..`"),
        (edit("/x", None, "y"), "absolute"),
        (edit("apps/.git/config", None, "y"), ".git"),
        (edit("apps/dev.yaml", Some("image: a\n"), "image: a\n"), "nothing"),
    ] {
        let (name, text) = kind(&world.mirror.commit(parent, vec![bad], "m", &author()).await);
        assert_eq!(name, "edit");
        assert!(text.contains(why), "{text}, wanted {why}");
    }
    for (edits, message) in [
        (vec![], "m"),
        (vec![edit("a", None, "x"), edit("a", None, "y")], "m"),
        (vec![edit("a", None, "x"), edit("a/b", None, "y")], "m"),
        (vec![edit("a", None, "x")], " \n"),
    ] {
        assert_eq!(kind(&world.mirror.commit(parent, edits, message, &author()).await).0, "edit");
    }
    let hostile = Signature { name: "a\nparent 1".into(), ..author() };
    assert_eq!(kind(&world.mirror.commit(parent, vec![edit("a", None, "x")], "m", &hostile).await).0, "edit");
    let edits =
        vec![edit("run.sh", Some("#!/bin/sh\n"), "#!/bin/sh\nexit\n"), edit("new/deep/file", None, "x")];
    let commit = world.mirror.commit(parent, edits, "m", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    world.fsck();
    assert!(git(&world.remote, &["ls-tree", "x", "run.sh"]).starts_with("100755"), "the mode is kept");
    assert_eq!(kind(&world.mirror.read(parent, "link").await).0, "edit");
    assert_eq!(kind(&world.mirror.read(parent, "apps").await).0, "edit");
    assert_eq!(world.mirror.read(parent, "none/x").await.unwrap(), None);
    let files = world.mirror.files(parent, "").await.unwrap();
    assert!(files.iter().all(|(path, _)| path != "link" && path != "module"), "{files:?}");
}

#[tokio::test]
async fn merges_are_clean_squashed_or_in_conflict() {
    let world = world(Way::File).await;
    let head = world.promoted().await;
    let merge =
        async |base, head, squash| world.mirror.merge(base, head, squash, "merge", &author()).await.unwrap();
    assert_eq!(merge(head, world.base, false).await, Merge::Clean(head), "contained already");
    // The base moved in another file of the same folder, then in the same file far away, then at the same line.
    let other = rival(&world.remote, "main", "100644", "apps/prod.yaml", "image: p\n");
    world.mirror.tip("main").await.unwrap();
    for squash in [false, true] {
        let Merge::Clean(merged) = merge(other, head, squash).await else { panic!("clean") };
        let shown = world.mirror.first_parents(merged, 1).await.unwrap().remove(0);
        assert_eq!(shown.parents, if squash { vec![other] } else { vec![other, head] });
        assert_eq!(world.mirror.read(merged, "apps/dev.yaml").await.unwrap().unwrap(), b"image: c\n");
        assert_eq!(world.mirror.read(merged, "apps/prod.yaml").await.unwrap().unwrap(), b"image: p\n");
        assert_eq!(world.mirror.changes(other, merged, 9).await.unwrap().len(), 1);
    }
    let clash = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: q\n");
    world.mirror.tip("main").await.unwrap();
    assert_eq!(merge(clash, head, false).await, Merge::Conflict(vec!["apps/dev.yaml".to_owned()]));
    let orphan = world.dir.path().join("other.git");
    create_bare(&orphan, "main", &[("x".to_owned(), vec![])], "m", &author()).await.unwrap();
    git(&world.remote, &["fetch", "-q", orphan.to_str().unwrap(), "main:orphan"]);
    let orphan = world.mirror.tip("orphan").await.unwrap().unwrap();
    assert_eq!(kind(&world.mirror.merge(clash, orphan, false, "m", &author()).await).0, "not found");
}

#[tokio::test]
async fn a_merge_in_the_same_file_is_libgit2s() {
    let world = world(Way::File).await;
    let lines = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(20));
    let base = rival(&world.remote, "main", "100644", "long", &lines("a", "z"));
    let other = rival(&world.remote, "main", "100644", "long", &lines("a", "y"));
    world.mirror.tip("main").await.unwrap();
    let edits = vec![edit("long", Some(&lines("a", "z")), &lines("b", "z"))];
    let head = world.mirror.commit(base, edits, "m", &author()).await.unwrap();
    let Merge::Clean(merged) = world.mirror.merge(other, head, false, "m", &author()).await.unwrap() else {
        panic!("clean")
    };
    assert_eq!(world.mirror.read(merged, "long").await.unwrap().unwrap(), lines("b", "y").into_bytes());
    world.mirror.push(vec![update("refs/heads/main", Some(other), Some(merged))]).await.unwrap();
    world.fsck();
}

#[tokio::test]
async fn a_local_tree_is_read_at_a_revision() {
    let world = world(Way::File).await;
    let read = |_: &str, bytes: Vec<u8>| bytes.len();
    let found = read_tree(&world.remote, "main", "", read).await.unwrap();
    assert_eq!(
        found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["apps/dev.yaml", "apps/prod.yaml"]
    );
    let clone = world.dir.path().join("clone");
    git(world.dir.path(), &["clone", "-q", world.remote.to_str().unwrap(), clone.to_str().unwrap()]);
    assert_eq!(read_tree(&clone, "HEAD", "apps/prod.yaml", read).await.unwrap().len(), 1);
    assert_eq!(kind(&read_tree(&clone, "origin/main", "none", read).await).0, "not found");
    assert_eq!(kind(&read_tree(&clone, "none", "", read).await).0, "not found");
    assert_eq!(kind(&read_tree(world.dir.path(), "main", "", read).await).0, "mirror");
    assert_eq!(
        kind(&create_bare(&world.remote, "main", &[("a".into(), vec![])], "m", &author()).await).0,
        "mirror"
    );
}

#[tokio::test]
async fn a_large_tree_is_read_in_order_whatever_thread_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("large.git");
    let file = |number: usize| (format!("apps/{number:04}.yaml"), format!("number: {number}\n").into_bytes());
    let files: Vec<(String, Vec<u8>)> =
        (0..1_000).map(file).chain([("apps/README.md".to_owned(), b"text".to_vec())]).collect();
    create_bare(&bare, "main", &files, "m", &author()).await.unwrap();
    let found = read_tree(&bare, "main", "apps", |path, bytes| (path.to_owned(), bytes)).await.unwrap();
    let want: Vec<(String, (String, Vec<u8>))> =
        files.into_iter().take(1_000).map(|(path, bytes)| (path.clone(), (path, bytes))).collect();
    assert_eq!(found, want);
    assert_eq!(read_tree(&bare, "main", "apps/README.md", |_, bytes| bytes).await.unwrap(), []);
}

#[test]
fn trailers_are_those_that_git_finds() {
    for message in [
        "t\n\nA: 1\nB-c: 2\n",
        "t\n\nA: 1\n\nB: 2\n",
        "t\n\nno: t r\nwords\n",
        "A: 1\n",
        "t\n\nwords\nSigned-off-by: x\n",
        "t\n\na\nb\nc\nd\ne\nSigned-off-by: x\n",
        "t\n\n: x\n",
        "t\n\nA : 1\n",
        "t\n\nA: 1\n  2\n",
        "t\n\nA: 1\n\n\n",
        "t\nA: 1\n",
    ] {
        let dir = TempDir::new().unwrap();
        let want =
            git_with(dir.path(), message.as_bytes(), &["interpret-trailers", "--parse", "--no-divider"]);
        let found: Vec<_> = trailers(message).iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert_eq!(found.join("\n"), want, "{message:?}");
    }
}
