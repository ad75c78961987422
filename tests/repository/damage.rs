//! Damage to the mirror on disk.

use super::world::*;

/// Everything that was tried on a mirror's folder.
const DAMAGES: [&str; 23] = [
    "pack cut",
    "pack of zeros",
    "pack damaged inside",
    "index damaged inside",
    "pack gone",
    "index gone",
    "index cut",
    "index of zeros",
    "objects gone",
    "objects folder gone",
    "loose objects empty",
    "loose objects of garbage",
    "refs gone",
    "ref of garbage",
    "ref to nothing",
    "HEAD gone",
    "HEAD of garbage",
    "config gone",
    "config of garbage",
    "folder empty",
    "folder gone",
    "file in its place",
    "another repository's",
];

fn all(folder: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all(&path, is_wanted));
        } else if is_wanted(&path) {
            found.push(path);
        }
    }
    found
}

fn ending(mirror: &Path, extension: &str) -> PathBuf {
    all(&mirror.join("objects/pack"), &|path| path.extension().is_some_and(|end| end == extension)).remove(0)
}

/// Another file in its place: one cut under a process that reads it through memory would end that process.
fn write(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// The same file with other bytes in its middle.
fn flip(path: &Path) {
    use std::os::unix::fs::FileExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let middle: Vec<u8> = bytes[bytes.len() / 2..][..8].iter().map(|byte| byte ^ 0xff).collect();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&middle, bytes.len() as u64 / 2).unwrap();
}

fn damage(world: &World, damage: &str) {
    let mirror = world.dir.path().join("mirror/mirror.git");
    let loose = || all(&mirror.join("objects"), &|path| !path.to_str().unwrap().contains("/pack/"));
    match damage {
        "pack cut" => write(&ending(&mirror, "pack"), b"PACK\0\0\0\x02\0\0\0\x05abc"),
        "pack of zeros" => write(&ending(&mirror, "pack"), &[0; 5_000]),
        "pack damaged inside" => flip(&ending(&mirror, "pack")),
        "index damaged inside" => flip(&ending(&mirror, "idx")),
        "pack gone" => std::fs::remove_file(ending(&mirror, "pack")).unwrap(),
        "index gone" => std::fs::remove_file(ending(&mirror, "idx")).unwrap(),
        "index cut" => write(&ending(&mirror, "idx"), b"\xfftOc\0\0\0\x02"),
        "index of zeros" => write(&ending(&mirror, "idx"), &[0; 2_000]),
        "objects gone" => all(&mirror.join("objects"), &|_| true)
            .iter()
            .for_each(|path| std::fs::remove_file(path).unwrap()),
        "objects folder gone" => std::fs::remove_dir_all(mirror.join("objects")).unwrap(),
        "loose objects empty" => loose().iter().for_each(|path| write(path, b"")),
        "loose objects of garbage" => loose().iter().for_each(|path| write(path, b"garbage, and more of it")),
        "refs gone" => std::fs::remove_dir_all(mirror.join("refs")).unwrap(),
        "ref of garbage" => write(&mirror.join("refs/mirror/heads/main"), b"garbage\n"),
        "ref to nothing" => {
            write(&mirror.join("refs/mirror/heads/main"), format!("{}\n", "7".repeat(40)).as_bytes());
        }
        "HEAD gone" => std::fs::remove_file(mirror.join("HEAD")).unwrap(),
        "HEAD of garbage" => write(&mirror.join("HEAD"), b"\0\0\0"),
        "config gone" => std::fs::remove_file(mirror.join("config")).unwrap(),
        "config of garbage" => write(&mirror.join("config"), b"[core\nbare"),
        "folder empty" => {
            std::fs::remove_dir_all(&mirror).unwrap();
            std::fs::create_dir(&mirror).unwrap();
        }
        "folder gone" => std::fs::remove_dir_all(&mirror).unwrap(),
        "file in its place" => {
            std::fs::remove_dir_all(&mirror).unwrap();
            std::fs::write(&mirror, "a file").unwrap();
            std::fs::write(world.dir.path().join("mirror/next.git"), "another").unwrap();
            std::fs::create_dir(world.dir.path().join("mirror/incoming.pack")).unwrap();
        }
        "another repository's" => {
            std::fs::remove_dir_all(&mirror).unwrap();
            git(world.dir.path(), &["init", "-q", "--bare", mirror.to_str().unwrap()]);
            git(&mirror, &["config", "lockkeeper.location", "file:///elsewhere"]);
        }
        other => panic!("{other}"),
    }
}

/// A promotion on the tip, asked again as long as the caller of the mirror would: never a wrong commit.
async fn promote(world: &World, mirror: &Mirror, name: &str, damage: &str) {
    let mut refusals = Vec::new();
    for _ in 0..3 {
        match promote_once(mirror, name).await {
            Ok(commit) => {
                let branch = name.trim_start_matches("refs/heads/");
                assert_eq!(world.tip(branch), commit.to_string(), "{damage}");
                let changed = git(&world.remote, &["diff", "--name-only", "main", branch]);
                assert_eq!(changed, "apps/dev.yaml", "{damage}");
                return;
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    panic!("{damage}: {refusals:?}");
}

async fn promote_once(mirror: &Mirror, name: &str) -> Result<CommitId, RepositoryError> {
    let tip = mirror.tip("main").await?.unwrap();
    let before = mirror.read(tip, "apps/dev.yaml").await?;
    assert!(before.as_ref().unwrap().starts_with(b"image: "));
    let edit = Edit { path: "apps/dev.yaml".into(), before, after: format!("image: {name}\n").into_bytes() };
    let commit = mirror.commit(tip, vec![edit], "promote", &author()).await?;
    mirror.push(vec![update(name, None, Some(commit))]).await.map(|()| commit)
}

#[tokio::test]
async fn a_damaged_mirror_is_mended_at_the_next_start() {
    for name in DAMAGES {
        let world = world(Way::File).await;
        let location = world.mirror.location().clone();
        promote_once(&world.mirror, "refs/heads/before").await.unwrap();
        damage(&world, name);
        let again =
            open(&world.dir, location, options()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        promote(&world, &again, "refs/heads/after", name).await;
        let tip = rival(&world.remote, "main", "100644", "readme.md", "# new\n");
        assert_eq!(again.tip("main").await.unwrap(), Some(tip), "{name}");
        assert_eq!(again.read(tip, "readme.md").await.unwrap().unwrap(), b"# new\n", "{name}");
        world.fsck();
    }
}

#[tokio::test]
async fn a_mirror_damaged_under_way_is_mended_or_asks_to_try_again() {
    for name in DAMAGES {
        for warm in [true, false] {
            let world = world(Way::File).await;
            promote_once(&world.mirror, "refs/heads/before").await.unwrap();
            // One handle that has read and holds files open, and one that has not yet.
            let fresh = open(&world.dir, world.mirror.location().clone(), options()).await.unwrap();
            let mirror = if warm { &world.mirror } else { &fresh };
            damage(&world, name);
            promote(&world, mirror, "refs/heads/after", name).await;
            let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: rival\n");
            assert_eq!(mirror.tip("main").await.unwrap(), Some(tip), "{name}");
            promote(&world, mirror, "refs/heads/later", name).await;
            world.fsck();
        }
    }
}

#[tokio::test]
async fn what_a_stopped_process_left_does_no_harm() {
    let world = world(Way::File).await;
    let root = world.dir.path().join("mirror");
    let mirror = root.join("mirror.git");
    let location = world.mirror.location().clone();
    for left in ["objects/pack/pack_git2_abc123", "objects/tmp_obj_0123", "objects/pack/pack-half.pack"] {
        std::fs::write(mirror.join(left), "half").unwrap();
    }
    std::fs::write(root.join("incoming.pack"), "PACK").unwrap();
    std::fs::create_dir_all(root.join("next.git/objects")).unwrap();
    std::fs::create_dir_all(root.join("old.git/objects")).unwrap();
    let lock = mirror.join("refs/mirror/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let minute_ago = std::time::SystemTime::now() - Duration::from_mins(1);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(minute_ago).unwrap();
    let again = open(&world.dir, location, options()).await.unwrap();
    let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: rival\n");
    assert_eq!(again.tip("main").await.unwrap(), Some(tip));
    assert!(!lock.exists(), "the lock of the process that ended is broken");
    promote(&world, &again, "refs/heads/after", "leftovers").await;
    // A lock of now is waited for, until it is too old to be held.
    std::fs::write(&lock, "").unwrap();
    let tip = rival(&world.remote, "main", "100644", "apps/dev.yaml", "image: rival 2\n");
    assert_eq!(again.tip("main").await.unwrap(), Some(tip));
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_told() {
    let world = world(Way::File).await;
    let root = world.dir.path().join("mirror");
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::write(&root, "a file").unwrap();
    let (name, text) = kind(&open(&world.dir, world.mirror.location().clone(), options()).await);
    assert_eq!(name, "mirror");
    assert!(text.contains("mirror"), "{text}");
    assert_eq!(std::fs::read(&root).unwrap(), b"a file", "and not ours to remove");
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
