//! Starting, stopping, time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::forge::local::{LocalForge, People};
use lockkeeper::pipeline::parse_duration;
use lockkeeper::pull_request::MergeMethod;
use lockkeeper::reconcile::{
    EnvironmentRepository, RulesCache, World, WorldSettings, note_activity, run_one, start,
};
use lockkeeper::repository::{Credentials, Location, Mirror, create_bare};
use lockkeeper::store::{Key, Store};

use super::cast::people;
use super::{AwayForge, Checked, Running, Story, text};

impl Story {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    pub(super) fn running(&self) -> Result<&Running, String> {
        self.running.as_ref().ok_or_else(|| "the story has not started: `start`".to_owned())
    }

    pub(super) async fn start(&mut self) -> Checked {
        let files: Vec<(String, Vec<u8>)> = self.files.clone().into_iter().collect();
        create_bare(&self.bare(), "main", &files, "the environment\n", &self.somebody())
            .await
            .map_err(text)?;
        self.boot().await?;
        self.settle().await
    }

    pub(super) async fn boot(&mut self) -> Checked {
        let clock = self.clock.clone();
        let now: Arc<dyn Fn() -> Timestamp + Send + Sync> =
            Arc::new(move || Timestamp::from_microsecond(clock.load(Ordering::SeqCst)).unwrap());
        let location = Location::File(self.bare());
        let mirror = Mirror::open(location, &self.folder.path().join("mirror"), Credentials::default())
            .await
            .map_err(text)?;
        let activities = self.activities.clone();
        let people = People::fixed(people());
        let url = "http://127.0.0.1:1/forge/env".to_owned();
        let forge =
            LocalForge::open(&self.folder.path().join("forge"), mirror.clone(), people, url, now.clone())
                .await
                .map_err(text)?
                .with_sources(self.sources())
                .with_listener(Arc::new(move |activity| activities.lock().unwrap().push(activity)));
        let forge = Arc::new(forge);
        let repository = EnvironmentRepository {
            name: "env".to_owned(),
            base: "main".to_owned(),
            mirror: mirror.clone(),
            forge: Arc::new(AwayForge::new(forge.clone(), self.is_forge_away.clone())),
            merge_method: MergeMethod::Merge,
            poll_interval: Duration::from_mins(1),
            url_prefix: "http://127.0.0.1:1/forge/env/pulls/".to_owned(),
        };
        let world = World {
            store: Store::open(&self.folder.path().join("store.db")).await.map_err(text)?,
            registry: self.registry.clone(),
            repositories: BTreeMap::from([("env".to_owned(), repository)]),
            now,
            witness: self.stop.clone(),
            settings: WorldSettings {
                lease: Duration::from_mins(1),
                poll_interval: Duration::from_mins(5),
                hurried_timeout: Duration::from_millis(1_500),
                command_age_max: Duration::from_mins(15),
                author: ("lockkeeper".to_owned(), "lockkeeper@localhost".to_owned()),
            },
            rules: RulesCache::default(),
        };
        world.store.end_leases(self.now()).await.map_err(text)?;
        start(&world).await.map_err(text)?;
        self.running = Some(Running { world: Arc::new(world), forge, mirror });
        Ok(())
    }

    pub(super) fn sources(&self) -> BTreeMap<String, PathBuf> {
        let source = self.folder.path().join("source.git");
        BTreeMap::from([("https://git.test/shop/web".to_owned(), source)])
    }

    pub(super) async fn restart(&mut self) -> Checked {
        self.close_store().await;
        self.boot().await?;
        self.settle().await
    }

    pub(super) async fn close_store(&mut self) {
        if let Some(running) = self.running.take() {
            running.world.store.close().await;
        }
    }

    pub(super) async fn lose_store(&mut self) -> Checked {
        self.close_store().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("store.db{end}")));
        }
        self.boot().await?;
        self.settle().await
    }

    pub(super) async fn wait(&mut self, duration: &str) -> Checked {
        let duration = parse_duration(duration).map_err(text)?;
        self.clock.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
        self.look().await
    }

    /// Makes the repository due, as its timer would, and settles.
    pub(super) async fn look(&mut self) -> Checked {
        let now = self.now();
        self.running()?.world.store.mark(&[Key::repository("env")], now).await.map_err(text)?;
        self.settle().await
    }

    /// Works until nothing is due any more; starts anew where the world was stopped.
    pub async fn settle(&mut self) -> Checked {
        for _ in 0..200 {
            let before = self.writes();
            let world = self.running()?.world.clone();
            let activities = std::mem::take(&mut *self.activities.lock().unwrap());
            for activity in activities {
                note_activity(&world, "env", activity)
                    .await
                    .map_err(text)
                    .or_else(|error| self.if_away(error))?;
            }
            let has_worked = run_one(&world).await.map_err(text)?;
            let stop_at = self.stop.at.load(Ordering::SeqCst);
            if stop_at > before && self.writes() >= stop_at {
                self.close_store().await;
                self.boot().await?;
                continue;
            }
            if !has_worked && self.activities.lock().unwrap().is_empty() {
                return Ok(());
            }
        }
        Err("the world does not settle".to_owned())
    }

    pub(super) fn if_away(&self, error: String) -> Checked {
        if self.is_forge_away.load(Ordering::SeqCst) { Ok(()) } else { Err(error) }
    }
}
