//! A clone that a person works in: what it holds is read, and a branch is made, without a remote and without touching
//! what is checked out.

use std::path::{Path, PathBuf};

use git2::Repository;
use jiff::Timestamp;

use super::database::Database;
use super::error::{Fault, no_edit};
use super::{Commit, CommitId, Edit, RepositoryError, Signature, edit, history, name, objects};

/// What the remote of a clone calls its main branch, as the clone knows it.
const REMOTE_HEAD: &str = "origin/HEAD";

/// A clone on this machine, bare or not.
pub struct LocalClone {
    database: Database,
    folder: PathBuf,
}

impl std::fmt::Debug for LocalClone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalClone").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl LocalClone {
    /// The clone that `folder` lies in; none where it lies in none.
    ///
    /// # Errors
    /// [`RepositoryError::Mirror`] where libgit2 cannot read it.
    pub fn around(folder: &Path) -> Result<Option<Self>, RepositoryError> {
        let folder = folder.to_owned();
        match Repository::discover(&folder) {
            Ok(repository) => Ok(Some(Self { database: Database::new(repository), folder })),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(Fault::from(error).into_error(&folder)),
        }
    }

    /// The revision of the main branch, as the remote had it when it was fetched last; none where the clone does not know
    /// that: what is checked out may be anything.
    #[must_use]
    pub fn base(&self) -> Option<&'static str> {
        self.database.revparse_single(REMOTE_HEAD).is_ok().then_some(REMOTE_HEAD)
    }

    /// Whether its history is cut off somewhere.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.database.is_shallow()
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where it names none.
    pub fn revision(&self, revision: &str) -> Result<CommitId, RepositoryError> {
        let (named, steps) = name::revision(revision)?;
        self.said(history::commit_of(&self.database, &format!("{named}{steps}"), revision))
    }

    /// The commits of the first-parent history from `tip` back, newest first, at most `limit`; fewer in a shallow clone.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub fn first_parents(&self, tip: CommitId, limit: usize) -> Result<Vec<Commit>, RepositoryError> {
        self.said(history::first_parents(&self.database, tip, limit))
    }

    /// The bytes of a regular file, at most 16 MiB; none where there is none.
    ///
    /// # Errors
    /// [`RepositoryError::Edit`] where there is something else than a file.
    pub fn read(&self, commit: CommitId, path: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        self.said(objects::read(&self.database, commit, path))
    }

    /// Who git says works here, and now as the time.
    ///
    /// # Errors
    /// [`RepositoryError::Edit`] where `user.name` or `user.email` is not set.
    pub fn author(&self) -> Result<Signature, RepositoryError> {
        let missing = || no_edit("author", "git does not know you: set user.name and user.email");
        let found = self.database.signature().map_err(|_| missing())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Signature {
            name: text(found.name_bytes()),
            email: text(found.email_bytes()),
            at: Timestamp::from_second(found.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }

    /// A commit with these edits on top of `parent`; no branch names it yet.
    ///
    /// # Errors
    /// [`RepositoryError::Edit`] where an edit does not fit `parent`.
    pub fn commit(
        &self,
        parent: CommitId,
        edits: &[Edit],
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, RepositoryError> {
        self.said(edit::commit(&self.database, Some(parent), edits, message, author))
    }

    /// Lets a new branch name a commit.
    ///
    /// # Errors
    /// [`RepositoryError::Refused`] where there is a branch of that name.
    pub fn branch(&self, branch: &str, commit: CommitId) -> Result<(), RepositoryError> {
        let full = name::branch(branch)?;
        if self.database.find_reference(&full).is_ok() {
            let reason = "there is such a branch already".to_owned();
            return Err(RepositoryError::Refused { name: branch.to_owned(), reason });
        }
        let make = || {
            self.database.reference(&full, commit.oid()?, false, "lockkeeper: offline rollback")?;
            Ok(())
        };
        self.said(make())
    }

    fn said<T>(&self, outcome: Result<T, Fault>) -> Result<T, RepositoryError> {
        outcome.map_err(|fault| fault.into_error(&self.folder))
    }
}
