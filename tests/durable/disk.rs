//! A disk that takes nothing any more, and then does again; and one that never did.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::parts::{part, skipped};
use super::process::{Place, Server, end};
use super::world::World;

/// Deliveries within which a disk without room has to be noticed: each takes some pages of 4 KiB of the log.
const DELIVERIES_MAX: u64 = 2_000;

/// The words that run a script where file systems can be mounted for it alone; none where that is not allowed.
fn namespace() -> Option<Vec<&'static str>> {
    part("unshare")?;
    let ways = [vec!["unshare", "--mount"], vec!["unshare", "--mount", "--map-root-user"]];
    let is_allowed = |words: &Vec<&str>| {
        let probe = "mount -t tmpfs -o size=1m tmpfs /mnt";
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["sh", "-c", probe]);
        end(command).code == 0
    };
    let found = ways.into_iter().find(is_allowed);
    if found.is_none() {
        skipped("file systems cannot be mounted here");
    }
    found
}

/// The server with its store in the folder `disk`, after a script there.
fn command(place: &Place, words: &[&str], script: &str) -> Command {
    let serve = place.command(&["serve"]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["sh", "-c", &format!("{script} && exec \"$0\" serve")]);
    command.arg(serve.get_program()).env_clear().current_dir(&place.folder);
    command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("LOCKKEEPER__STORE__PATH", place.folder.join("disk/store.db"));
    command
}

/// Sends until one is not taken; how many were.
async fn until_refused(world: &World) -> u64 {
    for number in 0..DELIVERIES_MAX {
        let answer = world.deliver(&number.to_string(), 0, number).await.unwrap();
        if answer.status == 503 {
            assert!(answer.again_after.is_some() && answer.text.contains("send it again"), "{answer:?}");
            return number;
        }
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    panic!("all {DELIVERIES_MAX} are taken, with no room for them");
}

async fn repeats(world: &World) -> u64 {
    let series = r#"lockkeeper_deliveries_total{webhook="registry",outcome="repeat"}"#;
    world.figure(series).await.map_or(0, |count| format!("{count}").parse().unwrap())
}

/// While there is no room the server says so and runs on; when there is, it takes what it refused, and knows what it took.
async fn check(world: &World, server: Server, make_room: impl FnOnce(), reason: &str) {
    let taken = until_refused(world).await;
    assert_eq!(world.get("/healthz").await.0, 200);
    let (status, ready) = world.get("/readyz").await;
    assert!(status == 503 && ready.contains("\"store_writable\":false"), "{status} {ready}");
    assert!(server.log().contains(reason), "{reason} is not in the log:\n{}", server.log());
    make_room();
    for number in 0..=taken {
        let answer = world.deliver(&number.to_string(), 0, number).await.unwrap();
        assert_eq!(answer.status, 202, "{number} of {taken}: {answer:?}\n{}", server.log());
    }
    assert_eq!(repeats(world).await, taken, "what was accepted is there");
    assert_eq!(world.get("/readyz").await.0, 200);
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_deliveries_until_there_is_room() {
    let Some(words) = namespace() else { return };
    let world = World::new(1).await;
    fs::create_dir(world.folder.path().join("disk")).unwrap();
    let server = world.place.start(command(&world.place, &words, "mount -t tmpfs -o size=8m tmpfs disk"));
    assert_eq!(world.deliver("before", 0, 0).await.unwrap().status, 202);
    let filler = inside(&server, &world.folder.path().join("disk/filler"));
    fill(&filler);
    check(&world, server, || fs::remove_file(filler).unwrap(), "make room on the disk").await;
}

/// The path of a file as the server sees it.
fn inside(server: &Server, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", server.id()));
    root.join(path.strip_prefix("/").unwrap())
}

fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}

/// The limit is of the process, so that it can be tried wherever programs run; the error is that of a failing disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_refuses_deliveries_until_it_may() {
    if part("prlimit").is_none() {
        return;
    }
    let world = World::new(1).await;
    fs::create_dir(world.folder.path().join("disk")).unwrap();
    // 512 KiB in blocks of 512 bytes; without the signal, which would end the process.
    let server = world.place.start(command(&world.place, &["env"], "trap '' XFSZ && ulimit -S -f 1024"));
    let id = server.id().to_string();
    let unlimited = || {
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &id, "--fsize=unlimited:"]);
        assert_eq!(end(prlimit).code, 0);
    };
    check(&world, server, unlimited, "disk I/O error; the disk fails").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_may_only_be_read_is_named_at_the_start() {
    let Some(words) = namespace() else { return };
    let world = World::new(1).await;
    let folder = world.folder.path().join("disk");
    fs::create_dir(&folder).unwrap();
    let writable = command(&world.place, &["env"], "true");
    assert_eq!(world.place.start(writable).stop(), 0);
    let ended = end(command(&world.place, &words, "mount --bind disk disk && mount -o remount,bind,ro disk"));
    assert_eq!(ended.code, 7, "{}", ended.err);
    let says = ended.err.contains("disk/store.db") && ended.err.contains("writable for this user");
    assert!(says, "{}", ended.err);
    let again = world.place.start(command(&world.place, &["env"], "true"));
    assert_eq!(again.stop(), 0, "nothing is broken by it");
}
