//! A forge behind a connection that fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::{
    Authors, Check, Comment, CommentId, Deployment, Forge, ForgeError, Listed, MergeMethod, NewCommit,
    NewPullRequest, Number, Person, PersonId, Priority, PullRequest, Reaction, Standing, Touched,
};

use super::faults::{Fault, Faults};

/// How the connection is, but for single faults.
#[derive(Debug, Default)]
pub struct Connection {
    /// Nothing goes through.
    pub is_away: AtomicBool,
    /// No comment, reaction, issue or edit of a text is taken.
    pub is_mute: AtomicBool,
    /// So many calls fail from now on.
    pub failures: AtomicUsize,
}

#[derive(Debug)]
pub struct FaultyForge {
    pub inner: Arc<dyn Forge>,
    pub connection: Arc<Connection>,
    pub faults: Arc<Faults>,
}

fn unavailable(reason: &str) -> ForgeError {
    ForgeError::Unavailable { reason: reason.to_owned(), retry_after: None }
}

impl FaultyForge {
    async fn call<T>(&self, work: impl Future<Output = Result<T, ForgeError>>) -> Result<T, ForgeError> {
        let take_one = |count: usize| count.checked_sub(1);
        let fails =
            self.connection.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok();
        if self.connection.is_away.load(Ordering::SeqCst) || fails {
            return Err(unavailable("connection refused"));
        }
        if self.faults.is_now(Fault::ForgeFails) {
            return Err(unavailable("bad gateway"));
        }
        work.await
    }

    /// The same for what changes something.
    async fn write<T>(&self, work: impl Future<Output = Result<T, ForgeError>>) -> Result<T, ForgeError> {
        let answer = self.call(work).await;
        if answer.is_ok() && self.faults.is_now(Fault::ForgeForgets) {
            return Err(unavailable("connection reset"));
        }
        answer
    }

    /// The same for what only tells.
    async fn tell<T>(&self, work: impl Future<Output = Result<T, ForgeError>>) -> Result<T, ForgeError> {
        if self.connection.is_mute.load(Ordering::SeqCst) {
            return Err(unavailable("no comments are taken for now"));
        }
        self.write(work).await
    }
}

#[async_trait]
impl Forge for FaultyForge {
    async fn me(&self) -> Result<Person, ForgeError> {
        self.call(self.inner.me()).await
    }
    async fn pull_request(&self, number: Number) -> Result<PullRequest, ForgeError> {
        self.call(self.inner.pull_request(number)).await
    }
    async fn open_pull_requests(&self, base: &str) -> Result<Vec<Listed>, ForgeError> {
        self.call(self.inner.open_pull_requests(base)).await
    }
    async fn commit(&self, new: &NewCommit) -> Result<Option<CommitId>, ForgeError> {
        self.inner.commit(new).await
    }
    async fn has_signed(&self, commit: CommitId) -> Result<bool, ForgeError> {
        self.inner.has_signed(commit).await
    }
    async fn open(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        self.write(self.inner.open(new)).await
    }
    async fn edit(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError> {
        self.tell(self.inner.edit(number, title, body)).await
    }
    async fn close(&self, number: Number) -> Result<(), ForgeError> {
        self.write(self.inner.close(number)).await
    }
    async fn merge(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
        priority: Priority,
    ) -> Result<CommitId, ForgeError> {
        self.write(self.inner.merge(number, head, message, method, priority)).await
    }
    async fn checks(&self, head: CommitId) -> Result<Vec<Check>, ForgeError> {
        self.call(self.inner.checks(head)).await
    }
    async fn comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        self.call(self.inner.comment(id)).await
    }
    async fn comments_after(&self, after: CommentId, limit: usize) -> Result<Vec<Comment>, ForgeError> {
        self.call(self.inner.comments_after(after, limit)).await
    }
    async fn upsert_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
        after: Option<CommentId>,
    ) -> Result<CommentId, ForgeError> {
        self.tell(self.inner.upsert_comment(thread, marker, body, after)).await
    }
    async fn react(&self, comment: CommentId, reaction: Reaction) -> Result<(), ForgeError> {
        self.tell(self.inner.react(comment, reaction)).await
    }
    async fn set_check(&self, head: CommitId, check: &Check, priority: Priority) -> Result<(), ForgeError> {
        self.write(self.inner.set_check(head, check, priority)).await
    }
    async fn upsert_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        self.tell(self.inner.upsert_issue(key, title, body)).await
    }
    fn has_deployments(&self) -> bool {
        self.inner.has_deployments()
    }
    async fn show_deployment(&self, deployment: &Deployment) -> Result<(), ForgeError> {
        self.tell(self.inner.show_deployment(deployment)).await
    }
    async fn standing(&self, person: PersonId, teams: &BTreeSet<String>) -> Result<Standing, ForgeError> {
        self.call(self.inner.standing(person, teams)).await
    }
    async fn authenticate(&self, token: &str) -> Result<Option<Person>, ForgeError> {
        self.call(self.inner.authenticate(token)).await
    }
    async fn authors(&self, source: &str, from: &str, to: &str) -> Result<Authors, ForgeError> {
        self.call(self.inner.authors(source, from, to)).await
    }
    async fn touched(
        &self,
        source: &str,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Touched, ForgeError> {
        self.call(self.inner.touched(source, from, to, paths)).await
    }
    fn url_prefix(&self) -> String {
        self.inner.url_prefix()
    }
}
