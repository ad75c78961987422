//! The forge: where pull requests, reviews, comments and checks live.
//!
//! [`Forge`] is what lockkeeper asks of any forge; [`github`] is GitHub, [`local`] one of our own over a bare repository.

pub mod github;
pub mod local;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use crate::commit::CommitId;
pub use crate::pull_request::{
    Authors, Check, CheckStatus, Comment, CommentId, Deployment, DeploymentStanding, Listed, MergeMethod,
    NewCommit, NewPullRequest, Number, Obstacle, Permission, Person, PersonId, Priority, PullRequest,
    PullRequestState, Reaction, Review, Reviewers, SourceCommit, Standing, Touched, Verdict,
};

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Why the forge did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// Wait, then ask again.
    #[error("forge does not answer: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
        /// When the forge wants to be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// There is no such pull request, issue, comment or branch.
    #[error("{what} is not at the forge")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The head, base or state is not the expected one any more: observe and plan again.
    #[error("{what} moved: {reason}")]
    Moved {
        /// What was to be changed.
        what: String,
        /// What was found.
        reason: String,
    },
    /// The forge refuses, and a person must see to it: a hook, a protection, a permission.
    #[error("forge refuses {what}: {reason}")]
    Refused {
        /// What was to be changed.
        what: String,
        /// What it said, escaped.
        reason: String,
    },
}

/// What lockkeeper asks of a forge, for one repository. Every write carries its precondition and is idempotent.
#[async_trait]
pub trait Forge: Send + Sync + fmt::Debug {
    /// Who we are here.
    async fn me(&self) -> Result<Person, ForgeError>;

    /// The pull request with its reviews and checks.
    async fn pull_request(&self, number: Number) -> Result<PullRequest, ForgeError>;

    /// The checks on a commit, lockkeeper's own included.
    async fn checks(&self, head: CommitId) -> Result<Vec<Check>, ForgeError>;

    /// All open pull requests to `base`, oldest first, ours and those of others.
    async fn open_pull_requests(&self, base: &str) -> Result<Vec<Listed>, ForgeError>;

    /// Makes this commit, signed by the forge, on a branch of its own; none where the forge signs nothing, and git makes
    /// it. A branch of that name that holds nothing beyond the base is taken, any other is left alone.
    ///
    /// # Errors
    /// [`ForgeError::Moved`] where the branch holds something else.
    async fn commit(&self, new: &NewCommit) -> Result<Option<CommitId>, ForgeError>;

    /// Whether the forge made this commit for us, and signed it.
    async fn has_signed(&self, commit: CommitId) -> Result<bool, ForgeError>;

    /// Opens a pull request, or returns the open one of the same head branch. Labels and asking for reviews are words: what
    /// of them the forge refuses stops nothing.
    async fn open(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError>;

    /// Sets title and body.
    async fn edit(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError>;

    /// Closes without a merge; closing a closed one is no error.
    async fn close(&self, number: Number) -> Result<(), ForgeError>;

    /// Merges exactly this head with this message; returns the commit on the base branch. A merge of the same head
    /// that has already happened returns its commit.
    async fn merge(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
        priority: Priority,
    ) -> Result<CommitId, ForgeError>;

    /// One comment, read anew.
    async fn comment(&self, id: CommentId) -> Result<Comment, ForgeError>;

    /// All comments with an id above `after`, oldest first, at most `limit`.
    async fn comments_after(&self, after: CommentId, limit: usize) -> Result<Vec<Comment>, ForgeError>;

    /// Writes our comment that carries this hidden marker (`<!-- marker -->` is its first line): edits the one there
    /// is, or creates it; writes nothing where the text is the same. It is looked for below the comment `after` alone, where
    /// that is given.
    async fn upsert_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
        after: Option<CommentId>,
    ) -> Result<CommentId, ForgeError>;

    /// Sets our one reaction on a comment, in place of an earlier one of ours.
    async fn react(&self, comment: CommentId, reaction: Reaction) -> Result<(), ForgeError>;

    /// Reports our check on a commit; the same again is a no-op.
    async fn set_check(&self, head: CommitId, check: &Check, priority: Priority) -> Result<(), ForgeError>;

    /// The open issue of ours with this key in its marker, opened if there is none; title and body are kept up.
    async fn upsert_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError>;

    /// Whether the forge shows deployments.
    fn has_deployments(&self) -> bool;

    /// Shows a deployment as it stands; the same again changes nothing. What the forge refuses for good is no error: it is a
    /// mirror of history, on which nothing depends.
    async fn show_deployment(&self, deployment: &Deployment) -> Result<(), ForgeError>;

    /// Who the person is now, of these teams. A person the forge does not know has no permission.
    async fn standing(&self, person: PersonId, teams: &BTreeSet<String>) -> Result<Standing, ForgeError>;

    /// The person that this token belongs to; none if the token is unknown.
    async fn authenticate(&self, token: &str) -> Result<Option<Person>, ForgeError>;

    /// Who wrote the commits of `source` after `from` up to `to`.
    async fn authors(&self, source: &str, from: &str, to: &str) -> Result<Authors, ForgeError>;

    /// Which commits of `source` after `from` up to `to` touched each of these paths, files or folders.
    async fn touched(
        &self,
        source: &str,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Touched, ForgeError>;

    /// The page of a pull request or issue is this and its number.
    fn url_prefix(&self) -> String;
}
