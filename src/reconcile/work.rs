//! The loop: claim what is due, reconcile it, record; again later where a remote is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::sweep::{again_at, sweep};
use super::{Finished, ReconcileError, World, json, reconcile};
use crate::store::{Key, Lease, StoreError};

/// Waiting after a first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_secs(2);
/// Longest wait after failures, so that a remote that comes back is noticed.
const BACKOFF_MAX: Duration = Duration::from_mins(2);
/// A worker looks for due work at least this often, whoever made it due: the command line, in a process of its own,
/// cannot wake it. Four workers make eight small reads a second of it.
const IDLE_MAX: Duration = Duration::from_millis(500);

/// Failures in a row, by key; only for the length of the next wait.
type Failures = Mutex<HashMap<Key, u32>>;

/// Marks everything due once: what was missed while nothing ran is seen now.
///
/// # Errors
/// [`StoreError`] if the store cannot be written.
pub async fn start(world: &World) -> Result<(), StoreError> {
    let now = (world.now)();
    for name in world.repositories.keys() {
        let mut keys = world.store.keys(name).await?;
        keys.push(Key::repository(name));
        world.store.mark(&keys, now).await?;
    }
    Ok(())
}

/// Works on what is due with `workers` tasks until `stop` turns true; what is in hand is finished first.
pub async fn work(world: Arc<World>, workers: usize, stop: watch::Receiver<bool>) {
    let failures = Arc::new(Failures::default());
    let tasks =
        (0..workers.max(1)).map(|_| tokio::spawn(worker(world.clone(), failures.clone(), stop.clone())));
    futures::future::join_all(tasks).await;
}

async fn worker(world: Arc<World>, failures: Arc<Failures>, mut stop: watch::Receiver<bool>) {
    let mut changed = world.store.subscribe();
    while !*stop.borrow() {
        match one(&world, &failures).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the store does not answer"),
        }
        let idle = idle(&world).await;
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(idle) => {}
            result = stop.changed() => if result.is_err() { return },
        }
    }
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
    one(world, &Failures::default()).await
}

/// Works on this key, due or not; returns whether it could: another worker may have it.
///
/// # Errors
/// [`StoreError`] if the store cannot be asked.
pub async fn run_key(world: &World, key: &Key) -> Result<bool, StoreError> {
    let claimed = world.store.claim_key(key, (world.now)(), world.settings.lease).await?;
    let Some(lease) = claimed else { return Ok(false) };
    work_on(world, &Failures::default(), lease).await?;
    Ok(true)
}

async fn one(world: &World, failures: &Failures) -> Result<bool, StoreError> {
    let Some(lease) = world.store.claim((world.now)(), world.settings.lease).await? else { return Ok(false) };
    work_on(world, failures, lease).await?;
    Ok(true)
}

async fn work_on(world: &World, failures: &Failures, lease: Lease) -> Result<(), StoreError> {
    let key = lease.key.clone();
    let result = match key.pipeline {
        Some(_) => pipeline(world, lease).await,
        None => repository(world, lease).await,
    };
    match result {
        Ok(()) => {
            failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        Err((error, lease)) => failed(world, failures, &key, error, lease).await?,
    }
    Ok(())
}

async fn pipeline(world: &World, lease: Lease) -> Result<(), (ReconcileError, Lease)> {
    match reconcile(world, &lease).await {
        Ok(Finished { fold, view: Some(view), wake_at }) => {
            let closed = delivery_ids(&lease);
            close(world, lease, &closed, Some(&fold), &view, wake_at).await
        }
        Ok(Finished { view: None, .. }) => {
            let key = lease.key.clone();
            let closed = delivery_ids(&lease);
            close(world, lease, &closed, None, &serde_json::Value::Null, None).await?;
            if let Err(error) = world.store.remove(&key).await {
                tracing::warn!(?key, %error, "cannot remove the pipeline that is gone");
            }
            Ok(())
        }
        Err(error) => Err((error, lease)),
    }
}

async fn repository(world: &World, lease: Lease) -> Result<(), (ReconcileError, Lease)> {
    match sweep(world, &lease).await {
        Ok(view) => {
            let view = match view.map(|view| json(&view)).transpose() {
                Ok(view) => view.unwrap_or(serde_json::Value::Null),
                Err(error) => return Err((error, lease)),
            };
            let found = world.repositories.get(&lease.key.repository);
            let wake_at = found.and_then(|repository| again_at(repository, (world.now)()));
            let closed = delivery_ids(&lease);
            close(world, lease, &closed, None, &view, wake_at).await
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
) -> Result<(), (ReconcileError, Lease)> {
    let key = lease.key.clone();
    if let Err(error) = world.store.record(lease, &[], closed, fold, view, wake_at).await {
        tracing::warn!(?key, %error, "cannot record; the lease runs out and the work is done anew");
    }
    Ok(())
}

async fn failed(
    world: &World,
    failures: &Failures,
    key: &Key,
    error: ReconcileError,
    lease: Lease,
) -> Result<(), StoreError> {
    let count = {
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key.clone()).or_insert(0);
        *count = count.saturating_add(1);
        *count
    };
    match error {
        ReconcileError::LeaseLost => {
            tracing::info!(?key, "lease lost");
            return Ok(());
        }
        ReconcileError::Later(_) | ReconcileError::Illegal(_) | ReconcileError::Store(_) => {
            tracing::warn!(repository = key.repository, pipeline = ?key.pipeline, %error, failures = count, "again later");
        }
    }
    let wait = BACKOFF_MIN.saturating_mul(1 << count.min(6)).min(BACKOFF_MAX);
    let jitter = Duration::from_millis(rand::random_range(0..500));
    let again_at = (world.now)().checked_add(wait + jitter).unwrap_or(Timestamp::MAX);
    match world.store.release(lease, again_at).await {
        Ok(()) | Err(StoreError::LeaseLost { .. }) => Ok(()),
        Err(
            error @ (StoreError::Unavailable { .. } | StoreError::Corrupt { .. } | StoreError::Newer { .. }),
        ) => Err(error),
    }
}
