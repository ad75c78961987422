//! The place where pull requests live, as people, other apps and the test itself see it: not as lockkeeper does.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::{Check, CheckStatus, Forge, Person, Verdict};
use lockkeeper::reconcile::World;

use super::Checked;

/// One place from both sides: as lockkeeper has it, and as everybody else does.
pub type Sides = (Arc<dyn Forge>, Arc<dyn Host>);

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub branch: String,
    pub head: CommitId,
    pub is_ours: bool,
    /// Without a merge, and not by lockkeeper.
    pub is_closed_by_other: bool,
    pub title: String,
    pub body: String,
    pub checks: Vec<Check>,
}

/// A comment.
#[derive(Debug, Clone)]
pub struct Said {
    pub id: u64,
    pub thread: u64,
    pub author: Person,
    pub is_ours: bool,
    pub body: String,
    /// Our reactions to it.
    pub reactions: usize,
}

/// What people and apps do there, and what can be seen there.
#[async_trait]
pub trait Host: Send + Sync + fmt::Debug {
    /// All open pull requests to the base, oldest first.
    async fn open_pulls(&self) -> Result<Vec<Pull>, String>;

    async fn pull(&self, number: u64) -> Result<Pull, String>;

    /// Whether lockkeeper opened this pull request or issue.
    async fn is_ours(&self, thread: u64) -> Result<bool, String>;

    /// The open issues of lockkeeper, by their titles.
    async fn open_issues(&self) -> Result<Vec<String>, String>;

    /// Of all threads, oldest first.
    async fn comments(&self) -> Result<Vec<Said>, String>;

    /// Everything that lasts there, line by line.
    fn portrait(&self, lines: &mut Vec<String>) -> Checked;

    async fn open(&self, by: &Person, branch: &str, title: &str) -> Result<u64, String>;

    async fn close(&self, by: &Person, number: u64) -> Checked;

    /// Whether it let them.
    async fn merge(&self, by: &Person, pull: &Pull) -> Result<bool, String>;

    async fn review(&self, by: &Person, pull: &Pull, verdict: Verdict) -> Checked;

    /// Reviews a head that was the pull request's before; the one forge refuses that, the other notes of what it is.
    async fn review_older(&self, by: &Person, number: u64, head: CommitId, verdict: Verdict) -> Checked;

    async fn report(&self, app: &Person, head: CommitId, name: &str, status: CheckStatus) -> Checked;

    async fn comment(&self, by: &Person, thread: u64, body: &str) -> Result<u64, String>;

    async fn edit_comment(&self, by: &Person, id: u64, body: &str) -> Checked;

    /// Tells the server of a comment once more.
    async fn tell_again(&self, id: u64) -> Checked;

    /// Somebody pushed by git, to the branch of this pull request if it is one's. Whether the server hears of it.
    fn pushed(&self, number: Option<u64>) -> bool;

    /// Tells the server what happened since.
    async fn tell(&self, world: &World) -> Checked;

    /// Whether there is something to tell.
    fn has_news(&self) -> bool;

    /// The process is gone: what was to be told is told to nobody, and what is not done yet comes to its end.
    async fn end(&self);

    /// What is not as the host's own description has it.
    fn violations(&self) -> Vec<String>;
}
