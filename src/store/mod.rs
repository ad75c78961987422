//! The store: what came in, who works on what, what happened, and what the pages show; one `SQLite` file.
//!
//! What holds:
//! - What [`Store::put`] accepted is on disk when it returns (`synchronous=FULL`), and stays open for every key it
//!   concerns until a [`Store::record`] of that key closes it by name.
//! - So are events when [`Store::append`] returns. All else (leases, closings, views, cursors) is written without a wait
//!   for the disk: what a loss of power takes of it is found again or done once more, and a kill takes nothing.
//! - At most one lease of a key counts. It is a fencing token, not a lock: [`Store::claim`] counts the generation up,
//!   and a writer with an older one is refused, however late it comes. So a lease that ended by the clock may still be
//!   extended or recorded as long as nobody else has claimed the key.
//! - Events are append-only and without gaps per key; the file itself refuses anything else.
//! - A key that is marked, or gets a delivery, while it is leased is due again as soon as the lease is recorded.
//!
//! Deliveries that come at the same time share a commit (`group.rs`). There is one connection that writes and a few
//! that read (WAL: neither waits for the other). No transaction is open while anything outside is asked. A second
//! process on the same file works, but does not wake the workers here.

mod error;
mod group;
mod inbox;
mod lease;
mod open;
mod read;

pub use error::StoreError;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio::sync::watch;

use self::group::Group;
use crate::forge::Person;
use crate::image::Digest;
use crate::observation::Sighting;
use crate::pipeline::{PipelineName, StageName};
use crate::promotion::Entry;
use crate::witness::Witness;

/// Most deliveries in one lease. More stay open and make the key due again at once; 100 of at most 64 hints each keep
/// a lease below some megabytes.
pub const DELIVERIES_MAX: usize = 100;

/// What is worked on as one: a pipeline of an environment repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The environment repository, as named in the settings.
    pub repository: String,
    /// The pipeline; none: the repository itself (its `lockkeeper.yaml`, pull requests of others, the comment sweep).
    pub pipeline: Option<PipelineName>,
}

/// What a delivery asks to look at. Nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hint", rename_all = "snake_case")]
pub enum Hint {
    /// A registry says that tags moved.
    Image {
        /// The repository, as the sender names it.
        repository: String,
        /// The host, as the sender names itself.
        registry: Option<String>,
        /// The tags.
        tags: Vec<String>,
        /// What they lead to, where the sender says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    },
    /// Somebody commented.
    Comment {
        /// The forge's id of the comment.
        id: u64,
        /// The pull request or issue.
        thread: u64,
        /// The digest of what it said, where what tells of it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Digest>,
    },
    /// A pull request changed.
    PullRequest {
        /// Its number.
        number: u64,
    },
    /// A branch moved.
    Push,
    /// A command that did not come as a comment.
    Command {
        /// The line.
        text: String,
        /// Who gave it, as authenticated on arrival.
        person: Person,
        /// The pull request it is about.
        thread: Option<u64>,
    },
    /// What runs in a stage, as somebody reports it.
    Sighting {
        /// The stage.
        stage: StageName,
        /// What was seen.
        sighting: Sighting,
    },
    /// A delivery of a known sender that could not be read.
    Unparsable {
        /// Why.
        reason: String,
        /// The start of what was sent, as text.
        #[serde(default)]
        body: String,
    },
}

/// One accepted delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The sender's id, unique over all sources: a repeat is a no-op.
    pub id: String,
    /// The webhook it came by.
    pub source: String,
    /// When, to the microsecond.
    pub received_at: Timestamp,
    /// What to look at.
    pub hints: Vec<Hint>,
}

/// Why a key is looked at: a rollback overtakes ten thousand pipelines that are looked at after a start, and these have
/// their turn too, however many people are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It is time.
    Time,
    /// Somebody told of something new.
    Told,
    /// A person waits for it.
    Asked,
}

impl Urgency {
    /// How much longer than others it counts as ready, in microseconds.
    fn ahead(self) -> i64 {
        let ahead = match self {
            Self::Time => Duration::ZERO,
            Self::Told => Duration::from_mins(10),
            Self::Asked => Duration::from_mins(20),
        };
        i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Delivery {
    fn urgency(&self) -> Urgency {
        let is_told = |hint: &Hint| {
            matches!(hint, Hint::Image { .. } | Hint::Push | Hint::Sighting { .. } | Hint::Unparsable { .. })
        };
        if self.hints.iter().all(is_told) { Urgency::Told } else { Urgency::Asked }
    }
}

/// The right to work on a key until it is recorded, released or claimed anew.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// What to work on.
    pub key: Key,
    /// Which claim of the key this is.
    pub generation: u64,
    /// When it was claimed: what came until then is among the deliveries.
    pub claimed_at: Timestamp,
    /// Open deliveries that concern the key, those of people first, then oldest first; at most [`DELIVERIES_MAX`].
    pub deliveries: Vec<Delivery>,
}

/// Whether a delivery was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new, and stored.
    New,
    /// Its id was stored before; nothing was done.
    Repeat,
}

/// An event of any key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Its place among the events of all keys: only grows, in the order in which they were stored.
    pub number: u64,
    /// The key.
    pub key: Key,
    /// Its place among the events of the key.
    pub sequence: u64,
    /// What happened, and when.
    pub entry: Entry,
}

/// Figures for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Keys that are worked on.
    pub keys: u64,
    /// Keys that could be claimed now.
    pub due: u64,
    /// Keys with a lease that lasts.
    pub leased: u64,
    /// Deliveries that some key has yet to look at.
    pub deliveries_open: u64,
    /// Events of all keys.
    pub events: u64,
}

/// A handle on the store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    group: Group,
    readers: SqlitePool,
    changed: Arc<watch::Sender<u64>>,
    witness: Arc<dyn Witness>,
}

impl Key {
    /// The repository itself.
    #[must_use]
    pub fn repository(name: impl Into<String>) -> Self {
        Self { repository: name.into(), pipeline: None }
    }

    /// A pipeline of it.
    #[must_use]
    pub fn pipeline(repository: impl Into<String>, pipeline: PipelineName) -> Self {
        Self { repository: repository.into(), pipeline: Some(pipeline) }
    }

    fn pipeline_column(&self) -> &str {
        self.pipeline.as_ref().map_or("", PipelineName::as_str)
    }

    fn from_columns(repository: String, pipeline: &str) -> Result<Self, StoreError> {
        let pipeline = match pipeline {
            "" => None,
            name => {
                Some(name.parse().map_err(|error| StoreError::corrupt("the name of a pipeline", &error))?)
            }
        };
        Ok(Self { repository, pipeline })
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.pipeline {
            Some(pipeline) => write!(formatter, "{}/{pipeline}", self.repository),
            None => formatter.write_str(&self.repository),
        }
    }
}

impl Store {
    /// Tells `witness` of every write through this handle and its clones.
    #[must_use]
    pub fn witnessed(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = witness;
        self
    }

    /// Changes whenever a key may have become due through this handle or a clone of it: a worker claims, and when
    /// there is nothing, sleeps until [`Store::next_due`] or until this changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        wake(&self.changed);
    }
}

fn wake(changed: &watch::Sender<u64>) {
    changed.send_modify(|count| *count = count.wrapping_add(1));
}

fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::corrupt("a time", &error))
}

fn count(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|error| StoreError::corrupt("a count", &error))
}

/// The end of a lease; the last representable time where the sum is beyond it.
fn lease_end(now: Timestamp, lease_for: std::time::Duration) -> Timestamp {
    now.saturating_add(lease_for).unwrap_or(Timestamp::MAX)
}
