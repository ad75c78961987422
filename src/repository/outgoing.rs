//! What a push sends: a pack of just the new objects, as differences from what the far side has.

use std::collections::HashSet;

use git2::{ObjectType, Oid};

use super::database::Database;
use super::delta::delta;
use super::error::Fault;
use super::name::PATH_PARTS_MAX;
use super::noted;
use super::pack::Writer;
use super::tree;
use super::{CommitId, RepositoryError};

/// Bytes of a pack we send; it is held in memory. A promotion has under 1 kB, a first push of 10,000 manifests
/// 10 MB.
const PACK_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Commits in one push; a promotion has one, its record another.
const COMMITS_MAX: usize = 1_000;
/// Objects in one push: a commit of 100,000 files.
const OBJECTS_MAX: usize = 150_000;

/// Whether the far side completes deltas against objects that it already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thin {
    /// Deltas against its objects may be sent.
    Yes,
    /// Every object is sent whole (`no-thin`).
    No,
}

/// An object to send, and one that the far side has at the same path.
struct Item {
    id: Oid,
    base: Option<Oid>,
}

/// The pack of what the commits `new` need beyond the commits `there`, which the far side has.
pub(super) fn pack(
    database: &Database,
    new: &[CommitId],
    there: &[CommitId],
    thin: Thin,
) -> Result<Vec<u8>, Fault> {
    let mut objects = Objects { database, items: Vec::new(), seen: HashSet::new() };
    for id in new_commits(database, new, there)? {
        objects.add_commit(id)?;
    }
    write(database, &objects.items, thin)
}

/// Oldest first, so that what an older commit brought is not sent again.
fn new_commits(database: &Database, new: &[CommitId], there: &[CommitId]) -> Result<Vec<Oid>, Fault> {
    if let Some(commits) = on_top(database, new, there)? {
        return Ok(commits);
    }
    let mut walk = database.revwalk()?;
    walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE)?;
    for id in new {
        walk.push(super::objects::commit(database, *id)?.id())?;
    }
    for id in noted::known(database, there)? {
        if database.find_commit(id.oid()?).is_ok() {
            walk.hide(id.oid()?)?;
        }
    }
    let commits: Vec<Oid> = walk.take(COMMITS_MAX + 1).collect::<Result<_, _>>()?;
    if commits.len() > COMMITS_MAX {
        return Err(too_large("commits", COMMITS_MAX));
    }
    Ok(commits)
}

/// The usual push: every new commit stands right on a ref of the far side, so there is no history to walk,
/// however many refs there are.
fn on_top(database: &Database, new: &[CommitId], there: &[CommitId]) -> Result<Option<Vec<Oid>>, Fault> {
    let mut commits = Vec::new();
    for id in new {
        let commit = super::objects::commit(database, *id)?;
        let mut parents = commit.parent_ids().map(CommitId::from);
        if commit.parent_count() == 0 || !parents.all(|parent| there.contains(&parent)) {
            return Ok(None);
        }
        if !commits.contains(&commit.id()) {
            commits.push(commit.id());
        }
    }
    Ok(Some(commits))
}

/// What is to be sent, in the order found.
struct Objects<'d> {
    database: &'d Database,
    items: Vec<Item>,
    /// Also what the far side has, where we met it: so no object is ever the base of its own base.
    seen: HashSet<Oid>,
}

impl Objects<'_> {
    fn add_commit(&mut self, id: Oid) -> Result<(), Fault> {
        let commit = self.database.find_commit(id)?;
        self.add(id, None)?;
        let bases = commit.parents().map(|parent| parent.tree_id()).collect::<Vec<_>>();
        self.add_tree(commit.tree_id(), &bases, 0)
    }

    /// Returns whether the object was not there yet.
    fn add(&mut self, id: Oid, base: Option<Oid>) -> Result<bool, Fault> {
        if !self.seen.insert(id) {
            return Ok(false);
        }
        if self.items.len() >= OBJECTS_MAX {
            return Err(too_large("objects", OBJECTS_MAX));
        }
        self.items.push(Item { id, base });
        Ok(true)
    }

    fn add_tree(&mut self, id: Oid, bases: &[Oid], depth: usize) -> Result<(), Fault> {
        if depth > PATH_PARTS_MAX {
            return Err(too_large("folders above a file", PATH_PARTS_MAX));
        }
        if bases.contains(&id) {
            return Ok(());
        }
        self.seen.extend(bases);
        if !self.add(id, bases.first().copied())? {
            return Ok(());
        }
        let bytes = self.database.tree(id)?;
        let bases = bases.iter().map(|base| self.database.tree(*base)).collect::<Result<Vec<_>, _>>()?;
        let mut beside: Vec<_> = bases.iter().map(|base| tree::beside(&bytes, base)).collect();
        for entry in tree::entries(&bytes) {
            let entry = entry?;
            let mut below = Vec::new();
            for base in &mut beside {
                below.extend(base.next().transpose()?.and_then(|(_, same)| same).map(|same| same.id));
            }
            if below.contains(&entry.id) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => self.add_tree(entry.id, &below, depth + 1)?,
                Some(ObjectType::Blob) => {
                    self.seen.extend(&below);
                    self.add(entry.id, below.first().copied())?;
                }
                // A submodule's commit is in another repository.
                Some(ObjectType::Any | ObjectType::Commit | ObjectType::Tag) | None => {}
            }
        }
        Ok(())
    }
}

fn write(database: &Database, items: &[Item], thin: Thin) -> Result<Vec<u8>, Fault> {
    let mut pack = Writer::begin(Vec::new(), items.len())?;
    for item in items {
        let object = database.object(item.id)?;
        let base = item
            .base
            .filter(|_| thin == Thin::Yes)
            .map(|base| Ok::<_, Fault>((base, database.object(base)?)));
        let difference = base.transpose()?.and_then(|(base, before)| {
            delta(&before.bytes, &object.bytes).map(|difference| (base, difference))
        });
        match difference {
            Some((base, difference)) => pack.difference(base, &difference)?,
            None => pack.whole(object.kind, &object.bytes)?,
        }
        if pack.len() > PACK_BYTES_MAX {
            return Err(too_large("bytes", PACK_BYTES_MAX));
        }
    }
    pack.end()
}

fn too_large(what: &str, most: usize) -> Fault {
    let reason = format!("push needs more than {most} {what}");
    RepositoryError::Refused { name: "the push".to_owned(), reason }.into()
}
