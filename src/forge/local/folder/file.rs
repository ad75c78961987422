//! One file: read within bounds, replaced as a whole.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::forge::{ForgeError, Number};

/// Runs `work` on a thread that may block.
pub(in crate::forge::local) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ForgeError> + Send + 'static,
) -> Result<T, ForgeError> {
    let stopped =
        |_| ForgeError::Unavailable { reason: "the work was stopped".to_owned(), retry_after: None };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(stopped(error)))
}

/// What a failure of the disk means.
pub(super) fn failed(path: &Path, error: &std::io::Error) -> ForgeError {
    ForgeError::Unavailable { reason: format!("{}: {error}", path.display()), retry_after: None }
}

/// The value in a JSON file; none if there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> Result<Option<T>, ForgeError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(damaged(path, &format!("more than {bytes_max} bytes")));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error.to_string()))
}

/// Puts the value in the place of the file. Only the holder of the lock calls this, so one temporary name is enough.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T, bytes_max: u64) -> Result<(), ForgeError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| damaged(path, &error.to_string()))?;
    if bytes.len() as u64 > bytes_max {
        let reason = format!("{} bytes, at most {bytes_max} are kept: it is full", bytes.len());
        return Err(ForgeError::Refused { what: path.display().to_string(), reason });
    }
    let temporary = path.with_extension("new");
    replace(path, &temporary, &bytes).map_err(|error| failed(path, &error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), ForgeError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| failed(path, &error))
}

/// The file names of a folder that are numbers, sorted.
pub(super) fn numbers(path: &Path) -> Result<BTreeSet<Number>, ForgeError> {
    let mut numbers = BTreeSet::new();
    for entry in std::fs::read_dir(path).map_err(|error| failed(path, &error))? {
        let name = entry.map_err(|error| failed(path, &error))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<Number>().ok()));
    }
    Ok(numbers)
}

fn damaged(path: &Path, reason: &str) -> ForgeError {
    ForgeError::Refused {
        what: format!("file {}", path.display()),
        reason: format!("it is damaged: {reason}"),
    }
}
