//! Which release a stage should have: what `follow` picks, or what has passed upstream.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::effect::{Gate, HoldReason};
use super::order::{against_pinned, backwards, compare, is_forward};
use super::snapshot::{Pick, Snapshot};
use super::upstream::{self, Passed};
use super::{age, earlier, hotfix, messages};
use crate::image::{Pinned, Release};
use crate::pipeline::{ImageRule, Order, Stage, StageName, Together};
use crate::promotion::Proposal;

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
/// A first stage gets what `follow` picks, or, while that is too young or incomplete, the newest that was picked before
/// it and is neither: else images that are pushed often would never get there. A later one gets the newest release that has passed in all its upstream
/// stages: never one that still soaks, so that a fast stage does not starve its successor. A hotfix in a stage after it comes before
/// all that is older.
#[must_use]
pub fn candidate(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    let usual = if stage.after.is_empty() {
        first_stage(snapshot, stage, pinned)
    } else {
        later_stage(snapshot, stage, pinned)
    };
    hotfix::or_shipped(snapshot, stage, pinned, usual)
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
            Pick::Refused(reason) => {
                let text = format!("{}: {reason}", rule.repository);
                return Err(HoldReason::new(stage, Gate::Order, text).who("write"));
            }
            Pick::Failed(reason) => return Err(HoldReason::new(stage, Gate::Registry, reason.clone())),
        }
    }
    if !is_complete(snapshot, &release) {
        let text = format!("waits until all images have one tag: {}", release.version());
        return Err(HoldReason::new(stage, Gate::Settle, text));
    }
    Ok(release)
}

/// Whether all images of a release belong together.
pub(super) fn is_complete(snapshot: &Snapshot, release: &Release) -> bool {
    snapshot.pipeline.together == Together::Any || shared(snapshot, release).len() <= 1
}

/// What the tags of a release say by the rules of their images: one thing, where they belong together.
fn shared(snapshot: &Snapshot, release: &Release) -> BTreeSet<String> {
    let tag = |rule: &ImageRule| release.get(&rule.repository).and_then(|pinned| pinned.tag.as_ref());
    snapshot.pipeline.images.iter().filter_map(|rule| Some(rule.follow.shared(tag(rule)?))).collect()
}

fn first_stage(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    match newest(snapshot, stage, pinned) {
        Ok(candidate) => candidate,
        Err(hold) => earlier::candidate(snapshot, stage, pinned, hold),
    }
}

/// The hold on what `follow` picks for a first stage, where time or another image opens it: what was picked before may
/// go in meanwhile.
pub(super) fn waiting(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Option<HoldReason> {
    if stage.after.is_empty() { newest(snapshot, stage, pinned).err() } else { None }
}

fn newest(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Result<Candidate, HoldReason> {
    let release = match picked(snapshot, &stage.name) {
        Ok(release) => release,
        Err(hold) if hold.gate == Gate::Settle => return Err(hold),
        Err(hold) => return Ok(Candidate::Held(hold)),
    };
    match against_pinned(snapshot, stage, &release, pinned) {
        Ok(Order::Newer | Order::Unknown) => {}
        Ok(Order::Same) => return Ok(Candidate::UpToDate),
        Ok(Order::Older) => return Ok(Candidate::Held(backwards(snapshot, stage, &release, pinned))),
        Err(hold) => return Ok(Candidate::Held(hold)),
    }
    match age::hold(snapshot, stage, &release) {
        Some(hold) => Err(hold),
        None => Ok(settled(snapshot, stage, release)),
    }
}

fn settled(snapshot: &Snapshot, stage: &Stage, release: Release) -> Candidate {
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

/// What a later stage could get, of what came into its upstream stages.
#[derive(Default)]
struct Coming {
    /// The newest that has passed.
    best: Option<Release>,
    /// The newest that waits for time or for another upstream stage.
    waiting: Option<(Release, HoldReason)>,
    /// Why the newest of all stays where it is.
    stopped: Option<HoldReason>,
}

fn later_stage(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Candidate {
    let coming = coming(snapshot, stage, pinned);
    match (coming.best, coming.waiting.map(|(_, hold)| hold).or(coming.stopped)) {
        (Some(release), _) => Candidate::Release(release),
        (None, Some(hold)) => Candidate::Held(hold),
        (None, None) => Candidate::UpToDate,
    }
}

/// When something newer than what is proposed will have passed: nothing else says that it is to be looked at then.
pub(super) fn overtaken_at(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Option<Timestamp> {
    let (release, hold) = coming(snapshot, stage, proposal.was.as_ref()).waiting?;
    hold.opens_at.filter(|_| is_newer(snapshot, &release, &proposal.release))
}

fn coming(snapshot: &Snapshot, stage: &Stage, pinned: Option<&Release>) -> Coming {
    let mut coming = Coming::default();
    let promoted = upstream::promoted(snapshot, stage);
    for &release in &promoted {
        if !is_forward(snapshot, stage, release, pinned) {
            continue;
        }
        match upstream::passed(snapshot, stage, release) {
            Passed::Yes => keep_newest(snapshot, &mut coming.best, release),
            Passed::Soaks(hold) => {
                if coming.waiting.as_ref().is_none_or(|(known, _)| is_newer(snapshot, release, known)) {
                    coming.waiting = Some((release.clone(), hold));
                }
            }
            Passed::Stopped(hold) => coming.stopped = coming.stopped.or(Some(hold)),
            Passed::No => {}
        }
    }
    // Of what came last upstream it is said why it stays there; all before it is older anyway.
    let unclear = || against_pinned(snapshot, stage, promoted.first()?, pinned).err();
    coming.stopped = coming.stopped.or_else(unclear);
    coming
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

fn is_newer(snapshot: &Snapshot, one: &Release, other: &Release) -> bool {
    matches!(compare(snapshot, one, other), Order::Newer)
}

fn keep_newest(snapshot: &Snapshot, best: &mut Option<Release>, release: &Release) {
    if best.as_ref().is_none_or(|best| is_newer(snapshot, release, best)) {
        *best = Some(release.clone());
    }
}

/// A time later by a duration; the end of time where that does not exist.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time to the second in UTC, as every message prints it.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
