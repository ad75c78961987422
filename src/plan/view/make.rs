//! Making the view.

use std::collections::BTreeSet;

use super::{
    HistoryLine, PinView, PipelineView, Presence, PullRequestView, RollbackView, RunningView, StageState,
    StageView,
};
use crate::image::Release;
use crate::observation::Health;
use crate::pipeline::Stage;
use crate::plan::change::change_class;
use crate::plan::effect::{Gate, HoldReason, Plan};
use crate::plan::messages;
use crate::plan::pins::Pins;
use crate::plan::readiness::{Readiness, readiness, target};
use crate::plan::snapshot::{self, FileState, Snapshot};
use crate::plan::{gates, live, watch};
use crate::promotion::{self, HoldKind, Lane, Origin, Seen, Sight, Stint, WatchEnd};

/// Lines of history in a view: one screen; all of it is in the store.
const HISTORY_LINES_MAX: usize = 50;

/// Shows a pipeline.
#[must_use]
pub fn view(snapshot: &Snapshot, plan: &Plan) -> PipelineView {
    let error = match snapshot.file {
        FileState::Valid => None,
        FileState::Broken { .. } | FileState::Removed => Some(messages::broken_file(snapshot)),
    };
    PipelineView {
        repository: snapshot.repository.clone(),
        pipeline: Some(snapshot.pipeline.name.to_string()),
        owner: snapshot.pipeline.owner.as_ref().map(ToString::to_string),
        issue_url: snapshot.state.issue.map(|number| snapshot.url(number)),
        stages: snapshot.pipeline.stages.iter().map(|stage| self::stage(snapshot, stage, plan)).collect(),
        error,
        history: history(snapshot),
        updated_at: snapshot.now,
    }
}

/// Shows a stage.
#[must_use]
pub(in crate::plan) fn stage(snapshot: &Snapshot, stage: &Stage, plan: &Plan) -> StageView {
    let live = snapshot.state.live(&stage.name);
    let (state, word) = state(snapshot, stage, plan);
    let pull_request = snapshot.pull_request_of(&stage.name);
    StageView {
        name: stage.name.to_string(),
        group: stage.group.as_ref().map(ToString::to_string),
        version: live.map(|stint| stint.release.version()),
        short: live.map(|stint| stint.release.short()),
        since: live.map(|stint| stint.from),
        lane: live.map(|stint| lane(stint).to_owned()),
        state,
        word,
        source: stage.live.source.to_string(),
        running: running(snapshot, stage),
        watch: watch::standing(snapshot, stage),
        drift: drift(snapshot, stage, plan),
        holds: plan.holds_of(&stage.name).map(line).collect(),
        pull_request: pull_request.map(|found| PullRequestView {
            number: found.number,
            url: snapshot.url(found.number),
            title: found.title.clone(),
            change: change(snapshot, stage),
        }),
        rollback_target: rollback(snapshot, stage),
        pins: live.map(|stint| pins(stage, &stint.release)).unwrap_or_default(),
    }
}

/// What somebody else changed: the pins, a channel, or what runs. What rolls out is no drift.
fn drift(snapshot: &Snapshot, stage: &Stage, plan: &Plan) -> Vec<String> {
    let is_drift = |hold: &&HoldReason| matches!(hold.gate, Gate::Pins | Gate::Channel);
    let mut found: Vec<String> =
        plan.holds_of(&stage.name).filter(is_drift).map(|hold| hold.text.clone()).collect();
    let hold = snapshot.state.hold(&stage.name, snapshot.now);
    if hold.is_some_and(|hold| hold.kind == HoldKind::OutOfBand) {
        found.extend(gates::hold_of_stage(snapshot, stage).map(|hold| hold.text));
    }
    if let Some(live) = snapshot.state.live(&stage.name)
        && let Some(Seen { sight: Sight::Contrary(what), health, .. }) = live::now(snapshot, stage, live)
        && !matches!(health, Health::Progressing(_))
    {
        found.push(format!("{what}, and {} is pinned", live.release.version()));
    }
    found
}

fn running(snapshot: &Snapshot, stage: &Stage) -> Option<RunningView> {
    let words = live::words(snapshot, stage)?;
    let latest = snapshot.running.get(&stage.name).and_then(live::Running::latest);
    Some(RunningView {
        words,
        is_good: live::is_good(snapshot, stage),
        is_fresh: snapshot
            .state
            .live(&stage.name)
            .is_some_and(|live| live::now(snapshot, stage, live).is_some()),
        at: latest.map(|latest| latest.at),
        by: latest.map(|latest| latest.source.clone()),
        url: latest.and_then(|latest| latest.url.clone()),
    })
}

/// How much the pull request of a stage changes; nothing of a rollback.
fn change(snapshot: &Snapshot, stage: &Stage) -> Option<String> {
    let proposal = snapshot.state.stage(&stage.name)?.proposal.as_ref()?;
    let is_forward = proposal.lane != Lane::Rollback;
    is_forward.then(|| change_class(snapshot, proposal.was.as_ref(), &proposal.release).word().to_owned())
}

/// A hold with who can act, in one line.
fn line(hold: &HoldReason) -> String {
    match &hold.who {
        Some(who) => format!("{} · can act: {who}", hold.text),
        None => hold.text.clone(),
    }
}

fn pins(stage: &Stage, release: &Release) -> Vec<PinView> {
    let file = stage.pins.iter().map(|target| target.file.as_str()).collect::<Vec<_>>().join(", ");
    let path = stage.pins.first().and_then(|target| target.path.clone()).unwrap_or_default();
    let pin = |reference: crate::image::Reference| PinView {
        file: file.clone(),
        path: path.clone(),
        reference: reference.to_string(),
    };
    release.references().map(pin).collect()
}

fn lane(stint: &Stint) -> &'static str {
    match stint.origin {
        Origin::Adopted => "adopted",
        Origin::Promoted(Lane::Normal) => "normal",
        Origin::Promoted(Lane::Hotfix) => "hotfix",
        Origin::Promoted(Lane::Rollback) => "rollback",
        Origin::OutOfBand => "out-of-band",
    }
}

fn state(snapshot: &Snapshot, stage: &Stage, plan: &Plan) -> (StageState, String) {
    let gates: BTreeSet<Gate> = plan.holds_of(&stage.name).map(|hold| hold.gate).collect();
    let has = |gate: Gate| gates.contains(&gate);
    let found = if snapshot.state.hold(&stage.name, snapshot.now).is_some() {
        (StageState::Held, "held")
    } else if has(Gate::File) {
        (StageState::Failed, "rules broken")
    } else if has(Gate::Freeze) {
        (StageState::Held, "frozen")
    } else if has(Gate::Pins) {
        (StageState::Drift, "pins")
    } else if has(Gate::Branch) {
        (StageState::Failed, "stopped")
    } else if has(Gate::Missing) {
        (StageState::Failed, "image missing")
    } else if watch::failed(snapshot, stage) == Some(WatchEnd::Failed) {
        (StageState::Failed, "watch failed")
    } else if has(Gate::Approvals) {
        (StageState::Person, "approve")
    } else if has(Gate::Start) {
        (StageState::Person, "start")
    } else if has(Gate::Channel) && gates.len() == 1 {
        (StageState::Drift, "channel")
    } else if let Some(gate) = gates.first() {
        (StageState::Waiting, gate.name())
    } else if watch::failed(snapshot, stage).is_some() {
        (StageState::Waiting, "watch unproven")
    } else if snapshot.pull_request_of(&stage.name).is_some() {
        (StageState::Waiting, "merging")
    } else if matches!(snapshot.pins(stage), Pins::Unpinned(_)) {
        (StageState::Empty, "not pinned")
    } else {
        return live::standing(snapshot, stage);
    };
    (found.0, found.1.to_owned())
}

fn rollback(snapshot: &Snapshot, stage: &Stage) -> Option<RollbackView> {
    let release = &target(snapshot, stage)?.release;
    let ready = readiness(snapshot, release);
    Some(RollbackView {
        version: release.version(),
        short: release.short(),
        present: presence(snapshot, release, ready),
        ready: ready.words(),
    })
}

/// What was asked for in this look says most, what the probes said comes after.
fn presence(snapshot: &Snapshot, release: &Release, ready: Readiness) -> Presence {
    let of = |(repository, pinned): (&crate::image::Repository, &crate::image::Pinned)| {
        snapshot.presence.get(&(repository.clone(), pinned.digest))
    };
    let found: Vec<_> = release.images().map(of).collect();
    if found.iter().any(|presence| matches!(presence, Some(snapshot::Presence::Absent(_)))) {
        Presence::No
    } else if found.iter().all(|presence| matches!(presence, Some(snapshot::Presence::Present(_)))) {
        Presence::Yes
    } else {
        match ready {
            Readiness::Missing => Presence::No,
            Readiness::Ready { .. } => Presence::Yes,
            Readiness::Unprobed | Readiness::Unknown(_) => Presence::Unknown,
        }
    }
}

fn history(snapshot: &Snapshot) -> Vec<HistoryLine> {
    let of_stage = |stage: &Stage| {
        let stints = snapshot.state.stints(&stage.name).into_iter().flat_map(promotion::Stints::newest_first);
        let lines: Vec<HistoryLine> = stints
            .take(HISTORY_LINES_MAX)
            .map(|stint| HistoryLine {
                at: stint.from,
                text: format!(
                    "{}: {} ({}) {}",
                    stage.name,
                    stint.release.version(),
                    stint.release.short(),
                    messages::how(stint).replace("**", "")
                ),
                url: stint.number.map(|number| snapshot.url(number)),
            })
            .collect();
        lines
    };
    let mut lines: Vec<HistoryLine> = snapshot.pipeline.stages.iter().flat_map(of_stage).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.at));
    lines.truncate(HISTORY_LINES_MAX);
    lines
}
