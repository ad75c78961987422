//! What the mirror remembers of the remote: its refs, as they were seen last, under `refs/mirror/`.

use std::collections::{BTreeMap, BTreeSet};

use std::ops::RangeInclusive;
use std::time::Duration;

use git2::{ErrorCode, OdbLookupFlags, Oid, Repository};

use super::error::{Fault, unavailable};
use super::name::{MIRROR_REFS, mirrored};
use super::{CommitId, folder};

/// `have` lines of a fetch: the host looks each up. 256 lines are 13 kB.
const HAVES_MAX: usize = 256;
/// First parents of the wanted refs' old values that are offered beside them, each twice as far back: so a
/// branch that was set back is still fetched by its difference.
const HAVES_BACK: u32 = 12;
/// Commits known to be at the remote that bound what a push sends.
const KNOWN_MAX: usize = 2_000;

/// Tries to write a ref that is locked: about four seconds in all, so that a lock left behind is broken.
const LOCK_TRIES_MAX: usize = 400;
/// Between two of them.
const LOCK_WAIT_MILLIS: RangeInclusive<u64> = 2..=20;

/// Full names at the remote, and their new value; none: the ref is gone.
pub(super) type Seen = BTreeMap<String, Option<CommitId>>;

/// The ids that the object database lacks.
pub(super) fn lacking(repository: &Repository, seen: &Seen) -> Result<Vec<CommitId>, Fault> {
    let database = repository.odb()?;
    let mut lacking = BTreeSet::new();
    for id in seen.values().flatten() {
        if !database.exists(id.oid()?) {
            lacking.insert(*id);
        }
    }
    Ok(lacking.into_iter().collect())
}

/// Refuses what the host named and then did not send. Where it was told of commits that we have, it is the mirror
/// that may lack what must lie behind them.
pub(super) fn check_brought(repository: &Repository, seen: &Seen, told: &[CommitId]) -> Result<(), Fault> {
    let Some(id) = lacking(repository, seen)?.into_iter().next() else { return Ok(()) };
    let reason = format!("git host names {id} and does not send it");
    if told.is_empty() { Err(unavailable(reason).into()) } else { Err(Fault::Damaged(reason)) }
}

/// Writes what changed. A ref that another process writes just now is tried again; a lock that a process left
/// behind when it was ended is broken.
pub(super) fn note(repository: &Repository, seen: &Seen) -> Result<(), Fault> {
    let mut tries = 0;
    loop {
        match write(repository, seen) {
            Err(error) if error.code() == ErrorCode::Locked && tries < LOCK_TRIES_MAX => {
                tries += 1;
                folder::break_locks(repository.path())?;
                std::thread::sleep(Duration::from_millis(rand::random_range(LOCK_WAIT_MILLIS)));
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn write(repository: &Repository, seen: &Seen) -> Result<(), git2::Error> {
    for (name, id) in seen {
        let name = mirrored(name);
        let found = repository.find_reference(&name).ok();
        match (found, id) {
            (Some(mut reference), None) => reference.delete()?,
            (Some(reference), Some(id)) if reference.target() == Some(id.oid()?) => {}
            (_, Some(id)) => set(repository, &name, id.oid()?)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// A ref of the remote that is gone may lie in the way: `a` of `a/b`, or the other way round.
fn set(repository: &Repository, name: &str, id: Oid) -> Result<(), git2::Error> {
    match repository.reference(name, id, true, "seen") {
        Err(error) if error.code() != ErrorCode::Locked => {}
        outcome => return outcome.map(drop),
    }
    let above = name
        .match_indices('/')
        .filter_map(|(at, _)| name.get(..at))
        .filter(|name| name.len() > MIRROR_REFS.len());
    for stale in above {
        if let Ok(mut reference) = repository.find_reference(stale) {
            reference.delete()?;
        }
    }
    for stale in repository.references_glob(&format!("{name}/*"))? {
        stale?.delete()?;
    }
    repository.reference(name, id, true, "seen").map(drop)
}

/// All refs noted below these prefixes, by their names at the remote.
pub(super) fn names(repository: &Repository, prefixes: &[&str]) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for prefix in prefixes {
        for reference in repository.references_glob(&format!("{}*", mirrored(prefix)))? {
            let reference = reference?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            names.extend(name.strip_prefix(MIRROR_REFS).map(|rest| format!("refs/{rest}")));
        }
    }
    Ok(names)
}

/// What we have, to be told to the host: the old values of what is wanted first, commits behind them, then
/// other refs.
pub(super) fn haves(repository: &Repository, seen: &Seen) -> Result<Vec<CommitId>, Fault> {
    let mut haves = Vec::new();
    for name in seen.keys() {
        if let Some(id) =
            repository.find_reference(&mirrored(name)).ok().and_then(|reference| reference.target())
        {
            haves.push(id);
        }
    }
    let back = haves.first().map(|id| behind(repository, *id)).unwrap_or_default();
    haves.extend(back);
    haves.extend(targets(repository)?);
    present(repository, haves, HAVES_MAX)
}

fn behind(repository: &Repository, tip: Oid) -> Vec<Oid> {
    let spelled = |step: u32| format!("{tip}~{}", 1_u32 << step);
    let commit = |step| repository.revparse_single(&spelled(step)).map(|object| object.id());
    (0..HAVES_BACK).map_while(|step| commit(step).ok()).collect()
}

/// Those of the commits at the remote that we have, too.
pub(super) fn known(repository: &Repository, there: &[CommitId]) -> Result<Vec<CommitId>, Fault> {
    let there = there.iter().map(|id| id.oid()).collect::<Result<Vec<_>, _>>()?;
    present(repository, there, KNOWN_MAX)
}

fn targets(repository: &Repository) -> Result<Vec<Oid>, Fault> {
    let references = repository.references_glob(&format!("{MIRROR_REFS}*"))?;
    let mut targets = Vec::new();
    for reference in references {
        targets.extend(reference?.target());
    }
    Ok(targets)
}

/// Each once, in order, and only what the object database has. It is not read anew for each that is missing.
fn present(repository: &Repository, ids: Vec<Oid>, most: usize) -> Result<Vec<CommitId>, Fault> {
    let database = repository.odb()?;
    let mut once = BTreeSet::new();
    let here = |id: &Oid| database.exists_ext(*id, OdbLookupFlags::NO_REFRESH);
    Ok(ids.into_iter().filter(|id| once.insert(*id) && here(id)).take(most).map(CommitId::from).collect())
}
