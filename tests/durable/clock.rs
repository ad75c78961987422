//! A clock that is set back and forth while the workers are at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockkeeper::reconcile;
use lockkeeper::server::assemble::assemble;
use lockkeeper::server::run::Tally;
use lockkeeper::settings::Settings;
use lockkeeper::store::{Key, Store};
use tokio::sync::watch;

use super::world::World;

const HOUR: i64 = 3600;
/// Longest time until the workers have looked; they notice within a second.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// Waits until the pipeline was looked at anew; when that was, by the clock that jumps.
async fn looked_at(store: &Store, before: &str, what: &str) -> String {
    let key = Key::pipeline("env", "p0".parse().unwrap());
    let begun = Instant::now();
    loop {
        let view = store.view(&key).await.unwrap();
        let at = view.and_then(|view| view["updated_at"].as_str().map(str::to_owned));
        if let Some(at) = at.filter(|at| at != before) {
            return at;
        }
        assert!(begun.elapsed() < LOOK_MAX, "nobody looks: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_starves_nothing() {
    let world = World::new(1).await;
    let settings = Settings::load_from(Some(&world.place.settings), []).unwrap();
    let mut assembly = assemble(&settings, Tally::new(&settings)).await.unwrap();
    let offset = Arc::new(AtomicI64::new(0));
    let seconds = Arc::clone(&offset);
    assembly.world.now =
        Arc::new(move || Timestamp::now() + jiff::SignedDuration::from_secs(seconds.load(Ordering::SeqCst)));
    let store = assembly.world.store.clone();
    let reconciled = Arc::new(assembly.world);
    reconcile::start(&reconciled).await.unwrap();
    let (stop, stopping) = watch::channel(false);
    let working = tokio::spawn(reconcile::work(Arc::clone(&reconciled), 2, stopping));
    let mut seen = looked_at(&store, "", "at the start").await;
    // Each pipeline is due again in ten minutes now; the clock that goes back makes that hours.
    for (jump, what) in [
        (-3 * HOUR, "three hours back"),
        (-30 * 24 * HOUR, "a month back"),
        (40 * 24 * HOUR, "forty days forward"),
        (-HOUR, "an hour back again"),
    ] {
        offset.fetch_add(jump, Ordering::SeqCst);
        seen = looked_at(&store, &seen, what).await;
        assert!(!working.is_finished(), "{what}");
    }
    stop.send_replace(true);
    working.await.unwrap();
    store.close().await;
    // Stopped by a clock that was ahead, started by one that is right.
    let ahead = Store::open(&world.store()).await.unwrap();
    let key = Key::pipeline("env", "p0".parse().unwrap());
    let later = Timestamp::now() + Duration::from_hours(72);
    let lease = ahead.claim_key(&key, later, Duration::from_mins(1)).await.unwrap();
    assert!(lease.is_some(), "held by a process that is gone, until three days from now");
    ahead.close().await;
    let server = world.place.serve();
    let release = 1;
    world.push(0, release);
    assert_eq!(world.deliver("after", 0, release).await.unwrap().status, 202);
    let store = Store::open(&world.store()).await.unwrap();
    let begun = Instant::now();
    while store.counts().await.unwrap().deliveries_open > 0 {
        assert!(begun.elapsed() < LOOK_MAX, "the lease of the other clock is waited for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().await;
    assert_eq!(server.stop(), 0);
}
