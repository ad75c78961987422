//! A forge of our own over a bare repository: pull requests, reviews, comments, checks, merge and close.
//!
//! It is a real forge, for trying lockkeeper out, for air-gapped teams and for tests. What it knows lies in plain
//! files of one folder ([`folder`]): one JSON file per thread (a pull request or an issue), replaced as a whole under
//! an exclusive lock, so that a server and a command line may work on it at once. Git is the truth for everything git
//! knows: the head of an open pull request is the tip of its branch at the remote *now*, a branch that is gone closes
//! it, and a merge counts as done when the base branch holds the merge commit, whatever the files say.
//!
//! # A merge and a crash
//!
//! The merge commit's id is written to the thread file before it is pushed ([`merge`]). A process that dies between
//! the push and the note of it leaves an intent behind; whoever looks next asks git whether the base contains that
//! commit, and notes the merge. An intent that never reached the base means nothing. Two processes that merge at once
//! leave two intents; the push is a compare-and-swap of the base, so at most one of them is ever contained.
//!
//! # Accepted
//!
//! A push to the head branch between the last look at it and the push of the merge does not stop the merge: exactly
//! the commit that was asked for is merged, which is the promise.

mod actor;
mod authors;
mod checks;
mod comments;
mod folder;
mod merge;
mod open;
mod people;
mod pull;
mod relation;
mod review;
mod thread;
mod touched;
mod trait_impl;
pub mod pages;

pub use actor::{Actor, Identified};
pub use people::{AppEntry, People, PeopleError, PeopleFile, PersonEntry, token_hash};
pub use thread::{BODY_BYTES_MAX, TITLE_BYTES_MAX};

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use self::folder::Folder;
use self::relation::Relations;
use super::{Clock, CommentId, ForgeError, Number, Person, PersonId};
use crate::repository::{CommitId, Mirror, RepositoryError};
use crate::witness::Witness;

/// The id of lockkeeper itself here; no person or app may have it.
pub const BOT_ID: PersonId = 1;
/// The name of lockkeeper itself here, and of its check.
pub const BOT_NAME: &str = "lockkeeper";
/// The id under which the forge itself acts, as when a branch is gone; no person or app may have it.
pub const FORGE_ID: PersonId = 0;
/// The name under which the forge itself acts.
pub const FORGE_NAME: &str = "forge";

/// Who is told of what happened.
pub type Listener = Arc<dyn Fn(Activity) + Send + Sync>;

/// What happened, told after it is durable. Comments and checks of lockkeeper itself are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// A comment was written.
    Comment(CommentId, Number),
    /// A pull request was reviewed.
    Review(Number),
    /// A pull request was closed without a merge.
    Closed(Number),
    /// A pull request was merged.
    Merged(Number),
    /// A check was reported on a commit.
    Checked(CommitId),
    /// A pull request was opened.
    Opened(Number),
}

/// The embedded forge of one repository.
pub struct LocalForge {
    folder: Folder,
    mirror: Mirror,
    people: People,
    base_url: String,
    clock: Clock,
    listener: Option<Listener>,
    required_check: Option<String>,
    sources: BTreeMap<String, PathBuf>,
    source_mirrors: tokio::sync::Mutex<BTreeMap<String, Mirror>>,
    relations: Mutex<Relations>,
}

impl LocalForge {
    /// Opens the forge that keeps its files in `folder` (made if missing) over the repository of `mirror`.
    ///
    /// `base_url` is where people reach its pages, without a slash at the end:
    /// `https://lockkeeper.example/forge/environments`.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if `base_url` is no `http` or `https` address, [`ForgeError::Unavailable`] if the folder
    /// cannot be made.
    pub async fn open(
        folder: &Path,
        mirror: Mirror,
        people: People,
        base_url: String,
        clock: Clock,
    ) -> Result<Self, ForgeError> {
        let is_web = ["http://", "https://"].iter().any(|scheme| base_url.starts_with(scheme));
        if !is_web || base_url.contains(char::is_whitespace) {
            let reason = "the address of its pages must begin with http:// or https://".to_owned();
            return Err(ForgeError::Refused { what: "base_url".to_owned(), reason });
        }
        let folder = Folder::open(folder.to_owned()).await?;
        Ok(Self {
            folder,
            mirror,
            people,
            base_url: base_url.trim_end_matches('/').to_owned(),
            clock,
            listener: None,
            required_check: Some(BOT_NAME.to_owned()),
            sources: BTreeMap::new(),
            source_mirrors: tokio::sync::Mutex::default(),
            relations: Mutex::default(),
        })
    }

    /// Tells `witness` of every write.
    #[must_use]
    pub fn witnessed(mut self, witness: Arc<dyn Witness>) -> Self {
        self.folder = self.folder.witnessed(witness);
        self
    }

    /// Tells `listener` of what happens.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Sets which check of lockkeeper must have passed on a head before it is merged; none: no check is asked for.
    #[must_use]
    pub fn with_required_check(mut self, name: Option<String>) -> Self {
        self.required_check = name;
        self
    }

    /// Sets where the source repositories are whose commits' authors may be asked for: by their address.
    #[must_use]
    pub fn with_sources(mut self, sources: BTreeMap<String, PathBuf>) -> Self {
        self.sources = sources;
        self
    }

    /// The people and apps.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The address of the pages, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Lockkeeper itself, as the author of its pull requests and comments.
    #[must_use]
    pub fn bot() -> Person {
        Person { id: BOT_ID, name: BOT_NAME.to_owned(), bot: true }
    }

    fn itself() -> Person {
        Person { id: FORGE_ID, name: FORGE_NAME.to_owned(), bot: true }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn tell(&self, activity: Activity) {
        if let Some(listener) = &self.listener {
            listener(activity);
        }
    }
}

impl fmt::Debug for LocalForge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("LocalForge");
        debug.field("folder", &self.folder).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What a failure of git means to those who asked the forge.
fn of_git(error: RepositoryError) -> ForgeError {
    match error {
        RepositoryError::Unavailable { reason } => ForgeError::Unavailable { reason, retry_after: None },
        RepositoryError::Moved { name, reason } => ForgeError::Moved { what: name, reason },
        RepositoryError::Refused { name, reason } => ForgeError::Refused { what: name, reason },
        RepositoryError::Denied { reason } => {
            ForgeError::Refused { what: "access to git".to_owned(), reason }
        }
        RepositoryError::NotFound { what } => ForgeError::NotFound { what },
        RepositoryError::Edit { path, reason } => ForgeError::Refused { what: path, reason },
        RepositoryError::Mirror { path, reason } => ForgeError::Unavailable {
            reason: format!("mirror {}: {reason}", path.display()),
            retry_after: None,
        },
    }
}
