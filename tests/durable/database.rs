//! A database file that is locked, garbled, torn, away or newer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lockkeeper::store::{Delivery, Hint, Key, Put, Store};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::world::World;

/// The longest that a delivery waits for somebody else's lock, with the turn before it.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(15);

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_waited_for_and_not_for_ever() {
    let world = World::new(1).await;
    let server = world.place.serve();
    let mut other = connect(&world.store()).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let unlock = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        other.execute("COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(world.deliver("short", 0, 0), unlock);
    assert_eq!(answer.unwrap().status, 202, "a lock of a second is waited for");

    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let begun = Instant::now();
    let answer = world.deliver("long", 0, 0).await.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.again_after.is_some() && begun.elapsed() < LOCK_WAIT_MAX, "{:?}", begun.elapsed());
    assert_eq!(world.get("/readyz").await.0, 503);
    assert_eq!(world.get("/healthz").await.0, 200);
    let log = server.log();
    // By the delivery's own commit, or by that of a worker that stands before it.
    assert!(
        log.contains("another process writes to the file") || log.contains("another process holds the file"),
        "{log}"
    );
    other.execute("COMMIT").await.unwrap();
    assert_eq!(world.deliver("long", 0, 0).await.unwrap().status, 202);
    assert_eq!(world.get("/readyz").await.0, 200);
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_locked_at_the_start_ends_it_with_the_reason() {
    let world = World::new(1).await;
    assert_eq!(world.place.serve().stop(), 0);
    let mut other = connect(&world.store()).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let begun = Instant::now();
    let ended = world.place.run(&["serve"]);
    assert!(ended.code == 7 && ended.err.contains("another process writes to the file"), "{}", ended.err);
    assert!(begun.elapsed() < LOCK_WAIT_MAX, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_said_so_and_never_taken_for_an_empty_one() {
    let world = World::new(2).await;
    let server = world.place.serve();
    for number in 0..150 {
        assert_eq!(world.deliver(&number.to_string(), 0, number).await.unwrap().status, 202);
    }
    assert_eq!(server.stop(), 0);
    let path = world.store();
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let garbled = |page: usize| {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].fill(0xa5);
        bytes
    };
    let log = path.with_extension("db-wal");
    let damaged = [
        ("the header", garbled(0), false),
        ("a page in the middle", garbled(pages / 2), false),
        ("the last page", garbled(pages - 1), false),
        ("half of it is gone", whole[..pages / 2 * 4096].to_vec(), false),
        ("all is gone but the log", Vec::new(), true),
    ];
    for (what, bytes, has_log) in damaged {
        fs::write(&path, bytes).unwrap();
        if has_log {
            fs::write(&log, [1; 4096]).unwrap();
        }
        let ended = world.place.run(&["serve"]);
        assert_eq!(ended.code, 8, "{what}: {}", ended.err);
        let says = ended.err.contains("damaged") && ended.err.contains("rebuilt from git");
        assert!(says, "{what}: {}", ended.err);
    }
    assert!(log.exists(), "the log of a lost file is not removed");
    // What it says helps.
    fs::remove_file(&log).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(world.place.serve().stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_file_and_a_folder_that_is_away_are_refused_by_name() {
    let world = World::new(1).await;
    assert_eq!(world.place.serve().stop(), 0);
    let mut other = connect(&world.store()).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'of tomorrow', 1, x'00', 0)";
    other.execute(newer).await.unwrap();
    other.close().await.unwrap();
    let ended = world.place.run(&["serve"]);
    assert!(ended.code == 3 && ended.err.contains("run the newer program"), "{} {}", ended.code, ended.err);

    let mut command = world.place.command(&["serve"]);
    command.env("LOCKKEEPER__STORE__PATH", world.folder.path().join("away/store.db"));
    let ended = super::process::end(command);
    let says = ended.err.contains("away of the store does not exist");
    assert!(ended.code == 7 && says, "{} {}", ended.code, ended.err);
}

fn delivery(number: usize) -> Delivery {
    let hint = Hint::Image {
        repository: "shop/p0".into(),
        registry: None,
        tags: vec!["1.0.0".into()],
        digest: None,
    };
    let received_at = "2026-03-02T09:00:00Z".parse().unwrap();
    Delivery { id: format!("torn-{number}"), source: "registry".into(), received_at, hints: vec![hint] }
}

/// The log cut off or garbled anywhere, as a loss of power does it: what was on disk before that place is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_torn_log_loses_nothing_that_was_on_disk_before_the_tear() {
    const COUNT: usize = 24;
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("store.db"), folder.path().join("store.db-wal"));
    let store = Store::open(&path).await.unwrap();
    let key = Key::pipeline("env", "p0".parse().unwrap());
    // How long the log was when each was accepted.
    let mut accepted = Vec::new();
    for number in 0..COUNT {
        assert_eq!(store.put(&delivery(number), std::slice::from_ref(&key)).await.unwrap(), Put::New);
        accepted.push(usize::try_from(fs::metadata(&log).unwrap().len()).unwrap());
    }
    // As the files stand when the process is killed.
    let (file, whole) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    store.close().await;
    // Around the end of each delivery, and in the middle of its pages.
    let places = accepted.iter().flat_map(|&end| [end - 2000, end - 1, end, end + 100]);
    for (round, place) in places.filter(|&place| place <= whole.len()).enumerate() {
        let copy = folder.path().join(format!("copy-{round}.db"));
        let mut torn = whole.clone();
        if round % 2 == 0 {
            torn.truncate(place);
        } else {
            torn[place..].fill(0x5a);
        }
        fs::write(&copy, &file).unwrap();
        fs::write(copy.with_extension("db-wal"), torn).unwrap();
        let store = Store::open(&copy).await.unwrap();
        store.check().await.unwrap();
        let kept = accepted.iter().filter(|&&end| end <= place).count();
        for number in 0..kept {
            let put = store.put(&delivery(number), std::slice::from_ref(&key)).await.unwrap();
            assert_eq!(put, Put::Repeat, "delivery {number}, torn at {place}");
        }
        let lease =
            store.claim_key(&key, "2026-03-02T10:00:00Z".parse().unwrap(), LOCK_WAIT_MAX).await.unwrap();
        assert!(kept == 0 || lease.unwrap().deliveries.len() >= kept, "torn at {place}");
        store.close().await;
    }
}
