//! Starting, stopping, time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::forge::Clock;
use lockkeeper::pipeline::parse_duration;
use lockkeeper::pull_request::MergeMethod;
use lockkeeper::reconcile::{
    EnvironmentRepository, Intervals, Polls, Probes, RulesCache, TagWrites, TouchedAnswers, World,
    WorldSettings, probe_due, run_one, start,
};
use lockkeeper::repository::{Credentials, Location, Mirror, create_bare};
use lockkeeper::store::{Key, Store, Urgency};

use super::super::secrets::GIT_TOKEN;
use super::host::Sides;
use super::local::LocalHost;
use super::{Checked, FaultyForge, Running, Side, Story, text};

/// Keys worked on until a world has to be still.
const ROUNDS_MAX: usize = 300;

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
        if let Side::GitHub(github) = &mut self.side {
            github.begin(self.folder.path(), &self.clock, self.faults.clone())?;
        }
        Box::pin(self.reboot()).await?;
        self.settle().await
    }

    /// Starts the process anew, as often as it is stopped while it starts. What it had in memory is gone.
    pub(super) async fn reboot(&mut self) -> Checked {
        loop {
            self.end().await;
            self.boot().await?;
            let (world, now) = (self.running()?.world.clone(), self.now());
            let begin = async {
                world.store.end_leases(now).await?;
                start(&world).await
            };
            if let Some(begun) = self.faults.clone().alive(begin).await {
                return begun.map_err(text);
            }
        }
    }

    /// Opens everything as it is on disk; nothing is due that was not.
    pub(super) async fn boot(&mut self) -> Checked {
        let clock = self.clock.clone();
        let now: Clock = Arc::new(move || Timestamp::from_microsecond(clock.load(Ordering::SeqCst)).unwrap());
        let location = Location::File(self.bare());
        let token_file = self.folder.path().join("git-token");
        std::fs::write(&token_file, GIT_TOKEN).map_err(text)?;
        let credentials = Credentials { token_file: Some(token_file), ..Credentials::default() };
        let mirror =
            Mirror::open(location, &self.folder.path().join("mirror"), credentials).await.map_err(text)?;
        let witnessed = mirror.clone().witnessed(self.faults.clone());
        let store = Store::open(&self.folder.path().join("store.db")).await.map_err(text)?;
        let store = store.witnessed(self.faults.clone());
        let (forge, host) = match &self.side {
            Side::Local => self.open_local(witnessed.clone(), now.clone()).await?,
            Side::GitHub(github) => github.open(store.clone(), now.clone())?,
        };
        let repository = EnvironmentRepository {
            name: "env".to_owned(),
            base: "main".to_owned(),
            mirror: witnessed,
            forge: Arc::new(FaultyForge {
                inner: forge.clone(),
                connection: self.connection.clone(),
                faults: self.faults.clone(),
            }),
            merge_method: MergeMethod::Merge,
            poll_interval: Duration::from_mins(1),
            url_prefix: forge.url_prefix(),
        };
        let world = World {
            store,
            registry: self.registry.clone(),
            repositories: BTreeMap::from([("env".to_owned(), repository)]),
            clusters: BTreeMap::from([("here".to_owned(), self.cluster.clone().at(now.clone()))]),
            now,
            witness: self.faults.clone(),
            settings: WorldSettings {
                lease: Duration::from_mins(1),
                polls: Intervals { polled: Duration::from_mins(5), told: Duration::from_mins(5) },
                probe_interval: self.probe_interval,
                // Of this machine's clock: what answers at once is never too late.
                look_max: self.look_max,
                hurried_timeout: Duration::from_millis(100),
                unhurried_timeout: Duration::from_millis(100),
                command_age_max: Duration::from_mins(15),
                source_links: vec!["git.test/shop".to_owned()],
                author: ("lockkeeper".to_owned(), "lockkeeper@localhost".to_owned()),
            },
            rules: RulesCache::default(),
            policies: lockkeeper::reconcile::Policies::default(),
            polls: Polls::default(),
            probes: Probes::default(),
            tags: TagWrites::default(),
            told: std::mem::take(&mut self.told),
            touched: TouchedAnswers::default(),
        };
        self.running = Some(Running { world: Arc::new(world), forge, host, mirror });
        Ok(())
    }

    async fn open_local(&self, mirror: Mirror, clock: Clock) -> Result<Sides, String> {
        let sources = BTreeMap::from([(self.source_address(), self.folder.path().join("source.git"))]);
        let (faults, connection) = (self.faults.clone(), self.connection.clone());
        let folder = self.folder.path().join("forge");
        LocalHost::open(&folder, mirror, clock, sources, faults, connection).await
    }

    /// Where images say that their source is.
    pub(super) fn source_address(&self) -> String {
        match &self.side {
            Side::Local => "https://git.test/shop/web".to_owned(),
            Side::GitHub(github) => github.source(),
        }
    }

    pub(super) async fn restart(&mut self) -> Checked {
        Box::pin(self.reboot()).await?;
        self.settle().await
    }

    pub(super) async fn end(&mut self) {
        self.registry.forget();
        if let Some(Running { world, forge, host, .. }) = self.running.take() {
            world.store.close().await;
            drop((world, forge));
            host.end().await;
        }
    }

    pub(super) async fn lose_store(&mut self) -> Checked {
        self.end().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("store.db{end}")));
        }
        self.restart().await
    }

    pub(super) async fn wait(&mut self, duration: &str) -> Checked {
        let duration = parse_duration(duration).map_err(text)?;
        self.clock.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
        self.look().await
    }

    /// Sets the clock, which the workers notice.
    pub(super) async fn set_clock(&mut self, direction: &str, duration: &str) -> Checked {
        let duration = parse_duration(duration).map_err(text)?;
        let micros = i64::try_from(duration.as_micros()).unwrap();
        let micros = match direction {
            "back" => -micros,
            "forward" => micros,
            _ => return Err("clock back/forward DURATION".to_owned()),
        };
        self.clock.fetch_add(micros, Ordering::SeqCst);
        self.look_at_all().await
    }

    /// Makes the repository due, as its timer would, and settles.
    pub(super) async fn look(&mut self) -> Checked {
        let now = self.now();
        self.running()?
            .world
            .store
            .mark(&[Key::repository("env")], now, Urgency::Time)
            .await
            .map_err(text)?;
        self.settle().await
    }

    /// Makes everything due, as the timers would in the end, and settles.
    pub async fn look_at_all(&mut self) -> Checked {
        start(&self.running()?.world).await.map_err(text)?;
        self.settle().await
    }

    /// Works until nothing is due any more; starts anew where the world was stopped.
    pub async fn settle(&mut self) -> Checked {
        for _ in 0..ROUNDS_MAX {
            match self.faults.clone().alive(Box::pin(self.round()?)).await {
                Some(Ok(true)) => {}
                Some(Ok(false)) => return Ok(()),
                Some(Err(error)) => return Err(error),
                None => Box::pin(self.reboot()).await?,
            }
        }
        Err("the world does not settle".to_owned())
    }

    /// One turn of the server: what the forge tells, and one key that is due. Returns whether there was anything.
    fn round(&self) -> Result<impl Future<Output = Result<bool, String>> + use<>, String> {
        let (world, host) = (self.running()?.world.clone(), self.running()?.host.clone());
        Ok(async move {
            host.tell(&world).await?;
            let has_probed = probe_due(&world).await.map_err(text)?;
            let has_worked = run_one(&world).await.map_err(text)?;
            Ok(has_probed || has_worked || host.has_news())
        })
    }
}
