//! The work tree that somebody builds from: the commit it stands on, and what that commit is called.

use std::path::Path;

use git2::{Repository, Status, StatusOptions};
use jiff::Timestamp;

use super::error::{Fault, not_found};
use super::{CommitId, RepositoryError};

/// A work tree and the commit it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The commit.
    pub head: CommitId,
    /// When it was committed.
    pub committed: Timestamp,
    /// A tracked file that differs from the commit, if one does.
    pub changed: Option<String>,
    /// Whether older commits, and the tags on them, may be missing here.
    pub is_shallow: bool,
    /// The names of all tags of the repository, sorted; few or none where the clone is shallow.
    pub tags: Vec<String>,
    /// The names of those that name the commit, sorted.
    pub tags_here: Vec<String>,
    /// Where `origin` is, as git has it: perhaps with credentials in it.
    pub origin: Option<String>,
}

/// Reads the work tree that `folder` lies in; none where it lies in none.
///
/// # Errors
/// [`RepositoryError::NotFound`] where there is no commit yet, [`RepositoryError::Mirror`] where libgit2 cannot read it.
pub fn checkout(folder: &Path) -> Result<Option<Checkout>, RepositoryError> {
    let repository = match Repository::discover(folder) {
        Ok(repository) => repository,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(Fault::from(error).into_error(folder)),
    };
    read(&repository).map(Some).map_err(|fault| fault.into_error(folder))
}

fn read(repository: &Repository) -> Result<Checkout, Fault> {
    let head = repository.head().and_then(|head| head.peel_to_commit());
    let head = head.map_err(|error| {
        let is_missing = [git2::ErrorCode::UnbornBranch, git2::ErrorCode::NotFound].contains(&error.code());
        let missing = || Fault::Answer(not_found("a commit that HEAD names".to_owned()));
        if is_missing { missing() } else { Fault::from(error) }
    })?;
    let committed = Timestamp::from_second(head.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH);
    let (mut tags, mut tags_here) = (Vec::new(), Vec::new());
    for reference in repository.references_glob("refs/tags/*")? {
        let reference = reference?;
        // A name that is no text is none that an image can have.
        let Ok(name) = reference.shorthand() else { continue };
        if reference.peel_to_commit().is_ok_and(|commit| commit.id() == head.id()) {
            tags_here.push(name.to_owned());
        }
        tags.push(name.to_owned());
    }
    tags.sort_unstable();
    tags_here.sort_unstable();
    let origin = repository.find_remote("origin").ok();
    let origin = origin.and_then(|remote| remote.url().ok().map(ToOwned::to_owned));
    let head = CommitId::from(head.id());
    Ok(Checkout {
        head,
        committed,
        is_shallow: repository.is_shallow(),
        changed: changed(repository)?,
        tags,
        tags_here,
        origin,
    })
}

/// The first tracked file that differs; files that git does not know change no build by the commit's name.
fn changed(repository: &Repository) -> Result<Option<String>, Fault> {
    if repository.is_bare() {
        return Ok(None);
    }
    let mut options = StatusOptions::new();
    options.include_untracked(false).include_ignored(false).exclude_submodules(true);
    let statuses = repository.statuses(Some(&mut options))?;
    let changed = statuses.iter().find(|entry| entry.status() != Status::CURRENT);
    Ok(changed.map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned()))
}
