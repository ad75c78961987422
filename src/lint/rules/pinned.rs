//! Rules over the pins of whole stages: files that say nothing, and images with several digests.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::{Digest, Repository};
use crate::lint::mention::Mention;
use crate::lint::stages::At;
use crate::lint::survey::Survey;
use crate::pipeline::{LintRule, Pipeline, Severity, Stage};

use super::{Found, Rules, advice, in_rules, shown};

/// A pin of a stage.
#[derive(Clone, Copy)]
struct Pin<'c> {
    survey: &'c Survey,
    mention: &'c Mention,
    stage: &'c Stage,
    digest: Digest,
}

pub(super) fn stages(rules: &mut Rules<'_>) {
    let checkout = rules.checkout;
    let missing: BTreeSet<&str> = checkout.missing.iter().map(String::as_str).collect();
    let surveys: BTreeMap<&str, &Survey> =
        checkout.surveys.iter().map(|survey| (survey.file.as_str(), survey)).collect();
    let files: Vec<(&str, Vec<At<'_>>)> =
        rules.stages.files().map(|(file, at)| (file, at.to_vec())).collect();
    for (file, at) in files {
        match surveys.get(file) {
            Some(survey) if survey.is_asked => unread(rules, survey, &at),
            None if missing.contains(file) && checkout.is_whole => {
                let message = format!(
                    "`{}` of {} is not there",
                    shown(file),
                    at.first().map_or_else(String::new, At::name)
                );
                file_finding(rules, message, in_rules(1), &at);
            }
            Some(_) | None => {}
        }
    }
    for pipeline in checkout.rules.iter().flat_map(|rules| &rules.pipelines) {
        mixed(rules, pipeline, &surveys);
    }
}

fn file_finding(rules: &mut Rules<'_>, message: String, place: (&str, crate::lint::Region), at: &[At<'_>]) {
    let rule = LintRule::UnreadPin;
    let (file, region) = place;
    let found = Found { rule, file, region, mention: None, message, next: advice(rule) };
    rules.add(found, at, Severity::Error);
}

/// What cannot be read in the file of a stage. A single place is a warning: the pins around it are checked.
fn unread(rules: &mut Rules<'_>, survey: &Survey, at: &[At<'_>]) {
    for unread in &survey.unread {
        let place = unread.path.as_ref().map_or_else(String::new, |path| format!("`{}`: ", shown(path)));
        let rule = LintRule::UnreadPin;
        let message = format!("{place}{}", shown(&unread.reason));
        let (file, region) = (survey.file.as_str(), unread.region);
        let most = if unread.path.is_some() { Severity::Warning } else { Severity::Error };
        rules.add(Found { rule, file, region, mention: None, message, next: advice(rule) }, at, most);
    }
    for at in at.iter().filter(|_| survey.unread.is_empty()) {
        let is_pin = |mention: &&Mention| is_pin_of(at.stage, survey, mention);
        let mut images = survey.mentions.iter().filter(is_pin).filter_map(|mention| mention.image.as_ref());
        if !images.any(|image| at.promotes(image)) {
            let message = format!("it has no pin of the images of {}", at.name());
            let region = crate::lint::Region { line: 1, column: 1, end_column: 1 };
            file_finding(rules, message, (&survey.file, region), &[*at]);
        }
    }
}

/// Whether the stage means this place of the file.
fn is_pin_of(stage: &Stage, survey: &Survey, mention: &Mention) -> bool {
    let mut targets = stage.pins.iter().filter(|target| target.file == survey.file);
    targets.any(|target| {
        let place = mention.place.as_ref().map(|(_, path)| path.as_str());
        target.path.is_none() || target.path.as_deref() == place
    })
}

/// Images with several digests in one stage, or across a group.
fn mixed(rules: &mut Rules<'_>, pipeline: &Pipeline, surveys: &BTreeMap<&str, &Survey>) {
    for image in pipeline.images.iter().map(|rule| &rule.repository) {
        let mut groups: BTreeMap<&str, Vec<Pin<'_>>> = BTreeMap::new();
        for stage in &pipeline.stages {
            let pins = pins(stage, image, surveys);
            if let Some(other) = other(&pins) {
                tell(rules, pipeline, other, &pins, (stage.name.as_str(), Severity::Error));
            } else if let Some(group) = &stage.group {
                groups.entry(group.as_str()).or_default().extend(pins);
            }
        }
        for (group, pins) in groups {
            if let Some(other) = other(&pins) {
                // Regions get a release one after another: a promotion on its way looks like this, too.
                tell(rules, pipeline, other, &pins, (group, Severity::Warning));
            }
        }
    }
}

fn pins<'c>(stage: &'c Stage, image: &Repository, surveys: &BTreeMap<&str, &'c Survey>) -> Vec<Pin<'c>> {
    let files: BTreeSet<&str> = stage.pins.iter().map(|target| target.file.as_str()).collect();
    let surveys = files.into_iter().filter_map(|file| surveys.get(file).copied());
    let pins = surveys.flat_map(|survey| {
        let is_pin = move |mention: &&Mention| is_pin_of(stage, survey, mention);
        survey.mentions.iter().filter(is_pin).filter_map(move |mention| {
            let is_own = mention.image.as_ref().is_some_and(|found| found.is_same(image));
            Some(Pin { survey, mention, stage, digest: mention.digest.filter(|_| is_own)? })
        })
    });
    pins.collect()
}

/// The first pin with another digest than the first one.
fn other<'c>(pins: &[Pin<'c>]) -> Option<Pin<'c>> {
    let first = pins.first()?.digest;
    pins.iter().copied().find(|pin| pin.digest != first)
}

fn tell(
    rules: &mut Rules<'_>,
    pipeline: &Pipeline,
    other: Pin<'_>,
    pins: &[Pin<'_>],
    (name, most): (&str, Severity),
) {
    if !pins.iter().any(|pin| pin.survey.is_asked) {
        return;
    }
    let mut of_digest: BTreeMap<Digest, Pin<'_>> = BTreeMap::new();
    for pin in pins.iter().rev() {
        of_digest.insert(pin.digest, *pin);
    }
    let mut places: Vec<String> = of_digest
        .values()
        .map(|pin| {
            format!("{} in {}:{}", pin.digest.short(), shown(&pin.survey.file), pin.mention.region.line)
        })
        .collect();
    places.sort();
    let image = other.mention.image.as_ref().map_or("", |image| image.as_str());
    let message = format!(
        "`{image}` has {} digests in {}/{name}: {}",
        of_digest.len(),
        pipeline.name,
        places.join(", ")
    );
    let rule = LintRule::MixedDigests;
    let (file, region) = (other.survey.file.as_str(), other.mention.region);
    let at = [At { pipeline, stage: other.stage }];
    let found = Found { rule, file, region, mention: Some(other.mention), message, next: advice(rule) };
    rules.add(found, &at, most);
}
