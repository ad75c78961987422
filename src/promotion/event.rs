//! What happened, in the order it happened.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::evidence::Seen;
use super::terms::{Actor, Approval, HoldKind, Lane, Outcome, Signature, Why};
use super::watch::{WatchBegan, WatchEnded};
use crate::image::{Digest, Release, Repository, Tag};
use crate::pipeline::StageName;
use crate::pull_request::DeploymentStanding;

/// One event of a pipeline and when it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Proposals may begin.
    Started {
        /// Who said so.
        by: Actor,
    },
    /// What a stage pins when it is first seen: a rollback target, never a candidate.
    Adopted {
        /// The stage.
        stage: StageName,
        /// What it pins.
        release: Release,
    },
    /// The follow rule picked this release for the first time.
    Seen {
        /// The candidate.
        release: Release,
    },
    /// A person asks for this release in this stage.
    Requested {
        /// The stage.
        stage: StageName,
        /// The lane.
        lane: Lane,
        /// What is wanted there.
        release: Release,
        /// Who asks.
        by: Actor,
        /// Why.
        reason: Option<String>,
    },
    /// Intent: a branch and a pull request are about to be made.
    Proposing {
        /// The stage.
        stage: StageName,
        /// The lane.
        lane: Lane,
        /// What the stage gets.
        release: Release,
        /// What it pins now; none where it has no digest yet.
        was: Option<Release>,
        /// Counts from 1 for each (lane, release).
        attempt: u32,
        /// The commit of the base branch it is made from, 40 hex digits.
        base: String,
        /// The branch.
        branch: String,
        /// The person who asked, if one did.
        requested_by: Option<Actor>,
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Outcome: the pull request is open.
    Proposed {
        /// The stage.
        stage: StageName,
        /// The pull request.
        number: u64,
        /// The commit pushed, 40 hex digits.
        head: String,
        /// Whose approval it waits for, in words; none: nobody's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String>,
    },
    /// The intent is given up before its pull request was open: its branch holds something else, or it is not wanted
    /// any more. The next attempt takes another name.
    Abandoned {
        /// The stage.
        stage: StageName,
        /// The attempt.
        attempt: u32,
    },
    /// A person pushed to the branch: this promotion is stopped.
    Interrupted {
        /// The stage.
        stage: StageName,
        /// The pull request.
        number: u64,
        /// The head found there, 40 hex digits.
        head: String,
        /// What is said of it under the pull request.
        #[serde(default)]
        text: String,
    },
    /// A person asks for another attempt.
    RetryAsked {
        /// The stage.
        stage: StageName,
        /// Who.
        by: Actor,
    },
    /// Intent: the pull request is about to be merged on these approvals.
    Merging {
        /// The stage.
        stage: StageName,
        /// The pull request.
        number: u64,
        /// The approvals that counted.
        approvals: Vec<Approval>,
        /// The signatures that were verified for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<Signature>,
        /// The exceptions by which it passes a freeze.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<String>,
    },
    /// Outcome: the forge did not merge.
    MergeFailed {
        /// The stage.
        stage: StageName,
    },
    /// Outcome: the stage pins the release on the base branch.
    Merged {
        /// The stage.
        stage: StageName,
        /// The lane.
        lane: Lane,
        /// What it pins now.
        release: Release,
        /// What it replaced.
        was: Option<Release>,
        /// The pull request; none where it was read from git history.
        number: Option<u64>,
        /// The commit on the base branch, 40 hex digits.
        commit: String,
        /// The approvals that counted.
        approvals: Vec<Approval>,
        /// The signatures that were verified for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<Signature>,
        /// The exceptions by which it passed a freeze.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exceptions: Vec<String>,
        /// Who asked for it.
        requested_by: Option<Actor>,
        /// Why.
        reason: Option<String>,
    },
    /// Intent: the pull request is about to be closed without a merge.
    Closing {
        /// The stage.
        stage: StageName,
        /// The pull request.
        number: u64,
        /// What is said of it there, once it is closed.
        text: String,
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// Outcome: the pull request is closed without a merge.
    Closed {
        /// The stage.
        stage: StageName,
        /// The pull request.
        number: u64,
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// The pin is not what our last record put there. The stage is held.
    OutOfBand {
        /// The stage.
        stage: StageName,
        /// What is pinned now; none where no digest is.
        found: Option<Release>,
        /// What our record says.
        replaced: Option<Release>,
        /// The commit of the base branch where it was seen, 40 hex digits.
        commit: String,
    },
    /// A hold is put on a stage.
    Held {
        /// The stage.
        stage: StageName,
        /// What kind.
        kind: HoldKind,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
        /// When it ends by itself; none: a person has to lift it.
        until: Option<Timestamp>,
    },
    /// The hold is lifted.
    Resumed {
        /// The stage.
        stage: StageName,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
    },
    /// Merging into a stage is stopped, by command.
    Frozen {
        /// The stage.
        stage: StageName,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
        /// When it ends by itself; none: a person has to lift it.
        until: Option<Timestamp>,
    },
    /// That is lifted.
    Unfrozen {
        /// The stage.
        stage: StageName,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
    },
    /// These digests are not proposed in this stage or downstream of it.
    Vetoed {
        /// The stage from which on.
        stage: StageName,
        /// The digests.
        digests: BTreeSet<Digest>,
        /// What people call them.
        version: String,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
    },
    /// All vetoes on these digests are taken back.
    Unvetoed {
        /// The digests.
        digests: BTreeSet<Digest>,
        /// Who.
        by: Actor,
        /// Why.
        reason: Option<String>,
    },
    /// `lockkeeper.yaml` loosened gates of a stage: earlier approvals are void.
    Loosened {
        /// The stage.
        stage: StageName,
        /// What got looser since the pull request was opened; nothing where that was taken back.
        what: Vec<String>,
        /// The commit of the base branch, 40 hex digits.
        commit: String,
    },
    /// The pipeline's operations issue is open.
    IssueOpened {
        /// Its number.
        number: u64,
    },
    /// A command was answered, and with it ends.
    Answered {
        /// The key of the command: `comment:12`, `cli:…`.
        command: String,
        /// The pull request or issue and the comment that the reply belongs to; none on the command line.
        place: Option<(u64, u64)>,
        /// How it ended.
        outcome: Outcome,
        /// The reply.
        text: String,
    },
    /// What was due under a pull request stands there.
    Announced {
        /// The pull request.
        number: u64,
    },
    /// The forge shows a merge of the stage among its deployments.
    Mirrored {
        /// The stage.
        stage: StageName,
        /// The commit on the base branch, 40 hex digits.
        commit: String,
        /// How it is shown to stand.
        standing: DeploymentStanding,
    },
    /// What runs in a stage was observed, and is not what was recorded last; or it was some time ago.
    Observed {
        /// The stage.
        stage: StageName,
        /// What is live there by the record.
        release: Release,
        /// What was seen of it.
        #[serde(flatten)]
        seen: Seen,
        /// How far the observations before this one reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// What was merged into a stage is watched there.
    WatchBegan(WatchBegan),
    /// That ended.
    WatchEnded(WatchEnded),
    /// The registry does not have an image any more that is live in the stage, or would be gone back to.
    Missing {
        /// The stage.
        stage: StageName,
        /// The repository.
        repository: Repository,
        /// The digest.
        digest: Digest,
        /// What of it is not there.
        what: String,
    },
    /// The registry has it again.
    Found {
        /// The stage.
        stage: StageName,
        /// The repository.
        repository: Repository,
        /// The digest.
        digest: Digest,
    },
    /// A tag of ours names this digest.
    Tagged {
        /// The stage for which.
        stage: StageName,
        /// The repository.
        repository: Repository,
        /// The tag: a channel, or an anchor.
        tag: Tag,
        /// The digest.
        digest: Digest,
        /// What it named before.
        was: Option<Digest>,
    },
    /// A channel does not name what it did when we wrote it last, or does again.
    Drifted {
        /// The stage.
        stage: StageName,
        /// The repository.
        repository: Repository,
        /// The channel.
        tag: Tag,
        /// What it should name.
        wanted: Digest,
        /// What it names; none: it is gone.
        found: Option<Digest>,
    },
    /// An anchor is needed no more.
    Untagged {
        /// The repository.
        repository: Repository,
        /// The anchor.
        tag: Tag,
        /// Why it stays in the registry, where it does.
        kept: Option<String>,
    },
    /// `lockkeeper.yaml` cannot be used; said in the operations issue.
    FileBroken {
        /// What is wrong.
        text: String,
    },
    /// `lockkeeper.yaml` can be used again.
    FileMended,
    /// The reply to a command stands at the forge.
    Replied {
        /// The key of the command.
        command: String,
    },
}
