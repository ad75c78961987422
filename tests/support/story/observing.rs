//! What deployers report.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockkeeper::cluster::{Cluster, ClusterError};
use lockkeeper::forge::Clock;
use lockkeeper::image::{Digest, Repository};
use lockkeeper::observation::{Health, Observation, Sighting, Workloads};
use lockkeeper::reconcile::wake_changed;
use lockkeeper::store::{Delivery, Hint, Key};

use super::super::fake_registry::FakeRegistry;
use super::cast::repository;
use super::{Checked, Story, text};

/// The digest that runs, of how many instances how many are ready, and why it is degraded; none: no answer.
pub type Runs = Option<(Digest, u32, u32, Option<String>)>;

/// A cluster that runs one image, or does not answer.
#[derive(Debug, Default)]
pub struct FakeCluster {
    pub runs: Mutex<Runs>,
}

struct Asked {
    cluster: Arc<FakeCluster>,
    now: Clock,
}

impl FakeCluster {
    /// As it is at the story's time.
    pub fn at(self: Arc<Self>, now: Clock) -> Arc<dyn Cluster> {
        Arc::new(Asked { cluster: self, now })
    }
}

#[async_trait]
impl Cluster for Asked {
    async fn observe(
        &self,
        workloads: &Workloads,
        images: &BTreeSet<Repository>,
    ) -> Result<Observation, ClusterError> {
        let Some((digest, ready, wanted, degraded)) = self.cluster.runs.lock().unwrap().clone() else {
            let (cluster, reason) = (workloads.cluster.clone(), "no answer".to_owned());
            return Err(ClusterError::Unavailable { cluster, reason, last: None });
        };
        Ok(Observation {
            at: (self.now)(),
            source: format!("cluster {}", workloads.cluster),
            running: images.iter().map(|name| (name.clone(), [digest].into())).collect(),
            ready,
            wanted,
            health: if let Some(why) = degraded {
                Health::Degraded(why)
            } else if ready < wanted {
                Health::Progressing("waits for pods".to_owned())
            } else {
                Health::Healthy
            },
        })
    }

    /// The story says when.
    async fn changed(&self) -> BTreeSet<String> {
        std::future::pending().await
    }
}

impl Story {
    /// `cluster runs VERSION READY/WANTED [degraded WHY]`, `cluster away`.
    pub(super) async fn cluster_is(&mut self, words: &[&str]) -> Checked {
        let runs = match words {
            ["away"] => None,
            ["runs", version, running, rest @ ..] => {
                let (ready, wanted) = running.split_once('/').ok_or("wanted READY/WANTED")?;
                let digest = FakeRegistry::digest(&repository("web"), version);
                let degraded = rest.split_first().map(|(_, why)| why.join(" "));
                Some((digest, ready.parse().map_err(text)?, wanted.parse().map_err(text)?, degraded))
            }
            _ => return Err("cluster runs VERSION READY/WANTED [degraded WHY], or cluster away".to_owned()),
        };
        *self.cluster.runs.lock().unwrap() = runs;
        while self.running.is_some() {
            let world = Arc::clone(&self.running()?.world);
            match self.faults.clone().alive(wake_changed(&world, "here", None)).await {
                Some(woken) => {
                    woken.map_err(text)?;
                    return self.settle().await;
                }
                None => Box::pin(self.reboot()).await?,
            }
        }
        Ok(())
    }

    /// `observe STAGE VERSION READY/WANTED [degraded WHY]`: twice, like every delivery.
    pub(super) async fn observe(&mut self, stage: &str, rest: &[&str]) -> Checked {
        let [version, running, rest @ ..] = rest else {
            return Err("observe STAGE VERSION READY/WANTED [degraded WHY]".to_owned());
        };
        let (ready, wanted) = running.split_once('/').ok_or("wanted READY/WANTED")?;
        let (ready, wanted): (u32, u32) = (ready.parse().map_err(text)?, wanted.parse().map_err(text)?);
        let health = match rest {
            ["degraded", why @ ..] => Health::Degraded(why.join(" ")),
            _ if ready < wanted => Health::Progressing(format!("{ready} of {wanted} are ready")),
            _ => Health::Healthy,
        };
        self.deliveries += 1;
        let sighting = Sighting {
            at: self.now(),
            source: "observer argo".to_owned(),
            digests: [FakeRegistry::digest(&repository("web"), version)].into(),
            ready,
            wanted,
            health,
            url: None,
        };
        let delivery = Delivery {
            id: format!("observation-{}", self.deliveries),
            source: "observer argo".to_owned(),
            received_at: self.now(),
            hints: vec![Hint::Sighting { stage: stage.parse().map_err(text)?, sighting }],
        };
        let key = Key::pipeline("env", "web".parse().map_err(text)?);
        let mut answers = 0;
        while answers < 2 {
            let store = self.running()?.world.store.clone();
            match self.faults.clone().alive(store.put(&delivery, std::slice::from_ref(&key))).await {
                Some(answer) => {
                    answer.map_err(text)?;
                    answers += 1;
                }
                None => Box::pin(self.reboot()).await?,
            }
        }
        self.settle().await
    }
}
