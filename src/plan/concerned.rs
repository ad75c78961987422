//! The releases that a plan will speak of: what has to be read of them before it is made.

use super::candidate::{Candidate, candidate};
use super::commands;
use super::pins::Pins;
use super::snapshot::{Pick, Snapshot};
use crate::image::{Pinned, Release};
use crate::pipeline::Stage;

/// The releases that may go into a stage: what is picked, what each stage should have next, what is proposed and asked for,
/// and what somebody names who was not answered yet.
#[must_use]
pub fn coming(snapshot: &Snapshot) -> Vec<Release> {
    let stages = snapshot.pipeline.stages.iter().flat_map(|stage| coming_into(snapshot, stage));
    let mut found: Vec<Release> = stages.collect();
    found.push(picked(snapshot));
    found.extend(commands::named_releases(snapshot));
    found
}

/// The releases that are there: what each stage pins, what it had last by the record, and what a proposal replaces.
#[must_use]
pub fn there(snapshot: &Snapshot) -> Vec<Release> {
    let of_stage = |stage: &Stage| {
        let pinned = if let Pins::Release(release) = snapshot.pins(stage) { Some(release) } else { None };
        let replaced = snapshot.state.proposal(&stage.name).and_then(|proposal| proposal.was.clone());
        let live = snapshot.state.live(&stage.name).map(|stint| stint.release.clone());
        [pinned, replaced, live]
    };
    snapshot.pipeline.stages.iter().flat_map(of_stage).flatten().collect()
}

fn coming_into(snapshot: &Snapshot, stage: &Stage) -> Vec<Release> {
    let pinned = match snapshot.pins(stage) {
        Pins::Release(release) => Some(release),
        Pins::Unpinned(_) | Pins::Mixed(_) | Pins::Unreadable(_) => None,
    };
    let proposal = snapshot.state.proposal(&stage.name);
    // While something is proposed, the next is compared with what that replaces.
    let was = proposal.map_or(pinned.as_ref(), |proposal| proposal.was.as_ref());
    let next = match candidate(snapshot, stage, was) {
        Candidate::Release(release) => Some(release),
        Candidate::UpToDate | Candidate::Held(_) => None,
    };
    let request = snapshot.state.stage(&stage.name).and_then(|state| state.request.as_ref());
    let known = [proposal.map(|proposal| &proposal.release), request.map(|request| &request.release)];
    next.into_iter().chain(known.into_iter().flatten().cloned()).collect()
}

/// What of each image is picked, whether or not it makes a release.
fn picked(snapshot: &Snapshot) -> Release {
    let images = snapshot.pipeline.images.iter().zip(&snapshot.picks);
    let found = images.filter_map(|(rule, pick)| match pick {
        Pick::Found { tag, digest } => {
            Some((rule.repository.clone(), Pinned { tag: Some(tag.clone()), digest: *digest }))
        }
        Pick::Nothing | Pick::Refused(_) | Pick::Failed(_) => None,
    });
    found.collect()
}
