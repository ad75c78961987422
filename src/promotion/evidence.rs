//! What was observed of a release in a stage, and for how long.
//!
//! The record has what changed, not each observation: between two entries what was seen last goes on, as far as there were
//! observations. An entry says how far that was, so that a gap adds no time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::observation::Health;

/// Whether what runs is what the record says is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sight", content = "found", rename_all = "snake_case")]
pub enum Sight {
    /// It is, and nothing else.
    Running,
    /// It is not: what runs, in words.
    Contrary(String),
}

/// What an observation says of the live release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether it runs.
    #[serde(flatten)]
    pub sight: Sight,
    /// How its rollout stands.
    #[serde(flatten)]
    pub health: Health,
    /// Instances that are ready.
    pub ready: u32,
    /// Instances wanted.
    pub wanted: u32,
    /// Who says so.
    pub source: String,
}

/// What was observed of a release while it was live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was recorded last.
    pub seen: Seen,
    /// When that was.
    pub at: Timestamp,
    /// When it was first seen running; none: never.
    pub first: Option<Timestamp>,
    /// The time of the stretch that goes on, up to `counting`.
    counted: Duration,
    /// From when on more time counts; none: not now.
    counting: Option<Timestamp>,
    /// The longest stretch that a contrary observation ended.
    longest: Duration,
}

impl Seen {
    /// Whether another says the same, but for numbers and words.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.sight) == std::mem::discriminant(&other.sight)
            && self.health.is_like(&other.health)
            && self.is_up() == other.is_up()
    }

    /// Whether time counts from it: what failed is live, and no time in which it proves itself.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.is_up() && !self.health.is_degraded()
    }

    /// Whether anything of it is ready, where anything is wanted.
    fn is_up(&self) -> bool {
        self.sight == Sight::Running && (self.ready > 0 || self.wanted == 0)
    }
}

impl Evidence {
    /// What an entry makes of what was known. `until` says how far the observations before it reached.
    #[must_use]
    pub fn after(before: Option<Self>, seen: Seen, at: Timestamp, until: Option<Timestamp>) -> Self {
        let mut next = match before {
            Some(before) => before.settled(until),
            None => Self {
                seen: seen.clone(),
                at,
                first: None,
                counted: Duration::ZERO,
                counting: None,
                longest: Duration::ZERO,
            },
        };
        if seen.is_up() {
            next.first = next.first.or(Some(at));
        }
        if seen.sight != Sight::Running {
            next.longest = next.longest.max(next.counted);
            next.counted = Duration::ZERO;
        }
        next.counting = seen.counts().then_some(at);
        Self { seen, at, ..next }
    }

    fn settled(self, until: Option<Timestamp>) -> Self {
        Self { counted: self.stretch(until), counting: None, ..self }
    }

    /// The stretch that goes on, where observations reach up to `until`.
    #[must_use]
    pub fn stretch(&self, until: Option<Timestamp>) -> Duration {
        let more =
            self.counting.zip(until).and_then(|(from, until)| until.duration_since(from).try_into().ok());
        self.counted.saturating_add(more.unwrap_or_default())
    }

    /// The longest stretch, where observations reach up to `until`.
    #[must_use]
    pub fn longest(&self, until: Option<Timestamp>) -> Duration {
        self.longest.max(self.stretch(until))
    }

    /// From when on more time counts; none: not now.
    #[must_use]
    pub fn counting(&self) -> Option<Timestamp> {
        self.counting
    }
}

impl fmt::Display for Seen {
    /// `12/12 run`, `7/12 run, progressing (waits for pods)`, `0/12 run, degraded (crash loop)`, `1.4.1 runs`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sight {
            Sight::Running => write!(formatter, "{}/{} run", self.ready, self.wanted)?,
            Sight::Contrary(found) => formatter.write_str(found)?,
        }
        match &self.health {
            Health::Healthy => Ok(()),
            Health::Progressing(why) => write!(formatter, ", progressing ({why})"),
            Health::Degraded(why) => write!(formatter, ", degraded ({why})"),
        }
    }
}
