//! What is looked at after a merge, and what follows where it fails.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a stage is watched after a promotion was merged into it, and what follows where that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// From the merge on.
    pub length: Duration,
    /// What follows where it fails, beside telling people.
    pub on_failure: OnFailure,
}

/// What follows where a watch fails: each does what those before it do, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// People are told.
    Tell,
    /// The stage is held.
    Hold,
    /// It goes back.
    Rollback,
}

impl OnFailure {
    /// The words of the file.
    pub(crate) const WORDS: [(&str, Self); 3] =
        [("tell", Self::Tell), ("hold", Self::Hold), ("rollback", Self::Rollback)];
}

impl fmt::Display for OnFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tell => "tell",
            Self::Hold => "hold",
            Self::Rollback => "rollback",
        })
    }
}
