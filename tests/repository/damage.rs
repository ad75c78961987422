//! Damage to the mirror on disk.

use super::world::*;

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
