//! Whether a release is healthy in the stages before.

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
    let Some(seen) = seen(snapshot, observed, stint) else {
        return shut(live::words(snapshot, observed).unwrap_or_else(|| "nothing is reported yet".to_owned()));
    };
    match (&seen.sight, &seen.health) {
        (Sight::Running, Health::Healthy) => None,
        (Sight::Running | Sight::Contrary(_), _) => shut(seen.to_string()),
    }
}

/// What was seen last of a release; nothing where it is live and that is too long ago.
fn seen(snapshot: &Snapshot, stage: &Stage, stint: &Stint) -> Option<Seen> {
    if stint.ended.is_some() {
        return stint.evidence.as_ref().map(|evidence| evidence.seen.clone());
    }
    live::now(snapshot, stage, stint)
}
