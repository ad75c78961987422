//! Setting and removing tags. Nothing waits for it: what fails is said, and tried again later, each time after twice as long.
//!
//! Writes in one repository go one after the other, with what is recorded of them: two pipelines may need one anchor, and
//! the one that needs it no more finds it in the record of the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::apply::{Applied, record_now};
use super::{Reconcile, ReconcileError, load};
use crate::image::{Digest, Repository, Tag};
use crate::plan::SetTag;
use crate::promotion::{Event, Stints};
use crate::registry::{RegistryError, TagError, Taken, Untagged};
use crate::store::Key;
use crate::witness::Write;

/// Longest that one tag may take: five requests, and three for a lock, each a fraction of a second.
const TAG_TIMEOUT: Duration = Duration::from_secs(5);
/// What failed is tried again after this time, doubled up to [`AGAIN_MAX`].
const AGAIN: Duration = Duration::from_mins(1);
const AGAIN_MAX: Duration = Duration::from_hours(1);

/// What the writes of a process know together.
#[derive(Debug, Default)]
pub struct TagWrites {
    failures: Mutex<BTreeMap<(Repository, Tag), Failure>>,
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug, Clone)]
struct Failure {
    why: String,
    count: u32,
    again_at: Timestamp,
    /// Whether the registry gave no answer: then nothing else is tried there meanwhile.
    is_away: bool,
}

impl TagWrites {
    /// What could not be set, why, and when it is tried again.
    pub(super) fn failed(&self) -> BTreeMap<(Repository, Tag), (String, Timestamp)> {
        let failures = self.failures();
        failures.iter().map(|(tag, failed)| (tag.clone(), (failed.why.clone(), failed.again_at))).collect()
    }

    /// Whether the registry of this repository gave no answer to a write a short time ago.
    pub(super) fn is_resting(&self, repository: &Repository, now: Timestamp) -> bool {
        let failures = self.failures();
        failures.iter().any(|((name, _), failed)| {
            failed.is_away && failed.again_at > now && name.host() == repository.host()
        })
    }

    /// Everything may be tried anew.
    pub(super) fn forget(&self) {
        self.failures().clear();
    }

    fn note(&self, tag: (Repository, Tag), failed: Option<(String, bool)>, now: Timestamp) -> usize {
        let mut failures = self.failures();
        // What was not tried again in all that time, nobody wants any more.
        failures.retain(|_, failed| failed.again_at.checked_add(AGAIN_MAX).is_ok_and(|until| until > now));
        match failed {
            None => {
                failures.remove(&tag);
            }
            Some((why, is_away)) => {
                let count = failures.get(&tag).map_or(0, |failed| failed.count).saturating_add(1);
                let wait = AGAIN.saturating_mul(1 << (count - 1).min(16)).min(AGAIN_MAX);
                let again_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
                failures.insert(tag, Failure { why, count, again_at, is_away });
            }
        }
        failures.len()
    }

    fn turn(&self, repository: &Repository) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for are not needed.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(repository.canonical()).or_default())
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<(Repository, Tag), Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets a tag, and records it.
pub(super) async fn tag(run: &mut Reconcile<'_>, wanted: &SetTag) -> Result<Applied, ReconcileError> {
    let SetTag { stage, repository, tag, digest, moves } = wanted;
    let (world, taken) = (run.world, if *moves { Taken::Moved } else { Taken::Left });
    let turn = world.tags.turn(repository);
    let write = async {
        let turn = turn.lock().await;
        let set = world.registry.tag(repository, *digest, tag, taken).await;
        // A write of which we did not hear, or whose record was lost: what is there went through this stage.
        let is_ours = |found| run.state.stints(stage).is_some_and(|stints| had(stints, repository, found));
        let set = match set {
            Err(TagError::Taken { found, .. }) if !tag.is_anchor() && is_ours(found) => {
                world.registry.tag(repository, *digest, tag, Taken::Moved).await
            }
            set => set,
        };
        (set, turn)
    };
    let Ok((set, _turn)) = tokio::time::timeout(TAG_TIMEOUT, write).await else {
        return Ok(later(run, repository, tag, late(), true));
    };
    let (stage, repository, tag, digest) = (stage.clone(), repository.clone(), tag.clone(), *digest);
    let event = match set {
        Ok(was) => {
            if was != Some(digest) {
                world.witness.wrote(Write::Registry).await;
            }
            let was = was.filter(|was| *was != digest);
            Event::Tagged { stage, repository: repository.clone(), tag: tag.clone(), digest, was }
        }
        Err(TagError::Taken { found, .. }) if !tag.is_anchor() => {
            let (repository, tag) = (repository.clone(), tag.clone());
            Event::Drifted { stage, repository, tag, wanted: digest, found: Some(found) }
        }
        Err(error) => {
            let is_away = matches!(error, TagError::Registry(RegistryError::Unavailable { .. }));
            return Ok(later(run, &repository, &tag, error.to_string(), is_away));
        }
    };
    noted(run, &repository, &tag, None);
    record_now(run, event).await?;
    Ok(Applied::Next)
}

/// Whether one of these releases had the digest.
fn had(stints: &Stints, repository: &Repository, digest: Digest) -> bool {
    stints
        .newest_first()
        .any(|stint| stint.release.get(repository).is_some_and(|pinned| pinned.digest == digest))
}

/// Removes the anchor of a digest, unless another pipeline has it as well.
pub(super) async fn untag(
    run: &mut Reconcile<'_>,
    repository: &Repository,
    digest: Digest,
) -> Result<Applied, ReconcileError> {
    let (world, tag) = (run.world, Tag::anchor(digest));
    let turn = world.tags.turn(repository);
    let Ok(_turn) = tokio::time::timeout(TAG_TIMEOUT, turn.lock()).await else {
        return Ok(later(run, repository, &tag, late(), true));
    };
    let kept = match other(run, repository, &tag).await? {
        Some(other) => Some(format!("{other} needs it")),
        None => match tokio::time::timeout(TAG_TIMEOUT, world.registry.untag(repository, digest)).await {
            Ok(Ok(Untagged::Gone)) => {
                world.witness.wrote(Write::Registry).await;
                None
            }
            Ok(Ok(Untagged::Kept(why))) => Some(why),
            Ok(Err(error)) => {
                let is_away = matches!(error, RegistryError::Unavailable { .. });
                return Ok(later(run, repository, &tag, error.to_string(), is_away));
            }
            Err(_) => return Ok(later(run, repository, &tag, late(), true)),
        },
    };
    noted(run, repository, &tag, None);
    record_now(run, Event::Untagged { repository: repository.clone(), tag, kept }).await?;
    Ok(Applied::Next)
}

/// Another pipeline whose record has this tag.
async fn other(
    run: &Reconcile<'_>,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Key>, ReconcileError> {
    for key in run.world.store.watchers(&repository.canonical()).await? {
        if key != run.lease.key && load(&run.world.store, &key).await?.tags.has(repository, tag) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn late() -> String {
    format!("no answer within {} s", TAG_TIMEOUT.as_secs())
}

fn later(run: &Reconcile<'_>, repository: &Repository, tag: &Tag, why: String, is_away: bool) -> Applied {
    tracing::info!(%repository, %tag, why, "a tag is not as it should be, later again");
    noted(run, repository, tag, Some((why, is_away)));
    Applied::Next
}

fn noted(run: &Reconcile<'_>, repository: &Repository, tag: &Tag, failed: Option<(String, bool)>) {
    let tag = (repository.clone(), tag.clone());
    let count = run.world.tags.note(tag, failed, (run.world.now)());
    run.world.witness.untaggable(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_less_and_less_often_until_it_works() {
        let writes = TagWrites::default();
        let name: Repository = "r.example/shop/web".parse().unwrap();
        let tag = (name.clone(), "prod".parse::<Tag>().unwrap());
        let mut now = Timestamp::UNIX_EPOCH;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            writes.note(tag.clone(), Some(("away".to_owned(), true)), now);
            let (_, again_at) = writes.failed()[&tag].clone();
            assert_eq!(again_at.duration_since(now).as_mins(), minutes);
            assert!(writes.is_resting(&name, now) && !writes.is_resting(&name, again_at));
            now = again_at;
        }
        writes.note(tag.clone(), Some(("immutable".to_owned(), false)), now);
        assert!(!writes.is_resting(&name, now), "another tag may be set");
        assert_eq!(writes.note(tag, None, now), 0);
    }
}
