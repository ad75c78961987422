//! Reading of commits, trees and files from the object database.

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree, TreeEntry};

use super::error::{Fault, no_edit, not_found};
use super::name::{self, MIRROR_REFS, PATH_PARTS_MAX};
use super::{Commit, CommitId};

/// Bytes of one file; the largest manifest bundles seen have 5 MB.
pub(super) const FILE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Files listed at once: ten times the largest environment repository measured.
const FILES_MAX: usize = 1_000_000;

/// The modes of a regular file, `100644` and `100755`; `100664` is in old histories.
const REGULAR_MODES: [i32; 3] = [0o100_644, 0o100_755, 0o100_664];

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
    let author = commit.author();
    Commit {
        id: commit.id().into(),
        parents: commit.parent_ids().map(CommitId::from).collect(),
        author_name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        author_email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
        at: jiff::Timestamp::from_second(commit.time().seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        message: String::from_utf8_lossy(commit.message_raw_bytes()).into_owned(),
    }
}

/// The bytes of a regular file; none where there is none.
pub(super) fn read(repository: &Repository, id: CommitId, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    let parts = name::file(path)?;
    let tree = commit(repository, id)?.tree()?;
    let Some(entry) = entry(repository, tree, path, &parts)? else { return Ok(None) };
    if !is_regular(&entry) {
        return Err(no_edit(path, kind(&entry)).into());
    }
    blob(repository, entry.id(), path).map(Some)
}

/// The bytes of a blob, at most 16 MiB (`FILE_BYTES_MAX`).
pub(super) fn blob(repository: &Repository, id: Oid, path: &str) -> Result<Vec<u8>, Fault> {
    let (size, _) = repository.odb()?.read_header(id)?;
    if size > FILE_BYTES_MAX {
        return Err(no_edit(path, format!("file has {size} bytes, at most {FILE_BYTES_MAX}")).into());
    }
    Ok(repository.find_blob(id)?.content().to_vec())
}

/// What is at this path; none where nothing is. A file or symlink in the place of a folder is an error.
fn entry(
    repository: &Repository,
    root: Tree<'_>,
    path: &str,
    parts: &[&str],
) -> Result<Option<TreeEntry<'static>>, Fault> {
    let Some((last, folders)) = parts.split_last() else { return Ok(None) };
    let mut tree = root;
    for folder in folders {
        let Some(next) = tree.get_name(folder).map(|entry| entry.to_owned()) else { return Ok(None) };
        if next.kind() != Some(ObjectType::Tree) {
            return Err(no_edit(path, format!("`{folder}` is {}", kind(&next))).into());
        }
        tree = repository.find_tree(next.id())?;
    }
    Ok(tree.get_name(last).map(|entry| entry.to_owned()))
}

/// The paths of all regular files under a folder, with their ids, sorted. A file's own path gives that file.
pub(super) fn files(
    repository: &Repository,
    root: Tree<'_>,
    under: &str,
) -> Result<Vec<(String, Oid)>, Fault> {
    let parts = name::folder(under)?;
    let mut files = Vec::new();
    if parts.is_empty() {
        list(repository, &root, "", 0, &mut files)?;
        return Ok(files);
    }
    let path = parts.join("/");
    let Some(entry) = entry(repository, root, under, &parts)? else { return Ok(files) };
    if entry.kind() == Some(ObjectType::Tree) {
        list(repository, &repository.find_tree(entry.id())?, &path, parts.len(), &mut files)?;
        files.sort();
    } else if is_regular(&entry) {
        files.push((path, entry.id()));
    }
    Ok(files)
}

/// Whether a file or folder is at this path.
pub(super) fn is_there(repository: &Repository, root: Tree<'_>, under: &str) -> Result<bool, Fault> {
    let parts = name::folder(under)?;
    Ok(parts.is_empty() || entry(repository, root, under, &parts)?.is_some())
}

fn list(
    repository: &Repository,
    tree: &Tree<'_>,
    path: &str,
    depth: usize,
    files: &mut Vec<(String, Oid)>,
) -> Result<(), Fault> {
    if depth > PATH_PARTS_MAX || files.len() > FILES_MAX {
        return Err(
            no_edit(path, format!("more than {FILES_MAX} files or {PATH_PARTS_MAX} folders deep")).into()
        );
    }
    for entry in tree {
        let name = String::from_utf8_lossy(entry.name_bytes());
        let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        if entry.kind() == Some(ObjectType::Tree) {
            list(repository, &repository.find_tree(entry.id())?, &path, depth + 1, files)?;
        } else if is_regular(&entry) {
            files.push((path, entry.id()));
        }
    }
    Ok(())
}

pub(super) fn is_regular(entry: &TreeEntry<'_>) -> bool {
    REGULAR_MODES.contains(&entry.filemode_raw())
}

/// What stands in the place of a regular file.
pub(super) fn kind(entry: &TreeEntry<'_>) -> &'static str {
    match entry.filemode_raw() {
        0o120_000 => "a symlink",
        0o160_000 => "a submodule",
        0o040_000 => "a folder",
        _ => "a file",
    }
}
