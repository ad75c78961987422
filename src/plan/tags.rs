//! The tags that follow what the stages pin: anchors, which keep clean-ups away from an image, and channels, which people and
//! other tools read.
//!
//! They are set when nothing else is to be done, and what is set is in the record. Of one stage first the channel of what a
//! rollback would go to, then the anchors, then the channel of what is live: whenever it stops, the way back is named.
//!
//! An anchor never moves. A channel moves when the stage does; one that somebody else moved is said, and left until then.

use std::collections::BTreeSet;

use super::effect::{Effect, Gate, HoldReason, Plan, SetTag};
use super::readiness::{needed, target};
use super::snapshot::{Answer, FileState, Question, Snapshot};
use crate::image::{Digest, Release, Repository, Tag};
use crate::pipeline::Stage;
use crate::promotion::{Drift, Event, Origin, Stint, WrittenTag};

/// Every tag that there should be, in the order in which they are set.
fn wanted(snapshot: &Snapshot) -> Vec<SetTag> {
    let mut found: Vec<SetTag> = Vec::new();
    if snapshot.file == FileState::Removed {
        return found;
    }
    for stage in &snapshot.pipeline.stages {
        // What somebody else pinned is protected; that it is released, nobody has said.
        let is_ours = |stint: &&Stint| stint.origin != Origin::OutOfBand;
        let live = snapshot.state.live(&stage.name).filter(is_ours);
        let back = target(snapshot, stage).filter(|_| live.is_some());
        if let Some((tag, stint)) = stage.rollback_channel.as_ref().zip(back) {
            found.extend(set(snapshot, stage, &stint.release, |_| tag.clone()));
        }
        let is_there = |(repository, pinned): (&Repository, &crate::image::Pinned)| {
            let state = snapshot.state.stage(&stage.name);
            state.is_none_or(|state| state.missing(repository, pinned.digest).is_none())
        };
        let needed = needed(snapshot, stage).into_iter().map(|(stint, _)| stint);
        for stint in needed.filter(|stint| stint.release.images().all(is_there)) {
            for anchor in set(snapshot, stage, &stint.release, Tag::anchor) {
                let is_same =
                    |known: &SetTag| known.digest == anchor.digest && known.repository == anchor.repository;
                if !found.iter().any(|known| known.tag.is_anchor() && is_same(known)) {
                    found.push(anchor);
                }
            }
        }
        if let Some((tag, stint)) = stage.channel.as_ref().zip(live) {
            found.extend(set(snapshot, stage, &stint.release, |_| tag.clone()));
        }
    }
    found
}

fn set(snapshot: &Snapshot, stage: &Stage, release: &Release, tag: impl Fn(Digest) -> Tag) -> Vec<SetTag> {
    let of = |(repository, pinned): (&Repository, &crate::image::Pinned)| {
        let tag = tag(pinned.digest);
        SetTag {
            stage: stage.name.clone(),
            repository: repository.clone(),
            digest: pinned.digest,
            // One that was there before us is somebody's, until the stage moves.
            moves: !tag.is_anchor() && snapshot.state.tags.get(repository, &tag).is_some(),
            tag,
        }
    };
    release.images().map(of).collect()
}

fn due(snapshot: &Snapshot) -> Vec<SetTag> {
    let is_due = |wanted: &SetTag| {
        let written = snapshot.state.tags.get(&wanted.repository, &wanted.tag);
        written.is_none_or(|written| written.digest != wanted.digest)
    };
    wanted(snapshot).into_iter().filter(is_due).collect()
}

/// The digests whose anchor nothing needs any more.
fn retired(snapshot: &Snapshot) -> Vec<(Repository, Digest)> {
    let wanted: BTreeSet<(Repository, Digest)> =
        wanted(snapshot).into_iter().map(|tag| (tag.repository, tag.digest)).collect();
    let anchors = snapshot.state.tags.anchors();
    let anchors = anchors.map(|(repository, _, digest)| (repository.clone(), digest));
    anchors.filter(|anchor| !wanted.contains(anchor)).collect()
}

/// The repositories in which a tag has to be set or removed.
#[must_use]
pub fn concerned(snapshot: &Snapshot) -> BTreeSet<Repository> {
    let due = due(snapshot).into_iter().map(|tag| tag.repository);
    due.chain(retired(snapshot).into_iter().map(|(repository, _)| repository)).collect()
}

/// Sets and removes what is due.
pub(super) fn effects(snapshot: &Snapshot, plan: &mut Plan) {
    let may = |repository: &Repository| snapshot.tagging.get(repository) == Some(&Ok(true));
    let due = due(snapshot);
    for tag in due.iter().filter(|tag| may(&tag.repository)) {
        if resting(snapshot, &tag.repository, &tag.tag).is_none() {
            plan.push(Effect::Tag(Box::new(tag.clone())));
        }
    }
    for (repository, digest) in retired(snapshot).into_iter().filter(|(repository, _)| may(repository)) {
        if resting(snapshot, &repository, &Tag::anchor(digest)).is_none() {
            plan.push(Effect::Untag { repository, digest });
        }
    }
}

/// Why a tag is not set now.
pub(super) fn resting<'a>(
    snapshot: &'a Snapshot,
    repository: &Repository,
    tag: &Tag,
) -> Option<&'a (String, jiff::Timestamp)> {
    let failed = snapshot.untaggable.get(&(repository.clone(), tag.clone()));
    failed.filter(|(_, again_at)| *again_at > snapshot.now)
}

/// Records channels that somebody else moved, or put back.
pub(super) fn record(snapshot: &Snapshot, plan: &mut Plan) {
    for stage in &snapshot.pipeline.stages {
        for (repository, tag, written) in channels(snapshot, stage) {
            let question = Question::Channel(repository.clone(), tag.clone());
            let answer = snapshot.probes.get(&question).and_then(|probed| probed.answer.as_ref());
            // An answer from before it was written says nothing of it.
            let Some((_, Answer::Names(found))) = answer.filter(|(at, _)| *at > written.at) else { continue };
            let drift = match found {
                Some(found) if *found == written.digest => None,
                Some(found) => Some(Drift::Moved(*found)),
                None => Some(Drift::Gone),
            };
            if drift != written.drift {
                let (stage, repository, tag) = (stage.name.clone(), repository.clone(), tag.clone());
                let (wanted, found) = (written.digest, *found);
                plan.record(snapshot.now, Event::Drifted { stage, repository, tag, wanted, found });
            }
        }
    }
}

/// The channels of a stage that are known, by repository.
fn channels<'a>(
    snapshot: &'a Snapshot,
    stage: &'a Stage,
) -> impl Iterator<Item = (&'a Repository, &'a Tag, &'a WrittenTag)> {
    stage.channels().flat_map(move |tag| {
        snapshot.pipeline.images.iter().filter_map(move |rule| {
            Some((&rule.repository, tag, snapshot.state.tags.get(&rule.repository, tag)?))
        })
    })
}

/// Says what is not as it should be.
pub(super) fn holds(snapshot: &Snapshot, plan: &mut Plan) {
    for stage in &snapshot.pipeline.stages {
        for (repository, tag, written) in channels(snapshot, stage) {
            let what = match written.drift {
                Some(Drift::Moved(found)) => format!("names {}", found.short()),
                Some(Drift::Gone) => "is gone".to_owned(),
                None => continue,
            };
            let text = format!(
                "channel {repository}:{tag} {what}, not {}: somebody else changed it; the next merge in this stage sets it",
                written.digest.short()
            );
            plan.holds.push(HoldReason::new(&stage.name, Gate::Channel, text));
        }
    }
    let mut told = BTreeSet::new();
    for tag in due(snapshot) {
        let name = format!("{}:{}", tag.repository, tag.tag);
        let failed = resting(snapshot, &tag.repository, &tag.tag);
        let (text, again_at) = match (snapshot.tagging.get(&tag.repository), failed) {
            (Some(Ok(true)), Some((why, again_at))) => (why.clone(), Some(*again_at)),
            (Some(Ok(false)), _) if !tag.tag.is_anchor() => (
                format!(
                    "channel {name} is not set: `retag_docker_config` of `[registry]` names nobody for its host"
                ),
                None,
            ),
            (Some(Err(why)), _) => (format!("tag {name} is not set: {why}"), None),
            (Some(Ok(_)) | None, _) => continue,
        };
        if told.insert((tag.stage.clone(), text.clone())) {
            let hold = HoldReason::new(&tag.stage, Gate::Tags, text);
            plan.holds.push(match again_at {
                Some(at) => hold.opens_at(at),
                None => hold,
            });
        }
    }
}
