//! Whether the images of a release are fit to go in: the platforms that they must have, and who must have signed them.

use std::collections::BTreeSet;

use super::effect::{Gate, HoldReason};
use super::gates::MergeGates;
use super::messages::{code, escape};
use super::pins::Pins;
use super::provenance;
use super::snapshot::{SignatureState, Snapshot, Unread};
use crate::image::{Digest, Pinned, Platform, Release, Repository};
use crate::pipeline::{ImageRule, SigningKey, Stage};
use crate::promotion::{Proposal, Signature, Signer};
use crate::signature::{Keyless, Signed, Verified};

/// Who can put a signature to an image.
const SIGNERS: &str = "whoever builds and signs the image";

/// Why a release does not go in, as far as its images alone tell.
pub(super) fn unfit(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    missing_platforms(snapshot, stage, release)
        .or_else(|| missing_signature(snapshot, stage, release))
        .or_else(|| provenance::hold(snapshot, stage, release))
}

/// The merge gate of the platforms.
pub(super) fn platforms(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if let Some(hold) = missing_platforms(snapshot, stage, &proposal.release) {
        gates.shut(hold);
        return;
    }
    let today = today(snapshot, stage);
    let mut names = BTreeSet::new();
    for rule in &snapshot.pipeline.images {
        names.extend(match needed(snapshot, rule, today.as_ref(), &proposal.release) {
            Needed::All(platforms, _) => platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
            Needed::Any | Needed::Unknown(_) => Vec::new(),
        });
    }
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        gates.open(Gate::Platforms, format!("platforms {}", names.join(", ")));
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
        let name = code(rule.repository.short_name());
        let by = match &signature.by {
            Signer::Key { scheme, .. } => format!("{}, kept as {scheme}", signer_of(&signature)),
            Signer::Keyless(_) => signer_of(&signature),
        };
        gates.open(Gate::Signed, format!("{name} is signed by {by}"));
        gates.signatures.push(signature);
    }
}

/// What is known of the signature of a digest, for people who look at it; nothing where none is needed.
pub(super) fn signature_line(snapshot: &Snapshot, repository: &Repository, digest: Digest) -> Option<String> {
    let rule = snapshot.pipeline.images.iter().find(|rule| rule.repository.is_same(repository))?;
    let signers = signers(rule)?;
    let name = code(repository.short_name());
    Some(match (good(snapshot, rule, digest), snapshot.signature(rule, digest)) {
        (Some(signature), _) => format!("- ✓ {name} is signed by {}", signer_of(&signature)),
        (None, Some(SignatureState::Missing(reason))) => {
            format!("- ▲ **{name} is not signed by {signers}:** {}", escape(reason))
        }
        (None, Some(SignatureState::Unknown(reason))) => {
            format!("- ◔ signature of {name}: unknown ({})", escape(reason))
        }
        (None, Some(SignatureState::Good(_)) | None) => format!("- ◔ signature of {name}: not asked for"),
    })
}

/// The platforms that an image has to have.
enum Needed<'a> {
    /// All of these, and who wants them.
    All(&'a [Platform], Wants),
    /// Whatever it has.
    Any,
    /// Those that the stage has today, and why they are not known.
    Unknown(String),
}

/// Who wants a platform.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// `platforms` in the file.
    File,
    /// The stage: it has the platform today.
    Stage,
}

/// What the file says; where it says nothing, what the stage has today. Of an image that the registry does not have any
/// more nothing can be known, so that keeps no other out.
fn needed<'a>(
    snapshot: &'a Snapshot,
    rule: &'a ImageRule,
    today: Option<&Release>,
    release: &Release,
) -> Needed<'a> {
    if !rule.platforms.is_empty() {
        return Needed::All(&rule.platforms, Wants::File);
    }
    let digest = |release: &Release| release.get(&rule.repository).map(|pinned| pinned.digest);
    let Some(pinned) = today.and_then(digest).filter(|pinned| digest(release) != Some(*pinned)) else {
        return Needed::Any;
    };
    match snapshot.images.get(&pinned) {
        Some(Ok(image)) => Needed::All(&image.platforms, Wants::Stage),
        Some(Err(Unread::Unknown(reason))) => Needed::Unknown(reason.clone()),
        Some(Err(Unread::Absent(_))) | None => Needed::Any,
    }
}

fn today(snapshot: &Snapshot, stage: &Stage) -> Option<Release> {
    match snapshot.pins(stage) {
        Pins::Release(release) => Some(release),
        Pins::Unpinned(_) | Pins::Mixed(_) | Pins::Unreadable(_) => None,
    }
}

/// The platforms that a candidate lacks, as a hold; an image that is not whole, or of which nothing is known though it
/// has to have some, shuts the gate as well.
fn missing_platforms(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Option<HoldReason> {
    let today = today(snapshot, stage);
    let text = snapshot.pipeline.images.iter().find_map(|rule| {
        let needed = needed(snapshot, rule, today.as_ref(), release);
        lack(snapshot, stage, rule, release.get(&rule.repository)?, &needed)
    })?;
    Some(HoldReason::new(&stage.name, Gate::Platforms, text))
}

/// What is wrong with the platforms of an image, in a sentence.
fn lack(
    snapshot: &Snapshot,
    stage: &Stage,
    rule: &ImageRule,
    pinned: &Pinned,
    needed: &Needed<'_>,
) -> Option<String> {
    let name = &rule.repository;
    let listed =
        |platforms: Vec<&Platform>| platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let image = match (snapshot.images.get(&pinned.digest), needed) {
        (Some(Ok(image)), _) => image,
        (Some(Err(Unread::Absent(reason))), _) => {
            return Some(format!("{name} {} is not whole: {reason}", pinned.version()));
        }
        // What nobody needs may be unknown; what is not read yet is read before it is merged.
        (Some(Err(Unread::Unknown(_))) | None, Needed::Any)
        | (None, Needed::All(_, Wants::Stage) | Needed::Unknown(_)) => return None,
        (Some(Err(Unread::Unknown(reason))), _) => {
            return Some(format!("platforms of {name} are unknown: {reason}"));
        }
        (None, Needed::All(_, Wants::File)) => {
            return Some(format!("platforms of {name} were not read yet"));
        }
    };
    // Where the file names platforms, an index may lack others: some registries take such on purpose.
    let is_needed = |missing: &&Platform| match needed {
        Needed::All(wanted, Wants::File) => wanted.iter().any(|wanted| missing.serves(wanted)),
        Needed::All(_, Wants::Stage) | Needed::Any | Needed::Unknown(_) => true,
    };
    let missing: Vec<&Platform> = image.missing.iter().filter(is_needed).collect();
    if !missing.is_empty() {
        let missing = listed(missing);
        return Some(format!("{name} {} is not whole: {missing} is not in the registry", pinned.version()));
    }
    let (wanted, wants) = match needed {
        Needed::All(wanted, wants) => (wanted, *wants),
        Needed::Any => return None,
        Needed::Unknown(reason) => {
            return Some(format!("which platforms of {name} {} has today is unknown: {reason}", stage.name));
        }
    };
    let has = |wanted: &&Platform| match wants {
        Wants::File => image.platforms.iter().any(|found| found.serves(wanted)),
        Wants::Stage => image.platforms.iter().any(|found| found.stands_in_for(wanted)),
    };
    let lacking: Vec<&Platform> = wanted.iter().filter(|wanted| !has(wanted)).collect();
    if lacking.is_empty() {
        return None;
    }
    let text = format!("{name} {} lacks {}", pinned.version(), listed(lacking));
    Some(match wants {
        Wants::File => text,
        Wants::Stage => format!(
            "{text}, which {} has today; `platforms` in lockkeeper.yaml says which are needed",
            stage.name
        ),
    })
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

/// The good signature of a digest, by somebody whom the rule names.
fn good(snapshot: &Snapshot, rule: &ImageRule, digest: Digest) -> Option<Signature> {
    let Some(SignatureState::Good(verified)) = snapshot.signature(rule, digest) else { return None };
    let by = match verified {
        Verified::Key(Signed { key, scheme }) => {
            let signer = rule.signed_by.keys.iter().find(|signer| signer.key.id() == *key)?;
            Signer::Key { key: signer.name.clone(), key_id: *key, scheme: *scheme }
        }
        Verified::Keyless(found) => {
            Signer::Keyless(rule.signed_by.keyless.iter().find(|keyless| *keyless == found)?.clone())
        }
    };
    Some(Signature { repository: rule.repository.clone(), digest, by })
}

/// Who made a signature, for people.
fn signer_of(signature: &Signature) -> String {
    match &signature.by {
        Signer::Key { key, key_id, .. } => format!("`{key}` (key {})", key_id.short()),
        Signer::Keyless(keyless) => format!("{}, as cosign says", named(keyless)),
    }
}

fn named(keyless: &Keyless) -> String {
    format!("`{}` of {}", keyless.identity(), code(keyless.issuer()))
}

/// `release` or `release-2025`; nothing where nobody has to sign.
fn signers(rule: &ImageRule) -> Option<String> {
    let name = |signer: &SigningKey| format!("`{}`", signer.name);
    let keys = rule.signed_by.keys.iter().map(name);
    let names: Vec<String> = keys.chain(rule.signed_by.keyless.iter().map(named)).collect();
    (!names.is_empty()).then(|| names.join(" or "))
}
