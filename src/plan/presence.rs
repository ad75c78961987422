//! Whether the registry has what a rollback goes to: only that it says that it has not stops one.

use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::messages::code;
use super::snapshot::{Presence, Snapshot};
use crate::image::{Digest, Release};
use crate::pipeline::Stage;
use crate::promotion::Proposal;

/// The word that begins the reason of a rollback to what the registry says it does not have.
const FORCE: &str = "force";

/// Whether the people who may want the rollback also to what is not there.
pub(super) fn is_forced(reason: Option<&String>) -> bool {
    reason.is_some_and(|reason| reason.split_whitespace().next() == Some(FORCE))
}

/// The digests that the registry says it does not have.
pub(super) fn absent(snapshot: &Snapshot) -> Vec<Digest> {
    let is_absent = |presence: &Presence| matches!(presence, Presence::Absent(_));
    let found = snapshot.presence.iter().filter(|(_, presence)| is_absent(presence));
    found.map(|((_, digest), _)| *digest).collect()
}

/// The image of a release that the registry says it does not have.
pub(super) fn missing(snapshot: &Snapshot, release: &Release) -> Option<Digest> {
    let absent = absent(snapshot);
    release.digests().into_iter().find(|digest| absent.contains(digest))
}

/// The merge gate of a rollback: where others have to agree to it, what it goes to may be gone by then.
pub(super) fn gate(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if is_forced(proposal.reason.as_ref()) {
        return;
    }
    let Some(missing) = missing(snapshot, &proposal.release) else { return };
    let (name, version) = (&stage.name, proposal.release.version());
    let text = format!(
        "{} is not in the registry (`{missing}`): close this pull request for another target, or for {}",
        code(&version),
        code(&format!("/rollback {name} to {version} {FORCE}"))
    );
    gates.shut(HoldReason::new(name, Gate::Missing, text).who("on-call"));
}
