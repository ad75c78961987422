//! What GitHub tells, as far as it is needed. Unknown fields and values are no error: GitHub adds some every month.

use jiff::Timestamp;
use serde::Deserialize;

use crate::commit::CommitId;
use crate::forge::{ForgeError, Person};

use super::answer::unavailable;

/// A person, an App or an organisation. GitHub tells none where the account is gone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// The account that GitHub shows for those that are gone.
const GHOST: (u64, &str) = (10_137, "ghost");

impl From<User> for Person {
    fn from(user: User) -> Self {
        let is_person = user.kind.as_deref().is_none_or(|kind| kind == "User");
        Self { id: user.id, name: user.login, bot: !is_person }
    }
}

/// The person, or GitHub's ghost: nobody who could ever have a permission.
pub(super) fn person(user: Option<User>) -> Person {
    user.map_or_else(|| Person { id: GHOST.0, name: GHOST.1.to_owned(), bot: false }, Person::from)
}

/// The id of a commit.
pub(super) fn commit(text: &str, what: &str) -> Result<CommitId, ForgeError> {
    text.parse().map_err(|_| unavailable(format!("{what} names no commit: {text:.60}")))
}

/// A pull request; the fields of lists and of one alone.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) user: Option<User>,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) draft: bool,
    pub(super) head: End,
    pub(super) base: End,
    pub(super) created_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) merged_at: Option<Timestamp>,
    pub(super) merged_by: Option<User>,
    pub(super) merge_commit_sha: Option<String>,
    pub(super) mergeable: Option<bool>,
    /// How GitHub is to merge it by itself, where somebody wants that.
    pub(super) auto_merge: Option<serde::de::IgnoredAny>,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) requested_reviewers: Vec<User>,
    #[serde(default)]
    pub(super) requested_teams: Vec<Team>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Team {
    pub(super) slug: String,
}

/// Head or base of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) branch: String,
    pub(super) sha: String,
    /// None where the fork is gone.
    pub(super) repo: Option<Repo>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Repo {
    pub(super) id: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Merged {
    pub(super) sha: String,
}

/// An issue, or a pull request as an issue.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) closed_by: Option<User>,
    pub(super) pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    pub(super) state: String,
    pub(super) commit_id: Option<String>,
    pub(super) submitted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    pub(super) body: Option<String>,
    pub(super) issue_url: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) performed_via_github_app: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reaction {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    pub(super) content: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckRuns {
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckRun {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) app: Option<AppRef>,
    pub(super) output: Option<Output>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Output {
    pub(super) title: Option<String>,
    pub(super) text: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct AppRef {
    pub(super) id: u64,
    pub(super) slug: Option<String>,
}

/// The statuses of a commit, the newest of each context.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Statuses {
    pub(super) statuses: Vec<Status>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) context: String,
    pub(super) state: String,
    pub(super) description: Option<String>,
    /// Told of each status alone, not of the newest together.
    pub(super) creator: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CollaboratorPermission {
    pub(super) permission: String,
    pub(super) user: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Membership {
    pub(super) state: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Comparison {
    pub(super) commits: Vec<Compared>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Compared {
    pub(super) sha: String,
    pub(super) author: Option<Author>,
    pub(super) commit: CommitText,
}

/// GitHub tells an empty object where it knows no account.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Author {
    Known(User),
    Nobody {},
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CommitText {
    pub(super) author: Option<GitAuthor>,
    pub(super) committer: Option<GitAuthor>,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct GitAuthor {
    pub(super) email: Option<String>,
    pub(super) date: Option<String>,
}

/// What is known of a commit besides what git has of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Made {
    pub(super) author: Option<Author>,
    pub(super) commit: MadeText,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct MadeText {
    pub(super) verification: Option<Verification>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Verification {
    pub(super) verified: bool,
}

/// A rule that counts for a branch, whichever ruleset it comes from.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Rule {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// Classic protection of a branch.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Protection {
    pub(super) required_signatures: Option<Switch>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Switch {
    pub(super) enabled: bool,
}

/// A deployment.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Deployed {
    pub(super) id: u64,
    pub(super) creator: Option<User>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) id: u64,
    pub(super) state: String,
}
