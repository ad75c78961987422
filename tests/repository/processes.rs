//! Several processes work on one mirror, and some are ended in the middle.

use super::world::*;

const FOLDER: &str = "LOCKKEEPER_TEST_FOLDER";
const NAME: &str = "LOCKKEEPER_TEST_NAME";
const ROUNDS: usize = 12;

/// No test of its own: what the processes of the tests below do. It makes and pushes commits on the tip as it
/// moves, in the mirror that all share.
#[tokio::test]
#[ignore = "a part of the other tests here"]
async fn other_process() {
    let (Ok(folder), Ok(name)) = (std::env::var(FOLDER), std::env::var(NAME)) else { return };
    let folder = PathBuf::from(folder);
    let location = Location::parse(folder.join("env.git").to_str().unwrap()).unwrap();
    let mirror =
        Mirror::open_with(location, &folder.join("mirror"), Credentials::default(), options()).await.unwrap();
    for round in 0..ROUNDS {
        let tip = mirror.tip("main").await.unwrap().unwrap();
        let edits = vec![edit(&format!("new/{name}.yaml"), None, &format!("image: {round}\n"))];
        let commit = mirror.commit(tip, edits, "promote", &author()).await.unwrap();
        mirror.push(vec![update(&format!("refs/heads/{name}/{round}"), None, Some(commit))]).await.unwrap();
        assert!(mirror.read(commit, "apps/prod.yaml").await.unwrap().is_some());
    }
}

fn start(world: &World, name: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::other_process", "--ignored", "--quiet"])
        .env(FOLDER, world.dir.path())
        .env(NAME, name)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

fn branches(world: &World, name: &str) -> usize {
    git(&world.remote, &["for-each-ref", &format!("refs/heads/{name}")]).lines().count()
}

#[tokio::test]
async fn two_processes_share_a_mirror() {
    let world = world(Way::File).await;
    let children = ["one", "two"].map(|name| start(&world, name));
    let mut moved = 0;
    for mut child in children {
        loop {
            rival(&world.remote, "main", "100644", "moving", &format!("{moved}"));
            moved += 1;
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
        }
    }
    for name in ["one", "two"] {
        assert_eq!(branches(&world, name), ROUNDS, "{name}");
    }
    world.fsck();
    git(&world.dir.path().join("mirror/mirror.git"), &["fsck", "--full", "--strict", "--no-dangling"]);
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_a_mirror_that_works() {
    let world = world(Way::File).await;
    let location = world.mirror.location().clone();
    let kills = std::env::var("LOCKKEEPER_TEST_KILLS").map_or(6, |kills| kills.parse().unwrap());
    for kill in 0..kills {
        let mut child = start(&world, &format!("killed-{kill}"));
        // Not all before it begins, and not all after it ended.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(40 + 67 * (kill % 9)) {
            rival(&world.remote, "main", "100644", "moving", &format!("{kill} {:?}", begun.elapsed()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mirror = open(&world.dir, location.clone(), options()).await.unwrap();
        let tip = mirror.tip("main").await.unwrap().unwrap();
        let edits = vec![edit("new/after.yaml", None, &format!("image: {kill}\n"))];
        let commit = mirror.commit(tip, edits, "promote", &author()).await.unwrap();
        let name = format!("refs/heads/after/{kill}");
        mirror.push(vec![update(&name, None, Some(commit))]).await.unwrap();
        assert_eq!(mirror.read(commit, "apps/prod.yaml").await.unwrap().unwrap(), b"image: b\n");
    }
    world.fsck();
}
