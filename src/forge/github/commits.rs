//! Commits that GitHub makes, and thereby signs: a branch at the base, and on it one commit by GraphQL.
//!
//! Two writes, so a stop may come between them. A branch that holds nothing of its own is what such a stop leaves: it is
//! moved to where the commit is to stand, which GitHub does only forward, and so never away from somebody's work. The
//! commit itself compares and swaps by `expectedHeadOid`.
//!
//! Source: GitHub's REST API, "Create a reference", "Update a reference", "Get rules for a branch", "Get a commit"; its
//! GraphQL schema, `createCommitOnBranch`, whose author is the App and which takes no other one.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::GitHubForge;
use super::answer::named;
use super::pulls::query;
use super::wire::{self, Made, Protection, Rule};
use crate::forge::{CommitId, ForgeError, NewCommit, Priority};
use crate::settings::Signing;

const MUTATION: &str =
    "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }";
/// Bytes of all files of one commit. GitHub names no limit; in base64 these are 13.3 MB, and a manifest has some kB.
const FILES_BYTES_MAX: usize = 10_000_000;
/// Pages of the rules of one branch: GitHub takes 75 rulesets of a dozen rules each.
const RULE_PAGES_MAX: u32 = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    create_commit_on_branch: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    commit: Option<Oid>,
}

#[derive(Deserialize)]
struct Oid {
    oid: String,
}

impl GitHubForge {
    /// The commit, where GitHub is to make it.
    pub(super) async fn sign(&self, new: &NewCommit) -> Result<Option<CommitId>, ForgeError> {
        let is_signing = match self.signing {
            Signing::AsDemanded => self.is_demanded(&new.base).await?,
            Signing::Always => true,
            Signing::Never => false,
        };
        if !is_signing {
            return Ok(None);
        }
        let what = format!("the commit on branch {}", new.branch);
        let input = input(&self.name.to_string(), new, &what)?;
        self.begin_branch(new).await?;
        let committed: Committed = self.mutate(Priority::Act, MUTATION, &input, &what).await?;
        let commit = committed.create_commit_on_branch.and_then(|payload| payload.commit);
        let oid = commit.map_or_else(String::new, |commit| commit.oid);
        wire::commit(&oid, &format!("answer for {what}")).map(Some)
    }

    /// Whether the base wants signatures; what it wanted last where GitHub does not say now: rules change seldom, and a
    /// rollback does not wait for this.
    async fn is_demanded(&self, branch: &str) -> Result<bool, ForgeError> {
        let last = || self.demands_signatures.lock().unwrap_or_else(PoisonError::into_inner);
        match self.demands_signatures(branch).await {
            Ok(demands) => {
                *last() = Some(demands);
                Ok(demands)
            }
            Err(error @ ForgeError::Unavailable { .. }) => (*last()).ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Whether the rules of a branch want signatures. Classic protection is for administrators to read, which an App
    /// seldom is: what cannot be read asks for nothing, and then the setting says it.
    async fn demands_signatures(&self, branch: &str) -> Result<bool, ForgeError> {
        let branch = query(branch);
        let path = self.path(format!("rules/branches/{branch}"));
        let rules: Vec<Rule> = match self.client.pages(&path, RULE_PAGES_MAX).await {
            Ok(rules) => rules,
            // An Enterprise Server from before there were rulesets, or a plan without them.
            Err(ForgeError::NotFound { .. } | ForgeError::Refused { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if rules.iter().any(|rule| rule.kind == "required_signatures") {
            return Ok(true);
        }
        match self.client.get::<Protection>(&self.path(format!("branches/{branch}/protection"))).await {
            Ok(protection) => Ok(protection.required_signatures.is_some_and(|switch| switch.enabled)),
            Err(ForgeError::NotFound { .. } | ForgeError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The branch, at the commit that the new one is to stand on.
    async fn begin_branch(&self, new: &NewCommit) -> Result<(), ForgeError> {
        let (path, parent) = (self.path("git/refs"), new.parent.to_string());
        let body = json!({ "ref": format!("refs/heads/{}", new.branch), "sha": parent });
        let made = self.client.write(Priority::Act, Method::POST, &path, &body).await?;
        if made.status != StatusCode::UNPROCESSABLE_ENTITY {
            return made.good(&named(&Method::POST, &path));
        }
        let branch = query(&new.branch);
        let path = self.path(format!("git/refs/heads/{branch}"));
        let body = json!({ "sha": parent, "force": false });
        let moved = self.client.write(Priority::Act, Method::PATCH, &path, &body).await?;
        if moved.status != StatusCode::UNPROCESSABLE_ENTITY {
            return moved.good(&named(&Method::PATCH, &path));
        }
        let what = format!("branch {}", new.branch);
        match self.client.get::<IgnoredAny>(&self.path(format!("git/ref/heads/{branch}"))).await {
            Ok(_) => Err(ForgeError::Moved { what, reason: moved.reason() }),
            Err(ForgeError::NotFound { .. }) => Err(ForgeError::Refused { what, reason: made.reason() }),
            Err(error) => Err(error),
        }
    }

    /// Whether GitHub shows this commit as ours and verified.
    pub(super) async fn is_signed(&self, commit: CommitId) -> Result<bool, ForgeError> {
        let made: Made = match self.client.get(&self.path(format!("commits/{commit}"))).await {
            Ok(made) => made,
            Err(ForgeError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let me = self.me().await?.person.id;
        let is_ours = matches!(made.author, Some(wire::Author::Known(author)) if author.id == me);
        Ok(is_ours && made.commit.verification.is_some_and(|verification| verification.verified))
    }
}

/// The commit as GitHub takes it.
fn input(repository: &str, new: &NewCommit, what: &str) -> Result<Value, ForgeError> {
    let refused = |reason: String| ForgeError::Refused { what: what.to_owned(), reason };
    let bytes: usize = new.edits.iter().map(|(_, bytes)| bytes.len()).sum();
    if bytes > FILES_BYTES_MAX {
        return Err(refused(format!(
            "its files have {bytes} bytes, wanted at most {FILES_BYTES_MAX} where GitHub makes it"
        )));
    }
    let (headline, body) = parted(&new.message)
        .ok_or_else(|| refused("its message has no empty line below the first one".to_owned()))?;
    let additions: Vec<Value> = new
        .edits
        .iter()
        .map(|(path, bytes)| json!({ "path": path, "contents": STANDARD.encode(bytes) }))
        .collect();
    Ok(json!({
        "branch": { "repositoryNameWithOwner": repository, "branchName": new.branch },
        "expectedHeadOid": new.parent.to_string(),
        "message": { "headline": headline, "body": body },
        "fileChanges": { "additions": additions },
    }))
}

/// First line and rest of a message; GitHub puts an empty line between them. None where that gives another message.
fn parted(message: &str) -> Option<(&str, &str)> {
    let message = message.trim_end();
    let (headline, body) = message.split_once("\n\n").unwrap_or((message, ""));
    let is_exact = !headline.contains('\n') && !body.starts_with('\n') && !headline.is_empty();
    is_exact.then_some((headline, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_parted_so_that_it_comes_together_again() {
        for (message, want) in [
            ("title\n\nA: 1\nB: 2\n", Some(("title", "A: 1\nB: 2"))),
            ("title\n\nwords\n\nA: 1", Some(("title", "words\n\nA: 1"))),
            ("title\n", Some(("title", ""))),
            ("title\nnext", None),
            ("title\n\n\nA: 1", None),
            ("\n\nA: 1", None),
            ("", None),
        ] {
            assert_eq!(parted(message), want, "{message:?}");
        }
    }

    #[test]
    fn files_are_bounded() {
        let new = |bytes: usize| NewCommit {
            branch: "a".to_owned(),
            base: "main".to_owned(),
            parent: CommitId::from_bytes([1; 20]),
            edits: vec![("a.yaml".to_owned(), vec![0; bytes])],
            message: "a".to_owned(),
        };
        assert!(input("acme/web", &new(FILES_BYTES_MAX), "it").is_ok());
        let refused = input("acme/web", &new(FILES_BYTES_MAX + 1), "it").unwrap_err().to_string();
        assert!(refused.contains("10000001 bytes, wanted at most 10000000"), "{refused}");
    }
}
