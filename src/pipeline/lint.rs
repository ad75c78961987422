//! How `lockkeeper lint` judges: the rules by name, how severe each is where, and what is exempted until when.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;

use super::{Pipeline, Policy, Principal, Stage, StageName};
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

/// Names what lets errors in the files of a stage pass that stopped them, where a gate asks for lint before and after: a
/// rule that weighs less, an exemption that is new or lasts longer. That a rule weighs what is usual is not compared: a word
/// too many is no harm.
#[must_use]
pub fn loosened_lint(before: &Pipeline, after: &Pipeline, name: &StageName) -> Vec<String> {
    let gated = |stage: &&Stage| stage.gates.policy == Some(Policy::Lint);
    let stages = before.stage(name).filter(gated).zip(after.stage(name).filter(gated));
    let Some((was, is)) = stages else { return Vec::new() };
    let (old, new) = (&before.lint, &after.lint);
    let is_lighter = |rule: LintRule| {
        let (was, is) = (old.severity(rule, was), new.severity(rule, is));
        let stops = |severity: Option<Severity>| severity.is_none_or(|found| found == Severity::Error);
        stops(was) && (!stops(is) || was.is_some() && is.is_none())
    };
    let lighter = LintRule::JUDGED.into_iter().filter(|rule| is_lighter(*rule));
    let lighter = lighter.map(|rule| format!("lint rule `{}` weighs less", rule.name()));
    let is_new = |exemption: &&Exemption| !old.exemptions.iter().any(|known| known.reaches(exemption));
    let new = new.exemptions.iter().filter(|exemption| exemption.is_about(is)).filter(is_new);
    lighter.chain(new.map(|exemption| format!("lint exempts {exemption}"))).collect()
}

impl LintRules {
    /// How severe the file says that a rule is in a stage, where it says so.
    #[must_use]
    pub fn severity(&self, rule: LintRule, stage: &Stage) -> Option<Severity> {
        let named = |name: &StageName| self.stages.get(name)?.get(&rule).copied();
        let own = named(&stage.name).or_else(|| stage.group.as_ref().and_then(named));
        own.or_else(|| self.rules.get(&rule).copied())
    }
}

impl LintRule {
    /// The rules by which a gate judges the files of a stage: those that need these files alone.
    pub const JUDGED: [Self; 4] = [Self::LatestTag, Self::MissingDigest, Self::MixedDigests, Self::UnreadPin];

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
    /// Whether it may take out what a gate of this stage would find.
    fn is_about(&self, stage: &Stage) -> bool {
        LintRule::JUDGED.contains(&self.rule)
            && stage.pins.iter().any(|target| self.covers(self.rule, &target.file, self.image.as_ref()))
    }

    /// Whether it is about the same as the other, and lasts as long.
    fn reaches(&self, other: &Self) -> bool {
        self.rule == other.rule
            && self.path == other.path
            && self.image == other.image
            && self.expires >= other.expires
    }

    /// Whether it is about this finding, whatever the day.
    #[must_use]
    pub fn covers(&self, rule: LintRule, file: &str, image: Option<&Repository>) -> bool {
        let is_file = self.path.as_ref().is_none_or(|glob| matches(glob.as_bytes(), file.as_bytes()));
        let is_image =
            self.image.as_ref().is_none_or(|wanted| image.is_some_and(|image| image.is_same(wanted)));
        self.rule == rule && is_file && is_image
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.rule.name())?;
        if let Some(path) = &self.path {
            write!(formatter, " in `{path}`")?;
        }
        if let Some(image) = &self.image {
            write!(formatter, " for `{image}`")?;
        }
        write!(formatter, " until {}", self.expires)
    }
}

/// Whether a path is what the pattern means: after each piece of it, the places in the path where it may stand.
fn matches(mut pattern: &[u8], path: &[u8]) -> bool {
    let mut before = vec![false; path.len() + 1];
    before[0] = true;
    while !pattern.is_empty() {
        let mut after = vec![false; path.len() + 1];
        let (piece, rest) = piece(pattern);
        let mut has_begun = false;
        for at in 0..=path.len() {
            let last = at.checked_sub(1).and_then(|last| path.get(last)).copied();
            let was = |places: &[bool]| at > 0 && places.get(at - 1).copied().unwrap_or_default();
            after[at] = match piece {
                Piece::Anything => before[at] || was(&after),
                Piece::Folders => before[at] || (has_begun && last == Some(b'/')),
                Piece::Name => before[at] || (was(&after) && last != Some(b'/')),
                Piece::One => was(&before) && last != Some(b'/'),
                Piece::Byte(byte) => was(&before) && last == Some(byte),
            };
            has_begun |= before[at];
        }
        (before, pattern) = (after, rest);
    }
    before.last().copied().unwrap_or_default()
}

/// A piece of a pattern.
#[derive(Clone, Copy)]
enum Piece {
    /// `**`.
    Anything,
    /// `**/`: nothing, or whole folders.
    Folders,
    /// `*`.
    Name,
    /// `?`.
    One,
    Byte(u8),
}

fn piece(pattern: &[u8]) -> (Piece, &[u8]) {
    match pattern {
        [b'*', b'*', b'/', rest @ ..] => (Piece::Folders, rest),
        [b'*', b'*', rest @ ..] => (Piece::Anything, rest),
        [b'*', rest @ ..] => (Piece::Name, rest),
        [b'?', rest @ ..] => (Piece::One, rest),
        [byte, rest @ ..] => (Piece::Byte(*byte), rest),
        [] => (Piece::Anything, &[]),
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
            ("a**c", "ab/c", true),
            ("**", "a/b", true),
            (".github/**", ".github/workflows/a.yml", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), want, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(
            "*a".repeat(200).as_bytes(),
            "a".repeat(400).repeat(2).replace("aaaa", "aab").as_bytes()
        ));
        assert!(!matches(("**a".repeat(150) + "b").as_bytes(), "a".repeat(4000).as_bytes()));
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
