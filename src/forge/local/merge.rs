//! Merge and close. A merge writes its intent before it pushes; the module above says why.

use super::relation::signature;
use super::thread::{INTENTS_MAX, Intent, Thread, What};
use super::{Activity, Actor, BOT_NAME, LocalForge, of_git};
use crate::forge::{
    CheckStatus, ForgeError, MergeMethod, Number, Permission, Person, PullRequest, PullRequestState,
};
use crate::repository::{CommitId, Merge, RefUpdate};

impl LocalForge {
    /// Merges a pull request for a person, with two parents.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the person may not write, or the required check has not passed on the head;
    /// [`ForgeError::Moved`] if the pull request is not open, its head is another, or it conflicts.
    pub async fn merge_by(
        &self,
        actor: impl Into<Actor>,
        number: Number,
        head: CommitId,
    ) -> Result<CommitId, ForgeError> {
        let actor = actor.into();
        let known = self.permitted(&actor, Permission::Write, &format!("merge of {number}")).await?;
        let thread = self.folder.reading(move |folder| folder.thread(number)).await?;
        let branch = &thread.pull()?.branch;
        let message = format!("Merge pull request #{number} from {branch}\n\n{}\n", thread.title);
        self.merge_as(&known.person, number, head, &message, MergeMethod::Merge).await
    }

    /// Closes a pull request for a person, without a merge.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the person may not write, [`ForgeError::Moved`] if it is merged.
    pub async fn close_by(&self, actor: impl Into<Actor>, number: Number) -> Result<(), ForgeError> {
        let actor = actor.into();
        let known = self.permitted(&actor, Permission::Write, &format!("closing of {number}")).await?;
        self.close_as(known.person, number).await
    }

    pub(super) async fn merge_as(
        &self,
        by: &Person,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
    ) -> Result<CommitId, ForgeError> {
        let current = self.view(self.current(number).await?).await?;
        if let Some(commit) = self.may_merge(&current, head)? {
            return Ok(commit);
        }
        let base = self.tip(&current.base).await?;
        let base = base.ok_or_else(|| ForgeError::NotFound { what: format!("branch {}", current.base) })?;
        let is_squash = method == MergeMethod::Squash;
        let author = signature(by, self.now());
        let merge = self.mirror.merge(base, head, is_squash, message, &author).await.map_err(of_git)?;
        let commit = match merge {
            Merge::Clean(commit) => commit,
            Merge::Conflict(paths) => {
                return Err(moved(number, format!("conflicts in {}", paths.join(", "))));
            }
        };
        let intent = Intent { commit, head, base_head: base, by: by.clone(), at: self.now() };
        self.intend(number, intent.clone()).await?;
        let name = format!("refs/heads/{}", current.base);
        let update = RefUpdate { name, old: Some(base), new: Some(commit) };
        self.mirror.push(vec![update]).await.map_err(of_git)?;
        self.note_merge(number, intent).await?;
        Ok(commit)
    }

    /// Whether exactly this head may be merged now; the commit if it is merged already.
    fn may_merge(&self, current: &PullRequest, head: CommitId) -> Result<Option<CommitId>, ForgeError> {
        let number = current.number;
        if current.head != head {
            return Err(moved(number, format!("head is at {}, expected {head}", current.head)));
        }
        match &current.state {
            PullRequestState::Open => {}
            PullRequestState::Merged { commit, .. } => return Ok(Some(*commit)),
            PullRequestState::Closed { by, .. } => {
                return Err(moved(number, format!("closed by {}", by.name)));
            }
        }
        let Some(wanted) = &self.required_check else { return Ok(None) };
        let check = current.checks.iter().find(|check| &check.name == wanted && check.app == BOT_NAME);
        if check.is_some_and(|check| check.status == CheckStatus::Passed) {
            return Ok(None);
        }
        let found = check.map_or("not reported", |check| super::checks::word(check.status));
        let reason = format!("check `{wanted}` must have passed on {}, it is {found}", head.short());
        Err(ForgeError::Refused { what: format!("merge of pull request {number}"), reason })
    }

    /// Writes down that a merge is about to be pushed, if the pull request is still what it was.
    async fn intend(&self, number: Number, intent: Intent) -> Result<(), ForgeError> {
        self.folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                if !thread.is_open() {
                    return Err(moved(number, "it is not open any more".to_owned()));
                }
                let pull = thread.pull_mut()?;
                if pull.intents.iter().any(|known| known.commit == intent.commit) {
                    return Ok(());
                }
                if pull.intents.len() >= INTENTS_MAX {
                    pull.intents.remove(0);
                }
                pull.intents.push(intent);
                locked.put(&thread)
            })
            .await
    }

    pub(super) async fn close_as(&self, by: Person, number: Number) -> Result<(), ForgeError> {
        // Git is asked first: a merge that reached the base is not to be written down as a closing.
        self.current(number).await?;
        let now = self.now();
        let is_news = self
            .folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                let was_open = is_closable(&thread)?;
                if was_open {
                    thread.close(now, &by, What::Closed);
                    locked.put(&thread)?;
                }
                Ok(was_open)
            })
            .await?;
        if is_news {
            self.tell(Activity::Closed(number));
        }
        Ok(())
    }
}

fn is_closable(thread: &Thread) -> Result<bool, ForgeError> {
    match &thread.state {
        PullRequestState::Open => Ok(true),
        PullRequestState::Closed { .. } => Ok(false),
        PullRequestState::Merged { commit, .. } => {
            Err(moved(thread.number, format!("merged as {}", commit.short())))
        }
    }
}

/// The pull request is not what was expected.
pub(super) fn moved(number: Number, reason: String) -> ForgeError {
    ForgeError::Moved { what: format!("pull request {number}"), reason }
}
