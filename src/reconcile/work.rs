//! The loop: claim what is due, hand it to a worker that reconciles and records; again later where a remote is away.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::sweep::{again_at, sweep};
use super::{Finished, ReconcileError, World, json, reconcile};
use crate::store::{Key, Lease, StoreError, Urgency};
use crate::witness::Worked;

/// Waiting after a first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_secs(2);
/// Longest wait after failures, so that a remote that comes back is noticed.
const BACKOFF_MAX: Duration = Duration::from_mins(2);
/// Longest wait after the store has failed: it is at this machine, and work goes on when there is room again.
const STORE_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long a lease is renewed: some rounds in which every remote takes the longest that it may.
const WORK_MAX: Duration = Duration::from_mins(15);
/// Due work is looked for at least this often, whoever made it due: the command line, in a process of its own, cannot
/// wake us.
const IDLE_MAX: Duration = Duration::from_millis(500);

/// How far back the clock has to be set to matter: less delays what is due by less.
const CLOCK_BACK_MIN: Duration = Duration::from_secs(10);

/// What the workers of a process know together.
#[derive(Default)]
struct Shared {
    /// Failures in a row, by key; only for the length of the next wait.
    failures: Mutex<HashMap<Key, u32>>,
}

/// Ends what was begun before, and marks everything due once: what was missed while nothing ran is seen now.
///
/// # Errors
/// [`StoreError`] if the store cannot be written.
pub async fn start(world: &World) -> Result<(), StoreError> {
    let now = (world.now)();
    world.store.end_leases(now).await?;
    world.probes.respread(now, world.settings.probe_interval);
    world.tags.forget();
    world.told.forget();
    for name in world.repositories.keys() {
        let keys = world.store.keys(name).await?;
        world.store.mark(&keys, now, Urgency::Time).await?;
        // Before all that is due already: its rules say who watches what, and without it nothing is ready.
        world.store.mark(&[Key::repository(name)], Timestamp::UNIX_EPOCH, Urgency::Time).await?;
    }
    Ok(())
}

/// Works on what is due, on at most `workers` keys at one time, until `stop` turns true; what is in hand is finished
/// first.
pub async fn work(world: Arc<World>, workers: usize, mut stop: watch::Receiver<bool>) {
    let shared = Arc::new(Shared::default());
    let mut changed = world.store.subscribe();
    let mut working = JoinSet::new();
    let (mut errors, mut clock) = (0, Timestamp::default());
    loop {
        let is_store_away = free_worker(&mut working, workers.max(1)).await;
        if *stop.borrow() {
            break;
        }
        let claimed = if is_store_away { Err(None) } else { next(&world, &mut clock).await.map_err(Some) };
        let idle = match claimed {
            Ok(Some(lease)) => {
                errors = 0;
                working.spawn(in_hand(Arc::clone(&world), Arc::clone(&shared), lease));
                continue;
            }
            Ok(None) => {
                errors = 0;
                idle(&world).await
            }
            Err(error) => {
                errors += 1;
                if let Some(error) = error {
                    tracing::error!(%error, errors, "the store does not answer; again later");
                }
                // What came before does not wake, what is stored from now on does: then the store answers again.
                changed.mark_unchanged();
                backoff(errors).min(STORE_BACKOFF_MAX)
            }
        };
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(idle) => {}
            result = stop.changed() => if result.is_err() { break },
        }
    }
    while working.join_next().await.is_some() {}
}

/// Returns when fewer than `workers` are at work, and whether one that ended found the store away.
async fn free_worker(working: &mut JoinSet<bool>, workers: usize) -> bool {
    let mut is_store_away = false;
    loop {
        let ended = match working.try_join_next() {
            None if working.len() >= workers => working.join_next().await,
            ended => ended,
        };
        match ended {
            Some(ended) => is_store_away |= ended.unwrap_or(false),
            None => return is_store_away,
        }
    }
}

/// One worker's work; returns whether the store is away. What fails here stops nobody else, nor does what panics: that
/// lease runs out, and its work is done anew.
async fn in_hand(world: Arc<World>, shared: Arc<Shared>, lease: Lease) -> bool {
    let key = lease.key.clone();
    match AssertUnwindSafe(work_on(&world, &shared, lease)).catch_unwind().await {
        Ok(Ok(())) => false,
        Ok(Err(error)) => {
            tracing::error!(?key, %error, "the work cannot be ended in the store; its lease runs out");
            matches!(error, StoreError::Unavailable { .. })
        }
        Err(_) => {
            tracing::error!(?key, "the work panicked; its lease runs out, and it is done anew");
            false
        }
    }
}

/// Looks at everything anew when the clock was set back since the last time: what is due by the old one would wait
/// until the new one comes there. A lease that ends by this costs its holder the work, nothing else.
async fn heed_clock(world: &World, clock: &mut Timestamp) -> Result<(), StoreError> {
    let now = (world.now)();
    let before = std::mem::replace(clock, now);
    let back = Duration::try_from(before.duration_since(now)).unwrap_or_default();
    if back < CLOCK_BACK_MIN {
        return Ok(());
    }
    tracing::warn!(seconds = back.as_secs(), "the clock was set back; everything is looked at anew");
    start(world).await.inspect_err(|_| *clock = before)
}

/// How long until something is due.
async fn idle(world: &World) -> Duration {
    let now = (world.now)();
    match world.store.next_due().await {
        Ok(Some(at)) => Duration::try_from(at.duration_since(now))
            .unwrap_or_default()
            .clamp(Duration::from_millis(5), IDLE_MAX),
        Ok(None) | Err(_) => IDLE_MAX,
    }
}

/// Works on one key that is due, if there is one; returns whether there was.
///
/// # Errors
/// [`StoreError`] if the store cannot be asked.
pub async fn run_one(world: &World) -> Result<bool, StoreError> {
    let Some(lease) = next(world, &mut Timestamp::default()).await? else { return Ok(false) };
    work_on(world, &Shared::default(), lease).await?;
    Ok(true)
}

/// Works on this key, due or not; returns whether it could: another worker may have it.
///
/// # Errors
/// [`StoreError`] if the store cannot be asked.
pub async fn run_key(world: &World, key: &Key) -> Result<bool, StoreError> {
    let claimed = world.store.claim_key(key, (world.now)(), world.settings.lease).await?;
    let Some(lease) = claimed else { return Ok(false) };
    work_on(world, &Shared::default(), lease).await?;
    Ok(true)
}

/// Takes the key that is due first.
async fn next(world: &World, clock: &mut Timestamp) -> Result<Option<Lease>, StoreError> {
    heed_clock(world, clock).await?;
    world.store.claim((world.now)(), world.settings.lease).await
}

async fn work_on(world: &World, shared: &Shared, lease: Lease) -> Result<(), StoreError> {
    let key = lease.key.clone();
    let begun = Instant::now();
    let result = match key.pipeline {
        Some(_) => pipeline(world, lease).await,
        None => repository(world, lease).await,
    };
    let ended = match result {
        Ok(worked) => {
            lock(&shared.failures).remove(&key);
            Ok(worked)
        }
        Err((error, lease)) => failed(world, shared, &key, error, lease).await,
    };
    world.witness.worked(*ended.as_ref().unwrap_or(&Worked::Lost), begun.elapsed());
    ended.map(|_| ())
}

/// Carries work out, and renews its lease meanwhile: remotes that take long to answer must not hand the key to another worker,
/// who would only wait for the same. What does not end at all loses it in the end.
async fn renewing<T>(world: &World, lease: &Lease, work: BoxFuture<'_, T>) -> T {
    let renew = async {
        let begun = Instant::now();
        while begun.elapsed() < WORK_MAX {
            tokio::time::sleep(world.settings.lease / 3).await;
            let renewed = world.store.extend(lease, (world.now)(), world.settings.lease).await;
            // The next write of the work is refused then, or tells what is wrong with the store.
            if renewed.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = work => ended,
        never = renew => never,
    }
}

async fn pipeline(world: &World, lease: Lease) -> Result<Worked, (ReconcileError, Lease)> {
    match renewing(world, &lease, reconcile(world, &lease).boxed()).await {
        Ok(Finished { fold, view: Some(view), wake_at, is_cut }) => {
            let closed = if is_cut { Vec::new() } else { delivery_ids(&lease) };
            Ok(close(world, lease, &closed, Some(&fold), &view, wake_at).await)
        }
        Ok(Finished { view: None, .. }) => {
            let key = lease.key.clone();
            let closed = delivery_ids(&lease);
            let worked = close(world, lease, &closed, None, &serde_json::Value::Null, None).await;
            if let Err(error) = world.store.remove(&key).await {
                tracing::warn!(?key, %error, "cannot remove the pipeline that is gone");
            }
            Ok(worked)
        }
        Err(error) => Err((error, lease)),
    }
}

async fn repository(world: &World, lease: Lease) -> Result<Worked, (ReconcileError, Lease)> {
    match renewing(world, &lease, sweep(world, &lease).boxed()).await {
        Ok(view) => {
            let view = match view.map(|view| json(&view)).transpose() {
                Ok(view) => view.unwrap_or(serde_json::Value::Null),
                Err(error) => return Err((error, lease)),
            };
            let found = world.repositories.get(&lease.key.repository);
            let wake_at = found.and_then(|repository| again_at(repository, (world.now)()));
            let closed = delivery_ids(&lease);
            Ok(close(world, lease, &closed, None, &view, wake_at).await)
        }
        Err(error) => Err((error, lease)),
    }
}

fn delivery_ids(lease: &Lease) -> Vec<String> {
    lease.deliveries.iter().map(|delivery| delivery.id.clone()).collect()
}

/// Records the end of the work. A store that fails here leaves the lease to run out; then all is read anew.
async fn close(
    world: &World,
    lease: Lease,
    closed: &[String],
    fold: Option<&serde_json::Value>,
    view: &serde_json::Value,
    wake_at: Option<Timestamp>,
) -> Worked {
    let key = lease.key.clone();
    match world.store.record(lease, &[], closed, fold, view, wake_at).await {
        Ok(()) => Worked::Recorded,
        Err(error) => {
            tracing::warn!(?key, %error, "cannot record; the lease runs out and the work is done anew");
            Worked::Lost
        }
    }
}

async fn failed(
    world: &World,
    shared: &Shared,
    key: &Key,
    error: ReconcileError,
    lease: Lease,
) -> Result<Worked, StoreError> {
    let count = {
        let mut failures = lock(&shared.failures);
        let count = failures.entry(key.clone()).or_insert(0);
        *count = count.saturating_add(1);
        *count
    };
    match error {
        ReconcileError::LeaseLost => {
            tracing::info!(?key, "lease lost");
            return Ok(Worked::Lost);
        }
        ReconcileError::Later(_) | ReconcileError::Illegal(_) | ReconcileError::Store(_) => {
            tracing::warn!(repository = key.repository, pipeline = ?key.pipeline, %error, failures = count, "again later");
        }
    }
    let again_at = (world.now)().checked_add(backoff(count)).unwrap_or(Timestamp::MAX);
    match world.store.release(lease, again_at).await {
        Ok(()) => Ok(Worked::Released),
        Err(StoreError::LeaseLost { .. }) => Ok(Worked::Lost),
        Err(
            error @ (StoreError::Unavailable { .. } | StoreError::Corrupt { .. } | StoreError::Newer { .. }),
        ) => Err(error),
    }
}

/// How long to wait after so many failures in a row, with some jitter.
fn backoff(failures: u32) -> Duration {
    let wait = BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(BACKOFF_MAX);
    wait + Duration::from_millis(rand::random_range(0..500))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
