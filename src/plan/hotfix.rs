//! The hotfix lane: past the stages before, and how those catch up.
//!
//! What a hotfix put into a stage is a candidate for the first stages before it, as long as it is live there, where they have
//! something older; from there it goes on the usual way, through every gate. Where something newer comes the usual way,
//! that comes instead. So nobody is thrown back: neither the stage that got the hotfix, since whatever else may come is
//! compared with it, nor the stages before: those get it by themselves only where the follow rule says that it is newer.

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::effect::{Gate, HoldReason};
use super::order::{compare, is_forward, is_newer_by_rule};
use super::snapshot::Snapshot;
use super::{candidate, fitness};
use crate::image::Release;
use crate::pipeline::{Order, Picked, Stage, StageName, duration_text};
use crate::promotion::{Lane, Origin};

/// The stage after this one in which the release is live by a hotfix.
pub(super) fn shipped_to<'a>(
    snapshot: &'a Snapshot,
    stage: &Stage,
    release: &Release,
) -> Option<&'a StageName> {
    shipped(snapshot, stage).find(|(_, shipped)| shipped.is_same(release)).map(|(name, _)| name)
}

/// What is live by a hotfix after this first stage.
pub(super) fn shipped<'a>(
    snapshot: &'a Snapshot,
    stage: &Stage,
) -> impl Iterator<Item = (&'a StageName, &'a Release)> {
    // A later stage takes what passed upstream: the lane is that of one stage, and opens no other.
    let mut after =
        if stage.after.is_empty() { snapshot.pipeline.downstream(&stage.name) } else { BTreeSet::new() };
    after.remove(&stage.name);
    let stages = snapshot.pipeline.stages.iter().filter(move |other| after.contains(&other.name));
    stages.filter_map(|other| {
        let live = snapshot.state.live(&other.name)?;
        (live.origin == Origin::Promoted(Lane::Hotfix)).then_some((&other.name, &live.release))
    })
}

/// The candidate of a stage: what comes the usual way, or a hotfix after it, where that is newer.
pub(super) fn or_shipped(
    snapshot: &Snapshot,
    stage: &Stage,
    pinned: Option<&Release>,
    usual: Candidate,
) -> Candidate {
    let is_newer =
        |release: &Release| pinned.is_none_or(|pinned| is_newer_by_rule(snapshot, release, pinned));
    let may_come = |(_, release): &(&StageName, &Release)| {
        is_forward(snapshot, stage, release, pinned) && candidate::stopped(snapshot, stage, release).is_none()
    };
    let (newer, unclear): (Vec<_>, Vec<_>) =
        shipped(snapshot, stage).filter(may_come).partition(|(_, release)| is_newer(release));
    let newest = newer
        .into_iter()
        .map(|(_, release)| release)
        .reduce(|best, other| if compare(snapshot, other, best) == Order::Newer { other } else { best });
    match (newest, usual) {
        (Some(shipped), Candidate::Release(usual)) if !is_newer_by_rule(snapshot, shipped, &usual) => {
            Candidate::Release(usual)
        }
        (Some(shipped), _) => Candidate::Release(shipped.clone()),
        (None, Candidate::UpToDate) => unclear.first().map_or(Candidate::UpToDate, |(name, release)| {
            Candidate::Held(incomparable(stage, name, release))
        }),
        (None, usual) => usual,
    }
}

/// A hotfix of which no rule says that it is newer than what the stage before has: a person says so, or what comes next.
fn incomparable(stage: &Stage, shipped_to: &StageName, release: &Release) -> HoldReason {
    let (name, version) = (&stage.name, release.version());
    let text = format!(
        "{version} is live in {shipped_to} by a hotfix, and no follow rule says whether it is newer than what {name} has: \
         it stays as it is; `/promote {name} to {version}` takes the hotfix"
    );
    HoldReason::new(name, Gate::Order, text).who("owner")
}

/// The gates of a stage that this lane does not ask, each with what it would have wanted.
pub(super) fn skipped(snapshot: &Snapshot, stage: &Stage) -> Vec<String> {
    let gates = &stage.gates;
    let mut found = Vec::new();
    if !stage.after.is_empty() {
        found.push("upstream".to_owned());
        found.push(if gates.soak.is_zero() {
            "soak".to_owned()
        } else {
            format!("soak ({})", duration_text(gates.soak))
        });
    }
    let aged = snapshot.pipeline.images.iter().filter(|rule| !rule.minimum_age.is_zero());
    found.extend(aged.map(|rule| {
        format!("minimum_age ({} of {})", duration_text(rule.minimum_age), rule.repository.short_name())
    }));
    found.push(match gates.windows.as_slice() {
        [] => "window".to_owned(),
        windows => {
            let windows: Vec<String> = windows.iter().map(ToString::to_string).collect();
            format!("window ({})", windows.join("; "))
        }
    });
    if gates.policy.is_some() {
        found.push("policy".to_owned());
    }
    if gates.rollback_ready {
        found.push("rollback_ready".to_owned());
    }
    found
}

/// The images of a release whose tags no rule of their own would pick.
pub(super) fn unfollowed(snapshot: &Snapshot, release: &Release) -> Vec<String> {
    let rules = snapshot.pipeline.images.iter();
    let found = rules.filter_map(|rule| {
        let pinned = release.get(&rule.repository)?;
        let is_picked = pinned.tag.as_ref().is_some_and(|tag| {
            matches!(rule.follow.pick(std::slice::from_ref(tag)), Picked::Tags(_) | Picked::Created(_))
        });
        (!is_picked).then(|| format!("{} of {}", pinned.version(), rule.repository))
    });
    found.collect()
}

/// Why a hotfix is not proposed, as far as its release tells: what is vetoed or refused, and images that are not fit.
pub(super) fn entry_hold(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    candidate::stopped(snapshot, stage, release).or_else(|| fitness::unfit(snapshot, stage, release))
}

/// The releases that were ever picked or live somewhere, as far as is remembered, the last ones first.
pub fn known(snapshot: &Snapshot) -> impl Iterator<Item = &Release> {
    let lived = snapshot.state.stages.values().flat_map(|stage| stage.stints.newest_first());
    let seen = snapshot.state.seen.iter().rev().map(|(release, _)| release);
    seen.chain(lived.map(|stint| &stint.release))
}
