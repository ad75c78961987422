//! The part of the contract that needs no remote: reading and making of commits in the mirror.

use std::collections::BTreeSet;

use super::error::Fault;
use super::merge::Parents;
use super::{
    Change, Commit, CommitId, Edit, Merge, Mirror, RepositoryError, Signature, edit, history, merge, objects,
};

/// What a file is known by in git, whatever its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(git2::Oid);

impl Mirror {
    /// The bytes of a regular file, at most 16 MiB; none where there is none. A symlink or folder is an error.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit, [`RepositoryError::Edit`] where there is
    /// something else than a file.
    pub async fn read(&self, commit: CommitId, path: &str) -> Result<Option<Vec<u8>>, RepositoryError> {
        let path = path.to_owned();
        self.run(move |repository| objects::read(repository, commit, &path)).await
    }

    /// The id of a regular file: equal ids are equal bytes. None where there is none.
    ///
    /// # Errors
    /// As [`Mirror::read`].
    pub async fn file_id(&self, commit: CommitId, path: &str) -> Result<Option<FileId>, RepositoryError> {
        let path = path.to_owned();
        self.run(move |repository| Ok(objects::file_id(repository, commit, &path)?.map(FileId))).await
    }

    /// The paths of all regular files under a folder (`""` for all), with their sizes in bytes, sorted. The
    /// path of a file gives that file; nothing there gives none.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub async fn files(&self, commit: CommitId, under: &str) -> Result<Vec<(String, u64)>, RepositoryError> {
        let under = under.to_owned();
        self.run(move |repository| {
            let tree = objects::commit(repository, commit)?.tree_id();
            let database = repository.odb()?;
            let size = |(path, id)| Ok((path, database.read_header(id)?.0 as u64));
            objects::files(repository, tree, &under)?.into_iter().map(size).collect::<Result<_, Fault>>()
        })
        .await
    }

    /// A commit with these edits on top of `parent`, in the object database only. No edits: an empty commit is
    /// refused.
    ///
    /// # Errors
    /// [`RepositoryError::Edit`] where an edit does not fit `parent`, [`RepositoryError::NotFound`] where there
    /// is no such commit.
    pub async fn commit(
        &self,
        parent: CommitId,
        edits: Vec<Edit>,
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, RepositoryError> {
        let (message, author) = (message.to_owned(), author.clone());
        self.made_one();
        self.run(move |repository| edit::commit(repository, Some(parent), &edits, &message, &author)).await
    }

    /// The merge of `head` into `base` as one commit (two parents, or one where `squash`), in the object
    /// database only. Where `base` holds all of `head` already, `base` itself.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where a commit, or a common ancestor, is missing.
    pub async fn merge(
        &self,
        base: CommitId,
        head: CommitId,
        squash: bool,
        message: &str,
        author: &Signature,
    ) -> Result<Merge, RepositoryError> {
        let (message, author) = (message.to_owned(), author.clone());
        let parents = if squash { Parents::One } else { Parents::Two };
        self.made_one();
        self.run(move |repository| merge::merge(repository, base, head, parents, &message, &author)).await
    }

    /// The paths that differ between two commits, the first `limit` of them; their contents are not read.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit, [`RepositoryError::Edit`] where the folders that
    /// differ are too many or too deep.
    pub async fn changed_paths(
        &self,
        from: CommitId,
        to: CommitId,
        limit: usize,
    ) -> Result<Vec<String>, RepositoryError> {
        self.run(move |repository| history::changed_paths(repository, from, to, limit)).await
    }

    /// The files that differ between two commits, the first `limit` of them. A caller that wants to know
    /// whether there are more asks for one more. A file that became a symlink is two changes; a change of the
    /// mode alone has equal bytes.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit, [`RepositoryError::Edit`] where a file has
    /// more than 16 MiB.
    pub async fn changes(
        &self,
        from: CommitId,
        to: CommitId,
        limit: usize,
    ) -> Result<Vec<Change>, RepositoryError> {
        self.run(move |repository| history::changes(repository, from, to, limit)).await
    }

    /// The best common ancestor.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub async fn merge_base(
        &self,
        one: CommitId,
        other: CommitId,
    ) -> Result<Option<CommitId>, RepositoryError> {
        self.run(move |repository| history::merge_base(repository, one, other)).await
    }

    /// Whether `old` is `new`, or one of its ancestors.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub async fn is_ancestor(&self, old: CommitId, new: CommitId) -> Result<bool, RepositoryError> {
        self.run(move |repository| history::is_ancestor(repository, old, new)).await
    }

    /// The commits of the first-parent history from `tip` back, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub async fn first_parents(&self, tip: CommitId, limit: usize) -> Result<Vec<Commit>, RepositoryError> {
        self.run(move |repository| history::first_parents(repository, tip, limit)).await
    }

    /// The commits reachable from `to` and not from `from`, newest first, at most `limit`. Revisions as
    /// [`Mirror::revision`].
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where a revision names no commit.
    pub async fn between(&self, from: &str, to: &str, limit: usize) -> Result<Vec<Commit>, RepositoryError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.run(move |repository| history::between(repository, &from, &to, limit)).await
    }

    /// Of these commits, those that touched each of the paths, files or folders: what is there differs from all parents.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where there is no such commit.
    pub async fn touching(
        &self,
        commits: Vec<CommitId>,
        paths: Vec<String>,
    ) -> Result<Vec<BTreeSet<CommitId>>, RepositoryError> {
        self.run(move |repository| history::touching(repository, &commits, &paths)).await
    }

    /// The commit that a revision (branch, tag, `HEAD`, id or at least 7 digits of it; then `~n`, `^n`) names
    /// in the mirror, as it was fetched last.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] where it names none.
    pub async fn revision(&self, revision: &str) -> Result<CommitId, RepositoryError> {
        let revision = revision.to_owned();
        self.run(move |repository| history::revision(repository, &revision)).await
    }
}
