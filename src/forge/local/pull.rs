//! Reads threads as they are now: what git says of a pull request comes before what was written down.

use std::collections::BTreeMap;

use super::folder::Marks;
use super::relation::Relation;
use super::thread::{Intent, Kind, Pull, Thread, What};
use super::{Activity, LocalForge, of_git};
use crate::forge::{ForgeError, Listed, Number, PullRequest};
use crate::repository::CommitId;

/// How many commits of the base branch are searched for a merge that was made past the forge.
const SEARCH_COMMITS_MAX: usize = 200;

/// A thread as it is now, and whether it merges.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) thread: Thread,
    pub(super) mergeable: Option<bool>,
}

/// The tips of the two branches of a pull request, now at the remote.
#[derive(Debug, Clone, Copy)]
struct Tips {
    base: Option<CommitId>,
    head: Option<CommitId>,
}

impl LocalForge {
    /// The thread of this number as it is now.
    pub(super) async fn current(&self, number: Number) -> Result<Current, ForgeError> {
        let thread = self.folder.reading(move |folder| folder.thread(number)).await?;
        if !thread.is_open() || !matches!(thread.kind, Kind::Pull(_)) {
            return Ok(Current { thread, mergeable: None });
        }
        let pull = thread.pull()?;
        let tips = self.asked_tips(pull).await?;
        self.with_tips(thread, tips).await
    }

    /// The open pull requests to `base` whose branch is there, oldest first. The remote is asked once; whether they
    /// merge is not looked at, so that a moved base costs nothing here.
    pub(super) async fn listed_open(&self, base: &str) -> Result<Vec<Listed>, ForgeError> {
        let threads = self.folder.reading(|folder| folder.open_threads(Marks::Pulls)).await?;
        if threads.is_empty() {
            return Ok(Vec::new());
        }
        let refs = self.mirror.refs("refs/heads/").await.map_err(of_git)?;
        let mut found = Vec::new();
        for Thread { number, author, kind, .. } in threads {
            let Kind::Pull(pull) = kind else { continue };
            let head = refs.get(&format!("refs/heads/{}", pull.branch)).copied();
            if let Some(head) = head.filter(|_| pull.base == base) {
                found.push(Listed { number, author, branch: pull.branch, head });
            }
        }
        Ok(found)
    }

    /// All open pull requests as they are now, oldest first. The remote is asked once for all branches.
    pub(super) async fn current_open(&self) -> Result<Vec<Current>, ForgeError> {
        let threads = self.folder.reading(|folder| folder.open_threads(Marks::Pulls)).await?;
        let refs = self.mirror.refs("refs/heads/").await.map_err(of_git)?;
        let mut found = Vec::new();
        for thread in threads {
            let Kind::Pull(pull) = &thread.kind else { continue };
            let tips = self.tips_of(pull, &refs).await?;
            let current = self.with_tips(thread, tips).await?;
            found.extend(Some(current).filter(|current| current.thread.is_open()));
        }
        Ok(found)
    }

    /// The pull request as the contract has it.
    pub(super) async fn view(&self, current: Current) -> Result<PullRequest, ForgeError> {
        let Current { thread, mergeable } = current;
        let pull = thread.pull()?.clone();
        let checks = self.folder.reading(move |folder| folder.checks(pull.head)).await?;
        Ok(PullRequest {
            number: thread.number,
            url: self.page(&thread),
            author: thread.author,
            title: thread.title,
            body: thread.body,
            branch: pull.branch,
            base: pull.base,
            head: pull.head,
            state: thread.state,
            mergeable,
            obstacle: None,
            reviews: pull.reviews.into_iter().map(|given| given.review).collect(),
            checks,
            opened_at: thread.opened_at,
        })
    }

    /// The page of a thread.
    pub(super) fn page(&self, thread: &Thread) -> String {
        let kind = match thread.kind {
            Kind::Pull(_) => "pulls",
            Kind::Issue { .. } => "issues",
        };
        format!("{}/{kind}/{}", self.base_url, thread.number)
    }

    /// The tip of a branch at the remote, its objects in the mirror.
    pub(super) async fn tip(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        self.mirror.tip(branch).await.map_err(of_git)
    }

    async fn tips_of(&self, pull: &Pull, refs: &BTreeMap<String, CommitId>) -> Result<Tips, ForgeError> {
        let listed = |branch: &str| refs.get(&format!("refs/heads/{branch}")).copied();
        let (base, head) = (listed(&pull.base), listed(&pull.branch));
        let is_known = base.zip(head).is_some_and(|(base, head)| self.kept_relation(base, head).is_some());
        if is_known {
            return Ok(Tips { base, head });
        }
        // Not compared before: `tip` fetches the objects that the comparison needs.
        self.asked_tips(pull).await
    }

    /// The head is asked for first: where it is gone after a merge, the base then has the merge.
    async fn asked_tips(&self, pull: &Pull) -> Result<Tips, ForgeError> {
        let head = self.tip(&pull.branch).await?;
        Ok(Tips { head, base: self.tip(&pull.base).await? })
    }

    /// Brings an open pull request in line with git, in this order: a merge that was begun and reached the base, a
    /// branch that is gone, a head that the base has from elsewhere, a new tip.
    async fn with_tips(&self, thread: Thread, tips: Tips) -> Result<Current, ForgeError> {
        if let Some(intent) = self.landed(&thread, tips).await? {
            return self.note_merge(thread.number, intent).await;
        }
        let (Some(base), Some(head)) = (tips.base, tips.head) else {
            return self.note_branch_gone(thread.number).await;
        };
        let relation = self.relation(base, head).await?;
        let seen = thread.pull()?.head;
        if relation == Relation::Contained {
            return match self.merge_from_elsewhere(base, head, seen).await? {
                Some(intent) => self.note_merge(thread.number, intent).await,
                None => self.note_branch_gone(thread.number).await,
            };
        }
        let mergeable = Some(relation == Relation::Clean);
        if seen == head {
            return Ok(Current { thread, mergeable });
        }
        Ok(Current { thread: self.note_tips(thread.number, base, head).await?, mergeable })
    }

    /// The merge that was begun here and that the base contains.
    async fn landed(&self, thread: &Thread, tips: Tips) -> Result<Option<Intent>, ForgeError> {
        let Some(base) = tips.base else { return Ok(None) };
        for intent in thread.pull()?.intents.iter().rev() {
            // Where the mirror was rebuilt it does not have the commit of a merge that never reached the base.
            match self.mirror.merge_base(base, intent.commit).await {
                Ok(Some(common)) if common == intent.commit => return Ok(Some(intent.clone())),
                Ok(_) | Err(crate::repository::RepositoryError::NotFound { .. }) => {}
                Err(error) => return Err(of_git(error)),
            }
        }
        Ok(None)
    }

    /// The merge that somebody made with git, past the forge: the commit that has `head` as a parent, or a base that
    /// was moved onto the head last seen. None if instead the branch was moved back into the base: nothing is merged.
    async fn merge_from_elsewhere(
        &self,
        base: CommitId,
        head: CommitId,
        seen: CommitId,
    ) -> Result<Option<Intent>, ForgeError> {
        let commits = self.mirror.first_parents(base, SEARCH_COMMITS_MAX).await.map_err(of_git)?;
        let merge = commits.iter().find(|commit| commit.parents.iter().skip(1).any(|parent| *parent == head));
        let (commit, base_head) = match merge {
            Some(merge) => (merge.id, merge.parents.first().copied().unwrap_or(base)),
            None if seen == head => (base, base),
            None => return Ok(None),
        };
        Ok(Some(Intent { commit, head, base_head, by: Self::itself(), at: self.now() }))
    }

    /// Notes a merge that git has. Told only by the one that noted it.
    pub(super) async fn note_merge(&self, number: Number, intent: Intent) -> Result<Current, ForgeError> {
        let now = self.now();
        let (thread, is_news) = self
            .folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                let before = thread.state.clone();
                thread.merged(&intent, now)?;
                locked.put(&thread)?;
                let is_news = thread.state != before;
                Ok((thread, is_news))
            })
            .await?;
        if is_news {
            self.tell(Activity::Merged(number));
        }
        Ok(Current { thread, mergeable: None })
    }

    async fn note_branch_gone(&self, number: Number) -> Result<Current, ForgeError> {
        let now = self.now();
        let (thread, was_open) = self
            .folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                let was_open = thread.is_open();
                thread.close(now, &Self::itself(), What::BranchGone);
                locked.put(&thread)?;
                Ok((thread, was_open))
            })
            .await?;
        if was_open {
            self.tell(Activity::Closed(number));
        }
        Ok(Current { thread, mergeable: None })
    }

    /// Notes where the branches are. A push has no author that git would know, so the forge itself is named.
    async fn note_tips(&self, number: Number, base: CommitId, head: CommitId) -> Result<Thread, ForgeError> {
        let now = self.now();
        self.folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                if !thread.is_open() {
                    return Ok(thread);
                }
                let pull = thread.pull_mut()?;
                let is_pushed = pull.head != head;
                (pull.head, pull.base_head) = (head, base);
                if is_pushed {
                    thread.note(now, Self::itself(), What::Pushed { head });
                }
                locked.put(&thread)?;
                Ok(thread)
            })
            .await
    }
}
