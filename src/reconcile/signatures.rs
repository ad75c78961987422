//! The signatures of the images that may go in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use futures::future::join_all;

use super::Reconcile;
use super::gather::{is_settled, within};
use crate::image::{Digest, Release, Repository};
use crate::pipeline::{ImageRule, Stage};
use crate::plan::{Pick, SignatureState, Snapshot};
use crate::promotion::Origin;
use crate::registry::SignatureError;

/// What the registries say of them. A digest that has no good one is asked for again soon: most are signed a moment
/// after they were pushed, and no registry tells of that.
pub(super) async fn signatures(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<(Repository, Digest), SignatureState> {
    let rules = snapshot.pipeline.images.iter().filter(|rule| !rule.signed_by.is_empty());
    let concerned = concerned(snapshot);
    let read = rules.flat_map(|rule| {
        let of_rule = concerned.iter().filter(|(name, _)| name.is_same(&rule.repository));
        of_rule.map(move |(_, digest)| async move {
            let state = signature(run, rule, *digest, is_hurried).await;
            ((rule.repository.clone(), *digest), state)
        })
    });
    let found: BTreeMap<_, _> = join_all(read).await.into_iter().collect();
    for state in found.values() {
        match state {
            SignatureState::Good(_) => {}
            SignatureState::Missing(_) => run.is_unsigned.store(true, Ordering::Relaxed),
            SignatureState::Unknown(_) => run.is_registry_away.store(true, Ordering::Relaxed),
        }
    }
    found
}

async fn signature(
    run: &Reconcile<'_>,
    rule: &ImageRule,
    digest: Digest,
    is_hurried: bool,
) -> SignatureState {
    let keys: Vec<_> = rule.signed_by.iter().map(|signer| signer.key.clone()).collect();
    let asked = run.world.registry.signature(&rule.repository, digest, &keys);
    match within(run, is_hurried, asked).await {
        Some(Ok(signed)) => SignatureState::Good(signed),
        Some(Err(error @ (SignatureError::Missing | SignatureError::NoneCounts { .. }))) => {
            SignatureState::Missing(error.to_string())
        }
        Some(Err(SignatureError::Registry(error))) => SignatureState::Unknown(error.to_string()),
        None => SignatureState::Unknown("the registry takes too long".to_owned()),
    }
}

/// The images that may go in somewhere: what is picked, asked for or proposed, and what may go on from upstream. Not
/// what is pinned: it is there already.
pub(super) fn concerned(snapshot: &Snapshot) -> BTreeSet<(Repository, Digest)> {
    let mut found = BTreeSet::new();
    if is_settled(snapshot) {
        return found;
    }
    for (rule, pick) in snapshot.pipeline.images.iter().zip(&snapshot.picks) {
        if let Pick::Found { digest, .. } = pick {
            found.insert((rule.repository.clone(), *digest));
        }
    }
    let releases = snapshot.pipeline.stages.iter().flat_map(|stage| under_way(snapshot, stage));
    // A person may ask by name for what was seen and is not picked any more.
    let seen =
        snapshot.state.seen.iter().rev().take(if snapshot.asked.is_empty() { 0 } else { RELEASES_MAX });
    for release in releases.chain(seen.map(|(release, _)| release)) {
        found.extend(release.images().map(|(repository, pinned)| (repository.clone(), pinned.digest)));
    }
    found
}

/// The releases of a stage that may go into it, or on from it.
fn under_way<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Vec<&'a Release> {
    let Some(state) = snapshot.state.stage(&stage.name) else { return Vec::new() };
    let has_downstream = snapshot.pipeline.stages.iter().any(|other| other.after.contains(&stage.name));
    let promoted = state
        .stints
        .newest_first()
        .filter(|stint| matches!(stint.origin, Origin::Promoted(_)) && has_downstream);
    let proposed = state.proposal.as_ref().map(|proposal| &proposal.release);
    let requested = state.request.as_ref().map(|request| &request.release);
    let promoted = promoted.map(|stint| &stint.release).take(RELEASES_MAX);
    promoted.chain(proposed).chain(requested).collect()
}

/// Releases of a stage that may still go on from it, and releases seen; older ones are older than what went on.
const RELEASES_MAX: usize = 5;
