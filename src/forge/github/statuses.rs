//! Statuses on commits: of whoever may push and, with a token, our own gate. GitHub takes checks from Apps alone.
//!
//! Source: GitHub's REST API, "Create a commit status": of each context the newest counts, whoever reported it.

use http::Method;
use serde_json::json;

use super::answer::named;
use super::checks::OWN;
use super::wire::{Status, Statuses};
use super::{GitHubForge, Me};
use crate::forge::{Check, CheckStatus, CommitId, ForgeError, Priority};

/// Pages of statuses on one commit: 1,000 is what GitHub takes of one context.
const PAGES_MAX: u32 = 10;
/// Characters of a description.
const DESCRIPTION_CHARACTERS_MAX: usize = 140;

impl GitHubForge {
    /// The newest status of each context.
    pub(super) async fn statuses(&self, head: CommitId, me: &Me) -> Result<Vec<Check>, ForgeError> {
        if me.app_id.is_some() {
            let path = self.path(format!("commits/{head}/status"));
            let newest = self.client.pages_of(&path, PAGES_MAX, |page: Statuses| page.statuses).await?;
            return Ok(newest.into_iter().map(check).collect());
        }
        let mut newest: Vec<Check> = Vec::new();
        for status in self.reported(head).await? {
            if newest.iter().any(|known| known.name == status.context) {
                continue;
            }
            let is_ours = is_ours(&status, me);
            let written = self.known().statuses.get(&head).filter(|(id, _)| *id == status.id).cloned();
            newest.push(match written.filter(|_| is_ours) {
                // Of what we wrote, only a part fits into a status.
                Some((_, check)) => check,
                None if is_ours => Check { app: OWN.to_owned(), ..check(status) },
                None => check(status),
            });
        }
        Ok(newest)
    }

    /// Reports our gate as a status, unless it is the newest of its context already: somebody else's may be newer.
    pub(super) async fn report_status(
        &self,
        head: CommitId,
        wanted: &Check,
        priority: Priority,
        me: &Me,
    ) -> Result<(), ForgeError> {
        let state = match wanted.status {
            CheckStatus::Pending => "pending",
            CheckStatus::Passed => "success",
            CheckStatus::Failed => "failure",
        };
        let description: String = wanted.summary.chars().take(DESCRIPTION_CHARACTERS_MAX).collect();
        let newest = self.reported(head).await?.into_iter().find(|status| status.context == OWN);
        let is_same = |status: &Status| {
            is_ours(status, me)
                && status.state == state
                && status.description.as_deref().unwrap_or_default() == description
        };
        let id = if let Some(same) = newest.filter(is_same) {
            same.id
        } else {
            let path = self.path(format!("statuses/{head}"));
            let body = json!({ "state": state, "context": OWN, "description": description });
            let answer = self.client.write(priority, Method::POST, &path, &body).await?;
            answer.read::<Status>(&named(&Method::POST, &path))?.id
        };
        self.known().statuses.insert(head, (id, wanted.clone()));
        Ok(())
    }

    /// All of a commit, newest first.
    async fn reported(&self, head: CommitId) -> Result<Vec<Status>, ForgeError> {
        self.client.pages(&self.path(format!("commits/{head}/statuses")), PAGES_MAX).await
    }
}

fn is_ours(status: &Status, me: &Me) -> bool {
    status.context == OWN && status.creator.as_ref().is_some_and(|creator| creator.id == me.person.id)
}

/// A status belongs to no App: whoever may push can report one under any name.
fn check(status: Status) -> Check {
    Check {
        name: status.context,
        app: String::new(),
        status: match status.state.as_str() {
            "success" => CheckStatus::Passed,
            "failure" | "error" => CheckStatus::Failed,
            _ => CheckStatus::Pending,
        },
        summary: status.description.unwrap_or_default(),
        text: String::new(),
    }
}
