//! Whether a release has passed in the stages before: in all of them, or in any, as the file says.

use std::cmp::Reverse;

use super::effect::{Gate, HoldReason};
use super::snapshot::Snapshot;
use super::{candidate, live, watch};
use crate::image::Release;
use crate::pipeline::{Join, Stage, StageName};
use crate::promotion::{Origin, Stints};

/// Whether a release passed in the upstream stages of a stage.
pub(super) enum Passed {
    /// It did.
    Yes,
    /// It is live there and still soaks, or waits for another upstream stage.
    Soaks(HoldReason),
    /// It is vetoed or refused here; what would let it in.
    Stopped(HoldReason),
    /// It did not, or was rolled back there.
    No,
}

/// What one upstream stage says of a release.
enum There {
    Passed,
    Soaks(HoldReason),
    /// It has not been live there yet.
    Missing(HoldReason),
    /// It was replaced before it had been there for long enough, or nothing is known of the stage.
    Never,
}

pub(super) fn passed(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Passed {
    if let Some(hold) = candidate::stopped(snapshot, stage, release) {
        return Passed::Stopped(hold);
    }
    let there = || stage.after.iter().map(|upstream| there(snapshot, stage, upstream, release));
    let is_enough = match stage.join {
        Join::All => there().all(|there| matches!(there, There::Passed)),
        Join::Any => there().any(|there| matches!(there, There::Passed)),
    };
    if is_enough {
        return Passed::Yes;
    }
    if stage.join == Join::All && there().any(|there| matches!(there, There::Never)) {
        return Passed::No;
    }
    let is_live = |upstream: &StageName| {
        snapshot.state.live(upstream).is_some_and(|live| live.release.is_same(release))
    };
    if !stage.after.iter().any(is_live) {
        return Passed::No;
    }
    waits(stage, there()).map_or(Passed::No, Passed::Soaks)
}

/// What it waits for: of all stages, the one where it is missing; of any, the one that has it and lets it in first.
fn waits(stage: &Stage, there: impl Iterator<Item = There>) -> Option<HoldReason> {
    let (mut soaks, mut missing) = (Vec::new(), Vec::new());
    for there in there {
        match there {
            There::Soaks(hold) => soaks.push(hold),
            There::Missing(hold) => missing.push(hold),
            There::Passed | There::Never => {}
        }
    }
    match stage.join {
        Join::All => missing.pop().or(soaks.into_iter().next()),
        Join::Any => {
            soaks.sort_by_key(|hold| (hold.opens_at.is_none(), hold.opens_at));
            soaks.into_iter().next().or(missing.pop())
        }
    }
}

fn there(snapshot: &Snapshot, stage: &Stage, upstream: &StageName, release: &Release) -> There {
    let Some(stints) = snapshot.state.stints(upstream) else { return There::Never };
    let Some(longest) = live::longest(snapshot, upstream, release) else {
        return There::Missing(waits_for(snapshot, stage, upstream, release));
    };
    let unwatched = watch::hold(snapshot, stage, upstream, release);
    match (stints.live().filter(|live| live.release.is_same(release)), unwatched) {
        (_, None) if longest >= stage.gates.soak => There::Passed,
        (None, _) => There::Never,
        (Some(_), Some(watched)) if longest >= stage.gates.soak => There::Soaks(watched),
        (Some(live), _) => There::Soaks(live::soaks(snapshot, stage, upstream, live)),
    }
}

fn waits_for(snapshot: &Snapshot, stage: &Stage, upstream: &StageName, release: &Release) -> HoldReason {
    let is_merged = snapshot.state.live(upstream).is_some_and(|live| live.release.is_same(release));
    if let Some(observed) = snapshot.pipeline.stage(upstream).filter(|_| is_merged)
        && observed.live.is_observed()
    {
        return live::unseen(snapshot, stage, observed, release);
    }
    let text = format!("waits until {} is live in {upstream}", release.version());
    HoldReason::new(&stage.name, Gate::Upstream, text)
}

/// Whether a release was live for long enough in this upstream stage of a stage, and passed its watch there.
pub(super) fn has_soaked(
    snapshot: &Snapshot,
    stage: &Stage,
    upstream: &StageName,
    release: &Release,
) -> bool {
    live::longest(snapshot, upstream, release).is_some_and(|longest| longest >= stage.gates.soak)
        && watch::hold(snapshot, stage, upstream, release).is_none()
}

/// The upstream stages that speak for a release: all that it has to come from, or those of them where it has passed.
pub(super) fn witnesses<'a>(
    snapshot: &'a Snapshot,
    stage: &'a Stage,
    release: &'a Release,
) -> impl Iterator<Item = &'a StageName> {
    stage.after.iter().filter(move |upstream| match stage.join {
        Join::All => true,
        Join::Any => has_soaked(snapshot, stage, upstream, release),
    })
}

/// What was promoted into the upstream stages from which it can come, the last first.
pub(super) fn promoted<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Vec<&'a Release> {
    // What has come into all of them has come into the first.
    let asked = match stage.join {
        Join::All => stage.after.iter().take(1),
        Join::Any => stage.after.iter().take(stage.after.len()),
    };
    let stints = asked.filter_map(|name| snapshot.state.stints(name)).flat_map(Stints::newest_first);
    let mut promoted: Vec<_> = stints.filter(|stint| matches!(stint.origin, Origin::Promoted(_))).collect();
    promoted.sort_by_key(|stint| Reverse(stint.from));
    promoted.into_iter().map(|stint| &stint.release).collect()
}

/// The upstream stages in words: `a`, `b`, or "any of" them.
pub(super) fn names(stage: &Stage) -> String {
    let names: Vec<String> = stage.after.iter().map(|name| format!("`{name}`")).collect();
    match stage.join {
        Join::All => names.join(", "),
        Join::Any => format!("any of {}", names.join(", ")),
    }
}
