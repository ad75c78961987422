//! Pull requests, reviews, comments and checks, as data: what a forge tells and what a plan decides on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::commit::CommitId;

/// Letters of a commit's first line that are shown.
const SUBJECT_CHARS_MAX: usize = 100;

/// The number of a pull request or issue; both count in one sequence per repository.
pub type Number = u64;
/// The forge's id of a comment, unique in its repository.
pub type CommentId = u64;
/// The forge's numeric id of a person or app: logins are renamed and reused, ids are not.
pub type PersonId = u64;

/// A person or app as the forge knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The numeric id: what counts.
    pub id: PersonId,
    /// The login: what people read.
    pub name: String,
    /// Whether this is an app or bot, which neither reviews nor commands.
    pub bot: bool,
}

/// What a person may do in the repository, from the forge, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing.
    None,
    /// Read and comment.
    Read,
    /// Push and review.
    Write,
    /// Administer the repository.
    Admin,
}

/// Who a person is now: asked live, never cached across decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The person.
    pub person: Person,
    /// The permission in the repository.
    pub permission: Permission,
    /// Of the teams asked about, those in which the person is an active member.
    pub teams: BTreeSet<String>,
}

/// A pull request, with all that a decision needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// The number.
    pub number: Number,
    /// Who opened it.
    pub author: Person,
    /// The title, one line.
    pub title: String,
    /// The body, Markdown.
    pub body: String,
    /// The head branch, without `refs/heads/`.
    pub branch: String,
    /// The base branch, without `refs/heads/`.
    pub base: String,
    /// The tip of the head branch now (or when it was merged or closed).
    pub head: CommitId,
    /// Open, merged or closed.
    pub state: PullRequestState,
    /// Whether it merges into the base without conflict; none while the forge computes it.
    pub mergeable: Option<bool>,
    /// What somebody set at the forge that stands in the way of our merge.
    pub obstacle: Option<Obstacle>,
    /// All reviews, oldest first.
    pub reviews: Vec<Review>,
    /// The checks on the head, lockkeeper's own included.
    pub checks: Vec<Check>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The page people open.
    pub url: String,
}

/// What somebody may set on a pull request at the forge, and take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// It is a draft, which the forge does not merge.
    Draft,
    /// The forge is to merge it by itself when its checks are green: without our message, before we could.
    AutoMerge,
}

/// A pull request in a list: what tells whether it matters at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The number.
    pub number: Number,
    /// Who opened it.
    pub author: Person,
    /// The head branch, without `refs/heads/`.
    pub branch: String,
    /// The tip of the head branch now.
    pub head: CommitId,
}

/// Where a pull request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestState {
    /// Still open.
    Open,
    /// Merged.
    Merged {
        /// The commit on the base branch.
        commit: CommitId,
        /// When.
        at: Timestamp,
        /// By whom.
        by: Person,
    },
    /// Closed without a merge.
    Closed {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Person,
    },
}

/// One review; the latest of each person counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The forge's id of the review.
    pub id: u64,
    /// Who reviewed.
    pub person: Person,
    /// What they said.
    pub verdict: Verdict,
    /// The head that was reviewed.
    pub head: CommitId,
    /// When.
    pub at: Timestamp,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Approved.
    Approved,
    /// Changes requested.
    ChangesRequested,
    /// Taken back, or dismissed by somebody.
    Dismissed,
}

/// A check on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name, `lockkeeper` for our own.
    pub name: String,
    /// The app that reported it.
    pub app: String,
    /// How it stands.
    pub status: CheckStatus,
    /// One line: why.
    pub summary: String,
    /// Details, Markdown.
    pub text: String,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Not finished.
    Pending,
    /// Finished well.
    Passed,
    /// Finished badly.
    Failed,
}

/// A comment on a pull request or issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The forge's id.
    pub id: CommentId,
    /// The pull request or issue.
    pub thread: Number,
    /// Who wrote it.
    pub author: Person,
    /// The text, Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last edited; equal to `created_at` if never. An edited comment is never executed.
    pub updated_at: Timestamp,
}

/// A reaction on a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// 👀: seen, in work.
    Eyes,
    /// 🚀: done.
    Rocket,
    /// 😕: not understood, or refused.
    Confused,
    /// 👎: not allowed.
    ThumbsDown,
}

/// A commit that the forge is to make by itself, so that it can sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommit {
    /// The branch, made for this commit.
    pub branch: String,
    /// The branch that it is to be merged into: its rules say whether commits have to be signed.
    pub base: String,
    /// The commit that it stands on.
    pub parent: CommitId,
    /// The files that change: path and bytes.
    pub edits: Vec<(String, Vec<u8>)>,
    /// The message.
    pub message: String,
}

/// What a write is for, where a forge takes only so many. What decides has room where notes have none left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Words: comments, reactions, bodies, labels.
    Note,
    /// The check that tells how the gates stand.
    Gate,
    /// What changes what runs: opening, letting through, merging, closing.
    Act,
    /// The same for a rollback, for which there is always room.
    Rollback,
}

/// What is needed to open a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    /// What it is for.
    pub priority: Priority,
    /// The title, one line.
    pub title: String,
    /// The body, Markdown.
    pub body: String,
    /// The head branch, pushed already.
    pub branch: String,
    /// The base branch.
    pub base: String,
    /// Labels to set.
    pub labels: Vec<String>,
    /// Who is asked for a review.
    pub reviewers: Reviewers,
}

/// Who is asked for a review of a pull request. Whom the forge cannot ask is left out: it is a word to people, no gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reviewers {
    /// People, by login.
    pub people: BTreeSet<String>,
    /// Teams, named as the forge does.
    pub teams: BTreeSet<String>,
}

/// One release in one stage as a forge shows it beside its commits: a mirror of history, on which nothing depends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The commit on the base branch that brought it.
    pub commit: CommitId,
    /// The environment: pipeline and stage.
    pub environment: String,
    /// Whether people are served from there: nothing comes after the stage.
    pub production: bool,
    /// What it is, one line.
    pub description: String,
    /// How it stands.
    pub standing: DeploymentStanding,
    /// The page that tells of it.
    pub url: String,
}

/// How a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentStanding {
    /// It is live.
    Live,
    /// It was rolled back.
    RolledBack,
    /// Another release took its place.
    Replaced,
}

/// How a pull request becomes a commit on the base branch. Rebase is refused: it leaves no commit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// A merge commit with two parents.
    Merge,
    /// One commit on the base.
    Squash,
}

/// Which of the commits between two revisions of a source repository touched some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// All are known.
    Known {
        /// How many commits there are.
        of: usize,
        /// Those that touched each path, the last first.
        by_path: BTreeMap<String, Vec<SourceCommit>>,
    },
    /// Not all can be known; why, as a fragment.
    Unknown(String),
}

/// A commit of a source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCommit {
    /// The whole id.
    pub id: String,
    /// The first line of the message, at most 100 characters.
    pub subject: String,
}

impl SourceCommit {
    /// With this id and message.
    #[must_use]
    pub fn new(id: &str, message: &str) -> Self {
        let subject = message.lines().next().unwrap_or_default().chars().take(SUBJECT_CHARS_MAX).collect();
        Self { id: id.to_owned(), subject }
    }
}

/// Who wrote the commits between two revisions of a source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authors {
    /// All are known by id.
    Known(Vec<Person>),
    /// Not all can be known; why, as a fragment.
    Unknown(String),
}
