//! The world around a reconcile: store, registry, repositories with their forges, and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::policy::Policies;
use super::poll::{Intervals, Polls};
use super::probes::Probes;
use super::retag::TagWrites;
use super::rules::RulesCache;
use super::told::Told;
use super::touched::TouchedAnswers;
use crate::cluster::{Cluster, ClusterError};
use crate::forge::Forge;
use crate::image::Repository;
use crate::observation::{Observation, Workloads};
use crate::pull_request::MergeMethod;
use crate::registry::Registry;
use crate::repository::Mirror;
use crate::store::Store;
use crate::witness::Witness;

/// Everything that a reconcile reads and writes.
pub struct World {
    /// The store.
    pub store: Store,
    /// The registries.
    pub registry: Arc<dyn Registry>,
    /// The environment repositories, by their name in the settings.
    pub repositories: BTreeMap<String, EnvironmentRepository>,
    /// The clusters, by their name in the settings.
    pub clusters: BTreeMap<String, Arc<dyn Cluster>>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Who is told what was read. The store, the mirrors and the local forges tell it what they wrote.
    pub witness: Arc<dyn Witness>,
    /// What the settings say.
    pub settings: WorldSettings,
    /// Parsed `lockkeeper.yaml` files.
    pub rules: RulesCache,
    /// What was heard of images, and how.
    pub polls: Polls,
    /// What registries are asked on a schedule.
    pub probes: Probes,
    /// What became of tags that were to be set.
    pub tags: TagWrites,
    /// Which commits that a rollback undoes touched what.
    pub touched: TouchedAnswers,
    /// What clusters said of pipelines.
    pub told: Told,
    /// What lint said of the files of stages.
    pub policies: Policies,
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
    pub polls: Intervals,
    /// How often what is live, and what would be gone back to, is looked for in the registries.
    pub probe_interval: Duration,
    /// Longest look at one pipeline; then those that wait have their turn, and it is due again at once. One at which
    /// releases come faster than they are merged has no end of its own.
    pub look_max: Duration,
    /// How long the registry may take where a person waits for a rollback.
    pub hurried_timeout: Duration,
    /// How long it may take where nobody waits, to list all tags and pick one.
    pub unhurried_timeout: Duration,
    /// A command older than this is answered, not carried out.
    pub command_age_max: Duration,
    /// Addresses without `https://` below which messages may link to sources and builds.
    pub source_links: Vec<String>,
    /// The author of our commits: name and address.
    pub author: (String, String),
}

impl World {
    /// What runs of `images`, and how the rollouts of `workloads` stand.
    ///
    /// # Errors
    /// [`ClusterError`] if the settings name no such cluster, or it does not tell.
    pub async fn observe_workloads(
        &self,
        workloads: &Workloads,
        images: &BTreeSet<Repository>,
    ) -> Result<Observation, ClusterError> {
        match self.clusters.get(&workloads.cluster) {
            Some(cluster) => cluster.observe(workloads, images).await,
            None => Err(ClusterError::Unknown { cluster: workloads.cluster.clone() }),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("repositories", &self.repositories.keys())
            .finish_non_exhaustive()
    }
}
