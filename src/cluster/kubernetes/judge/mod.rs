//! From the objects of a cluster to an observation. Pure: no clock, no I/O.

mod delivered;
mod job;
mod rollout;
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::object::Object;
use super::resource::{Resource, has_pods};
use crate::image::Repository;
use crate::observation::{Health, Observation, Selector, Which, WorkloadKind, Workloads};
use running::{Counts, Running};

/// Most reasons that one observation gives; the others are counted.
const REASONS_MAX: usize = 3;
/// Longest text that is taken over from a cluster, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// What was read, by namespace and resource.
#[derive(Debug, Default)]
pub(super) struct Seen {
    objects: BTreeMap<(String, Resource), Vec<Arc<Object>>>,
}

/// How one workload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    ready: i64,
    wanted: i64,
    health: Health,
}

/// A workload that belongs to the stage, or that should.
struct Chosen<'a> {
    kind: WorkloadKind,
    namespace: &'a str,
    name: &'a str,
    object: Option<&'a Object>,
}

/// Pods by namespace and name, and whether what ended in them counts.
type Pods<'a> = BTreeMap<(&'a str, &'a str), (&'a Object, Counts)>;

impl Seen {
    pub(super) fn put(&mut self, namespace: &str, resource: Resource, objects: Vec<Arc<Object>>) {
        self.objects.insert((namespace.to_owned(), resource), objects);
    }

    fn all(&self, namespace: &str, resource: Resource) -> impl Iterator<Item = &Object> {
        let found = self.objects.get(&(namespace.to_owned(), resource));
        found.into_iter().flatten().map(AsRef::as_ref)
    }

    fn jobs_of(&self, namespace: &str, cron_job: &str) -> Vec<&Object> {
        let jobs = self.all(namespace, Resource::Workload(WorkloadKind::Job));
        jobs.filter(|job| job.owner("CronJob") == Some(cron_job)).collect()
    }
}

/// What runs of `images`, and how the rollouts stand.
pub(super) fn observation(
    seen: &Seen,
    workloads: &Workloads,
    images: &BTreeSet<Repository>,
    at: Timestamp,
) -> Observation {
    let chosen = chosen(seen, workloads);
    let mut pods = match &workloads.which {
        Which::Selector(selector) => labelled(seen, &workloads.namespace, selector),
        Which::Named(_) => Pods::new(),
    };
    let (mut ready, mut wanted, mut healths) = (0, 0, Vec::new());
    let mut running = Running::default();
    for chosen in &chosen {
        let own = pods_of(seen, chosen);
        let mut standing = standing(seen, chosen);
        add_trouble(&mut standing.health, &own);
        if let (WorkloadKind::Application, Some(object), Health::Healthy) =
            (chosen.kind, chosen.object, &standing.health)
        {
            running.add_claimed(object, images);
        }
        pods.extend(own);
        ready += standing.ready;
        wanted += standing.wanted;
        healths.push((format!("{} {}", chosen.kind, chosen.name), standing.health));
    }
    if chosen.is_empty() {
        let which = match &workloads.which {
            Which::Selector(selector) => selector.to_string(),
            Which::Named(_) => "no name".to_owned(),
        };
        let why = format!("none with {which} is in namespace {}", workloads.namespace);
        healths.push(("workload".to_owned(), Health::Progressing(why)));
    }
    for (pod, counts) in pods.values() {
        running.add_pod(pod, *counts, images);
    }
    healths.extend(running.unknown.take().map(|why| ("image".to_owned(), Health::Progressing(why))));
    Observation {
        at,
        source: format!("cluster {}", workloads.cluster),
        running: running.digests,
        ready: count(ready),
        wanted: count(wanted),
        health: together(healths),
    }
}

fn chosen<'a>(seen: &'a Seen, workloads: &'a Workloads) -> Vec<Chosen<'a>> {
    let here = workloads.namespace.as_str();
    match &workloads.which {
        Which::Selector(selector) => {
            let kinds = WorkloadKind::ALL.into_iter().filter(|kind| has_pods(*kind));
            let found = kinds.flat_map(|kind| {
                let objects = seen.all(here, Resource::Workload(kind));
                let is_wanted =
                    |object: &&Object| object.is_selected(selector) && object.owner("CronJob").is_none();
                objects.filter(is_wanted).map(move |object| Chosen {
                    kind,
                    namespace: here,
                    name: &object.metadata.name,
                    object: Some(object),
                })
            });
            found.collect()
        }
        Which::Named(names) => {
            let found = names.iter().map(|name| {
                let namespace = name.namespace.as_deref().unwrap_or(here);
                let mut objects = seen.all(namespace, Resource::Workload(name.kind));
                let object = objects.find(|object| object.metadata.name == name.name);
                Chosen { kind: name.kind, namespace, name: &name.name, object }
            });
            found.collect()
        }
    }
}

fn standing(seen: &Seen, chosen: &Chosen<'_>) -> Standing {
    let Some(object) = chosen.object else {
        let why = format!("it is not in namespace {}", chosen.namespace);
        return Standing { ready: 0, wanted: 0, health: Health::Progressing(why) };
    };
    match chosen.kind {
        WorkloadKind::Deployment => rollout::deployment(object),
        WorkloadKind::StatefulSet => rollout::stateful_set(object, &pods_of(seen, chosen)),
        WorkloadKind::DaemonSet => rollout::daemon_set(object),
        WorkloadKind::Rollout => rollout::argo(object),
        WorkloadKind::Job => job::job(object),
        WorkloadKind::CronJob => job::cron_job(object, &seen.jobs_of(chosen.namespace, chosen.name)),
        WorkloadKind::Application => delivered::application(object),
        WorkloadKind::Kustomization | WorkloadKind::HelmRelease => delivered::flux(object),
    }
}

/// The pods with these labels. What ended in them does not count: it may be of a job long past.
fn labelled<'a>(seen: &'a Seen, namespace: &'a str, selector: &Selector) -> Pods<'a> {
    let pods = seen.all(namespace, Resource::Pods).filter(|pod| pod.has_labels(selector));
    pods.map(|pod| ((namespace, pod.metadata.name.as_str()), (pod, Counts::Running))).collect()
}

/// The pods that a workload made. Those that end belong to it as long as they run.
fn pods_of<'a>(seen: &'a Seen, chosen: &Chosen<'a>) -> Pods<'a> {
    let Some(object) = chosen.object else { return Pods::new() };
    let is_ending = matches!(chosen.kind, WorkloadKind::CronJob | WorkloadKind::Job);
    let counts = if is_ending { Counts::AlsoEnded } else { Counts::Running };
    let maker = match chosen.kind {
        WorkloadKind::CronJob => job::last(&seen.jobs_of(chosen.namespace, chosen.name)),
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Rollout
        | WorkloadKind::Job => Some(object),
        WorkloadKind::Application | WorkloadKind::Kustomization | WorkloadKind::HelmRelease => None,
    };
    let Some(selector) = maker.and_then(Object::pods) else { return Pods::new() };
    let pods = seen.all(chosen.namespace, Resource::Pods).filter(|pod| pod.has_labels(&selector));
    pods.map(|pod| ((chosen.namespace, pod.metadata.name.as_str()), (pod, counts))).collect()
}

/// Says of what is under way which container holds it up.
fn add_trouble(health: &mut Health, pods: &Pods<'_>) {
    let trouble = pods.values().find_map(|(pod, _)| running::trouble(pod));
    if let (Health::Progressing(why), Some(trouble)) = (health, trouble) {
        *why = format!("{why}; {trouble}");
    }
}

/// The worst of them, with its reasons.
fn together(healths: Vec<(String, Health)>) -> Health {
    let (mut degraded, mut progressing) = (Vec::new(), Vec::new());
    for (of, health) in healths {
        match health {
            Health::Healthy => {}
            Health::Progressing(why) => progressing.push(format!("{of}: {why}")),
            Health::Degraded(why) => degraded.push(format!("{of}: {why}")),
        }
    }
    match (degraded.is_empty(), progressing.is_empty()) {
        (false, _) => Health::Degraded(reasons(&degraded)),
        (true, false) => Health::Progressing(reasons(&progressing)),
        (true, true) => Health::Healthy,
    }
}

fn reasons(all: &[String]) -> String {
    let text = all.iter().take(REASONS_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(REASONS_MAX) {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

/// A text of others on one line, shortened.
pub(super) fn one_line(text: &str) -> String {
    let clean = text.trim().chars().map(|character| if character.is_control() { ' ' } else { character });
    clean.take(TEXT_CHARS_MAX).collect()
}

fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
