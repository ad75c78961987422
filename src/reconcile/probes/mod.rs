//! Asking registries on a schedule whether what is live, and what would be gone back to, is still there, and what channels
//! name.
//!
//! It is done beside the reconciles, which say what they want to know and read what is known: no promotion and no rollback
//! waits for it. A question that several pipelines have is asked once. Where an answer changes, the pipelines that asked
//! are looked at; what it means is theirs to say. What is known is kept with each pipeline, so that a start forgets nothing;
//! what was never asked, or not for long, is spread over the whole interval.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::World;
use crate::image::Digest;
use crate::plan::{Answer, Probed, Question};
use crate::registry::{Registry, RegistryError};
use crate::store::{Key, Store, StoreError, Urgency};
use crate::witness;

/// Questions asked at one time.
const AT_ONCE: usize = 4;
/// Questions taken up at one time: those that became due meanwhile are not kept behind a registry that is slow.
const BATCH_MAX: usize = 64;
/// Longest that one question may take: some requests, each a fraction of a second.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// What got no answer is asked again after this time, doubled up to the interval.
const AGAIN: Duration = Duration::from_mins(1);
/// So many intervals after it was due, a question is not asked at once, with all others, but spread anew.
const LONG_INTERVALS: u32 = 4;
/// Between two looks for what is due: intervals are minutes.
const TICK: Duration = Duration::from_secs(1);

/// What is asked for, and what is known.
#[derive(Debug, Default)]
pub struct Probes {
    known: Mutex<BTreeMap<Question, Known>>,
    /// The pipelines whose knowledge was read since the start.
    read: Mutex<BTreeSet<Key>>,
    /// The pipelines with questions that are not kept yet.
    unkept: Mutex<BTreeSet<Key>>,
    /// Whether what was kept of all pipelines was taken up.
    is_begun: AtomicBool,
}

#[derive(Debug)]
struct Known {
    wanted_by: BTreeSet<Key>,
    kept: Kept,
}

/// What is kept of one question.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    due: Timestamp,
    probed: Probed,
    /// Questions in a row without an answer.
    failures: u32,
}

impl Probes {
    /// Notes what a pipeline wants to know, and nothing else; returns what is known of it.
    pub(super) fn want(
        &self,
        key: &Key,
        wanted: &BTreeSet<Question>,
        now: Timestamp,
        interval: Duration,
    ) -> BTreeMap<Question, Probed> {
        let mut all = self.lock();
        all.retain(|question, known| {
            if !wanted.contains(question) {
                known.wanted_by.remove(key);
            }
            !known.wanted_by.is_empty()
        });
        if wanted.iter().any(|question| !all.contains_key(question)) {
            lock(&self.unkept).insert(key.clone());
        }
        let found = wanted.iter().map(|question| {
            let known = all.entry(question.clone()).or_insert_with(|| Known {
                wanted_by: BTreeSet::new(),
                kept: Kept {
                    due: after(now, part(interval, share(question))),
                    probed: Probed::default(),
                    failures: 0,
                },
            });
            known.wanted_by.insert(key.clone());
            (question.clone(), known.kept.probed.clone())
        });
        found.collect()
    }

    /// Takes up what was kept of a pipeline before the start, once.
    pub(super) async fn recall(&self, store: &Store, key: &Key, now: Timestamp, interval: Duration) {
        if !lock(&self.read).insert(key.clone()) {
            return;
        }
        let text = store.cursor(&cursor(key)).await.unwrap_or_default().unwrap_or_default();
        // What cannot be read is asked for anew.
        let kept: Vec<(Question, Kept)> = serde_json::from_str(&text).unwrap_or_default();
        let mut all = self.lock();
        for (question, mut kept) in kept {
            let spread = after(now, part(interval, share(&question)));
            if after(kept.due, interval * LONG_INTERVALS) < now || kept.due > spread {
                kept.due = spread;
            }
            let known = all.entry(question).or_insert_with(|| Known { wanted_by: BTreeSet::new(), kept });
            known.wanted_by.insert(key.clone());
        }
    }

    /// Keeps new questions of a pipeline: when they are due is not forgotten either.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not take it.
    pub(super) async fn keep_new(&self, store: &Store, key: &Key) -> Result<(), StoreError> {
        if lock(&self.unkept).remove(key) { self.keep(store, key).await } else { Ok(()) }
    }

    async fn keep(&self, store: &Store, key: &Key) -> Result<(), StoreError> {
        let kept = serde_json::to_string(&self.kept(key)).unwrap_or_default();
        store.set_cursor(&cursor(key), &kept).await
    }

    /// What is to be kept of a pipeline.
    fn kept(&self, key: &Key) -> Vec<(Question, Kept)> {
        let all = self.lock();
        let of_it = all.iter().filter(|(_, known)| known.wanted_by.contains(key));
        of_it.map(|(question, known)| (question.clone(), known.kept.clone())).collect()
    }

    /// Forgets a pipeline that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().retain(|_, known| {
            known.wanted_by.remove(key);
            !known.wanted_by.is_empty()
        });
    }

    /// Asks soon: something was heard of it.
    pub(super) fn hasten(&self, question: &Question, now: Timestamp) {
        if let Some(known) = self.lock().get_mut(question) {
            known.kept.due = known.kept.due.min(now);
        }
    }

    /// Everything is asked anew within the interval: the clock was set.
    pub(super) fn respread(&self, now: Timestamp, interval: Duration) {
        for (question, known) in self.lock().iter_mut() {
            known.kept.due = known.kept.due.min(after(now, part(interval, share(question))));
        }
    }

    /// The questions that are due, the longest waiting first.
    fn due(&self, now: Timestamp) -> Vec<Question> {
        let all = self.lock();
        let mut due: Vec<_> = all.iter().filter(|(_, known)| known.kept.due <= now).collect();
        due.sort_by_key(|(_, known)| known.kept.due);
        due.into_iter().take(BATCH_MAX).map(|(question, _)| question.clone()).collect()
    }

    /// Notes an answer, asked for at `asked`; returns who asked, and whether they have to look at it.
    fn note(
        &self,
        question: &Question,
        answer: Result<Answer, String>,
        asked: Timestamp,
        interval: Duration,
    ) -> (BTreeSet<Key>, bool) {
        let mut all = self.lock();
        let Some(Known { wanted_by, kept }) = all.get_mut(question) else { return Default::default() };
        let before = kept.probed.clone();
        match answer {
            Ok(answer) => {
                kept.failures = 0;
                kept.probed = Probed { answer: Some((asked, answer)), silent: None };
                // Up to a tenth earlier, so that what began together does not stay together.
                kept.due = after(asked, interval.saturating_sub(part(interval, share(question)) / 10));
            }
            Err(reason) => {
                kept.failures = kept.failures.saturating_add(1);
                kept.probed.silent.get_or_insert((asked, reason));
                let wait = AGAIN.saturating_mul(1 << (kept.failures - 1).min(16)).min(interval);
                kept.due = after(asked, wait);
            }
        }
        let says = |probed: &Probed| {
            (probed.answer.as_ref().map(|(_, answer)| answer.clone()), probed.silent.clone())
        };
        (wanted_by.clone(), says(&before) != says(&kept.probed))
    }

    /// What is known, for figures.
    fn count(&self) -> witness::Probes {
        let mut found = witness::Probes::default();
        for (question, known) in self.lock().iter() {
            let Question::Image(..) = question else { continue };
            match (&known.kept.probed.silent, &known.kept.probed.answer) {
                (Some(_), _) => found.unknown += 1,
                (None, Some((_, Answer::Present(_)))) => found.available += 1,
                (None, Some((_, Answer::Missing(_)))) => found.missing += 1,
                (None, Some((_, Answer::Names(_))) | None) => found.unprobed += 1,
            }
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Question, Known>> {
        lock(&self.known)
    }
}

/// Asks what is due; returns whether there was anything.
///
/// # Errors
/// [`StoreError`] if what is known cannot be kept, or the pipelines concerned cannot be made due.
pub async fn probe_due(world: &World) -> Result<bool, StoreError> {
    begin(world).await?;
    let due = world.probes.due((world.now)());
    if due.is_empty() {
        return Ok(false);
    }
    let interval = world.settings.probe_interval;
    let noted: Vec<(BTreeSet<Key>, bool)> = stream::iter(due)
        .map(|question| async move {
            let asked = (world.now)();
            let answer = twice(world.registry.as_ref(), &question).await;
            if let Err(reason) = &answer {
                tracing::info!(?question, reason, "a probe got no answer, later again");
            }
            world.probes.note(&question, answer, asked, interval)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    world.witness.probed(world.probes.count());
    let asking: BTreeSet<&Key> = noted.iter().flat_map(|(keys, _)| keys).collect();
    for key in asking {
        world.probes.keep(&world.store, key).await?;
    }
    let changed = noted.iter().filter(|(_, is_news)| *is_news).flat_map(|(keys, _)| keys);
    let changed: Vec<Key> = changed.collect::<BTreeSet<_>>().into_iter().cloned().collect();
    if !changed.is_empty() {
        world.store.mark(&changed, (world.now)(), Urgency::Time).await?;
    }
    Ok(true)
}

/// Takes up what was kept of all pipelines, before the first question.
async fn begin(world: &World) -> Result<(), StoreError> {
    if world.probes.is_begun.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (now, interval) = ((world.now)(), world.settings.probe_interval);
    for name in world.repositories.keys() {
        for key in world.store.keys(name).await? {
            world.probes.recall(&world.store, &key, now, interval).await;
        }
    }
    world.probes.is_begun.store(true, Ordering::Relaxed);
    Ok(())
}

/// Under which what is known for a pipeline is kept.
fn cursor(key: &Key) -> String {
    format!("probes:{key}")
}

/// Asks what is due, for ever.
pub async fn probe_always(world: Arc<World>) {
    loop {
        match probe_due(&world).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "what the probes found is not looked at yet"),
        }
        tokio::time::sleep(TICK).await;
    }
}

/// One call that fails is no silence yet.
async fn twice(registry: &dyn Registry, question: &Question) -> Result<Answer, String> {
    match ask(registry, question).await {
        Ok(answer) => Ok(answer),
        Err(_) => ask(registry, question).await,
    }
}

async fn ask(registry: &dyn Registry, question: &Question) -> Result<Answer, String> {
    let asked = async {
        match question {
            Question::Image(repository, digest) => match registry.probe(repository, *digest).await {
                Ok(platforms) => Ok(Answer::Present(platforms.len())),
                Err(RegistryError::NotFound { what }) => Ok(Answer::Missing(what)),
                Err(error) => Err(error.to_string()),
            },
            Question::Channel(repository, tag) => match registry.resolve(repository, tag).await {
                Ok(digest) => Ok(Answer::Names(Some(digest))),
                Err(RegistryError::NotFound { .. }) => Ok(Answer::Names(None)),
                Err(error) => Err(error.to_string()),
            },
        }
    };
    let late = |_| Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs()));
    tokio::time::timeout(PROBE_TIMEOUT, asked).await.unwrap_or_else(late)
}

/// A number that a question has for good, to spread questions by.
fn share(question: &Question) -> u32 {
    let hex = Digest::of(format!("{question:?}").as_bytes()).hex();
    hex.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// The part of an interval that a share of all numbers is.
fn part(interval: Duration, share: u32) -> Duration {
    interval.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn after(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
