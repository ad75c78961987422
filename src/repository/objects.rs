//! Reading of commits, trees and files from the object database.

use git2::{ErrorCode, Oid, Repository};

use super::database::Database;
use super::error::{Fault, no_edit, not_found};
use super::name::{self, MIRROR_REFS, PATH_PARTS_MAX};
use super::tree::{self, Entry};
use super::{Commit, CommitId};

/// Bytes of one file; the largest manifest bundles seen have 5 MB.
pub(super) const FILE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Files listed at once: ten times the largest environment repository measured.
const FILES_MAX: usize = 1_000_000;

/// Bytes of one commit message that are read. Ours have a title, 64 lines of at most 1,000 bytes for images, 16
/// approvals and a reason of 1,000 characters: 80 kB.
const MESSAGE_BYTES_MAX: usize = 256 * 1_024;

/// The commit; where a ref of the mirror names one that is missing too, the mirror is damaged.
pub(super) fn commit(repository: &Repository, id: CommitId) -> Result<git2::Commit<'_>, Fault> {
    match repository.find_commit(id.oid()?) {
        Ok(commit) => Ok(commit),
        Err(error) if error.code() == ErrorCode::NotFound => {
            check_refs(repository)?;
            Err(not_found(format!("commit {id}")).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Every ref of the mirror must name an object that is there.
pub(super) fn check_refs(repository: &Repository) -> Result<(), Fault> {
    let database = repository.odb()?;
    for reference in repository.references_glob(&format!("{MIRROR_REFS}*"))? {
        if let Some(id) = reference?.target().filter(|id| !database.exists(*id)) {
            return Err(Fault::Damaged(format!("object {id} of a ref is missing")));
        }
    }
    Ok(())
}

/// The commit as `git log` shows it.
pub(super) fn shown(commit: &git2::Commit<'_>) -> Commit {
    let (author, message) = (commit.author(), commit.message_raw_bytes());
    Commit {
        id: commit.id().into(),
        parents: commit.parent_ids().map(CommitId::from).collect(),
        author_name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        author_email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        at: jiff::Timestamp::from_second(commit.time().seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        message: String::from_utf8_lossy(message.get(..MESSAGE_BYTES_MAX).unwrap_or(message)).into_owned(),
    }
}

/// The bytes of a regular file; none where there is none.
pub(super) fn read(database: &Database, id: CommitId, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    let Some(id) = file_id(database, id, path)? else { return Ok(None) };
    blob(database, id, path).map(Some)
}

/// The id of a regular file; none where nothing is.
pub(super) fn file_id(database: &Database, id: CommitId, path: &str) -> Result<Option<Oid>, Fault> {
    let parts = name::file(path)?;
    let root = commit(database, id)?.tree_id();
    match place(database, root, path, &parts)? {
        Place::Nothing => Ok(None),
        Place::File(id) => Ok(Some(id)),
        Place::Folder(_) => Err(no_edit(path, "a folder").into()),
        Place::Other(kind) => Err(no_edit(path, kind).into()),
    }
}

/// The bytes of a blob, at most 16 MiB (`FILE_BYTES_MAX`).
pub(super) fn blob(repository: &Repository, id: Oid, path: &str) -> Result<Vec<u8>, Fault> {
    let (size, _) = repository.odb()?.read_header(id)?;
    if size > FILE_BYTES_MAX {
        return Err(no_edit(path, format!("file has {size} bytes, at most {FILE_BYTES_MAX}")).into());
    }
    Ok(repository.find_blob(id)?.content().to_vec())
}

/// What is at a path.
enum Place {
    Nothing,
    File(Oid),
    Folder(Oid),
    /// A symlink or submodule.
    Other(&'static str),
}

impl Place {
    fn of(entry: Option<&Entry<'_>>) -> Self {
        match entry {
            None => Self::Nothing,
            Some(entry) if entry.is_folder() => Self::Folder(entry.id),
            Some(entry) if entry.is_regular() => Self::File(entry.id),
            Some(entry) => Self::Other(entry.shown()),
        }
    }
}

/// A file or symlink in the place of a folder is an error.
fn place(database: &Database, root: Oid, path: &str, parts: &[&str]) -> Result<Place, Fault> {
    let mut place = Place::Folder(root);
    let mut above = "";
    for part in parts {
        let folder = match place {
            Place::Folder(folder) => folder,
            Place::Nothing => return Ok(Place::Nothing),
            Place::File(_) => return Err(no_edit(path, format!("`{above}` is a file")).into()),
            Place::Other(kind) => return Err(no_edit(path, format!("`{above}` is {kind}")).into()),
        };
        place = Place::of(tree::find(&database.tree(folder)?, part.as_bytes())?.as_ref());
        above = part;
    }
    Ok(place)
}

/// The paths of all regular files under a folder, with their ids, sorted. A file's own path gives that file.
pub(super) fn files(database: &Database, root: Oid, under: &str) -> Result<Vec<(String, Oid)>, Fault> {
    let parts = name::folder(under)?;
    let path = parts.join("/");
    let mut found = Listing::default();
    match place(database, root, under, &parts)? {
        Place::Folder(folder) => list(database, folder, &path, parts.len(), &mut found)?,
        Place::File(id) => found.files.push((path, id)),
        Place::Nothing | Place::Other(_) => {}
    }
    found.files.sort();
    Ok(found.files)
}

/// What was listed so far. Folders count as well: trees that name each other many times over need not hold a file.
#[derive(Default)]
struct Listing {
    folders: usize,
    files: Vec<(String, Oid)>,
}

/// Whether a file or folder is at this path.
pub(super) fn is_there(database: &Database, root: Oid, under: &str) -> Result<bool, Fault> {
    Ok(!matches!(place(database, root, under, &name::folder(under)?)?, Place::Nothing))
}

fn list(
    database: &Database,
    folder: Oid,
    path: &str,
    depth: usize,
    found: &mut Listing,
) -> Result<(), Fault> {
    found.folders += 1;
    if depth > PATH_PARTS_MAX || found.folders.max(found.files.len()) > FILES_MAX {
        let reason = format!("more than {FILES_MAX} files or folders, or {PATH_PARTS_MAX} folders deep");
        return Err(no_edit(path, reason).into());
    }
    for entry in tree::entries(&database.tree(folder)?) {
        let entry = entry?;
        let path = name::below(path, entry.name);
        if entry.is_folder() {
            list(database, entry.id, &path, depth + 1, found)?;
        } else if entry.is_regular() {
            found.files.push((path, entry.id));
        }
    }
    Ok(())
}
