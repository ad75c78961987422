//! History: what differs between commits, and which commits there are.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{ErrorCode, Repository, Sort, Tree};

use super::database::Database;
use super::difference::{Differing, File, difference};
use super::error::{Fault, no_edit, not_found};
use super::name::{self, MIRROR_REFS};
use super::{Change, Commit, CommitId, objects};

/// Bytes of all changes together, before and after: 16 files at their largest.
const CHANGES_BYTES_MAX: usize = 512 * 1_024 * 1_024;
/// Fewer hex digits name no commit (git's own minimum is 4, people show at least 7).
const ID_DIGITS_MIN: usize = 7;

/// The files that differ, at most `limit`. A file that became a symlink is two changes, one gone and one new; a
/// change of the mode alone has equal bytes.
pub(super) fn changes(
    database: &Database,
    from: CommitId,
    to: CommitId,
    limit: usize,
) -> Result<Vec<Change>, Fault> {
    let mut changes = Vec::new();
    let mut bytes = 0;
    for Differing { path, before, after } in differing(database, from, to, limit)? {
        let before = before.map(|file| content(database, file, &path)).transpose()?;
        let after = after.map(|file| content(database, file, &path)).transpose()?;
        bytes += before.as_ref().map_or(0, Vec::len) + after.as_ref().map_or(0, Vec::len);
        if bytes > CHANGES_BYTES_MAX {
            return Err(no_edit(&path, format!("changes have over {CHANGES_BYTES_MAX} bytes")).into());
        }
        changes.push(Change { path, before, after });
    }
    Ok(changes)
}

/// The paths of the files that differ, at most `limit`.
pub(super) fn changed_paths(
    database: &Database,
    from: CommitId,
    to: CommitId,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    let differing = differing(database, from, to, limit)?;
    Ok(differing.into_iter().map(|differing| differing.path).collect())
}

fn differing(
    database: &Database,
    from: CommitId,
    to: CommitId,
    limit: usize,
) -> Result<Vec<Differing>, Fault> {
    let tree = |id| Ok::<_, Fault>(objects::commit(database, id)?.tree_id());
    difference(database, tree(from)?, tree(to)?, limit)
}

fn content(database: &Database, file: File, path: &str) -> Result<Vec<u8>, Fault> {
    if file.kind.is_none() {
        return Ok(format!("Subproject commit {}\n", file.id).into_bytes());
    }
    objects::blob(database, file.id, path)
}

/// The best common ancestor.
pub(super) fn merge_base(
    repository: &Repository,
    one: CommitId,
    other: CommitId,
) -> Result<Option<CommitId>, Fault> {
    let (one, other) = (objects::commit(repository, one)?, objects::commit(repository, other)?);
    match repository.merge_base(one.id(), other.id()) {
        Ok(id) => Ok(Some(id.into())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether `old` is `new` or reachable from it.
pub(super) fn is_ancestor(repository: &Repository, old: CommitId, new: CommitId) -> Result<bool, Fault> {
    Ok(merge_base(repository, old, new)? == Some(old))
}

/// First parents from `tip` back, newest first.
pub(super) fn first_parents(
    repository: &Repository,
    tip: CommitId,
    limit: usize,
) -> Result<Vec<Commit>, Fault> {
    let mut commits = Vec::new();
    let mut next = Some(objects::commit(repository, tip)?);
    while let Some(commit) = next.filter(|_| commits.len() < limit) {
        commits.push(objects::shown(&commit));
        next = if commit.parent_count() > 0 { Some(commit.parent(0)?) } else { None };
    }
    Ok(commits)
}

/// What is reachable from `to` and not from `from`, newest first.
pub(super) fn between(
    repository: &Repository,
    from: &str,
    to: &str,
    limit: usize,
) -> Result<Vec<Commit>, Fault> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push(revision(repository, to)?.oid()?)?;
    walk.hide(revision(repository, from)?.oid()?)?;
    let mut commits = Vec::new();
    for id in walk.take(limit) {
        commits.push(objects::shown(&repository.find_commit(id?)?));
    }
    Ok(commits)
}

/// Of these commits, those that touched each of the paths: the entry there (a file, a folder, nothing) differs from that
/// of every parent, as `git log -- <path>` has it.
pub(super) fn touching(
    repository: &Repository,
    commits: &[CommitId],
    paths: &[String],
) -> Result<Vec<BTreeSet<CommitId>>, Fault> {
    let mut found = vec![BTreeSet::new(); paths.len()];
    for &id in commits {
        let commit = objects::commit(repository, id)?;
        let tree = commit.tree()?;
        let parents = commit.parents().map(|parent| parent.tree()).collect::<Result<Vec<_>, _>>()?;
        for (path, found) in paths.iter().zip(&mut found) {
            let path = Path::new(path.trim_end_matches('/'));
            let entry = |tree: &Tree<'_>| match tree.get_path(path) {
                Ok(entry) => Ok(Some((entry.id(), entry.filemode()))),
                Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
                Err(error) => Err(error),
            };
            let here = entry(&tree)?;
            let before = parents.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            let is_touched = if before.is_empty() { here.is_some() } else { !before.contains(&here) };
            if is_touched {
                found.insert(id);
            }
        }
    }
    Ok(found)
}

/// The commit that a revision names: a branch, a tag, `HEAD`, an id or its first digits, and steps up from it.
pub(super) fn revision(repository: &Repository, revision: &str) -> Result<CommitId, Fault> {
    let (name, steps) = name::revision(revision)?;
    let full = name.strip_prefix("refs/").map(|rest| format!("{MIRROR_REFS}{rest}"));
    let known = [full, Some(format!("{MIRROR_REFS}heads/{name}")), Some(format!("{MIRROR_REFS}tags/{name}"))];
    let head = (name == "HEAD").then(|| format!("{MIRROR_REFS}HEAD"));
    let spelled =
        known.into_iter().flatten().chain(head).find(|name| repository.find_reference(name).is_ok());
    let spelled = match spelled {
        Some(reference) => reference,
        None if is_id(name) => name.to_owned(),
        None => return Err(not_found(format!("revision `{revision}`")).into()),
    };
    commit_of(repository, &format!("{spelled}{steps}"), revision)
}

/// The commit of a revision as libgit2 spells it; `shown` is what the person wrote.
pub(super) fn commit_of(repository: &Repository, spelled: &str, shown: &str) -> Result<CommitId, Fault> {
    let absent = |error: &git2::Error| {
        matches!(
            error.code(),
            ErrorCode::NotFound | ErrorCode::Ambiguous | ErrorCode::InvalidSpec | ErrorCode::Peel
        )
    };
    match repository.revparse_single(spelled).and_then(|object| object.peel_to_commit()) {
        Ok(commit) => Ok(commit.id().into()),
        Err(error) if absent(&error) => {
            objects::check_refs(repository)?;
            Err(not_found(format!("revision `{shown}`")).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn is_id(name: &str) -> bool {
    (ID_DIGITS_MIN..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
