//! One stage at a time: close, open, or merge.

use super::candidate::{self, Candidate, Passed};
use super::effect::{Close, Effect, Gate, HoldReason, MergeNow, Open, Plan};
use super::gates::{self, MergeGates};
use super::messages;
use super::pins::{self, Pins};
use super::snapshot::{FileState, Snapshot};
use crate::image::Release;
use crate::pipeline::{Order, Stage};
use crate::promotion::{Actor, Event, Lane, Proposal, Request, Why};
use crate::pull_request::PullRequest;

/// What a stage should get next.
#[derive(Debug, Clone)]
struct Wanted {
    lane: Lane,
    release: Release,
    requested_by: Option<Actor>,
    reason: Option<String>,
}

/// Whether a person asked for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The follow rule or the upstream stages brought it.
    ByNobody,
    /// A person did: that starts the pipeline as well.
    ByPerson,
}

/// Plans every stage of the pipeline.
pub(super) fn all(snapshot: &Snapshot, plan: &mut Plan) {
    // Rollbacks first: nothing that another stage wants stands before them.
    let (back, forth): (Vec<&Stage>, Vec<&Stage>) =
        snapshot.pipeline.stages.iter().partition(|stage| is_rolling_back(snapshot, stage));
    for stage in back.into_iter().chain(forth) {
        one(snapshot, stage, plan);
    }
}

fn is_rolling_back(snapshot: &Snapshot, stage: &Stage) -> bool {
    let state = snapshot.state.stage(&stage.name);
    state.is_some_and(|state| {
        state.request.as_ref().is_some_and(|request| request.lane == Lane::Rollback)
            || state.proposal.as_ref().is_some_and(|proposal| proposal.lane == Lane::Rollback)
    })
}

fn one(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    let proposal = snapshot.state.stage(&stage.name).and_then(|state| state.proposal.as_ref());
    match (proposal, snapshot.pull_request_of(&stage.name)) {
        (Some(proposal), Some(pull_request)) => review(snapshot, stage, proposal, pull_request, plan),
        (Some(proposal), None) if proposal.open.is_none() => {
            go_on_or_abandon(snapshot, stage, proposal, plan);
        }
        (Some(_), None) => {
            let text = "the pull request cannot be read from the forge";
            plan.holds.push(HoldReason::new(&stage.name, Gate::Mergeable, text));
        }
        (None, _) => propose(snapshot, stage, plan),
    }
}

/// An intent whose pull request is not open yet: it goes on only if it is what would be wanted now.
fn go_on_or_abandon(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, plan: &mut Plan) {
    let pinned = pinned(snapshot, stage).ok().flatten();
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

/// A pull request is open: it is closed, merged, or waits.
fn review(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    pull_request: &PullRequest,
    plan: &mut Plan,
) {
    if let Some((why, comment)) = reason_to_close(snapshot, stage, proposal, pull_request) {
        plan.push(Effect::Close(Box::new(Close {
            stage: stage.name.clone(),
            number: pull_request.number,
            branch: proposal.branch.clone(),
            head: pull_request.head,
            why,
            comment,
        })));
        return;
    }
    let mut gates = gates::merge_gates(snapshot, stage, proposal, pull_request);
    if let FileState::Broken { .. } = snapshot.file
        && proposal.lane == Lane::Normal
    {
        gates.lines.push(gates::GateLine {
            gate: Gate::File,
            text: messages::broken_file(snapshot),
            hold: Some(file_hold(snapshot, stage)),
        });
    }
    let (title, body) = messages::pull_request(snapshot, stage, proposal, Some(&gates), &pull_request.body);
    if (&title, &body) != (&pull_request.title, &pull_request.body) {
        plan.push(Effect::Edit { number: pull_request.number, title, body });
    }
    let check = messages::check(&gates);
    let is_reported = pull_request.checks.iter().any(|found| found == &check);
    if !is_reported {
        plan.push(Effect::Check { head: pull_request.head, check });
    }
    if gates.holds().next().is_none() {
        plan.push(merge(snapshot, stage, proposal, pull_request, gates));
    } else {
        plan.holds.extend(gates.holds().cloned());
    }
}

fn merge(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    pull_request: &PullRequest,
    gates: MergeGates,
) -> Effect {
    Effect::Merge(Box::new(MergeNow {
        stage: stage.name.clone(),
        lane: proposal.lane,
        number: pull_request.number,
        branch: proposal.branch.clone(),
        head: pull_request.head,
        message: messages::merge_commit(snapshot, stage, proposal, &gates),
        method: snapshot.settings.merge_method,
        release: proposal.release.clone(),
        was: proposal.was.clone(),
        approvals: gates.approvals,
        requested_by: proposal.requested_by.clone(),
        reason: proposal.reason.clone(),
    }))
}

/// Why an open pull request has no future, and the word to its readers.
fn reason_to_close(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    pull_request: &PullRequest,
) -> Option<(Why, String)> {
    let state = snapshot.state.stage(&stage.name)?;
    if snapshot.file == FileState::Removed {
        return Some((Why::Removed, messages::closed_removed(snapshot, stage)));
    }
    if let Some(veto) = snapshot.state.veto(&snapshot.pipeline, &stage.name, &proposal.release) {
        return Some((Why::Vetoed, messages::closed_vetoed(veto)));
    }
    let wants_rollback = state.request.as_ref().filter(|request| request.lane == Lane::Rollback);
    let is_other =
        |request: &&Request| proposal.lane != Lane::Rollback || !request.release.is_same(&proposal.release);
    if let Some(request) = wants_rollback.filter(is_other) {
        return Some((Why::Preempted, messages::closed_preempted(request)));
    }
    if proposal.retry {
        return Some((Why::Retried, messages::CLOSED_RETRIED.to_owned()));
    }
    if pins_moved(snapshot, stage, proposal) {
        return Some((Why::Stale, messages::CLOSED_PINS_MOVED.to_owned()));
    }
    if proposal.lane == Lane::Rollback && proposal.interrupted.is_some() {
        return Some((Why::Stale, messages::CLOSED_INTERRUPTED.to_owned()));
    }
    if pull_request.mergeable == Some(false) && proposal.interrupted.is_none() {
        return Some((Why::Stale, messages::CLOSED_CONFLICT.to_owned()));
    }
    superseding(snapshot, stage, proposal).map(|release| {
        let by = release.version();
        let comment = messages::closed_superseded(&release);
        (Why::Superseded { by }, comment)
    })
}

/// Whether the base pins something else by now than what the pull request replaces, or has its pins in other places.
fn pins_moved(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> bool {
    let has_moved = match (snapshot.pins(stage), &proposal.was) {
        // Our own merge may be seen in the files a moment before it is seen at the pull request.
        (Pins::Release(now), _) if proposal.merging.is_some() && now.is_same(&proposal.release) => false,
        (Pins::Release(now), Some(was)) => !now.is_same(was),
        (Pins::Release(_), None) => true,
        (Pins::Unpinned(_), was) => was.is_some(),
        (Pins::Mixed(_) | Pins::Unreadable(_), _) => false,
    };
    let places_moved = snapshot.files_at_open.get(&stage.name).is_some_and(|before| {
        pins::places(&snapshot.pipeline, stage, before)
            != pins::places(&snapshot.pipeline, stage, &snapshot.files)
    });
    has_moved || places_moved
}

/// The release that takes the place of the one proposed: newer by the follow order, and passed itself.
fn superseding(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Option<Release> {
    if proposal.lane != Lane::Normal || snapshot.file != FileState::Valid {
        return None;
    }
    let state = snapshot.state.stage(&stage.name)?;
    let requested = state.request.as_ref().map(|request| &request.release);
    if let Some(requested) = requested {
        return (!requested.is_same(&proposal.release)).then(|| requested.clone());
    }
    if !stage.supersede || gates::hold_of_stage(snapshot, stage).is_some() {
        return None;
    }
    let Candidate::Release(release) = candidate::candidate(snapshot, stage, proposal.was.as_ref()) else {
        return None;
    };
    let is_newer =
        candidate::compare(&snapshot.pipeline, &snapshot.state, &release, &proposal.release) == Order::Newer;
    let is_good = gates::missing_platforms(snapshot, stage, &release).is_none()
        && snapshot.state.veto(&snapshot.pipeline, &stage.name, &release).is_none();
    (is_newer && is_good && !release.is_same(&proposal.release) && !state.refused.contains(&release.id()))
        .then_some(release)
}

/// No pull request is open: one is opened, or a hold says why not.
fn propose(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
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
        Ok(Some(wanted)) => open(snapshot, stage, pinned, wanted, plan),
        Ok(None) => {}
        Err(hold) => plan.holds.push(hold),
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
        return Ok(Some(Wanted {
            lane: Lane::Rollback,
            release: request.release.clone(),
            requested_by: Some(request.by.clone()),
            reason: request.reason.clone(),
        }));
    }
    if let FileState::Broken { .. } = snapshot.file {
        return Err(file_hold(snapshot, stage));
    }
    if let Some(hold) = gates::hold_of_stage(snapshot, stage) {
        return Err(hold);
    }
    let wanted = match request {
        Some(request) => Wanted {
            lane: Lane::Normal,
            release: request.release.clone(),
            requested_by: Some(request.by.clone()),
            reason: request.reason.clone(),
        },
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
        match candidate::passed(snapshot, stage, release) {
            Passed::Soaks(hold) | Passed::Stopped(hold) => return Some(hold),
            Passed::No => {
                let text = format!("{} has not passed upstream", release.version());
                return Some(HoldReason::new(&stage.name, Gate::Upstream, text));
            }
            Passed::Yes => {}
        }
    }
    gates::missing_platforms(snapshot, stage, release)
}

fn file_hold(snapshot: &Snapshot, stage: &Stage) -> HoldReason {
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
    };
    resume_open(snapshot, stage, &proposal, plan);
}

/// Makes branch and pull request of an intent: the first time, or again after a stop in the middle.
///
/// A base that moved in between makes another commit under the same name: the push then sees another value there, and
/// the next attempt takes the next name.
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
    })));
}
