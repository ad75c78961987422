//! What says that a release is live in a stage.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::observation::{Which, Workloads};

/// How long one observation counts where the file does not say it: five looks at a cluster, or reports at each minute of
/// which four may be lost.
pub const COUNTS_FOR: Duration = Duration::from_mins(5);

/// What says that a release is live in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// Who is asked, or tells.
    pub source: LiveSource,
    /// How long one observation counts: what is seen later than that after it begins anew.
    pub counts_for: Duration,
}

/// Who says that a release is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveSource {
    /// Nobody: what is merged counts as live.
    Merged,
    /// Deployers, who report it.
    Observed,
    /// A cluster.
    Cluster(Workloads),
}

impl Default for Live {
    fn default() -> Self {
        Self { source: LiveSource::Merged, counts_for: COUNTS_FOR }
    }
}

impl Live {
    /// Whether anybody observes what runs.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.source != LiveSource::Merged
    }
}

impl fmt::Display for LiveSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merged => formatter.write_str("merged"),
            Self::Observed => formatter.write_str("observed"),
            Self::Cluster(Workloads { cluster, namespace, which }) => {
                write!(formatter, "cluster {cluster}, namespace {namespace}, ")?;
                match which {
                    Which::Selector(selector) => write!(formatter, "selector {selector}"),
                    Which::Named(names) => {
                        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                        formatter.write_str(&names.join(", "))
                    }
                }
            }
        }
    }
}
