//! The workers: how many at one time, what they ask for, and one whose work panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lockkeeper::image::{Digest, Image, Platform, Repository, Tag};
use lockkeeper::reconcile;
use lockkeeper::registry::{Registry, RegistryError, SignatureError};
use lockkeeper::server::assemble::assemble;
use lockkeeper::server::run::Tally;
use lockkeeper::settings::Settings;
use lockkeeper::signature::{Signers, Verified};
use lockkeeper::store::Key;
use tokio::sync::watch;

use super::world::World;

const PIPELINES: usize = 6;
const WORKERS: usize = 2;
const LOOK_MAX: Duration = Duration::from_secs(20);

/// The registry, slow and watched; of one image it cannot be asked without a panic.
struct Watched {
    inner: Arc<dyn Registry>,
    pause: Duration,
    faulty: &'static str,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    resolved: AtomicUsize,
    read: AtomicUsize,
}

impl Watched {
    fn new(inner: Arc<dyn Registry>, pause: Duration, faulty: &'static str) -> Arc<Self> {
        Arc::new(Self {
            inner,
            pause,
            faulty,
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            resolved: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Registry for Watched {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.inner.resolve(repository, tag).await
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        assert!(!repository.as_str().ends_with(self.faulty), "a fault of the program");
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.pause).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.inner.tags(repository).await
    }

    async fn image(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        self.read.fetch_add(1, Ordering::SeqCst);
        self.inner.image(repository, digest).await
    }

    async fn tags_on(
        &self,
        repository: &Repository,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError> {
        self.inner.tags_on(repository, digest, expected).await
    }

    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError> {
        self.inner.probe(repository, digest).await
    }

    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        signers: &Signers,
    ) -> Result<Verified, SignatureError> {
        self.inner.signature(repository, digest, signers).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_work_panics_stops_nobody_else_and_what_is_settled_costs_one_question() {
    let world = World::new(PIPELINES).await;
    let settings = Settings::load_from(Some(&world.place.settings), []).unwrap();
    let mut assembly = assemble(&settings, Tally::new(&settings)).await.unwrap();
    let watched = Watched::new(assembly.world.registry, Duration::from_millis(50), "/p0");
    assembly.world.registry = watched.clone();
    let store = assembly.world.store.clone();
    let reconciled = Arc::new(assembly.world);
    reconcile::start(&reconciled).await.unwrap();
    let (stop, stopping) = watch::channel(false);
    let working = tokio::spawn(reconcile::work(Arc::clone(&reconciled), WORKERS, stopping));
    let begun = Instant::now();
    for number in 1..PIPELINES {
        let key = Key::pipeline("env", format!("p{number}").parse().unwrap());
        while store.view(&key).await.unwrap().is_none() {
            assert!(begun.elapsed() < LOOK_MAX, "nobody looks at p{number}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(!working.is_finished(), "a panic of one ended all");
    stop.send_replace(true);
    tokio::time::timeout(LOOK_MAX, working).await.unwrap().unwrap();
    assert_eq!(watched.most_at_once.load(Ordering::SeqCst), WORKERS);
    // Every stage has what the tag has: nothing more is asked of an image.
    assert_eq!(watched.read.load(Ordering::SeqCst), 0);
    assert!(watched.resolved.load(Ordering::SeqCst) >= PIPELINES - 1);
    store.close().await;
}

/// What takes longer than a lease is still one worker's: another would wait for the same, and neither could record.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_takes_longer_than_a_lease_is_asked_by_one_worker() {
    let world = World::new(1).await;
    let settings = Settings::load_from(Some(&world.place.settings), []).unwrap();
    let mut assembly = assemble(&settings, Tally::new(&settings)).await.unwrap();
    let watched = Watched::new(assembly.world.registry, Duration::from_secs(6), "/nobody");
    assembly.world.registry = watched.clone();
    assembly.world.settings.lease = Duration::from_secs(2);
    let store = assembly.world.store.clone();
    let reconciled = Arc::new(assembly.world);
    reconcile::start(&reconciled).await.unwrap();
    let (stop, stopping) = watch::channel(false);
    let working = tokio::spawn(reconcile::work(Arc::clone(&reconciled), WORKERS, stopping));
    let key = Key::pipeline("env", "p0".parse().unwrap());
    let begun = Instant::now();
    while store.view(&key).await.unwrap().is_none() {
        assert!(begun.elapsed() < LOOK_MAX, "nobody could record what was seen of p0");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(watched.most_at_once.load(Ordering::SeqCst), 1);
    stop.send_replace(true);
    tokio::time::timeout(LOOK_MAX, working).await.unwrap().unwrap();
    store.close().await;
}
