//! What lockkeeper asks of any forge, answered here.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::LocalForge;
use crate::forge::{
    Authors, Check, Comment, CommentId, Deployment, Forge, ForgeError, Listed, MergeMethod, NewCommit,
    NewPullRequest, Number, Permission, Person, PersonId, Priority, PullRequest, Reaction, Standing, Touched,
};
use crate::repository::CommitId;

#[async_trait]
impl Forge for LocalForge {
    async fn me(&self) -> Result<Person, ForgeError> {
        Ok(Self::bot())
    }

    async fn pull_request(&self, number: Number) -> Result<PullRequest, ForgeError> {
        self.view(self.current(number).await?).await
    }

    async fn checks(&self, head: CommitId) -> Result<Vec<Check>, ForgeError> {
        self.folder.reading(move |folder| folder.checks(head)).await
    }

    async fn open_pull_requests(&self, base: &str) -> Result<Vec<Listed>, ForgeError> {
        self.listed_open(base).await
    }

    /// It has no key: git makes the commits.
    async fn commit(&self, _new: &NewCommit) -> Result<Option<CommitId>, ForgeError> {
        Ok(None)
    }

    async fn has_signed(&self, _commit: CommitId) -> Result<bool, ForgeError> {
        Ok(false)
    }

    async fn open(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        self.open_as(Self::bot(), new).await
    }

    async fn edit(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError> {
        self.put_text(number, title, body).await
    }

    async fn close(&self, number: Number) -> Result<(), ForgeError> {
        self.close_as(Self::bot(), number).await
    }

    async fn merge(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
        _: Priority,
    ) -> Result<CommitId, ForgeError> {
        self.merge_as(&Self::bot(), number, head, message, method).await
    }

    async fn comment(&self, id: CommentId) -> Result<Comment, ForgeError> {
        self.read_comment(id).await
    }

    async fn comments_after(&self, after: CommentId, limit: usize) -> Result<Vec<Comment>, ForgeError> {
        self.read_comments(after, limit).await
    }

    async fn upsert_comment(
        &self,
        thread: Number,
        marker: &str,
        body: &str,
        _: Option<CommentId>,
    ) -> Result<CommentId, ForgeError> {
        self.keep_comment(thread, marker, body).await
    }

    async fn react(&self, comment: CommentId, reaction: Reaction) -> Result<(), ForgeError> {
        self.put_reaction(comment, reaction).await
    }

    async fn set_check(&self, head: CommitId, check: &Check, _: Priority) -> Result<(), ForgeError> {
        self.put_own_check(head, check).await
    }

    async fn upsert_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        self.keep_issue(key, title, body).await
    }

    fn has_deployments(&self) -> bool {
        false
    }

    /// Its pages have no place for them.
    async fn show_deployment(&self, _deployment: &Deployment) -> Result<(), ForgeError> {
        Ok(())
    }

    async fn standing(&self, person: PersonId, teams: &BTreeSet<String>) -> Result<Standing, ForgeError> {
        Ok(match self.people().known(person).await? {
            Some(known) => Standing {
                person: known.person,
                permission: known.permission,
                teams: known.teams.intersection(teams).cloned().collect(),
            },
            None => {
                Standing { person: stranger(person), permission: Permission::None, teams: BTreeSet::new() }
            }
        })
    }

    async fn authenticate(&self, token: &str) -> Result<Option<Person>, ForgeError> {
        Ok(self.people().holder(token).await?.map(|known| known.person))
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
        format!("{}/pulls/", self.base_url())
    }
}

/// Somebody the people file does not know: the bot and the forge by name, everybody else by number.
fn stranger(id: PersonId) -> Person {
    match id {
        super::BOT_ID => LocalForge::bot(),
        super::FORGE_ID => LocalForge::itself(),
        id => Person { id, name: format!("person {id}"), bot: false },
    }
}
