//! The body of a pull request, its check, and the operations issue.

use std::time::Duration;

use super::super::candidate::minute;
use super::super::effect::{Gate, HoldReason};
use super::super::fitness::signature_line;
use super::super::gates::{CHECK_NAME, MergeGates};
use super::super::hotfix;
use super::super::readiness::readiness;
use super::super::snapshot::{Presence, Snapshot};
use super::facts::{details_image, proof, version_after, what_changes};
use super::undone;
use super::{code, escape, one_line, promotion_id, prose, title, was_version};
use crate::image::Release;
use crate::pipeline::Stage;
use crate::promotion::{Lane, Origin, Proposal, State, Stint, Stints};
use crate::pull_request::{Check, CheckStatus};

/// Longest summary of a check, in bytes: what a forge cuts would be read back as another one, and written again for ever.
/// GitHub keeps 250 characters.
const SUMMARY_BYTES_MAX: usize = 250;
/// The first line of the part that lockkeeper owns; a person's text before it survives.
const BEGIN: &str = "<!-- lockkeeper:v1 ";
/// The last line of that part; a person's text after it survives.
const END: &str = "<!-- /lockkeeper -->";

/// Title and body; `gates` is none before the pull request is open. What stands outside our part of `current` is kept.
pub(in super::super) fn pull_request(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    gates: Option<&MergeGates>,
    current: &str,
) -> (String, String) {
    let ours = match proposal.lane {
        Lane::Normal | Lane::Hotfix => promotion(snapshot, stage, proposal, gates),
        Lane::Rollback => rollback(snapshot, stage, proposal, gates),
    };
    let ours = format!("{BEGIN}{} -->\n{ours}\n{END}", promotion_id(proposal));
    (title(snapshot, stage, proposal), around(current, &ours))
}

/// Our check on the head: passed immediately before our merge, and only then.
pub(in super::super) fn check(gates: &MergeGates) -> Check {
    let holds: Vec<&HoldReason> = gates.holds().collect();
    let is_stopped = holds.iter().any(|hold| hold.gate == Gate::Branch);
    let (status, text) = match holds.first() {
        None => (CheckStatus::Passed, "all gates are open".to_owned()),
        Some(hold) if is_stopped => (CheckStatus::Failed, hold.text.clone()),
        Some(hold) if holds.len() == 1 => (CheckStatus::Pending, hold.text.clone()),
        Some(hold) => (CheckStatus::Pending, format!("{} (and {} more)", hold.text, holds.len() - 1)),
    };
    // The summary is plain text everywhere.
    let mut summary = one_line(&text.replace('`', ""));
    while summary.len() > SUMMARY_BYTES_MAX {
        summary.pop();
    }
    let app = CHECK_NAME.to_owned();
    Check { name: CHECK_NAME.to_owned(), app, status, summary, text: gate_lines(gates) }
}

/// Title and body of the operations issue.
pub(in super::super) fn issue(snapshot: &Snapshot) -> (String, String) {
    let name = &snapshot.pipeline.name;
    let stages: Vec<String> =
        snapshot.pipeline.stages.iter().map(|stage| format!("`{}`", stage.name)).collect();
    let body = format!(
        "lockkeeper watches the images of `{name}` and promotes them through {}.\n\n\
         Commands for the pipeline are comments here, one a line:\n\n\
         - `/promote` begins, or proposes the newest release now\n\
         - `/status`, `/explain`, `/history [<stage>]`\n\
         - `/hold <stage> [reason]`, `/resume <stage>`\n\
         - `/freeze <stage, group or all> [until <time>] [reason]`, `/unfreeze`\n\
         - `/rollback <stage> [to <version or digest>] [reason]`\n\
         - `/help` lists them all",
        stages.join(" → ")
    );
    (format!("lockkeeper: {name}"), body)
}

/// Replaces our part of a body and keeps the rest.
fn around(current: &str, ours: &str) -> String {
    match (current.find(BEGIN), current.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{ours}{}", &current[..begin], &current[end + END.len()..])
        }
        _ if current.trim().is_empty() => ours.to_owned(),
        _ => format!("{ours}\n\n{current}"),
    }
}

fn promotion(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: Option<&MergeGates>) -> String {
    let mut lines = vec![
        lead(snapshot, stage, proposal, gates),
        String::new(),
        table(snapshot, stage, proposal, "now", "after merge"),
        String::new(),
        format!("**What changes:** {}", what_changes(snapshot, proposal)),
        format!("**Why it is safe:** {}", why_safe(snapshot, stage, proposal)),
        format!("**This pull request changes {} and nothing else.**", pins_text(proposal)),
        format!("**If it goes wrong:** {}", way_back(snapshot, stage, proposal)),
    ];
    lines.extend(hotfix_lines(snapshot, stage, proposal));
    if let Some(gates) = gates {
        lines.extend([String::new(), format!("### Gates ({})", gate_count(gates)), gate_lines(gates)]);
    }
    if !proposal.loosened.is_empty() {
        let what = escape(&proposal.loosened.join("; "));
        lines.extend([String::new(), format!("▲ **`lockkeeper.yaml` loosened gates of this stage:** {what}; approvals before that are void.")]);
    }
    lines.extend([
        String::new(),
        details_image(snapshot, proposal),
        details_path(snapshot, stage, proposal),
        details_commands(stage, proposal),
    ]);
    lines.join("\n")
}

/// What a hotfix passes and what it does not; nothing for another lane.
fn hotfix_lines(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Vec<String> {
    if proposal.lane != Lane::Hotfix {
        return Vec::new();
    }
    let skipped: Vec<String> = hotfix::skipped(snapshot, stage).iter().map(|gate| escape(gate)).collect();
    let mut lines = vec![format!(
        "**Skipped in this lane:** {}. **Not skipped:** approvals, checks, platforms, signatures, provenance, digests, holds, vetoes, freezes, record.",
        skipped.join(", ")
    )];
    let unfollowed = hotfix::unfollowed(snapshot, &proposal.release);
    if !unfollowed.is_empty() {
        let names: Vec<String> = unfollowed.iter().map(|name| code(name)).collect();
        lines.push(format!("▲ **No follow rule picks** {}.", names.join(", ")));
    }
    lines
}

fn rollback(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: Option<&MergeGates>) -> String {
    let by = proposal.requested_by.as_ref().map_or_else(String::new, |by| {
        let automatic = if by.is_watch() { ", **automatic** after a watch" } else { "" };
        format!(" · requested by {}{automatic}", code(&by.name))
    });
    let reason =
        proposal.reason.as_deref().map_or_else(String::new, |reason| format!("> {}\n\n", escape(reason)));
    let mut lines = vec![
        format!(
            "**ROLLBACK {} in {}: {} → {}** · lane **rollback**{by} {}",
            code(snapshot.pipeline.name.as_str()),
            code(stage.name.as_str()),
            escape(&was_version(proposal)),
            escape(&proposal.release.version()),
            minute(proposal.at)
        ),
        String::new(),
        format!("{reason}{}", table(snapshot, stage, proposal, "broken", "restore")),
        String::new(),
        "**Preflight**".to_owned(),
    ];
    lines.extend(preflight(snapshot, proposal));
    lines.extend(signature_lines(snapshot, proposal));
    lines.extend(lived(snapshot, stage, proposal));
    lines.extend(undone::lines(snapshot, proposal));
    lines.push(format!("- ✓ changes {} and nothing else", pins_text(proposal)));
    lines.extend(
        gates.iter().flat_map(|gates| gates.holds()).map(|hold| format!("- ▲ **{}**", prose(&hold.text))),
    );
    lines.extend([
        String::new(),
        format!("**Skipped in this lane:** upstream, soak, window, freeze, checks, holds, queue{}. Configuration changed since is kept.", match &stage.rollback_approvals {
            Some(_) => ". **Not skipped:** identity, digests, record, approvals",
            None => ", approvals. **Not skipped:** identity, digests, record",
        }),
        format!(
            "**After merge:** {} is held at {}; nothing newer is proposed until `/resume {}`. {} is vetoed here and downstream until `/unveto`.",
            code(stage.name.as_str()),
            escape(&proposal.release.version()),
            stage.name,
            escape(&was_version(proposal))
        ),
        String::new(),
        format!(
            "No bot? `lockkeeper rollback {} {} --offline` in a clone, or `git revert -m 1` the merge commit of the broken release.",
            snapshot.pipeline.name, stage.name
        ),
        String::new(),
        details_image(snapshot, proposal),
    ]);
    lines.join("\n")
}

fn table(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, before: &str, after: &str) -> String {
    let version = match proposal.lane {
        Lane::Normal | Lane::Hotfix => version_after(snapshot, proposal),
        Lane::Rollback => format!("**{}**", escape(&proposal.release.version())),
    };
    let was_digest = proposal.was.as_ref().map_or_else(|| "–".to_owned(), digests);
    let mut lines = vec![
        format!("| | {before} in {} | {after} |", stage.name),
        "|---|---|---|".to_owned(),
        format!("| version | {} | {version} |", escape(&was_version(proposal))),
        format!("| digest | {was_digest} | {} |", digests(&proposal.release)),
    ];
    let built = |release: &Release| {
        let times: Vec<String> =
            snapshot.facts(release).filter_map(|(_, image)| image?.created).map(minute).collect();
        if times.is_empty() { "unknown".to_owned() } else { times.join(", ") }
    };
    let was_built = proposal.was.as_ref().map_or_else(|| "–".to_owned(), built);
    lines.push(format!("| built | {was_built} | {} |", built(&proposal.release)));
    lines.join("\n")
}

fn digests(release: &Release) -> String {
    release
        .images()
        .map(|(_, pinned)| format!("`sha256:{}`", pinned.digest.short()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The first line: what is to be decided, and what is missing.
fn lead(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: Option<&MergeGates>) -> String {
    let holds: Vec<&HoldReason> = gates.map(|gates| gates.holds().collect()).unwrap_or_default();
    let is_asked = holds.iter().any(|hold| hold.gate == Gate::Approvals);
    let verb = match (proposal.lane, is_asked) {
        (_, true) => "Decision needed: approve",
        (Lane::Hotfix, false) => "Hotfix of",
        (Lane::Normal | Lane::Rollback, false) => "Promote",
    };
    let to = if is_asked { "for" } else { "to" };
    let state = match (gates, holds.first()) {
        (None, _) => "gates are being read".to_owned(),
        (Some(_), None) => "all gates are open".to_owned(),
        (Some(_), Some(hold)) => prose(&hold.text),
    };
    format!(
        "**{verb} {} {} {to} {}** · {state}",
        code(snapshot.pipeline.name.as_str()),
        escape(&proposal.release.version()),
        code(stage.name.as_str())
    )
}

/// `1 image pin`, `2 image pins`.
fn pins_text(proposal: &Proposal) -> String {
    match changed(proposal) {
        1 => "the pin of 1 image".to_owned(),
        count => format!("the pins of {count} images"),
    }
}

/// How many images change.
fn changed(proposal: &Proposal) -> usize {
    let before =
        |repository: &crate::image::Repository| proposal.was.as_ref().and_then(|was| was.get(repository));
    let differs = |(repository, pinned): &(&crate::image::Repository, &crate::image::Pinned)| {
        before(repository).is_none_or(|before| before.digest != pinned.digest)
    };
    proposal.release.images().filter(differs).count()
}

fn why_safe(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> String {
    if proposal.lane == Lane::Hotfix {
        let by =
            proposal.requested_by.as_ref().map_or_else(String::new, |by| format!(" by {}", code(&by.name)));
        let reason = proposal.reason.as_deref().map(escape).unwrap_or_default();
        return format!("▲ **hotfix**: what it was live in before does not count; asked for{by}: {reason}");
    }
    if let Some(name) = hotfix::shipped_to(snapshot, stage, &proposal.release) {
        return format!(
            "the same digest is live in {} by a hotfix, which this stage catches up with",
            code(name.as_str())
        );
    }
    if stage.after.is_empty() {
        return "first stage: the digest was resolved at the registry and its bytes hashed by lockkeeper"
            .to_owned();
    }
    let since = stage.after.iter().filter_map(|upstream| {
        let live = snapshot
            .state
            .stints(upstream)?
            .newest_first()
            .find(|stint| stint.release.is_same(&proposal.release))?;
        let (name, proof) = (code(upstream.as_str()), proof(snapshot, upstream, live));
        Some(format!("the same digest is live in {name} since {} ({proof})", minute(live.from)))
    });
    since.collect::<Vec<String>>().join(" · ")
}

fn way_back(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> String {
    match &proposal.was {
        Some(was) => format!(
            "comment `/rollback {}` → back to {} {}{}",
            stage.name,
            escape(&was.version()),
            digests(was),
            readiness(snapshot, was).said()
        ),
        None => "there is no earlier digest to go back to".to_owned(),
    }
}

fn preflight(snapshot: &Snapshot, proposal: &Proposal) -> Vec<String> {
    proposal
        .release
        .images()
        .map(|(repository, pinned)| {
            let presence = snapshot.presence.get(&(repository.clone(), pinned.digest));
            match presence {
                Some(Presence::Present(platforms)) => {
                    format!("- ✓ {} is in the registry, {platforms} platform(s)", code(&pinned.version()))
                }
                Some(Presence::Absent(reason)) => format!("- ▲ **not in the registry:** {}", escape(reason)),
                Some(Presence::Unknown(reason)) => format!("- ◔ registry: unknown ({})", escape(reason)),
                None => "- ◔ registry: not asked".to_owned(),
            }
        })
        .collect()
}

/// What the stage itself knows of the release: how long it was here, and whether somebody said no to it.
fn lived(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Vec<String> {
    let stints = snapshot.state.stints(&stage.name).into_iter().flat_map(Stints::newest_first);
    let stints: Vec<&Stint> = stints.filter(|stint| stint.release.is_same(&proposal.release)).collect();
    let was_here: Duration = stints.iter().map(|stint| stint.length(snapshot.now)).sum();
    let here = format!(
        "- ✓ was live in {} for {}; {}",
        code(stage.name.as_str()),
        super::duration(was_here),
        stints.first().map_or_else(String::new, |last| escape(&health_then(last)))
    );
    let no = match snapshot.state.veto(&snapshot.pipeline, &stage.name, &proposal.release) {
        Some(veto) => format!("- ▲ **vetoed by {}**", code(&veto.by.name)),
        None => "- ✓ not vetoed".to_owned(),
    };
    vec![here, no]
}

/// What was seen of a release when it was last in a stage.
pub(in super::super) fn health_then(stint: &Stint) -> String {
    match &stint.evidence {
        Some(_) if stint.was_never_seen() => "it was never seen running then".to_owned(),
        Some(evidence) => format!("seen last then: {}", evidence.seen),
        None => "its health then is unknown".to_owned(),
    }
}

fn signature_lines(snapshot: &Snapshot, proposal: &Proposal) -> Vec<String> {
    let images = proposal.release.images();
    images.filter_map(|(name, pinned)| signature_line(snapshot, name, pinned.digest)).collect()
}

fn gate_count(gates: &MergeGates) -> String {
    let waiting = gates.holds().count();
    format!("{} passed, {waiting} waiting", gates.lines.len() - waiting)
}

fn gate_lines(gates: &MergeGates) -> String {
    let line = |line: &super::super::gates::GateLine| match &line.hold {
        None => format!("- ✓ passed: {}", prose(&line.text)),
        Some(hold) => format!("- ▲ **waiting: {}** ({})", prose(&hold.text), hold.gate.name()),
    };
    gates.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn details_path(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> String {
    let mut lines = vec![
        "<details><summary>Path so far</summary>".to_owned(),
        String::new(),
        "| stage | live since (UTC) | pull request |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    let rows = snapshot.pipeline.stages.iter().filter(|other| other.name != stage.name);
    lines.extend(rows.filter_map(|other| path_row(&snapshot.state, other, &proposal.release, snapshot)));
    lines.extend([String::new(), "</details>".to_owned()]);
    lines.join("\n")
}

fn path_row(state: &State, stage: &Stage, release: &Release, snapshot: &Snapshot) -> Option<String> {
    let stint = state.stints(&stage.name)?.newest_first().find(|stint| stint.release.is_same(release))?;
    let how = match (stint.origin, stint.number) {
        (Origin::Adopted, _) => "adopted".to_owned(),
        (Origin::OutOfBand, _) => "out of band".to_owned(),
        (Origin::Promoted(_), Some(number)) => format!("[{number}]({})", snapshot.url(number)),
        (Origin::Promoted(_), None) => "from git history".to_owned(),
    };
    Some(format!("| {} | {} | {how} |", stage.name, minute(stint.from)))
}

fn details_commands(stage: &Stage, proposal: &Proposal) -> String {
    format!(
        "<details><summary>Evidence and commands</summary>\n\n- promotion: `{}`\n- comments: `/status` `/explain` `/hold {} <reason>` \
         `/veto <reason>` `/rollback {} <reason>` `/retry`\n\n</details>",
        promotion_id(proposal),
        stage.name,
        stage.name
    )
}
