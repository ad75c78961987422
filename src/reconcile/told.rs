//! What clusters said in the last look at each pipeline, and since.
//!
//! One of which they say something else is looked at anew, soon, and the look hears all that was said meanwhile. Where they go
//! on saying the same, that counts as seen all the while, though nobody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::World;
use crate::cluster::Cluster;
use crate::image::Repository;
use crate::observation::{Sighting, Workloads};
use crate::pipeline::StageName;
use crate::plan::later;
use crate::store::{Key, StoreError, Urgency};

/// How long a change is left to settle: pods come and go together.
const SETTLE: Duration = Duration::from_secs(3);
/// How often all is asked for, also where nothing changed, so that it is followed on.
const INTERVAL: Duration = Duration::from_mins(1);
/// How often a pipeline is woken at most: a probe that fails now and then is no reason for a look each time.
const AWAKE_MIN: Duration = Duration::from_secs(10);
/// What a stage is said to be since a look; then the last gives way.
const SINCE_MAX: usize = 8;

/// What clusters said, by pipeline.
#[derive(Debug, Default)]
pub struct Told {
    pipelines: Mutex<BTreeMap<Key, Pipeline>>,
}

#[derive(Debug, Default, Clone)]
struct Pipeline {
    asked: Vec<Asked>,
    /// When it was due last for what was heard.
    woken: Option<Timestamp>,
}

/// What a cluster is asked of a stage, and what it said.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) stage: StageName,
    pub(super) question: Question,
    /// How long an answer counts.
    pub(super) counts_for: Duration,
    /// What it said in the look; none: nothing.
    pub(super) said: Option<Sighting>,
    /// Until when it was heard to say the same.
    pub(super) until: Option<Timestamp>,
    /// What else it said since, oldest first.
    pub(super) since: Vec<Sighting>,
    /// How much of that a look has read.
    pub(super) read: usize,
}

/// What of a cluster is asked, and of which images.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) workloads: Workloads,
    pub(super) images: BTreeSet<Repository>,
}

impl Asked {
    /// Whether this is something else than it said before; the same prolongs what it said in the look. What is heard later was
    /// said later, whatever its time: that is of the oldest word in it.
    fn hear(&mut self, now: &Sighting) -> bool {
        let known = self.since.last().or(self.said.as_ref());
        let now = now.clone().after(known);
        if let Some(known) = known.filter(|known| known.is_like(&now)) {
            let reached = later(self.until.unwrap_or(known.at), self.counts_for);
            if self.since.is_empty() && now.at <= reached {
                self.until = self.until.max(Some(now.at));
            }
            return false;
        }
        self.since.truncate(SINCE_MAX - 1);
        self.read = self.read.min(self.since.len());
        self.since.push(now);
        true
    }

    /// What a look knows by this: its own answer, or, where it got none, what was known before; and what came after either.
    fn after(mut self, before: &Pipeline) -> Self {
        let known = before.asked.iter().find(|known| known.is_about(&self.stage, &self.question));
        match (known, &self.said) {
            (Some(known), None) => known.clone(),
            (Some(known), Some(_)) => {
                self.since = known.since.get(known.read..).unwrap_or_default().to_vec();
                self
            }
            (None, _) => self,
        }
    }

    fn is_about(&self, stage: &StageName, question: &Question) -> bool {
        self.stage == *stage && self.question == *question
    }
}

impl Pipeline {
    /// When it is to be looked at, where it is woken at this time.
    fn wake(&mut self, now: Timestamp) -> Timestamp {
        let soonest = later(now, AWAKE_MIN);
        let due = match self.woken {
            Some(woken) if (now..=soonest).contains(&woken) => woken,
            // Not what was woken by a clock that was set back since.
            Some(woken) if woken < now => later(woken, AWAKE_MIN).max(now),
            Some(_) | None => now,
        };
        self.woken = Some(due);
        due
    }
}

impl Clone for Told {
    fn clone(&self) -> Self {
        Self { pipelines: Mutex::new(self.lock().clone()) }
    }
}

impl Told {
    /// Keeps what was said in a look at this pipeline; nothing: it asks no more.
    pub(super) fn note(&self, key: &Key, asked: Vec<Asked>) {
        let mut pipelines = self.lock();
        let before = pipelines.remove(key).unwrap_or_default();
        if !asked.is_empty() {
            let asked = asked.into_iter().map(|asked| asked.after(&before)).collect();
            pipelines.insert(key.clone(), Pipeline { asked, woken: before.woken });
        }
    }

    /// Forgets all of it, before all is looked at anew.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// What was kept of a stage, as late as the cluster was heard to say the same without a gap; and what it said since.
    pub(super) fn heard(
        &self,
        key: &Key,
        stage: &StageName,
        question: &Question,
        last: Option<Sighting>,
    ) -> (Option<Sighting>, Vec<Sighting>) {
        let mut pipelines = self.lock();
        let mut asked = pipelines.get_mut(key).into_iter().flat_map(|pipeline| &mut pipeline.asked);
        let Some(asked) = asked.find(|asked| asked.is_about(stage, question)) else {
            return (last, Vec::new());
        };
        asked.read = asked.since.len();
        let until = asked.until.filter(|_| asked.said == last);
        let last = last.map(|last| Sighting { at: until.unwrap_or(last.at), ..last });
        (last, asked.since.clone())
    }

    /// What is asked of a cluster, in these namespaces or in all, and for which stages; each question once.
    fn questions(
        &self,
        cluster: &str,
        namespaces: Option<&BTreeSet<String>>,
    ) -> BTreeMap<Question, Vec<(Key, StageName)>> {
        let mut questions: BTreeMap<Question, Vec<(Key, StageName)>> = BTreeMap::new();
        for (key, pipeline) in self.lock().iter() {
            for asked in pipeline.asked.iter().filter(|asked| asked.question.workloads.cluster == cluster) {
                let mut looked_at = asked.question.workloads.namespaces();
                if namespaces.is_none_or(|changed| looked_at.any(|name| changed.contains(name))) {
                    let of = questions.entry(asked.question.clone()).or_default();
                    of.push((key.clone(), asked.stage.clone()));
                }
            }
        }
        questions
    }

    /// When a pipeline has to be looked at for this answer; none: not for this.
    fn hear(
        &self,
        key: &Key,
        stage: &StageName,
        question: &Question,
        said: &Sighting,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut pipelines = self.lock();
        let pipeline = pipelines.get_mut(key)?;
        let asked = pipeline.asked.iter_mut().find(|asked| asked.is_about(stage, question))?;
        if asked.hear(said) { Some(pipeline.wake(now)) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Pipeline>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes those pipelines due of which a cluster says something else than before. `namespaces` are those that changed; none: all
/// are asked for.
///
/// # Errors
/// [`StoreError`] if the store cannot be written.
pub async fn wake_changed(
    world: &World,
    cluster: &str,
    namespaces: Option<&BTreeSet<String>>,
) -> Result<(), StoreError> {
    let questions = world.told.questions(cluster, namespaces).into_iter();
    let heard = questions.map(|(question, of)| async move {
        let answer = world.observe_workloads(&question.workloads, &question.images).await;
        // A cluster that does not tell is noticed by the next look.
        let said = Sighting::from(answer.ok()?);
        // At once: what is heard later was said later.
        let hear = |(key, stage): (Key, StageName)| {
            let due = world.told.hear(&key, &stage, &question, &said, (world.now)())?;
            Some((key, due))
        };
        Some(of.into_iter().filter_map(hear).collect::<Vec<(Key, Timestamp)>>())
    });
    for (key, due) in join_all(heard).await.into_iter().flatten().flatten() {
        world.store.mark(&[key], due, Urgency::Told).await?;
    }
    Ok(())
}

/// Hears what the clusters tell, always.
pub async fn heed_clusters(world: Arc<World>) {
    join_all(world.clusters.iter().map(|(name, cluster)| heed(&world, name, cluster.as_ref()))).await;
}

async fn heed(world: &World, name: &str, cluster: &dyn Cluster) {
    let mut all = interval(INTERVAL);
    all.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let namespaces = tokio::select! {
            _ = all.tick() => None,
            namespaces = cluster.changed() => {
                sleep(SETTLE).await;
                Some(namespaces)
            }
        };
        if let Err(error) = wake_changed(world, name, namespaces.as_ref()).await {
            tracing::warn!(cluster = name, %error, "cannot note what a cluster tells; the next look sees it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;
    use crate::observation::{Health, Which};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sighting(second: i64, digest: &str, health: Health) -> Sighting {
        Sighting {
            at: at(second),
            source: "cluster here".to_owned(),
            digests: [Digest::of(digest.as_bytes())].into(),
            ready: 2,
            wanted: 2,
            health,
            url: None,
        }
    }

    fn asked(said: Option<Sighting>) -> Asked {
        let which = Which::Selector("app=web".parse().unwrap());
        let workloads = Workloads { cluster: "here".to_owned(), namespace: "shop".to_owned(), which };
        Asked {
            stage: "prod".parse().unwrap(),
            question: Question { workloads, images: BTreeSet::new() },
            counts_for: Duration::from_mins(5),
            said,
            until: None,
            since: Vec::new(),
            read: 0,
        }
    }

    struct World {
        told: Told,
        key: Key,
    }

    impl World {
        fn new(said: Option<Sighting>) -> Self {
            let world = Self { told: Told::default(), key: Key::pipeline("env", "web".parse().unwrap()) };
            world.told.note(&world.key, vec![asked(said)]);
            world
        }

        /// When it is woken by this, in seconds.
        fn hear(&self, said: &Sighting) -> Option<i64> {
            let Asked { stage, question, .. } = asked(None);
            self.told.hear(&self.key, &stage, &question, said, said.at).map(Timestamp::as_second)
        }

        /// Until when the sighting counts as repeated, and when others came.
        fn heard(&self, last: &Sighting) -> (i64, Vec<i64>) {
            let Asked { stage, question, .. } = asked(None);
            let (last, since) = self.told.heard(&self.key, &stage, &question, Some(last.clone()));
            (last.unwrap().at.as_second(), since.iter().map(|heard| heard.at.as_second()).collect())
        }
    }

    #[test]
    fn what_is_said_again_counts_as_seen_up_to_a_gap() {
        let said = sighting(0, "a", Health::Healthy);
        let world = World::new(Some(said.clone()));
        assert_eq!(world.heard(&said), (0, vec![]));
        // Each within five minutes of the one before; what is late says nothing of the time between.
        for (second, want) in [(300, 300), (200, 300), (601, 300), (600, 600), (610, 610)] {
            assert_eq!(world.hear(&sighting(second, "a", Health::Healthy)), None);
            assert_eq!(world.heard(&said), (want, vec![]), "{second}");
        }
        // What was kept of another look is not prolonged by this one.
        assert_eq!(world.heard(&sighting(-60, "a", Health::Healthy)), (-60, vec![]));
    }

    #[test]
    fn what_is_said_anew_wakes_once_and_is_heard_by_the_look() {
        let said = sighting(0, "a", Health::Healthy);
        let bad = || Health::Degraded("crash loop".to_owned());
        let world = World::new(Some(said.clone()));
        assert_eq!(world.hear(&sighting(10, "a", bad())), Some(10));
        // A look that fails is due again by its own time.
        assert_eq!(world.hear(&sighting(13, "a", bad())), None);
        // It is not prolonged past what was said otherwise; and not woken for each change.
        assert_eq!(world.hear(&sighting(16, "a", Health::Healthy)), Some(20));
        assert_eq!(world.hear(&sighting(19, "b", Health::Healthy)), Some(20));
        assert_eq!(world.heard(&said), (0, vec![10, 16, 19]));
        // What is heard while a look is under way is for the next one; one without an answer has read nothing new.
        assert_eq!(world.hear(&sighting(19, "a", Health::Healthy)), Some(20));
        world.told.note(&world.key, vec![asked(Some(sighting(12, "b", Health::Healthy)))]);
        world.told.note(&world.key, vec![asked(None)]);
        let after = at(19).as_microsecond() + 1;
        let since = world.told.lock()[&world.key].asked[0].since.clone();
        assert_eq!(since.iter().map(|heard| heard.at.as_microsecond()).collect::<Vec<_>>(), [after]);
        for second in 40..60 {
            world.hear(&sighting(second, &second.to_string(), Health::Healthy));
        }
        assert_eq!(world.heard(&said).1.len(), SINCE_MAX);
        assert_eq!(world.heard(&said).1.last(), Some(&59));
        world.told.note(&world.key, Vec::new());
        assert_eq!(world.hear(&sighting(70, "c", Health::Healthy)), None);
    }

    #[test]
    fn a_cluster_that_tells_again_wakes() {
        let world = World::new(None);
        assert_eq!(world.hear(&sighting(1_000, "a", Health::Healthy)), Some(1_000));
        assert_eq!(world.hear(&sighting(1_001, "a", Health::Healthy)), None);
        // A clock was set back: all is looked at anew, and nothing of before holds that up.
        world.told.forget();
        assert_eq!(world.hear(&sighting(500, "a", Health::Healthy)), None, "nobody asked yet");
        world.told.note(&world.key, vec![asked(None)]);
        assert_eq!(world.hear(&sighting(510, "a", Health::Healthy)), Some(510));
    }

    #[test]
    fn only_what_changed_is_asked_for_and_each_question_once() {
        let told = Told::default();
        for name in ["web", "api"] {
            told.note(&Key::pipeline("env", name.parse().unwrap()), vec![asked(None)]);
        }
        let count = |cluster, namespace: Option<&str>| -> Vec<usize> {
            let namespaces = namespace.map(|name| BTreeSet::from([name.to_owned()]));
            told.questions(cluster, namespaces.as_ref()).values().map(Vec::len).collect()
        };
        assert_eq!(count("here", None), [2]);
        assert_eq!(count("here", Some("shop")), [2]);
        assert!(count("here", Some("bank")).is_empty());
        assert!(count("there", None).is_empty());
    }
}
