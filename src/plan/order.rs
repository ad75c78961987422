//! Which of two releases is newer, and what must not be taken for newer: a tag that stands for something else by now.

use std::borrow::Cow;

use jiff::Timestamp;

use super::effect::{Gate, HoldReason};
use super::snapshot::Snapshot;
use crate::image::{Digest, Pinned, Release, Repository, Tag, credibly_created};
use crate::pipeline::{ImageRule, Order, Rule, Stage};

/// How `release` compares with what is pinned, by the follow order; a hold where its version moved, or where nothing
/// tells. [`Order::Unknown`] means that no rule speaks of it and that neither was seen: nothing is against it.
pub(super) fn against_pinned(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
) -> Result<Order, HoldReason> {
    let held = |text: String| Err(HoldReason::new(&stage.name, Gate::Order, text));
    if pinned.is_some_and(|pinned| release.is_same(pinned)) {
        return Ok(Order::Same);
    }
    if let Some((_, text)) = moved(snapshot, stage, release, pinned).into_iter().next() {
        return held(text);
    }
    let Some(pinned) = pinned else { return Ok(Order::Newer) };
    match incomparable(snapshot, release, pinned) {
        Some(text) => held(text),
        None => Ok(compare(snapshot, release, pinned)),
    }
}

/// Whether a release goes forward from what is pinned.
pub(super) fn is_forward(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
) -> bool {
    matches!(against_pinned(snapshot, stage, release, pinned), Ok(Order::Newer | Order::Unknown))
}

/// The hold on a release that is older than what is pinned.
pub(super) fn backwards(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
) -> HoldReason {
    let pinned = pinned.map_or_else(String::new, |pinned| named(snapshot, pinned).version());
    let text = format!("{} is older than {pinned}, which is pinned", release.version());
    HoldReason::new(&stage.name, Gate::Order, text)
}

/// How two releases compare: by the follow rule of each image, then by which was seen first.
#[must_use]
pub fn compare(snapshot: &Snapshot, one: &Release, other: &Release) -> Order {
    let (one, other) = (&*named(snapshot, one), &*named(snapshot, other));
    let mut found = Order::Same;
    for (rule, left, right) in differing(snapshot, one, other) {
        match compare_images(snapshot, rule, left, right) {
            Order::Older => return Order::Older,
            Order::Newer => found = Order::Newer,
            Order::Same | Order::Unknown => {}
        }
    }
    let state = &snapshot.state;
    match (found, state.seen_order(one), state.seen_order(other)) {
        (Order::Newer, _, _) => Order::Newer,
        (_, Some(left), Some(right)) if left < right => Order::Older,
        (_, Some(_), _) => Order::Newer,
        (_, None, Some(_)) => Order::Older,
        (_, None, None) => Order::Unknown,
    }
}

/// Whether the follow rule of each image that differs says that it is newer. Which was seen first says nothing of what is
/// in it: a fix for something old is seen last, and lacks what came in between.
pub(super) fn is_newer_by_rule(snapshot: &Snapshot, one: &Release, other: &Release) -> bool {
    let (one, other) = (&*named(snapshot, one), &*named(snapshot, other));
    differing(snapshot, one, other)
        .all(|(rule, left, right)| compare_images(snapshot, rule, left, right) == Order::Newer)
}

/// Whether a release that nobody need have picked is older than another: by a rule, or because it was seen before. That it
/// was never seen says nothing of it.
pub(super) fn is_known_older(snapshot: &Snapshot, one: &Release, other: &Release) -> bool {
    let (one, other) = (&*named(snapshot, one), &*named(snapshot, other));
    let was_seen = snapshot.state.seen_order(one).is_some();
    let by_rule = |(rule, left, right)| compare_images(snapshot, rule, left, right) == Order::Older;
    differing(snapshot, one, other).any(by_rule) || was_seen && compare(snapshot, one, other) == Order::Older
}

/// A release with the tags by which its digests came, where its pins have none: without a tag no rule can compare it,
/// and a backport that was seen just now would pass for the newest.
pub(super) fn named<'a>(snapshot: &Snapshot, release: &'a Release) -> Cow<'a, Release> {
    if release.images().all(|(_, pinned)| pinned.tag.is_some()) {
        return Cow::Borrowed(release);
    }
    let named = release.images().map(|(repository, pinned)| {
        let tag = pinned.tag.clone().or_else(|| tag_of(snapshot, repository, pinned.digest));
        (repository.clone(), Pinned { tag, digest: pinned.digest })
    });
    Cow::Owned(named.collect())
}

/// The tag by which a digest came into a stage last, or was picked.
fn tag_of(snapshot: &Snapshot, repository: &Repository, digest: Digest) -> Option<Tag> {
    let lived = snapshot.state.stages.values().flat_map(|stage| stage.stints.newest_first());
    let seen = snapshot.state.seen.iter().rev().map(|(release, _)| release);
    let mut known = lived.map(|stint| &stint.release).chain(seen);
    known.find_map(|release| release.get(repository).filter(|pinned| pinned.digest == digest)?.tag.clone())
}

/// What both releases have, each with another digest.
fn differing<'a>(
    snapshot: &'a Snapshot,
    one: &'a Release,
    other: &'a Release,
) -> impl Iterator<Item = (&'a ImageRule, &'a Pinned, &'a Pinned)> {
    snapshot.pipeline.images.iter().filter_map(|rule| {
        let (left, right) = (one.get(&rule.repository)?, other.get(&rule.repository)?);
        (left.digest != right.digest).then_some((rule, left, right))
    })
}

/// How two images compare by their follow rule.
pub(super) fn compare_images(snapshot: &Snapshot, rule: &ImageRule, one: &Pinned, other: &Pinned) -> Order {
    let by_tag = rule.follow.compare(one.tag.as_ref(), other.tag.as_ref());
    if rule.follow.rule != Rule::Newest || by_tag != Order::Unknown {
        return by_tag;
    }
    match (created(snapshot, one.digest), created(snapshot, other.digest)) {
        (Ok(one), Ok(other)) => one.cmp(&other).into(),
        (Err(_), _) | (_, Err(_)) => Order::Unknown,
    }
}

/// When the image of this digest was created, or why that is not known.
fn created(snapshot: &Snapshot, digest: Digest) -> Result<Timestamp, String> {
    match snapshot.images.get(&digest) {
        Some(Ok(image)) => credibly_created(image.created, snapshot.now)
            .ok_or_else(|| format!("image {} does not say it credibly", digest.short())),
        Some(Err(reason)) => Err(reason.to_string()),
        None => Err(format!("image {} was not read", digest.short())),
    }
}

/// Why a release of images that are followed by their creation time cannot be compared with what is pinned. Two that were
/// seen compare by that: the first stage has looked at their times already.
fn incomparable(snapshot: &Snapshot, release: &Release, pinned: &Release) -> Option<String> {
    let seen = |release| snapshot.state.seen_order(release).is_some();
    if seen(release) && seen(pinned) {
        return None;
    }
    let by_time = |(rule, ..): &(&ImageRule, &Pinned, &Pinned)| rule.follow.rule == Rule::Newest;
    differing(snapshot, release, pinned).filter(by_time).find_map(|(rule, new, old)| {
        let reason = created(snapshot, new.digest).and(created(snapshot, old.digest)).err()?;
        Some(format!(
            "whether {} of {} is newer than {}, which is pinned, is not known without their creation times: {reason}",
            new.version(),
            rule.repository,
            old.version()
        ))
    })
}

/// The images of a release whose tags must not move and stood for something else: what is pinned, or, in a first stage,
/// what they were when they were picked first. Each with a sentence that says so.
pub(super) fn moved(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
) -> Vec<(Pinned, String)> {
    let pinned = pinned.map(|pinned| named(snapshot, pinned));
    let seen = snapshot.state.seen.iter().map(|(seen, _)| seen).filter(|_| stage.after.is_empty());
    let unmoving = snapshot.pipeline.images.iter().filter(|rule| !rule.follow.moves());
    let found = unmoving.filter_map(|rule| {
        let new = release.get(&rule.repository)?;
        let is_same_key = |known: &&Pinned| {
            known.tag.is_some()
                && (known.tag == new.tag
                    || rule.follow.compare(new.tag.as_ref(), known.tag.as_ref()) == Order::Same)
        };
        let known = |release: &Release| release.get(&rule.repository).cloned();
        let old = pinned.as_deref().and_then(known).filter(|known| is_same_key(&known));
        let first = || seen.clone().filter_map(known).find(|known| is_same_key(&known));
        let old = old.or_else(first).filter(|old| old.digest != new.digest)?;
        Some((new.clone(), moved_text(rule, &old, new)))
    });
    found.collect()
}

fn moved_text(rule: &ImageRule, old: &Pinned, new: &Pinned) -> String {
    let (from, to, repository) = (old.digest.short(), new.digest.short(), &rule.repository);
    if old.tag == new.tag {
        let version = new.version();
        return format!(
            "version {version} of {repository} moved from {from} to {to}: versions must not move; push a new version"
        );
    }
    let (was, is) = (old.version(), new.version());
    format!(
        "{is} of {repository} is the same version as {was} and has another digest ({to}, not {from}): versions must not \
         move; push a new version"
    )
}
