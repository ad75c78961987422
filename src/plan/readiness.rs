//! Whether what is live, and what would be gone back to, is in the registry: what the probes said, for record and people.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::candidate::minute;
use super::effect::{Gate, HoldReason, Plan};
use super::rollback_ready;
use super::snapshot::{Answer, Question, Snapshot};
use crate::image::{Digest, Release, Repository};
use crate::pipeline::Stage;
use crate::promotion::{self, Event, Stint};

/// What is known of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It was not asked for yet.
    Unprobed,
    /// The registry gives no answer.
    Unknown(Timestamp),
    /// The registry says that it is not there.
    Missing,
    /// It is there.
    Ready {
        /// On so many platforms, over all its images.
        platforms: usize,
        /// Whether each image has its anchor.
        is_protected: bool,
    },
}

/// The release that is live in a stage, the one that a rollback should go to, where that is missing the one that it would
/// go to instead, and where a gate asks for it the one after what is proposed; each with what people call it.
pub(super) fn needed<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Vec<(&'a Stint, &'static str)> {
    let live = snapshot.state.live(&stage.name).map(|stint| (stint, "live image"));
    let best = back(snapshot, stage, &[]);
    let next =
        target(snapshot, stage).filter(|next| best.is_some_and(|best| !best.release.is_same(&next.release)));
    let after = rollback_ready::target(snapshot, stage);
    let best = best.map(|stint| (stint, "rollback target"));
    let next = next.map(|stint| (stint, "next rollback target"));
    let mut found: Vec<_> = live.into_iter().chain(best).chain(next).collect();
    if let Some(after) =
        after.filter(|after| found.iter().all(|(stint, _)| !stint.release.is_same(&after.release)))
    {
        found.push((after, "rollback target after the open promotion"));
    }
    found
}

/// Where a rollback of the stage would go: past what is known to be missing, as the command does, if there is anything
/// behind it.
pub(super) fn target<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Option<&'a Stint> {
    let state = snapshot.state.stage(&stage.name)?;
    let missing: Vec<Digest> = state.missing.iter().map(|known| known.digest).collect();
    back(snapshot, stage, &missing).or_else(|| back(snapshot, stage, &[]))
}

fn back<'a>(snapshot: &'a Snapshot, stage: &Stage, absent: &[Digest]) -> Option<&'a Stint> {
    promotion::target(&snapshot.state, &snapshot.pipeline, &stage.name, None, absent).ok()
}

/// What registries are to be asked, now and then, for this pipeline.
#[must_use]
pub fn questions(snapshot: &Snapshot) -> BTreeSet<Question> {
    let mut found = BTreeSet::new();
    for stage in &snapshot.pipeline.stages {
        for (stint, _) in needed(snapshot, stage) {
            for (repository, pinned) in stint.release.images() {
                found.insert(Question::Image(repository.clone(), pinned.digest));
            }
        }
        for tag in stage.channels() {
            let repositories = snapshot.pipeline.images.iter().map(|rule| rule.repository.clone());
            let written = repositories.filter(|name| snapshot.state.tags.get(name, tag).is_some());
            found.extend(written.map(|repository| Question::Channel(repository, tag.clone())));
        }
    }
    found
}

/// Records what went missing, and what is there again.
pub(super) fn record(snapshot: &Snapshot, plan: &mut Plan) {
    for stage in &snapshot.pipeline.stages {
        let mut told = BTreeSet::new();
        for (stint, _) in needed(snapshot, stage) {
            for (repository, pinned) in stint.release.images() {
                if told.insert((repository, pinned.digest))
                    && let Some(event) = change(snapshot, stage, repository, pinned.digest)
                {
                    plan.record(snapshot.now, event);
                }
            }
        }
    }
}

fn change(snapshot: &Snapshot, stage: &Stage, repository: &Repository, digest: Digest) -> Option<Event> {
    let probed = snapshot.probes.get(&Question::Image(repository.clone(), digest))?;
    let state = snapshot.state.stage(&stage.name)?;
    let (_, answer) = probed.answer.as_ref().filter(|_| probed.silent.is_none())?;
    let (stage, repository) = (stage.name.clone(), repository.clone());
    match (answer, state.missing(&repository, digest)) {
        (Answer::Missing(what), None) => {
            Some(Event::Missing { stage, repository, digest, what: what.clone() })
        }
        (Answer::Present(_), Some(_)) => Some(Event::Found { stage, repository, digest }),
        (Answer::Missing(_), Some(_)) | (Answer::Present(_), None) | (Answer::Names(_), _) => None,
    }
}

/// Says what is missing.
pub(super) fn holds(snapshot: &Snapshot, plan: &mut Plan) {
    for stage in &snapshot.pipeline.stages {
        let Some(state) = snapshot.state.stage(&stage.name) else { continue };
        for (stint, role) in needed(snapshot, stage) {
            for (repository, pinned) in stint.release.images() {
                let Some(missing) = state.missing(repository, pinned.digest) else { continue };
                let probed = snapshot.probes.get(&Question::Image(repository.clone(), pinned.digest));
                let silent = probed.and_then(|probed| probed.silent.as_ref());
                let now = silent.map_or_else(String::new, |(since, _)| {
                    format!("; the registry does not answer since {}, so this is unknown now", minute(*since))
                });
                let text = format!(
                    "{role} {} is not in the registry: {} is missing since {}{now}",
                    stint.release.version(),
                    missing.what,
                    minute(missing.since)
                );
                let who = "whoever can push it again, by the same digest";
                plan.holds.push(HoldReason::new(&stage.name, Gate::Missing, text).who(who));
            }
        }
    }
}

/// What is known of a release.
pub(super) fn readiness(snapshot: &Snapshot, release: &Release) -> Readiness {
    let (mut platforms, mut is_missing, mut is_unprobed) = (0, false, false);
    let mut silent: Option<Timestamp> = None;
    for (repository, pinned) in release.images() {
        let question = Question::Image(repository.clone(), pinned.digest);
        let Some(probed) = snapshot.probes.get(&question) else { return Readiness::Unprobed };
        silent = silent.into_iter().chain(probed.silent.as_ref().map(|(since, _)| *since)).min();
        match &probed.answer {
            Some((_, Answer::Present(count))) => platforms += count,
            Some((_, Answer::Missing(_))) => is_missing = true,
            Some((_, Answer::Names(_))) | None => is_unprobed = true,
        }
    }
    let is_anchored = |(repository, pinned): (&Repository, &crate::image::Pinned)| {
        snapshot.state.tags.is_anchored(repository, pinned.digest)
    };
    match silent {
        Some(since) => Readiness::Unknown(since),
        None if is_missing => Readiness::Missing,
        None if is_unprobed => Readiness::Unprobed,
        None => Readiness::Ready { platforms, is_protected: release.images().all(is_anchored) },
    }
}

impl Readiness {
    /// The words for people; nothing where nothing is known.
    pub(super) fn words(self) -> String {
        match self {
            Self::Unprobed => String::new(),
            Self::Unknown(since) => format!("unknown since {}", minute(since)),
            Self::Missing => "missing in the registry".to_owned(),
            Self::Ready { platforms, is_protected } => {
                let protection = if is_protected { "protected" } else { "probed, not protected" };
                format!("available, {platforms} of {platforms} platforms, {protection}")
            }
        }
    }

    /// The same behind a sentence of Markdown.
    pub(super) fn said(self) -> String {
        match self {
            Self::Unprobed => String::new(),
            Self::Missing => format!(" · ▲ **{}**", self.words()),
            Self::Unknown(_) | Self::Ready { .. } => format!(" · {}", self.words()),
        }
    }
}
