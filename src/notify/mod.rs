//! Telling people: messages about what happened, sent to those whom the settings name.
//!
//! The history is the queue: events are append-only, and each target has a cursor in the store, its place among the
//! events of all keys. One task per target reads on from there, sends what counts, and moves the cursor after each
//! message. So:
//! - What is in the history is told whenever the target takes it; a stop loses nothing. A message whose answer was lost,
//!   or whose cursor was, is sent again with the same id.
//! - One event is one message at most, in the order of the history. What was only answered, commented or looked at is none.
//! - A target that does not answer keeps none but itself waiting, and no promotion: nothing in `reconcile` knows of this.
//!   It gives up on a message after [`Pace::keep`], on one that is refused after some tries, and counts both.
//! - A new target starts at the newest event. What a lost store reads from git anew happened before, and is not told.
//!
//! Texts from outside are escaped per form; no message goes anywhere but to the address in the settings.

mod cloud_events;
mod follow;
mod news;
mod send;
mod slack;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use self::follow::Follower;
use self::send::Answer;
pub use self::send::SIGNATURE_HEADER;
use crate::settings::NotifyTarget;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// What all targets share.
#[derive(Clone)]
pub struct Telling {
    /// The history, and how far each target was told.
    pub store: Store,
    /// The page of a pull request is this and its number; by environment repository.
    pub url_prefixes: BTreeMap<String, String>,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// The clock of the history.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How long what takes.
    pub pace: Pace,
}

/// How long what takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Before a message is sent again; doubled each time.
    pub retry_min: Duration,
    /// Longest of those.
    pub retry_max: Duration,
    /// Most that is heeded of a `Retry-After`.
    pub retry_after_max: Duration,
    /// Tries of a message that is refused.
    pub refusals_max: u32,
    /// How old the event of a message may become.
    pub keep: Duration,
    /// How long to gather, once there may be something new.
    pub gather: Duration,
    /// How often to look without being woken.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_mins(10),
            retry_after_max: Duration::from_hours(1),
            refusals_max: 3,
            keep: Duration::from_hours(24),
            gather: Duration::from_millis(250),
            look: Duration::from_mins(1),
        }
    }
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The cursor cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS cannot be set up.
    #[error("target {target} of [[notify]]: {source}")]
    Client {
        /// The name of the target.
        target: String,
        /// Why.
        source: reqwest::Error,
    },
}

/// Starts a task for each target. Called before anything new happens: a new target is told from here on.
///
/// # Errors
/// [`NotifyError`]; then none is started.
pub async fn start(telling: Telling, targets: Vec<NotifyTarget>) -> Result<Vec<JoinHandle<()>>, NotifyError> {
    let mut followers = Vec::with_capacity(targets.len());
    for target in targets {
        followers.push(Follower::new(telling.clone(), target).await?);
    }
    Ok(followers.into_iter().map(|follower| tokio::spawn(follower.follow())).collect())
}

/// Sends a target one message that says that nothing happened, outside of the history.
///
/// # Errors
/// Why it was not taken, for people.
pub async fn test(target: &NotifyTarget, now: Timestamp) -> Result<(), String> {
    let client = send::client(target, Pace::default().timeout).map_err(|error| error.to_string())?;
    match send::send_test(&client, target, now).await {
        Answer::Taken => Ok(()),
        Answer::Later { reason, .. } | Answer::Refused { reason } => Err(reason),
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Telling").field("pace", &self.pace).finish_non_exhaustive()
    }
}
