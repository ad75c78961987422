//! Why git did not do what was asked, and how libgit2's errors become that.

use std::path::{Path, PathBuf};

/// Why git did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepositoryError {
    /// Wait, then ask again.
    #[error("git host does not answer: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// A ref at the remote is not the expected value, a lost race: fetch and plan anew.
    #[error("ref {name} moved at the remote: {reason}")]
    Moved {
        /// The ref.
        name: String,
        /// What the remote said or what was found.
        reason: String,
    },
    /// A hook or protection refuses; the text is for a person.
    #[error("git host refuses {name}: {reason}")]
    Refused {
        /// The ref.
        name: String,
        /// The report and the side-band text.
        reason: String,
    },
    /// The credentials are missing or wrong.
    #[error("git host denies access: {reason}")]
    Denied {
        /// What it said.
        reason: String,
    },
    /// There is no such commit, branch or file.
    #[error("{what} is not in the repository")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// An edit does not fit its parent: other bytes there, a symlink, a folder, a bad path.
    #[error("cannot edit {path}: {reason}")]
    Edit {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// The mirror on disk is damaged or cannot be written; it is rebuilt at the next start.
    #[error("mirror {path}: {reason}")]
    Mirror {
        /// The folder.
        path: PathBuf,
        /// What libgit2 or the system said.
        reason: String,
    },
}

/// What a job in the object database ends with. Only damage makes the mirror anew.
#[derive(Debug)]
pub(super) enum Fault {
    /// The answer to the caller.
    Answer(RepositoryError),
    /// The disk is full, a file is not ours: fetching anew would not help.
    System(String),
    /// An object that must be there is missing or cannot be read.
    Damaged(String),
}

impl Fault {
    pub(super) fn into_error(self, path: &Path) -> RepositoryError {
        match self {
            Self::Answer(error) => error,
            Self::System(reason) | Self::Damaged(reason) => {
                RepositoryError::Mirror { path: path.to_owned(), reason }
            }
        }
    }
}

impl From<RepositoryError> for Fault {
    fn from(error: RepositoryError) -> Self {
        Self::Answer(error)
    }
}

impl From<git2::Error> for Fault {
    fn from(error: git2::Error) -> Self {
        let reason = super::text::line(error.message().as_bytes());
        // A file that is gone is damage, a disk that is full is not.
        let system = error.class() == git2::ErrorClass::Os && error.code() != git2::ErrorCode::NotFound;
        let kept = [git2::ErrorCode::Locked, git2::ErrorCode::Owner].contains(&error.code());
        if system || kept { Self::System(reason) } else { Self::Damaged(reason) }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::System(error.to_string())
    }
}

/// The git host says something that its protocol does not know; the text is ours, never theirs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("answer does not follow git's protocol: {0}")]
pub struct ProtocolError(pub(super) &'static str);

impl From<ProtocolError> for RepositoryError {
    fn from(error: ProtocolError) -> Self {
        unavailable(error.to_string())
    }
}

pub(super) fn unavailable(reason: impl Into<String>) -> RepositoryError {
    RepositoryError::Unavailable { reason: reason.into() }
}

pub(super) fn not_found(what: impl Into<String>) -> RepositoryError {
    RepositoryError::NotFound { what: what.into() }
}

pub(super) fn no_edit(path: &str, reason: impl Into<String>) -> RepositoryError {
    RepositoryError::Edit { path: super::text::line(path.as_bytes()), reason: reason.into() }
}
