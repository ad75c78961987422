//! One resource of one namespace, followed: listed once, then watched, however many ask.
//!
//! What is kept is only told while the server has said lately that nothing else happened: by an event, a bookmark, or by
//! ending a watch in good order, which it is asked to do often. A watch that broke is taken up where it was; the
//! connection alone proves nothing, so it does not make what is kept any younger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::ask::{self, Event, Refusal};
use super::connect::Connection;
use super::object::Object;
use super::{Bounds, Key};

/// First wait after a failure; it doubles with each one.
const WAIT_MIN: Duration = Duration::from_millis(200);
/// Shortest time between two watches: one that is ended at once, again and again, is no busy loop.
const WATCH_MIN: Duration = Duration::from_secs(1);
/// Wait after what only a person can mend.
const WAIT_FOR_PEOPLE: Duration = Duration::from_mins(1);

/// What is followed.
pub(super) struct Follower {
    state: watch::Sender<State>,
    kept: Mutex<Kept>,
    asked: Mutex<Instant>,
    task: Mutex<Option<AbortHandle>>,
    namespace: String,
    changes: Arc<Changes>,
}

/// The namespaces in which something changed since somebody asked.
#[derive(Default)]
pub(super) struct Changes {
    namespaces: Mutex<BTreeSet<String>>,
    told: Notify,
}

/// Whether what is kept can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not yet, or not at this moment: it is being read.
    Reading,
    /// It can.
    Standing,
    /// It cannot.
    Failed(Refusal),
}

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Arc<Object>>,
    bytes: usize,
    /// When the server said last that this is all.
    word: Option<Word>,
}

/// A moment, and its time of day as it was known then: the same word has one time, whenever it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Word {
    moment: Instant,
    pub(super) at: Timestamp,
}

impl Word {
    pub(super) fn now() -> Self {
        Self { moment: Instant::now(), at: Timestamp::now() }
    }
}

/// What is kept, and since when nothing is known to have changed.
pub(super) struct Look {
    pub(super) objects: Vec<Arc<Object>>,
    pub(super) word: Word,
}

impl Follower {
    /// `changes` is told whenever what is kept changes.
    pub(super) fn new(namespace: &str, changes: Arc<Changes>) -> Self {
        Self {
            state: watch::Sender::new(State::Reading),
            kept: Mutex::default(),
            asked: Mutex::new(Instant::now()),
            task: Mutex::default(),
            namespace: namespace.to_owned(),
            changes,
        }
    }

    /// Notes the question, so that it is followed on.
    pub(super) fn ask(&self) {
        *lock(&self.asked) = Instant::now();
    }

    pub(super) fn is_idle(&self, longest: Duration) -> bool {
        lock(&self.asked).elapsed() > longest
    }

    pub(super) fn run_by(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }

    pub(super) fn stop(&self) {
        lock(&self.task).iter().for_each(AbortHandle::abort);
    }

    /// When the server said last what there is.
    pub(super) fn word(&self) -> Option<Word> {
        lock(&self.kept).word
    }

    /// What is kept, once it can be told.
    pub(super) async fn look(&self, bounds: &Bounds) -> Result<Look, Refusal> {
        let mut states = self.state.subscribe();
        let ready = timeout(bounds.patience, states.wait_for(|state| *state != State::Reading)).await;
        match ready {
            Ok(Ok(state)) => match &*state {
                State::Failed(refusal) => return Err(refusal.clone()),
                State::Standing | State::Reading => {}
            },
            Ok(Err(_)) => return Err(Refusal::Broken("nobody reads it any more".to_owned())),
            Err(_) => {
                let seconds = bounds.patience.as_secs();
                return Err(Refusal::Broken(format!("it is being read, which takes more than {seconds} s")));
            }
        }
        let kept = lock(&self.kept);
        match kept.word {
            Some(word) if word.moment.elapsed() <= bounds.stale => {
                Ok(Look { objects: kept.objects.values().cloned().collect(), word })
            }
            Some(word) => {
                Err(Refusal::Broken(format!("it said nothing for {} s", word.moment.elapsed().as_secs())))
            }
            None => Err(Refusal::Broken("it said nothing yet".to_owned())),
        }
    }

    fn is_up(&self) -> bool {
        !matches!(*self.state.borrow(), State::Failed(_))
    }

    fn set(&self, state: State) {
        self.state.send_if_modified(|known| {
            let is_new = *known != state;
            *known = state;
            is_new
        });
    }

    fn apply(&self, event: Event, bounds: &Bounds) -> Result<Option<String>, Refusal> {
        let mut kept = lock(&self.kept);
        kept.word = Some(Word::now());
        let place = match event {
            Event::Bookmark(object) => object.metadata.resource_version,
            Event::Applied(object) => {
                self.changes.note(&self.namespace);
                let place = object.metadata.resource_version.clone();
                kept.put(*object, bounds)?;
                place
            }
            Event::Deleted(object) => {
                self.changes.note(&self.namespace);
                kept.remove(&object.metadata.name);
                object.metadata.resource_version
            }
        };
        Ok(place)
    }

    fn replace(&self, mut all: Kept) {
        all.word = Some(Word::now());
        *lock(&self.kept) = all;
        self.set(State::Standing);
        self.changes.note(&self.namespace);
    }

    fn hear(&self) {
        lock(&self.kept).word = Some(Word::now());
        self.set(State::Standing);
    }
}

impl Changes {
    fn note(&self, namespace: &str) {
        let mut namespaces = lock(&self.namespaces);
        if !namespaces.contains(namespace) {
            namespaces.insert(namespace.to_owned());
            self.told.notify_one();
        }
    }

    /// Waits for some.
    pub(super) async fn next(&self) -> BTreeSet<String> {
        loop {
            let namespaces = std::mem::take(&mut *lock(&self.namespaces));
            if !namespaces.is_empty() {
                return namespaces;
            }
            self.told.notified().await;
        }
    }
}

impl Kept {
    fn put(&mut self, mut object: Object, bounds: &Bounds) -> Result<(), Refusal> {
        let name = object.metadata.name.clone();
        object.metadata.resource_version = None;
        self.remove(&name);
        self.bytes += object.bytes();
        self.objects.insert(name, Arc::new(object));
        if self.objects.len() > bounds.objects_max {
            return Err(Refusal::TooLarge(format!("{} objects of one kind", bounds.objects_max)));
        }
        if self.bytes > bounds.bytes_max {
            return Err(Refusal::TooLarge(format!("{} bytes of one kind", bounds.bytes_max)));
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        if let Some(old) = self.objects.remove(name) {
            self.bytes -= old.bytes();
        }
    }
}

/// Follows until nobody asks any more.
pub(super) async fn run(
    connection: &Connection,
    key: &Key,
    follower: &Follower,
    bounds: &Bounds,
    is_wanted: impl Fn() -> bool,
) {
    let mut place = None;
    let mut failures = 0_u32;
    let mut is_relisted = false;
    while is_wanted() {
        let began = Instant::now();
        let Err(refusal) = round(connection, key, follower, bounds, &mut place).await else {
            tell_back(key, failures);
            (failures, is_relisted) = (0, false);
            sleep(WATCH_MIN.saturating_sub(began.elapsed())).await;
            continue;
        };
        if matches!(refusal, Refusal::Expired | Refusal::TooLarge(_)) {
            place = None;
        } else if follower.word().is_some_and(|word| word.moment > began) {
            tell_back(key, failures);
            (failures, is_relisted) = (0, false);
        }
        failures += 1;
        if let Refusal::Unauthorized(_) = refusal {
            connection.forget().await;
        }
        // What breaks once is mended at once, and who asks waits for that.
        let is_passing = match refusal {
            Refusal::Broken(_) => failures == 1,
            Refusal::Expired => !std::mem::replace(&mut is_relisted, true),
            Refusal::Unauthorized(_) | Refusal::Forbidden { .. } | Refusal::Absent | Refusal::TooLarge(_) => {
                false
            }
        };
        if !is_passing && follower.is_up() {
            let Key { cluster, namespace, resource } = key;
            tracing::warn!(cluster, namespace, resource = resource.name(), reason = ?refusal, "cluster does not tell");
        }
        follower.set(if is_passing { State::Reading } else { State::Failed(refusal.clone()) });
        sleep(wait(&refusal, failures, bounds)).await;
    }
}

fn tell_back(key: &Key, failures: u32) {
    if failures > 1 {
        let Key { cluster, namespace, resource } = key;
        tracing::info!(cluster, namespace, resource = resource.name(), "cluster tells again");
    }
}

fn wait(refusal: &Refusal, failures: u32, bounds: &Bounds) -> Duration {
    match refusal {
        Refusal::Broken(_) | Refusal::Expired | Refusal::Absent => {
            let longest = WAIT_MIN.saturating_mul(1 << (failures - 1).min(16)).min(bounds.wait_max);
            // Those that broke together do not come back together.
            longest.mul_f64(rand::random_range(0.5..=1.0))
        }
        Refusal::Unauthorized(_) | Refusal::Forbidden { .. } | Refusal::TooLarge(_) => {
            WAIT_FOR_PEOPLE.min(bounds.wait_max.saturating_mul(2))
        }
    }
}

/// Lists where that is needed, then watches until the server ends it.
async fn round(
    connection: &Connection,
    key: &Key,
    follower: &Follower,
    bounds: &Bounds,
    place: &mut Option<String>,
) -> Result<(), Refusal> {
    let client = connection.client().await?;
    let path = key.resource.path(&key.namespace);
    // One that breaks often is listed now and then, for want of its word.
    let is_silent = follower.word().is_none_or(|word| word.moment.elapsed() > bounds.stale / 2);
    if is_silent {
        *place = None;
    }
    let from = match place.take() {
        Some(from) => from,
        None => match list(&client, &path, bounds).await {
            Ok((all, from)) => {
                follower.replace(all);
                from
            }
            Err(Refusal::Absent) if key.resource.is_optional() => {
                follower.replace(Kept::default());
                sleep(bounds.watch).await;
                return Ok(());
            }
            Err(Refusal::Absent) => {
                return Err(Refusal::Broken(format!(
                    "it knows no {}; is it a Kubernetes?",
                    key.resource.name()
                )));
            }
            Err(refusal) => return Err(refusal),
        },
    };
    *place = Some(from.clone());
    let mut watch = match ask::watch(&client, &path, &from, bounds.watch).await {
        // Its kind was removed since.
        Err(Refusal::Absent) => return Err(Refusal::Expired),
        watch => watch?,
    };
    // As of its last word: what happened since then comes next.
    follower.set(State::Standing);
    loop {
        let Some(event) = watch.next(bounds.watch + bounds.grace).await? else {
            follower.hear();
            return Ok(());
        };
        if let Some(next) = follower.apply(event, bounds)? {
            *place = Some(next);
        }
        follower.set(State::Standing);
    }
}

/// All pages of the list, and its place in the history.
async fn list(client: &kube::Client, path: &str, bounds: &Bounds) -> Result<(Kept, String), Refusal> {
    let mut kept = Kept::default();
    let mut token = None;
    loop {
        let page = ask::page(client, path, token.as_deref(), None).await?;
        for object in page.items.into_iter().flatten() {
            kept.put(object, bounds)?;
        }
        token = page.metadata.token.filter(|token| !token.is_empty());
        match (token.is_some(), page.metadata.resource_version) {
            (true, _) => {}
            (false, Some(place)) => return Ok((kept, place)),
            (false, None) => return Err(Refusal::Broken("its list has no resourceVersion".to_owned())),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
