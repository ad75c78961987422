//! What differs between two trees. Only folders whose ids differ are read, so the cost follows the change; libgit2's own
//! difference looks at every folder of both (50 ms at 100,000 files).

use std::mem;
use std::rc::Rc;

use git2::{ObjectType, Oid};

use super::database::Database;
use super::error::{Fault, no_edit};
use super::name::{self, PATH_PARTS_MAX};
use super::tree::{self, Entry};

/// Folders compared: trees that name each other many times over can stand for more than could ever be looked at.
const FOLDERS_MAX: usize = 200_000;

/// A path with another file than before; at least one side has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Differing {
    pub(super) path: String,
    pub(super) before: Option<File>,
    pub(super) after: Option<File>,
}

/// What stands at a path, a folder excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) id: Oid,
    /// None: a submodule.
    pub(super) kind: Option<ObjectType>,
}

/// The first `limit` files that differ between two trees, in the order of trees. A file that became a symlink or a
/// submodule is two of them.
pub(super) fn difference(
    database: &Database,
    before: Oid,
    after: Oid,
    limit: usize,
) -> Result<Vec<Differing>, Fault> {
    let mut walk = Walk { database, limit, folders: 0, found: Vec::new() };
    if before != after {
        walk.folders("", 0, &database.tree(before)?, &database.tree(after)?)?;
        walk.found.truncate(limit);
    }
    Ok(walk.found)
}

struct Walk<'d> {
    database: &'d Database,
    limit: usize,
    folders: usize,
    found: Vec<Differing>,
}

impl Walk<'_> {
    fn folders(&mut self, path: &str, depth: usize, before: &[u8], after: &[u8]) -> Result<(), Fault> {
        self.folders += 1;
        if depth > PATH_PARTS_MAX || self.folders > FOLDERS_MAX {
            let reason = format!("more than {FOLDERS_MAX} folders differ, or {PATH_PARTS_MAX} in a row");
            return Err(no_edit(path, reason).into());
        }
        let (mut old, mut new) = (tree::entries(before), tree::entries(after));
        let mut heads = (old.next().transpose()?, new.next().transpose()?);
        while self.found.len() < self.limit {
            let order = match heads {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => tree::order((old.name, old.mode), (new.name, new.mode)),
            };
            let gone = if order.is_le() { mem::replace(&mut heads.0, old.next().transpose()?) } else { None };
            let come = if order.is_ge() { mem::replace(&mut heads.1, new.next().transpose()?) } else { None };
            self.pair(path, depth, gone, come)?;
        }
        Ok(())
    }

    /// What stands under one name: both are folders, or none is.
    fn pair(
        &mut self,
        above: &str,
        depth: usize,
        before: Option<Entry<'_>>,
        after: Option<Entry<'_>>,
    ) -> Result<(), Fault> {
        let side = |entry: Option<Entry<'_>>| entry.map(|entry| (entry.id, entry.mode));
        let Some(entry) = before.or(after).filter(|_| side(before) != side(after)) else { return Ok(()) };
        let path = name::below(above, entry.name);
        if entry.is_folder() {
            let tree = |entry: Option<Entry<'_>>| match entry {
                Some(entry) => self.database.tree(entry.id),
                None => Ok(Rc::default()),
            };
            let (before, after) = (tree(before)?, tree(after)?);
            return self.folders(&path, depth + 1, &before, &after);
        }
        let kind = |entry: Entry<'_>| (entry.is_regular(), entry.kind());
        let is_another = before.zip(after).is_some_and(|(before, after)| kind(before) != kind(after));
        let (before, after) = (before.map(file), after.map(file));
        if is_another {
            self.found.push(Differing { path: path.clone(), before, after: None });
            self.found.push(Differing { path, before: None, after });
        } else {
            self.found.push(Differing { path, before, after });
        }
        Ok(())
    }
}

fn file(entry: Entry<'_>) -> File {
    File { id: entry.id, kind: entry.kind() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use git2::Repository;
    use proptest::prelude::*;

    use super::*;

    const MODES: [i32; 4] = [0o100_644, 0o100_755, 0o120_000, 0o160_000];

    /// Files by path: which mode, which content. A path that another one needs as a folder stays out.
    type Files = BTreeMap<String, (usize, u8)>;

    fn files() -> impl Strategy<Value = Files> {
        let path = proptest::collection::vec("[a.0-]", 1..4).prop_map(|parts| parts.join("/"));
        let path = path.prop_filter("a folder's own name", |path| !path.split('/').any(|part| part == "."));
        proptest::collection::btree_map(path, (0..MODES.len(), any::<u8>()), 0..12)
    }

    fn tree(repository: &Repository, files: &Files) -> Oid {
        let mut index = git2::Index::new().unwrap();
        for (path, (mode, content)) in files {
            if files.keys().any(|other| other.starts_with(&format!("{path}/"))) {
                continue;
            }
            let id = repository.blob(&[*content]).unwrap();
            let mode = u32::try_from(MODES[*mode]).unwrap();
            let time = git2::IndexTime::new(0, 0);
            let entry = git2::IndexEntry {
                mode,
                id,
                path: path.clone().into_bytes(),
                ctime: time,
                mtime: time,
                dev: 0,
                ino: 0,
                uid: 0,
                gid: 0,
                file_size: 0,
                flags: 0,
                flags_extended: 0,
            };
            index.add(&entry).unwrap();
        }
        index.write_tree_to(repository).unwrap()
    }

    #[test]
    fn trees_that_stand_for_more_than_there_is_end_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let empty = repository.treebuilder(None).unwrap().write().unwrap();
        let mut nested = empty;
        for _ in 0..60 {
            let mut tree = repository.treebuilder(None).unwrap();
            for name in 0..10 {
                tree.insert(name.to_string(), nested, 0o040_000).unwrap();
            }
            nested = tree.write().unwrap();
        }
        let error = difference(&Database::new(repository), empty, nested, 10).unwrap_err();
        assert!(
            matches!(error, super::super::error::Fault::Answer(error) if error.to_string().contains("200000 folders"))
        );
    }

    proptest! {
        #[test]
        fn it_is_what_libgit2_finds(before in files(), change in files(), kept in any::<u16>()) {
            let folder = tempfile::tempdir().unwrap();
            let repository = Repository::init_bare(folder.path()).unwrap();
            let kept = before.iter().enumerate().filter(|(place, _)| kept >> place & 1 == 1);
            let mut after: Files = kept.map(|(_, (path, file))| (path.clone(), *file)).collect();
            after.extend(change);
            let (before, after) = (tree(&repository, &before), tree(&repository, &after));
            let mut options = git2::DiffOptions::new();
            options.ignore_submodules(false);
            let trees = [before, after].map(|id| repository.find_tree(id).unwrap());
            let diff = repository.diff_tree_to_tree(Some(&trees[0]), Some(&trees[1]), Some(&mut options)).unwrap();
            let want: Vec<(String, Oid, Oid)> = diff
                .deltas()
                .map(|delta| {
                    let path = delta.new_file().path().or(delta.old_file().path()).unwrap();
                    (path.to_str().unwrap().to_owned(), delta.old_file().id(), delta.new_file().id())
                })
                .collect();
            drop((diff, trees));
            let database = Database::new(repository);
            let all = difference(&database, before, after, 1_000).unwrap();
            let id = |file: &Option<File>| file.map_or(Oid::ZERO_SHA1, |file| file.id);
            let found: Vec<(String, Oid, Oid)> =
                all.iter().map(|found| (found.path.clone(), id(&found.before), id(&found.after))).collect();
            let sorted = |mut list: Vec<(String, Oid, Oid)>| { list.sort(); list };
            prop_assert_eq!(sorted(found), sorted(want));
            prop_assert!(difference(&database, before, after, 1).unwrap().len() <= 1);
        }
    }
}
