//! GitHub, as an App or with a token: pull requests, reviews, comments, checks and teams, through octocrab.
//!
//! octocrab signs for the App and carries the requests. What it would do beyond that is done here, because it decides
//! what is right: waits, paging (its next pages lose their authorization at an Enterprise Server), one refresh of the
//! token for many callers, no repeat of a write, limits, and bodies of which only what is needed is read.
//!
//! Source: GitHub's REST API, version 2022-11-28; its description in `OpenAPI` holds the tests' own GitHub.

mod answer;
mod authors;
mod cache;
mod checks;
mod client;
mod comments;
mod identity;
mod issues;
mod limits;
mod merge;
mod people;
mod pulls;
mod reviews;
mod trait_impl;
mod wire;

pub use self::client::Options;
pub use self::identity::Identity;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use self::client::Client;
use super::{CommentId, CommitId, ForgeError, Number, Person};

/// The pull requests of one repository at GitHub.
pub struct GitHubForge {
    client: Client,
    name: FullName,
    /// Where people look at it, without a slash at the end: `https://github.com/acme/environments`.
    web_url: String,
    me: OnceCell<Me>,
    known: Mutex<Known>,
}

/// Owner and name of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName {
    owner: String,
    name: String,
}

/// Who we are at GitHub.
#[derive(Debug, Clone)]
struct Me {
    person: Person,
    /// The App that our checks belong to; none with a token, which may report no checks, only statuses.
    app_id: Option<u64>,
}

/// What was found or written last, so that it is neither looked for nor written again. Lost with the process, and found
/// anew then.
#[derive(Debug, Default)]
struct Known {
    comments: BTreeMap<(Number, String), (CommentId, String)>,
    issues: BTreeMap<String, (Number, String, String)>,
    checks: BTreeMap<CommitId, checks::OwnCheck>,
    /// The newest comment seen, and when it was written.
    newest_comment: Option<(CommentId, jiff::Timestamp)>,
}

/// Most entries of each kind that are kept; past that they are found anew. 10,000 of half a kilobyte are 5 MB.
const KNOWN_MAX: usize = 10_000;

impl GitHubForge {
    /// The repository `name`, reached by `identity`.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the address of the API is none, [`ForgeError::Unavailable`] if TLS cannot be set up.
    pub fn new(name: FullName, identity: Identity, options: &Options) -> Result<Self, ForgeError> {
        let web_url = format!("{}/{name}", options.web_url());
        let client = Client::new(name.clone(), identity, options)?;
        Ok(Self { client, name, web_url, me: OnceCell::new(), known: Mutex::default() })
    }

    /// The client, for whoever needs its token: git does.
    #[must_use]
    pub fn token_source(&self) -> std::sync::Arc<dyn crate::repository::TokenSource> {
        self.client.token_source()
    }

    /// `/repos/acme/environments/<rest>`.
    fn path(&self, rest: impl fmt::Display) -> String {
        format!("/repos/{}/{rest}", self.name)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.bound();
        known
    }
}

impl Known {
    fn bound(&mut self) {
        if self.comments.len() > KNOWN_MAX {
            self.comments.clear();
        }
        if self.checks.len() > KNOWN_MAX {
            self.checks.clear();
        }
    }
}

impl fmt::Debug for GitHubForge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GitHubForge").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

impl FullName {
    /// The owner: a person or an organisation.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    /// Reads `owner/name`.
    ///
    /// Source: the characters that GitHub allows in both.
    fn from_str(text: &str) -> Result<Self, FullNameError> {
        let is_part = |part: &str| {
            (1..=100).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !part.bytes().all(|byte| byte == b'.')
        };
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(FullNameError { found: text.chars().take(100).collect() }),
        }
    }
}

/// No name of a repository at GitHub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted owner/name, found {found:?}")]
pub struct FullNameError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_has_an_owner_and_a_name() {
        for good in ["acme/environments", "a/b.c", "A-1/_x"] {
            assert_eq!(good.parse::<FullName>().unwrap().to_string(), good);
        }
        for bad in ["", "acme", "acme/", "/x", "a/b/c", "a/..", "a/b?c", "a b/c", "a/%2e"] {
            assert!(bad.parse::<FullName>().is_err(), "{bad}");
        }
    }
}
