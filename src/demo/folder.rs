//! The folder in which everything of the demo stands.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::DemoError;

/// A folder for this user alone; a temporary one is removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kept,
    Temporary,
}

impl Folder {
    /// An empty folder at `path`, made where there is none; none: a temporary one.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, DemoError> {
        if let Some(path) = path {
            let path = empty(path).map_err(|source| failed(path, source))?;
            return Ok(Self { path, kind: Kind::Kept });
        }
        let id = hex::encode(rand::random::<[u8; 6]>());
        let path = std::env::temp_dir().join(format!("lockkeeper-demo-{id}"));
        DirBuilder::new().mode(0o700).create(&path).map_err(|source| failed(&path, source))?;
        Ok(Self { path, kind: Kind::Temporary })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kind == Kind::Kept
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a new file that only this user can read, for there may be a secret in it.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<PathBuf, DemoError> {
        let path = self.join(name);
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| file.write_all(content.as_bytes()));
        written.map_err(|source| failed(&path, source))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kind == Kind::Temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "the demo's folder stays");
        }
    }
}

/// The whole path of a folder without anything in it: what is there may be somebody's work.
fn empty(path: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if fs::read_dir(path)?.next().is_some() {
        return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "it is not empty"));
    }
    fs::canonicalize(path)
}

fn failed(path: &Path, source: io::Error) -> DemoError {
    DemoError::Folder { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_and_a_named_one_stays() {
        let temporary = Folder::create(None).unwrap();
        let path = temporary.path().to_owned();
        temporary.write("file", "text").unwrap();
        assert!(path.join("file").is_file() && !temporary.is_kept());
        drop(temporary);
        assert!(!path.exists());

        let outside = tempfile::tempdir().unwrap();
        let named = outside.path().join("some/demo");
        let kept = Folder::create(Some(&named)).unwrap();
        assert!(kept.is_kept() && kept.path().is_absolute());
        kept.write("file", "text").unwrap();
        drop(kept);
        assert!(named.join("file").is_file());
        let error = Folder::create(Some(&named)).unwrap_err().to_string();
        assert!(error.ends_with("it is not empty"), "{error}");
    }
}
