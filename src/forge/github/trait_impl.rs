//! What lockkeeper asks of any forge, answered by GitHub.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::json;

use super::GitHubForge;
use crate::forge::{
    Authors, Check, Comment, CommentId, CommitId, Deployment, Forge, ForgeError, Listed, MergeMethod,
    NewCommit, NewPullRequest, Number, Person, PersonId, Priority, PullRequest, Reaction, Standing, Touched,
};

#[async_trait]
impl Forge for GitHubForge {
    async fn me(&self) -> Result<Person, ForgeError> {
        Ok(GitHubForge::me(self).await?.person)
    }

    async fn pull_request(&self, number: Number) -> Result<PullRequest, ForgeError> {
        self.whole(self.looked_at(number).await?).await
    }

    async fn checks(&self, head: CommitId) -> Result<Vec<Check>, ForgeError> {
        self.checks_on(head).await
    }

    async fn open_pull_requests(&self, base: &str) -> Result<Vec<Listed>, ForgeError> {
        self.listed(base).await
    }

    async fn commit(&self, new: &NewCommit) -> Result<Option<CommitId>, ForgeError> {
        self.sign(new).await
    }

    async fn has_signed(&self, commit: CommitId) -> Result<bool, ForgeError> {
        self.is_signed(commit).await
    }

    async fn open(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        self.open_new(new).await
    }

    async fn edit(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError> {
        self.change(Priority::Note, number, &json!({ "title": title, "body": body })).await
    }

    async fn close(&self, number: Number) -> Result<(), ForgeError> {
        self.close_one(number).await
    }

    async fn merge(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
        priority: Priority,
    ) -> Result<CommitId, ForgeError> {
        self.merge_one(number, head, message, method, priority).await
    }

    async fn comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        self.one_comment(id).await
    }

    async fn comments_after(&self, after: CommentId, limit: usize) -> Result<Vec<Comment>, ForgeError> {
        self.comments_above(after, limit).await
    }

    async fn upsert_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
        after: Option<CommentId>,
    ) -> Result<CommentId, ForgeError> {
        self.keep_comment(thread, marker, body, after).await
    }

    async fn react(&self, comment: CommentId, reaction: Reaction) -> Result<(), ForgeError> {
        self.put_reaction(comment, reaction).await
    }

    async fn set_check(&self, head: CommitId, check: &Check, priority: Priority) -> Result<(), ForgeError> {
        self.report(head, check, priority).await
    }

    async fn upsert_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        self.keep_issue(key, title, body).await
    }

    fn has_deployments(&self) -> bool {
        true
    }

    async fn show_deployment(&self, deployment: &Deployment) -> Result<(), ForgeError> {
        self.show(deployment).await
    }

    async fn standing(&self, person: PersonId, teams: &BTreeSet<String>) -> Result<Standing, ForgeError> {
        self.standing_of(person, teams).await
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Person>, ForgeError> {
        self.holder(token).await
    }

    async fn authors(&self, source: &str, from: &str, to: &str) -> Result<Authors, ForgeError> {
        self.source_authors(source, from, to).await
    }

    async fn touched(
        &self,
        source: &str,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Touched, ForgeError> {
        self.source_touched(source, from, to, paths).await
    }

    fn url_prefix(&self) -> String {
        format!("{}/pull/", self.web_url)
    }
}
