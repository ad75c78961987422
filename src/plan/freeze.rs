//! Freezes: by calendar, and by command. They stop merging, never opening, and never a rollback.

use jiff::Timestamp;

use super::candidate::minute;
use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::snapshot::Snapshot;
use crate::pipeline::{Calendar, Exception, ExceptionLane, Freeze, Stage};
use crate::promotion::Lane;

/// The merge gate of the freezes. What passes one by an exception is kept for the record.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, lane: Lane, gates: &mut MergeGates) {
    if let Some(hold) = by_command(snapshot, stage) {
        gates.shut(hold);
    }
    let freezes = match &snapshot.pipeline.freezes {
        Calendar::Known(freezes) => freezes,
        calendar @ (Calendar::File(_) | Calendar::Unusable { .. }) => {
            gates.shut(unusable(stage, calendar));
            return;
        }
    };
    for freeze in in_force(snapshot, stage, freezes) {
        match exception(snapshot, stage, freeze, lane) {
            Some(exception) => {
                let text = format!(
                    "freeze `{}`, excepted by `{}` until {}: {}",
                    freeze.name,
                    exception.owner,
                    minute(exception.until),
                    exception.reason
                );
                gates.open(Gate::Freeze, text);
                gates
                    .exceptions
                    .push(format!("freeze {} by {}: {}", freeze.name, exception.owner, exception.reason));
            }
            None => gates.shut(frozen(stage, freeze)),
        }
    }
    if let Some(next) = next(snapshot, stage, freezes) {
        gates.open(Gate::Freeze, format!("freeze `{}` begins {}", next.name, minute(next.from)));
    }
}

/// What is frozen in a stage where nothing is on its way: people want to know before they begin.
pub(super) fn holds(snapshot: &Snapshot, stage: &Stage) -> Vec<HoldReason> {
    by_command(snapshot, stage).into_iter().chain(by_calendar(snapshot, stage)).collect()
}

/// What is frozen in a stage by the calendar.
pub(super) fn by_calendar(snapshot: &Snapshot, stage: &Stage) -> Vec<HoldReason> {
    match &snapshot.pipeline.freezes {
        Calendar::Known(freezes) => {
            in_force(snapshot, stage, freezes).map(|freeze| frozen(stage, freeze)).collect()
        }
        calendar @ (Calendar::File(_) | Calendar::Unusable { .. }) => vec![unusable(stage, calendar)],
    }
}

/// The freeze by command, in words.
fn by_command(snapshot: &Snapshot, stage: &Stage) -> Option<HoldReason> {
    let frozen = snapshot.state.frozen(&stage.name, snapshot.now)?;
    let reason = frozen.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let until = frozen.until.map_or_else(String::new, |until| format!(" until {}", minute(until)));
    let text = format!(
        "frozen by {} since {}{until}{reason}; `/unfreeze {}` lifts it",
        frozen.by.name,
        minute(frozen.at),
        stage.name
    );
    let owner = snapshot.pipeline.owner.as_ref();
    let who = owner.map_or_else(|| "admin".to_owned(), |owner| format!("`{owner}`"));
    let hold = HoldReason::new(&stage.name, Gate::Freeze, text).who(who);
    Some(match frozen.until {
        Some(until) => hold.opens_at(until),
        None => hold,
    })
}

fn in_force<'a>(
    snapshot: &'a Snapshot,
    stage: &'a Stage,
    freezes: &'a [Freeze],
) -> impl Iterator<Item = &'a Freeze> {
    let is_here = |freeze: &&Freeze| freeze.concerns(&snapshot.pipeline.name, stage);
    freezes.iter().filter(is_here).filter(|freeze| freeze.is_in_force(snapshot.now))
}

/// The freeze that comes first of those that are to come.
fn next<'a>(snapshot: &Snapshot, stage: &Stage, freezes: &'a [Freeze]) -> Option<&'a Freeze> {
    let is_to_come =
        |freeze: &&Freeze| freeze.from > snapshot.now && freeze.concerns(&snapshot.pipeline.name, stage);
    freezes.iter().filter(is_to_come).min_by_key(|freeze| freeze.from)
}

fn exception<'a>(
    snapshot: &Snapshot,
    stage: &Stage,
    freeze: &'a Freeze,
    lane: Lane,
) -> Option<&'a Exception> {
    let lane = match lane {
        Lane::Normal => ExceptionLane::Normal,
        Lane::Hotfix => ExceptionLane::Hotfix,
        Lane::Rollback => return None,
    };
    freeze.exception(&snapshot.pipeline.name, stage, lane, snapshot.now)
}

fn frozen(stage: &Stage, freeze: &Freeze) -> HoldReason {
    let Freeze { name, owner, reason, until, .. } = freeze;
    let text = format!("freeze `{name}` by `{owner}` until {}: {reason}", minute(*until));
    HoldReason::new(&stage.name, Gate::Freeze, text).who(format!("`{owner}`")).opens_at(*until)
}

/// What a calendar says that cannot be read is not known, so it may say anything.
fn unusable(stage: &Stage, calendar: &Calendar) -> HoldReason {
    let (file, reason) = match calendar {
        Calendar::Unusable { file, reason } => (file.as_str(), reason.as_str()),
        Calendar::File(file) => (file.as_str(), "it was not read"),
        Calendar::Known(_) => ("", ""),
    };
    let text = format!("whether this is frozen is not known, calendar `{file}` cannot be used: {reason}");
    HoldReason::new(&stage.name, Gate::Freeze, text).who("whoever keeps the calendar")
}

/// When a freeze that concerns any stage begins next, so that it is shown from then on.
pub(super) fn begins_at(snapshot: &Snapshot) -> Option<Timestamp> {
    let Calendar::Known(freezes) = &snapshot.pipeline.freezes else { return None };
    let stages = snapshot.pipeline.stages.iter();
    stages.filter_map(|stage| next(snapshot, stage, freezes)).map(|freeze| freeze.from).min()
}
