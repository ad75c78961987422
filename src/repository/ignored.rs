//! What git leaves out of a checkout: `.gitignore` and its kin.

use std::fmt;
use std::path::{Path, PathBuf};

use git2::Repository;

/// The rules of the repository around a folder.
pub struct Ignored {
    repository: Repository,
    /// The root of the checkout, without symbolic links.
    root: PathBuf,
}

impl Ignored {
    /// The rules of the repository that this folder is in; none outside of one, or where git does not trust it.
    #[must_use]
    pub fn around(folder: &Path) -> Option<Self> {
        let repository = Repository::discover(folder).ok()?;
        let root = repository.workdir()?.canonicalize().ok()?;
        Some(Self { repository, root })
    }

    /// Whether git leaves out this file or folder, a path without symbolic links. What cannot be told is not left out.
    #[must_use]
    pub fn leaves_out(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.root).ok().filter(|below| !below.as_os_str().is_empty());
        below.is_some_and(|below| self.repository.is_path_ignored(below).unwrap_or(false))
    }
}

impl fmt::Debug for Ignored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ignored").field("root", &self.root).finish_non_exhaustive()
    }
}
