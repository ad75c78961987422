//! Version ranges as people write them, and the version that a tag names.
//!
//! The `semver` crate reads Cargo's dialect (a bare `1.2.3` means `^1.2.3`, no `||`, no blanks as "and"); people who
//! write image rules come from Helm, Flux and npm. So only its `Version` is used, and the ranges are ours:
//!
//! | written | means |
//! |---|---|
//! | `1.2.3`, `=1.2.3`, `v1.2.3` | exactly that version |
//! | `1.2`, `1.2.x`, `1.2.*` | `>=1.2.0`, below 1.3.0 |
//! | `*`, `x` | every version |
//! | `>1.2`, `>=1.2`, `<1.2`, `<=1.2` | from 1.3.0, from 1.2.0, below 1.2.0, below 1.3.0 |
//! | `^1.4`, `^0.4`, `^0.0.3` | up to the next change of the leftmost part that is not 0 |
//! | `~1.4`, `~1.4.2`, `~1` | the same minor version (of `~1`: the same major version) |
//! | `1.2 - 1.4` | `>=1.2 <=1.4` |
//! | `!=1.2.3`, `!=1.2` | all but that version, or those versions and their pre-releases |
//! | blanks or commas | and |
//! | `\|\|` | or |
//!
//! A pre-release is in a range only where the range itself names a pre-release of the same `major.minor.patch`, by
//! another comparator than `!=`: `>=1.4.0-rc.1` takes `1.4.0-rc.2` but not `1.5.0-rc.1`. On request all pre-releases count that lie between the ends;
//! those of the first version that is out (`2.0.0-rc.1` of `<2`) never do.

mod read;

use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Serialize, Serializer};

/// A range of semantic versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    any_of: Vec<Clause>,
    prereleases: Prereleases,
}

/// Which pre-releases are in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prereleases {
    /// Those of a version of which the range names a pre-release.
    #[default]
    Named,
    /// All between its ends.
    All,
}

/// The text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("range `{found}`: {reason}")]
pub struct RangeError {
    found: String,
    reason: String,
}

/// Comparators that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Clause {
    all_of: Vec<Comparator>,
    /// The pre-releases that were written, as `major.minor.patch`.
    prereleases_of: Vec<Triple>,
}

type Triple = (u64, u64, u64);

/// One simple condition; every written form comes down to these.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Comparator {
    /// This version or a newer one.
    From(Version),
    /// An older version than this.
    Below(Version),
    /// Older than the first, or not older than the second.
    Outside(Version, Version),
}

impl VersionRange {
    /// The range as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same range with these pre-releases.
    #[must_use]
    pub fn with_prereleases(self, prereleases: Prereleases) -> Self {
        Self { prereleases, ..self }
    }

    /// Which pre-releases are in it.
    #[must_use]
    pub fn prereleases(&self) -> Prereleases {
        self.prereleases
    }

    /// Whether the version is in the range.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.any_of.iter().any(|clause| clause.matches(version, self.prereleases))
    }
}

impl Clause {
    fn matches(&self, version: &Version, prereleases: Prereleases) -> bool {
        let triple = triple(version);
        let is_named = version.pre.is_empty() || self.prereleases_of.contains(&triple);
        let is_wanted = is_named || prereleases == Prereleases::All && !self.ends_at(triple);
        is_wanted && self.all_of.iter().all(|comparator| comparator.matches(version))
    }

    /// Whether this version is the first that is out.
    fn ends_at(&self, version: Triple) -> bool {
        let ends = |comparator: &Comparator| matches!(comparator, Comparator::Below(below) if triple(below) == version);
        self.all_of.iter().any(ends)
    }
}

fn triple(version: &Version) -> Triple {
    (version.major, version.minor, version.patch)
}

impl Comparator {
    fn matches(&self, version: &Version) -> bool {
        match self {
            Self::From(from) => version.cmp_precedence(from).is_ge(),
            Self::Below(below) => version.cmp_precedence(below).is_lt(),
            Self::Outside(from, below) => {
                version.cmp_precedence(from).is_lt() || version.cmp_precedence(below).is_ge()
            }
        }
    }
}

impl FromStr for VersionRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        match read::any_of(text) {
            Ok(any_of) => {
                Ok(Self { text: text.trim().to_owned(), any_of, prereleases: Prereleases::default() })
            }
            Err(reason) => Err(RangeError { found: text.chars().take(100).collect(), reason }),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// The version that a tag names: `1.4.2` or `v1.4.2`, pre-release included.
///
/// All three parts are required. `1.4` is a tag that moves from one patch to the next, and a short commit of digits
/// only (`1234567`) would pass for a major version.
#[must_use]
pub fn version_of(tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
    version.build.is_empty().then_some(version)
}

#[cfg(test)]
mod tests;
