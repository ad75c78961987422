//! `/rollback`: the way back, at once.

use std::collections::BTreeSet;

use super::Refusal;
use super::authorise::authorise;
use super::execute::{Done, addressed};
use crate::command::{Target, Verb};
use crate::image::{Digest, Release};
use crate::pipeline::{Stage, StageName};
use crate::plan::candidate::minute;
use crate::plan::messages::{self, code, prose};
use crate::plan::snapshot::{Asked, Snapshot};
use crate::plan::{presence, watch};
use crate::promotion::{self, Actor, Event, HoldKind, Lane, Origin, StageState, Stint};

/// Releases that are named with the reason why a rollback does not go there.
const PASSED_OVER_NAMED_MAX: usize = 5;

/// Rolls back each stage addressed; those that cannot are said.
pub(super) fn rollback(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    to: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let stages = addressed(snapshot, asked, word)?;
    for stage in &stages {
        authorise(snapshot, asked, Verb::Rollback, stage)?;
    }
    let mut events = Vec::new();
    let mut lines = Vec::new();
    let mut refused = None;
    for stage in stages {
        match rollback_stage(snapshot, asked, stage, to, reason) {
            Ok((new, line)) => {
                events.extend(new);
                lines.push(line);
            }
            Err(refusal) => {
                lines.push(format!("`{}`: {}", stage.name, refusal.text));
                refused = Some(refusal);
            }
        }
    }
    match refused {
        Some(refusal) if events.is_empty() => Err(Refusal { text: lines.join("\n"), ..refusal }),
        _ => Ok((events, lines.join("\n"))),
    }
}

fn rollback_stage(
    snapshot: &Snapshot,
    asked: &Asked,
    stage: &Stage,
    to: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let name = &stage.name;
    let state = snapshot.state.stage(name);
    let Some(live) = snapshot.state.live(name) else { return restore(snapshot, asked, stage, to, reason) };
    if let Some(release) = state.and_then(|state| rollback_under_way(snapshot, stage, state))
        && to.is_none_or(|to| promotion::names(to, release))
    {
        return Err(Refusal::refused(format!(
            "a rollback of `{name}` to {} is under way.",
            code(&release.version())
        )));
    }
    if to.is_none() && live.origin == Origin::Promoted(Lane::Rollback) {
        return Err(Refusal::refused(format!(
            "`{name}` is already there: it was rolled back to {} at {}. Further back only by name: {}",
            code(&live.release.version()),
            minute(live.from),
            code(&format!("/rollback {name} to <version or digest>"))
        )));
    }
    if live.from > asked.at {
        return Err(Refusal::refused(format!(
            "`{name}` got {} at {}, after this was written. Write it again if you mean that.",
            code(&live.release.version()),
            minute(live.from)
        )));
    }
    let absent = absent(snapshot, reason);
    let target = promotion::target(&snapshot.state, &snapshot.pipeline, name, to, &absent)
        .map_err(|error| Refusal::refused(format!("{}.", prose(&error.to_string()))))?;
    there(name, &target.release, &absent)?;
    let why = match to {
        Some(_) => "the release that was named".to_owned(),
        None => chosen(&promotion::passed_over(&snapshot.state, &snapshot.pipeline, name, &absent)),
    };
    Ok(rollback_events(asked, stage, live, target, reason, &why))
}

/// What the registry says it does not have, unless that is to be no obstacle.
fn absent(snapshot: &Snapshot, reason: Option<&String>) -> Vec<Digest> {
    if presence::is_forced(reason) { Vec::new() } else { presence::absent(snapshot) }
}

fn there(name: &StageName, release: &Release, absent: &[Digest]) -> Result<(), Refusal> {
    let Some(missing) = release.digests().into_iter().find(|digest| absent.contains(digest)) else {
        return Ok(());
    };
    Err(Refusal::refused(format!(
        "{} is not in the registry (`{missing}`). {} does it nevertheless.",
        code(&release.version()),
        code(&format!("/rollback {name} to {} force", release.version()))
    )))
}

/// Why it goes where it goes, and not to what was there later.
fn chosen(passed_over: &[String]) -> String {
    let why = "the latest release before it that was live here and not rolled back or vetoed";
    let named: Vec<String> =
        passed_over.iter().take(PASSED_OVER_NAMED_MAX).map(|text| messages::escape(text)).collect();
    let more = passed_over.len().saturating_sub(named.len());
    match (named.as_slice(), more) {
        ([], _) => why.to_owned(),
        (_, 0) => format!("{why}; passed over: {}", named.join("; ")),
        (_, more) => format!("{why}; passed over: {}; and {more} more", named.join("; ")),
    }
}

fn rollback_events(
    asked: &Asked,
    stage: &Stage,
    live: &Stint,
    target: &Stint,
    reason: Option<&String>,
    why: &str,
) -> (Vec<Event>, String) {
    let (name, restored) = (&stage.name, &target.release);
    let health = messages::escape(&messages::health_then(target));
    let reply = format!(
        "Rolling `{name}` back: {} → {} `sha256:{}`, {why} ({health}). `{name}` is held until `/resume {name}`; {} is vetoed here and downstream until `/unveto`.",
        code(&live.release.version()),
        code(&restored.version()),
        restored.short(),
        code(&live.release.version())
    );
    (going_back(&asked.actor(), stage, live, target, reason), reply)
}

/// What going back records: the stage is held, what is live is vetoed from there on, and the other is asked for.
pub(in crate::plan) fn going_back(
    by: &Actor,
    stage: &Stage,
    live: &Stint,
    target: &Stint,
    reason: Option<&String>,
) -> Vec<Event> {
    let (name, by, reason) = (stage.name.clone(), by.clone(), reason.cloned());
    let restored = target.release.clone();
    let bad: BTreeSet<Digest> = live.release.digests().difference(&restored.digests()).copied().collect();
    vec![
        Event::Held {
            stage: name.clone(),
            kind: HoldKind::Rollback,
            by: by.clone(),
            reason: reason.clone(),
            until: None,
        },
        Event::Vetoed {
            stage: name.clone(),
            digests: bad,
            version: live.release.version(),
            by: by.clone(),
            reason: reason.clone(),
        },
        Event::Requested { stage: name, lane: Lane::Rollback, release: restored, by, reason },
    ]
}

/// Where a rollback that is under way goes; one that a person's word has ended already is none.
fn rollback_under_way<'a>(snapshot: &Snapshot, stage: &Stage, state: &'a StageState) -> Option<&'a Release> {
    let requested = state
        .request
        .as_ref()
        .filter(|request| request.lane == Lane::Rollback)
        .map(|request| &request.release);
    let proposed = state
        .proposal
        .as_ref()
        .filter(|proposal| proposal.lane == Lane::Rollback)
        .filter(|proposal| !watch::is_withdrawn(snapshot, stage, proposal.requested_by.as_ref()))
        .map(|proposal| &proposal.release);
    requested.or(proposed)
}

/// Where somebody took the digest away, nothing is live: the way back is to what was there last, or the one named.
fn restore(
    snapshot: &Snapshot,
    asked: &Asked,
    stage: &Stage,
    to: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let name = &stage.name;
    let stints = snapshot.state.stints(name).into_iter().flat_map(promotion::Stints::newest_first);
    let is_meant = |stint: &&Stint| to.is_none_or(|to| promotion::names(to, &stint.release));
    let was_rolled_back = |stint: &Stint| {
        snapshot.state.stints(name).is_some_and(|stints| stints.was_rolled_back(&stint.release))
    };
    let is_good = |stint: &&Stint| {
        snapshot.state.veto(&snapshot.pipeline, name, &stint.release).is_none()
            && (to.is_some() || !was_rolled_back(stint))
    };
    let absent = absent(snapshot, reason);
    let good: Vec<&Stint> = stints.filter(is_meant).filter(is_good).collect();
    let is_there = |stint: &&&Stint| stint.release.digests().iter().all(|digest| !absent.contains(digest));
    let Some(stint) = good.iter().find(is_there).or(good.first()) else {
        return Err(Refusal::refused(format!("no release of `{name}` is known that could be restored.")));
    };
    there(name, &stint.release, &absent)?;
    let (by, release, reason) = (asked.actor(), stint.release.clone(), reason.cloned());
    let reply = format!(
        "Restoring {} in `{name}`, which has no digest now; it is held until `/resume {name}`.",
        code(&release.version())
    );
    let held = Event::Held {
        stage: name.clone(),
        kind: HoldKind::Rollback,
        by: by.clone(),
        reason: reason.clone(),
        until: None,
    };
    let requested = Event::Requested { stage: name.clone(), lane: Lane::Rollback, release, by, reason };
    Ok((vec![held, requested], reply))
}

/// Where each stage would go back to by what is known, and what those name who ask for a rollback and have no answer yet.
pub(in crate::plan) fn targets(snapshot: &Snapshot, named: &[Target]) -> Vec<Release> {
    let absent = absent(snapshot, None);
    let wanted: Vec<Option<&Target>> = named.iter().map(Some).chain([None]).collect();
    let stages = snapshot.pipeline.stages.iter();
    let of_stage = |stage: &Stage, to: Option<&Target>| {
        promotion::target(&snapshot.state, &snapshot.pipeline, &stage.name, to, &absent).ok()
    };
    let found = stages.flat_map(|stage| wanted.iter().filter_map(move |to| of_stage(stage, *to)));
    found.map(|stint| stint.release.clone()).collect()
}
