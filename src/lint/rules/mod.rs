//! The rules, each over the surveys and the facts.

mod registry;
mod pinned;

use crate::image::Reference;
use crate::manifest::Form;
use crate::pipeline::{FILE_NAME, LintRule, Severity};

use super::facts::{Facts, Question};
use super::kustomize::{Gives, Overlays};
use super::mention::{Mention, Source, Untagged};
use super::place::Region;
use super::stages::{At, Stages};
use super::{Asks, Checkout, Finding, Fix, Report, Survey, Terms, help};

/// What all rules look at.
struct Rules<'c> {
    checkout: &'c Checkout,
    stages: Stages<'c>,
    overlays: Overlays<'c>,
    facts: &'c Facts,
    report: Report,
}

/// What is still to be asked.
pub(super) fn questions(checkout: &Checkout, terms: Terms, facts: &Facts) -> Vec<Question> {
    if terms.asks == Asks::Nothing {
        return Vec::new();
    }
    let overlays = overlays(checkout);
    let mut wanted: Vec<Question> = Vec::new();
    for survey in checkout.surveys.iter().filter(|survey| survey.is_asked) {
        let mentions = survey.mentions.iter().filter(|mention| !is_renamed(&overlays, survey, mention));
        wanted.extend(mentions.filter_map(|mention| registry::question(mention, facts)));
    }
    if terms.asks == Asks::Fix {
        let fixes = checkout.judge(terms, facts).findings.into_iter().filter_map(|finding| finding.fix);
        wanted.extend(fixes.filter_map(|fix| Some(Question::Named(fix.repository.clone(), fix.asked()?))));
    }
    facts.open(wanted.into_iter())
}

/// All findings, exempted ones too.
pub(super) fn judge(checkout: &Checkout, terms: Terms, facts: &Facts) -> Report {
    let is_offline = terms.asks == Asks::Nothing;
    let mut rules = Rules {
        checkout,
        stages: Stages::of(checkout.rules.as_ref()),
        overlays: overlays(checkout),
        facts,
        report: Report { is_offline, ..Report::default() },
    };
    for survey in checkout.surveys.iter().filter(|survey| survey.is_asked) {
        let at = rules.stages.of_file(&survey.file).to_vec();
        for mention in &survey.mentions {
            rules.report.references += 1;
            if is_renamed(&rules.overlays, survey, mention) {
                // What is pulled is of another repository: the digest of this one would be a wrong one there.
                rules.reference(survey, &Mention { place: None, ..mention.clone() }, &at);
                continue;
            }
            rules.reference(survey, mention, &at);
            if !is_offline {
                registry::mention(&mut rules, survey, mention, &at);
            }
        }
    }
    pinned::stages(&mut rules);
    rules.report
}

fn overlays(checkout: &Checkout) -> Overlays<'_> {
    let surveys = checkout.surveys.iter();
    Overlays::of(surveys.filter_map(|survey| Some((survey.file.as_str(), survey.kustomization.as_ref()?))))
}

/// Whether a kustomization makes another repository of what is written.
fn is_renamed(overlays: &Overlays<'_>, survey: &Survey, mention: &Mention) -> bool {
    matches!(mention.source, Source::Manifest(_)) && overlays.renames(&survey.file, name(mention))
}

/// The name of an image as written, by which kustomizations know it.
fn name(mention: &Mention) -> &str {
    mention.image.as_ref().map_or("", |image| image.as_str())
}

/// A finding before its severity is known.
struct Found<'f> {
    rule: LintRule,
    file: &'f str,
    region: Region,
    mention: Option<&'f Mention>,
    message: String,
    next: String,
}

impl Rules<'_> {
    /// Adds a finding where its rule is not off.
    fn add(&mut self, found: Found<'_>, at: &[At<'_>], severity_max: Severity) {
        let (severity, stage) = self.severity(found.rule, at);
        let severity = severity.min(severity_max);
        if severity == Severity::Off {
            return;
        }
        let Found { rule, file, region, mention, message, next } = found;
        let can_fix = matches!(rule, LintRule::LatestTag | LintRule::MissingDigest | LintRule::LatestInCi);
        self.report.findings.push(Finding {
            rule,
            severity,
            file: file.to_owned(),
            region,
            message,
            next,
            image: mention.and_then(|mention| mention.image.clone()),
            stage,
            fingerprint: String::new(),
            fix: mention.filter(|_| can_fix).and_then(fix),
        });
    }

    fn severity(&self, rule: LintRule, at: &[At<'_>]) -> (Severity, Option<String>) {
        self.stages.severity(rule, at)
    }

    /// The rules that need the file alone.
    fn reference(&mut self, survey: &Survey, mention: &Mention, at: &[At<'_>]) {
        let is_of_stage = !at.is_empty();
        let is_pulled_by_ci = match mention.source {
            Source::Manifest(Form::Compose) => !is_of_stage,
            Source::Manifest(_) => false,
            Source::Ci | Source::Dockerfile | Source::Script => true,
        };
        let gives = match mention.source {
            Source::Manifest(_) if mention.digest.is_none() => self.given(survey, mention),
            Source::Manifest(_) | Source::Ci | Source::Dockerfile | Source::Script => Gives::Nothing,
        };
        if mention.means_latest() && gives == Gives::Nothing {
            let rule = if is_pulled_by_ci { LintRule::LatestInCi } else { LintRule::LatestTag };
            if self.severity(rule, at).0 > Severity::Off {
                let (message, next) = latest(mention);
                let found = Found {
                    rule,
                    file: &survey.file,
                    region: mention.region,
                    mention: Some(mention),
                    message,
                    next,
                };
                return self.add(found, at, Severity::Error);
            }
        }
        if mention.digest.is_none() && !is_pulled_by_ci && gives < Gives::Digest {
            let found = Found {
                rule: LintRule::MissingDigest,
                file: &survey.file,
                region: mention.region,
                mention: Some(mention),
                message: format!("`{}` has no digest: its tag can be moved", shown(&mention.text)),
                next: pin_it(mention),
            };
            self.add(found, at, Severity::Error);
        }
    }

    /// What the kustomizations around the file give to a reference, by its name as written.
    fn given(&self, survey: &Survey, mention: &Mention) -> Gives {
        self.overlays.gives(&survey.file, name(mention))
    }
}

fn latest(mention: &Mention) -> (String, String) {
    let text = shown(&mention.text);
    let message = match mention.tag {
        Some(_) => format!("`{text}` moves with every push: what is pulled is not what was reviewed"),
        None => format!("`{text}` has no tag and means `latest`, which moves with every push"),
    };
    (message, pin_it(mention))
}

fn pin_it(mention: &Mention) -> String {
    match fix(mention) {
        Some(_) => "pin it: lockkeeper lint --fix, or name a version and its digest".to_owned(),
        None => "name a version and its digest, `TAG@sha256:…`; lockkeeper resolve prints it".to_owned(),
    }
}

/// How the place can be pinned to what its tag names.
fn fix(mention: &Mention) -> Option<Fix> {
    let is_known = mention.tag.is_some() || mention.untagged == Untagged::Latest;
    let repository = mention.image.clone().filter(|_| is_known && mention.digest.is_none())?;
    Some(Fix { place: mention.place.clone()?, repository, tag: mention.tag.clone() })
}

/// A reference as messages repeat it: nothing that acts on a terminal, and not without end.
fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if crate::pipeline::is_hidden(c) || c == '`' { '?' } else { c });
    clean.take(300).collect()
}

/// The reference with its digest cut short.
fn short(mention: &Mention) -> String {
    let Some((image, digest)) = mention.image.clone().zip(mention.digest) else {
        return shown(&mention.text);
    };
    let bare = Reference { repository: image, tag: mention.tag.clone(), digest: None };
    format!("{bare}@{}", digest.short())
}

/// The place in `lockkeeper.yaml` that stands for what is not in any file.
fn in_rules(line: usize) -> (&'static str, Region) {
    (FILE_NAME, Region { line, column: 1, end_column: 1 })
}

/// What the rule advises everywhere.
fn advice(rule: LintRule) -> String {
    help(rule).next.to_owned()
}
