//! How `lockkeeper lint` judges: the rules by name, how severe each is where, and what is exempted until when.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Principal, StageName};
use crate::image::Repository;

/// A rule of `lockkeeper lint`. Its name is stable: files and code scanners keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintRule {
    /// A manifest pulls `latest`, written or implied.
    LatestTag,
    /// A reference in a stage's file has no digest.
    MissingDigest,
    /// The digest of one platform's manifest is pinned where an index exists.
    PlatformDigest,
    /// The registry does not have the pinned digest.
    DigestNotFound,
    /// The tag beside the digest names something else by now, or nothing.
    TagMoved,
    /// One image is pinned to several digests in a stage, or across a group.
    MixedDigests,
    /// A CI file, Dockerfile, compose file or script pulls `latest`.
    LatestInCi,
    /// A file of a stage cannot be read, or has no pin of the pipeline.
    UnreadPin,
    /// An exemption is past its date.
    ExpiredExemption,
    /// An exemption exempts nothing.
    UnusedExemption,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is not looked for.
    Off,
    /// It is told.
    Warning,
    /// It fails the run.
    Error,
}

/// The `lint` section of `lockkeeper.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LintRules {
    /// Severities that hold everywhere, in place of the defaults.
    pub rules: BTreeMap<LintRule, Severity>,
    /// Severities of one stage, or of all stages of a group, before all others.
    pub stages: BTreeMap<StageName, BTreeMap<LintRule, Severity>>,
    /// What is exempted.
    pub exemptions: Vec<Exemption>,
}

/// Findings that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// The rule that it is about.
    pub rule: LintRule,
    /// The files: a path, in which `*` stands for anything but `/`, `**` for anything, `?` for one character.
    pub path: Option<String>,
    /// The image.
    pub image: Option<Repository>,
    /// Who answers for it.
    pub owner: Principal,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, in UTC.
    pub expires: Date,
    /// The line in the file, from 1.
    pub line: usize,
}

impl LintRule {
    /// All rules with their names.
    pub const ALL: [(&'static str, Self); 10] = [
        ("latest-tag", Self::LatestTag),
        ("missing-digest", Self::MissingDigest),
        ("platform-digest", Self::PlatformDigest),
        ("digest-not-found", Self::DigestNotFound),
        ("tag-moved", Self::TagMoved),
        ("mixed-digests", Self::MixedDigests),
        ("latest-in-ci", Self::LatestInCi),
        ("unread-pin", Self::UnreadPin),
        ("expired-exemption", Self::ExpiredExemption),
        ("unused-exemption", Self::UnusedExemption),
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, rule)| *rule == self).map_or("", |(name, _)| name)
    }
}

impl Severity {
    /// The word for it, as files write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Exemption {
    /// Whether it is about this finding, whatever the day.
    #[must_use]
    pub fn covers(&self, rule: LintRule, file: &str, image: Option<&Repository>) -> bool {
        let is_file = self.path.as_ref().is_none_or(|glob| matches(glob.as_bytes(), file.as_bytes()));
        let is_image =
            self.image.as_ref().is_none_or(|wanted| image.is_some_and(|image| image.is_same(wanted)));
        self.rule == rule && is_file && is_image
    }
}

/// Whether a path is what the pattern means; no recursion deeper than the pattern has stars.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        // `a/**/b` is `a/b`, too.
        [b'*', b'*', b'/', rest @ ..] if matches(rest, path) => true,
        [b'*', b'*', rest @ ..] => {
            (0..=path.len()).any(|at| matches(rest, path.get(at..).unwrap_or_default()))
        }
        [b'*', rest @ ..] => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=end).any(|at| matches(rest, path.get(at..).unwrap_or_default()))
        }
        [b'?', rest @ ..] => matches!(path, [byte, below @ ..] if *byte != b'/' && matches(rest, below)),
        [byte, rest @ ..] => matches!(path, [first, below @ ..] if first == byte && matches(rest, below)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_these_paths() {
        for (pattern, path, want) in [
            ("a/b.yaml", "a/b.yaml", true),
            ("a/b.yaml", "a/b.yml", false),
            ("a/*.yaml", "a/b.yaml", true),
            ("a/*.yaml", "a/b/c.yaml", false),
            ("a/**", "a/b/c.yaml", true),
            ("**/c.yaml", "c.yaml", true),
            ("**/c.yaml", "a/b/c.yaml", true),
            ("a/**/c.yaml", "a/c.yaml", true),
            ("a/**/c.yaml", "a/xc.yaml", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), want, "{pattern} {path}");
        }
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        for (name, rule) in LintRule::ALL {
            assert_eq!(rule.name(), name);
        }
        let names: std::collections::BTreeSet<_> = LintRule::ALL.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), LintRule::ALL.len());
    }
}
