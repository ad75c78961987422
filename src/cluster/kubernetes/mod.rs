//! A Kubernetes cluster, through its API server.
//!
//! Whoever asks first for a resource of a namespace has it listed and watched; all others are answered from that, and it
//! ends when nobody asked for a while. A cluster that cannot be read gives an error, at once or after `Bounds::patience`.

mod ask;
mod connect;
mod follow;
mod judge;
mod object;
mod resource;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;

pub use resource::Resource;

use super::{Cluster, ClusterError};
use crate::image::Repository;
use crate::observation::{Observation, Workloads};
use crate::settings;
use ask::Refusal;
use connect::Connection;
use follow::{Changes, Follower, Word};
use judge::Seen;

/// Most resources of namespaces that are followed at one time: of 64 namespaces by labels, each seven. With the bound below
/// this is no promise about memory, which the namespaces' real size decides: 1 kB for each pod.
const FOLLOWED_MAX: usize = 448;

/// How long things may take, and how large they may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long one watch lasts; at its end the server says that this was all. Whole seconds.
    pub watch: Duration,
    /// How much later than that its end may come.
    pub grace: Duration,
    /// The oldest that an answer may be: two watches and their grace.
    pub stale: Duration,
    /// How long something is followed for which nobody asks: several looks at a pipeline apart.
    pub idle: Duration,
    /// How long a question waits for what is being read.
    pub patience: Duration,
    /// The longest wait between two tries.
    pub wait_max: Duration,
    /// Most objects of one kind in a namespace: the largest clusters that Kubernetes is made for have 150,000 pods in all.
    pub objects_max: usize,
    /// Most bytes of them in memory: 10,000 pods of 3 kB.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            watch: Duration::from_secs(30),
            grace: Duration::from_secs(15),
            stale: Duration::from_secs(90),
            idle: Duration::from_mins(15),
            patience: Duration::from_secs(10),
            wait_max: Duration::from_secs(30),
            objects_max: 10_000,
            bytes_max: 30_000_000,
        }
    }
}

/// A cluster of the settings.
pub struct Kubernetes {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    connection: Connection,
    bounds: Bounds,
    followed: Mutex<BTreeMap<(String, Resource), Arc<Follower>>>,
    changes: Arc<Changes>,
}

/// What is followed.
#[derive(Debug, Clone)]
struct Key {
    cluster: String,
    namespace: String,
    resource: Resource,
}

impl Kubernetes {
    /// The cluster of these settings. Nothing is asked of it yet.
    #[must_use]
    pub fn new(settings: &settings::Cluster, bounds: Bounds) -> Self {
        let inner = Inner {
            name: settings.name.clone(),
            connection: Connection::new(settings.access.clone()),
            bounds,
            followed: Mutex::default(),
            changes: Arc::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The version of its API server.
    ///
    /// # Errors
    /// [`ClusterError`] if it does not tell.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let asked = async { ask::version(&self.inner.connection.client().await?).await };
        asked.await.map_err(|refusal| self.inner.error(refusal, "", Resource::Pods, None))
    }

    /// Whether this may be read in the namespace, tried by reading one; `false` where the cluster does not know it.
    ///
    /// # Errors
    /// [`ClusterError`] if it may not, or the cluster does not tell.
    pub async fn may_read(&self, namespace: &str, resource: Resource) -> Result<bool, ClusterError> {
        let path = resource.path(namespace);
        let asked = async {
            let client = self.inner.connection.client().await?;
            ask::page(&client, &path, None, Some(1)).await
        };
        match asked.await {
            Ok(_) => Ok(true),
            Err(Refusal::Absent) if resource.is_optional() => Ok(false),
            Err(refusal) => Err(self.inner.error(refusal, namespace, resource, None)),
        }
    }

    /// What has to be read to look at these workloads: namespaces and resources.
    #[must_use]
    pub fn needs(workloads: &Workloads) -> BTreeSet<(String, Resource)> {
        let here = workloads.namespace.as_str();
        let needs = Resource::of(&workloads.which).into_iter();
        needs.map(|(namespace, resource)| (namespace.unwrap_or(here).to_owned(), resource)).collect()
    }

    /// The follower of a resource; one is started where there is none.
    fn follower(&self, namespace: &str, resource: Resource) -> Result<Arc<Follower>, Refusal> {
        let mut followed = lock(&self.inner.followed);
        let of = (namespace.to_owned(), resource);
        if let Some(follower) = followed.get(&of) {
            follower.ask();
            return Ok(Arc::clone(follower));
        }
        if followed.len() >= FOLLOWED_MAX {
            return Err(Refusal::Broken(format!(
                "{FOLLOWED_MAX} kinds of its namespaces are followed, and no more"
            )));
        }
        let follower = Arc::new(Follower::new(namespace, Arc::clone(&self.inner.changes)));
        let key = Key { cluster: self.inner.name.clone(), namespace: namespace.to_owned(), resource };
        let task = tokio::spawn(follow(Arc::clone(&self.inner), Arc::clone(&follower), key));
        follower.run_by(task.abort_handle());
        followed.insert(of, Arc::clone(&follower));
        Ok(follower)
    }
}

async fn follow(inner: Arc<Inner>, follower: Arc<Follower>, key: Key) {
    // Under the lock, so that nobody asks for one that is just ending.
    let is_wanted = || {
        let mut followed = lock(&inner.followed);
        let is_idle = follower.is_idle(inner.bounds.idle);
        if is_idle {
            followed.remove(&(key.namespace.clone(), key.resource));
        }
        !is_idle
    };
    follow::run(&inner.connection, &key, &follower, &inner.bounds, is_wanted).await;
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn observe(
        &self,
        workloads: &Workloads,
        images: &BTreeSet<Repository>,
    ) -> Result<Observation, ClusterError> {
        let needs = Self::needs(workloads);
        let looks = needs.iter().map(|(namespace, resource)| async move {
            let error = |refusal, last| self.inner.error(refusal, namespace, *resource, last);
            if !Workloads::is_name(namespace) {
                return Err(error(Refusal::Broken(format!("{namespace:?} names no namespace")), None));
            }
            let follower = self.follower(namespace, *resource).map_err(|refusal| error(refusal, None))?;
            let look = follower.look(&self.inner.bounds).await;
            look.map(|look| (namespace, *resource, look)).map_err(|refusal| error(refusal, follower.word()))
        });
        let mut seen = Seen::default();
        let mut word = Word::now();
        for (namespace, resource, look) in try_join_all(looks).await? {
            word = word.min(look.word);
            seen.put(namespace, resource, look.objects);
        }
        Ok(judge::observation(&seen, workloads, images, word.at))
    }

    async fn changed(&self) -> BTreeSet<String> {
        self.inner.changes.next().await
    }
}

impl Inner {
    fn error(
        &self,
        refusal: Refusal,
        namespace: &str,
        resource: Resource,
        word: Option<Word>,
    ) -> ClusterError {
        let cluster = self.name.clone();
        let last = word.map(|word| word.at);
        let unavailable =
            |reason: String| ClusterError::Unavailable { cluster: self.name.clone(), reason, last };
        match refusal {
            Refusal::Broken(reason) => unavailable(reason),
            Refusal::Expired => unavailable("what it told is too old, and it is read anew".to_owned()),
            Refusal::Absent => unavailable(format!("it knows no {}", resource.name())),
            Refusal::Unauthorized(reason) => ClusterError::Unauthorized { cluster, reason },
            Refusal::Forbidden { verb } => ClusterError::Forbidden {
                cluster,
                verb,
                resource: resource.name(),
                namespace: namespace.to_owned(),
            },
            Refusal::TooLarge(limit) => {
                ClusterError::TooLarge { cluster, namespace: namespace.to_owned(), limit }
            }
        }
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        lock(&self.inner.followed).values().for_each(|follower| follower.stop());
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kubernetes").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
