//! What machines ask: alive, ready, figures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use super::App;
use crate::telemetry::{DELIVERIES_OPEN, EVENTS, KEYS, KEYS_DUE, KEYS_LEASED, REPOSITORY_READ};

/// How long an answer about the store counts: each asking writes once, and probes come every few seconds. A delivery
/// that is stored, or is not, is an answer too.
const STORE_ANSWER_FOR: Duration = Duration::from_secs(5);
/// The cursor that the probe writes.
const PROBE_CURSOR: &str = "readyz";

/// What this process knows of its own state.
#[derive(Debug)]
pub struct Health {
    reads: Mutex<BTreeMap<String, Option<Timestamp>>>,
    store: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Knows these repositories, none of them read yet.
    #[must_use]
    pub fn new(repositories: impl IntoIterator<Item = String>) -> Self {
        let reads = repositories.into_iter().map(|name| (name, None)).collect();
        Self { reads: Mutex::new(reads), store: Mutex::new(None) }
    }

    /// Notes that a repository was read well.
    pub fn repository_read(&self, name: &str, at: Timestamp) {
        lock(&self.reads).insert(name.to_owned(), Some(at));
    }

    /// Notes whether the store took a write just now.
    pub(super) fn store_answered(&self, is_written: bool) {
        *lock(&self.store) = Some((Instant::now(), is_written));
    }

    /// When each repository was last read well.
    #[must_use]
    pub fn reads(&self) -> BTreeMap<String, Option<Timestamp>> {
        lock(&self.reads).clone()
    }
}

/// The process answers; nothing else is asked, so that a failing disk does not make it restart for ever.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready when the store takes writes and every repository was read once. A repository that fails later is shown, but
/// does not turn webhooks away: they only need the store.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let is_writable = store_is_writable(&app).await;
    let reads = app.health.reads();
    let is_ready = is_writable && reads.values().all(Option::is_some);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": is_ready, "store_writable": is_writable, "repositories_read_at": reads });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

async fn store_is_writable(app: &App) -> bool {
    let known = *lock(&app.health.store);
    if let Some((asked, answer)) = known
        && asked.elapsed() < STORE_ANSWER_FOR
    {
        return answer;
    }
    let written = app.store.set_cursor(PROBE_CURSOR, &Timestamp::now().to_string()).await;
    if let Err(error) = &written {
        tracing::error!(%error, "the store takes no writes");
    }
    app.health.store_answered(written.is_ok());
    written.is_ok()
}

/// Figures in the Prometheus text format; those of the store are read now.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    if let Ok(counts) = app.store.counts().await {
        for (metric, value) in [
            (&KEYS, counts.keys),
            (&KEYS_DUE, counts.due),
            (&KEYS_LEASED, counts.leased),
            (&DELIVERIES_OPEN, counts.deliveries_open),
            (&EVENTS, counts.events),
        ] {
            app.metrics.set(metric, &[], as_float(value));
        }
    }
    for (name, at) in app.health.reads() {
        if let Some(at) = at {
            app.metrics.set(&REPOSITORY_READ, &[("repository", &name)], at.as_duration().as_secs_f64());
        }
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, app.metrics.render()).into_response()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people; exact up to 2^53")]
fn as_float(value: u64) -> f64 {
    value as f64
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
