//! Merging: exactly the head that was reviewed, with our message.

use http::{Method, StatusCode};
use serde_json::json;

use super::GitHubForge;
use super::answer::named;
use super::wire::{self, Merged, Pull};
use crate::forge::{CommitId, ForgeError, MergeMethod, Number, Priority};

impl GitHubForge {
    /// Source: GitHub's REST API, "Merge a pull request": 405 where it may not be merged, 409 where the head is another.
    pub(super) async fn merge_one(
        &self,
        number: Number,
        head: CommitId,
        message: &str,
        method: MergeMethod,
        priority: Priority,
    ) -> Result<CommitId, ForgeError> {
        let what = format!("pull request {number}");
        if let Some(commit) = self.merged(&self.pull(number).await?, head, &what).await? {
            return Ok(commit);
        }
        // GitHub puts the title, an empty line and the message together.
        let (title, text) = message.split_once('\n').unwrap_or((message, ""));
        let method = match method {
            MergeMethod::Merge => "merge",
            MergeMethod::Squash => "squash",
        };
        let body = json!({
            "sha": head.to_string(), "merge_method": method,
            "commit_title": title, "commit_message": text.trim_matches('\n'),
        });
        let path = self.path(format!("pulls/{number}/merge"));
        let answer = self.client.write(priority, Method::PUT, &path, &body).await?;
        match answer.status {
            StatusCode::OK => {
                let merged: Merged = answer.read(&named(&Method::PUT, &path))?;
                wire::commit(&merged.sha, &what)
            }
            // Closed, merged meanwhile, or a conflict: what is true now stands at the pull request.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNPROCESSABLE_ENTITY => {
                let reason = answer.reason();
                let pull = self.pull(number).await?;
                if let Some(commit) = self.merged(&pull, head, &what).await? {
                    return Ok(commit);
                }
                if pull.mergeable == Some(true) {
                    Err(ForgeError::Refused { what: format!("merge of {what}"), reason })
                } else {
                    Err(ForgeError::Moved { what, reason })
                }
            }
            _ => Err(answer.good(&what).err().unwrap_or(ForgeError::Moved { what, reason: answer.reason() })),
        }
    }

    /// The commit, if exactly this head is merged already, and by us: what a person or GitHub's auto-merge did has neither
    /// our message nor our gates, and is to be seen as theirs.
    async fn merged(&self, pull: &Pull, head: CommitId, what: &str) -> Result<Option<CommitId>, ForgeError> {
        let found = wire::commit(&pull.head.sha, what)?;
        let moved = |reason: String| Err(ForgeError::Moved { what: what.to_owned(), reason });
        if found != head {
            return moved(format!("head is at {found}, expected {head}"));
        }
        if pull.merged_at.is_none() {
            return if pull.state == "open" { Ok(None) } else { moved("it is closed".to_owned()) };
        }
        let me = self.me().await?.person.id;
        if pull.merged_by.as_ref().is_some_and(|by| by.id != me) {
            return moved("somebody else merged it".to_owned());
        }
        wire::commit(pull.merge_commit_sha.as_deref().unwrap_or_default(), what).map(Some)
    }
}
