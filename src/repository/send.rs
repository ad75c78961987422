//! The push: the lines `old new ref` are compared and swapped by the host, all or none.
//!
//! Source: git documentation, gitprotocol-pack ("Pushing Data To a Server"), gitprotocol-capabilities.

use super::advertisement::Advertisement;
use super::fetch::Bands;
use super::report::Report;
use super::transport::{Session, agent};
use super::{CommitId, RefUpdate, RepositoryError, name, pktline, text};

/// Refs in one push: a promotion has two.
const UPDATES_MAX: usize = 100;
/// What a push cannot do without: to learn its fate, and the words of hooks.
const NEEDED: [&str; 2] = ["report-status", "side-band-64k"];

/// Refuses updates that no host should see.
pub(super) fn check(updates: &[RefUpdate]) -> Result<(), RepositoryError> {
    if updates.is_empty() || updates.len() > UPDATES_MAX {
        return Err(refused(
            "the push",
            format!("{} refs in one push, wanted 1 to {UPDATES_MAX}", updates.len()),
        ));
    }
    for (index, update) in updates.iter().enumerate() {
        name::reference(&update.name)?;
        if updates.iter().take(index).any(|other| other.name == update.name) {
            return Err(refused(&update.name, "is updated twice in one push".to_owned()));
        }
    }
    Ok(())
}

/// The updates that are still to be made, where every ref has its expected value or the new one already.
pub(super) fn pending(
    advertisement: &Advertisement,
    updates: Vec<RefUpdate>,
) -> Result<Vec<RefUpdate>, RepositoryError> {
    let mut pending = Vec::new();
    for update in updates {
        let found = advertisement.refs.get(&update.name).copied();
        if found == update.new {
            continue;
        }
        if found != update.old {
            let shown = |id: Option<CommitId>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
            let reason = format!("it is at {}, expected {}", shown(found), shown(update.old));
            return Err(RepositoryError::Moved { name: update.name, reason });
        }
        pending.push(update);
    }
    if pending.is_empty() {
        return Ok(pending);
    }
    can(advertisement, &pending).map(|()| pending)
}

/// Refuses before anything is sent what the host cannot do as a whole.
fn can(advertisement: &Advertisement, pending: &[RefUpdate]) -> Result<(), RepositoryError> {
    let deletes = pending.iter().any(|update| update.new.is_none()).then_some("delete-refs");
    let atomic = (pending.len() > 1).then_some("atomic");
    let missing = NEEDED.into_iter().chain(deletes).chain(atomic).find(|needed| !advertisement.has(needed));
    match missing {
        Some(missing) => Err(refused("the push", format!("git host has no capability {missing}"))),
        None => Ok(()),
    }
}

/// Sends the updates and their pack, and reads their fate.
pub(super) async fn send(
    session: Session<'_>,
    updates: &[RefUpdate],
    pack: Vec<u8>,
) -> Result<(), RepositoryError> {
    let request = request(&session.advertisement, updates, &pack);
    let bands = Bands::read(session.ask(request).await?).await?;
    let words = text::line(&bands.words);
    Report::parse(&bands.data)?.fate(updates, &words)
}

fn request(advertisement: &Advertisement, updates: &[RefUpdate], pack: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(pack.len() + 256 * updates.len());
    let mut capabilities = format!("\0 {}", capabilities(advertisement));
    for update in updates {
        let shown =
            |id: Option<CommitId>| id.map_or_else(|| CommitId::ABSENT.to_owned(), |id| id.to_string());
        let line = format!("{} {} {}{capabilities}", shown(update.old), shown(update.new), update.name);
        pktline::push(&mut request, &line);
        capabilities.clear();
    }
    pktline::push_flush(&mut request);
    request.extend_from_slice(pack);
    request
}

/// Those of ours that the host has.
fn capabilities(advertisement: &Advertisement) -> String {
    let wanted = ["report-status", "side-band-64k", "atomic", "ofs-delta", "quiet"];
    let mut capabilities: Vec<String> =
        wanted.into_iter().filter(|name| advertisement.has(name)).map(str::to_owned).collect();
    if advertisement.has("object-format") {
        capabilities.push("object-format=sha1".to_owned());
    }
    capabilities.push(agent());
    capabilities.join(" ")
}

fn refused(name: &str, reason: String) -> RepositoryError {
    RepositoryError::Refused { name: name.to_owned(), reason }
}
