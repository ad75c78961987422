//! The mirror's folder on disk.
//!
//! `mirror.git` is the bare repository; `next.git` is the one that will replace it, fetched wholly before it
//! does; `incoming.pack` is a pack on its way in; `lock` is held by whoever fetches or replaces. Reading and
//! writing of objects need no lock: objects never change, and libgit2 writes each under another name first.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use git2::{Repository, RepositoryInitOptions};

use super::error::{Fault, unavailable};
use super::tree::HASH_BYTES;
use super::{Location, RepositoryError, objects};

/// Packs of a mirror: each fetch adds one, and lookups try pack after pack. At 10,000 files in one folder a pack
/// has up to 235 kB, so these are 8 MB.
const PACKS_MAX: usize = 32;
/// Loose objects of a mirror: a commit adds about five, of under 1 kB to some 400 kB.
const LOOSE_MAX: usize = 2_000;
/// Objects lie evenly in 256 folders; one of them is counted, as git does.
const LOOSE_FOLDER: &str = "17";
const LOOSE_FOLDERS: usize = 256;
/// Between two tries to take the lock.
const LOCK_POLL_MILLIS: RangeInclusive<u64> = 10..=30;
/// A ref is locked for the time of one write; a lock older than this was left behind. Were it not, two would note
/// what they saw at the remote, and either is right.
const REF_LOCK_AGE_MAX: Duration = Duration::from_secs(2);
/// The setting in the mirror that says what it mirrors.
const LOCATION_KEY: &str = "lockkeeper.location";

/// The folder of one mirror.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

/// Held while the mirror is fetched into or replaced, also against other processes; the system frees it when we
/// end.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    /// Creates it where it is missing.
    pub(super) fn create(root: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(root)?;
        Ok(Self { root: root.canonicalize()? })
    }

    pub(super) fn mirror(&self) -> PathBuf {
        self.root.join("mirror.git")
    }

    pub(super) fn next(&self) -> PathBuf {
        self.root.join("next.git")
    }

    /// Makes room for a pack on its way in.
    pub(super) fn clear_incoming(&self) -> Result<(), Fault> {
        remove(&self.incoming())
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join("incoming.pack")
    }

    /// Takes the lock, waiting for other processes at most `wait`.
    pub(super) async fn lock(&self, wait: Duration) -> Result<Lock, RepositoryError> {
        let path = self.root.join("lock");
        let failed =
            |error: std::io::Error| RepositoryError::Mirror { path: path.clone(), reason: error.to_string() };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= wait => {
                    return Err(unavailable(format!(
                        "another process fetches into the mirror for over {wait:?}"
                    )));
                }
                Err(TryLockError::WouldBlock) => {
                    let wait = rand::random_range(LOCK_POLL_MILLIS);
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    }

    /// A cheap look at the mirror: it is of this location, its packs are whole, its refs name trees that are
    /// there.
    pub(super) fn check(&self, location: &Location) -> Result<(), Fault> {
        let path = self.mirror();
        let repository = open(&path)?;
        let found = repository.config()?.get_string(LOCATION_KEY)?;
        if found != location.to_string() {
            return Err(Fault::Damaged("it mirrors another location".to_owned()));
        }
        for entry in fs::read_dir(path.join("objects/pack"))? {
            check_pack(&entry?.path())?;
        }
        objects::check_refs(&repository)?;
        for reference in repository.references()? {
            let Ok(commit) = reference?.peel_to_commit() else { continue };
            commit.tree()?;
        }
        Ok(())
    }

    /// An empty repository at `next.git`.
    pub(super) fn begin_next(&self, location: &Location) -> Result<(), Fault> {
        remove(&self.next())?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false);
        let repository = Repository::init_opts(self.next(), &options)?;
        repository.config()?.set_str(LOCATION_KEY, &location.to_string())?;
        Ok(())
    }

    /// Puts `next.git` into the place of the mirror. Stopped in between, the next start finds no mirror and
    /// fetches anew.
    pub(super) fn swap(&self) -> Result<(), Fault> {
        let old = self.root.join("old.git");
        remove(&old)?;
        match fs::rename(self.mirror(), &old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        fs::rename(self.next(), self.mirror())?;
        remove(&old)
    }

    /// The mirror has so many packs or loose objects that they should be gathered.
    pub(super) fn is_crowded(&self) -> bool {
        let count = |folder: &str| {
            fs::read_dir(self.mirror().join("objects").join(folder)).map_or(0, Iterator::count)
        };
        // Each pack has an index beside it.
        count("pack") / 2 > PACKS_MAX || count(LOOSE_FOLDER) * LOOSE_FOLDERS > LOOSE_MAX
    }
}

/// Opens the mirror; one that is not there is damaged.
pub(super) fn open(path: &Path) -> Result<Repository, Fault> {
    if !path.is_dir() {
        return Err(Fault::Damaged("there is no mirror yet".to_owned()));
    }
    Ok(Repository::open_bare(path)?)
}

/// Removes a folder, or what lies in its place.
fn remove(path: &Path) -> Result<(), Fault> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the locks of refs that a process left behind when it was ended.
pub(super) fn break_locks(mirror: &Path) -> Result<(), Fault> {
    let mut folders = vec![mirror.join("refs")];
    let mut locks = vec![mirror.join("packed-refs.lock")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") {
                locks.push(path);
            }
        }
    }
    for lock in locks {
        let age =
            fs::metadata(&lock).and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > REF_LOCK_AGE_MAX) {
            tracing::warn!(lock = %lock.display(), "lock of a process that ended is broken");
            remove(&lock)?;
        }
    }
    Ok(())
}

/// The index of a pack repeats the pack's checksum, its last 20 bytes: so a pack that was cut is found without
/// reading it.
///
/// Source: git documentation, gitformat-pack ("Version 2 pack-*.idx files").
fn check_pack(index: &Path) -> Result<(), Fault> {
    if index.extension().is_none_or(|extension| extension != "idx") {
        return Ok(());
    }
    let wanted = tail(index, 2 * HASH_BYTES)?;
    let found = tail(&index.with_extension("pack"), HASH_BYTES)?;
    if wanted.is_some() && wanted.as_deref().and_then(|bytes| bytes.get(..HASH_BYTES)) == found.as_deref() {
        return Ok(());
    }
    Err(Fault::Damaged(format!("pack of {} is cut or missing", index.display())))
}

fn tail(path: &Path, bytes: usize) -> Result<Option<Vec<u8>>, Fault> {
    let mut tail = vec![0; bytes];
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.metadata()?.len() < bytes as u64 {
        return Ok(None);
    }
    file.seek(SeekFrom::End(-i64::try_from(bytes).unwrap_or(i64::MAX)))?;
    file.read_exact(&mut tail)?;
    Ok(Some(tail))
}
