//! The three-way merge, in memory.
//!
//! A tree or file that only one side changed is taken by its id, so the usual merge reads only the folders that
//! both sides changed. A file that both sides changed goes to libgit2, which reads the whole tree.

use std::collections::BTreeSet;

use git2::{ErrorCode, MergeOptions, ObjectType, Oid, Repository, Tree, TreeEntry};

use super::error::{Fault, not_found};
use super::name::PATH_PARTS_MAX;
use super::{CommitId, Merge, Signature, edit, objects};

/// Paths in conflict that are named.
const CONFLICTS_MAX: usize = 100;

/// What becomes of the history of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    /// Base and head.
    Two,
    /// The base alone: a squash.
    One,
}

/// The merge of `head` into `base` as one commit.
pub(super) fn merge(
    repository: &Repository,
    base: CommitId,
    head: CommitId,
    parents: Parents,
    message: &str,
    author: &Signature,
) -> Result<Merge, Fault> {
    let ours = objects::commit(repository, base)?;
    let theirs = objects::commit(repository, head)?;
    let common = match repository.merge_base(ours.id(), theirs.id()) {
        Ok(common) => repository.find_commit(common)?,
        Err(error) if error.code() == ErrorCode::NotFound => {
            return Err(not_found(format!("a common ancestor of {base} and {head}")).into());
        }
        Err(error) => return Err(error.into()),
    };
    if common.id() == theirs.id() {
        return Ok(Merge::Clean(base));
    }
    // Several best ancestors (criss-cross merges) need libgit2's virtual one.
    let single = repository.merge_bases(ours.id(), theirs.id())?.len() == 1;
    let simple = if single {
        simple(repository, Some(&common.tree()?), &ours.tree()?, &theirs.tree()?, 0)?
    } else {
        None
    };
    let tree = match simple {
        Some(tree) => tree,
        None => match by_content(repository, &ours, &theirs)? {
            Ok(tree) => tree,
            Err(paths) => return Ok(Merge::Conflict(paths)),
        },
    };
    if parents == Parents::One && tree == ours.tree_id() {
        return Ok(Merge::Clean(base));
    }
    let parents = match parents {
        Parents::Two => vec![&ours, &theirs],
        Parents::One => vec![&ours],
    };
    edit::record(repository, &repository.find_tree(tree)?, &parents, message, author).map(Merge::Clean)
}

/// The merged tree where no single entry was changed by both sides; none otherwise.
fn simple(
    repository: &Repository,
    base: Option<&Tree<'_>>,
    ours: &Tree<'_>,
    theirs: &Tree<'_>,
    depth: usize,
) -> Result<Option<Oid>, Fault> {
    if depth > PATH_PARTS_MAX {
        return Ok(None);
    }
    let mut builder = repository.treebuilder(Some(ours))?;
    let mut names: BTreeSet<Vec<u8>> = theirs.iter().map(|entry| entry.name_bytes().to_vec()).collect();
    names.extend(base.into_iter().flatten().map(|entry| entry.name_bytes().to_vec()));
    for name in names {
        let was = base.and_then(|tree| tree.get_name_bytes(&name));
        let our = ours.get_name_bytes(&name);
        let their = theirs.get_name_bytes(&name);
        if same(was.as_ref(), their.as_ref()) || same(our.as_ref(), their.as_ref()) {
            continue;
        }
        if same(was.as_ref(), our.as_ref()) {
            match their {
                Some(entry) => drop(builder.insert(name, entry.id(), entry.filemode())?),
                None => builder.remove(name)?,
            }
            continue;
        }
        let (Some(our), Some(their)) = (folder(repository, our)?, folder(repository, their)?) else {
            return Ok(None);
        };
        let was = folder(repository, was)?;
        let Some(tree) = simple(repository, was.as_ref(), &our, &their, depth + 1)? else { return Ok(None) };
        builder.insert(name, tree, 0o040_000)?;
    }
    // A folder that both sides emptied between them must vanish from the one above; libgit2 does that.
    if builder.is_empty() && depth > 0 {
        return Ok(None);
    }
    Ok(Some(builder.write()?))
}

fn same(one: Option<&TreeEntry<'_>>, other: Option<&TreeEntry<'_>>) -> bool {
    let identity = |entry: &TreeEntry<'_>| (entry.id(), entry.filemode_raw());
    one.map(identity) == other.map(identity)
}

fn folder<'r>(repository: &'r Repository, entry: Option<TreeEntry<'_>>) -> Result<Option<Tree<'r>>, Fault> {
    match entry.filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
        Some(entry) => Ok(Some(repository.find_tree(entry.id())?)),
        None => Ok(None),
    }
}

/// The merged tree, or the paths in conflict. Renames are not followed: an edit never lands in another file.
fn by_content(
    repository: &Repository,
    ours: &git2::Commit<'_>,
    theirs: &git2::Commit<'_>,
) -> Result<Result<Oid, Vec<String>>, Fault> {
    let mut options = MergeOptions::new();
    options.find_renames(false);
    let mut index = repository.merge_commits(ours, theirs, Some(&options))?;
    if !index.has_conflicts() {
        return Ok(Ok(index.write_tree_to(repository)?));
    }
    let mut paths = BTreeSet::new();
    for conflict in index.conflicts()?.take(CONFLICTS_MAX) {
        let conflict = conflict?;
        let sides = [conflict.ancestor, conflict.our, conflict.their];
        paths
            .extend(sides.into_iter().flatten().map(|side| String::from_utf8_lossy(&side.path).into_owned()));
    }
    Ok(Err(paths.into_iter().collect()))
}
