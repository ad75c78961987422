//! The world around a reconcile: store, registry, repositories with their forges, and the clock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::rules::RulesCache;
use crate::forge::Forge;
use crate::pull_request::MergeMethod;
use crate::registry::Registry;
use crate::repository::Mirror;
use crate::store::Store;

/// Everything that a reconcile reads and writes.
pub struct World {
    /// The store.
    pub store: Store,
    /// The registries.
    pub registry: Arc<dyn Registry>,
    /// The environment repositories, by their name in the settings.
    pub repositories: BTreeMap<String, EnvironmentRepository>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Who is told of every write.
    pub witness: Arc<dyn Witness>,
    /// What the settings say.
    pub settings: WorldSettings,
    /// Parsed `lockkeeper.yaml` files.
    pub rules: RulesCache,
}

/// One environment repository and its forge.
#[derive(Debug, Clone)]
pub struct EnvironmentRepository {
    /// The name in the settings.
    pub name: String,
    /// The base branch.
    pub base: String,
    /// The mirror.
    pub mirror: Mirror,
    /// Where its pull requests live.
    pub forge: Arc<dyn Forge>,
    /// How pull requests are merged.
    pub merge_method: MergeMethod,
    /// How often the tip, comments and pull requests of others are looked at without an event.
    pub poll_interval: Duration,
    /// The page of a pull request or issue is this and its number.
    pub url_prefix: String,
}

/// The settings that reconciling needs.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// How long a lease lasts without being extended.
    pub lease: Duration,
    /// How often a pipeline is looked at without an event.
    pub poll_interval: Duration,
    /// How long the registry may take where a person waits for a rollback.
    pub hurried_timeout: Duration,
    /// A command older than this is answered, not carried out.
    pub command_age_max: Duration,
    /// The author of our commits: name and address.
    pub author: (String, String),
}

/// A write to the world, named after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Events were appended to the store.
    Store,
    /// Refs were pushed.
    Push,
    /// The forge was written to.
    Forge,
}

/// How the work on a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// All is recorded.
    Recorded,
    /// It could not be finished, and is due again later.
    Released,
    /// Somebody else has the key, or the store did not take the end: it is due when the lease runs out.
    Lost,
}

/// The process is to stop here, as if it had been killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// Is told of every write right after it: counts them for the metrics, and lets a test stop the world between any two.
pub trait Witness: Send + Sync {
    /// A write was done.
    ///
    /// # Errors
    /// [`Stopped`] if nothing more is to be written.
    fn wrote(&self, write: Write) -> Result<(), Stopped>;

    /// A key was worked on for this long, and ended so.
    fn worked(&self, _outcome: Worked, _took: Duration) {}

    /// The repository of this name was read well.
    fn read(&self, _repository: &str, _at: Timestamp) {}
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("repositories", &self.repositories.keys())
            .finish_non_exhaustive()
    }
}

impl Write {
    /// The name, as a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Push => "push",
            Self::Forge => "forge",
        }
    }
}

impl Worked {
    /// The name, as a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}
