//! The files of the forge, durable and safe among processes.
//!
//! ```text
//! lock               held exclusively by whoever writes
//! sequence.json      the next number of a thread
//! comments.index     one line of 21 bytes per comment or review id, from 1: the number of its thread
//! threads/<n>.json   everything about a pull request or issue
//! open/pulls/<n>     an empty file per open pull request, so that listing them reads no other thread
//! open/issues/<n>    the same for issues
//! named/<hash>       the thread that was opened last for a head branch, or for the key of an issue
//! checks/<sha>.json  the checks reported on a commit
//! ```
//!
//! A file is replaced as a whole: a temporary one is written and synced, renamed over it, and the folder synced; so a
//! reader needs no lock and sees the old or the new text, never half of one. Ids are burnt before they are used and
//! marks are set before the thread is written, so what a crash leaves behind is an id without a comment or a mark
//! without an open thread; readers pass over both.

mod file;
mod index;

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::thread::{Kind, Thread};
use crate::forge::{Check, CommentId, ForgeError, Number};
use crate::repository::CommitId;
use crate::witness::{Witness, Write, nobody};

pub(super) use file::blocking;

/// The largest thread file, in bytes: [`COMMENT_ROOM_BYTES`] of comments, and as much again for what must never be
/// refused because people talked too much (reviews, pushes, the merge).
const THREAD_BYTES_MAX: u64 = 8 << 20;
/// A thread file of more bytes takes no further comment of people: 60 comments of the greatest length, or 8,000 of a
/// few lines.
const COMMENT_ROOM_BYTES: u64 = 4 << 20;
/// The largest checks file, in bytes: [`CHECKS_MAX`] checks of a 64 KiB text and 16 kB around it.
const CHECKS_BYTES_MAX: u64 = 8 << 20;
/// The most checks on one commit.
const CHECKS_MAX: usize = 100;

/// The longest wait for the lock; a write takes some milliseconds.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two looks at a lock that somebody has.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// The marks of open threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    Pulls,
    Issues,
}

impl Marks {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Pull(_) => Self::Pulls,
            Kind::Issue { .. } => Self::Issues,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Pulls => "open/pulls",
            Self::Issues => "open/issues",
        }
    }
}

/// The folder of the forge; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    witness: Arc<dyn Witness>,
}

/// The lock on the folder: what writes asks for it. Dropping it gives the folder free.
pub(super) struct Locked<'folder> {
    folder: &'folder Folder,
    _file: File,
    has_written: Cell<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sequence {
    next_number: Number,
}

impl Folder {
    pub(super) async fn open(path: PathBuf) -> Result<Self, ForgeError> {
        blocking(move || {
            for part in ["threads", "open/pulls", "open/issues", "named", "checks"] {
                let part = path.join(part);
                std::fs::create_dir_all(&part).map_err(|error| file::failed(&part, &error))?;
            }
            file::sync_folder(&path)?;
            Ok(Self { path, witness: nobody() })
        })
        .await
    }

    /// Tells `witness` of every write.
    pub(super) fn witnessed(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness, ..self }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `read` where it may block.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, ForgeError> + Send + 'static,
    ) -> Result<T, ForgeError> {
        let folder = self.clone();
        blocking(move || read(&folder)).await
    }

    /// Runs `write` where it may block, alone among all threads and processes.
    pub(super) async fn writing<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Locked<'_>) -> Result<T, ForgeError> + Send + 'static,
    ) -> Result<T, ForgeError> {
        let folder = self.clone();
        let (written, has_written) = blocking(move || {
            let path = folder.path.join("lock");
            let file = File::create(&path).map_err(|error| file::failed(&path, &error))?;
            lock(&file, &path)?;
            let locked = Locked { folder: &folder, _file: file, has_written: Cell::new(false) };
            Ok((write(&locked), locked.has_written.get()))
        })
        .await?;
        if has_written {
            self.witness.wrote(Write::Forge).await;
        }
        written
    }

    /// The pull request or issue of this number.
    pub(super) fn thread(&self, number: Number) -> Result<Thread, ForgeError> {
        self.thread_if(number)?.ok_or_else(|| ForgeError::NotFound { what: format!("thread {number}") })
    }

    /// The same; none if there is no such thread.
    pub(super) fn thread_if(&self, number: Number) -> Result<Option<Thread>, ForgeError> {
        file::read_json(&self.thread_path(number), THREAD_BYTES_MAX)
    }

    /// The open pull request of this head branch, or the open issue with this key.
    pub(super) fn open_thread(&self, kind: &Kind) -> Result<Option<Number>, ForgeError> {
        let Some(number) = file::read_json(&self.name_path(kind), 100)? else { return Ok(None) };
        let named = name_of(kind);
        let thread = self.thread_if(number)?;
        let found = thread.filter(|thread| thread.is_open() && name_of(&thread.kind) == named);
        Ok(found.map(|thread| thread.number))
    }

    /// The open threads, by number.
    pub(super) fn open_threads(&self, marks: Marks) -> Result<Vec<Thread>, ForgeError> {
        let numbers = file::numbers(&self.path.join(marks.folder()))?;
        let mut threads = Vec::new();
        for number in numbers {
            threads.extend(self.thread_if(number)?.filter(Thread::is_open));
        }
        Ok(threads)
    }

    /// Closed and merged pull requests with a number below `before`, newest first; at most `limit`, and at most
    /// `look_max` files are looked at. The second value is where to go on, if there is more.
    pub(super) fn closed_pulls(
        &self,
        before: Number,
        limit: usize,
        look_max: u64,
    ) -> Result<(Vec<Thread>, Option<Number>), ForgeError> {
        let before = before.min(self.sequence()?.next_number);
        let mut found = Vec::new();
        for number in (1..before).rev() {
            if found.len() >= limit || before - number > look_max {
                return Ok((found, Some(number + 1)));
            }
            let is_wanted = |thread: &Thread| !thread.is_open() && matches!(thread.kind, Kind::Pull(_));
            found.extend(self.thread_if(number)?.filter(is_wanted));
        }
        Ok((found, None))
    }

    /// The thread of a comment, if there is such a comment.
    pub(super) fn thread_of(&self, comment: CommentId) -> Result<Option<Thread>, ForgeError> {
        let numbers = index::read(&self.index_path(), comment.saturating_sub(1), 1)?;
        let thread = match numbers.first() {
            Some(number) => self.thread_if(*number)?,
            None => None,
        };
        Ok(thread.filter(|thread| thread.comments.iter().any(|spoken| spoken.id == comment)))
    }

    /// The thread numbers of up to `limit` ids above `after`, in order of the ids.
    pub(super) fn index_after(&self, after: CommentId, limit: usize) -> Result<Vec<Number>, ForgeError> {
        index::read(&self.index_path(), after, limit)
    }

    /// The checks on a commit.
    pub(super) fn checks(&self, commit: CommitId) -> Result<Vec<Check>, ForgeError> {
        let checks = file::read_json(&self.checks_path(commit), CHECKS_BYTES_MAX)?;
        Ok(checks.unwrap_or_default())
    }

    fn sequence(&self) -> Result<Sequence, ForgeError> {
        let sequence = file::read_json(&self.path.join("sequence.json"), 1_000)?;
        Ok(sequence.unwrap_or(Sequence { next_number: 1 }))
    }

    fn thread_path(&self, number: Number) -> PathBuf {
        self.path.join("threads").join(format!("{number}.json"))
    }

    fn open_path(&self, thread: &Thread) -> PathBuf {
        self.path.join(Marks::of(&thread.kind).folder()).join(thread.number.to_string())
    }

    fn name_path(&self, kind: &Kind) -> PathBuf {
        self.path.join("named").join(hex::encode(Sha256::digest(name_of(kind))))
    }

    fn checks_path(&self, commit: CommitId) -> PathBuf {
        self.path.join("checks").join(format!("{commit}.json"))
    }

    fn index_path(&self) -> PathBuf {
        self.path.join("comments.index")
    }
}

impl std::ops::Deref for Locked<'_> {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        self.folder
    }
}

impl Locked<'_> {
    /// A number for a new thread, never given again.
    pub(super) fn next_number(&self) -> Result<Number, ForgeError> {
        self.has_written.set(true);
        let number = self.sequence()?.next_number;
        let sequence = Sequence { next_number: number.saturating_add(1) };
        file::write_json(&self.path.join("sequence.json"), &sequence, u64::MAX)?;
        Ok(number)
    }

    /// An id for a new comment or review of this thread, never given again.
    pub(super) fn next_id(&self, thread: Number) -> Result<CommentId, ForgeError> {
        self.has_written.set(true);
        index::append(&self.index_path(), thread)
    }

    /// Writes a thread, and keeps its mark in `open/` in step.
    pub(super) fn put(&self, thread: &Thread) -> Result<(), ForgeError> {
        self.put_within(thread, THREAD_BYTES_MAX)
    }

    /// The same after somebody said something, for which there is less room.
    pub(super) fn put_said(&self, thread: &Thread) -> Result<(), ForgeError> {
        self.put_within(thread, COMMENT_ROOM_BYTES)
    }

    fn put_within(&self, thread: &Thread, bytes_max: u64) -> Result<(), ForgeError> {
        self.has_written.set(true);
        let mark = self.open_path(thread);
        if thread.is_open() && !mark.exists() {
            file::write_json(&self.name_path(&thread.kind), &thread.number, u64::MAX)?;
            File::create(&mark).map_err(|error| file::failed(&mark, &error))?;
            mark.parent().map_or(Ok(()), file::sync_folder)?;
        }
        file::write_json(&self.thread_path(thread.number), thread, bytes_max)?;
        if !thread.is_open() {
            remove(&mark)?;
        }
        Ok(())
    }

    /// Reports a check; the second of the same app and name takes the place of the first. Returns whether it is news.
    pub(super) fn put_check(&self, commit: CommitId, check: &Check) -> Result<bool, ForgeError> {
        let mut checks = self.checks(commit)?;
        let is_full = checks.len() >= CHECKS_MAX;
        let same = checks.iter().position(|other| other.app == check.app && other.name == check.name);
        match same.and_then(|place| checks.get_mut(place)) {
            Some(other) if other == check => return Ok(false),
            Some(other) => *other = check.clone(),
            None if is_full => {
                let reason = format!("{CHECKS_MAX} checks are reported on this commit already");
                return Err(ForgeError::Refused { what: "check".to_owned(), reason });
            }
            None => checks.push(check.clone()),
        }
        self.has_written.set(true);
        file::write_json(&self.checks_path(commit), &checks, CHECKS_BYTES_MAX)?;
        Ok(true)
    }
}

/// Waits for the turn to write, and not for ever: whoever has it may have been stopped.
fn lock(file: &File, path: &Path) -> Result<(), ForgeError> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(file::failed(path, &error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= LOCK_WAIT_MAX => {
                let reason =
                    format!("{}: another process holds it for over {LOCK_WAIT_MAX:?}", path.display());
                return Err(ForgeError::Unavailable { reason, retry_after: None });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
        }
    }
}

/// What no two open threads share.
fn name_of(kind: &Kind) -> String {
    match kind {
        Kind::Pull(pull) => format!("branch {}", pull.branch),
        Kind::Issue { key } => format!("issue {key}"),
    }
}

fn remove(path: &Path) -> Result<(), ForgeError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file::failed(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
