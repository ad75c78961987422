//! The tests' own GitHub: one repository over real HTTP, held to GitHub's own description of its API.
//!
//! `Fake::start` serves it on loopback, under `/` as github.com does and under `/api/v3` as GitHub Enterprise Server
//! does. What people do is a method (`review`, `comment`, `merge_by`); what the App does comes by HTTP. Branches are
//! those of a real bare repository, and are read anew with every request. Each request, each response and each
//! webhook is checked against `contract`; what is wrong stands in `violations`, which a test should find empty.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::unnecessary_wraps,
    clippy::wildcard_enum_match_arm,
    reason = "test support: a failure is a panic"
)]

mod acts;
mod answer;
pub mod contract;
pub mod faults;
pub mod fill;
pub mod git;
mod json;
pub mod model;
mod readers;
mod routes;
pub mod schema;
mod server;
mod setting;
mod story;
pub mod upkeep;
pub mod webhooks;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::witness::{self, Witness};

pub use faults::Fault;
#[allow(unused_imports, reason = "no test uses all of it")]
pub use model::{Membership, Role, Signatures, Verdict};
pub use setting::Setting;
#[allow(unused_imports, reason = "no test uses all of it")]
pub use webhooks::{Webhook, sign};

use faults::Faults;
use git::Git;
use model::{Model, Owner, Table, Token};
use world::{Clock, World};

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub struct Fake {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    traffic: Mutex<Traffic>,
    /// Is told of every write of ours, before it is answered.
    witness: Arc<dyn Witness>,
    /// Requests that are being carried out.
    at_work: AtomicUsize,
}

/// What went over the wire.
#[derive(Default)]
struct Traffic {
    calls: BTreeMap<String, u64>,
    checked: BTreeSet<String>,
    requests: Vec<String>,
    used: u64,
}

impl Fake {
    /// Serves this repository. `clock`: what time it is there.
    #[allow(clippy::unused_async, reason = "the server needs the test's runtime")]
    pub async fn start(
        setting: Setting,
        repository: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_at(listener, setting, repository, Box::new(clock), witness::nobody())
    }

    /// The same at an address that is taken already. `witness` is told of each write of the App right after it.
    pub fn start_at(
        listener: TcpListener,
        setting: Setting,
        repository: &Path,
        clock: Clock,
        witness: Arc<dyn Witness>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let git = Git::new(repository);
        let mut model = setting.model();
        model.heads = git.heads();
        let world = World { model, git, clock, host: format!("http://{address}"), violations: Vec::new() };
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            faults: Mutex::default(),
            traffic: Mutex::default(),
            witness,
            at_work: AtomicUsize::new(0),
        });
        listener.set_nonblocking(true).unwrap();
        server::serve(tokio::net::TcpListener::from_std(listener).unwrap(), Arc::clone(&shared));
        Self { shared, address }
    }

    /// The address, as github.com has it: the API is at its root.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the API as GitHub Enterprise Server has it.
    pub fn enterprise_url(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    /// A personal token for this person, valid until it is revoked.
    pub fn token(&self, login: &str) -> String {
        let mut world = self.world();
        let owner = Owner::Person(world.person(login).id);
        let token = format!("ghp_{:036}", world.model.next_id(Table::Tokens));
        world.model.tokens.insert(token.clone(), Token { owner, expires_at: None });
        token
    }

    /// A token of the App, valid until it is revoked: for tests that are not about how it is got.
    pub fn installation_token(&self) -> String {
        let mut world = self.world();
        let token = format!("ghs_{:036}", world.model.next_id(Table::Tokens));
        world.model.tokens.insert(token.clone(), Token { owner: Owner::Installation, expires_at: None });
        token
    }

    /// No token is valid any more; an App may ask for new ones.
    pub fn revoke_tokens(&self) {
        self.world().model.tokens.clear();
    }

    /// The next request whose `METHOD path?query` or operation (`PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge`)
    /// contains `part` gets this fault; several wait in order.
    pub fn next(&self, part: &str, fault: Fault) {
        self.shared.faults.lock().unwrap().push(part, fault);
    }

    /// Whether a fault for this part still waits.
    pub fn has_fault(&self, part: &str) -> bool {
        self.shared.faults.lock().unwrap().has(part)
    }

    /// What was not as GitHub describes it, on either side. A test should find it empty.
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    /// How often each operation was called, those that failed included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.traffic.lock().unwrap().calls.clone()
    }

    /// The operations of which a request and its response were checked.
    pub fn checked(&self) -> BTreeSet<String> {
        self.shared.traffic.lock().unwrap().checked.clone()
    }

    /// The requests so far, `METHOD path?query`; the list begins anew.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.traffic.lock().unwrap().requests)
    }

    /// This token is a person's from now on.
    pub fn let_in(&self, login: &str, token: &str) {
        let mut world = self.world();
        let owner = Owner::Person(world.person(login).id);
        world.model.tokens.insert(token.to_owned(), Token { owner, expires_at: None });
    }

    /// Whether webhooks wait.
    pub fn has_webhooks(&self) -> bool {
        let mut world = self.world();
        world.look();
        !world.model.queue.is_empty()
    }

    /// The webhooks since the last call, oldest first.
    pub fn take_webhooks(&self) -> Vec<Webhook> {
        let mut world = self.world();
        world.look();
        let queue = std::mem::take(&mut world.model.queue);
        let is_waiting = |delivery: &&model::Delivery| queue.contains(&delivery.id);
        world.model.deliveries.iter().filter(is_waiting).map(Webhook::of).collect()
    }

    /// Notes what the test's server answered to a delivery: the latest one of this guid.
    pub fn answered(&self, guid: &str, status: u16) {
        let mut world = self.world();
        let found = world.model.deliveries.iter_mut().rev().find(|delivery| delivery.guid == guid);
        found.unwrap_or_else(|| panic!("no delivery {guid}")).status_code = status;
    }

    /// All that it remembers, webhooks in wait included; the branches are not in it.
    pub fn save(&self) -> String {
        serde_json::to_string(&self.world().model).unwrap()
    }

    /// Puts it back to what was saved. The branches must be put back by the test.
    pub fn restore(&self, saved: &str) {
        let model: Model = serde_json::from_str(saved).unwrap();
        let mut world = self.world();
        world.model = model;
    }

    /// The model, to be taken up from there by [`Fake::set_model`]; quicker than [`Fake::save`].
    pub fn model(&self) -> Model {
        self.world().model.clone()
    }

    /// Takes up from there. The branches must be put back by the test.
    pub fn set_model(&self, model: Model) {
        self.world().model = model;
        *self.shared.traffic.lock().unwrap() = Traffic::default();
    }

    /// Waits until nothing is carried out any more: requests whose client is gone go on for a moment.
    pub async fn rest(&self) {
        while self.shared.at_work.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }
}
