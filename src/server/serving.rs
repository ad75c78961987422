//! One server a store: a lock on a file beside the store says that a server works on it.
//!
//! The lock ends with the process, however it ends. It does not guard the store (leases do); it keeps a second server
//! from ending the leases of the first, and tells the command line that somebody takes up what it stores.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Attempts to get the lock: the command line holds it for a moment when it asks whether it is taken.
const ATTEMPTS_MAX: usize = 10;
/// Between two attempts; ten of them are a quarter of a second.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(25);

/// The right to serve from a store, until dropped.
#[derive(Debug)]
pub struct Serving {
    _lock: File,
}

impl Serving {
    /// Takes the right to serve from the store at this path; none while another server has it.
    ///
    /// # Errors
    /// If the lock file beside the store cannot be made or locked.
    pub async fn begin(store: &Path) -> io::Result<Option<Self>> {
        let file = open(store)?;
        for _ in 0..ATTEMPTS_MAX {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _lock: file })),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(ATTEMPT_INTERVAL).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Whether a server works on the store at this path.
///
/// # Errors
/// If the lock file beside the store cannot be opened or asked.
pub fn is_serving(store: &Path) -> io::Result<bool> {
    match open(store)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(store: &Path) -> io::Result<File> {
    let mut name = store.as_os_str().to_owned();
    name.push(".serving");
    File::options().create(true).truncate(false).read(true).write(true).open(PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_server_at_a_time_and_everybody_can_see_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        assert!(!is_serving(&store).unwrap());
        let first = Serving::begin(&store).await.unwrap();
        assert!(first.is_some() && is_serving(&store).unwrap());
        assert!(Serving::begin(&store).await.unwrap().is_none());
        drop(first);
        assert!(!is_serving(&store).unwrap());
        assert!(Serving::begin(&store).await.unwrap().is_some());
    }
}
