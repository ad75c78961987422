//! Pull requests: read, opened, edited and closed.

use std::time::Duration;

use http::Method;
use serde_json::json;

use super::GitHubForge;
use super::answer::named;
use super::wire::{self, Issue, Pull};
use crate::forge::{
    ForgeError, Listed, NewPullRequest, Number, Obstacle, Priority, PullRequest, PullRequestState,
};

/// Open pull requests that are looked at: 10 pages. A repository with more has another problem.
const OPEN_PAGES_MAX: u32 = 10;
/// Before each further look at a pull request of which GitHub does not know yet whether it merges: a second in all. Later
/// it is looked at anew, as what waits for it is due again.
const MERGEABLE_PAUSES: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(250), Duration::from_millis(750)];

impl GitHubForge {
    pub(super) async fn pull(&self, number: Number) -> Result<Pull, ForgeError> {
        self.client.get(&self.path(format!("pulls/{number}"))).await
    }

    /// The pull request, with GitHub's word on whether it merges where that comes soon: the first look after a push only
    /// makes GitHub find out. What would be said of it in between would be one write more, and one more when it is known.
    pub(super) async fn looked_at(&self, number: Number) -> Result<Pull, ForgeError> {
        let mut pull = self.pull(number).await?;
        for pause in MERGEABLE_PAUSES {
            if pull.state != "open" || pull.mergeable.is_some() {
                break;
            }
            tokio::time::sleep(pause).await;
            pull = self.pull(number).await?;
        }
        Ok(pull)
    }

    /// The pull request, with its reviews and the checks on its head.
    pub(super) async fn whole(&self, pull: Pull) -> Result<PullRequest, ForgeError> {
        let what = format!("pull request {}", pull.number);
        let head = wire::commit(&pull.head.sha, &what)?;
        let (reviews, checks) = futures::try_join!(self.reviews(pull.number), self.checks_on(head))?;
        let state = self.state(&pull, &what).await?;
        Ok(PullRequest {
            number: pull.number,
            obstacle: obstacle(&pull),
            author: wire::person(pull.user),
            title: pull.title,
            body: pull.body.unwrap_or_default(),
            branch: branch(pull.number, &pull.head, &pull.base),
            base: pull.base.branch,
            head,
            state,
            mergeable: pull.mergeable,
            reviews,
            checks,
            opened_at: pull.created_at,
            url: pull.html_url,
        })
    }

    async fn state(&self, pull: &Pull, what: &str) -> Result<PullRequestState, ForgeError> {
        if let Some(at) = pull.merged_at {
            let commit = wire::commit(pull.merge_commit_sha.as_deref().unwrap_or_default(), what)?;
            let by = wire::person(pull.merged_by.clone());
            return Ok(PullRequestState::Merged { commit, at, by });
        }
        if pull.state == "open" {
            return Ok(PullRequestState::Open);
        }
        // Who closed it stands at the issue alone.
        let issue: Issue = self.client.get(&self.path(format!("issues/{}", pull.number))).await?;
        let at = pull.closed_at.unwrap_or(pull.created_at);
        Ok(PullRequestState::Closed { at, by: wire::person(issue.closed_by) })
    }

    pub(super) async fn listed(&self, base: &str) -> Result<Vec<Listed>, ForgeError> {
        let base = query(base);
        let path = self.path(format!("pulls?state=open&base={base}&sort=created&direction=asc"));
        let pulls: Vec<Pull> = self.client.pages(&path, OPEN_PAGES_MAX).await?;
        let listed = pulls.into_iter().map(|pull| {
            Ok(Listed {
                number: pull.number,
                head: wire::commit(&pull.head.sha, "a pull request")?,
                branch: branch(pull.number, &pull.head, &pull.base),
                author: wire::person(pull.user),
            })
        });
        listed.collect()
    }

    pub(super) async fn open_new(&self, new: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        let path = self.path("pulls");
        let body = json!({ "title": new.title, "body": new.body, "head": new.branch, "base": new.base, "draft": false });
        let answer = self.client.write(new.priority, Method::POST, &path, &body).await?;
        let what = named(&Method::POST, &path);
        let pull = match answer.read::<Pull>(&what) {
            Ok(pull) => pull,
            // There may be one already: of ours, from before a stop.
            Err(error @ ForgeError::Refused { .. }) => match self.open_one(new).await? {
                Some(pull) => pull,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        };
        self.label(pull.number, &new.labels).await;
        self.ask_for_reviews(&pull, &new.reviewers).await;
        self.whole(pull).await
    }

    /// The open pull request of this head and base.
    async fn open_one(&self, new: &NewPullRequest) -> Result<Option<Pull>, ForgeError> {
        let (owner, branch, base) = (self.name.owner(), query(&new.branch), query(&new.base));
        let path = self.path(format!("pulls?state=open&head={owner}:{branch}&base={base}"));
        let found: Vec<Pull> = self.client.pages(&path, 1).await?;
        let me = self.me().await?.person;
        Ok(found.into_iter().find(|pull| {
            pull.head.branch == new.branch && pull.user.as_ref().is_some_and(|user| user.id == me.id)
        }))
    }

    /// Labels are for people; nothing depends on them.
    async fn label(&self, number: Number, labels: &[String]) {
        if labels.is_empty() {
            return;
        }
        let path = self.path(format!("issues/{number}/labels"));
        let written =
            self.client.write(Priority::Note, Method::POST, &path, &json!({ "labels": labels })).await;
        let what = named(&Method::POST, &path);
        if let Err(error) = written.and_then(|answer| answer.good(&what)) {
            tracing::info!(number, %error, "labels are not set");
        }
    }

    pub(super) async fn change(
        &self,
        priority: Priority,
        number: Number,
        change: &serde_json::Value,
    ) -> Result<(), ForgeError> {
        let path = self.path(format!("pulls/{number}"));
        let answer = self.client.write(priority, Method::PATCH, &path, change).await?;
        answer.good(&named(&Method::PATCH, &path))
    }

    pub(super) async fn close_one(&self, number: Number) -> Result<(), ForgeError> {
        let pull = self.pull(number).await?;
        if pull.merged_at.is_some() {
            let what = format!("pull request {number}");
            return Err(ForgeError::Moved { what, reason: "it is merged".to_owned() });
        }
        if pull.state != "open" {
            return Ok(());
        }
        self.change(Priority::Act, number, &json!({ "state": "closed" })).await
    }
}

fn obstacle(pull: &Pull) -> Option<Obstacle> {
    match (pull.draft, &pull.auto_merge) {
        (true, _) => Some(Obstacle::Draft),
        (false, Some(_)) => Some(Obstacle::AutoMerge),
        (false, None) => None,
    }
}

/// The head branch. One of a fork is known by the ref that GitHub keeps of it here: its own name may be that of a branch of
/// ours.
fn branch(number: Number, head: &wire::End, base: &wire::End) -> String {
    let repository = |end: &wire::End| end.repo.as_ref().map(|repo| repo.id);
    if repository(head).is_some() && repository(head) == repository(base) {
        head.branch.clone()
    } else {
        format!("refs/pull/{number}/head")
    }
}

/// As part of a query.
pub(super) fn query(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_branch_of_a_fork_is_none_of_ours() {
        let end = |repository: serde_json::Value| -> wire::End {
            let end = json!({"ref": "lockkeeper/shop/prod/1", "sha": "1".repeat(40), "repo": repository});
            serde_json::from_value(end).unwrap()
        };
        let base = end(json!({"id": 1}));
        assert_eq!(branch(7, &end(json!({"id": 1})), &base), "lockkeeper/shop/prod/1");
        for fork in [json!({"id": 2}), json!(null)] {
            assert_eq!(branch(7, &end(fork), &base), "refs/pull/7/head");
        }
    }
}
