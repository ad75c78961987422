//! One stage at a time: close, merge, or propose.

use jiff::Timestamp;

use super::candidate::{self, Candidate};
use super::effect::{Close, Effect, Gate, HoldReason, MergeNow, Plan};
use super::gates::{self, MergeGates};
use super::messages;
use super::order::compare;
use super::pins::{self, Pins};
use super::propose::{file_hold, go_on_or_abandon, propose};
use super::snapshot::{FileState, Snapshot};
use super::{fitness, freeze, healthy, watch};
use crate::image::Release;
use crate::pipeline::{Order, Stage};
use crate::promotion::{Lane, Proposal, Request, Why};
use crate::pull_request::PullRequest;

/// Plans every stage of the pipeline.
pub(super) fn all(snapshot: &Snapshot, plan: &mut Plan) {
    // Rollbacks first: nothing that another stage wants stands before them.
    let (back, forth): (Vec<&Stage>, Vec<&Stage>) =
        snapshot.pipeline.stages.iter().partition(|stage| is_rolling_back(snapshot, stage));
    for stage in back.into_iter().chain(forth) {
        one(snapshot, stage, plan);
    }
}

/// Whether a rollback of this stage is asked for or under way.
pub(super) fn is_rolling_back(snapshot: &Snapshot, stage: &Stage) -> bool {
    let state = snapshot.state.stage(&stage.name);
    state.is_some_and(|state| {
        state.request.as_ref().is_some_and(|request| request.lane == Lane::Rollback)
            || state.proposal.as_ref().is_some_and(|proposal| proposal.lane == Lane::Rollback)
    })
}

fn one(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    let proposal = snapshot.state.proposal(&stage.name);
    match (proposal, snapshot.pull_request_of(&stage.name)) {
        (Some(proposal), Some(pull_request)) => review(snapshot, stage, proposal, pull_request, plan),
        (Some(proposal), None) if proposal.open.is_none() => {
            go_on_or_abandon(snapshot, stage, proposal, plan);
        }
        (Some(_), None) => {
            let text = "the pull request cannot be read from the forge";
            plan.holds.push(HoldReason::new(&stage.name, Gate::Mergeable, text));
        }
        (None, _) => {
            plan.holds.extend(freeze::holds(snapshot, stage));
            propose(snapshot, stage, plan);
        }
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
            // Ours, not what a person pushed since: then the branch is left alone.
            head: proposal.open.as_ref().and_then(|(_, head)| head.parse().ok()).unwrap_or(pull_request.head),
            why,
            comment,
        })));
        return;
    }
    let mut gates = gates::merge_gates(snapshot, stage, proposal, pull_request);
    if let FileState::Broken { .. } = snapshot.file
        && proposal.lane != Lane::Rollback
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
    plan.holds.extend(kept_out_meanwhile(snapshot, stage, proposal));
    if gates.holds().next().is_none() {
        plan.push(merge(snapshot, stage, proposal, pull_request, gates));
    } else {
        plan.holds.extend(gates.holds().cloned());
    }
}

/// Why something newer does not take the place of what is proposed: it stops nothing of that, and is said at once.
fn kept_out_meanwhile(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Option<HoldReason> {
    if proposal.lane != Lane::Normal || snapshot.file != FileState::Valid {
        return None;
    }
    let was = proposal.was.as_ref();
    match candidate::candidate(snapshot, stage, was) {
        Candidate::Held(hold) if hold.gate == Gate::Order && stage.after.is_empty() => Some(hold),
        Candidate::Release(release) if compare(snapshot, &release, &proposal.release) == Order::Newer => {
            healthy::hold(snapshot, stage, &release).or_else(|| fitness::unfit(snapshot, stage, &release))
        }
        Candidate::Held(_) | Candidate::Release(_) | Candidate::UpToDate => {
            candidate::waiting(snapshot, stage, was)
        }
    }
}

/// When an open pull request may have to give way to something newer.
pub(super) fn overtaken_at(snapshot: &Snapshot) -> impl Iterator<Item = Timestamp> {
    let stages = snapshot.pipeline.stages.iter().filter(|stage| stage.supersede);
    stages.filter_map(|stage| {
        let proposal = snapshot.state.proposal(&stage.name)?;
        if proposal.lane == Lane::Normal { candidate::overtaken_at(snapshot, stage, proposal) } else { None }
    })
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
        signatures: gates.signatures,
        exceptions: gates.exceptions,
        requested_by: proposal.requested_by.clone(),
        reason: proposal.reason.clone(),
        watch: watch::rule(stage, proposal.lane).copied(),
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
    if proposal.lane == Lane::Rollback && watch::is_withdrawn(snapshot, stage, proposal.requested_by.as_ref())
    {
        return Some((Why::Withdrawn, messages::CLOSED_WITHDRAWN.to_owned()));
    }
    let wants_rollback = state.request.as_ref().filter(|request| request.lane == Lane::Rollback);
    let is_other =
        |request: &&Request| proposal.lane != Lane::Rollback || !request.release.is_same(&proposal.release);
    if let Some(request) = wants_rollback.filter(is_other) {
        return Some((Why::Preempted, messages::closed_preempted(request)));
    }
    let wants_hotfix = state.request.as_ref().filter(|request| request.lane == Lane::Hotfix);
    let is_new = |request: &&Request| {
        proposal.lane == Lane::Normal
            || proposal.lane == Lane::Hotfix && !request.release.is_same(&proposal.release)
    };
    if let Some(request) = wants_hotfix.filter(is_new) {
        let why = Why::Superseded { by: request.release.version() };
        return Some((why, messages::closed_for_hotfix(request)));
    }
    if proposal.retry {
        return Some((Why::Retried, messages::CLOSED_RETRIED.to_owned()));
    }
    if pull_request.base != snapshot.base_branch {
        return Some((Why::Stale, messages::CLOSED_RETARGETED.to_owned()));
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
    let rules_before = snapshot.rules_at_open.get(&stage.name).and_then(|rules| rules.stage(&stage.name));
    let targets_moved = rules_before.is_some_and(|before| before.pins != stage.pins);
    has_moved || places_moved || targets_moved
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
    let is_newer = compare(snapshot, &release, &proposal.release) == Order::Newer;
    let is_good = fitness::unfit(snapshot, stage, &release).is_none()
        && healthy::hold(snapshot, stage, &release).is_none()
        && snapshot.state.veto(&snapshot.pipeline, &stage.name, &release).is_none();
    (is_newer && is_good && !release.is_same(&proposal.release) && !state.refused.contains(&release.id()))
        .then_some(release)
}
