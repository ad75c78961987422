//! What a plan says: effects, each with its precondition, and holds, each with its reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pins::FileEdit;
use super::watch;
use crate::commit::CommitId;
use crate::image::{Digest, Release, Repository, Tag};
use crate::pipeline::{Principal, StageName, Watch};
use crate::promotion::{Actor, Approval, Entry, Event, Lane, Signature, Why};
use crate::pull_request::{Check, CommentId, Deployment, MergeMethod, Number, Reaction};

/// What is to be done, in this order, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The effects.
    pub effects: Vec<Effect>,
    /// What does not happen, and why.
    pub holds: Vec<HoldReason>,
    /// The soonest time at which a hold opens by itself.
    pub wake_at: Option<Timestamp>,
    /// What people asked for that has no answer yet, since something could not be read, and what it waits for.
    pub unanswered: Vec<HoldReason>,
}

/// One thing to do. Doing it twice changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Events for the record, together.
    Record(Vec<Entry>),
    /// Make the branch and the pull request.
    Open(Box<Open>),
    /// Set title and body.
    Edit {
        /// The pull request.
        number: Number,
        /// The title.
        title: String,
        /// The body.
        body: String,
    },
    /// Report our check.
    Check {
        /// The commit.
        head: CommitId,
        /// The check.
        check: Check,
    },
    /// Write our comment with this marker.
    Comment {
        /// The pull request or issue.
        thread: Number,
        /// The hidden marker.
        marker: String,
        /// The text.
        body: String,
        /// The comment that it answers.
        after: Option<CommentId>,
    },
    /// React to a comment.
    React {
        /// The comment.
        comment: u64,
        /// The reaction.
        reaction: Reaction,
    },
    /// Close the pull request and delete its branch.
    Close(Box<Close>),
    /// Merge the pull request.
    Merge(Box<MergeNow>),
    /// Show a merge among the forge's deployments.
    Deploy {
        /// The stage.
        stage: StageName,
        /// What is shown.
        deployment: Deployment,
    },
    /// Let a tag name a digest.
    Tag(Box<SetTag>),
    /// Remove the anchor of a digest.
    Untag {
        /// The repository.
        repository: Repository,
        /// The digest.
        digest: Digest,
    },
    /// Open the operations issue, or bring it up to date.
    Issue {
        /// The title.
        title: String,
        /// The body.
        body: String,
    },
}

/// A tag to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTag {
    /// The stage for which.
    pub stage: StageName,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Tag,
    /// What it has to name.
    pub digest: Digest,
    /// Whether it is moved where it names something else.
    pub moves: bool,
}

/// A branch and a pull request to be made, from this base, with these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The intent, for the record.
    pub intent: Event,
    /// The stage.
    pub stage: StageName,
    /// The commit that the branch starts from.
    pub base: CommitId,
    /// The branch.
    pub branch: String,
    /// Each file: path, bytes before, bytes after.
    pub edits: Vec<FileEdit>,
    /// The message of the commit on the branch.
    pub message: String,
    /// The title.
    pub title: String,
    /// The body.
    pub body: String,
    /// The labels.
    pub labels: Vec<String>,
    /// Whose approval is wanted: who of them is asked for it, the authors decide.
    pub approvers: Vec<Principal>,
}

/// A pull request to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The stage.
    pub stage: StageName,
    /// The pull request.
    pub number: Number,
    /// The branch.
    pub branch: String,
    /// The head found there: it is deleted only if it is still this.
    pub head: CommitId,
    /// Why, for the record.
    pub why: Why,
    /// Why, for people.
    pub comment: String,
}

/// A pull request to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeNow {
    /// The stage.
    pub stage: StageName,
    /// The lane.
    pub lane: Lane,
    /// The pull request.
    pub number: Number,
    /// The branch, deleted afterwards.
    pub branch: String,
    /// The head that was reviewed: exactly this is merged.
    pub head: CommitId,
    /// The message of the merge commit, with its trailers.
    pub message: String,
    /// How.
    pub method: MergeMethod,
    /// The release.
    pub release: Release,
    /// What it replaces.
    pub was: Option<Release>,
    /// The approvals that counted.
    pub approvals: Vec<Approval>,
    /// The signatures that were verified.
    pub signatures: Vec<Signature>,
    /// The exceptions by which it passes a freeze.
    pub exceptions: Vec<String>,
    /// Who asked.
    pub requested_by: Option<Actor>,
    /// Why.
    pub reason: Option<String>,
    /// What watches it from then on.
    pub watch: Option<Watch>,
}

impl MergeNow {
    /// What is recorded of the merge, once it is this commit.
    #[must_use]
    pub fn merged(&self, commit: CommitId, at: Timestamp) -> Vec<Entry> {
        let merged = Event::Merged {
            stage: self.stage.clone(),
            lane: self.lane,
            release: self.release.clone(),
            was: self.was.clone(),
            number: Some(self.number),
            commit: commit.to_string(),
            approvals: self.approvals.clone(),
            signatures: self.signatures.clone(),
            exceptions: self.exceptions.clone(),
            requested_by: self.requested_by.clone(),
            reason: self.reason.clone(),
        };
        let began = self.watch.as_ref().map(|rule| watch::began(&self.stage, rule, &self.release, at));
        [Some(merged), began].into_iter().flatten().map(|event| Entry { at, event }).collect()
    }
}

/// The kind of condition that is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// `lockkeeper.yaml` is broken or the pipeline is gone from it.
    File,
    /// The pins of the stage cannot be read, disagree, or cannot be changed exactly.
    Pins,
    /// The registry does not answer, or has nothing that fits.
    Registry,
    /// The pipeline has not been started.
    Start,
    /// A hold.
    Hold,
    /// A freeze, by calendar or by command.
    Freeze,
    /// A veto.
    Veto,
    /// A person refused the release for this stage.
    Refused,
    /// The candidate is older than what is pinned, its version moved, or nothing tells which tag is newest.
    Order,
    /// The release has not been live upstream.
    Upstream,
    /// The release has not been live upstream for long enough.
    Soak,
    /// It is not known to be healthy upstream.
    Healthy,
    /// What is watched upstream after the merge has not passed.
    Watch,
    /// More images may be on their way.
    Settle,
    /// A digest is not old enough.
    Age,
    /// Platforms are missing.
    Platforms,
    /// The image is not signed by one of the keys that have to have signed it.
    Signed,
    /// Approvals are missing, or changes are requested.
    Approvals,
    /// Checks have not passed.
    Checks,
    /// It is outside of the hours at which the stage may change.
    Window,
    /// A person pushed to the branch.
    Branch,
    /// The forge has not said whether it merges.
    Mergeable,
    /// What an image was built from is not known.
    Provenance,
    /// The files of the stage break a rule, or were not judged.
    Policy,
    /// What a rollback would go to is not known to be there.
    RollbackReady,
    /// The registry does not have an image any more that is live or would be gone back to.
    Missing,
    /// Somebody else moved a channel.
    Channel,
    /// A tag cannot be set.
    Tags,
}

/// Why something does not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReason {
    /// The stage.
    pub stage: StageName,
    /// The condition.
    pub gate: Gate,
    /// What it waits for, one line, the same words everywhere.
    pub text: String,
    /// Who can act.
    pub who: Option<String>,
    /// When it may open by itself.
    pub opens_at: Option<Timestamp>,
}

impl Plan {
    /// Adds an effect.
    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Adds one event for the record.
    pub(super) fn record(&mut self, at: Timestamp, event: Event) {
        let entry = Entry { at, event };
        match self.effects.last_mut() {
            Some(Effect::Record(entries)) => entries.push(entry),
            _ => self.effects.push(Effect::Record(vec![entry])),
        }
    }

    /// The holds of one stage.
    pub fn holds_of<'a>(&'a self, stage: &'a StageName) -> impl Iterator<Item = &'a HoldReason> {
        self.holds.iter().filter(move |hold| &hold.stage == stage)
    }
}

impl HoldReason {
    /// A hold without a person to act or a time to open.
    pub(super) fn new(stage: &StageName, gate: Gate, text: impl Into<String>) -> Self {
        Self { stage: stage.clone(), gate, text: text.into(), who: None, opens_at: None }
    }

    /// Who can act.
    #[must_use]
    pub(super) fn who(mut self, who: impl Into<String>) -> Self {
        self.who = Some(who.into());
        self
    }

    /// When it may open.
    #[must_use]
    pub(super) fn opens_at(mut self, at: Timestamp) -> Self {
        self.opens_at = Some(at);
        self
    }
}

impl Gate {
    /// The name, as in `lockkeeper.yaml` where it stands there.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pins => "pins",
            Self::Registry => "registry",
            Self::Start => "start",
            Self::Hold => "hold",
            Self::Freeze => "freeze",
            Self::Veto => "veto",
            Self::Refused => "refused",
            Self::Order => "order",
            Self::Upstream => "upstream",
            Self::Soak => "soak",
            Self::Healthy => "healthy",
            Self::Watch => "watch",
            Self::Settle => "settle",
            Self::Age => "minimum_age",
            Self::Platforms => "platforms",
            Self::Signed => "signed",
            Self::Approvals => "approvals",
            Self::Checks => "checks",
            Self::Window => "window",
            Self::Branch => "branch",
            Self::Mergeable => "mergeable",
            Self::Provenance => "provenance",
            Self::Policy => "policy",
            Self::RollbackReady => "rollback_ready",
            Self::Missing => "image missing",
            Self::Channel => "channel",
            Self::Tags => "tags",
        }
    }
}
