//! `/promote`: a release now, through its gates.

use super::Refusal;
use super::authorise::authorise;
use super::execute::{Done, addressed, not_refused_since, unrefused};
use crate::command::{Target, Verb};
use crate::image::Release;
use crate::pipeline::{Order, Stage};
use crate::plan::candidate::{self, Candidate};
use crate::plan::messages::{code, prose};
use crate::plan::order::{compare, moved};
use crate::plan::pins::Pins;
use crate::plan::snapshot::{Asked, Snapshot};
use crate::plan::upstream::{self, Passed};
use crate::plan::{gates, hotfix, propose};
use crate::promotion::{self, Event, Lane};

/// Asks for a release in each stage addressed; the first asking starts the pipeline.
pub(super) fn promote(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    to: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let first = snapshot.pipeline.stages.first().map(|stage| stage.name.to_string());
    let word = match (word, addressed(snapshot, asked, None).is_ok()) {
        (None, false) => first.as_deref(),
        (word, _) => word,
    };
    let stages = addressed(snapshot, asked, word)?;
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for stage in stages {
        authorise(snapshot, asked, Verb::Promote, stage)?;
        let (release, line) = promote_stage(snapshot, stage, to)?;
        not_refused_since(snapshot, asked, stage, &release)?;
        let reason = reason.cloned();
        if !snapshot.state.started && events.is_empty() {
            events.push(Event::Started { by: asked.actor() });
        }
        let stage = stage.name.clone();
        events.push(Event::Requested { stage, lane: Lane::Normal, release, by: asked.actor(), reason });
        lines.push(line);
    }
    Ok((events, lines.join("\n")))
}

fn promote_stage(
    snapshot: &Snapshot,
    stage: &Stage,
    to: Option<&Target>,
) -> Result<(Release, String), Refusal> {
    if let Some(hold) = gates::hold_of_stage(snapshot, stage) {
        return Err(Refusal::refused(format!("`{}` is {}.", stage.name, prose(&hold.text))));
    }
    let pinned = match snapshot.pins(stage) {
        Pins::Release(release) => Some(release),
        Pins::Unpinned(_) => None,
        Pins::Mixed(text) | Pins::Unreadable(text) => return Err(Refusal::refused(prose(&text))),
    };
    let release = match to {
        Some(target) => {
            let release = named_release(snapshot, stage, target)?;
            not_moved(snapshot, stage, &release, pinned.as_ref(), target)?;
            release
        }
        None => match candidate::candidate(snapshot, stage, pinned.as_ref()) {
            Candidate::Release(release) => release,
            Candidate::UpToDate => {
                return Err(Refusal::refused(format!(
                    "nothing newer is to be promoted to `{}`.",
                    stage.name
                )));
            }
            Candidate::Held(hold) => {
                return Err(Refusal::refused(format!("`{}`: {}.", stage.name, prose(&hold.text))));
            }
        },
    };
    if pinned.as_ref().is_some_and(|pinned| pinned.is_same(&release)) {
        return Err(Refusal::refused(format!("`{}` pins {} already.", stage.name, code(&release.version()))));
    }
    not_open_already(snapshot, stage, &release)?;
    no_hotfix_under_way(snapshot, stage)?;
    let is_older = pinned.as_ref().is_some_and(|pinned| compare(snapshot, &release, pinned) == Order::Older);
    if is_older {
        return Err(Refusal::refused(format!(
            "{} is older than what `{}` pins. To go back: {}",
            code(&release.version()),
            stage.name,
            code(&format!("/rollback {} to {}", stage.name, release.version()))
        )));
    }
    let unrefused = unrefused(snapshot, stage, &release);
    if let Some(hold) = propose::entry_hold(&unrefused, stage, &release, propose::Asked::ByPerson) {
        return Err(Refusal::refused(format!("`{}`: {}.", stage.name, prose(&hold.text))));
    }
    if !stage.after.is_empty() && !matches!(upstream::passed(&unrefused, stage, &release), Passed::Yes) {
        return Err(Refusal::refused(format!(
            "{} has not passed in {}.",
            code(&release.version()),
            upstream::names(stage)
        )));
    }
    let line = format!(
        "Proposing {} for `{}`; its merge gates still apply, and your own approval does not count.",
        code(&release.version()),
        stage.name
    );
    Ok((release, line))
}

/// A pull request for this release is open: asking again would change nothing.
fn not_open_already(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Result<(), Refusal> {
    let proposal = snapshot.state.proposal(&stage.name);
    match proposal.filter(|proposal| proposal.release.is_same(release)).and_then(|found| found.open.as_ref())
    {
        Some((number, _)) => {
            let version = code(&release.version());
            Err(Refusal::refused(format!("pull request {number} proposes {version} already.")))
        }
        None => Ok(()),
    }
}

/// What somebody needs at once is not put aside by what can wait.
fn no_hotfix_under_way(snapshot: &Snapshot, stage: &Stage) -> Result<(), Refusal> {
    let state = snapshot.state.stage(&stage.name);
    let requested = state.and_then(|state| state.request.as_ref());
    let requested = requested.filter(|request| request.lane == Lane::Hotfix).map(|request| &request.release);
    let proposed = snapshot.state.proposal(&stage.name).filter(|proposal| proposal.lane == Lane::Hotfix);
    match requested.or(proposed.map(|proposal| &proposal.release)) {
        Some(release) => Err(Refusal::refused(format!(
            "a hotfix of `{}` to {} is under way; veto it or close its pull request first.",
            stage.name,
            code(&release.version())
        ))),
        None => Ok(()),
    }
}

/// A version that stands for something else by now is not taken by its name: who means it says by digest which.
fn not_moved(
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    pinned: Option<&Release>,
    target: &Target,
) -> Result<(), Refusal> {
    let moved = moved(snapshot, stage, release, pinned);
    match moved.into_iter().find(|(image, _)| !target.names_digest(image)) {
        Some((image, text)) => {
            let by_digest = code(&format!("/promote {} to {}", stage.name, image.digest));
            Err(Refusal::refused(format!(
                "`{}`: {}. To take it all the same: {by_digest}",
                stage.name,
                prose(&text)
            )))
        }
        None => Ok(()),
    }
}

/// The release that a person names: what `follow` picks, or one that was upstream.
pub(super) fn named_release(snapshot: &Snapshot, stage: &Stage, target: &Target) -> Result<Release, Refusal> {
    let picked = stage.after.is_empty().then(|| candidate::picked(snapshot, &stage.name).ok()).flatten();
    let seen = snapshot.state.seen.iter().rev().map(|(release, _)| release.clone());
    let upstream = stage
        .after
        .iter()
        .filter_map(|name| snapshot.state.stints(name))
        .flat_map(|stints| stints.newest_first().map(|stint| stint.release.clone()).collect::<Vec<_>>());
    let shipped = hotfix::shipped(snapshot, stage).map(|(_, release)| release.clone());
    let mut known = picked.into_iter().chain(upstream).chain(shipped).chain(seen);
    known.find(|release| promotion::names(target, release)).ok_or_else(|| {
        Refusal::refused(format!("no release {} is known to lockkeeper.", code(&target.to_string())))
    })
}
