//! What was seen of a stage, without the repositories: what a report says, and what is kept of an observation.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Health, Observation};
use crate::image::Digest;

/// Most characters kept of why something is not healthy: one line of a page.
pub const WORDS_CHARS_MAX: usize = 200;
/// Longest address of a report's page.
pub const URL_BYTES_MAX: usize = 512;

/// What was seen of one stage at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When. Of a report: when it came, for the sender's clock proves nothing.
    pub at: Timestamp,
    /// Who says so: `cluster staging`, `observer argo`.
    pub source: String,
    /// The digests that run, of the pipeline's images alone: of an index, or of the manifest of a platform.
    pub digests: BTreeSet<Digest>,
    /// Instances that are ready with what is wanted.
    pub ready: u32,
    /// Instances wanted.
    pub wanted: u32,
    /// How the rollout stands.
    #[serde(flatten)]
    pub health: Health,
    /// Where more is to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl From<Observation> for Sighting {
    fn from(seen: Observation) -> Self {
        Self {
            at: seen.at,
            source: seen.source,
            digests: seen.running.into_values().flatten().collect(),
            ready: seen.ready,
            wanted: seen.wanted,
            health: seen.health.shortened(),
            url: None,
        }
    }
}

impl Sighting {
    /// The same, later than another that was heard before it: what a cluster says has the time of the oldest word in it, and
    /// one word can serve two answers.
    #[must_use]
    pub fn after(self, before: Option<&Self>) -> Self {
        let soonest = before.map(|before| {
            let apart = if before.is_like(&self) { Duration::ZERO } else { Duration::from_micros(1) };
            before.at.checked_add(apart).unwrap_or(Timestamp::MAX)
        });
        Self { at: soonest.map_or(self.at, |soonest| self.at.max(soonest)), ..self }
    }

    /// Whether another says the same, but for numbers and words.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.digests == other.digests
            && self.health.is_like(&other.health)
            && (self.ready > 0) == (other.ready > 0)
            && (self.wanted > 0) == (other.wanted > 0)
    }
}

impl Health {
    /// Whether it failed.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        matches!(self, Self::Degraded(_))
    }

    /// Whether the other is of the same kind, whatever it waits for or failed by.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The same with words of a bounded length.
    #[must_use]
    pub fn shortened(self) -> Self {
        let short = |why: String| why.chars().take(WORDS_CHARS_MAX).collect();
        match self {
            Self::Healthy => Self::Healthy,
            Self::Progressing(why) => Self::Progressing(short(why)),
            Self::Degraded(why) => Self::Degraded(short(why)),
        }
    }
}
