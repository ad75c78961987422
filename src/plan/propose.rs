//! A stage without an open pull request: what it should get, and the entry gates before it.

use super::candidate::{self, Candidate};
use super::effect::{Effect, Gate, HoldReason, Open, Plan};
use super::fitness;
use super::messages;
use super::pins::{self, Pins};
use super::reviewers;
use super::snapshot::{FileState, Snapshot};
use super::step::is_rolling_back;
use super::upstream::{self, Passed};
use super::{age, gates, healthy, hotfix};
use crate::image::Release;
use crate::pipeline::Stage;
use crate::promotion::{Actor, Event, Lane, Proposal, Request};

/// What a stage should get next.
#[derive(Debug, Clone)]
struct Wanted {
    lane: Lane,
    release: Release,
    requested_by: Option<Actor>,
    reason: Option<String>,
}

impl Wanted {
    fn of(request: &Request) -> Self {
        Self {
            lane: request.lane,
            release: request.release.clone(),
            requested_by: Some(request.by.clone()),
            reason: request.reason.clone(),
        }
    }
}

/// Whether a person asked for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The follow rule or the upstream stages brought it.
    ByNobody,
    /// A person did: that starts the pipeline as well.
    ByPerson,
}

/// No pull request is open: one is opened, or a hold says why not.
pub(super) fn propose(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    if snapshot.file == FileState::Removed {
        return;
    }
    let pinned = match pinned(snapshot, stage) {
        Ok(pinned) => pinned,
        Err(hold) => {
            plan.holds.push(hold);
            return;
        }
    };
    match wanted(snapshot, stage, pinned.as_ref()) {
        Ok(Some(wanted)) => {
            if wanted.requested_by.is_none() {
                plan.holds.extend(candidate::waiting(snapshot, stage, pinned.as_ref()));
            }
            open(snapshot, stage, pinned, wanted, plan);
        }
        Ok(None) => {}
        Err(hold) => plan.holds.push(hold),
    }
}

/// An intent whose pull request is not open yet: it goes on only if it is what would be wanted now.
pub(super) fn go_on_or_abandon(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, plan: &mut Plan) {
    let pinned = match pinned(snapshot, stage) {
        Ok(pinned) => pinned,
        Err(hold) => {
            plan.holds.push(hold);
            return;
        }
    };
    let is_wanted = snapshot.file != FileState::Removed
        && matches!(wanted(snapshot, stage, pinned.as_ref()), Ok(Some(wanted))
            if wanted.lane == proposal.lane && wanted.release.is_same(&proposal.release));
    let before = plan.effects.len();
    if is_wanted {
        resume_open(snapshot, stage, proposal, plan);
    }
    if plan.effects.len() == before {
        let (stage, attempt) = (stage.name.clone(), proposal.attempt);
        plan.record(snapshot.now, Event::Abandoned { stage, attempt });
    }
}

/// What a stage pins now, for what is to be proposed; a rollback goes over pins that disagree, from what was recorded.
fn pinned(snapshot: &Snapshot, stage: &Stage) -> Result<Option<Release>, HoldReason> {
    match snapshot.pins(stage) {
        Pins::Release(release) => Ok(Some(release)),
        Pins::Unpinned(_) => Ok(None),
        Pins::Mixed(_) if is_rolling_back(snapshot, stage) => {
            Ok(snapshot.state.live(&stage.name).map(|live| live.release.clone()))
        }
        Pins::Mixed(text) => {
            Err(HoldReason::new(&stage.name, Gate::Pins, format!("pins disagree: {text}")).who("write"))
        }
        Pins::Unreadable(text) => Err(HoldReason::new(&stage.name, Gate::Pins, text).who("write")),
    }
}

/// What the stage should get: what a person asked for, else its candidate, where the entry gates are open.
fn wanted(
    snapshot: &Snapshot,
    stage: &Stage,
    pinned: Option<&Release>,
) -> Result<Option<Wanted>, HoldReason> {
    let request = snapshot.state.stage(&stage.name).and_then(|state| state.request.as_ref());
    if let Some(request) = request.filter(|request| request.lane == Lane::Rollback) {
        if let Some(veto) = snapshot.state.veto(&snapshot.pipeline, &stage.name, &request.release) {
            return Err(messages::vetoed(stage, &request.release, veto));
        }
        return Ok(Some(Wanted::of(request)));
    }
    if let FileState::Broken { .. } = snapshot.file {
        return Err(file_hold(snapshot, stage));
    }
    if let Some(hold) = gates::hold_of_stage(snapshot, stage) {
        return Err(hold);
    }
    // A request for what was vetoed since is over.
    let request = request
        .filter(|request| snapshot.state.veto(&snapshot.pipeline, &stage.name, &request.release).is_none());
    if let Some(request) = request.filter(|request| request.lane == Lane::Hotfix) {
        return match hotfix::entry_hold(snapshot, stage, &request.release) {
            Some(hold) => Err(hold),
            None => Ok(Some(Wanted::of(request))),
        };
    }
    let wanted = match request {
        Some(request) => Wanted::of(request),
        None => match candidate::candidate(snapshot, stage, pinned) {
            Candidate::Release(release) => {
                Wanted { lane: Lane::Normal, release, requested_by: None, reason: None }
            }
            Candidate::UpToDate => return Ok(None),
            Candidate::Held(hold) => return Err(hold),
        },
    };
    let asked = if request.is_some() { Asked::ByPerson } else { Asked::ByNobody };
    match entry_hold(snapshot, stage, &wanted.release, asked) {
        Some(hold) => Err(hold),
        None => Ok(Some(wanted)),
    }
}

/// The entry gate that keeps this release from being proposed.
pub(super) fn entry_hold(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    asked: Asked,
) -> Option<HoldReason> {
    if !snapshot.state.started && asked == Asked::ByNobody {
        let text = format!(
            "{} is ready; the pipeline has not been started: `/promote` in its operations issue, or `start: now`",
            release.version()
        );
        return Some(HoldReason::new(&stage.name, Gate::Start, text).who("owner"));
    }
    if let Some(hold) = candidate::stopped(snapshot, stage, release) {
        return Some(hold);
    }
    if !stage.after.is_empty() {
        match upstream::passed(snapshot, stage, release) {
            Passed::Soaks(hold) | Passed::Stopped(hold) => return Some(hold),
            Passed::No => {
                let text = format!("{} has not passed upstream", release.version());
                return Some(HoldReason::new(&stage.name, Gate::Upstream, text));
            }
            Passed::Yes => {}
        }
    }
    let sick = || healthy::hold(snapshot, stage, release);
    age::hold(snapshot, stage, release).or_else(sick).or_else(|| fitness::unfit(snapshot, stage, release))
}

pub(super) fn file_hold(snapshot: &Snapshot, stage: &Stage) -> HoldReason {
    HoldReason::new(&stage.name, Gate::File, messages::broken_file(snapshot)).who("write")
}

fn open(snapshot: &Snapshot, stage: &Stage, pinned: Option<Release>, wanted: Wanted, plan: &mut Plan) {
    let attempt = snapshot.state.attempts(&stage.name, wanted.lane, &wanted.release) + 1;
    let branch =
        messages::branch(&snapshot.pipeline.name, &stage.name, wanted.lane, &wanted.release, attempt);
    let proposal = Proposal {
        lane: wanted.lane,
        release: wanted.release,
        was: pinned,
        attempt,
        base: snapshot.base.to_string(),
        branch,
        requested_by: wanted.requested_by,
        reason: wanted.reason,
        at: snapshot.now,
        open: None,
        interrupted: None,
        retry: false,
        loosened: Vec::new(),
        merging: None,
        closing: None,
    };
    resume_open(snapshot, stage, &proposal, plan);
}

/// Makes branch and pull request of an intent: the first time, or again after a stop in the middle.
///
/// Where the base moved in between, a branch that holds our commit is taken as it is; if it holds another, the next
/// attempt takes the next name.
fn resume_open(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, plan: &mut Plan) {
    let edits = match pins::edits(stage, &proposal.release, &snapshot.files) {
        Ok(edits) => edits,
        Err(reason) => {
            let text = format!("cannot pin {}: {reason}", proposal.release.version());
            plan.holds.push(HoldReason::new(&stage.name, Gate::Pins, text).who("write"));
            return;
        }
    };
    if edits.is_empty() {
        return;
    }
    let (title, body) = messages::pull_request(snapshot, stage, proposal, None, "");
    plan.push(Effect::Open(Box::new(Open {
        intent: Event::Proposing {
            stage: stage.name.clone(),
            lane: proposal.lane,
            release: proposal.release.clone(),
            was: proposal.was.clone(),
            attempt: proposal.attempt,
            base: snapshot.base.to_string(),
            branch: proposal.branch.clone(),
            requested_by: proposal.requested_by.clone(),
            reason: proposal.reason.clone(),
        },
        stage: stage.name.clone(),
        base: snapshot.base,
        branch: proposal.branch.clone(),
        edits,
        message: messages::branch_commit(snapshot, stage, proposal),
        title,
        body,
        labels: messages::labels(snapshot, stage, proposal),
        approvers: reviewers::approvers(snapshot, stage, proposal.lane),
    })));
}
