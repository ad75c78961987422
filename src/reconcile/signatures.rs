//! The signatures of the images that may go in.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::future::join_all;

use super::Reconcile;
use super::gather::{digests, is_settled, within};
use crate::image::{Digest, Repository};
use crate::pipeline::ImageRule;
use crate::plan::{self, SignatureState, Snapshot};

/// What the registries say of those of the releases that may go into a stage next.
pub(super) async fn signatures(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<(Repository, Digest), SignatureState> {
    let rules = snapshot.pipeline.images.iter().filter(|rule| !rule.signed_by.is_empty());
    // Not of what is pinned: it is there already.
    let coming = if is_settled(snapshot) { Vec::new() } else { plan::coming(snapshot) };
    let concerned = digests(&coming);
    let read = rules.flat_map(|rule| {
        let of_rule = concerned.iter().filter(|(name, _)| name.is_same(&rule.repository));
        of_rule.map(move |(_, digest)| async move {
            let state = signature(run, rule, *digest, is_hurried).await;
            ((rule.repository.clone(), *digest), state)
        })
    });
    let found: BTreeMap<_, _> = join_all(read).await.into_iter().collect();
    if found.values().any(|state| matches!(state, SignatureState::Unknown(_))) {
        run.is_registry_away.store(true, Ordering::Relaxed);
    }
    found
}

async fn signature(
    run: &Reconcile<'_>,
    rule: &ImageRule,
    digest: Digest,
    is_hurried: bool,
) -> SignatureState {
    let signers = rule.signed_by.signers();
    let asked = run.world.registry.signature(&rule.repository, digest, &signers);
    match within(run, is_hurried, asked).await {
        Some(Ok(verified)) => SignatureState::Good(verified),
        Some(Err(error)) if error.is_answer() => SignatureState::Missing(error.to_string()),
        Some(Err(error)) => SignatureState::Unknown(error.to_string()),
        None if signers.keyless.is_empty() => {
            SignatureState::Unknown("the registry takes too long".to_owned())
        }
        None => SignatureState::Unknown(format!(
            "the registry and cosign take too long for {} identities",
            signers.keyless.len()
        )),
    }
}
