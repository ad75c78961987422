//! `/promote … lane=hotfix`: a release into a stage, past the stages before it.

use super::Refusal;
use super::authorise::authorise_hotfix;
use super::execute::{Done, addressed, not_refused_since, unrefused};
use crate::command::Target;
use crate::image::Release;
use crate::pipeline::Stage;
use crate::plan::effect::{Gate, HoldReason};
use crate::plan::messages::{code, escape, prose};
use crate::plan::order::{is_known_older, moved};
use crate::plan::pins::Pins;
use crate::plan::snapshot::{Asked, Snapshot, Unread};
use crate::plan::{candidate, gates, hotfix, step};
use crate::promotion::{Event, Lane};

/// Asks for a release in each stage addressed, at once; it must be named, and so must the reason.
pub(super) fn hotfix(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    to: Option<&Target>,
    reason: Option<&String>,
) -> Done {
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    let stages = addressed(snapshot, asked, word)?;
    for stage in &stages {
        authorise_hotfix(snapshot, asked, stage)?;
    }
    let example = code("/promote prod to 1.4.3 lane=hotfix INC-2041 the fix");
    let Some(to) = to else {
        return Err(Refusal::refused(format!("a hotfix names its release: {example}")));
    };
    if reason.is_none() {
        return Err(Refusal::refused(format!(
            "a hotfix needs a reason, which stands in the record: {example}"
        )));
    }
    for stage in stages {
        let (release, line) = hotfix_stage(snapshot, asked, stage, to)?;
        not_refused_since(snapshot, asked, stage, &release)?;
        let (stage, by, reason) = (stage.name.clone(), asked.actor(), reason.cloned());
        events.push(Event::Requested { stage, lane: Lane::Hotfix, release, by, reason });
        lines.push(line);
    }
    Ok((events, lines.join("\n")))
}

fn hotfix_stage(
    snapshot: &Snapshot,
    asked: &Asked,
    stage: &Stage,
    to: &Target,
) -> Result<(Release, String), Refusal> {
    let name = &stage.name;
    if let Some(hold) = gates::hold_of_stage(snapshot, stage) {
        return Err(Refusal::refused(format!("`{name}` is {}.", prose(&hold.text))));
    }
    if step::is_rolling_back(snapshot, stage) {
        return Err(Refusal::refused(format!("a rollback of `{name}` is under way.")));
    }
    let pinned = match snapshot.pins(stage) {
        Pins::Release(release) => Some(release),
        Pins::Unpinned(_) => None,
        Pins::Mixed(text) | Pins::Unreadable(text) => return Err(Refusal::refused(prose(&text))),
    };
    let release = match snapshot.hotfixes.get(to) {
        Some(Ok(release)) => release.clone(),
        Some(Err(Unread::Absent(reason))) => {
            return Err(Refusal::refused(format!("`{name}`: {}.", prose(reason))));
        }
        Some(Err(Unread::Unknown(reason))) => return Err(waits(snapshot, asked, stage, to, reason)),
        None => {
            return Err(Refusal::refused(format!(
                "{} was not looked for. Write it again.",
                code(&to.to_string())
            )));
        }
    };
    let version = code(&release.version());
    if pinned.as_ref().is_some_and(|pinned| pinned.is_same(&release)) {
        return Err(Refusal::refused(format!("`{name}` pins {version} already.")));
    }
    if pinned.as_ref().is_some_and(|pinned| is_known_older(snapshot, &release, pinned)) {
        let back = code(&format!("/rollback {name}"));
        return Err(Refusal::refused(format!(
            "{version} is older than what `{name}` pins. First go back: {back}"
        )));
    }
    // What a version stood for in the first stage, it stands for everywhere.
    let first = snapshot.pipeline.stages.first().unwrap_or(stage);
    let moved = moved(snapshot, first, &release, pinned.as_ref());
    if let Some((_, text)) = moved.into_iter().find(|(image, _)| !to.names_digest(image)) {
        return Err(Refusal::refused(format!(
            "`{name}`: {}. To take it all the same, name its digest.",
            prose(&text)
        )));
    }
    if let Some(hold) = hotfix::entry_hold(&unrefused(snapshot, stage, &release), stage, &release) {
        return Err(Refusal::refused(format!("`{name}`: {}.", prose(&hold.text))));
    }
    if is_under_way(snapshot, stage, &release) {
        return Err(Refusal::refused(format!("a hotfix of `{name}` to {version} is under way.")));
    }
    let unfollowed = hotfix::unfollowed(snapshot, &release);
    let unfollowed: Vec<String> = unfollowed.iter().map(|image| code(image)).collect();
    let note = if unfollowed.is_empty() {
        String::new()
    } else {
        format!(" No follow rule picks {}.", unfollowed.join(", "))
    };
    let skipped: Vec<String> = hotfix::skipped(snapshot, stage).iter().map(|gate| escape(gate)).collect();
    let skipped = skipped.join(", ");
    let line = format!(
        "Proposing {version} for `{name}` as a hotfix. Skipped: {skipped}. Approvals, checks, platforms, signatures, holds, vetoes and freezes still apply, and your own approval does not count.{note}"
    );
    Ok((release, line))
}

/// A registry that gives no answer now may do so in a moment: whoever needs a hotfix does not have to write it again.
fn waits(snapshot: &Snapshot, asked: &Asked, stage: &Stage, to: &Target, reason: &str) -> Refusal {
    let until = candidate::later(asked.at, snapshot.settings.command_age_max);
    let text = format!(
        "the hotfix to {to} by {} waits until {} for the registry: {reason}",
        asked.person.name,
        candidate::minute(until)
    );
    Refusal::waits(HoldReason::new(&stage.name, Gate::Registry, text))
}

/// Whether this very hotfix is on its way: asking again would change nothing.
fn is_under_way(snapshot: &Snapshot, stage: &Stage, release: &Release) -> bool {
    let proposal = snapshot.state.proposal(&stage.name);
    proposal.is_some_and(|proposal| proposal.lane == Lane::Hotfix && proposal.release.is_same(release))
}
