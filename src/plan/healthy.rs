//! Whether a release is healthy in the stages before.

use super::candidate::{later, minute};
use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::snapshot::Snapshot;
use super::{live, upstream};
use crate::image::Release;
use crate::observation::Health;
use crate::pipeline::{Join, Stage, StageName};
use crate::promotion::{Seen, Sight, Stint};

/// Why a release does not go in, as far as its health upstream tells.
pub(super) fn hold(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    if !stage.gates.healthy {
        return None;
    }
    let said =
        || upstream::witnesses(snapshot, stage, release).map(|name| sick(snapshot, stage, name, release));
    if stage.join == Join::Any && said().any(|sick| sick.is_none()) {
        return None;
    }
    said().flatten().next()
}

/// The merge gate.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, release: &Release, gates: &mut MergeGates) {
    if !stage.gates.healthy {
        return;
    }
    match hold(snapshot, stage, release) {
        Some(hold) => gates.shut(hold),
        None => gates.open(Gate::Healthy, format!("{} is healthy upstream", release.version())),
    }
}

/// What has been replaced upstream is judged by what was seen of it last: it cannot be seen any more.
fn sick(snapshot: &Snapshot, stage: &Stage, upstream: &StageName, release: &Release) -> Option<HoldReason> {
    let shut = |why: String| {
        let text = format!("{} is not known to be healthy in {upstream}: {why}", release.version());
        Some(HoldReason::new(&stage.name, Gate::Healthy, text).who(live::WHO))
    };
    let stints = snapshot.state.stints(upstream);
    let stint = stints.and_then(|stints| stints.newest_first().find(|stint| stint.release.is_same(release)));
    let (Some(stint), Some(observed)) = (stint, snapshot.pipeline.stage(upstream)) else {
        return shut("it was never there".to_owned());
    };
    let seen = match seen(snapshot, observed, stint) {
        Ok(seen) => seen,
        Err(why) => return shut(why),
    };
    match (&seen.sight, &seen.health) {
        (Sight::Running, Health::Healthy) => None,
        (Sight::Running | Sight::Contrary(_), _) => shut(seen.to_string()),
    }
}

/// What was seen last of a release; or why nothing is: that it was too long ago, now or when it was replaced.
fn seen(snapshot: &Snapshot, stage: &Stage, stint: &Stint) -> Result<Seen, String> {
    let nothing = || "nothing was reported".to_owned();
    let Some((ended, _)) = stint.ended else {
        let words = || live::words(snapshot, stage).unwrap_or_else(nothing);
        return live::now(snapshot, stage, stint).ok_or_else(words);
    };
    let evidence = stint.evidence.as_ref().ok_or_else(nothing)?;
    if later(evidence.at, stage.live.counts_for) < ended {
        return Err(format!(
            "it was seen last at {}, and replaced at {}",
            minute(evidence.at),
            minute(ended)
        ));
    }
    Ok(evidence.seen.clone())
}
