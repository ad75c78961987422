//! The index of comments: a line of 20 digits and a newline per id, so that the id is the place in the file.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::file::failed;
use crate::forge::{CommentId, ForgeError, Number};

/// The bytes of a line: the 20 digits of the greatest `u64`, and a newline.
const LINE_BYTES: u64 = 21;

/// Appends a line; its place is the new id. A line that a crash cut short is written over.
pub(super) fn append(path: &Path, thread: Number) -> Result<CommentId, ForgeError> {
    let write = || {
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        let lines = file.metadata()?.len() / LINE_BYTES;
        file.seek(SeekFrom::Start(lines * LINE_BYTES))?;
        file.write_all(format!("{thread:020}\n").as_bytes())?;
        file.sync_all()?;
        Ok(lines + 1)
    };
    write().map_err(|error| failed(path, &error))
}

/// The threads of up to `limit` ids above `after`, in order.
pub(super) fn read(path: &Path, after: CommentId, limit: usize) -> Result<Vec<Number>, ForgeError> {
    let bytes = match bytes(path, after, limit) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|error| failed(path, &error))?,
    };
    let line = |line: &[u8]| std::str::from_utf8(line).ok()?.strip_suffix('\n')?.parse().ok();
    let lines = bytes.chunks_exact(usize::try_from(LINE_BYTES).unwrap_or(usize::MAX));
    // Thread 0 does not exist: a line that is no number stands for an id without a comment.
    Ok(lines.map(|bytes| line(bytes).unwrap_or(0)).collect())
}

fn bytes(path: &Path, after: CommentId, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(after.saturating_mul(LINE_BYTES).min(file.metadata()?.len())))?;
    let mut bytes = Vec::new();
    file.take((limit as u64).saturating_mul(LINE_BYTES)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
