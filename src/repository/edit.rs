//! Commits: blobs first, then the trees up the paths. What is not on a path is not touched, nor read.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Oid, Time};

use super::database::Database;
use super::error::{Fault, no_edit};
use super::tree::{self, Entry, MODE_FOLDER, New};
use super::{CommitId, Edit, Signature, name, objects};

/// Edits in one commit: a promotion touches one file a stage and image.
const EDITS_MAX: usize = 10_000;
/// Bytes of a message; GitHub cuts at 64 kB.
const MESSAGE_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of a name or address.
const SIGNATURE_BYTES_MAX: usize = 500;
const MODE_FILE: u32 = 0o100_644;

/// The edits below one folder.
#[derive(Default)]
struct Folder<'e> {
    files: BTreeMap<&'e str, &'e Edit>,
    folders: BTreeMap<&'e str, Folder<'e>>,
}

/// A commit with these edits on top of `parent`; the first commit where there is none.
pub(super) fn commit(
    database: &Database,
    parent: Option<CommitId>,
    edits: &[Edit],
    message: &str,
    author: &Signature,
) -> Result<CommitId, Fault> {
    let parent = parent.map(|id| objects::commit(database, id)).transpose()?;
    let before = parent.as_ref().map(git2::Commit::tree_id);
    let root = sorted(edits)?;
    let tree = apply(database, before, &root)?;
    if before == Some(tree) {
        return Err(no_edit("", "edits change nothing, the commit would be empty").into());
    }
    record(database, tree, &parent.iter().map(git2::Commit::id).collect::<Vec<_>>(), message, author)
}

/// Writes the commit object: its id follows from the arguments alone.
pub(super) fn record(
    database: &Database,
    tree: Oid,
    parents: &[Oid],
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
    let mut commit = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        commit.extend(format!("parent {parent}\n").into_bytes());
    }
    for part in ["author", "committer"] {
        commit.extend(format!("{part} ").into_bytes());
        commit.extend(&signature);
        commit.push(b'\n');
    }
    commit.push(b'\n');
    commit.extend(ended.into_bytes());
    Ok(database.write(ObjectType::Commit, &commit)?.into())
}

/// `name <address> seconds +0000`; libgit2 trims what git trims off a name.
fn signature(author: &Signature) -> Result<Vec<u8>, Fault> {
    for part in [&author.name, &author.email] {
        let plain = !part.chars().any(|letter| letter.is_control() || matches!(letter, '<' | '>'));
        if part.trim().is_empty() || part.len() > SIGNATURE_BYTES_MAX || !plain {
            let reason = format!(
                "name or address is empty, over {SIGNATURE_BYTES_MAX} bytes or has `<`, `>`, controls"
            );
            return Err(no_edit("author", reason).into());
        }
    }
    let seconds = author.at.as_second();
    let trimmed = git2::Signature::new(&author.name, &author.email, &Time::new(seconds, 0))?;
    let (name, email) = (trimmed.name_bytes(), trimmed.email_bytes());
    Ok([name, b" <", email, format!("> {seconds} +0000").as_bytes()].concat())
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

fn apply(database: &Database, before: Option<Oid>, folder: &Folder<'_>) -> Result<Oid, Fault> {
    let before = before.map(|id| database.tree(id)).transpose()?;
    let before = before.as_deref().unwrap_or_default();
    let found = named(before, folder)?;
    let mut new = Vec::new();
    for (name, edit) in &folder.files {
        if folder.folders.contains_key(name) {
            return Err(no_edit(&edit.path, "is a file and a folder in the same commit").into());
        }
        let mode = check(database, edit, found.get(name.as_bytes()))?;
        let id = database.write(ObjectType::Blob, &edit.after)?;
        new.push(New { name, mode, id });
    }
    for (name, below) in &folder.folders {
        let entry = found.get(name.as_bytes());
        if let Some(entry) = entry.filter(|entry| !entry.is_folder()) {
            let reason = format!("`{name}` is {}", entry.shown());
            return Err(no_edit(first_path(below), reason).into());
        }
        let id = apply(database, entry.map(|entry| entry.id), below)?;
        new.push(New { name, mode: MODE_FOLDER, id });
    }
    database.write(ObjectType::Tree, &tree::with(before, new)?)
}

/// The entries that are edited, found in one pass.
fn named<'t>(before: &'t [u8], folder: &Folder<'_>) -> Result<BTreeMap<&'t [u8], Entry<'t>>, Fault> {
    let names = folder.files.keys().chain(folder.folders.keys());
    let names: BTreeSet<&[u8]> = names.map(|name| name.as_bytes()).collect();
    let is_named =
        |entry: &Result<Entry<'_>, Fault>| entry.as_ref().map_or(true, |entry| names.contains(entry.name));
    tree::entries(before).filter(is_named).map(|entry| entry.map(|entry| (entry.name, entry))).collect()
}

/// The mode that the file keeps or gets, where the bytes before are those expected.
fn check(database: &Database, edit: &Edit, found: Option<&Entry<'_>>) -> Result<u32, Fault> {
    if edit.after.len() > objects::FILE_BYTES_MAX {
        return Err(
            no_edit(&edit.path, format!("file would have over {} bytes", objects::FILE_BYTES_MAX)).into()
        );
    }
    match (&edit.before, found) {
        (None, None) => Ok(MODE_FILE),
        (Some(_), None) => Err(no_edit(&edit.path, "file is expected and does not exist").into()),
        (_, Some(entry)) if !entry.is_regular() => Err(no_edit(&edit.path, entry.shown()).into()),
        (None, Some(_)) => Err(no_edit(&edit.path, "file exists and is not expected to").into()),
        (Some(before), Some(entry)) => {
            if objects::blob(database, entry.id, &edit.path)? != *before {
                return Err(no_edit(&edit.path, "file has other bytes than expected").into());
            }
            Ok(entry.mode)
        }
    }
}

fn first_path<'e>(folder: &Folder<'e>) -> &'e str {
    let file = folder.files.values().next().map(|edit| edit.path.as_str());
    file.or_else(|| folder.folders.values().next().map(first_path)).unwrap_or("")
}
