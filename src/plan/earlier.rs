//! What was picked before the newest: it goes into a first stage while the newest is too young or incomplete.

use super::age;
use super::candidate::{Candidate, is_complete, later, picked, stopped, waiting};
use super::effect::HoldReason;
use super::order::{compare, is_forward};
use super::pins::Pins;
use super::snapshot::Snapshot;
use crate::image::Release;
use crate::pipeline::{ImageRule, Order, Picked, Stage};

/// Earlier picks of which the registry is asked whether it has them still: the last that are old enough, so that some may
/// have been withdrawn.
const ASKED_MAX: usize = 3;

/// The earlier picks that may go into a first stage now or soon, as far as the registry has them still.
#[must_use]
pub fn earlier(snapshot: &Snapshot) -> Vec<Release> {
    let first_stages = snapshot.pipeline.stages.iter().filter(|stage| stage.after.is_empty());
    let of_stage = first_stages.flat_map(|stage| {
        let pinned = match snapshot.pins(stage) {
            Pins::Release(release) => Some(release),
            Pins::Unpinned(_) => None,
            Pins::Mixed(_) | Pins::Unreadable(_) => return Vec::new(),
        };
        if waiting(snapshot, stage, pinned.as_ref()).is_none() {
            return Vec::new();
        }
        let (ripe, next) = sorted(snapshot, stage, pinned.as_ref());
        ripe.into_iter().chain(next.map(|(release, _)| release)).cloned().collect()
    });
    of_stage.collect()
}

/// The newest of them that is old enough; else the hold on the one that will be so first, which may be what is picked.
pub(super) fn candidate(
    snapshot: &Snapshot,
    stage: &Stage,
    pinned: Option<&Release>,
    hold: HoldReason,
) -> Candidate {
    let (ripe, next) = sorted(snapshot, stage, pinned);
    let stands = |release: &&Release| snapshot.standing.contains(&release.id());
    let newest = ripe.into_iter().filter(stands).reduce(|best, release| {
        if compare(snapshot, release, best) == Order::Newer { release } else { best }
    });
    match (newest, next.filter(|(release, _)| stands(release))) {
        (Some(release), _) => Candidate::Release(release.clone()),
        (None, Some((_, hold))) => Candidate::Held(hold),
        (None, None) => Candidate::Held(hold),
    }
}

/// Those that are old enough, the last one first, and the one that will be so next.
fn sorted<'a>(
    snapshot: &'a Snapshot,
    stage: &Stage,
    pinned: Option<&Release>,
) -> (Vec<&'a Release>, Option<(&'a Release, HoldReason)>) {
    let now = picked(snapshot, &stage.name).ok();
    let is_other = |release: &Release| now.as_ref().is_none_or(|now| !now.is_same(release));
    let may_come = |release: &Release| {
        is_other(release)
            && fits(snapshot, release)
            && is_forward(snapshot, stage, release, pinned)
            && stopped(snapshot, stage, release).is_none()
    };
    let (mut ripe, mut next): (Vec<&Release>, Option<(&Release, HoldReason)>) = (Vec::new(), None);
    for release in lasting(snapshot).filter(|release| may_come(release)) {
        match age::hold(snapshot, stage, release) {
            // The longer it is known, the sooner it counts.
            Some(hold) => next = Some((release, hold)),
            None => ripe.push(release),
        }
        if ripe.len() == ASKED_MAX {
            break;
        }
    }
    (ripe, next)
}

/// What was seen, the last one first, and was picked for as long as a release has to settle.
fn lasting(snapshot: &Snapshot) -> impl Iterator<Item = &Release> {
    let seen = &snapshot.state.seen;
    let ends = seen.iter().skip(1).map(|(_, at)| *at).chain([snapshot.now]);
    let lasted = seen.iter().zip(ends.collect::<Vec<_>>()).rev();
    let settle = snapshot.pipeline.settle;
    lasted.filter(move |((_, from), until)| later(*from, settle) <= *until).map(|((release, _), _)| release)
}

/// Whether the rules of today would pick it if nothing newer were there.
fn fits(snapshot: &Snapshot, release: &Release) -> bool {
    let images = &snapshot.pipeline.images;
    let fits = |rule: &ImageRule| {
        let tag = release.get(&rule.repository).and_then(|pinned| pinned.tag.as_ref());
        tag.is_some_and(|tag| {
            let picked = rule.follow.pick(std::slice::from_ref(tag));
            matches!(picked, Picked::Tags(_) | Picked::Created(_))
        })
    };
    release.len() == images.len() && images.iter().all(fits) && is_complete(snapshot, release)
}
