//! Opens and edits pull requests and issues.

use super::folder::Locked;
use super::relation::Relation;
use super::thread::{self, Kind, Pull, Thread, What};
use super::{Activity, Actor, LocalForge};
use crate::forge::{ForgeError, NewPullRequest, Number, Permission, Person, PullRequest, PullRequestState};
use crate::repository::CommitId;

/// The longest branch name, in bytes: what a file system takes as one name.
const BRANCH_BYTES_MAX: usize = 255;
/// The longest key of an issue, in bytes.
const KEY_BYTES_MAX: usize = 200;

impl LocalForge {
    /// Opens a pull request for a person, or returns the open one of the same head branch.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the person may not write, or the base has the head already;
    /// [`ForgeError::NotFound`] if a branch is not there.
    pub async fn open_by(
        &self,
        actor: impl Into<Actor>,
        new: NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        let known = self.permitted(&actor.into(), Permission::Write, "pull request").await?;
        self.open_as(known.person, &new).await
    }

    pub(super) async fn open_as(&self, by: Person, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        let thread = self.new_thread(by, new).await?;
        let (number, is_news) = self.folder.writing(move |locked| put_new(locked, thread)).await?;
        if is_news {
            self.tell(Activity::Opened(number));
        }
        self.view(self.current(number).await?).await
    }

    /// Nobody is asked for a review: nothing here would tell them, and the body names who may approve.
    async fn new_thread(&self, author: Person, new: &NewPullRequest) -> Result<Thread, ForgeError> {
        let title = thread::title(&new.title)?;
        let head = self.branch_tip(&new.branch).await?;
        let base = self.branch_tip(&new.base).await?;
        if self.relation(base, head).await? == Relation::Contained {
            let reason = format!("{} has no commit that {} does not have", new.branch, new.base);
            return Err(ForgeError::Refused { what: "pull request".to_owned(), reason });
        }
        let pull = Pull {
            branch: new.branch.clone(),
            base: new.base.clone(),
            head,
            base_head: base,
            reviews: Vec::new(),
            intents: Vec::new(),
        };
        Ok(Thread {
            number: 0,
            kind: Kind::Pull(pull),
            author,
            title,
            body: thread::body(&new.body)?,
            labels: thread::labels(&new.labels)?,
            opened_at: self.now(),
            state: PullRequestState::Open,
            comments: Vec::new(),
            events: Vec::new(),
        })
    }

    async fn branch_tip(&self, branch: &str) -> Result<CommitId, ForgeError> {
        if branch.is_empty() || branch.len() > BRANCH_BYTES_MAX || branch.contains(char::is_control) {
            let reason =
                format!("the name has {} bytes, wanted 1 to {BRANCH_BYTES_MAX}, printable", branch.len());
            return Err(ForgeError::Refused { what: "branch".to_owned(), reason });
        }
        let tip = self.tip(branch).await?;
        tip.ok_or_else(|| ForgeError::NotFound { what: format!("branch {branch}") })
    }

    /// Sets title and body of a pull request or issue; nothing is written where they are the same.
    pub(super) async fn put_text(&self, number: Number, title: &str, body: &str) -> Result<(), ForgeError> {
        let (title, body, now) = (thread::title(title)?, thread::body(body)?, self.now());
        self.folder
            .writing(move |locked| {
                let mut thread = locked.thread(number)?;
                if thread.title == title && thread.body == body {
                    return Ok(());
                }
                if thread.title != title {
                    let before = std::mem::replace(&mut thread.title, title);
                    thread.note(now, Self::bot(), What::Renamed { before });
                }
                thread.body = body;
                locked.put(&thread)
            })
            .await
    }

    /// The open issue of ours with this key, opened or kept up.
    pub(super) async fn keep_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let reason = format!("{} bytes, wanted 1 to {KEY_BYTES_MAX}", key.len());
            return Err(ForgeError::Refused { what: "key of an issue".to_owned(), reason });
        }
        let new = Thread {
            number: 0,
            kind: Kind::Issue { key: key.to_owned() },
            author: Self::bot(),
            title: thread::title(title)?,
            body: thread::body(body)?,
            labels: std::collections::BTreeSet::new(),
            opened_at: self.now(),
            state: PullRequestState::Open,
            comments: Vec::new(),
            events: Vec::new(),
        };
        let (number, is_news) = self.folder.writing(move |locked| put_new(locked, new)).await?;
        if !is_news {
            self.put_text(number, title, body).await?;
        }
        Ok(number)
    }
}

/// The number of the open thread of this name, and whether it is this one, written now.
fn put_new(locked: &Locked<'_>, mut thread: Thread) -> Result<(Number, bool), ForgeError> {
    if let Some(number) = locked.open_thread(&thread.kind)? {
        return Ok((number, false));
    }
    thread.number = locked.next_number()?;
    locked.put(&thread)?;
    Ok((thread.number, true))
}
