//! The local forge behind a connection that can be cut.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::local::LocalForge;
use lockkeeper::forge::{
    Authors, Check, Comment, CommentId, Forge, ForgeError, MergeMethod, NewPullRequest, Number, Person,
    PersonId, PullRequest, Reaction, Standing,
};

#[derive(Debug)]
pub struct AwayForge {
    inner: Arc<LocalForge>,
    is_away: Arc<AtomicBool>,
}

impl AwayForge {
    pub fn new(inner: Arc<LocalForge>, is_away: Arc<AtomicBool>) -> Self {
        Self { inner, is_away }
    }

    fn there(&self) -> Result<&LocalForge, ForgeError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(ForgeError::Unavailable {
                reason: "connection refused".to_owned(),
                retry_after: None,
            });
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl Forge for AwayForge {
    async fn me(&self) -> Result<Person, ForgeError> {
        self.there()?.me().await
    }
    async fn pull_request(&self, number: Number) -> Result<PullRequest, ForgeError> {
        self.there()?.pull_request(number).await
    }
    async fn open_pull_requests(&self, base: &str) -> Result<Vec<PullRequest>, ForgeError> {
        self.there()?.open_pull_requests(base).await
    }
    async fn open(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        Forge::open(self.there()?, new).await
    }
    async fn edit(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError> {
        self.there()?.edit(number, title, body).await
    }
    async fn close(&self, number: Number) -> Result<(), ForgeError> {
        self.there()?.close(number).await
    }
    async fn merge(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
    ) -> Result<CommitId, ForgeError> {
        self.there()?.merge(number, head, message, method).await
    }
    async fn comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        self.there()?.comment(id).await
    }
    async fn comments_after(&self, after: CommentId, limit: usize) -> Result<Vec<Comment>, ForgeError> {
        self.there()?.comments_after(after, limit).await
    }
    async fn upsert_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
    ) -> Result<CommentId, ForgeError> {
        self.there()?.upsert_comment(thread, marker, body).await
    }
    async fn react(&self, comment: CommentId, reaction: Reaction) -> Result<(), ForgeError> {
        self.there()?.react(comment, reaction).await
    }
    async fn set_check(&self, head: CommitId, check: &Check) -> Result<(), ForgeError> {
        self.there()?.set_check(head, check).await
    }
    async fn upsert_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        self.there()?.upsert_issue(key, title, body).await
    }
    async fn standing(&self, person: PersonId, teams: &BTreeSet<String>) -> Result<Standing, ForgeError> {
        self.there()?.standing(person, teams).await
    }
    async fn authenticate(&self, token: &str) -> Result<Option<Person>, ForgeError> {
        self.there()?.authenticate(token).await
    }
    async fn authors(&self, source: &str, from: &str, to: &str) -> Result<Authors, ForgeError> {
        self.there()?.authors(source, from, to).await
    }
    fn url(&self, number: Number) -> String {
        self.inner.url(number)
    }
}
