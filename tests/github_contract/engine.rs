//! The server in this process, on a repository at the tests' own GitHub: webhooks come in by its router, the engine and
//! the client of GitHub are the real ones, and nothing runs but when a test says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use jiff::Timestamp;
use lockkeeper::forge::github::GitHubForge;
use lockkeeper::forge::{Clock, Forge as _};
use lockkeeper::pull_request::MergeMethod;
use lockkeeper::reconcile::{
    EnvironmentRepository, Intervals, Polls, Probes, RulesCache, TagWrites, Told, TouchedAnswers, World,
    WorldSettings, run_one, start,
};
use lockkeeper::repository::{Credentials, Location, Mirror};
use lockkeeper::server::run::Tally;
use lockkeeper::server::{self, App, router};
use lockkeeper::settings::Settings;
use lockkeeper::store::{Key, Store};
use tower::ServiceExt as _;

use crate::fake_registry::FakeRegistry;
use crate::github::model::Model;
use crate::github::{Setting, Webhook};
use crate::place::{BEGIN, Place};

pub(crate) const SECRET: &str = "github-hook-secret";
const DAY: Duration = Duration::from_hours(24);
/// What a client may have written before it is changed for another; the work on a comment writes up to 20 times.
const WRITES_MAX: u64 = 40;
/// Keys worked on until a world has to be still.
const ROUNDS_MAX: usize = 100;

/// A server on a repository at GitHub.
pub(crate) struct Engine {
    pub(crate) place: Place,
    pub(crate) registry: Arc<FakeRegistry>,
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) app: App,
    router: Router,
    tally: Arc<Tally>,
    forge: Arc<GitHubForge>,
    /// What was written to GitHub when that client began.
    written: u64,
    mirror: Mirror,
    folder: tempfile::TempDir,
}

/// Everything that lasts, as it stood.
pub(crate) struct Saved {
    github: Model,
    heads: BTreeMap<String, String>,
    store: Vec<(String, Vec<u8>)>,
}

impl Engine {
    /// On an empty repository; nothing where the machine cannot make a key.
    pub(crate) async fn new(setting: Setting) -> Option<Self> {
        crate::parts::part("openssl")?;
        let (private, public) = crate::tokens::key_pair();
        let place = Place::with(Setting { public_key: Some(public), ..setting }).await;
        // A token ends by the real clock.
        place.pass(Timestamp::now().as_second() - BEGIN);
        let folder = folder();
        std::fs::write(folder.path().join("app.pem"), private).unwrap();
        std::fs::write(folder.path().join("hook"), SECRET).unwrap();
        let settings = settings(&folder, &place);
        let forge = forge(&settings);
        let location = Location::File(place.folder().join("environments.git"));
        let mirror = Mirror::open(location, &folder.path().join("mirror"), Credentials::default()).await;
        let (mirror, registry, tally) = (mirror.unwrap(), Arc::default(), Tally::new(&settings));
        let store = Store::open(&settings.store.path).await.unwrap();
        let world = world(&place, &registry, &tally, &forge, &mirror, store);
        let app = app(&place, &tally, &settings, world.store.clone());
        let router = router(app.clone(), Vec::new());
        Some(Self { place, registry, settings, world, app, router, tally, forge, written: 0, mirror, folder })
    }

    /// Looks at everything, as after a start.
    pub(crate) async fn look(&self) {
        start(&self.world).await.unwrap();
        self.settle().await;
    }

    /// Delivers what GitHub tells, works on what is due, and does so until nothing is.
    pub(crate) async fn settle(&self) {
        for _ in 0..ROUNDS_MAX {
            let count = self.deliver().await;
            if !self.work().await && count == 0 {
                return;
            }
        }
        panic!("the world does not settle: {:?}", self.place.fake.violations());
    }

    /// Works on what is due; whether anything was.
    pub(crate) async fn work(&self) -> bool {
        let mut has_worked = false;
        for _ in 0..ROUNDS_MAX {
            if !run_one(&self.world).await.unwrap() {
                return has_worked;
            }
            has_worked = true;
        }
        panic!("there is always something due: {:?}", self.place.fake.violations());
    }

    /// Delivers what GitHub tells; returns how much it was.
    pub(crate) async fn deliver(&self) -> usize {
        let webhooks = self.place.fake.take_webhooks();
        for webhook in &webhooks {
            assert_eq!(self.post(webhook).await, 202, "{}", webhook.event);
        }
        webhooks.len()
    }

    /// Delivers one, and says what it is answered.
    pub(crate) async fn post(&self, webhook: &Webhook) -> u16 {
        let mut request = Request::post("/webhooks/github").header("host", "localhost");
        for (name, value) in webhook.headers(SECRET) {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(webhook.body.clone())).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    /// The events of pipeline `web` after the first so many, each by its name; but for `mirrored`, which comes when
    /// GitHub has room for it.
    pub(crate) async fn events(&self, after: u64) -> Vec<String> {
        let key = Key::pipeline("env", "web".parse().unwrap());
        let entries = self.world.store.entries(&key, after, 1_000).await.unwrap();
        let names = entries.iter().map(|(_, entry)| entry.event.name().to_owned());
        names.filter(|name| name != "mirrored").collect()
    }

    /// How many events the pipeline has.
    pub(crate) async fn count(&self) -> u64 {
        let key = Key::pipeline("env", "web".parse().unwrap());
        self.world.store.entries(&key, 0, 1_000).await.unwrap().len() as u64
    }

    /// Puts aside what lasts; webhooks that wait are dropped.
    pub(crate) async fn save(&mut self) -> Saved {
        self.place.fake.take_webhooks();
        let github = self.place.fake.copy();
        let heads = self.place.git.heads();
        self.world.store.close().await;
        let store = self.store_files().into_iter().map(|(name, path)| (name, std::fs::read(path).unwrap()));
        let saved = Saved { github, heads, store: store.collect() };
        self.open().await;
        saved
    }

    /// Puts back what lasts.
    pub(crate) async fn restore(&mut self, saved: &Saved) {
        self.world.store.close().await;
        for (_, path) in self.store_files() {
            std::fs::remove_file(path).unwrap();
        }
        for (name, bytes) in &saved.store {
            std::fs::write(self.folder.path().join(name), bytes).unwrap();
        }
        self.restore_heads(&saved.heads);
        self.restore_github(saved);
        self.place.pass(1);
        self.open().await;
    }

    /// Takes another client where this one has little room left: there are 60 words a minute, and tests have less time.
    pub(crate) fn renew(&mut self) {
        let calls = self.place.fake.calls();
        let written = calls.iter().filter(|(id, _)| !id.starts_with("GET ")).map(|(_, count)| count).sum();
        if written - self.written < WRITES_MAX {
            return;
        }
        self.written = written;
        self.forge = forge(&self.settings);
        let store = self.world.store.clone();
        self.world = world(&self.place, &self.registry, &self.tally, &self.forge, &self.mirror, store);
    }

    /// Puts back GitHub alone, for a world that has not changed otherwise.
    pub(crate) fn restore_github(&self, saved: &Saved) {
        self.place.fake.go_back(&saved.github);
    }

    fn restore_heads(&self, heads: &BTreeMap<String, String>) {
        let repository = git2::Repository::open_bare(self.place.folder().join("environments.git")).unwrap();
        for name in self.place.git.heads().into_keys().filter(|name| !heads.contains_key(name)) {
            repository.find_reference(&format!("refs/heads/{name}")).unwrap().delete().unwrap();
        }
        for (name, commit) in heads {
            let commit = git2::Oid::from_str(commit).unwrap();
            repository.reference(&format!("refs/heads/{name}"), commit, true, "").unwrap();
        }
    }

    async fn open(&mut self) {
        let store = Store::open(&self.settings.store.path).await.unwrap();
        self.world = world(&self.place, &self.registry, &self.tally, &self.forge, &self.mirror, store);
        self.app = app(&self.place, &self.tally, &self.settings, self.world.store.clone());
        self.router = router(self.app.clone(), Vec::new());
    }

    fn store_files(&self) -> Vec<(String, PathBuf)> {
        let names = ["store.db", "store.db-wal", "store.db-shm"].map(str::to_owned);
        let paths = names.map(|name| (name.clone(), self.folder.path().join(name)));
        paths.into_iter().filter(|(_, path)| path.exists()).collect()
    }
}

fn forge(settings: &Settings) -> Arc<GitHubForge> {
    let name = "acme/environments".parse().unwrap();
    Arc::new(GitHubForge::new(name, settings.github.as_ref().unwrap(), Arc::default()).unwrap())
}

/// The clock of the place.
fn clock(place: &Place) -> Clock {
    let seconds = place.clock();
    Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap())
}

fn app(place: &Place, tally: &Arc<Tally>, settings: &Settings, store: Store) -> App {
    let mut app = tally.app(settings, store).unwrap();
    app.clock = server::Clock::new(clock(place));
    app
}

fn world(
    place: &Place,
    registry: &Arc<FakeRegistry>,
    tally: &Arc<Tally>,
    forge: &Arc<GitHubForge>,
    mirror: &Mirror,
    store: Store,
) -> World {
    let repository = EnvironmentRepository {
        name: "env".to_owned(),
        base: "main".to_owned(),
        mirror: mirror.clone(),
        url_prefix: forge.url_prefix(),
        forge: forge.clone(),
        merge_method: MergeMethod::Merge,
        poll_interval: DAY,
    };
    World {
        store,
        registry: registry.clone(),
        repositories: BTreeMap::from([("env".to_owned(), repository)]),
        clusters: BTreeMap::new(),
        now: clock(place),
        witness: tally.clone(),
        settings: WorldSettings {
            lease: Duration::from_mins(1),
            polls: Intervals { polled: DAY, told: DAY },
            probe_interval: DAY,
            look_max: Duration::from_mins(1),
            hurried_timeout: Duration::from_secs(10),
            unhurried_timeout: Duration::from_secs(10),
            command_age_max: Duration::from_mins(15),
            source_links: Vec::new(),
            author: ("lockkeeper".to_owned(), "lockkeeper@localhost".to_owned()),
        },
        rules: RulesCache::default(),
        policies: lockkeeper::reconcile::Policies::default(),
        polls: Polls::default(),
        probes: Probes::default(),
        tags: TagWrites::default(),
        told: Told::default(),
        touched: TouchedAnswers::default(),
    }
}

fn settings(folder: &tempfile::TempDir, place: &Place) -> Settings {
    let root = folder.path().display();
    let text = format!(
        "[store]\npath = '{root}/store.db'\n[github]\napi_url = '{}'\napp_id = 77\nprivate_key_file = '{root}/app.pem'\n\
         webhook_secret_files = ['{root}/hook']\n\
         [[repositories]]\nname = 'env'\nforge = 'github'\nlocation = '{}'\n\
         [repositories.github]\nrepository = 'acme/environments'\n",
        place.fake.enterprise_url(),
        place.folder().join("environments.git").display(),
    );
    let file = folder.path().join("lockkeeper.toml");
    std::fs::write(&file, text).unwrap();
    Settings::load_from(Some(&file), []).unwrap()
}

/// In memory where the machine has such a place.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
