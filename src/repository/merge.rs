//! The three-way merge, in memory.
//!
//! A tree or file that only one side changed is taken by its id, so the usual merge reads only the folders that
//! both sides changed. A file that both sides changed goes to libgit2, which reads the whole tree.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ErrorCode, MergeOptions, ObjectType, Oid};

use super::database::Database;
use super::error::{Fault, not_found};
use super::name::PATH_PARTS_MAX;
use super::tree::{self, Entry};
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
    database: &Database,
    base: CommitId,
    head: CommitId,
    parents: Parents,
    message: &str,
    author: &Signature,
) -> Result<Merge, Fault> {
    let ours = objects::commit(database, base)?;
    let theirs = objects::commit(database, head)?;
    let common = match database.merge_base(ours.id(), theirs.id()) {
        Ok(common) => database.find_commit(common)?,
        Err(error) if error.code() == ErrorCode::NotFound => {
            return Err(not_found(format!("a common ancestor of {base} and {head}")).into());
        }
        Err(error) => return Err(error.into()),
    };
    if common.id() == theirs.id() {
        return Ok(Merge::Clean(base));
    }
    // Several best ancestors (criss-cross merges) need libgit2's virtual one.
    let single = database.merge_bases(ours.id(), theirs.id())?.len() == 1;
    let simple = if single {
        simple(database, Some(common.tree_id()), ours.tree_id(), theirs.tree_id(), 0)?
    } else {
        None
    };
    let tree = match simple {
        Some(tree) => tree,
        None => match by_content(database, &ours, &theirs)? {
            Ok(tree) => tree,
            Err(paths) => return Ok(Merge::Conflict(paths)),
        },
    };
    if parents == Parents::One && tree == ours.tree_id() {
        return Ok(Merge::Clean(base));
    }
    let parents = match parents {
        Parents::Two => vec![ours.id(), theirs.id()],
        Parents::One => vec![ours.id()],
    };
    edit::record(database, tree, &parents, message, author).map(Merge::Clean)
}

/// The merged tree where no single entry was changed by both sides; none otherwise.
fn simple(
    database: &Database,
    base: Option<Oid>,
    ours: Oid,
    theirs: Oid,
    depth: usize,
) -> Result<Option<Oid>, Fault> {
    if depth > PATH_PARTS_MAX {
        return Ok(None);
    }
    let base = base.map(|id| database.tree(id)).transpose()?;
    let (ours, theirs) = (database.tree(ours)?, database.tree(theirs)?);
    let [base, ours, theirs] = [base.as_deref().unwrap_or_default(), &*ours, &*theirs].map(by_name);
    let (base, mut ours, theirs) = (base?, ours?, theirs?);
    let names: BTreeSet<&[u8]> = theirs.keys().chain(base.keys()).copied().collect();
    for name in names {
        let (was, our, their) = (base.get(name), ours.get(name).copied(), theirs.get(name));
        if same(was, their) || same(our.as_ref(), their) {
            continue;
        }
        if same(was, our.as_ref()) {
            match their {
                Some(entry) => drop(ours.insert(name, *entry)),
                None => drop(ours.remove(name)),
            }
            continue;
        }
        let (Some(our), Some(their)) = (folder(our.as_ref()), folder(their)) else { return Ok(None) };
        let was = folder(was).map(|entry| entry.id);
        let Some(id) = simple(database, was, our.id, their.id, depth + 1)? else { return Ok(None) };
        ours.insert(name, our.with(id));
    }
    // A folder that both sides emptied between them must vanish from the one above; libgit2 does that.
    if ours.is_empty() && depth > 0 {
        return Ok(None);
    }
    database.write(ObjectType::Tree, &tree::of(ours.into_values())).map(Some)
}

fn by_name(bytes: &[u8]) -> Result<BTreeMap<&[u8], Entry<'_>>, Fault> {
    tree::entries(bytes).map(|entry| entry.map(|entry| (entry.name, entry))).collect()
}

fn same(one: Option<&Entry<'_>>, other: Option<&Entry<'_>>) -> bool {
    let identity = |entry: &Entry<'_>| (entry.id, entry.mode);
    one.map(identity) == other.map(identity)
}

fn folder<'e, 't>(entry: Option<&'e Entry<'t>>) -> Option<&'e Entry<'t>> {
    entry.filter(|entry| entry.is_folder())
}

/// The merged tree, or the paths in conflict. Renames are not followed: an edit never lands in another file.
fn by_content(
    database: &Database,
    ours: &git2::Commit<'_>,
    theirs: &git2::Commit<'_>,
) -> Result<Result<Oid, Vec<String>>, Fault> {
    let mut options = MergeOptions::new();
    options.find_renames(false);
    let mut index = database.merge_commits(ours, theirs, Some(&options))?;
    if !index.has_conflicts() {
        return Ok(Ok(index.write_tree_to(database)?));
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
