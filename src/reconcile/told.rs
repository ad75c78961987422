//! What clusters said in the last look at each pipeline. One of which they say something else is looked at anew, at once; where
//! they go on saying the same, that counts as seen all the while, though nobody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{join_all, select_all};
use jiff::Timestamp;
use tokio::sync::watch;

use super::World;
use crate::image::Repository;
use crate::observation::{Sighting, Workloads};
use crate::pipeline::StageName;
use crate::store::{Key, StoreError, Urgency};

/// How long a change is left to settle: pods come and go together.
const SETTLE: Duration = Duration::from_secs(3);
/// How often clusters are asked where they tell of no change, so that they are followed on.
const INTERVAL: Duration = Duration::from_mins(1);

/// What clusters said, by pipeline.
#[derive(Debug, Default)]
pub struct Told {
    pipelines: Mutex<BTreeMap<Key, Vec<Asked>>>,
}

/// What a cluster was asked of a stage, and what it said.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) stage: StageName,
    pub(super) workloads: Workloads,
    pub(super) images: BTreeSet<Repository>,
    /// How long an answer counts.
    pub(super) counts_for: Duration,
    /// What it said in the look; none: nothing.
    pub(super) said: Option<Sighting>,
    /// Until when it was heard to say the same.
    pub(super) until: Option<Timestamp>,
}

impl Asked {
    /// Whether this is something else than it said in the look; the same prolongs that.
    fn hear(&mut self, now: &Sighting) -> bool {
        let Some(said) = &self.said else { return true };
        if !said.is_like(now) {
            return true;
        }
        let known = self.until.unwrap_or(said.at);
        let reached = known.checked_add(self.counts_for).unwrap_or(Timestamp::MAX);
        if (known..=reached).contains(&now.at) {
            self.until = Some(now.at);
        }
        false
    }
}

impl Clone for Told {
    fn clone(&self) -> Self {
        Self { pipelines: Mutex::new(self.lock().clone()) }
    }
}

impl Told {
    /// Keeps what was said in a look at this pipeline, and nothing of before.
    pub(super) fn note(&self, key: &Key, asked: Vec<Asked>) {
        let mut pipelines = self.lock();
        if asked.is_empty() {
            pipelines.remove(key);
        } else {
            pipelines.insert(key.clone(), asked);
        }
    }

    /// What was seen last of a stage, as late as the cluster was heard to say the same without a gap.
    pub(super) fn prolonged(&self, key: &Key, stage: &StageName, last: Sighting) -> Sighting {
        let pipelines = self.lock();
        let asked = pipelines.get(key).into_iter().flatten().find(|asked| asked.stage == *stage);
        let until = asked.filter(|asked| asked.said.as_ref() == Some(&last)).and_then(|asked| asked.until);
        Sighting { at: until.unwrap_or(last.at), ..last }
    }

    fn all(&self) -> Vec<(Key, Asked)> {
        let pipelines = self.lock();
        let of = |(key, asked): (&Key, &Vec<Asked>)| -> Vec<(Key, Asked)> {
            asked.iter().map(|asked| (key.clone(), asked.clone())).collect()
        };
        pipelines.iter().flat_map(of).collect()
    }

    /// Whether a pipeline has to be looked at for this answer.
    fn hear(&self, key: &Key, question: &Asked, now: &Sighting) -> bool {
        let mut pipelines = self.lock();
        let mut asked = pipelines.get_mut(key).into_iter().flatten();
        // A look that ended meanwhile has heard as much.
        let same = asked.find(|asked| asked.stage == question.stage && asked.said == question.said);
        same.is_some_and(|asked| asked.hear(now))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Asked>>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes those pipelines due of which a cluster says something else than in their last look.
///
/// # Errors
/// [`StoreError`] if the store cannot be written.
pub async fn wake_changed(world: &World) -> Result<(), StoreError> {
    let asked = world.told.all().into_iter().map(|(key, asked)| async move {
        let answer = world.observe_workloads(&asked.workloads, &asked.images).await;
        // One that does not tell is noticed by the next look.
        let now = Sighting::from(answer.ok()?);
        world.told.hear(&key, &asked, &now).then_some(key)
    });
    let keys: BTreeSet<Key> = join_all(asked).await.into_iter().flatten().collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key> = keys.into_iter().collect();
    world.store.mark(&keys, (world.now)(), Urgency::Told).await
}

/// Hears what the clusters tell, always.
pub async fn heed_clusters(world: Arc<World>) {
    let mut changes: Vec<watch::Receiver<()>> =
        world.clusters.values().map(|cluster| cluster.changes()).collect();
    while !changes.is_empty() {
        let changed = select_all(changes.iter_mut().map(|changes| Box::pin(changes.changed())));
        if tokio::time::timeout(INTERVAL, changed).await.is_ok() {
            tokio::time::sleep(SETTLE).await;
        }
        changes.iter_mut().for_each(watch::Receiver::mark_unchanged);
        if let Err(error) = wake_changed(&world).await {
            tracing::warn!(%error, "cannot note what clusters tell; the next look sees it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;
    use crate::observation::{Health, Which};

    fn sighting(second: i64, digest: &str, health: Health) -> Sighting {
        Sighting {
            at: Timestamp::from_second(second).unwrap(),
            source: "cluster staging".to_owned(),
            digests: [Digest::of(digest.as_bytes())].into(),
            ready: 2,
            wanted: 2,
            health,
            url: None,
        }
    }

    fn asked(said: Option<Sighting>) -> Asked {
        let which = Which::Selector("app=web".parse().unwrap());
        Asked {
            stage: "prod".parse().unwrap(),
            workloads: Workloads { cluster: "staging".to_owned(), namespace: "shop".to_owned(), which },
            images: BTreeSet::new(),
            counts_for: Duration::from_mins(5),
            said,
            until: None,
        }
    }

    #[test]
    fn what_is_said_anew_wakes_and_what_is_said_again_counts_as_seen() {
        let (told, key) = (Told::default(), Key::pipeline("env", "web".parse().unwrap()));
        let said = sighting(0, "a", Health::Healthy);
        let question = asked(Some(said.clone()));
        let stage = question.stage.clone();
        let hear = |second, digest, health| told.hear(&key, &question, &sighting(second, digest, health));
        let seen_until = || told.prolonged(&key, &stage, said.clone()).at.as_second();
        assert!(!hear(1, "b", Health::Healthy), "nobody asked");
        told.note(&key, vec![question.clone()]);
        assert_eq!(seen_until(), 0);
        assert!(!hear(300, "a", Health::Healthy));
        assert_eq!(seen_until(), 300);
        // Of a time before, and after a gap: it says nothing of what lies between.
        assert!(!hear(200, "a", Health::Healthy));
        assert!(!hear(601, "a", Health::Healthy));
        assert_eq!(seen_until(), 300);
        assert!(!hear(600, "a", Health::Healthy));
        assert!(hear(610, "b", Health::Healthy));
        assert!(hear(610, "a", Health::Degraded("crash loop".to_owned())));
        assert_eq!(seen_until(), 600);
        // What was kept of another look is not prolonged by this one.
        let older = sighting(-60, "a", Health::Healthy);
        assert_eq!(told.prolonged(&key, &stage, older.clone()), older);
        // The next look heard as much; what was asked before it is late.
        told.note(&key, vec![asked(Some(sighting(620, "b", Health::Healthy)))]);
        assert!(!hear(615, "c", Health::Healthy));
        told.note(&key, vec![asked(None)]);
        assert!(told.hear(&key, &asked(None), &said), "it tells again");
        told.note(&key, Vec::new());
        assert!(told.all().is_empty());
    }
}
