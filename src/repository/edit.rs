//! Commits: blobs first, then the trees up the paths. What is not on a path is not touched, nor read.

use std::collections::BTreeMap;

use git2::{Repository, Time, Tree};

use super::error::{Fault, no_edit};
use super::{CommitId, Edit, Signature, name, objects};

/// Edits in one commit: a promotion touches one file a stage and image.
const EDITS_MAX: usize = 10_000;
/// Bytes of a message; GitHub cuts at 64 kB.
const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of a name or address.
const SIGNATURE_BYTES_MAX: usize = 500;
const MODE_FILE: i32 = 0o100_644;
const MODE_FOLDER: i32 = 0o040_000;

/// The edits below one folder.
#[derive(Default)]
struct Folder<'e> {
    files: BTreeMap<&'e str, &'e Edit>,
    folders: BTreeMap<&'e str, Folder<'e>>,
}

/// A commit with these edits on top of `parent`; the first commit where there is none.
pub(super) fn commit(
    repository: &Repository,
    parent: Option<CommitId>,
    edits: &[Edit],
    message: &str,
    author: &Signature,
) -> Result<CommitId, Fault> {
    let parent = parent.map(|id| objects::commit(repository, id)).transpose()?;
    let before = parent.as_ref().map(git2::Commit::tree).transpose()?;
    let root = sorted(edits)?;
    let tree = repository.find_tree(apply(repository, before.as_ref(), &root)?)?;
    if before.is_some_and(|before| before.id() == tree.id()) {
        return Err(no_edit("", "edits change nothing, the commit would be empty").into());
    }
    record(repository, &tree, &parent.iter().collect::<Vec<_>>(), message, author)
}

/// Writes the commit object: its id follows from the arguments alone.
pub(super) fn record(
    repository: &Repository,
    tree: &Tree<'_>,
    parents: &[&git2::Commit<'_>],
    message: &str,
    author: &Signature,
) -> Result<CommitId, Fault> {
    if message.len() > MESSAGE_BYTES_MAX || message.contains('\0') || message.trim().is_empty() {
        return Err(no_edit(
            "message",
            format!("message is empty, over {MESSAGE_BYTES_MAX} bytes or has a NUL"),
        )
        .into());
    }
    let ended = if message.ends_with('\n') { message.to_owned() } else { format!("{message}\n") };
    let signature = signature(author)?;
    Ok(repository.commit(None, &signature, &signature, &ended, tree, parents)?.into())
}

fn signature(author: &Signature) -> Result<git2::Signature<'static>, Fault> {
    for part in [&author.name, &author.email] {
        let plain = !part.chars().any(|letter| letter.is_control() || matches!(letter, '<' | '>'));
        if part.trim().is_empty() || part.len() > SIGNATURE_BYTES_MAX || !plain {
            let reason = format!(
                "name or address is empty, over {SIGNATURE_BYTES_MAX} bytes or has `<`, `>`, controls"
            );
            return Err(no_edit("author", reason).into());
        }
    }
    Ok(git2::Signature::new(&author.name, &author.email, &Time::new(author.at.as_second(), 0))?)
}

fn sorted(edits: &[Edit]) -> Result<Folder<'_>, Fault> {
    if edits.is_empty() || edits.len() > EDITS_MAX {
        return Err(no_edit("", format!("commit has {} edits, wanted 1 to {EDITS_MAX}", edits.len())).into());
    }
    let mut root = Folder::default();
    for edit in edits {
        let mut parts = name::file(&edit.path)?;
        let Some(last) = parts.pop() else { continue };
        let mut folder = &mut root;
        for part in parts {
            folder = folder.folders.entry(part).or_default();
        }
        if folder.files.insert(last, edit).is_some() {
            return Err(no_edit(&edit.path, "is edited twice").into());
        }
    }
    Ok(root)
}

fn apply(
    repository: &Repository,
    before: Option<&Tree<'_>>,
    folder: &Folder<'_>,
) -> Result<git2::Oid, Fault> {
    let mut builder = repository.treebuilder(before)?;
    for (name, edit) in &folder.files {
        if folder.folders.contains_key(name) {
            return Err(no_edit(&edit.path, "is a file and a folder in the same commit").into());
        }
        let found = before.and_then(|tree| tree.get_name(name));
        let mode = check(repository, edit, found.as_ref())?;
        builder.insert(name, repository.blob(&edit.after)?, mode)?;
    }
    for (name, below) in &folder.folders {
        let found = before.and_then(|tree| tree.get_name(name));
        let tree = match found {
            Some(entry) if entry.kind() == Some(git2::ObjectType::Tree) => {
                Some(repository.find_tree(entry.id())?)
            }
            Some(entry) => {
                return Err(
                    no_edit(first_path(below), format!("`{name}` is {}", objects::kind(&entry))).into()
                );
            }
            None => None,
        };
        builder.insert(name, apply(repository, tree.as_ref(), below)?, MODE_FOLDER)?;
    }
    Ok(builder.write()?)
}

/// The mode that the file keeps or gets, where the bytes before are those expected.
fn check(repository: &Repository, edit: &Edit, found: Option<&git2::TreeEntry<'_>>) -> Result<i32, Fault> {
    if edit.after.len() > objects::FILE_BYTES_MAX {
        return Err(
            no_edit(&edit.path, format!("file would have over {} bytes", objects::FILE_BYTES_MAX)).into()
        );
    }
    match (&edit.before, found) {
        (None, None) => Ok(MODE_FILE),
        (Some(_), None) => Err(no_edit(&edit.path, "file is expected and does not exist").into()),
        (_, Some(entry)) if !objects::is_regular(entry) => {
            Err(no_edit(&edit.path, objects::kind(entry)).into())
        }
        (None, Some(_)) => Err(no_edit(&edit.path, "file exists and is not expected to").into()),
        (Some(before), Some(entry)) => {
            if objects::blob(repository, entry.id(), &edit.path)? != *before {
                return Err(no_edit(&edit.path, "file has other bytes than expected").into());
            }
            Ok(entry.filemode())
        }
    }
}

fn first_path<'e>(folder: &Folder<'e>) -> &'e str {
    let file = folder.files.values().next().map(|edit| edit.path.as_str());
    file.or_else(|| folder.folders.values().next().map(first_path)).unwrap_or("")
}
