//! Each command: what it records and what it answers, or why not.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Refusal;
use super::authorise::authorise;
use super::freeze::{freeze, unfreeze};
use super::hotfix::hotfix;
use super::promote::promote;
use super::rollback::rollback;
use super::veto::{unveto, veto};
use crate::command::{self, AskedLane, Command, Place, Until, Verb};
use crate::image::Release;
use crate::pipeline::Stage;
use crate::plan::candidate::{self, minute};
use crate::plan::effect::Plan;
use crate::plan::messages::{self, code, prose};
use crate::plan::snapshot::{Asked, FileState, Snapshot, Thread};
use crate::plan::{readiness, step, tags};
use crate::promotion::{Actor, Event, HoldKind};
use crate::pull_request::Number;

/// What a command records, and its reply.
pub(super) type Done = Result<(Vec<Event>, String), Refusal>;

/// Carries out one command.
pub(super) fn one(snapshot: &Snapshot, asked: &Asked, command: &Command) -> Done {
    let verb = command.verb();
    if let FileState::Broken { .. } = snapshot.file
        && !matches!(
            verb,
            Verb::Rollback | Verb::Hold | Verb::Status | Verb::Explain | Verb::History | Verb::Help
        )
    {
        return Err(Refusal::refused(prose(&messages::broken_file(snapshot))));
    }
    works_here(snapshot, asked, verb)?;
    if !matches!(verb, Verb::Hold | Verb::Veto | Verb::Status | Verb::Explain | Verb::History | Verb::Help) {
        not_too_old(snapshot, asked)?;
    }
    match command {
        Command::Rollback { stage, to, reason } => {
            rollback(snapshot, asked, stage.as_deref(), to.as_ref(), reason.as_ref())
        }
        Command::Promote { stage, to, lane: AskedLane::Normal, reason } => {
            promote(snapshot, asked, stage.as_deref(), to.as_ref(), reason.as_ref())
        }
        Command::Promote { stage, to, lane: AskedLane::Hotfix, reason } => {
            hotfix(snapshot, asked, stage.as_deref(), to.as_ref(), reason.as_ref())
        }
        Command::Hold { stage, until, reason } => {
            hold(snapshot, asked, stage.as_deref(), until.as_ref(), reason.as_ref())
        }
        Command::Resume { stage, reason } => resume(snapshot, asked, stage.as_deref(), reason.as_ref()),
        Command::Veto { target, reason } => veto(snapshot, asked, target.as_ref(), reason.as_ref()),
        Command::Unveto { target, reason } => unveto(snapshot, asked, target.as_ref(), reason.as_ref()),
        Command::Freeze { stage, until, reason } => {
            freeze(snapshot, asked, stage.as_deref(), until.as_ref(), reason.as_ref())
        }
        Command::Unfreeze { stage, reason } => unfreeze(snapshot, asked, stage.as_deref(), reason.as_ref()),
        Command::Retry => retry(snapshot, asked),
        Command::Status { stage } | Command::Explain { stage } | Command::History { stage } => {
            tell(snapshot, asked, verb, stage.as_deref())
        }
        Command::Help => help(snapshot, asked),
    }
}

/// Whether the verb works where it was written; on the command line every one does.
fn works_here(snapshot: &Snapshot, asked: &Asked, verb: Verb) -> Result<(), Refusal> {
    let Thread::Forge { number, .. } = asked.thread else { return Ok(()) };
    let found = place(snapshot, number);
    let wanted = command::works_on(verb);
    if wanted.contains(&found) {
        return Ok(());
    }
    let places: Vec<&str> = wanted.iter().map(|place| place.name()).collect();
    let text = format!("`/{}` works on {}; this is {}.", verb.name(), places.join(" and on "), found.name());
    Err(Refusal::refused(text))
}

fn place(snapshot: &Snapshot, number: Number) -> Place {
    let is_open = |stage: &Stage| {
        snapshot.pull_request_of(&stage.name).is_some_and(|pull_request| pull_request.number == number)
    };
    if snapshot.state.issue == Some(number) {
        Place::OperationsIssue
    } else if snapshot.pipeline.stages.iter().any(is_open) {
        Place::OpenPromotion
    } else {
        Place::EndedPromotion
    }
}

/// A command that waited too long was meant for another world.
fn not_too_old(snapshot: &Snapshot, asked: &Asked) -> Result<(), Refusal> {
    let age = Duration::try_from(snapshot.now.duration_since(asked.at)).unwrap_or_default();
    if age <= snapshot.settings.command_age_max {
        return Ok(());
    }
    let max = messages::duration(snapshot.settings.command_age_max);
    Err(Refusal::refused(format!(
        "This command was written {} and reached lockkeeper more than {max} later. Write it again if it still holds.",
        minute(asked.at)
    )))
}

/// Whether this was said after the comment was written: a command that is heard late does not undo it. Comments of a
/// forge are told apart by their ids; against anything else the time counts, as far as the clock was not set back.
pub(super) fn is_later(snapshot: &Snapshot, asked: &Asked, by: &Actor, at: Timestamp) -> bool {
    let Thread::Forge { comment, .. } = asked.thread else { return false };
    match by.comment() {
        Some(other) => other > comment,
        None => at > asked.at && at <= snapshot.now,
    }
}

/// The answer to a command that something was said after.
pub(super) fn said_before(what: &str, at: Timestamp) -> Refusal {
    let at = minute(at);
    Refusal::refused(format!("{what} at {at}, after this was written. Write it again if you mean that."))
}

/// The world without a person's refusal of this release for this stage: asking for it by name takes that back.
pub(super) fn unrefused(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Snapshot {
    let mut found = snapshot.clone();
    if let Some(state) = found.state.stages.get_mut(&stage.name) {
        state.refused.remove(&release.id());
    }
    found
}

/// Whoever asked before somebody refused the release did not mean to take that back.
pub(super) fn not_refused_since(
    snapshot: &Snapshot,
    asked: &Asked,
    stage: &Stage,
    release: &Release,
) -> Result<(), Refusal> {
    let state = snapshot.state.stage(&stage.name);
    let Some(at) = state.and_then(|state| state.refused_at.get(&release.id())).copied() else {
        return Ok(());
    };
    let is_of_forge = matches!(asked.thread, Thread::Forge { .. });
    if is_of_forge && at > asked.at && at <= snapshot.now {
        let what = format!("{} was refused for `{}`", code(&release.version()), stage.name);
        return Err(said_before(&what, at));
    }
    Ok(())
}

/// The stages that a command addresses: those named, else that of the pull request, else the only one.
pub(super) fn addressed<'a>(
    snapshot: &'a Snapshot,
    asked: &Asked,
    word: Option<&str>,
) -> Result<Vec<&'a Stage>, Refusal> {
    if let Some(word) = word {
        let found = snapshot.pipeline.addressed(word);
        return if found.is_empty() {
            Err(Refusal::refused(format!(
                "There is no stage or group {}. {}",
                code(word),
                stage_list(snapshot)
            )))
        } else {
            Ok(found)
        };
    }
    let of_thread = match asked.thread {
        Thread::Forge { number, .. } => {
            snapshot.stage_of(number).or(asked.stage.as_ref()).and_then(|name| snapshot.pipeline.stage(name))
        }
        Thread::CommandLine => None,
    };
    match (of_thread, snapshot.pipeline.stages.as_slice()) {
        (Some(stage), _) | (None, [stage]) => Ok(vec![stage]),
        (None, _) => Err(Refusal::refused(format!("Name a stage or group. {}", stage_list(snapshot)))),
    }
}

fn stage_list(snapshot: &Snapshot) -> String {
    let mut names: Vec<String> =
        snapshot.pipeline.stages.iter().map(|stage| format!("`{}`", stage.name)).collect();
    let groups: BTreeSet<String> = snapshot
        .pipeline
        .stages
        .iter()
        .filter_map(|stage| stage.group.as_ref())
        .map(|group| format!("`{group}`"))
        .collect();
    names.extend(groups);
    format!("There are {}.", names.join(", "))
}

fn hold(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    until: Option<&Until>,
    reason: Option<&String>,
) -> Done {
    let until = until.map(|until| until_time(asked, until)).transpose()?;
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for stage in addressed(snapshot, asked, word)? {
        authorise(snapshot, asked, Verb::Hold, stage)?;
        let name = stage.name.clone();
        let found = snapshot.state.hold(&name, snapshot.now);
        let (is_newer, is_stronger) = found.map_or((false, false), |found| {
            let (by, at) = found.last_word();
            let outlasts = found.kind != HoldKind::Person && found.until.is_none();
            (is_later(snapshot, asked, by, at), outlasts)
        });
        lines.push(match (found, until) {
            (Some(found), _) if is_newer || is_stronger => {
                format!("`{name}` is held already, by {}, until `/resume {name}`.", code(&found.by.name))
            }
            (_, Some(until)) => format!("`{name}` is held until {}.", minute(until)),
            (_, None) => format!("`{name}` is held until `/resume {name}`."),
        });
        // Of one that outlasts it as well: what is heard late must not undo this word.
        if is_newer {
            continue;
        }
        events.push(Event::Held {
            stage: name,
            kind: HoldKind::Person,
            by: asked.actor(),
            reason: reason.cloned(),
            until,
        });
    }
    Ok((events, lines.join("\n")))
}

pub(super) fn until_time(asked: &Asked, until: &Until) -> Result<Timestamp, Refusal> {
    let at = match until {
        Until::At(at) => *at,
        Until::After(duration) => candidate::later(asked.at, *duration),
    };
    if at > asked.at { Ok(at) } else { Err(Refusal::refused(format!("{} is in the past.", minute(at)))) }
}

fn resume(snapshot: &Snapshot, asked: &Asked, word: Option<&str>, reason: Option<&String>) -> Done {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for stage in addressed(snapshot, asked, word)? {
        authorise(snapshot, asked, Verb::Resume, stage)?;
        let name = stage.name.clone();
        let Some(hold) = snapshot.state.hold(&name, snapshot.now) else {
            return Err(Refusal::refused(format!("`{name}` is not held.")));
        };
        let (by, at) = hold.last_word();
        if is_later(snapshot, asked, by, at) {
            return Err(said_before(&format!("`{name}` was held by {}", code(&by.name)), at));
        }
        lines.push(format!("`{name}` is resumed; vetoes stay until `/unveto`."));
        events.push(Event::Resumed { stage: name, by: asked.actor(), reason: reason.cloned() });
    }
    Ok((events, lines.join("\n")))
}

fn retry(snapshot: &Snapshot, asked: &Asked) -> Done {
    let stages = addressed(snapshot, asked, None)?;
    let stage = stages.first().ok_or_else(|| Refusal::refused("no stage."))?;
    authorise(snapshot, asked, Verb::Retry, stage)?;
    let Some(pull_request) = snapshot.pull_request_of(&stage.name) else {
        return Err(Refusal::refused(format!("no pull request is open for `{}`.", stage.name)));
    };
    let event = Event::RetryAsked { stage: stage.name.clone(), by: asked.actor() };
    Ok((vec![event], format!("Closing pull request {} and making another attempt.", pull_request.number)))
}

/// The table of commands, for whoever may read.
fn help(snapshot: &Snapshot, asked: &Asked) -> Done {
    let stage = snapshot.pipeline.stages.first().ok_or_else(|| Refusal::refused("no stage."))?;
    authorise(snapshot, asked, Verb::Help, stage)?;
    Ok((Vec::new(), command::help_text()))
}

/// Status, explanation and history, in the words of the plan.
fn tell(snapshot: &Snapshot, asked: &Asked, verb: Verb, word: Option<&str>) -> Done {
    let stages = match word {
        Some(_) => addressed(snapshot, asked, word)?,
        None => snapshot.pipeline.stages.iter().collect(),
    };
    if let Some(stage) = stages.first() {
        authorise(snapshot, asked, verb, stage)?;
    }
    let mut plan = Plan::default();
    step::all(snapshot, &mut plan);
    readiness::holds(snapshot, &mut plan);
    tags::holds(snapshot, &mut plan);
    let text = if verb == Verb::Explain {
        messages::explain(snapshot, &stages, &plan)
    } else if verb == Verb::History {
        messages::history(snapshot, &stages)
    } else {
        messages::status(snapshot, &stages, &plan)
    };
    Ok((Vec::new(), text))
}
