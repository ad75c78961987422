//! Replies to commands.

use std::time::Duration;

use super::super::candidate::{later, minute};
use super::super::effect::Plan;
use super::super::snapshot::Snapshot;
use super::super::view::{StageState, StageView};
use super::super::{view, watch};
use super::watch::watch_begins;
use super::{code, escape, prose};
use crate::pipeline::{Stage, StageName};
use crate::promotion::{End, Lane, Origin, Outcome, Reply, Stint};

/// Stints shown by `/history`.
const HISTORY_LINES_MAX: usize = 15;
/// How long after a rollback somebody has to have looked at why it was needed.
const REVIEW_TIME: Duration = Duration::from_hours(24);

/// A reply as it stands under the comment.
#[must_use]
pub fn reply(reply: &Reply) -> String {
    let word = match reply.outcome {
        Outcome::Done => "",
        Outcome::Refused => "**Not done.** ",
        Outcome::Denied => "**Not allowed.** ",
        Outcome::Unknown => "**Not understood.** ",
    };
    format!("{word}{}", reply.text)
}

/// The comment under a merged pull request: what is live, and what a person has to know.
#[must_use]
pub(in super::super) fn announcement(snapshot: &Snapshot, stage: &StageName, number: u64) -> String {
    let stint = snapshot
        .state
        .stints(stage)
        .and_then(|stints| stints.newest_first().find(|stint| stint.number == Some(number)));
    let Some(stint) = stint else { return format!("Merged into {}.", code(stage.as_str())) };
    let commit = stint.commit.as_deref().and_then(|commit| commit.get(..12)).unwrap_or("–");
    let rules = snapshot.pipeline.stage(stage);
    // What is seen just now would be said for ever.
    let is_observed = rules.is_some_and(|rules| rules.live.is_observed());
    let counts = if is_observed { "live once it is seen running" } else { "merged counts as live" };
    let mut lines = vec![
        format!(
            "**{} → {}** · ● **MERGED** {} ({})",
            code(snapshot.pipeline.name.as_str()),
            code(stage.as_str()),
            escape(&stint.release.version()),
            short_digests(stint)
        ),
        String::new(),
        format!("{} · commit `{commit}` · {}", minute(stint.from), counts),
    ];
    if let Some(watched) = rules.and_then(|rules| watch_begins(rules, stint)) {
        lines.extend([String::new(), watched]);
    }
    if let Some(hold) = snapshot.state.hold(stage, snapshot.now) {
        lines.extend([
            String::new(),
            format!("⏸ **Held** by {} until `/resume {stage}`.", code(&hold.by.name)),
        ]);
        lines.extend(review_task(snapshot, stint));
    } else if matches!(stint.origin, Origin::Promoted(Lane::Normal | Lane::Hotfix)) {
        lines.extend([
            String::new(),
            format!("To go back: `/rollback {stage}` here, with a reason if you like."),
        ]);
    }
    lines.join("\n")
}

/// What is still to be done after a rollback, by whom and until when.
fn review_task(snapshot: &Snapshot, stint: &Stint) -> Vec<String> {
    if stint.origin != Origin::Promoted(Lane::Rollback) {
        return Vec::new();
    }
    let by = snapshot
        .pipeline
        .owner
        .as_ref()
        .map_or_else(|| "the owner".to_owned(), |owner| code(&owner.to_string()));
    let due = minute(later(stint.from, REVIEW_TIME));
    vec![
        String::new(),
        format!(
            "**Review due {due}**, by {by}: what broke, what would have stopped it before, and whether the veto stays. Answer here."
        ),
    ]
}

/// Where each of these stages stands, as the board has it; lines, for on a phone a table is none.
#[must_use]
pub fn status(snapshot: &Snapshot, stages: &[&Stage], plan: &Plan) -> String {
    let line = |stage: &&Stage| standing(&view::stage(snapshot, stage, plan));
    stages.iter().map(line).collect::<Vec<String>>().join("\n")
}

fn standing(stage: &StageView) -> String {
    let digest = stage.short.as_ref().map_or_else(String::new, |short| format!(" `sha256:{short}`"));
    let since = stage.since.map_or_else(String::new, |since| format!(" · since {}", minute(since)));
    let mut lines = vec![format!(
        "- {} **{}** {}{digest} · {}{since}",
        stage.state.symbol(),
        escape(&stage.name),
        escape(stage.version.as_deref().unwrap_or("–")),
        prose(&stage.word),
    )];
    if let Some(found) = &stage.pull_request {
        lines.push(format!("[pull request {}]({}) is open", found.number, found.url));
    }
    let is_told = |what: &&String| stage.holds.iter().any(|hold| hold.starts_with(*what));
    let drift = stage.drift.iter().filter(|what| !is_told(what));
    lines.extend(drift.chain(&stage.holds).map(|line| prose(line)));
    // What is live and well says so in a word.
    let running = stage.running.iter().filter(|_| stage.state != StageState::Live);
    lines.extend(running.map(|running| prose(&running.words)));
    lines.extend(stage.watch.iter().map(|watch| prose(watch)));
    if let Some(target) = &stage.rollback_target {
        let (name, version) = (code(&format!("/rollback {}", stage.name)), escape(&target.version));
        let words = prose(target.words());
        lines.push(format!("{name} → back to {version} `sha256:{}` ({words})", target.short));
    }
    lines.join("\n  ")
}

/// Why each of these stages is as it is: every hold, in full.
#[must_use]
pub fn explain(snapshot: &Snapshot, stages: &[&Stage], plan: &Plan) -> String {
    let mut lines = Vec::new();
    for stage in stages {
        let holds: Vec<_> = plan.holds_of(&stage.name).collect();
        if let Some(watched) = watch::standing(snapshot, stage) {
            lines.push(format!("- {}: {}", code(stage.name.as_str()), prose(&watched)));
        }
        if holds.is_empty() {
            let text = match snapshot.pull_request_of(&stage.name) {
                Some(pull_request) => format!("pull request {} is on its way", pull_request.number),
                None => "nothing newer is to be promoted".to_owned(),
            };
            lines.push(format!("- {}: {text}", code(stage.name.as_str())));
        }
        for hold in holds {
            let who = hold.who.as_ref().map_or_else(String::new, |who| format!(" · can act: {who}"));
            let opens = hold.opens_at.map_or_else(String::new, |at| format!(" · opens {}", minute(at)));
            lines.push(format!(
                "- {} ({}): {}{who}{opens}",
                code(stage.name.as_str()),
                hold.gate.name(),
                prose(&hold.text)
            ));
        }
    }
    lines.join("\n")
}

/// What was in each of these stages, newest first.
#[must_use]
pub fn history(snapshot: &Snapshot, stages: &[&Stage]) -> String {
    let mut lines = Vec::new();
    for stage in stages {
        let stints =
            snapshot.state.stints(&stage.name).into_iter().flat_map(crate::promotion::Stints::newest_first);
        for stint in stints.take(HISTORY_LINES_MAX) {
            let until = stint.ended.map_or_else(|| "now".to_owned(), |(at, _)| minute(at));
            lines.push(format!(
                "- **{}** {} {} {} · {} until {until}",
                stage.name,
                escape(&stint.release.version()),
                short_digests(stint),
                how(stint),
                minute(stint.from),
            ));
        }
    }
    if lines.is_empty() {
        lines.push("Nothing was pinned here yet.".to_owned());
    }
    lines.join("\n")
}

fn short_digests(stint: &Stint) -> String {
    stint
        .release
        .images()
        .map(|(_, pinned)| format!("`sha256:{}`", pinned.digest.short()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// How a stint came and how it ended, in words.
pub(in super::super) fn how(stint: &Stint) -> String {
    let came = match stint.origin {
        Origin::Adopted => "adopted",
        Origin::Promoted(Lane::Normal) => "promoted",
        Origin::Promoted(Lane::Hotfix) => "promoted by a hotfix",
        Origin::Promoted(Lane::Rollback) => "restored by a rollback",
        Origin::OutOfBand => "out of band",
    };
    let number = stint.number.map_or_else(String::new, |number| format!(" in pull request {number}"));
    let watched = stint
        .watch
        .as_ref()
        .map(|watch| watch.end().map_or("watched".to_owned(), |end| format!("watch {end}")));
    let watched = watched.map_or_else(String::new, |watched| format!(", {watched}"));
    let ended = match stint.ended {
        Some((_, End::RolledBack)) => ", **rolled back**",
        Some((_, End::OutOfBand)) => ", replaced out of band",
        Some((_, End::Replaced)) | None => "",
    };
    format!("{came}{number}{watched}{ended}")
}
