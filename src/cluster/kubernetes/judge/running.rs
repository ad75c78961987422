//! Which digests run.

use std::collections::{BTreeMap, BTreeSet};

use super::one_line;
use crate::cluster::kubernetes::object::{Container, ContainerStatus, Object};
use crate::image::{Digest, Reference, Repository};

/// Whether what ended counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// What runs alone.
    Running,
    /// What ended, too: it did its work.
    AlsoEnded,
}

/// The digests found so far.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) digests: BTreeMap<Repository, BTreeSet<Digest>>,
    /// The first image of the pipeline of which the runtime names no manifest.
    pub(super) unknown: Option<String>,
}

impl Running {
    /// Adds what runs in a pod, also in one that is being ended or of an old revision: its digest runs. Ephemeral containers
    /// are a person's.
    pub(super) fn add_pod(&mut self, pod: &Object, counts: Counts, images: &BTreeSet<Repository>) {
        let is_up = |container: &&ContainerStatus| {
            container.state.running.is_some()
                || (counts == Counts::AlsoEnded && container.state.terminated.is_some())
        };
        let main = pod.status.container_statuses.iter().flatten().filter(is_up);
        let main: Vec<&ContainerStatus> = main.collect();
        // What prepared a pod is part of what stands, as long as something of the pod does.
        let is_done = |container: &&ContainerStatus| {
            container.state.running.is_some()
                || container.state.terminated.as_ref().is_some_and(|ended| ended.exit_code == 0)
        };
        let before = pod.status.init_container_statuses.iter().flatten();
        let before = before.filter(|_| !main.is_empty()).filter(is_done);
        let declared = || pod.spec.containers.iter().chain(&pod.spec.init_containers).flatten();
        for container in main.iter().copied().chain(before) {
            let named = declared().find(|declared| declared.name == container.name);
            self.add_container(&pod.metadata.name, container, named, images);
        }
    }

    fn add_container(
        &mut self,
        pod: &str,
        container: &ContainerStatus,
        declared: Option<&Container>,
        images: &BTreeSet<Repository>,
    ) {
        let id = container.image_id.as_deref().unwrap_or_default();
        let found = id.strip_prefix("docker-pullable://").unwrap_or(id).parse::<Reference>().ok();
        // One image under two names has one entry at the node, whose id may carry either; what the pod asks for decides.
        let asked = declared.and_then(|declared| declared.image.as_ref()).or(container.image.as_ref());
        let asked = asked.and_then(|asked| asked.parse::<Reference>().ok());
        let names = asked.iter().chain(&found).map(|reference| &reference.repository);
        let mut ours = names.filter_map(|name| images.iter().find(|image| image.is_same(name)));
        let Some(ours) = ours.next() else { return };
        match found.and_then(|found| found.digest) {
            Some(digest) => {
                self.digests.entry(ours.clone()).or_default().insert(digest);
            }
            None if self.unknown.is_none() => {
                let id = if id.is_empty() { "nothing".to_owned() } else { one_line(id) };
                self.unknown = Some(format!(
                    "which digest of {ours} runs in pod {pod} is unknown: the runtime names {id}, and no manifest"
                ));
            }
            None => {}
        }
    }

    /// Adds what a deployer says to be live, where it names digests.
    pub(super) fn add_claimed(&mut self, object: &Object, images: &BTreeSet<Repository>) {
        let claimed = object.status.summary.iter().filter_map(|summary| summary.images.as_ref()).flatten();
        for reference in claimed.filter_map(|image| image.parse::<Reference>().ok()) {
            let ours = images.iter().find(|image| image.is_same(&reference.repository));
            if let (Some(ours), Some(digest)) = (ours, reference.digest) {
                self.digests.entry(ours.clone()).or_default().insert(digest);
            }
        }
    }
}

/// What holds a pod up: the first container that waits for something else than its turn, or that no node takes it.
pub(super) fn trouble(pod: &Object) -> Option<String> {
    let name = &pod.metadata.name;
    let containers =
        pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses).flatten();
    let waiting = containers.into_iter().find_map(|container| {
        let waiting = container.state.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        let message = waiting.message.as_deref().unwrap_or_default();
        let is_turn = matches!(reason, "ContainerCreating" | "PodInitializing");
        (!is_turn).then(|| format!("{} of pod {name}: {reason} {}", container.name, one_line(message)))
    });
    let unscheduled = || {
        let condition = pod.condition("PodScheduled").filter(|condition| condition.status == "False")?;
        let message = condition.message.as_deref().unwrap_or_default();
        Some(format!("pod {name} is on no node: {}", one_line(message)))
    };
    waiting.or_else(unscheduled).map(|text| text.trim_end().to_owned())
}
