//! GitHub, as an App or with a token: pull requests, reviews, comments, checks and teams, through octocrab.
//!
//! octocrab signs for the App and carries the requests. What it would do beyond that is done here, because it decides
//! what is right: waits, paging (its next pages lose their authorization at an Enterprise Server), one refresh of the
//! token for many callers, no repeat of a write, limits, and bodies of which only what is needed is read.
//!
//! Source: GitHub's REST API, version 2022-11-28; its description in `OpenAPI` holds the tests' own GitHub.

mod answer;
mod app;
mod authors;
mod cache;
mod checks;
mod client;
mod comments;
mod commits;
mod deployments;
mod graphql;
mod hook;
mod identity;
pub mod inspect;
mod issues;
mod limits;
mod merge;
pub mod needs;
mod people;
mod pulls;
mod reviewers;
mod reviews;
mod statuses;
mod touched;
mod trait_impl;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::OnceCell;

pub use self::hook::{DeliveriesPage, Hook, ListedDelivery};
pub use self::limits::Writes;

use self::client::Client;
use super::{Check, Clock, CommentId, CommitId, ForgeError, Number, Person};
use crate::repository::TokenSource;
use crate::settings::{FullName, GitHub, Signing};

/// The pull requests of one repository at GitHub.
pub struct GitHubForge {
    client: Client,
    name: FullName,
    /// Where people look at it, without a slash at the end: `https://github.com/acme/environments`.
    web_url: String,
    signing: Signing,
    me: OnceCell<Me>,
    clock: Clock,
    known: Mutex<Known>,
    /// Whether it was said that deployments are refused.
    has_told_of_deployments: AtomicBool,
    /// What the base demanded when that was asked last.
    demands_signatures: Mutex<Option<bool>>,
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
    /// With a token: our status on each commit, by its id.
    statuses: BTreeMap<CommitId, (u64, Check)>,
    /// When comments that were read were written.
    comment_times: BTreeMap<CommentId, Timestamp>,
    /// The newest comment seen, and when it was written.
    newest_comment: Option<(CommentId, Timestamp)>,
}

/// Most entries of each kind that are kept; past that they are found anew. 10,000 of half a kilobyte are 5 MB.
const KNOWN_MAX: usize = 10_000;

impl GitHubForge {
    /// The repository `name` at this GitHub. What is written to it counts among `writes`.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the address of the API or the key of the App cannot be used,
    /// [`ForgeError::Unavailable`] if TLS cannot be set up.
    pub fn new(name: FullName, github: &GitHub, writes: Arc<Writes>) -> Result<Self, ForgeError> {
        let web_url = format!("{}/{name}", github.web_url());
        let client = Client::new(name.clone(), github, writes)?;
        let signing = Signing::default();
        Ok(Self {
            client,
            name,
            web_url,
            signing,
            me: OnceCell::new(),
            clock: Arc::new(Timestamp::now),
            known: Mutex::default(),
            has_told_of_deployments: AtomicBool::new(false),
            demands_signatures: Mutex::default(),
        })
    }

    /// Which commits GitHub is to make, instead of git.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        self
    }

    /// Goes by this clock where it looks back.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The token that counts now, for git.
    #[must_use]
    pub fn token_source(&self) -> Arc<dyn TokenSource> {
        self.client.token_source()
    }

    /// Where people look at the repository, without a slash at the end.
    #[must_use]
    pub fn web_url(&self) -> &str {
        &self.web_url
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
        bound(&mut self.comments);
        bound(&mut self.checks);
        bound(&mut self.statuses);
        bound(&mut self.comment_times);
    }
}

fn bound<K, V>(known: &mut BTreeMap<K, V>) {
    if known.len() > KNOWN_MAX {
        known.clear();
    }
}

impl fmt::Debug for GitHubForge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GitHubForge").field("name", &self.name).finish_non_exhaustive()
    }
}
