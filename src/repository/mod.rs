//! The environment repository: a persistent bare mirror, commits made in its object database, pushes of just
//! the new objects.
//!
//! Every method that changes a remote ref carries the value it expects there. Reads are of commits, never of a
//! checkout. libgit2 blocks, and its handle is not `Sync`: each [`Mirror`] owns one blocking worker.
//!
//! The protocol is our own (`transport`, `fetch`, `send`), the same over smart HTTP, `ssh` and a local program:
//! libgit2 brings another TLS stack, its push walks the whole repository and cannot say "only if the ref is
//! still there". libgit2 keeps the objects: indexing, reading, trees, merges.
//!
//! Two processes may open the same mirror. Objects are only ever added; fetching and replacing hold a lock file
//! (`folder`); a handle that finds damage is opened anew before the mirror is rebuilt.

mod commit_id;
mod credentials;
mod error;
mod location;
mod options;
mod name;
mod text;
// The protocol.
pub mod pktline;
pub mod advertisement;
pub mod report;
mod transport;
mod http;
mod program;
mod fetch;
mod send;
// The objects.
mod tree;
mod database;
mod delta;
mod pack;
mod pack_index;
mod outgoing;
mod incoming;
mod objects;
mod edit;
mod merge;
mod difference;
mod history;
mod trailers;
mod local;
mod checkout;
mod clone;
mod ignored;
// The mirror.
mod folder;
mod worker;
mod noted;
mod gather;
mod tips;
mod mirror;
mod tidy;
mod reads;

use jiff::Timestamp;

pub use crate::commit::{CommitId, CommitIdError};
pub use checkout::{Checkout, checkout};
pub use clone::LocalClone;
pub use credentials::{Credentials, TokenSource};
pub use error::{ProtocolError, RepositoryError};
pub use ignored::Ignored;
pub use local::{create_bare, read_tree};
pub use location::{Location, LocationError};
pub use mirror::Mirror;
pub use options::Options;
pub use reads::FileId;
pub use trailers::{co_authors, trailers};

/// The new contents of one file, or its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The path from the root, `/` between parts.
    pub path: String,
    /// The bytes it must have in the parent commit; none: it must not exist there.
    pub before: Option<Vec<u8>>,
    /// The bytes it gets.
    pub after: Vec<u8>,
}

/// Who a commit says wrote it, and when: part of its id, so the same input gives the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The time, whole seconds count, in UTC.
    pub at: Timestamp,
}

/// One line of a push: the ref, what it must be at the remote now, what it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The full name, `refs/heads/…`.
    pub name: String,
    /// The value expected at the remote; none: the ref must not exist.
    pub old: Option<CommitId>,
    /// The value it gets; none: it is deleted.
    pub new: Option<CommitId>,
}

/// A commit as `git log` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The id.
    pub id: CommitId,
    /// Its parents, the first is the branch it was merged into.
    pub parents: Vec<CommitId>,
    /// The author's name.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// The committer's time.
    pub at: Timestamp,
    /// The whole message; bytes that are no UTF-8 are replaced.
    pub message: String,
}

/// One file that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path.
    pub path: String,
    /// The bytes before; none: it did not exist.
    pub before: Option<Vec<u8>>,
    /// The bytes after; none: it is gone.
    pub after: Option<Vec<u8>>,
}

/// What a three-way merge in memory gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// The new commit, in the object database only: push it.
    Clean(CommitId),
    /// The paths in conflict.
    Conflict(Vec<String>),
}
