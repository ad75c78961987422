//! The environment repository against git itself: over a folder, smart HTTP and ssh.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lockkeeper::repository::{
    CommitId, Credentials, Edit, Location, Merge, Mirror, Options, RefUpdate, RepositoryError, Signature,
    create_bare, read_tree, trailers,
};
use support::git_http::{Fault, GitHost};
use tempfile::TempDir;

const TOKEN: &str = "token-1";
const BOTH: [Way; 2] = [Way::File, Way::Http];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    File,
    Http,
}

/// A bare repository with a `main` of three files, a host for it, and a mirror.
struct World {
    dir: TempDir,
    remote: PathBuf,
    host: GitHost,
    mirror: Mirror,
    base: CommitId,
}

fn author() -> Signature {
    Signature {
        name: "lockkeeper".into(),
        email: "bot@example.com".into(),
        at: "2026-11-21T08:00:00.7Z".parse().unwrap(),
    }
}

fn edit(path: &str, before: Option<&str>, after: &str) -> Edit {
    Edit { path: path.into(), before: before.map(Into::into), after: after.into() }
}

fn update(name: &str, old: Option<CommitId>, new: Option<CommitId>) -> RefUpdate {
    RefUpdate { name: name.into(), old, new }
}

fn options() -> Options {
    Options { idle_timeout: Duration::from_secs(5), rebuild_interval: Duration::ZERO, ..Options::default() }
}

/// Runs git in a folder, with these bytes on its standard input.
fn git_with(folder: &Path, input: &[u8], arguments: &[&str]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=rival", "-c", "user.email=rival@example.com"])
        .args(arguments)
        .env_remove("GIT_DIR")
        .env("GIT_INDEX_FILE", folder.join("rival.index"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    git_with(folder, b"", arguments)
}

/// Someone else commits to a branch at the remote.
fn rival(remote: &Path, branch: &str, mode: &str, path: &str, content: &str) -> CommitId {
    let parent = git(remote, &["rev-parse", branch]);
    git(remote, &["read-tree", branch]);
    let blob = git_with(remote, content.as_bytes(), &["hash-object", "-w", "--stdin"]);
    git(remote, &["update-index", "--add", "--cacheinfo", &format!("{mode},{blob},{path}")]);
    let tree = git(remote, &["write-tree"]);
    let commit = git(remote, &["commit-tree", "-p", &parent, "-m", "rival", &tree]);
    git(remote, &["update-ref", &format!("refs/heads/{branch}"), &commit]);
    commit.parse().unwrap()
}

fn hook(remote: &Path, name: &str, script: &str) {
    let path = remote.join("hooks").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn world(way: Way) -> World {
    let dir = TempDir::new().unwrap();
    let remote = dir.path().join("env.git");
    let files = [("apps/dev.yaml", "image: a\n"), ("apps/prod.yaml", "image: b\n"), ("readme.md", "# env\n")];
    let files: Vec<_> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let base = create_bare(&remote, "main", &files, "first", &author()).await.unwrap();
    let host = GitHost::start(dir.path().to_owned(), &[(TOKEN, "bot")]).await;
    let location = match way {
        Way::File => Location::parse(&format!("file://{}", remote.display())).unwrap(),
        Way::Http => Location::parse(&host.url("env.git")).unwrap(),
    };
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let mirror = open(&dir, location, options()).await.unwrap();
    World { dir, remote, host, mirror, base }
}

async fn open(dir: &TempDir, location: Location, options: Options) -> Result<Mirror, RepositoryError> {
    let credentials = Credentials { token_file: Some(dir.path().join("token")), ..Credentials::default() };
    Mirror::open_with(location, &dir.path().join("mirror"), credentials, options).await
}

impl World {
    fn fsck(&self) {
        git(&self.remote, &["fsck", "--full", "--strict"]);
    }

    fn tip(&self, branch: &str) -> String {
        git(&self.remote, &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")])
    }

    async fn promoted(&self) -> CommitId {
        let edits = vec![edit("apps/dev.yaml", Some("image: a\n"), "image: c\n")];
        self.mirror
            .commit(self.base, edits, "promote(dev): c\n\nLockkeeper-Lane: normal\n", &author())
            .await
            .unwrap()
    }
}

/// The variant's name and its text, for tables.
fn kind<T: std::fmt::Debug>(result: &Result<T, RepositoryError>) -> (&'static str, String) {
    let error = result.as_ref().expect_err("refused");
    let name = match error {
        RepositoryError::Unavailable { .. } => "unavailable",
        RepositoryError::Moved { .. } => "moved",
        RepositoryError::Refused { .. } => "refused",
        RepositoryError::Denied { .. } => "denied",
        RepositoryError::NotFound { .. } => "not found",
        RepositoryError::Edit { .. } => "edit",
        RepositoryError::Mirror { .. } => "mirror",
    };
    (name, error.to_string())
}

#[tokio::test]
async fn a_history_is_cloned_and_fetched_by_its_difference() {
    for way in BOTH {
        let world = world(way).await;
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(world.base));
        assert_eq!(world.mirror.tip("none").await.unwrap(), None);
        for round in 0..5 {
            let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", &format!("image: {round}\n"));
            assert_eq!(world.mirror.tip("main").await.unwrap(), Some(tip));
            let read = world.mirror.read(tip, "apps/dev.yaml").await.unwrap().unwrap();
            assert_eq!(read, format!("image: {round}\n").into_bytes());
        }
        let tip = world.mirror.revision("main").await.unwrap();
        let history = world.mirror.first_parents(tip, 10).await.unwrap();
        assert_eq!(history.len(), 6);
        assert_eq!(world.mirror.first_parents(tip, 2).await.unwrap().len(), 2);
        assert_eq!(
            world.mirror.revision("HEAD~5").await.unwrap_err().to_string(),
            "revision `HEAD~5` is not in the repository"
        );
        assert_eq!(world.mirror.revision("main~5").await.unwrap(), world.base);
        assert_eq!(world.mirror.revision(&tip.short()).await.unwrap(), tip);
        assert_eq!(world.mirror.between("main~2", "main", 10).await.unwrap(), history[..2]);
        assert!(world.mirror.is_ancestor(world.base, tip).await.unwrap());
        assert!(!world.mirror.is_ancestor(tip, world.base).await.unwrap());
        assert_eq!(world.mirror.merge_base(tip, world.base).await.unwrap(), Some(world.base));
        let files = world.mirror.files(tip, "apps").await.unwrap();
        assert_eq!(files, [("apps/dev.yaml".to_owned(), 9), ("apps/prod.yaml".to_owned(), 9)]);
        assert_eq!(world.mirror.files(tip, "").await.unwrap().len(), 3);
        let changes = world.mirror.changes(world.base, tip, 10).await.unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].before.as_deref(), Some(&b"image: a\n"[..]));
    }
}

#[tokio::test]
async fn a_tip_that_did_not_move_costs_one_request() {
    let world = world(Way::Http).await;
    world.host.take_requests();
    world.mirror.tip("main").await.unwrap();
    assert_eq!(world.host.take_requests(), ["POST /env.git/git-upload-pack"]);
    rival(&world.remote, "main", "100644", "x", "y");
    world.mirror.tip("main").await.unwrap();
    assert_eq!(world.host.take_requests().len(), 2, "its refs and its objects");
}

#[tokio::test]
async fn a_host_of_the_old_protocol_is_understood() {
    let world = world(Way::Http).await;
    world.host.force_protocol("version=0");
    let location = world.mirror.location().clone();
    std::fs::remove_dir_all(world.dir.path().join("mirror")).unwrap();
    let mirror = open(&world.dir, location, options()).await.unwrap();
    let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: z\n");
    assert_eq!(mirror.tip("main").await.unwrap(), Some(tip));
    assert_eq!(mirror.read(tip, "apps/dev.yaml").await.unwrap().unwrap(), b"image: z\n");
    assert_eq!(
        mirror.refs("refs/heads/ma").await.unwrap(),
        BTreeMap::from([("refs/heads/main".to_owned(), tip)])
    );
}

#[tokio::test]
async fn a_commit_is_pushed_to_a_new_branch_and_deleted() {
    for way in BOTH {
        let world = world(way).await;
        let name = "refs/heads/lockkeeper/normal/dev/shop/0123-1";
        let commit = world.promoted().await;
        assert_eq!(commit, world.promoted().await, "the same input gives the same commit");
        let push = vec![update(name, None, Some(commit))];
        world.mirror.push(push.clone()).await.unwrap();
        world.mirror.push(push).await.expect("a push that was done is done");
        world.fsck();
        let shown =
            git(&world.remote, &["log", "-1", "--format=%an %at %ct %(trailers:only)", &commit.to_string()]);
        assert_eq!(shown.trim(), "lockkeeper 1795248000 1795248000 Lockkeeper-Lane: normal");
        assert_eq!(git(&world.remote, &["diff", "--stat", "main", name]).lines().count(), 2, "one file");
        let refs = world.mirror.refs("refs/heads/lockkeeper/").await.unwrap();
        assert_eq!(refs, BTreeMap::from([(name.to_owned(), commit)]));
        world.mirror.push(vec![update(name, Some(commit), None)]).await.unwrap();
        world.mirror.push(vec![update(name, Some(commit), None)]).await.expect("gone is gone");
        assert!(world.mirror.refs("refs/heads/lockkeeper/").await.unwrap().is_empty());
        // Both kinds of pack: against a base that moved on meanwhile, too.
        rival(&world.remote, "main", "100644", "apps/prod.yaml", "image: x\n");
        world.mirror.push(vec![update(name, None, Some(commit))]).await.unwrap();
        world.fsck();
    }
}

#[tokio::test]
async fn tokens_rotate_and_wrong_ones_are_denied() {
    let world = world(Way::Http).await;
    world.host.set_tokens(&[("token-2", "bot")]);
    assert_eq!(kind(&world.mirror.tip("main").await).0, "denied");
    let commit = world.promoted().await;
    assert_eq!(kind(&world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await).0, "denied");
    std::fs::write(world.dir.path().join("token"), "token-2").unwrap();
    assert!(world.mirror.tip("main").await.is_ok());
    for bad in ["", "a\nb", &"x".repeat(16 * 1_024 + 1)] {
        std::fs::write(world.dir.path().join("token"), bad).unwrap();
        let (name, text) = kind(&world.mirror.tip("main").await);
        assert_eq!(name, "denied");
        assert!(bad.is_empty() || !text.contains(bad), "{text}");
    }
    std::fs::remove_file(world.dir.path().join("token")).unwrap();
    assert_eq!(kind(&world.mirror.tip("main").await).0, "denied");
}

#[tokio::test]
async fn a_ref_that_moved_is_told_before_anything_is_sent() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        let tip = rival(&world.remote, "main", "100644", "x", "y");
        world.host.take_requests();
        for old in [Some(world.base), None] {
            let (name, text) =
                kind(&world.mirror.push(vec![update("refs/heads/main", old, Some(commit))]).await);
            assert_eq!(name, "moved");
            assert!(text.contains(&tip.to_string()), "{text}");
        }
        assert!(world.host.take_requests().iter().all(|request| request.starts_with("GET")));
        assert_eq!(world.tip("main"), tip.to_string());
    }
}

#[tokio::test]
async fn a_race_lost_at_the_host_is_moved() {
    let race = "unset GIT_QUARANTINE_PATH; while read old new ref; do \
        git update-ref $ref $(git -c user.name=r -c user.email=r@x commit-tree -p $old -m rival $old^{tree}) $old; done";
    for way in BOTH {
        for also in [None, Some("refs/heads/records")] {
            let world = world(way).await;
            let commit = world.promoted().await;
            hook(
                &world.remote,
                "pre-receive",
                &format!("{}; exit 0", race.replace("while read", "head -1 | while read")),
            );
            let mut push = vec![update("refs/heads/main", Some(world.base), Some(commit))];
            push.extend(also.map(|name| update(name, None, Some(commit))));
            let (name, text) = kind(&world.mirror.push(push).await);
            assert_eq!(name, "moved", "{way:?} {also:?}: {text}");
            assert_eq!(world.tip("records"), "");
        }
    }
}

#[tokio::test]
async fn a_hook_refuses_in_its_own_words() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        hook(
            &world.remote,
            "pre-receive",
            "printf 'freeze until \\033[31mmonday\\033[0m\\nask #sre\\n' >&2; exit 1",
        );
        let (name, text) = kind(&world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await);
        assert_eq!(name, "refused");
        assert!(text.contains("pre-receive hook declined: freeze until monday; ask #sre"), "{text}");
    }
}

#[tokio::test]
async fn several_refs_go_together_or_not_at_all() {
    for way in BOTH {
        let world = world(way).await;
        let commit = world.promoted().await;
        let push =
            vec![update("refs/heads/one", None, Some(commit)), update("refs/heads/two", None, Some(commit))];
        hook(&world.remote, "update", "case $1 in */two) echo not two >&2; exit 1;; esac");
        let (name, text) = kind(&world.mirror.push(push.clone()).await);
        assert_eq!(name, "refused");
        assert!(text.contains("refs/heads/two") && text.contains("not two"), "{text}");
        assert_eq!((world.tip("one"), world.tip("two")), (String::new(), String::new()));
        hook(&world.remote, "update", "exit 0");
        world.mirror.push(push.clone()).await.unwrap();
        assert_eq!((world.tip("one"), world.tip("two")), (commit.to_string(), commit.to_string()));
        git(&world.remote, &["config", "receive.advertiseAtomic", "false"]);
        world.mirror.push(push.clone()).await.expect("nothing is left to do");
        git(&world.remote, &["update-ref", "-d", "refs/heads/one"]);
        git(&world.remote, &["update-ref", "-d", "refs/heads/two"]);
        let (name, text) = kind(&world.mirror.push(push).await);
        assert_eq!(name, "refused");
        assert!(text.contains("atomic"), "{text}");
        assert_eq!(world.tip("one"), "");
    }
}

#[tokio::test]
async fn updates_that_make_no_sense_are_not_sent() {
    let world = world(Way::File).await;
    let new = Some(world.base);
    let many: Vec<_> = (0..101).map(|number| update(&format!("refs/heads/b{number}"), None, new)).collect();
    for updates in [vec![], many, vec![update("main", None, new)], vec![update("refs/heads/a", None, new); 2]]
    {
        assert_eq!(kind(&world.mirror.push(updates).await).0, "refused");
    }
    let absent = "1111111111111111111111111111111111111111".parse().unwrap();
    assert_eq!(
        kind(&world.mirror.push(vec![update("refs/heads/a", None, Some(absent))]).await).0,
        "not found"
    );
}

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
async fn a_damaged_mirror_is_rebuilt() {
    let objects = |world: &World| world.dir.path().join("mirror/mirror.git/objects");
    let packs = |world: &World, extension: &str| -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(objects(world).join("pack")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
    };
    for damage in ["cut", "garbage", "no pack", "no index", "no folder", "other place"] {
        let world = world(Way::File).await;
        let location = world.mirror.location().clone();
        let mirror = world.dir.path().join("mirror/mirror.git");
        let pack = &packs(&world, "pack")[0];
        std::fs::set_permissions(pack, std::fs::Permissions::from_mode(0o644)).unwrap();
        match damage {
            "cut" => std::fs::File::options().write(true).open(pack).unwrap().set_len(60).unwrap(),
            "garbage" => std::fs::write(pack, vec![0; 5_000]).unwrap(),
            "no pack" => std::fs::remove_file(pack).unwrap(),
            "no index" => std::fs::remove_file(&packs(&world, "idx")[0]).unwrap(),
            "no folder" => std::fs::remove_dir_all(&mirror).unwrap(),
            _ => drop(git(&mirror, &["config", "lockkeeper.location", "file:///elsewhere"])),
        }
        let again = open(&world.dir, location, options()).await.unwrap();
        assert!(again.read(world.base, "readme.md").await.unwrap().is_some(), "{damage}: at the next start");
        if !matches!(damage, "other place") {
            // A fresh handle whose first read meets the damage, without a start between.
            let tip = rival(&world.remote, "main", "100644", "readme.md", "# new\n");
            again.tip("main").await.unwrap();
            std::fs::remove_dir_all(objects(&world)).unwrap();
            std::fs::create_dir_all(objects(&world).join("pack")).unwrap();
            drop(again);
            assert_eq!(
                world.mirror.read(tip, "readme.md").await.unwrap().unwrap(),
                b"# new\n",
                "{damage}: at a read"
            );
        }
    }
}

#[tokio::test]
async fn a_damaged_mirror_and_no_remote_is_an_error() {
    let world = world(Way::File).await;
    let location = world.mirror.location().clone();
    std::fs::remove_dir_all(&world.remote).unwrap();
    let mirror = open(&world.dir, location.clone(), options()).await.expect("a whole mirror needs no remote");
    assert_eq!(kind(&mirror.tip("main").await).0, "not found");
    std::fs::remove_dir_all(world.dir.path().join("mirror/mirror.git")).unwrap();
    assert_eq!(kind(&open(&world.dir, location, options()).await).0, "not found");
}

#[tokio::test]
async fn two_handles_share_a_folder() {
    let world = world(Way::Http).await;
    let other = open(&world.dir, world.mirror.location().clone(), options()).await.unwrap();
    for round in 0..4 {
        let tip = rival(&world.remote, "main", "100644", "x", &format!("{round}"));
        let (one, two) = tokio::join!(world.mirror.tip("main"), other.tip("main"));
        assert_eq!((one.unwrap(), two.unwrap()), (Some(tip), Some(tip)));
        assert!(other.read(tip, "x").await.unwrap().is_some());
    }
    let lock = std::fs::File::options().write(true).open(world.dir.path().join("mirror/lock")).unwrap();
    lock.lock().unwrap();
    rival(&world.remote, "main", "100644", "x", "locked");
    let hasty = Options { lock_timeout: Duration::from_millis(50), ..options() };
    assert_eq!(kind(&open(&world.dir, world.mirror.location().clone(), hasty).await).0, "unavailable");
}

#[tokio::test]
async fn faults_of_the_host_end_in_time() {
    let world = world(Way::Http).await;
    let options = Options { idle_timeout: Duration::from_millis(300), ..options() };
    let mirror = open(&world.dir, world.mirror.location().clone(), options).await.unwrap();
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    for (fault, want) in [
        (Fault::Hang, "unavailable"),
        (Fault::Status(500), "unavailable"),
        (Fault::Status(503), "unavailable"),
        (Fault::Status(429), "unavailable"),
        (Fault::Status(200), "unavailable"),
        (Fault::Status(403), "denied"),
        (Fault::Status(404), "not found"),
        (Fault::Status(400), "refused"),
        (Fault::CutAfter(0), "unavailable"),
        (Fault::CutAfter(20), "unavailable"),
        (Fault::Redirect("http://127.0.0.1:1/env.git".into()), "unavailable"),
    ] {
        let begun = Instant::now();
        for part in ["info/refs?service=git-receive-pack", "POST /env.git/git-receive-pack"] {
            world.host.fail(part, fault.clone());
            assert_eq!(kind(&mirror.push(push.clone()).await).0, want, "{part} {fault:?}");
            git(&world.remote, &["update-ref", "-d", "refs/heads/x"]);
        }
        world.host.fail("git-upload-pack", fault.clone());
        assert_eq!(kind(&mirror.tip("main").await).0, want, "{fault:?}");
        assert!(mirror.tip("main").await.is_ok(), "and the next time it works");
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
}

#[tokio::test]
async fn a_hook_that_hangs_ends_in_time() {
    let world = world(Way::File).await;
    let options = Options { total_timeout: Duration::from_millis(400), ..options() };
    let mirror = open(&world.dir, world.mirror.location().clone(), options).await.unwrap();
    let commit = world.promoted().await;
    hook(&world.remote, "pre-receive", "exec sleep 3");
    let begun = Instant::now();
    let (name, text) = kind(&mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await);
    assert_eq!(name, "unavailable");
    assert!(text.contains("400ms") && begun.elapsed() < Duration::from_secs(2), "{text}");
}

#[tokio::test]
async fn a_lost_answer_is_made_good_by_the_same_push() {
    let world = world(Way::Http).await;
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    world.host.fail("POST /env.git/git-receive-pack", Fault::LoseAnswer);
    assert_eq!(kind(&world.mirror.push(push.clone()).await).0, "unavailable");
    assert_eq!(world.tip("x"), commit.to_string());
    world.mirror.push(push).await.unwrap();
}

#[tokio::test]
async fn redirects_within_the_host_are_followed() {
    let world = world(Way::Http).await;
    let renamed = Location::parse(&world.host.url("old.git")).unwrap();
    world
        .host
        .fail("/old.git/", Fault::Redirect(world.host.url("env.git/info/refs?service=git-upload-pack")));
    std::fs::remove_dir_all(world.dir.path().join("mirror")).unwrap();
    let mirror = open(&world.dir, renamed, options()).await.unwrap();
    assert_eq!(mirror.tip("main").await.unwrap(), Some(world.base));
}

#[tokio::test]
async fn ssh_is_the_same_through_a_program() {
    let world = world(Way::File).await;
    let remote = world.dir.path().join("it's $(env).git");
    std::fs::rename(&world.remote, &remote).unwrap();
    let program = world.dir.path().join("ssh");
    let log = world.dir.path().join("arguments");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\nfor last; do :; done\nexec sh -c \"$last\"\n",
        log.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let location = Location::parse(&format!("ssh://git@git.example.com:2222{}", remote.display())).unwrap();
    let credentials = Credentials {
        ssh_key_file: Some("/keys/id".into()),
        ssh_known_hosts_file: Some("/keys/known".into()),
        ..Credentials::default()
    };
    let options = Options { ssh_program: program.clone(), ..options() };
    let folder = world.dir.path().join("ssh-mirror");
    let mirror =
        Mirror::open_with(location.clone(), &folder, credentials.clone(), options.clone()).await.unwrap();
    assert_eq!(mirror.tip("main").await.unwrap(), Some(world.base));
    let commit = mirror.commit(world.base, vec![edit("a", None, "b")], "m", &author()).await.unwrap();
    mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    git(&remote, &["fsck", "--full", "--strict"]);
    let arguments = std::fs::read_to_string(log).unwrap();
    for wanted in
        ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/keys/known"]
    {
        assert!(arguments.contains(&format!("-o\n{wanted}\n")), "{arguments}");
    }
    let path = remote.display().to_string().replace('\'', "'\\''");
    assert!(arguments.contains("-i\n/keys/id\n-p\n2222\n-T\n--\ngit@git.example.com\n"), "{arguments}");
    assert!(arguments.ends_with(&format!("git-receive-pack '{path}'\n")), "{arguments}");
    for (words, want) in [("Permission denied (publickey).", "denied"), ("Connection refused", "unavailable")]
    {
        std::fs::write(&program, format!("#!/bin/sh\necho '{words}' >&2; exit 255\n")).unwrap();
        let (name, text) = kind(&mirror.tip("main").await);
        assert_eq!(name, want);
        assert!(text.contains(words), "{text}");
    }
    let hostile = Location::Ssh("ssh://-oProxyCommand=touch/x".into());
    assert!(Mirror::open_with(hostile, &folder, credentials, options).await.is_err());
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

#[tokio::test]
async fn all_branches_and_tags_are_brought() {
    let world = world(Way::File).await;
    git(&world.remote, &["tag", "-a", "-m", "one", "v1", "main"]);
    git(&world.remote, &["branch", "a", "main"]);
    world.mirror.fetch().await.unwrap();
    assert_eq!(world.mirror.revision("v1").await.unwrap(), world.base);
    git(&world.remote, &["branch", "-D", "a"]);
    git(&world.remote, &["branch", "a/b", "main"]);
    world.mirror.tip("a/b").await.expect("`a` is in the way of `a/b` no more");
    world.mirror.fetch().await.unwrap();
    assert_eq!(kind(&world.mirror.revision("a").await).0, "not found");
    assert_eq!(world.mirror.revision("a/b").await.unwrap(), world.base);
    git(&world.remote, &["branch", "-D", "a/b"]);
    git(&world.remote, &["branch", "a", "main"]);
    world.mirror.tip("a").await.expect("nor the other way round");
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

#[tokio::test]
async fn a_push_sends_just_the_new_objects() {
    let world = world(Way::Http).await;
    let number = |number: usize| edit(&format!("all/app-{number}.yaml"), None, &format!("image: {number}\n"));
    let many =
        world.mirror.commit(world.base, (0..1_000).map(number).collect(), "many", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/main", Some(world.base), Some(many))]).await.unwrap();
    world.host.take_received_bytes();
    let edits = vec![edit("all/app-500.yaml", Some("image: 500\n"), "image: new\n")];
    let commit = world.mirror.commit(many, edits, "promote", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/x", None, Some(commit))]).await.unwrap();
    let bytes = world.host.take_received_bytes();
    assert!(bytes < 900, "the folder's tree alone has 38 kB, sent were {bytes} bytes");
    let back = vec![edit("all/app-500.yaml", Some("image: new\n"), "image: 500\n")];
    let back = world.mirror.commit(commit, back, "back", &author()).await.unwrap();
    let again = vec![edit("all/app-1.yaml", Some("image: 1\n"), "image: 2\n")];
    let again = world.mirror.commit(back, again, "again", &author()).await.unwrap();
    world.mirror.push(vec![update("refs/heads/y", None, Some(again))]).await.unwrap();
    world.fsck();
}

/// Run by hand for figures: `cargo test --test repository measure -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn measure_ten_thousand_files() {
    for folders in [1, 100] {
        let dir = TempDir::new().unwrap();
        let remote = dir.path().join("env.git");
        let path = |number: usize| format!("apps/team-{}/app-{number}.yaml", number % folders);
        let file = |number: usize| (path(number), format!("image: {number}\n").into_bytes());
        let files: Vec<_> = (0..10_000).map(file).collect();
        let base = create_bare(&remote, "main", &files, "first", &author()).await.unwrap();
        let host = GitHost::start(dir.path().to_owned(), &[(TOKEN, "bot")]).await;
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let begun = Instant::now();
        let mirror = open(&dir, Location::parse(&host.url("env.git")).unwrap(), options()).await.unwrap();
        println!("{folders} folders: first fetch {:?}", begun.elapsed());
        for round in 0..5 {
            let begun = Instant::now();
            mirror.tip("main").await.unwrap();
            println!("tip {:?}", begun.elapsed());
            host.take_received_bytes();
            let begun = Instant::now();
            let edits = vec![edit(&path(7), Some("image: 7\n"), &format!("image: new {round}\n"))];
            let commit = mirror.commit(base, edits, "promote", &author()).await.unwrap();
            println!("commit {:?}", begun.elapsed());
            let begun = Instant::now();
            mirror.push(vec![update(&format!("refs/heads/x{round}"), None, Some(commit))]).await.unwrap();
            println!("push {:?}, {} bytes", begun.elapsed(), host.take_received_bytes());
            rival(&remote, "main", "100644", "readme.md", &format!("{round}"));
            let begun = Instant::now();
            let tip = mirror.tip("main").await.unwrap().unwrap();
            println!("moved tip {:?}", begun.elapsed());
            let begun = Instant::now();
            mirror.merge(tip, commit, false, "merge", &author()).await.unwrap();
            println!("merge {:?}", begun.elapsed());
        }
    }
}
