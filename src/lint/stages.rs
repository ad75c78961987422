//! Which stages a file belongs to, and how severe a rule is there.

use std::collections::BTreeMap;

use crate::image::Repository;
use crate::pipeline::{Follow, LintRule, LintRules, Pipeline, Pipelines, Rule, Severity, Stage};

/// A stage that has pins in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'p> {
    pub(super) pipeline: &'p Pipeline,
    pub(super) stage: &'p Stage,
}

/// The stages by their files.
#[derive(Debug, Default)]
pub(super) struct Stages<'p> {
    rules: Option<&'p LintRules>,
    of_file: BTreeMap<&'p str, Vec<At<'p>>>,
}

impl<'p> Stages<'p> {
    pub(super) fn of(pipelines: Option<&'p Pipelines>) -> Self {
        let mut stages = Self { rules: pipelines.map(|all| &all.lint), of_file: BTreeMap::new() };
        for pipeline in pipelines.iter().flat_map(|all| &all.pipelines) {
            for stage in &pipeline.stages {
                for pin in &stage.pins {
                    let at = stages.of_file.entry(&pin.file).or_default();
                    if !at.iter().any(|known| std::ptr::eq(known.stage, stage)) {
                        at.push(At { pipeline, stage });
                    }
                }
            }
        }
        stages
    }

    pub(super) fn of_file(&self, file: &str) -> &[At<'p>] {
        self.of_file.get(file).map_or(&[], Vec::as_slice)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&'p str, &[At<'p>])> {
        self.of_file.iter().map(|(file, at)| (*file, at.as_slice()))
    }

    /// How severe the rule is in a file of these stages, and the stage that says so.
    pub(super) fn severity(&self, rule: LintRule, at: &[At<'p>]) -> (Severity, Option<String>) {
        let each = at.iter().map(|at| (self.of_stage(rule, at), Some(at.name())));
        // The first of the most severe ones.
        let worst = each.reduce(|one, other| if other.0 > one.0 { other } else { one });
        worst.unwrap_or_else(|| (self.everywhere(rule).unwrap_or_else(|| elsewhere(rule)), None))
    }

    fn of_stage(&self, rule: LintRule, at: &At<'_>) -> Severity {
        let said = self.rules.and_then(|rules| rules.severity(rule, at.stage));
        said.unwrap_or_else(|| default(rule, at))
    }

    fn everywhere(&self, rule: LintRule) -> Option<Severity> {
        self.rules.and_then(|rules| rules.rules.get(&rule)).copied()
    }
}

impl At<'_> {
    /// `pipeline/stage`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.pipeline.name, self.stage.name)
    }

    /// Whether the pipeline promotes this image.
    pub(super) fn promotes(&self, image: &Repository) -> bool {
        self.pipeline.images.iter().any(|rule| rule.repository.is_same(image))
    }

    /// Whether the pipeline follows a tag that moves, for this image: that it moved on is what it is for.
    pub(super) fn follows_moving_tag(&self, image: &Repository) -> bool {
        let own = self.pipeline.images.iter().find(|rule| rule.repository.is_same(image));
        own.is_some_and(|own| is_moving(&own.follow))
    }

    fn is_gated(&self) -> bool {
        self.stage.gates.approvals.is_some() || !self.stage.after.is_empty()
    }
}

fn is_moving(follow: &Follow) -> bool {
    matches!(follow.rule, Rule::Tag(_))
}

/// In a stage: errors where a gate stands before it, else warnings.
fn default(rule: LintRule, at: &At<'_>) -> Severity {
    match rule {
        LintRule::ExpiredExemption => Severity::Error,
        LintRule::UnusedExemption | LintRule::LatestInCi => Severity::Warning,
        _ if at.is_gated() => Severity::Error,
        LintRule::LatestTag
        | LintRule::MissingDigest
        | LintRule::PlatformDigest
        | LintRule::DigestNotFound
        | LintRule::TagMoved
        | LintRule::MixedDigests
        | LintRule::UnreadPin => Severity::Warning,
    }
}

/// In files of no stage.
fn elsewhere(rule: LintRule) -> Severity {
    match rule {
        LintRule::ExpiredExemption => Severity::Error,
        LintRule::MissingDigest | LintRule::UnreadPin => Severity::Off,
        LintRule::LatestTag
        | LintRule::PlatformDigest
        | LintRule::DigestNotFound
        | LintRule::TagMoved
        | LintRule::MixedDigests
        | LintRule::LatestInCi
        | LintRule::UnusedExemption => Severity::Warning,
    }
}
