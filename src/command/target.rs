//! What a command names besides a stage: a release, a time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::error::shown;
use crate::image::{Pinned, Tag};
use crate::pipeline::{parse_duration, version_of};

/// Fewest hex digits that name a digest: 28 bits, which among a few hundred releases are unique.
const PREFIX_DIGITS_MIN: usize = 7;
/// Most hex digits: all of SHA-256.
const PREFIX_DIGITS_MAX: usize = 64;
/// Fewest digits of a plain number that is taken for a release where a reason could stand as well.
const NUMBER_DIGITS_MIN: usize = 12;
/// Longest time.
const TIME_BYTES_MAX: usize = 40;

/// A release, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// By its version: a tag.
    Version(String),
    /// By the first 7 to 64 hex digits of a digest, without `sha256:`.
    Digest(String),
}

/// When a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// At this time.
    At(Timestamp),
    /// This long after the comment was written.
    After(Duration),
}

impl Target {
    /// Reads a version or digest.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let error = || Problem::Target { found: shown(text) };
        if let Some(prefix) = text.strip_prefix("sha256:") {
            let digits = prefix.to_ascii_lowercase();
            return if is_hex(&digits) { Ok(Self::Digest(digits)) } else { Err(error()) };
        }
        text.parse::<Tag>().map_err(|_| error())?;
        let has_letter = text.bytes().any(|byte| byte.is_ascii_lowercase());
        if is_hex(text) && has_letter {
            Ok(Self::Digest(text.to_owned()))
        } else {
            Ok(Self::Version(text.to_owned()))
        }
    }

    /// Whether a word that could also begin a reason is a version or digest: `1.4.2`, `v1.4.2-rc.1`, `9f2c41aa7b03`,
    /// `sha256:9f2c…`.
    pub(super) fn is_like(word: &str) -> bool {
        let digits = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        let is_number = word.len() >= NUMBER_DIGITS_MIN && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_prefix = is_hex(word) && digits(word) && word.bytes().any(|byte| byte.is_ascii_lowercase());
        let after_v = word.strip_prefix('v').unwrap_or(word);
        let starts_in_digit = after_v.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let is_dotted = after_v
            .split('.')
            .nth(1)
            .is_some_and(|part| part.bytes().next().is_some_and(|b| b.is_ascii_digit()));
        let is_version = starts_in_digit && is_dotted && word.parse::<Tag>().is_ok();
        word.starts_with("sha256:") || is_number || is_prefix || is_version
    }

    /// Whether this names what is pinned. A person may leave out or add the `v` of a version, and a tag may look
    /// like a digest (a commit, a build number), so more than one release can match; to choose is the caller's matter.
    #[must_use]
    pub fn matches(&self, pinned: &Pinned) -> bool {
        let (Self::Version(text) | Self::Digest(text)) = self;
        let is_tag = pinned.tag.as_ref().is_some_and(|tag| {
            let is_version =
                version_of(text).is_some_and(|version| version_of(tag.as_str()) == Some(version));
            tag.as_str() == text || is_version
        });
        is_tag || self.names_digest(pinned)
    }

    /// Whether this names the digest that is pinned, and not only a tag.
    #[must_use]
    pub fn names_digest(&self, pinned: &Pinned) -> bool {
        let (Self::Version(text) | Self::Digest(text)) = self;
        is_hex(text) && pinned.digest.hex().starts_with(text.as_str())
    }
}

/// Lower-case hex digits that are enough to name a digest.
fn is_hex(text: &str) -> bool {
    (PREFIX_DIGITS_MIN..=PREFIX_DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => formatter.write_str(version),
            Self::Digest(prefix) => write!(formatter, "sha256:{prefix}"),
        }
    }
}

impl Until {
    /// Reads a duration (`2h`) or a time with its offset (`2026-11-20T16:00:00Z`).
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let error = || Problem::Until { found: shown(text) };
        if let Ok(duration) = parse_duration(text) {
            return Ok(Self::After(duration));
        }
        let is_plain = text.len() <= TIME_BYTES_MAX && text.contains(['T', 't']) && !text.contains('[');
        if !is_plain {
            return Err(error());
        }
        text.parse().map(Self::At).map_err(|_| error())
    }

    /// The time, for a command that was written at `written`. A sum beyond the calendar is its end.
    #[must_use]
    pub fn at(self, written: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::After(duration) => written.checked_add(duration).unwrap_or(Timestamp::MAX),
        }
    }
}
