//! A host that speaks git's protocol and lies in it. Nothing of it is believed, and the next honest answer is.

use super::packs::*;
use super::world::*;

const FETCH: &str = "POST /env.git/git-upload-pack";
const KIND: &str = "application/x-git-upload-pack-result";
const UNKNOWN: &str = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
const GIB: u64 = 1_024 * 1_024 * 1_024;

fn answer(body: Vec<u8>) -> Fault {
    Fault::Answer(KIND.into(), body)
}

/// A commit of this tree.
fn commit_of(tree: [u8; 20]) -> Vec<u8> {
    format!("tree {}\nauthor a <a@x> 1 +0000\ncommitter a <a@x> 1 +0000\n\nm\n", hex::encode(tree))
        .into_bytes()
}

#[tokio::test]
async fn packs_that_lie_are_not_taken() {
    let world = world(Way::Http).await;
    let base = Entry::whole(BLOB, &vec![0; 1_024 * 1_024]);
    let base_id = id("blob", &base.content);
    // Copies the whole base 10,000 times: 10 GiB out of 70 kB.
    let mut bomb = [varint(base.size), varint(10_000 * base.size)].concat();
    (0..10_000).for_each(|_| bomb.extend([0x80 | 0x40, 0x10]));
    let mut endless = varint(base.size);
    endless.extend([0xff; 12]);
    let mut wrong_checksum = pack(1, &[Entry::whole(BLOB, b"x")]);
    *wrong_checksum.last_mut().unwrap() ^= 1;
    let sized = |kind, size, content: &[u8]| Entry { size, ..Entry::whole(kind, content) };
    let whole = |entry: Entry| pack(1, &[entry]);
    let cut = whole(Entry::whole(BLOB, b"some content"));
    for (name, body, words) in [
        ("no object", pack(0, &[]), "does not send it"),
        ("another object", whole(Entry::whole(BLOB, b"other")), "does not send it"),
        ("no pack", b"not a pack, but long enough".to_vec(), "not begin"),
        ("an empty pack", vec![], "cut"),
        ("of another version", [b"PACK\0\0\0\x09", &[0; 24][..]].concat(), "not begin"),
        ("cut", cut[..20].to_vec(), "not taken"),
        ("four billion objects", pack(u32::MAX, &[]), "more objects"),
        (
            "more objects than there are",
            pack(3, &[Entry::whole(BLOB, b"a long line, so that three could fit here")]),
            "not taken",
        ),
        ("a kind that is none", whole(Entry::whole(5, b"x")), "not taken"),
        ("a tree of 10 GiB", whole(sized(TREE, 10 * GIB, b"x")), "too large"),
        ("a size without end", whole(sized(BLOB, u64::MAX, b"x")), "not taken"),
        ("smaller than it is", whole(sized(BLOB, 4, &vec![0; 5_000_000])), "another size"),
        ("larger than it is", whole(sized(BLOB, 5_000, b"x")), "another size"),
        ("a difference that makes 10 GiB", pack(2, &[base, Entry::difference(&base_id, &bomb)]), "too large"),
        ("a difference with a size without end", whole(Entry::difference(&base_id, &endless)), "too large"),
        ("a wrong checksum", wrong_checksum, "not taken"),
        (
            "bytes that are not zlib's",
            {
                let mut bytes = cut.clone();
                bytes[13] = 0xff;
                bytes
            },
            "not taken",
        ),
    ] {
        let tip = rival(&world.remote, "main", "100644", "x", name);
        world.host.fail(FETCH, Fault::Pass);
        world.host.fail(FETCH, answer(fetched(&body)));
        let begun = Instant::now();
        match world.mirror.tip("main").await {
            // The mirror may have been fetched anew meanwhile, from the host that is honest again.
            Ok(found) => assert_eq!(found, Some(tip), "{name}"),
            Err(error) => {
                let text = error.to_string();
                assert!(matches!(error, RepositoryError::Unavailable { .. }), "{name}: {text}");
                assert!(text.contains(words), "{name}: {text}, wanted {words}");
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}");
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(tip), "{name}");
        assert_eq!(world.mirror.read(tip, "x").await.unwrap().unwrap(), name.as_bytes());
    }
}

#[tokio::test]
async fn a_first_pack_that_lies_makes_no_mirror() {
    let world = world(Way::Http).await;
    let location = world.mirror.location().clone();
    let folder = world.dir.path().join("mirror/mirror.git");
    std::fs::remove_dir_all(&folder).unwrap();
    let missing = Entry::difference(&[7; 20], &[varint(5), varint(5), vec![0x90, 5]].concat());
    for body in [pack(0, &[]), pack(1, &[Entry::whole(BLOB, b"other")]), pack(1, &[missing]), b"x".repeat(50)]
    {
        world.host.fail(FETCH, Fault::Pass);
        world.host.fail(FETCH, answer(fetched(&body)));
        assert_eq!(kind(&open(&world.dir, location.clone(), options()).await).0, "unavailable");
        assert!(!folder.exists());
    }
    assert!(open(&world.dir, location, options()).await.is_ok());
}

#[tokio::test]
async fn a_commit_without_its_tree_is_found_when_it_is_read() {
    let world = world(Way::Http).await;
    let tip = rival(&world.remote, "main", "100644", "x", "y");
    let commit = git(&world.remote, &["cat-file", "commit", &tip.to_string()]);
    let commit = Entry::whole(COMMIT, format!("{commit}\n").as_bytes());
    world.host.fail(FETCH, Fault::Pass);
    world.host.fail(FETCH, answer(fetched(&pack(1, &[commit]))));
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(tip));
    // The mirror is fetched anew, from the host that is honest again.
    assert_eq!(world.mirror.read(tip, "x").await.unwrap().unwrap(), b"y");
    // One that stays a liar is asked once an interval, not at each read.
    let made = commit_of([9; 20]);
    let unknown = CommitId::from_bytes(id("commit", &made));
    git_with(&world.remote, &made, &["hash-object", "-t", "commit", "--literally", "-w", "--stdin"]);
    let patient = Options { rebuild_interval: Duration::from_mins(1), ..options() };
    let mirror = open(&world.dir, world.mirror.location().clone(), patient).await.unwrap();
    let lie = packets(&[format!("{unknown} refs/heads/main\n").as_bytes()]);
    let part = fetched(&pack(1, &[Entry::whole(COMMIT, &made)]));
    for body in [&lie, &part, &lie, &part] {
        world.host.fail(FETCH, answer(body.clone()));
    }
    assert_eq!(mirror.tip("main").await.unwrap(), Some(unknown));
    assert!(mirror.read(unknown, "x").await.is_err());
    world.host.take_requests();
    for _ in 0..5 {
        assert_eq!(kind(&mirror.read(unknown, "x").await).0, "mirror");
    }
    assert_eq!(world.host.take_requests().len(), 0);
}

/// Its bytes are those of its hash: it is no damage, and nothing is fetched anew for it.
#[tokio::test]
async fn a_tree_that_cannot_be_read_is_told() {
    let world = world(Way::Http).await;
    let file = Entry::whole(BLOB, b"a file");
    for start in [&b"no mode apps\0"[..], b"40000 apps\0"] {
        let tree = Entry::whole(TREE, &[start, &id("blob", &file.content)].concat());
        let commit = Entry::whole(COMMIT, &commit_of(id("tree", &tree.content)));
        let head = CommitId::from_bytes(id("commit", &commit.content));
        world.host.fail(FETCH, answer(packets(&[format!("{head} refs/heads/wrong\n").as_bytes()])));
        world.host.fail(FETCH, answer(fetched(&pack(3, &[commit, tree, Entry::whole(BLOB, b"a file")]))));
        assert_eq!(world.mirror.tip("wrong").await.unwrap(), Some(head));
        world.host.take_requests();
        assert_eq!(kind(&world.mirror.changed_paths(world.base, head, 100).await).0, "edit");
        assert_eq!(kind(&world.mirror.read(head, "apps/dev.yaml").await).0, "edit");
        assert_eq!(world.host.take_requests().len(), 0);
    }
}

#[tokio::test]
async fn refs_that_lie_are_left_out_or_told() {
    let world = world(Way::Http).await;
    let good = world.base;
    for (lines, want) in [
        (vec![format!("{UNKNOWN} refs/heads/main\n")], Err("not our ref")),
        (vec![format!("{good} refs/heads/main\n"), "x\n".to_owned()], Err("no `id name`")),
        (vec![format!("{good} refs/heads/ma\x1b[31min\n"), format!("{good} refs/heads/../../x\n")], Ok(None)),
        (vec![format!("{good} refs/heads/mainly\n"), format!("{good} refs/heads/main.lock\n")], Ok(None)),
        (vec![format!("{good} refs/heads/main symref-target:refs/heads/x\n")], Ok(Some(good))),
    ] {
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        world.host.fail(FETCH, answer(packets(&lines)));
        let found = world.mirror.tip("main").await;
        match want {
            Ok(want) => assert_eq!(found.unwrap(), want),
            Err(words) => assert!(kind(&found).1.contains(words), "{found:?}"),
        }
    }
    world.host.fail(FETCH, answer(packets(&[format!("{good} refs/heads/a\x07b\n").as_bytes()])));
    assert!(world.mirror.refs("refs/heads/").await.unwrap().is_empty());
    for body in [&b"ffff"[..], b"0005", b"", b"zzzz", b"<html>"] {
        world.host.fail(FETCH, answer(body.to_vec()));
        assert_eq!(kind(&world.mirror.tip("main").await).0, "unavailable");
    }
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(good));
}
