//! What runs in a stage, as a cluster or a deployer tells it.

mod selector;
mod sighting;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use selector::{Condition, Requirement, Selector, SelectorError};
pub use sighting::{Sighting, URL_BYTES_MAX, WORDS_CHARS_MAX};
pub use workloads::{Which, WorkloadKind, WorkloadName, WorkloadNameError, Workloads};

use crate::image::{Digest, Repository};

/// What was seen of one stage at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When it was seen.
    pub at: Timestamp,
    /// Who says so: `cluster staging`, `token argo`.
    pub source: String,
    /// The digests that run, by repository as manifests name it, of the pipeline's images alone. A runtime names the
    /// index that was pinned, or the manifest of its platform.
    pub running: BTreeMap<Repository, BTreeSet<Digest>>,
    /// Instances that are ready with what is wanted.
    pub ready: u32,
    /// Instances wanted.
    pub wanted: u32,
    /// How the rollout stands.
    pub health: Health,
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "health", content = "why", rename_all = "snake_case")]
pub enum Health {
    /// Done, and all of it ready.
    Healthy,
    /// Under way: what it waits for.
    Progressing(String),
    /// It failed, or what ran does not any more: why.
    Degraded(String),
}
