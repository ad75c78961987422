//! Whether the images of a release are fit to go in: the platforms that they must have, and who must have signed them.

use std::collections::BTreeSet;

use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::messages::{code, escape};
use super::snapshot::{SignatureState, Snapshot};
use crate::image::{Digest, Platform, Release, Repository};
use crate::pipeline::{ImageRule, SigningKey, Stage};
use crate::promotion::{Proposal, Signature};
use crate::signature::Signed;

/// Who can put a signature to an image.
const SIGNERS: &str = "whoever builds and signs the image";

/// Why a release does not go in, as far as its images alone tell.
pub(super) fn unfit(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    missing_platforms(snapshot, stage, release).or_else(|| missing_signature(snapshot, stage, release))
}

/// The merge gate of the platforms.
pub(super) fn platforms(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if let Some(hold) = missing_platforms(snapshot, stage, &proposal.release) {
        gates.shut(hold);
    } else {
        let names: BTreeSet<String> = snapshot
            .pipeline
            .images
            .iter()
            .flat_map(|rule| &rule.platforms)
            .map(ToString::to_string)
            .collect();
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            gates.open(Gate::Platforms, format!("platforms {}", names.join(", ")));
        }
    }
}

/// The merge gate of the signatures.
pub(super) fn signed(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if let Some(hold) = missing_signature(snapshot, stage, &proposal.release) {
        gates.shut(hold);
        return;
    }
    for (rule, digest) in to_be_signed(snapshot, &proposal.release) {
        let Some(signature) = good(snapshot, rule, digest) else { continue };
        let text = format!(
            "{} is signed by `{}` (key {}, kept as {})",
            code(rule.repository.short_name()),
            signature.key,
            signature.key_id.short(),
            signature.scheme
        );
        gates.open(Gate::Signed, text);
        gates.signatures.push(signature);
    }
}

/// What is known of the signature of a digest, for people who look at it; nothing where none is needed.
pub(super) fn signature_line(snapshot: &Snapshot, repository: &Repository, digest: Digest) -> Option<String> {
    let rule = snapshot.pipeline.images.iter().find(|rule| rule.repository.is_same(repository))?;
    let signers = signers(rule)?;
    let name = code(repository.short_name());
    Some(match (good(snapshot, rule, digest), snapshot.signature(rule, digest)) {
        (Some(signature), _) => {
            format!("- ✓ {name} is signed by `{}` (key {})", signature.key, signature.key_id.short())
        }
        (None, Some(SignatureState::Missing(reason))) => {
            format!("- ▲ **{name} is not signed by {signers}:** {}", escape(reason))
        }
        (None, Some(SignatureState::Unknown(reason))) => {
            format!("- ◔ signature of {name}: unknown ({})", escape(reason))
        }
        (None, Some(SignatureState::Good(_)) | None) => format!("- ◔ signature of {name}: not asked for"),
    })
}

/// The platforms that a candidate lacks, as a hold; an image of which nothing is known shuts the gate as well.
fn missing_platforms(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    let hold = |text: String| Some(HoldReason::new(&stage.name, Gate::Platforms, text));
    for rule in snapshot.pipeline.images.iter().filter(|rule| !rule.platforms.is_empty()) {
        let Some(pinned) = release.get(&rule.repository) else { continue };
        match snapshot.images.get(&pinned.digest) {
            Some(Ok(image)) => {
                let lacks = |wanted: &&Platform| !image.platforms.iter().any(|found| found.serves(wanted));
                let missing: Vec<String> =
                    rule.platforms.iter().filter(lacks).map(ToString::to_string).collect();
                if !missing.is_empty() {
                    return hold(format!(
                        "{} {} lacks {}",
                        rule.repository,
                        pinned.version(),
                        missing.join(", ")
                    ));
                }
            }
            Some(Err(reason)) => {
                return hold(format!("platforms of {} are unknown: {reason}", rule.repository));
            }
            None => return hold(format!("platforms of {} were not read yet", rule.repository)),
        }
    }
    None
}

/// The signature that a release lacks, as a hold; one that cannot be verified now shuts the gate as well.
fn missing_signature(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    let (rule, digest) =
        to_be_signed(snapshot, release).find(|(rule, digest)| good(snapshot, rule, *digest).is_none())?;
    let (name, version, signers) =
        (&rule.repository, release.get(&rule.repository)?.version(), signers(rule)?);
    let text = match snapshot.signature(rule, digest) {
        Some(SignatureState::Missing(reason)) => {
            format!("{name} {version} is not signed by {signers}: {reason}")
        }
        Some(SignatureState::Unknown(reason)) => {
            format!("whether {name} {version} is signed by {signers} is unknown: {reason}")
        }
        Some(SignatureState::Good(_)) | None => {
            format!("whether {name} {version} is signed by {signers} was not read yet")
        }
    };
    Some(HoldReason::new(&stage.name, Gate::Signed, text).who(SIGNERS))
}

/// The images of a release that need a signature.
fn to_be_signed<'a>(
    snapshot: &'a Snapshot,
    release: &'a Release,
) -> impl Iterator<Item = (&'a ImageRule, Digest)> {
    let rules = snapshot.pipeline.images.iter().filter(|rule| !rule.signed_by.is_empty());
    rules.filter_map(|rule| Some((rule, release.get(&rule.repository)?.digest)))
}

/// The good signature of a digest, by a key of the rule.
fn good(snapshot: &Snapshot, rule: &ImageRule, digest: Digest) -> Option<Signature> {
    let Some(SignatureState::Good(Signed { key, scheme })) = snapshot.signature(rule, digest) else {
        return None;
    };
    let signer = rule.signed_by.iter().find(|signer| signer.key.id() == *key)?;
    Some(Signature {
        repository: rule.repository.clone(),
        digest,
        key: signer.name.clone(),
        key_id: *key,
        scheme: *scheme,
    })
}

/// `release` or `release-2025`; nothing where nobody has to sign.
fn signers(rule: &ImageRule) -> Option<String> {
    let name = |signer: &SigningKey| format!("`{}`", signer.name);
    let names: Vec<String> = rule.signed_by.iter().map(name).collect();
    (!names.is_empty()).then(|| names.join(" or "))
}
