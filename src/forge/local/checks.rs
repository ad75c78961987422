//! Checks on commits: lockkeeper's own, and those that apps report.

use super::thread::{BODY_BYTES_MAX, TITLE_BYTES_MAX};
use super::{Activity, Actor, BOT_NAME, LocalForge, of_git};
use crate::forge::{Check, CheckStatus, ForgeError, Permission};
use crate::repository::{CommitId, RepositoryError};

/// The longest name of a check, in bytes.
const NAME_BYTES_MAX: usize = 100;

impl LocalForge {
    /// Reports a check for an app, under the app's own name whatever `check.app` says.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if it is no app or a text is too long, [`ForgeError::NotFound`] if there is no such
    /// commit.
    pub async fn report_check(
        &self,
        actor: impl Into<Actor>,
        commit: CommitId,
        check: Check,
    ) -> Result<(), ForgeError> {
        let actor = actor.into();
        let known = self.permitted(&actor, Permission::Read, "check").await?;
        if !known.person.bot {
            return Err(refused(format!("{} is a person, only apps report checks", known.person.name)));
        }
        self.must_exist(commit).await?;
        if self.put_check(commit, Check { app: known.person.name, ..check }).await? {
            self.tell(Activity::Checked(commit));
        }
        Ok(())
    }

    /// Reports lockkeeper's own check.
    pub(super) async fn put_own_check(&self, commit: CommitId, check: &Check) -> Result<(), ForgeError> {
        self.put_check(commit, Check { app: BOT_NAME.to_owned(), ..check.clone() }).await.map(|_| ())
    }

    /// Whether the check is news.
    async fn put_check(&self, commit: CommitId, check: Check) -> Result<bool, ForgeError> {
        let bounds = [
            ("name", check.name.len(), NAME_BYTES_MAX),
            ("summary", check.summary.len(), TITLE_BYTES_MAX),
            ("text", check.text.len(), BODY_BYTES_MAX),
        ];
        for (what, found, bound) in bounds {
            if found > bound {
                return Err(refused(format!("the {what} has {found} bytes, at most {bound} are kept")));
            }
        }
        if check.name.is_empty() || check.name.contains(char::is_control) {
            return Err(refused("the name must be one line that is not empty".to_owned()));
        }
        self.folder.writing(move |locked| locked.put_check(commit, &check)).await
    }

    /// So that an app cannot fill the disk with checks on commits that never were.
    async fn must_exist(&self, commit: CommitId) -> Result<(), ForgeError> {
        match self.mirror.revision(&commit.to_string()).await {
            Ok(_) => return Ok(()),
            Err(RepositoryError::NotFound { .. }) => {}
            Err(error) => return Err(of_git(error)),
        }
        // Not fetched yet, perhaps: a tip that was pushed a moment ago.
        let refs = self.mirror.refs("refs/heads/").await.map_err(of_git)?;
        if refs.values().any(|tip| *tip == commit) {
            return Ok(());
        }
        Err(ForgeError::NotFound { what: format!("commit {commit}") })
    }
}

/// The status in words.
pub(super) fn word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pending => "pending",
        CheckStatus::Passed => "passed",
        CheckStatus::Failed => "failed",
    }
}

fn refused(reason: String) -> ForgeError {
    ForgeError::Refused { what: "check".to_owned(), reason }
}
