//! A mirror stays small: what fetches and commits leave is gathered, and nothing is lost by it.

use std::fmt::Write as _;

use super::world::*;

/// Packs that a mirror may have, and commits made, before they are gathered.
const PACKS_MAX: usize = 32;
const COMMITS_MAX: usize = 64;

/// Commits for the base of the remote, one on the other; the ref is moved by hand.
fn commits(world: &World, count: usize) -> Vec<CommitId> {
    let mut stream = String::new();
    for number in 0..count {
        let from = if number == 0 { format!("from {}\n", world.base) } else { String::new() };
        let content = format!("image: {number:04}\n");
        writeln!(
            stream,
            "commit refs/heads/chain\ncommitter a <a@x> 1 +0000\ndata 1\nm\n{from}M 100644 inline apps/dev.yaml\n\
             data {}\n{content}",
            content.len()
        )
        .unwrap();
    }
    git_with(&world.remote, stream.as_bytes(), &["fast-import", "--quiet"]);
    let range = format!("{}..chain", world.base);
    let listed = git(&world.remote, &["rev-list", "--reverse", &range]);
    git(&world.remote, &["update-ref", "-d", "refs/heads/chain"]);
    listed.lines().map(|line| line.parse().unwrap()).collect()
}

fn move_base(world: &World, to: CommitId) {
    std::fs::write(world.remote.join("refs/heads/main"), format!("{to}\n")).unwrap();
}

fn counted(world: &World, what: &str) -> usize {
    let mirror = world.dir.path().join("mirror/mirror.git");
    let counts = git(&mirror, &["count-objects", "-v"]);
    let line = counts.lines().find_map(|line| line.strip_prefix(&format!("{what}: "))).unwrap();
    line.parse().unwrap()
}

/// Waits until what happens in the background has happened.
async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !what() {
        assert!(Instant::now() < deadline, "it did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whole, and with all that its refs need.
fn check_mirror(world: &World) {
    git(&world.dir.path().join("mirror/mirror.git"), &["fsck", "--full", "--strict", "--no-dangling"]);
}

#[tokio::test]
async fn packs_are_gathered_beyond_their_bound() {
    let world = world(Way::File).await;
    let chain = commits(&world, 3 * PACKS_MAX);
    let unpushed = world.promoted().await;
    let bring = async |commits: &[CommitId]| {
        for commit in commits {
            move_base(&world, *commit);
            assert_eq!(world.mirror.tip("main").await.unwrap(), Some(*commit));
        }
    };
    bring(&chain[..PACKS_MAX - 1]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(counted(&world, "packs"), PACKS_MAX, "as many as may be");
    bring(&chain[PACKS_MAX - 1..PACKS_MAX]).await;
    until(|| counted(&world, "packs") < 3 && counted(&world, "count") == 0).await;
    check_mirror(&world);
    bring(&chain[PACKS_MAX..]).await;
    until(|| counted(&world, "packs") <= PACKS_MAX).await;
    check_mirror(&world);
    for (number, commit) in chain.iter().enumerate() {
        let read = world.mirror.read(*commit, "apps/dev.yaml").await.unwrap().unwrap();
        assert_eq!(read, format!("image: {number:04}\n").into_bytes());
    }
    world.mirror.push(vec![update("refs/heads/x", None, Some(unpushed))]).await.expect("it was not lost");
    world.fsck();
}

#[tokio::test]
async fn loose_objects_and_gone_branches_are_cleared_away() {
    let world = world(Way::File).await;
    let mut last = world.base;
    for number in 0..COMMITS_MAX {
        let edits = vec![edit("apps/new.yaml", None, &format!("image: {number}\n"))];
        last = world.mirror.commit(world.base, edits, "promote", &author()).await.unwrap();
        if number % 16 == 0 {
            let name = format!("refs/heads/promotion/{number}");
            world.mirror.push(vec![update(&name, None, Some(last))]).await.unwrap();
            git(&world.remote, &["update-ref", "-d", &name]);
        }
    }
    assert!(counted(&world, "count") > 2 * COMMITS_MAX, "commits that were not gathered are loose");
    world.mirror.push(vec![update("refs/heads/x", None, Some(last))]).await.unwrap();
    until(|| counted(&world, "count") == 0).await;
    check_mirror(&world);
    let noted = git(&world.dir.path().join("mirror/mirror.git"), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(
        noted.lines().collect::<Vec<_>>(),
        ["refs/mirror/HEAD", "refs/mirror/heads/main", "refs/mirror/heads/x"]
    );
    assert_eq!(world.mirror.read(last, "apps/new.yaml").await.unwrap().unwrap(), b"image: 63\n");
    world.fsck();
}

#[tokio::test]
async fn old_leftovers_are_removed_and_new_ones_left() {
    let world = world(Way::File).await;
    let objects = world.dir.path().join("mirror/mirror.git/objects");
    let left = ["pack/pack_git2_a", "pack/tmp_b", "tmp_obj_c", "pack/pack-d.pack"];
    let old = std::time::SystemTime::now() - Duration::from_hours(2);
    for name in left {
        std::fs::write(objects.join(name), "half").unwrap();
        let file = std::fs::File::create(objects.join(format!("{name}.old"))).unwrap();
        file.set_modified(old).unwrap();
    }
    std::fs::rename(objects.join("pack/pack-d.pack.old"), objects.join("pack/pack-e.pack")).unwrap();
    for number in 0..COMMITS_MAX {
        let edits = vec![edit("apps/new.yaml", None, &format!("image: {number}\n"))];
        world.mirror.commit(world.base, edits, "promote", &author()).await.unwrap();
    }
    world.mirror.push(vec![update("refs/heads/x", None, Some(world.base))]).await.unwrap();
    until(|| counted(&world, "count") == 0).await;
    for name in left {
        assert!(objects.join(name).exists(), "{name} may be on its way");
        assert!(!objects.join(format!("{name}.old")).exists(), "{name}.old was left behind");
    }
    assert!(!objects.join("pack/pack-e.pack").exists());
}

#[tokio::test]
async fn a_damaged_mirror_is_not_gathered_but_fetched_anew() {
    let world = world(Way::File).await;
    let objects = world.dir.path().join("mirror/mirror.git/objects");
    for number in 0..COMMITS_MAX {
        let edits = vec![edit("apps/new.yaml", None, &format!("image: {number}\n"))];
        world.mirror.commit(world.base, edits, "promote", &author()).await.unwrap();
    }
    let mut folder = std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path());
    let folder = folder.find(|path| path.file_name().unwrap().len() == 2).unwrap();
    let object = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&object, "garbage").unwrap();
    world.mirror.push(vec![update("refs/heads/x", None, Some(world.base))]).await.unwrap();
    until(|| !object.exists()).await;
    until(|| world.dir.path().join("mirror/mirror.git/HEAD").exists()).await;
    assert_eq!(world.mirror.tip("main").await.unwrap(), Some(world.base));
    assert!(world.mirror.read(world.base, "apps/dev.yaml").await.unwrap().is_some());
    check_mirror(&world);
}
