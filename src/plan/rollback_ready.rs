//! Whether there is a way back from what is about to be merged: what a rollback would go to then, which is mostly what is
//! live now, is in the registry with all its platforms, and has its anchor where somebody may set one.
//!
//! The probes say so, and what they do not know shuts the gate. Where nothing ever was in the stage there is no way back to
//! keep, so its first release goes in.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::candidate::{later, minute};
use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::readiness::readiness;
use super::snapshot::{Answer, Probed, Question, Snapshot};
use super::tags::resting;
use crate::image::{Digest, Release, Repository, Tag};
use crate::pipeline::Stage;
use crate::promotion::{self, Lane, Proposal, Stint};

/// Who can bring back what is gone.
const PUSHERS: &str = "whoever can push it again, by the same digest";

/// What is wrong with the way back.
struct Trouble {
    text: String,
    who: Option<&'static str>,
    opens_at: Option<Timestamp>,
}

/// The merge gate.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if !stage.gates.rollback_ready {
        return;
    }
    let back = promotion::target_after(&snapshot.state, &snapshot.pipeline, &stage.name, &proposal.release);
    let release = match back {
        Ok(Some(stint)) => &stint.release,
        Ok(None) => {
            let text =
                "nothing was here before that a rollback could go to: it is the first release of this stage";
            gates.open(Gate::RollbackReady, text);
            return;
        }
        Err(error) => {
            let text = format!("there would be no way back: {error}");
            gates.shut(HoldReason::new(&stage.name, Gate::RollbackReady, text).who("owner"));
            return;
        }
    };
    let version = release.version();
    let Some(Trouble { text, who, opens_at }) = trouble(snapshot, release) else {
        let words = readiness(snapshot, release).words();
        gates.open(Gate::RollbackReady, format!("a rollback would go to {version}: {words}"));
        return;
    };
    let text = format!("a rollback would go to {version}, and {text}");
    let mut hold = HoldReason::new(&stage.name, Gate::RollbackReady, text);
    (hold.who, hold.opens_at) = (who.map(str::to_owned), opens_at);
    gates.shut(hold);
}

/// Where a rollback would go after the promotion that is under way, where the gate asks for that.
pub(super) fn target<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Option<&'a Stint> {
    let proposal = snapshot.state.proposal(&stage.name)?;
    if !stage.gates.rollback_ready || proposal.lane != Lane::Normal {
        return None;
    }
    let (state, pipeline) = (&snapshot.state, &snapshot.pipeline);
    promotion::target_after(state, pipeline, &stage.name, &proposal.release).ok().flatten()
}

/// What a gate waits for that was never asked, or too long ago: it is asked for at once. What the registry gives no answer to
/// is asked again in its own time.
#[must_use]
pub fn unanswered(snapshot: &Snapshot) -> BTreeSet<Question> {
    let targets = snapshot.pipeline.stages.iter().filter_map(|stage| target(snapshot, stage));
    let images = targets.flat_map(|stint| stint.release.images());
    let questions = images.map(|(repository, pinned)| Question::Image(repository.clone(), pinned.digest));
    questions.filter(|question| is_unanswered(snapshot, snapshot.probes.get(question))).collect()
}

fn is_unanswered(snapshot: &Snapshot, probed: Option<&Probed>) -> bool {
    let Some(probed) = probed else { return true };
    probed.silent.is_none() && probed.answer.as_ref().is_none_or(|(at, _)| is_stale(snapshot, *at))
}

fn is_stale(snapshot: &Snapshot, at: Timestamp) -> bool {
    later(at, snapshot.settings.probes_count_for) < snapshot.now
}

/// What is wrong with the first image of a release of which not all is well.
fn trouble(snapshot: &Snapshot, release: &Release) -> Option<Trouble> {
    let gone = release.images().find_map(|(repository, pinned)| {
        let probed = snapshot.probes.get(&Question::Image(repository.clone(), pinned.digest));
        let (text, who) = absent(snapshot, repository, probed)?;
        Some(Trouble { text, who, opens_at: None })
    });
    gone.or_else(|| {
        release.images().find_map(|(repository, pinned)| unprotected(snapshot, repository, pinned.digest))
    })
}

/// Why an image is not known to be in the registry, and who can act.
fn absent(
    snapshot: &Snapshot,
    repository: &Repository,
    probed: Option<&Probed>,
) -> Option<(String, Option<&'static str>)> {
    let unknown = |why: String| Some((format!("whether {repository} has it is not known: {why}"), None));
    let Some(probed) = probed else { return unknown("it was not looked for yet".to_owned()) };
    if let Some((since, why)) = &probed.silent {
        return unknown(format!("the registry gives no answer since {} ({why})", minute(*since)));
    }
    match &probed.answer {
        None | Some((_, Answer::Names(_))) => unknown("it was not looked for yet".to_owned()),
        Some((_, Answer::Missing(what))) => {
            Some((format!("{what} is not in the registry: push it again, by the same digest"), Some(PUSHERS)))
        }
        Some((at, Answer::Present(_))) if is_stale(snapshot, *at) => {
            unknown(format!("it was looked for last at {}", minute(*at)))
        }
        Some((_, Answer::Present(_))) => None,
    }
}

/// Why an image has no anchor, where somebody may set one.
fn unprotected(snapshot: &Snapshot, repository: &Repository, digest: Digest) -> Option<Trouble> {
    if snapshot.state.tags.is_anchored(repository, digest) {
        return None;
    }
    let tag = Tag::anchor(digest);
    let failed = resting(snapshot, repository, &tag);
    let (why, opens_at) = match (snapshot.tagging.get(repository), failed) {
        (Some(Ok(false)), _) => return None,
        (Some(Ok(true)), Some((why, again_at))) => (format!("is not set: {why}"), Some(*again_at)),
        (Some(Ok(true)), None) => ("is not set yet".to_owned(), None),
        (Some(Err(why)), _) => (format!("is not set: {why}"), None),
        (None, _) => ("is not known to be set".to_owned(), None),
    };
    let text = format!("its anchor tag {repository}:{tag} {why}");
    Some(Trouble { text, who: None, opens_at })
}
