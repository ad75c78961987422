//! How much changes for a stage, as rules name it; [`crate::plan`] tells it.

use serde::Serialize;

/// How much changes, the lightest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeClass {
    /// The same commit upon another base image.
    BaseOnly,
    /// The same version or commit, built again.
    Rebuild,
    /// A patch, as the version says.
    Patch,
    /// New features, as the version says.
    Minor,
    /// What may break others, as the version says.
    Major,
    /// Nothing tells.
    Unknown,
}

impl ChangeClass {
    /// The classes that something tells, the heaviest first: those that rules can name.
    pub const TOLD: [Self; 5] = [Self::Major, Self::Minor, Self::Patch, Self::Rebuild, Self::BaseOnly];

    /// The word, as in labels and rules.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BaseOnly => "base-only",
            Self::Rebuild => "rebuild",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Unknown => "unknown",
        }
    }
}
