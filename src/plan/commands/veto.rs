//! `/veto` and `/unveto`: a lasting no to some digests, and taking it back.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::authorise::authorise;
use super::execute::{Done, is_later, said_before};
use crate::command::{Target, Verb};
use crate::image::{Digest, Pinned, Release, Repository};
use crate::pipeline::{Stage, StageName};
use crate::plan::messages::code;
use crate::plan::snapshot::{Asked, Snapshot, Thread};
use crate::promotion::{self, Event};

/// The release of the pull request that a comment stands on, with its stage.
fn release_of_thread<'a>(snapshot: &'a Snapshot, asked: &Asked) -> Option<(&'a StageName, &'a Release)> {
    let Thread::Forge { number, .. } = asked.thread else { return None };
    let name = snapshot.stage_of(number)?;
    let state = snapshot.state.stage(name)?;
    let proposed = state
        .proposal
        .as_ref()
        .filter(|proposal| proposal.open.as_ref().is_some_and(|open| open.0 == number));
    let merged = state.stints.newest_first().find(|stint| stint.number == Some(number));
    let release = proposed.map(|proposal| &proposal.release).or(merged.map(|stint| &stint.release))?;
    Some((name, release))
}

/// Vetoes a release, or the one of the pull request.
pub(super) fn veto(
    snapshot: &Snapshot,
    asked: &Asked,
    target: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let of_thread = release_of_thread(snapshot, asked);
    let stage_name = &stage_of_veto(snapshot, asked)?.name;
    let release = match target {
        Some(target) => known_release(snapshot, target)?,
        None => of_thread.map(|(_, release)| release.clone()).ok_or_else(|| {
            Refusal::refused("Name a version or digest: `/veto <version or digest> [reason]`.")
        })?,
    };
    // Of several images, those that the stage has or had beside it are not what the veto means.
    let stints = snapshot.state.stints(stage_name).into_iter().flat_map(promotion::Stints::newest_first);
    let other = stints.map(|stint| &stint.release).find(|other| !other.is_same(&release));
    let good = other.map(Release::digests).unwrap_or_default();
    let mut digests: BTreeSet<Digest> = release.digests().difference(&good).copied().collect();
    if digests.is_empty() {
        digests = release.digests();
    }
    let version = release.version();
    let reply =
        format!("{} is vetoed in `{stage_name}` and downstream until `/unveto {version}`.", code(&version));
    let event = Event::Vetoed {
        stage: stage_name.clone(),
        digests,
        version,
        by: asked.actor(),
        reason: reason.cloned(),
    };
    Ok((vec![event], reply))
}

/// The stage from which on the veto counts: that of the pull request; elsewhere the first for which the person may.
fn stage_of_veto<'a>(snapshot: &'a Snapshot, asked: &Asked) -> Result<&'a Stage, Refusal> {
    let of_thread = match asked.thread {
        Thread::Forge { number, .. } => snapshot.stage_of(number).or(asked.stage.as_ref()),
        Thread::CommandLine => None,
    };
    let stages: Vec<&Stage> = match of_thread {
        Some(name) => snapshot.pipeline.stage(name).into_iter().collect(),
        None => snapshot.pipeline.stages.iter().collect(),
    };
    let mut first = None;
    for stage in stages {
        match authorise(snapshot, asked, Verb::Veto, stage) {
            Ok(()) => return Ok(stage),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or_else(|| Refusal::refused("the stage is gone.")))
}

fn known_release(snapshot: &Snapshot, target: &Target) -> Result<Release, Refusal> {
    let live = snapshot
        .state
        .stages
        .values()
        .flat_map(|state| state.stints.newest_first().map(|stint| &stint.release));
    let seen = snapshot.state.seen.iter().map(|(release, _)| release);
    let named: Vec<&Release> = live.chain(seen).filter(|release| promotion::names(target, release)).collect();
    let Some(first) = named.first() else {
        let target = code(&target.to_string());
        return Err(Refusal::refused(format!("no release {target} is known to lockkeeper.")));
    };
    let mut digests: BTreeMap<&Repository, BTreeSet<Digest>> = BTreeMap::new();
    for (repository, pinned) in named.iter().flat_map(|release| release.images()) {
        if target.matches(pinned) {
            digests.entry(repository).or_default().insert(pinned.digest);
        }
    }
    match digests.values().find(|digests| digests.len() > 1) {
        Some(digests) => Err(ambiguous(target, digests)),
        None => Ok((*first).clone()),
    }
}

/// A veto is for good, so it hits what is meant and nothing else.
fn ambiguous(target: &Target, digests: &BTreeSet<Digest>) -> Refusal {
    let names: Vec<String> =
        digests.iter().map(|digest| format!("- {}", code(&format!("/veto {digest}")))).collect();
    let (target, count) = (code(&target.to_string()), digests.len());
    Refusal::refused(format!(
        "{target} names {count} digests. Veto the one that is meant, or each of them:\n\n{}",
        names.join("\n")
    ))
}

/// Takes back the vetoes that are meant.
pub(super) fn unveto(
    snapshot: &Snapshot,
    asked: &Asked,
    target: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let of_thread = release_of_thread(snapshot, asked).map(|(_, release)| release.digests());
    let is_meant = |veto: &&promotion::Veto| match (target, &of_thread) {
        (Some(target @ Target::Version(version)), _) => {
            &veto.version == version || veto.digests.iter().any(|digest| is_digest(target, *digest))
        }
        (Some(target @ Target::Digest(_)), _) => veto.digests.iter().any(|digest| is_digest(target, *digest)),
        (None, Some(digests)) => !veto.digests.is_disjoint(digests),
        (None, None) => false,
    };
    let vetoes: Vec<&promotion::Veto> = snapshot.state.vetoes.iter().filter(is_meant).collect();
    if vetoes.is_empty() {
        let known: Vec<String> = snapshot.state.vetoes.iter().map(|veto| code(&veto.version)).collect();
        let known = if known.is_empty() {
            "There is none.".to_owned()
        } else {
            format!("There are: {}.", known.join(", "))
        };
        return Err(Refusal::refused(format!("no veto of that name. {known}")));
    }
    let digests: BTreeSet<Digest> = vetoes.iter().flat_map(|veto| veto.digests.iter().copied()).collect();
    // With them go all others on these digests, by whatever name.
    let vetoes: Vec<&promotion::Veto> =
        snapshot.state.vetoes.iter().filter(|veto| !veto.digests.is_disjoint(&digests)).collect();
    for veto in &vetoes {
        if is_later(snapshot, asked, &veto.by, veto.at) {
            let what = format!("{} was vetoed by {}", code(&veto.version), code(&veto.by.name));
            return Err(said_before(&what, veto.at));
        }
        // Where its stage is gone, the first one stands for it: nobody is let through for want of a stage.
        let stage = snapshot.pipeline.stage(&veto.stage).or(snapshot.pipeline.stages.first());
        if let Some(stage) = stage {
            authorise(snapshot, asked, Verb::Unveto, stage)?;
        }
    }
    let names: BTreeSet<String> = vetoes.iter().map(|veto| code(&veto.version)).collect();
    let names: Vec<String> = names.into_iter().collect();
    let event = Event::Unvetoed { digests, by: asked.actor(), reason: reason.cloned() };
    Ok((vec![event], format!("The veto of {} is taken back; holds stay until `/resume`.", names.join(", "))))
}

fn is_digest(target: &Target, digest: Digest) -> bool {
    target.matches(&Pinned { tag: None, digest })
}
