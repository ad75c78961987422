//! The store on a real file: nothing accepted is lost, and no key has two holders.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::promotion::Entry;
use lockkeeper::store::{DELIVERIES_MAX, Delivery, Hint, Key, Put, Store, StoreError, Urgency};
use serde_json::json;
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_mins(1);

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    async fn open(&self) -> Store {
        Store::open(&self.path()).await.unwrap()
    }

    /// Runs statements on the file as a stranger would.
    async fn tamper(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}?mode=rwc", self.path().display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn key(name: &str) -> Key {
    Key::pipeline("shop", name.parse().unwrap())
}

fn delivery(id: &str, seconds: i64) -> Delivery {
    let hint = Hint::Image {
        repository: "shop/web".into(),
        registry: None,
        tags: vec!["1.4.2".into()],
        digest: None,
    };
    Delivery { id: id.into(), source: "main".into(), received_at: at(seconds), hints: vec![hint] }
}

fn command(id: &str, seconds: i64) -> Delivery {
    let person = lockkeeper::forge::Person { id: 7, name: "sam".to_owned(), bot: false };
    let hint = Hint::Command { text: "/rollback".to_owned(), person, thread: None };
    Delivery { hints: vec![hint], ..delivery(id, seconds) }
}

fn entry(seconds: i64) -> Entry {
    serde_json::from_value(
        json!({ "at": at(seconds), "event": "started", "by": { "id": 7, "name": "sam", "via": "test" } }),
    )
    .unwrap()
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.id.as_str()).collect()
}

/// Claims whatever is due, and says what came.
async fn claimed(store: &Store, now: i64) -> Option<(String, u64, Vec<String>)> {
    let lease = store.claim(at(now), MINUTE).await.unwrap()?;
    let ids = lease.deliveries.iter().map(|delivery| delivery.id.clone()).collect();
    Some((lease.key.to_string(), lease.generation, ids))
}

async fn done(store: &Store, lease: lockkeeper::store::Lease, closed: &[&str], wake_at: Option<i64>) {
    let closed: Vec<_> = closed.iter().map(ToString::to_string).collect();
    store.record(lease, &[], &closed, None, &json!({}), wake_at.map(at)).await.unwrap();
}

#[tokio::test]
async fn a_repeat_of_a_delivery_does_nothing() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.put(&delivery("a", 0), &[key("web")]).await.unwrap(), Put::New);
    assert_eq!(store.put(&delivery("a", 5), &[key("web"), key("api")]).await.unwrap(), Put::Repeat);
    let lease = store.claim(at(0), MINUTE).await.unwrap().unwrap();
    assert_eq!(lease.deliveries, [delivery("a", 0)], "as it came first, to the field");
    assert_eq!(store.claim(at(9), MINUTE).await.unwrap(), None, "the repeat marked nothing");
    done(&store, lease, &["a"], None).await;
    assert_eq!(
        store.put(&delivery("a", 10), &[key("web")]).await.unwrap(),
        Put::Repeat,
        "closed is not forgotten"
    );
    assert_eq!(store.put(&delivery("nobody", 10), &[]).await.unwrap(), Put::New);
    assert_eq!(store.put(&delivery("nobody", 11), &[]).await.unwrap(), Put::Repeat);
    assert_eq!(store.counts().await.unwrap().deliveries_open, 0);
}

#[tokio::test]
async fn the_longest_due_key_comes_first_and_nothing_before_its_time() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.next_due().await.unwrap(), None);
    store.mark(&[key("late"), Key::repository("shop")], at(20), Urgency::Time).await.unwrap();
    store.mark(&[key("early")], at(10), Urgency::Time).await.unwrap();
    store.mark(&[key("late")], at(30), Urgency::Time).await.unwrap();
    store.mark(&[Key::repository("shop")], at(15), Urgency::Time).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(10)));
    assert_eq!(claimed(&store, 9).await, None);
    assert_eq!(claimed(&store, 10).await.unwrap().0, "shop/early");
    assert_eq!(claimed(&store, 25).await.unwrap().0, "shop");
    assert_eq!(claimed(&store, 25).await.unwrap().0, "shop/late");
    assert_eq!(claimed(&store, 25).await, None);
}

#[tokio::test]
async fn who_waits_has_a_turn_before_what_is_looked_at_because_of_the_time() {
    let place = Place::new();
    let store = place.open().await;
    store.mark(&[key("since-long")], at(-601), Urgency::Time).await.unwrap();
    store.mark(&[key("a"), key("b")], at(0), Urgency::Time).await.unwrap();
    store.put(&delivery("pushed", 5), &[key("web")]).await.unwrap();
    store.put(&command("asked", 9), &[key("api")]).await.unwrap();
    store.mark(&[key("b")], at(10), Urgency::Asked).await.unwrap();
    for name in ["shop/b", "shop/api", "shop/since-long", "shop/web", "shop/a"] {
        assert_eq!(claimed(&store, 10).await.unwrap().0, name);
    }
}

#[tokio::test]
async fn a_key_can_be_claimed_by_name_before_it_is_due_but_not_twice() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.claim_key(&key("web"), at(0), MINUTE).await.unwrap(), None, "nobody knows it");
    store.mark(&[key("web")], at(500), Urgency::Time).await.unwrap();
    let lease = store.claim_key(&key("web"), at(0), MINUTE).await.unwrap().unwrap();
    assert_eq!(store.claim_key(&key("web"), at(59), MINUTE).await.unwrap(), None);
    assert_eq!(
        store.claim_key(&key("web"), at(60), MINUTE).await.unwrap().unwrap().generation,
        lease.generation + 1
    );
}

#[tokio::test]
async fn an_old_generation_is_refused_everywhere() {
    let place = Place::new();
    let store = place.open().await;
    store.mark(&[key("web")], at(0), Urgency::Time).await.unwrap();
    let claim = async |now| store.claim(at(now), MINUTE).await.unwrap();
    let first = claim(0).await.unwrap();
    store.extend(&first, at(50), MINUTE).await.unwrap();
    assert_eq!(claim(109).await, None, "extended to 110");
    store.append(&first, &[entry(1)]).await.unwrap();
    let second = claim(110).await.unwrap();
    assert_eq!(second.generation, first.generation + 1);
    let is_lost = |result: Result<(), StoreError>| matches!(result, Err(StoreError::LeaseLost { .. }));
    assert!(is_lost(store.append(&first, &[entry(2)]).await));
    assert!(is_lost(store.extend(&first, at(111), MINUTE).await));
    assert!(is_lost(store.record(first, &[entry(2)], &[], Some(&json!(1)), &json!(1), Some(at(112))).await));
    assert_eq!(
        store.entries(&key("web"), 0, 9).await.unwrap(),
        [(1, entry(1))],
        "nothing of a refused call stays"
    );
    assert_eq!(store.view(&key("web")).await.unwrap(), None);
    store.release(second, at(200)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(200)));
    let third = claim(200).await.unwrap();
    let same = lockkeeper::store::Lease {
        key: key("web"),
        generation: third.generation,
        claimed_at: third.claimed_at,
        deliveries: vec![],
    };
    done(&store, third, &[], None).await;
    assert!(is_lost(store.append(&same, &[entry(3)]).await), "a recorded lease is over");
    assert!(is_lost(store.release(same, at(300)).await));
}

#[tokio::test]
async fn what_comes_during_a_lease_is_due_after_it() {
    let place = Place::new();
    let store = place.open().await;
    store.put(&delivery("a", 0), &[key("web")]).await.unwrap();
    let lease = store.claim(at(1), MINUTE).await.unwrap().unwrap();
    store.put(&delivery("b", 2), &[key("web")]).await.unwrap();
    assert_eq!(claimed(&store, 3).await, None, "leased");
    done(&store, lease, &["a"], Some(500)).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(2)));
    let lease = store.claim(at(3), MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(&lease.deliveries), ["b"]);
    store.mark(&[key("web")], at(4), Urgency::Time).await.unwrap();
    done(&store, lease, &["b"], Some(500)).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(4)));
    let lease = store.claim(at(4), MINUTE).await.unwrap().unwrap();
    done(&store, lease, &[], Some(500)).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(500)));
}

#[tokio::test]
async fn record_closes_only_what_it_names_and_only_for_its_key() {
    let place = Place::new();
    let store = place.open().await;
    for id in ["a", "b"] {
        store.put(&delivery(id, 0), &[key("web"), key("api")]).await.unwrap();
    }
    let lease = store.claim_key(&key("web"), at(1), MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(&lease.deliveries), ["a", "b"]);
    done(&store, lease, &["a"], None).await;
    assert_eq!(store.next_due().await.unwrap(), Some(at(0)), "of api");
    let api = store.claim(at(1), MINUTE).await.unwrap().unwrap();
    assert_eq!((api.key.clone(), ids(&api.deliveries)), (key("api"), vec!["a", "b"]));
    done(&store, api, &["a", "b"], None).await;
    assert_eq!(store.counts().await.unwrap().deliveries_open, 1, "b, for web");
    assert_eq!(
        store.next_due().await.unwrap(),
        Some(at(61)),
        "left open: again when the lease would have ended"
    );
    assert_eq!(claimed(&store, 61).await, Some(("shop/web".into(), 2, vec!["b".into()])));
}

#[tokio::test]
async fn more_deliveries_than_one_lease_holds_come_with_the_next() {
    let place = Place::new();
    let store = place.open().await;
    let last = format!("{DELIVERIES_MAX:03}");
    for number in 0..=DELIVERIES_MAX {
        store.put(&delivery(&format!("{number:03}"), 0), &[key("web")]).await.unwrap();
    }
    let lease = store.claim(at(1), MINUTE).await.unwrap().unwrap();
    assert_eq!(lease.deliveries.len(), DELIVERIES_MAX);
    let first: Vec<_> = ids(&lease.deliveries).iter().map(ToString::to_string).collect();
    store.record(lease, &[], &first, None, &json!({}), None).await.unwrap();
    assert_eq!(claimed(&store, 1).await, Some(("shop/web".into(), 2, vec![last])));
}

#[tokio::test]
async fn what_people_asked_for_is_in_the_first_lease_and_stays_urgent_until_it_is_done() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..=DELIVERIES_MAX {
        store.put(&delivery(&format!("{number:03}"), 0), &[key("web")]).await.unwrap();
    }
    store.put(&command("asked", 1), &[key("web")]).await.unwrap();
    store.mark(&[key("other")], at(-1_000), Urgency::Time).await.unwrap();
    let lease = store.claim(at(1), MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(&lease.deliveries)[..2], ["asked", "000"]);
    // A failure: again later, and then before what waited meanwhile.
    store.release(lease, at(5)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(-1_000)));
    let lease = store.claim(at(5), MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(&lease.deliveries)[0], "asked");
    // Cut short: nothing is closed.
    store.record(lease, &[], &[], None, &json!({}), Some(at(6))).await.unwrap();
    let lease = store.claim(at(6), MINUTE).await.unwrap().unwrap();
    assert_eq!(ids(&lease.deliveries)[0], "asked");
    store.record(lease, &[], &["asked".to_owned()], None, &json!({}), None).await.unwrap();
    store.end_leases(at(7)).await.unwrap();
    assert_eq!(claimed(&store, 70).await.unwrap().0, "shop/web", "some were left open");
}

#[tokio::test]
async fn what_was_not_recorded_comes_again_after_a_crash() {
    let place = Place::new();
    let store = place.open().await;
    store.put(&delivery("a", 0), &[key("web")]).await.unwrap();
    let lease = store.claim(at(0), MINUTE).await.unwrap().unwrap();
    store.append(&lease, &[entry(0)]).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(claimed(&store, 59).await, None);
    store.end_leases(at(30)).await.unwrap();
    assert_eq!(claimed(&store, 30).await, Some(("shop/web".into(), 2, vec!["a".into()])));
    assert_eq!(claimed(&store, 90).await.unwrap().1, 3, "without end_leases, when the lease ends");
    assert_eq!(store.entries(&key("web"), 0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn events_have_no_gaps_and_cannot_be_changed() {
    let place = Place::new();
    let store = place.open().await;
    store.mark(&[key("web")], at(0), Urgency::Time).await.unwrap();
    let lease = store.claim(at(0), MINUTE).await.unwrap().unwrap();
    store.append(&lease, &[entry(1), entry(2)]).await.unwrap();
    let fold = json!({ "z": 1, "a": 2 });
    store.record(lease, &[entry(3)], &[], Some(&fold), &json!("view"), None).await.unwrap();
    let numbers = async |after, limit| {
        let entries = store.entries(&key("web"), after, limit).await.unwrap();
        entries.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 9).await, [1, 2, 3]);
    assert_eq!(numbers(1, 1).await, [2]);
    assert_eq!(numbers(3, 9).await, [0; 0]);
    assert_eq!(store.fold(&key("web")).await.unwrap(), Some((3, fold)));
    assert_eq!(store.views().await.unwrap(), [(key("web"), json!("view"))]);
    for statement in [
        "UPDATE event SET at = 0",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event (repository, pipeline, sequence, at, kind, entry) VALUES ('shop','web',2,0,'','')",
        "INSERT INTO event (repository, pipeline, sequence, at, kind, entry) VALUES ('shop','web',5,0,'','')",
    ] {
        assert!(place.tamper(statement).await.is_err(), "{statement}");
    }
    assert_eq!(numbers(0, 9).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_removed_pipeline_leaves_its_events_and_its_old_leases_are_lost() {
    let place = Place::new();
    let store = place.open().await;
    store.put(&delivery("a", 0), &[key("web")]).await.unwrap();
    store.put(&delivery("b", 0), &[key("web"), key("api")]).await.unwrap();
    store.set_watches(&key("web"), &["docker.io/library/nginx".into()]).await.unwrap();
    let lease = store.claim_key(&key("web"), at(0), MINUTE).await.unwrap().unwrap();
    store.append(&lease, &[entry(0)]).await.unwrap();
    store.remove(&key("web")).await.unwrap();
    assert!(matches!(store.append(&lease, &[entry(1)]).await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(store.watchers("docker.io/library/nginx").await.unwrap(), []);
    assert_eq!(store.keys("shop").await.unwrap(), [key("api")]);
    assert_eq!(store.counts().await.unwrap().deliveries_open, 1, "b, for api");
    assert_eq!(store.entries(&key("web"), 0, 9).await.unwrap().len(), 1);
    store.mark(&[key("web")], at(5), Urgency::Time).await.unwrap();
    let again = store.claim_key(&key("web"), at(5), MINUTE).await.unwrap().unwrap();
    assert!(again.generation > lease.generation, "an old lease never becomes valid again");
    assert_eq!(again.deliveries, []);
}

#[tokio::test]
async fn watches_cursors_and_pruning() {
    let place = Place::new();
    let store = place.open().await;
    store.set_watches(&key("web"), &["r.example/web".into(), "r.example/base".into()]).await.unwrap();
    store.set_watches(&key("api"), &["r.example/base".into(), "r.example/base".into()]).await.unwrap();
    assert_eq!(store.watchers("r.example/base").await.unwrap(), [key("api"), key("web")]);
    store.set_watches(&key("web"), &["r.example/web".into()]).await.unwrap();
    assert_eq!(store.watchers("r.example/base").await.unwrap(), [key("api")]);
    assert_eq!(store.cursor("comments").await.unwrap(), None);
    store.set_cursor("comments", "7").await.unwrap();
    store.set_cursor("comments", "8").await.unwrap();
    assert_eq!(store.cursor("comments").await.unwrap().as_deref(), Some("8"));
    store.put(&delivery("closed", 0), &[]).await.unwrap();
    store.put(&delivery("open", 0), &[key("web")]).await.unwrap();
    store.prune(at(0)).await.unwrap();
    assert_eq!(store.put(&delivery("closed", 1), &[]).await.unwrap(), Put::Repeat);
    store.prune(at(1)).await.unwrap();
    assert_eq!(store.put(&delivery("open", 1), &[]).await.unwrap(), Put::Repeat, "open ones stay");
    assert_eq!(store.put(&delivery("closed", 1), &[]).await.unwrap(), Put::New);
}

#[tokio::test]
async fn workers_are_woken_when_something_becomes_due() {
    let place = Place::new();
    let store = place.open().await;
    let mut changed = store.subscribe();
    changed.mark_unchanged();
    assert!(!changed.has_changed().unwrap());
    store.clone().put(&delivery("a", 0), &[key("web")]).await.unwrap();
    assert!(changed.has_changed().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_come_together_share_a_commit_and_not_a_failure() {
    const COUNT: i64 = 600;
    let place = Place::new();
    let store = place.open().await;
    place
        .tamper(
            "CREATE TRIGGER one_is_bad BEFORE INSERT ON delivery WHEN NEW.id LIKE 'bad%'
             BEGIN SELECT raise(ABORT, 'not this one'); END",
        )
        .await
        .unwrap();
    let id = |number: i64| match number % 100 {
        // Twice, perhaps in one commit; one that the database refuses; one whose sender hangs up.
        50 | 51 => format!("double-{}", number / 100),
        70 => format!("bad-{number}"),
        90 => format!("gone-{number}"),
        _ => format!("good-{number}"),
    };
    let put = async |number: i64| {
        let keys = [key(&format!("p{}", number % 7)), key("all")];
        (id(number), store.put(&delivery(&id(number), number), &keys).await)
    };
    let (gone, kept): (Vec<_>, Vec<_>) = (0..COUNT).partition(|number| number % 100 == 90);
    let hang_up = async {
        let all = futures::future::join_all(gone.into_iter().map(put));
        // Asked for once, so that they wait in line; then nobody wants to know.
        let _ = tokio::time::timeout(Duration::ZERO, all).await;
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(kept.into_iter().map(put)), hang_up);
    let mut new = BTreeSet::new();
    for (id, answer) in answers {
        match answer {
            Ok(Put::New) => assert!(!id.starts_with("bad") && new.insert(id.clone()), "{id}"),
            Ok(Put::Repeat) => assert!(id.starts_with("double"), "{id}"),
            Err(error) => {
                assert!(id.starts_with("bad") && error.to_string().contains("not this one"), "{id}: {error}");
            }
        }
    }
    // 600, less 6 bad ones, 6 whose senders left, and 6 repeats.
    assert_eq!(new.len(), 582);
    let mut seen = BTreeSet::new();
    while let Some(lease) = store.claim(at(COUNT), MINUTE).await.unwrap() {
        let all: Vec<String> = lease.deliveries.iter().map(|delivery| delivery.id.clone()).collect();
        seen.extend(all.iter().cloned());
        store.record(lease, &[], &all, None, &json!({}), None).await.unwrap();
    }
    assert!(seen.is_superset(&new) && !seen.iter().any(|id| id.starts_with("bad")));
    assert_eq!(store.counts().await.unwrap().deliveries_open, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_wait_for_the_disk_is_refused_at_once_and_the_rest_is_stored() {
    use sqlx::{Connection as _, Executor as _};
    const COUNT: usize = 2_000;
    let place = Place::new();
    let store = place.open().await;
    let url = format!("sqlite://{}", place.path().display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let put = async |number: usize| store.put(&delivery(&number.to_string(), 0), &[key("web")]).await;
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures::future::join_all((0..COUNT).map(put)), unlock);
    let stored = answers.iter().filter(|answer| matches!(answer, Ok(Put::New))).count();
    assert!((1_024..=1_024 + 256).contains(&stored), "{stored}");
    for refused in answers.into_iter().filter_map(Result::err) {
        let says = refused.to_string();
        assert_eq!(says, "store is unavailable: 1024 deliveries wait for the disk already");
    }
    assert_eq!(usize::try_from(store.counts().await.unwrap().deliveries_open).unwrap(), stored);
}

/// Claims until nothing is left; a key that anybody holds at the same time fails the append.
async fn work_off(store: Store, name: usize) -> Vec<String> {
    let mut worked = Vec::new();
    while let Some(lease) = store.claim(at(100), MINUTE).await.unwrap() {
        let closed: Vec<_> = lease.deliveries.iter().map(|delivery| delivery.id.clone()).collect();
        store.append(&lease, &[entry(i64::try_from(name).unwrap())]).await.unwrap();
        tokio::task::yield_now().await;
        worked.push(format!("{}#{}", lease.key, lease.generation));
        store.record(lease, &[], &closed, None, &json!(name), None).await.unwrap();
    }
    worked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_tasks_and_two_handles_never_share_a_key() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    let puts = (0..40).map(|number| {
        let store = if number % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move {
            store
                .put(&delivery(&number.to_string(), number), &[key(&format!("p{}", number % 20))])
                .await
                .unwrap();
            // The same id from the other side at the same time.
            store.put(&delivery("same", number), &[key("same")]).await.unwrap()
        })
    });
    let puts = futures::future::join_all(puts).await;
    assert_eq!(puts.into_iter().filter(|put| *put.as_ref().unwrap() == Put::New).count(), 1);
    let workers = (0..6).map(|name| {
        let store = if name % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(work_off(store, name))
    });
    let worked: Vec<String> =
        futures::future::join_all(workers).await.into_iter().flat_map(Result::unwrap).collect();
    let distinct: BTreeSet<_> = worked.iter().collect();
    assert_eq!((worked.len(), distinct.len()), (21, 21), "{worked:?}");
    assert_eq!(two.counts().await.unwrap().deliveries_open, 0);
    assert_eq!(two.counts().await.unwrap().events, 21);
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_refused_with_the_reason() {
    async fn refused(place: &Place) -> String {
        Store::open(&place.path()).await.unwrap_err().to_string()
    }
    let place = Place::new();
    std::fs::write(place.path(), "this is no database, however long one looks at it".repeat(100)).unwrap();
    assert_eq!(refused(&place).await, "store is damaged or not ours: (code: 26) file is not a database");

    let place = Place::new();
    place.tamper("CREATE TABLE customers (name TEXT)").await.unwrap();
    assert_eq!(
        refused(&place).await,
        "store is damaged or not ours: the file is a database of another program"
    );

    let place = Place::new();
    place.open().await.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'of tomorrow', 1, x'00', 0)";
    place.tamper(newer).await.unwrap();
    assert_eq!(refused(&place).await, "store has schema 9000, and this program knows 2 at most");

    let error = Store::open(&place.folder.path().join("nowhere/store.db")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable { reason } if reason.ends_with("does not exist")),
        "{error}"
    );
    let error = Store::open(place.folder.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_store_is_unavailable_not_damaged() {
    let place = Place::new();
    let store = place.open().await;
    store.close().await;
    let error = store.put(&delivery("a", 0), &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_thousand_pipelines_are_as_quick_as_one() {
    use sqlx::{Connection as _, Row as _};
    let place = Place::new();
    let store = place.open().await;
    let keys: Vec<_> = (0..1000).map(|number| key(&format!("p{number}"))).collect();
    store.mark(&keys, at(0), Urgency::Time).await.unwrap();
    let plan = "EXPLAIN QUERY PLAN SELECT repository, pipeline FROM work WHERE ready_at <= 9 ORDER BY ready_at LIMIT 1";
    let url = format!("sqlite://{}", place.path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let row = sqlx::query(plan).fetch_one(&mut connection).await.unwrap();
    let detail: String = row.get("detail");
    assert!(detail.contains("USING") && detail.contains("work_ready"), "{detail}");
    for _ in 0..3 {
        let lease = store.claim(at(1), MINUTE).await.unwrap().unwrap();
        done(&store, lease, &[], Some(900)).await;
    }
    assert_eq!(store.counts().await.unwrap().keys, 1000);
}
