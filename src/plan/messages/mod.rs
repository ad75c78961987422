//! Every text that people read: titles, bodies, comments, commit messages.
//!
//! Text that comes from images, tags, commits or people is hostile: it goes through [`escape`] or [`code`] before it
//! stands in Markdown.

mod body;
mod commit;
mod escape;
mod facts;
mod offline;
mod reply;
mod source;
mod undone;
mod watch;

pub use commit::{Recorded, recorded};
pub use escape::{code, disarm, escape, one_line, prose};
pub use facts::amount;
pub use offline::offline_rollback;
pub use reply::{explain, history, reply, status};

pub(super) use body::{check, health_then, issue, pull_request};
pub(super) use commit::{branch_commit, merge_commit};
pub(super) use reply::{announcement, how};
pub(super) use watch::{acted, watch_ended};

use std::time::Duration;

use super::candidate::minute;
use super::change::change_class;
use super::effect::{Gate, HoldReason};
use super::snapshot::{FileState, Snapshot};
use crate::image::Release;
use crate::pipeline::{PipelineName, Stage, StageName};
use crate::promotion::{Lane, Proposal, Request, Veto};
use crate::pull_request::PullRequest;

/// The word to readers of a pull request whose pins changed on the base.
pub(super) const CLOSED_PINS_MOVED: &str = "Closed: the pins on the base branch are not those that this pull request was made from. No approval is carried over.";
/// The word to readers of a pull request whose base somebody changed.
pub(super) const CLOSED_RETARGETED: &str = "Closed: somebody changed the branch that this would be merged into. Another attempt follows; no approval is carried over.";
/// The word to readers of a pull request that conflicts.
pub(super) const CLOSED_CONFLICT: &str = "Closed: the base branch changed the same lines, so this would not merge cleanly. Another attempt follows; no approval is carried over.";
/// The word to readers of a pull request that a person wanted anew.
pub(super) const CLOSED_RETRIED: &str =
    "Closed: another attempt was asked for by `/retry`. No approval is carried over.";

/// The word to readers of a rollback of our own that a person overtook.
pub(super) const CLOSED_WITHDRAWN: &str = "Closed: lockkeeper began this rollback by itself, after a watch, and a person acted in the stage since: what follows is theirs to decide.";

/// The word to readers of a rollback whose branch was pushed to.
pub(super) const CLOSED_INTERRUPTED: &str = "Closed: somebody pushed to this branch. The push is not overwritten; another attempt of the rollback follows.";

/// The branch of a promotion: `lockkeeper/<lane>/<stage>/<pipeline>/<release12>-<n>`.
pub(super) fn branch(
    pipeline: &PipelineName,
    stage: &StageName,
    lane: Lane,
    release: &Release,
    attempt: u32,
) -> String {
    format!("lockkeeper/{lane}/{stage}/{pipeline}/{}-{attempt}", release.id())
}

/// Stage and pipeline in the name of a branch of ours: the other way round than [`branch`].
#[must_use]
pub fn branch_parts(branch: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = branch.split('/').collect();
    match parts.as_slice() {
        ["lockkeeper", _, stage, pipeline, _] => Some((stage, pipeline)),
        _ => None,
    }
}

/// The id of a promotion: its branch without our prefix.
pub(super) fn promotion_id(proposal: &Proposal) -> &str {
    proposal.branch.strip_prefix("lockkeeper/").unwrap_or(&proposal.branch)
}

/// The title: `promote(prod): checkout 1.4.1 → 1.4.2 (9f2c41aa7b03)`.
pub(super) fn title(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> String {
    let verb = match proposal.lane {
        Lane::Normal => "promote",
        Lane::Hotfix => "hotfix",
        Lane::Rollback => "rollback",
    };
    let was = was_version(proposal);
    let now = proposal.release.version();
    let incident = match (proposal.lane, proposal.reason.as_deref().and_then(incident)) {
        (Lane::Rollback, Some(incident)) => incident,
        _ => proposal.release.short(),
    };
    one_line(&format!("{verb}({}): {} {was} → {now} ({incident})", stage.name, snapshot.pipeline.name))
}

/// What the stage had, as people call it.
pub(super) fn was_version(proposal: &Proposal) -> String {
    proposal.was.as_ref().map_or_else(|| "no digest".to_owned(), Release::version)
}

/// The first word of a reason that looks like a ticket: letters, a dash, digits.
pub(super) fn incident(reason: &str) -> Option<String> {
    let is_ticket = |word: &&str| {
        word.split_once('-').is_some_and(|(letters, digits)| {
            (2..=10).contains(&letters.len())
                && letters.bytes().all(|byte| byte.is_ascii_uppercase())
                && (1..=10).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    reason.split(|c: char| c.is_whitespace() || c == ',' || c == ':').find(is_ticket).map(str::to_owned)
}

/// The labels that lockkeeper owns.
pub(super) fn labels(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal) -> Vec<String> {
    let kind = match proposal.lane {
        Lane::Normal => "promotion",
        Lane::Hotfix => "hotfix",
        Lane::Rollback => "rollback",
    };
    let mut labels = vec![
        kind.to_owned(),
        format!("stage:{}", stage.name),
        format!("pipeline:{}", snapshot.pipeline.name),
    ];
    if proposal.lane == Lane::Hotfix {
        labels.push("lane:emergency".to_owned());
    }
    if proposal.lane != Lane::Rollback {
        let class = change_class(snapshot, proposal.was.as_ref(), &proposal.release);
        labels.push(format!("bump:{}", class.word()));
    }
    labels
}

pub(super) fn closed_superseded(release: &Release) -> String {
    format!(
        "Closed: {} has passed and takes its place. No approval is carried over.",
        code(&release.version())
    )
}

pub(super) fn closed_vetoed(veto: &Veto) -> String {
    let reason = veto.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", escape(reason)));
    format!("Closed: {} is vetoed by {}{reason}.", code(&veto.version), code(&veto.by.name))
}

pub(super) fn closed_preempted(request: &Request) -> String {
    format!(
        "Closed: a rollback to {} by {} overtakes it.",
        code(&request.release.version()),
        code(&request.by.name)
    )
}

pub(super) fn closed_for_hotfix(request: &Request) -> String {
    format!(
        "Closed: a hotfix to {} by {} takes its place. No approval is carried over.",
        code(&request.release.version()),
        code(&request.by.name)
    )
}

pub(super) fn closed_removed(snapshot: &Snapshot, stage: &Stage) -> String {
    format!(
        "Closed: `{}` has no stage `{}` in `lockkeeper.yaml` any more.",
        snapshot.pipeline.name, stage.name
    )
}

/// The hold of a veto.
pub(super) fn vetoed(stage: &Stage, release: &Release, veto: &Veto) -> HoldReason {
    let reason = veto.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let text =
        format!("{} is vetoed by {} since {}{reason}", release.version(), veto.by.name, minute(veto.at));
    HoldReason::new(&stage.name, Gate::Veto, text).who("owner, approver (`/unveto`)")
}

/// What is wrong with `lockkeeper.yaml`, in one line.
pub(super) fn broken_file(snapshot: &Snapshot) -> String {
    match &snapshot.file {
        FileState::Broken { errors, used } => {
            let first = errors.first().map_or_else(String::new, ToString::to_string);
            let more = match errors.len() {
                0 | 1 => String::new(),
                count => format!(" (and {} more)", count - 1),
            };
            format!(
                "lockkeeper.yaml is broken: {first}{more}; until it is mended, only /rollback and /hold work, by the rules of {}",
                used.short()
            )
        }
        FileState::Removed => "the pipeline is not in lockkeeper.yaml any more".to_owned(),
        FileState::Valid => String::new(),
    }
}

/// The comment on a pull request whose branch was pushed to.
pub(super) fn interrupted(proposal: &Proposal, pull_request: &PullRequest) -> String {
    let ours = proposal.open.as_ref().map_or("", |(_, head)| head.get(..12).unwrap_or(head));
    format!(
        "**Stopped:** somebody pushed `{}` to this branch; lockkeeper's commit was `{ours}`. A promotion changes image pins \
         alone, so this will not be merged, and the push is not overwritten.\n\nNext: `/retry` closes this and makes a \
         new pull request; closing it by hand refuses the release for this stage.",
        pull_request.head.short()
    )
}

/// A duration as people write it: `1d 2h`, `30m`, `45s`; the two largest units.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}
