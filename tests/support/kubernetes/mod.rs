//! An API server of Kubernetes for tests: lists in pages, watches with bookmarks, what it refuses, and how it fails.
//!
//! What it answers is held to Kubernetes' published description (`schema`), and its forms to the answers of a real server
//! in `tests/fixtures/k8s`. Kinds that Kubernetes does not bring (Argo, Flux) have no schema there and are not installed.

mod answer;
pub mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub const TOKEN: &str = "a-token-for-tests";
pub const NAMESPACE: &str = "shop";

/// The server. Dropped, it is gone.
pub struct FakeApi {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
    folder: tempfile::TempDir,
}

struct Shared {
    world: Mutex<World>,
    /// The newest resourceVersion.
    newest: watch::Sender<u64>,
    /// Counts up when all connections that watch are dropped.
    cuts: watch::Sender<u64>,
}

/// What the server knows, and how it behaves.
pub struct World {
    pub token: String,
    /// By plural and name, of the one namespace.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    history: Vec<Change>,
    newest: u64,
    /// Watches and pages from before are answered 410.
    oldest: u64,
    /// What lists in pages are of, by plural and moment.
    pages: BTreeMap<(String, u64), Arc<Vec<Value>>>,
    /// Verb and plural.
    pub forbidden: BTreeSet<(&'static str, &'static str)>,
    /// How a place that is too old is refused: by the status, or by an event.
    pub is_gone_by_event: bool,
    /// How long each answer waits.
    pub delay: Duration,
    pub bookmark_interval: Duration,
    /// Watches say nothing any more and do not end, as on a connection that nobody told of its end.
    pub is_silent: bool,
    pub asked: Vec<Asked>,
    pub watches_open: usize,
}

#[derive(Clone)]
struct Change {
    version: u64,
    plural: String,
    kind: &'static str,
    object: Value,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `list` or `watch`.
    pub verb: &'static str,
    pub plural: String,
    pub resource_version: Option<String>,
    pub limit: Option<usize>,
    pub is_continued: bool,
}

impl FakeApi {
    pub async fn start() -> Self {
        let world = World {
            token: TOKEN.to_owned(),
            objects: BTreeMap::new(),
            history: Vec::new(),
            newest: 100,
            oldest: 0,
            pages: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            is_gone_by_event: false,
            delay: Duration::ZERO,
            bookmark_interval: Duration::from_millis(500),
            is_silent: false,
            asked: Vec::new(),
            watches_open: 0,
        };
        let shared =
            Shared { world: Mutex::new(world), newest: watch::Sender::new(100), cuts: watch::Sender::new(0) };
        let mut api = Self {
            shared: Arc::new(shared),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            runtime: None,
            folder: tempfile::tempdir().unwrap(),
        };
        api.come_back().await;
        api.write_kubeconfig(TOKEN);
        api
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig of one who may read.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub fn write_kubeconfig(&self, token: &str) {
        let server = format!("http://{}", self.address);
        write_kubeconfig(&self.kubeconfig(), &server, &json!({ "token": token }));
    }

    /// Drops all connections and listens no more.
    pub fn go_away(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
        self.world().watches_open = 0;
    }

    /// Listens (again), at the same address.
    pub async fn come_back(&mut self) {
        let listener = loop {
            // What went away may not have let go of the address yet.
            match std::net::TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        self.address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new().fallback(answer::answer).with_state(Arc::clone(&self.shared));
        runtime.spawn(async move {
            axum::serve(TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
        self.runtime = Some(runtime);
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }

    /// Sets an object, which is held to the description of its kind.
    pub fn put(&self, plural: &str, object: &Value) {
        hold_object(plural, object);
        self.put_alike(plural, object.clone());
    }

    /// Sets an object of which one like it was held to the description.
    pub fn put_alike(&self, plural: &str, mut object: Value) {
        let mut world = self.world();
        world.newest += 1;
        object["metadata"]["resourceVersion"] = json!(world.newest.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let before = world.objects.entry(plural.to_owned()).or_default().insert(name, object.clone());
        let kind = if before.is_none() { "ADDED" } else { "MODIFIED" };
        world.changed(plural, kind, object);
        self.shared.newest.send_replace(world.newest);
    }

    pub fn delete(&self, plural: &str, name: &str) {
        let mut world = self.world();
        world.newest += 1;
        let mut object = world.objects.get_mut(plural).unwrap().remove(name).unwrap();
        object["metadata"]["resourceVersion"] = json!(world.newest.to_string());
        world.changed(plural, "DELETED", object);
        self.shared.newest.send_replace(world.newest);
    }

    /// The newest resourceVersion.
    pub fn world_version(&self) -> String {
        self.world().newest.to_string()
    }

    /// Forgets the history: whoever has not seen all of it has to list anew.
    pub fn compact(&self) {
        let mut world = self.world();
        world.newest += 1;
        world.oldest = world.newest;
        world.history.clear();
        world.pages.clear();
    }

    /// Drops all connections that watch, in the middle.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What was asked of one resource.
    pub fn asked(&self, verb: &str, plural: &str) -> Vec<Asked> {
        let asked = self.world().asked.clone();
        asked.into_iter().filter(|asked| asked.verb == verb && asked.plural == plural).collect()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl World {
    fn changed(&mut self, plural: &str, kind: &'static str, object: Value) {
        self.history.push(Change { version: self.newest, plural: plural.to_owned(), kind, object });
    }
}

/// A kubeconfig with one context, `staging`.
pub fn write_kubeconfig(path: &Path, server: &str, user: &Value) {
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "staging",
        "clusters": [{ "name": "here", "cluster": { "server": server } }],
        "users": [{ "name": "reader", "user": user }],
        "contexts": [{ "name": "staging", "context": { "cluster": "here", "user": "reader" } }],
    });
    std::fs::write(path, text.to_string()).unwrap();
}

/// An answer of a real API server.
pub fn golden(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/k8s").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The type of a resource's objects in the description, and the kind they say.
fn type_of(plural: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match plural {
        "pods" => ("io.k8s.api.core.v1.Pod", "v1", "Pod"),
        "deployments" => ("io.k8s.api.apps.v1.Deployment", "apps/v1", "Deployment"),
        "statefulsets" => ("io.k8s.api.apps.v1.StatefulSet", "apps/v1", "StatefulSet"),
        "daemonsets" => ("io.k8s.api.apps.v1.DaemonSet", "apps/v1", "DaemonSet"),
        "jobs" => ("io.k8s.api.batch.v1.Job", "batch/v1", "Job"),
        "cronjobs" => ("io.k8s.api.batch.v1.CronJob", "batch/v1", "CronJob"),
        _ => return None,
    })
}

fn hold_object(plural: &str, object: &Value) {
    let (name, _, _) = type_of(plural).unwrap();
    schema::hold(name, object);
}
