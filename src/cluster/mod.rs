//! The cluster: what runs, and how rollouts stand. It is read and never written.

pub mod kubernetes;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::image::Repository;
use crate::observation::{Observation, Workloads};

/// Why a cluster tells nothing that can be gone by. Nothing else stops by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// The settings name no such cluster.
    #[error("no cluster {cluster} in the settings; name it under [clusters.{cluster}]")]
    Unknown {
        /// The name asked for.
        cluster: String,
    },
    /// It does not answer, or not with anything that can be read. It is asked again by itself.
    #[error("cluster {cluster} tells nothing to go by: {reason}")]
    Unavailable {
        /// The name in the settings.
        cluster: String,
        /// What went wrong, shortened.
        reason: String,
        /// When it told the truth last, where it ever did.
        last: Option<Timestamp>,
    },
    /// It does not know who we are.
    #[error("cluster {cluster} refuses the credentials ({reason}); renew those that its kubeconfig names")]
    Unauthorized {
        /// The name in the settings.
        cluster: String,
        /// What it said, shortened.
        reason: String,
    },
    /// Somebody has to allow it.
    #[error(
        "cluster {cluster} does not allow {verb} on {resource} in namespace {namespace}; apply \
         deploy/kubernetes/observed there"
    )]
    Forbidden {
        /// The name in the settings.
        cluster: String,
        /// What is not allowed: `list` or `watch`.
        verb: &'static str,
        /// Of what, as roles name it: `pods`, `deployments.apps`.
        resource: String,
        /// Where.
        namespace: String,
    },
    /// More than is kept in memory.
    #[error(
        "namespace {namespace} of cluster {cluster} has more than {limit}; give the stage a namespace of its own"
    )]
    TooLarge {
        /// The name in the settings.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// What there is too much of, and the bound.
        limit: String,
    },
}

/// What lockkeeper asks of a cluster.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// What runs of `images`, and how the rollouts of `workloads` stand, as of now: an answer is never older than the
    /// cluster's word that nothing changed since.
    ///
    /// # Errors
    /// [`ClusterError`] if the cluster does not tell. Workloads that are not there are an answer.
    async fn observe(
        &self,
        workloads: &Workloads,
        images: &BTreeSet<Repository>,
    ) -> Result<Observation, ClusterError>;

    /// Waits until something may have changed of what was asked before, and names the namespaces. Of two who wait, one hears.
    async fn changed(&self) -> BTreeSet<String>;
}
