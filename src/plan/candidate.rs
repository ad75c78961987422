//! Which release a stage should have: what `follow` picks, or what has passed upstream.

use std::time::Duration;

use jiff::Timestamp;

use super::effect::{Gate, HoldReason};
use super::messages;
use super::snapshot::{Pick, Snapshot};
use crate::image::{Pinned, Release};
use crate::pipeline::{Follow, Order, Pipeline, Stage, StageName, Together};
use crate::promotion::{Origin, State};

/// What a stage should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// This release; whether it goes in is for the gates.
    Release(Release),
    /// Nothing newer than what is there.
    UpToDate,
    /// Nothing can be proposed; why.
    Held(HoldReason),
}

/// The newest release that `stage` may get, compared with what it pins.
///
/// A first stage gets what `follow` picks. A later one gets the newest release that has passed in all its upstream
/// stages: never one that still soaks, so that a fast stage does not starve its successor.
#[must_use]
pub fn candidate(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    if stage.after.is_empty() {
        first_stage(snapshot, stage, pinned)
    } else {
        later_stage(snapshot, stage, pinned)
    }
}

/// What the follow rules pick together, whether or not it is new.
pub(super) fn picked(snapshot: &Snapshot, stage: &StageName) -> Result<Release, HoldReason> {
    let mut release = Release::default();
    for (rule, pick) in snapshot.pipeline.images.iter().zip(&snapshot.picks) {
        match pick {
            Pick::Found { tag, digest } => {
                release.insert(rule.repository.clone(), Pinned { tag: Some(tag.clone()), digest: *digest });
            }
            Pick::Nothing => {
                let text = format!("no tag of {} fits its follow rule", rule.repository);
                return Err(HoldReason::new(stage, Gate::Registry, text));
            }
            Pick::Failed(reason) => return Err(HoldReason::new(stage, Gate::Registry, reason.clone())),
        }
    }
    let tags: std::collections::BTreeSet<_> =
        release.images().map(|(_, pinned)| pinned.tag.clone()).collect();
    if snapshot.pipeline.together == Together::SameTag && tags.len() > 1 {
        let text = format!("waits until all images have one tag: {}", release.version());
        return Err(HoldReason::new(stage, Gate::Settle, text));
    }
    Ok(release)
}

fn first_stage(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    let release = match picked(snapshot, &stage.name) {
        Ok(release) => release,
        Err(hold) => return Candidate::Held(hold),
    };
    match newer(snapshot, stage, &release, pinned) {
        Ok(true) => {}
        Ok(false) => return Candidate::UpToDate,
        Err(hold) => return Candidate::Held(hold),
    }
    let seen = snapshot.state.seen.iter().find(|(seen, _)| seen.is_same(&release)).map(|(_, at)| *at);
    let settles_at = seen.map(|seen| later(seen, snapshot.pipeline.settle));
    match settles_at {
        Some(at) if at > snapshot.now => {
            let text = format!("{} settles until {}", release.version(), minute(at));
            Candidate::Held(HoldReason::new(&stage.name, Gate::Settle, text).opens_at(at))
        }
        _ => Candidate::Release(release),
    }
}

fn later_stage(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    let Some(first_upstream) = stage.after.first().and_then(|name| snapshot.state.stints(name)) else {
        return Candidate::UpToDate;
    };
    let mut best: Option<Release> = None;
    let mut waiting: Option<(Release, HoldReason)> = None;
    let mut stopped: Option<HoldReason> = None;
    for stint in first_upstream.newest_first() {
        let release = &stint.release;
        if !matches!(stint.origin, Origin::Promoted(_))
            || !matches!(newer(snapshot, stage, release, pinned), Ok(true))
        {
            continue;
        }
        match passed(snapshot, stage, release) {
            Passed::Yes => keep_newest(snapshot, &mut best, release),
            Passed::Soaks(hold) => {
                if waiting.as_ref().is_none_or(|(known, _)| is_newer(snapshot, release, known)) {
                    waiting = Some((release.clone(), hold));
                }
            }
            Passed::Stopped(hold) => stopped = stopped.or(Some(hold)),
            Passed::No => {}
        }
    }
    match (best, waiting.map(|(_, hold)| hold).or(stopped)) {
        (Some(release), _) => Candidate::Release(release),
        (None, Some(hold)) => Candidate::Held(hold),
        (None, None) => Candidate::UpToDate,
    }
}

/// Whether a release passed in all upstream stages of a stage.
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

pub(super) fn passed(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Passed {
    let state = &snapshot.state;
    if let Some(hold) = stopped(snapshot, stage, release) {
        return Passed::Stopped(hold);
    }
    let mut hold = None;
    for upstream in &stage.after {
        let Some(stints) = state.stints(upstream) else { return Passed::No };
        let Some(longest) = stints.longest(release, snapshot.now) else {
            hold = Some(waits_for_upstream(stage, upstream, release));
            continue;
        };
        if longest >= stage.gates.soak {
            continue;
        }
        match stints.live().filter(|live| live.release.is_same(release)) {
            Some(live) => {
                let until = later(live.from, stage.gates.soak);
                let text = format!("{} soaks in {upstream} until {}", release.version(), minute(until));
                hold = hold.or(Some(HoldReason::new(&stage.name, Gate::Soak, text).opens_at(until)));
            }
            None => return Passed::No,
        }
    }
    match hold {
        None => Passed::Yes,
        Some(hold)
            if stage
                .after
                .iter()
                .any(|up| state.live(up).is_some_and(|live| live.release.is_same(release))) =>
        {
            Passed::Soaks(hold)
        }
        Some(_) => Passed::No,
    }
}

fn waits_for_upstream(stage: &Stage, upstream: &StageName, release: &Release) -> HoldReason {
    let text = format!("waits until {} is live in {upstream}", release.version());
    HoldReason::new(&stage.name, Gate::Upstream, text)
}

/// The veto or refusal that keeps a release out of a stage.
pub(super) fn stopped(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    if let Some(veto) = snapshot.state.veto(&snapshot.pipeline, &stage.name, release) {
        return Some(messages::vetoed(stage, release, veto));
    }
    let is_refused =
        snapshot.state.stage(&stage.name).is_some_and(|state| state.refused.contains(&release.id()));
    is_refused.then(|| {
        let (version, name) = (release.version(), &stage.name);
        let text = format!(
            "{version} was refused for {name} by closing its pull request; `/promote {name} to {version}` proposes it again"
        );
        HoldReason::new(name, Gate::Refused, text).who("owner")
    })
}

/// Whether `release` is newer than what is pinned, by the follow order; an error where its version moved or where the
/// rule would go backwards.
pub(super) fn newer(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
) -> Result<bool, HoldReason> {
    let Some(pinned) = pinned else { return Ok(true) };
    if release.is_same(pinned) {
        return Ok(false);
    }
    if let Some(text) = moved_version(&snapshot.pipeline, release, pinned) {
        return Err(HoldReason::new(&stage.name, Gate::Order, text));
    }
    match compare(&snapshot.pipeline, &snapshot.state, release, pinned) {
        Order::Newer | Order::Unknown => Ok(true),
        Order::Same => Ok(false),
        Order::Older => {
            let text = format!("{} is older than {}, which is pinned", release.version(), pinned.version());
            Err(HoldReason::new(&stage.name, Gate::Order, text))
        }
    }
}

/// How two releases compare: by the follow rule of each image, then by which was seen first.
#[must_use]
pub fn compare(pipeline: &Pipeline, state: &State, one: &Release, other: &Release) -> Order {
    let mut found = Order::Same;
    for rule in &pipeline.images {
        let (Some(left), Some(right)) = (one.get(&rule.repository), other.get(&rule.repository)) else {
            continue;
        };
        if left.digest == right.digest {
            continue;
        }
        match rule.follow.compare(left.tag.as_ref(), right.tag.as_ref()) {
            Order::Older => return Order::Older,
            Order::Newer => found = Order::Newer,
            Order::Same | Order::Unknown => {}
        }
    }
    match (found, state.seen_order(one), state.seen_order(other)) {
        (Order::Newer, _, _) => Order::Newer,
        (_, Some(left), Some(right)) if left < right => Order::Older,
        (_, Some(_), _) => Order::Newer,
        (_, None, Some(_)) => Order::Older,
        (_, None, None) => Order::Unknown,
    }
}

/// A version of a semver rule that has another digest than what is pinned under the same version.
fn moved_version(pipeline: &Pipeline, release: &Release, pinned: &Release) -> Option<String> {
    pipeline.images.iter().find_map(|rule| {
        let (new, old) = (release.get(&rule.repository)?, pinned.get(&rule.repository)?);
        let is_version = matches!(rule.follow, Follow::Semver(_));
        let same = new.tag == old.tag && new.tag.is_some() && new.digest != old.digest;
        (is_version && same).then(|| {
            format!(
                "version {} of {} moved from {} to {}: versions must not move; push a new version",
                new.version(),
                rule.repository,
                old.digest.short(),
                new.digest.short()
            )
        })
    })
}

fn is_newer(snapshot: &Snapshot, one: &Release, other: &Release) -> bool {
    matches!(compare(&snapshot.pipeline, &snapshot.state, one, other), Order::Newer)
}

fn keep_newest(snapshot: &Snapshot, best: &mut Option<Release>, release: &Release) {
    if best.as_ref().is_none_or(|best| is_newer(snapshot, release, best)) {
        *best = Some(release.clone());
    }
}

/// A time later by a duration; the end of time where that does not exist.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time to the second in UTC, as every message prints it.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
