//! How long a digest has to be known before it counts.

use jiff::Timestamp;

use super::candidate::{later, minute};
use super::effect::{Gate, HoldReason};
use super::snapshot::Snapshot;
use crate::image::{Digest, Release, Repository};
use crate::pipeline::{Stage, duration_text};

/// The hold of a first stage on a release that is too young: each of its images has to have been picked first so long
/// ago as its rule says.
///
/// The time that an image says of itself is not asked: whoever builds it can write what they like. What is live in the
/// stage already is old enough.
pub(super) fn hold(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    if !stage.after.is_empty() {
        return None;
    }
    let live = snapshot.state.live(&stage.name).map(|live| live.release.digests()).unwrap_or_default();
    let young = snapshot.pipeline.images.iter().filter_map(|rule| {
        let digest = release.get(&rule.repository).map(|pinned| pinned.digest)?;
        let seen = first_seen(snapshot, &rule.repository, digest).unwrap_or(snapshot.now);
        let opens_at = later(seen, rule.minimum_age);
        (opens_at > snapshot.now && !live.contains(&digest)).then_some((opens_at, rule))
    });
    let (opens_at, rule) = young.max_by_key(|(opens_at, _)| *opens_at)?;
    let text = format!(
        "{} of {} counts from {} on: `minimum_age` {}",
        release.version(),
        rule.repository,
        minute(opens_at),
        duration_text(rule.minimum_age)
    );
    Some(HoldReason::new(&stage.name, Gate::Age, text).opens_at(opens_at))
}

/// When this digest was picked first, by itself or beside others.
fn first_seen(snapshot: &Snapshot, repository: &Repository, digest: Digest) -> Option<Timestamp> {
    let has_it = |release: &Release| release.get(repository).is_some_and(|pinned| pinned.digest == digest);
    snapshot.state.seen.iter().filter(|(release, _)| has_it(release)).map(|(_, at)| *at).min()
}
