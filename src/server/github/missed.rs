//! Deliveries that GitHub could not bring, because we were down, late or wrong: fetched from its own list.
//!
//! GitHub sends nothing again by itself. Its list says what it tried in the last days; what the inbox does not know by
//! its guid is fetched, read as if it had arrived, and stored under the id that it would have had. So a later
//! redelivery is a repeat, and so is a delivery that arrives while it is fetched.
//!
//! How far the list was read is a time, not an id: an attempt that takes long stands in the list behind younger ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use super::{GitHubReceiver, NAME, inbox_id, keep};
use crate::forge::ForgeError;
use crate::forge::github::{Hook, ListedDelivery};
use crate::server::App;
use crate::server::webhooks::{Sent, github};
use crate::store::{Store, StoreError};
use crate::telemetry::DELIVERIES;

/// Where the store remembers up to when the list was read.
const CURSOR: &str = "github:deliveries";
/// How far behind that the list is read again: an attempt lasts 10 s, and stands in the list when it is over.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// How far back the list is read at most: github.com keeps three days.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(72);
/// The same where the store remembers nothing: a start looks at everything, and what was written before is too old to be
/// carried out, but for a hold or a veto, which is honoured for a day.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);
/// Pages of 100 that are read at one time: a day of an organisation at work.
const PAGES_MAX: usize = 50;
/// Deliveries that are fetched at one time, of up to 16 MiB each, one after the other; the next sweep goes on.
const FETCHED_MAX: usize = 200;

/// What one sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missed {
    /// Fetched and stored.
    pub stored: usize,
    /// Could not be fetched or stored now; looked at again by the next sweep.
    pub left: usize,
}

/// Why the list was not read.
#[derive(Debug, thiserror::Error)]
pub enum MissedError {
    /// GitHub does not give it.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the list now and from time to time, for ever. Without an App there is no list, and nothing to do.
pub(in crate::server) async fn sweep_always(app: Arc<App>, receiver: Arc<GitHubReceiver>) {
    let hook = match Hook::new(&receiver.github) {
        Ok(Some(hook)) => hook,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, "missed deliveries of GitHub are not looked for");
            return;
        }
    };
    loop {
        match sweep(&app, &receiver, &hook, Timestamp::now()).await {
            Ok(Missed { stored: 0, left: 0 }) => {}
            Ok(Missed { stored, left }) => {
                tracing::info!(stored, left, "deliveries of GitHub were missed and fetched");
            }
            Err(error) => tracing::warn!(%error, "GitHub's list of deliveries is not read now; later again"),
        }
        tokio::time::sleep(receiver.github.deliveries_interval).await;
    }
}

/// Reads the list once, and stores what the inbox does not know.
///
/// # Errors
/// [`MissedError`] if the list or the inbox cannot be read; what could not be fetched is counted instead.
pub async fn sweep(
    app: &App,
    receiver: &GitHubReceiver,
    hook: &Hook,
    now: Timestamp,
) -> Result<Missed, MissedError> {
    let before = |at: Timestamp, age| at.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
    let cursor = app.store.cursor(CURSOR).await?.and_then(|text| text.parse::<Timestamp>().ok());
    let begin = match cursor {
        Some(at) => before(at, OVERLAP).max(before(now, AGE_MAX)),
        None => before(now, FIRST_LOOK),
    };
    let listed = listed(hook, begin).await?;
    let mut missed = unknown(&app.store, &listed).await?;
    missed.sort_by_key(|delivery| delivery.delivered_at);
    let (mut found, mut read_to) = (Missed::default(), listed.iter().map(|one| one.delivered_at).max());
    for (index, delivery) in missed.iter().enumerate() {
        if index < FETCHED_MAX && fetch(app, receiver, hook, delivery, now).await {
            found.stored += 1;
        } else {
            found.left += 1;
            read_to = read_to.min(Some(delivery.delivered_at));
        }
    }
    if let Some(at) = read_to.filter(|at| cursor.is_none_or(|before| before != *at)) {
        app.store.set_cursor(CURSOR, &at.to_string()).await?;
    }
    Ok(found)
}

/// The entries of the list from this time on. One page where little happened since.
async fn listed(hook: &Hook, begin: Timestamp) -> Result<Vec<ListedDelivery>, ForgeError> {
    let (mut listed, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let page = hook.deliveries(cursor.as_deref()).await?;
        let is_end = page.deliveries.iter().any(|delivery| delivery.delivered_at < begin);
        listed.extend(page.deliveries.into_iter().filter(|delivery| delivery.delivered_at >= begin));
        match page.next.filter(|next| !is_end && cursor.as_ref() != Some(next)) {
            Some(next) => cursor = Some(next),
            None => return Ok(listed),
        }
    }
    tracing::warn!(
        deliveries = listed.len(),
        "GitHub's list of deliveries is longer than is read; polling finds the rest"
    );
    Ok(listed)
}

/// One entry for each guid that the inbox does not know, of events that we read.
async fn unknown<'d>(
    store: &Store,
    listed: &'d [ListedDelivery],
) -> Result<Vec<&'d ListedDelivery>, StoreError> {
    let (mut missed, mut seen) = (Vec::new(), BTreeSet::new());
    for delivery in listed.iter().filter(|delivery| github::EVENTS.contains(&delivery.event.as_str())) {
        let is_first = seen.insert(&delivery.guid);
        if is_first && !store.has_delivery(&inbox_id(&github::id_of_listed(&delivery.guid))).await? {
            missed.push(delivery);
        }
    }
    Ok(missed)
}

/// Fetches a delivery and stores it; whether that is done.
async fn fetch(
    app: &App,
    receiver: &GitHubReceiver,
    hook: &Hook,
    delivery: &ListedDelivery,
    now: Timestamp,
) -> bool {
    let ListedDelivery { id, guid, event, status_code, status, .. } = delivery;
    let whole = match hook.delivery(*id).await {
        Ok(whole) => whole,
        // It never comes: polling finds what it told of.
        Err(ForgeError::NotFound { .. }) => {
            tracing::warn!(delivery = %guid, event, "a missed delivery is gone from GitHub");
            return true;
        }
        Err(error) => {
            tracing::warn!(delivery = %guid, %error, "a missed delivery cannot be fetched now");
            return false;
        }
    };
    tracing::info!(delivery = %guid, event, status_code, status, "a delivery was missed");
    let received = github::receive_listed(&receiver.sender, guid, event, &whole);
    let outcome = keep(app, receiver, received, &Sent::new(&HeaderMap::new(), &whole, now)).await;
    app.metrics.add(&DELIVERIES, &[("webhook", NAME), ("outcome", outcome.name())], 1);
    outcome.is_stored()
}
