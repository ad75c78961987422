//! What of a tag is compared.

use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;

use semver::{Prerelease, Version};

/// The rank of a tag under its rule. Equal keys mean one and the same version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) main: Main,
    /// Decides where the rest is equal; without one comes first.
    pub(super) build: Option<Number>,
}

/// All keys of one rule are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Main {
    /// Never with build metadata, so that its order is that of precedence.
    Version(Version),
    Date(Vec<Number>),
    Number(Number),
    Text(String),
}

/// A whole number of any length, not below zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number(String);

impl Number {
    /// Reads digits, zeros before them or not.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(text.trim_start_matches('0').to_owned()))
    }

    pub(super) fn is_in(&self, bounds: &RangeInclusive<u64>) -> bool {
        if self.0.is_empty() {
            return bounds.contains(&0);
        }
        self.0.parse().is_ok_and(|number| bounds.contains(&number))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "0" } else { &self.0 })
    }
}

/// As images of one release have to agree on it, however each tag spells it.
impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.main {
            Main::Version(version) => write!(formatter, "{version}")?,
            Main::Number(number) => write!(formatter, "{number}")?,
            Main::Text(text) => write!(formatter, "{text}")?,
            Main::Date(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                formatter.write_str(&numbers.join("."))?;
            }
        }
        match &self.build {
            Some(build) => write!(formatter, " build {build}"),
            None => Ok(()),
        }
    }
}

impl Main {
    /// The same without a commit at its end; none where there is nothing else: which of two commits is newer, their
    /// hashes do not say.
    pub(super) fn without_commit(self) -> Option<Self> {
        match self {
            Self::Version(version) => without_commit(version).map(Self::Version),
            Self::Text(text) => stem(&text).map(|stem| Self::Text(stem.to_owned())),
            Self::Date(_) | Self::Number(_) => Some(self),
        }
    }
}

/// The version without a commit at the end of its pre-release: `1.4.0-rc.1.9f2c41a` is a `1.4.0-rc.1`.
pub(super) fn without_commit(version: Version) -> Option<Version> {
    if version.pre.is_empty() {
        return Some(version);
    }
    let stem = stem(version.pre.as_str())?.trim_end_matches(['.', '-', '_']);
    let pre = Prerelease::new(stem).ok().filter(|pre| !pre.is_empty())?;
    Some(Version { pre, ..version })
}

/// The text up to a commit at its end, what separates them included; none where there is nothing else.
fn stem(text: &str) -> Option<&str> {
    let begin = text.rfind(['.', '-', '_']).map_or(0, |place| place + 1);
    let (stem, last) = text.split_at(begin);
    let stem = if is_commit(last) { stem } else { text };
    (!stem.is_empty()).then_some(stem)
}

/// Whether the text looks like the hash of a commit, short or long, by itself or as `git describe` writes it: `g9f2c41a`.
///
/// Of digits alone (one short hash in 25 is) it passes for a number where nothing stands before it.
pub(crate) fn is_commit(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let hash = text.strip_prefix('g');
    let has_letter = hash.is_some() || text.bytes().any(|byte| !byte.is_ascii_digit());
    let hash = hash.unwrap_or(text);
    has_letter && matches!(hash.len(), 7..=40 | 64) && hash.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_whatever_their_length() {
        let number = |text: &str| Number::read(text).unwrap();
        for (small, large) in
            [("9", "10"), ("0", "1"), ("009", "10"), ("99999999999999999999", "100000000000000000000")]
        {
            assert!(number(small) < number(large), "{small} {large}");
        }
        assert_eq!(number("0010"), number("10"));
        assert_eq!(number("000").to_string(), "0");
        assert!(number("00").is_in(&(0..=0)) && !number("100000000000000000000").is_in(&(0..=9)));
        for text in ["", "1a", "-1", "1.0", "１"] {
            assert_eq!(Number::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_commit_at_the_end_is_left_out() {
        for (text, want) in [
            ("20260102-9f2c41a", Some("20260102-")),
            ("20260102", Some("20260102")),
            ("20260102-143022", Some("20260102-143022")),
            ("release-2026-05-12", Some("release-2026-05-12")),
            ("git-9f2c41a", Some("git-")),
            ("main-14-g9f2c41a", Some("main-14-")),
            ("9f2c41a", None),
            ("main", Some("main")),
            ("", None),
        ] {
            assert_eq!(stem(text), want, "{text}");
        }
        for (text, want) in [
            ("1.4.0", Some("1.4.0")),
            ("1.4.0-rc.1", Some("1.4.0-rc.1")),
            ("1.4.0-rc.1.9f2c41a", Some("1.4.0-rc.1")),
            ("1.4.0-build4567-9f2c41a", Some("1.4.0-build4567")),
            ("1.4.0-14-g9f2c41a", Some("1.4.0-14")),
            ("1.4.0-14-g1234567", Some("1.4.0-14")),
            ("1.4.0-9f2c41a", None),
        ] {
            let found = without_commit(text.parse().unwrap()).map(|version| version.to_string());
            assert_eq!(found.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_commit_is_7_to_40_or_64_hex_digits() {
        let hex = "9f2c41a0".repeat(8);
        for (text, want) in [
            (&hex[..6], false),
            (&hex[..7], true),
            (&hex[..40], true),
            (&hex[..41], false),
            (&hex[..64], true),
            ("1234567", false),
            ("9F2C41A", false),
            ("release", false),
            ("g9f2c41a", true),
            ("g1234567", true),
            ("g9f2c41", false),
            ("gg9f2c41a", false),
            ("g", false),
        ] {
            assert_eq!(is_commit(text), want, "{text}");
        }
    }
}
