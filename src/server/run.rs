//! The running server in one piece: pages and webhooks, workers, and what happens at the local forges.
//!
//! It starts with what was missed (every lease of a server before us ends, everything is due once), and stops in the
//! order in which nothing is lost: no new connection, no new work, then what is in hand has `stop_timeout` to finish.
//! What does not finish is taken up again at the next start. A file that is damaged is not served from.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::assemble::Activities;
use super::github::sweep_always;
use super::webhooks::verify::EmptySecret;
use super::{App, Clock, GitHubReceiver, Health, Observer, Receiver, ServeError, Serving, serve};
use crate::notify::{self, NotifyError, Pace, Telling};
use crate::reconcile::{self, EnvironmentRepository, World};
use crate::settings::{NotifyTarget, Settings};
use crate::store::{Store, StoreError};
use crate::telemetry::{
    IMAGES_PROBED, Metrics, RECONCILE_SECONDS, RECONCILES, REGISTRY_REQUESTS, TAGS_REFUSED, WRITES,
};
use crate::witness::{Asked, Probes, Witness, Worked, Write};

/// Between two removals of finished deliveries; they are kept for days, so once an hour is early enough.
const PRUNE_INTERVAL: Duration = Duration::from_hours(1);

/// What runs.
#[derive(Debug)]
pub struct Service {
    /// What the workers work on.
    pub world: World,
    /// What the pages and webhooks share; its store is that of the world.
    pub app: App,
    /// The pages of the local forges, and whatever else is served behind the same guards.
    pub routers: Vec<Router>,
    /// What happens at the local forges.
    pub activities: Activities,
    /// Who is told what happens.
    pub notify: Vec<NotifyTarget>,
    /// Pipelines that are worked on at one time.
    pub workers: usize,
    /// How long ids of finished deliveries are kept.
    pub remember_deliveries: Duration,
    /// The file of the store: one server works on it.
    pub store_path: PathBuf,
}

/// Why the server does not run, or stopped before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another server works on this store.
    #[error("another server works on store {}", path.display())]
    Taken {
        /// The file of the store.
        path: PathBuf,
    },
    /// The lock beside the store cannot be taken.
    #[error("lock of store {}: {source}", path.display())]
    Lock {
        /// The file of the store.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Those who want to be told cannot be.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// The listening socket failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Counts writes, and notes which repositories were read.
#[derive(Debug)]
pub struct Tally {
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` says.
    pub health: Arc<Health>,
}

#[async_trait]
impl Witness for Tally {
    async fn wrote(&self, write: Write) {
        self.metrics.add(&WRITES, &[("to", write.name())], 1);
    }

    fn worked(&self, outcome: Worked, took: Duration) {
        self.metrics.add(&RECONCILES, &[("outcome", outcome.name())], 1);
        self.metrics.observe(&RECONCILE_SECONDS, &[], took.as_secs_f64());
    }

    fn asked(&self, host: &str, what: Asked) {
        self.metrics.add(&REGISTRY_REQUESTS, &[("host", host), ("kind", what.name())], 1);
    }

    fn probed(&self, known: Probes) {
        for (answer, count) in [
            ("available", known.available),
            ("missing", known.missing),
            ("unknown", known.unknown),
            ("unprobed", known.unprobed),
        ] {
            self.metrics.set(&IMAGES_PROBED, &[("answer", answer)], as_float(count));
        }
    }

    fn untaggable(&self, count: usize) {
        self.metrics.set(&TAGS_REFUSED, &[], as_float(count));
    }

    fn read(&self, repository: &str, at: Timestamp) {
        self.health.repository_read(repository, at);
    }
}

impl Tally {
    /// Counts into fresh figures, and knows the repositories of these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Arc<Self> {
        let names = settings.repositories.iter().map(|repository| repository.name.clone());
        Arc::new(Self { metrics: Arc::default(), health: Arc::new(Health::new(names)) })
    }

    /// What pages and webhooks share, by these settings.
    ///
    /// # Errors
    /// [`EmptySecret`] if the secret of a webhook is.
    pub fn app(&self, settings: &Settings, store: Store) -> Result<App, EmptySecret> {
        let receivers = settings.webhooks.iter().map(Receiver::new).collect::<Result<_, _>>()?;
        let observers = settings.observers.iter().map(Observer::new).collect::<Result<_, _>>()?;
        let repositories = settings.repositories.iter().map(|repository| repository.name.clone());
        Ok(App {
            settings: Arc::new(settings.server.clone()),
            receivers: Arc::new(receivers),
            observers: Arc::new(observers),
            repositories: Arc::new(repositories.collect()),
            github: GitHubReceiver::new(settings)?.map(Arc::new),
            store,
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            clock: Clock::default(),
        })
    }
}

/// Runs until `shutdown` is done, and what is in hand is finished or out of time.
///
/// # Errors
/// [`RunError`] if it cannot start, or the socket fails.
pub async fn run(
    service: Service,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let Service { world, app, routers, activities, notify, workers, remember_deliveries, store_path } =
        service;
    let _serving = begin(&store_path).await?;
    world.store.check().await?;
    let world = Arc::new(world);
    let telling = notify::start(telling(&world, &app), notify).await?;
    reconcile::start(&world).await?;
    let (stop, stopping) = watch::channel(false);
    let stop = Arc::new(stop);
    let working = tokio::spawn(reconcile::work(Arc::clone(&world), workers, stopping));
    let mut beside = vec![
        tokio::spawn(note(Arc::clone(&world), activities)),
        tokio::spawn(prune(Arc::clone(&world), remember_deliveries)),
        tokio::spawn(reconcile::probe_always(Arc::clone(&world))),
        tokio::spawn(reconcile::heed_clusters(Arc::clone(&world))),
    ];
    if let Some(receiver) = app.github.clone() {
        beside.push(tokio::spawn(sweep_always(Arc::new(app.clone()), receiver)));
    }
    let stop_timeout = app.settings.stop_timeout;
    let stop_signal = Arc::clone(&stop);
    let signal = async move {
        shutdown.await;
        stop_signal.send_replace(true);
    };
    let served = serve(listener, app, routers, signal).await;
    stop.send_replace(true);
    finish(working, stop_timeout).await;
    for task in beside.into_iter().chain(telling) {
        task.abort();
    }
    close(&world.store, stop_timeout).await;
    Ok(served?)
}

fn telling(world: &World, app: &App) -> Telling {
    let prefix = |(name, found): (&String, &EnvironmentRepository)| (name.clone(), found.url_prefix.clone());
    Telling {
        store: world.store.clone(),
        url_prefixes: world.repositories.iter().map(prefix).collect(),
        metrics: Arc::clone(&app.metrics),
        now: Arc::clone(&world.now),
        pace: Pace::default(),
    }
}

async fn begin(path: &Path) -> Result<Serving, RunError> {
    match Serving::begin(path).await {
        Ok(Some(serving)) => Ok(serving),
        Ok(None) => Err(RunError::Taken { path: path.to_owned() }),
        Err(source) => Err(RunError::Lock { path: path.to_owned(), source }),
    }
}

async fn finish(mut working: JoinHandle<()>, stop_timeout: Duration) {
    if tokio::time::timeout(stop_timeout, &mut working).await.is_err() {
        working.abort();
        tracing::warn!(
            stop_timeout_seconds = stop_timeout.as_secs(),
            "work in hand was cut off; the next start takes it up"
        );
    }
}

/// Leaves the file whole, without a log beside it. What still runs on the store after the timeout is cut off like
/// everything else.
async fn close(store: &Store, stop_timeout: Duration) {
    if tokio::time::timeout(stop_timeout, store.close()).await.is_err() {
        tracing::warn!("the store is still busy; its log is read at the next start");
    }
}

/// Makes due what concerns something that happened at a local forge.
async fn note(world: Arc<World>, mut activities: Activities) {
    while let Some((repository, activity)) = activities.recv().await {
        if let Err(error) = reconcile::note_activity(&world, &repository, activity).await {
            tracing::warn!(repository, ?activity, %error, "not noted; the sweep finds it");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people; exact up to 2^53")]
fn as_float(count: usize) -> f64 {
    count as f64
}

async fn prune(world: Arc<World>, remember: Duration) {
    loop {
        tokio::time::sleep(PRUNE_INTERVAL).await;
        let Ok(before) = (world.now)().checked_sub(remember) else { continue };
        if let Err(error) = world.store.prune(before).await {
            tracing::warn!(%error, "finished deliveries are kept for now");
        }
    }
}
