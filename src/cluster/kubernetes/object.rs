//! What is read of the objects of a cluster: the few fields that say how they stand.
//!
//! A field means the same in every kind that has it, so there is one type for all. What else an object holds is not
//! kept: of a pod of 6 kB about 1 kB stays, and no annotation, environment variable or argument.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::observation::{Condition as Asked, Requirement, Selector};

/// One object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Object {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) resource_version: Option<String>,
    pub(crate) generation: Option<i64>,
    pub(crate) creation_timestamp: Option<Timestamp>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) controller: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) replicas: Option<i64>,
    pub(crate) completions: Option<i64>,
    pub(crate) paused: Option<bool>,
    pub(crate) suspend: Option<bool>,
    pub(crate) selector: Option<LabelSelector>,
    pub(crate) update_strategy: Option<UpdateStrategy>,
    pub(crate) template: Option<Template>,
    pub(crate) job_template: Option<JobTemplate>,
    pub(crate) containers: Option<Vec<Container>>,
    pub(crate) init_containers: Option<Vec<Container>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LabelSelector {
    pub(crate) match_labels: Option<BTreeMap<String, String>>,
    pub(crate) match_expressions: Option<Vec<Expression>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Expression {
    pub(crate) key: String,
    pub(crate) operator: String,
    pub(crate) values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UpdateStrategy {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RollingUpdate {
    pub(crate) partition: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Template {
    pub(crate) metadata: Option<Metadata>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct JobTemplate {
    pub(crate) metadata: Option<Metadata>,
    pub(crate) spec: Option<JobSpec>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct JobSpec {
    pub(crate) template: Option<Template>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) observed_generation: Option<Number>,
    pub(crate) conditions: Option<Vec<Condition>>,
    // Deployment, StatefulSet, Rollout.
    pub(crate) replicas: Option<i64>,
    pub(crate) updated_replicas: Option<i64>,
    pub(crate) ready_replicas: Option<i64>,
    pub(crate) available_replicas: Option<i64>,
    pub(crate) current_revision: Option<String>,
    pub(crate) update_revision: Option<String>,
    /// Of a Rollout, as text.
    pub(crate) selector: Option<String>,
    pub(crate) abort: Option<bool>,
    // DaemonSet.
    pub(crate) desired_number_scheduled: Option<i64>,
    pub(crate) current_number_scheduled: Option<i64>,
    pub(crate) updated_number_scheduled: Option<i64>,
    pub(crate) number_available: Option<i64>,
    // Job.
    pub(crate) succeeded: Option<i64>,
    pub(crate) failed: Option<i64>,
    // Pod, Rollout.
    pub(crate) phase: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) container_statuses: Option<Vec<ContainerStatus>>,
    pub(crate) init_container_statuses: Option<Vec<ContainerStatus>>,
    // Application.
    pub(crate) health: Option<Word>,
    pub(crate) sync: Option<Word>,
    pub(crate) operation_state: Option<Operation>,
    pub(crate) summary: Option<Summary>,
}

/// A number, which Argo Rollouts writes as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Number(i64),
    Text(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) observed_generation: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) image: Option<String>,
    #[serde(rename = "imageID")]
    pub(crate) image_id: Option<String>,
    pub(crate) restart_count: Option<i64>,
    pub(crate) state: ContainerState,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    pub(crate) running: Option<Running>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Running {}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Terminated {
    pub(crate) exit_code: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Word {
    pub(crate) status: Option<String>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Operation {
    pub(crate) phase: Option<String>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    pub(crate) images: Option<Vec<String>>,
}

impl Object {
    /// The labels, on the object itself.
    pub(crate) fn has_labels(&self, selector: &Selector) -> bool {
        matches(selector, Some(&self.metadata))
    }

    /// The labels, on the object itself or on the pods that it makes.
    pub(crate) fn is_selected(&self, selector: &Selector) -> bool {
        let template = self.spec.template.as_ref();
        let job = self.spec.job_template.as_ref();
        let of_job = job.and_then(|job| job.spec.as_ref()).and_then(|spec| spec.template.as_ref());
        let made = [template, of_job].into_iter().flatten().filter_map(|made| made.metadata.as_ref());
        let job = job.and_then(|job| job.metadata.as_ref());
        self.has_labels(selector) || made.chain(job).any(|metadata| matches(selector, Some(metadata)))
    }

    /// The name of the object of this kind that made it.
    pub(crate) fn owner(&self, kind: &str) -> Option<&str> {
        let mut owners = self.metadata.owner_references.iter().flatten();
        owners
            .find(|owner| owner.controller == Some(true) && owner.kind == kind)
            .map(|owner| owner.name.as_str())
    }

    /// What picks its pods; none where it says nothing that can be understood.
    pub(crate) fn pods(&self) -> Option<Selector> {
        match &self.spec.selector {
            Some(selector) => selector.read(),
            None => self.status.selector.as_ref()?.parse().ok(),
        }
    }

    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().flatten().find(|condition| condition.kind == kind)
    }

    /// Whether the condition is there and true.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// Whether what looks after it has seen what its manifest says now.
    pub(crate) fn is_seen(&self) -> bool {
        let seen = match &self.status.observed_generation {
            Some(Number::Number(seen)) => Some(*seen),
            // Old Argo Rollouts wrote a hash here, which says nothing about order.
            Some(Number::Text(text)) => text.parse().ok().or(self.metadata.generation),
            None => None,
        };
        match (seen, self.metadata.generation) {
            (Some(seen), Some(wanted)) => seen >= wanted,
            (None, Some(_)) => false,
            (_, None) => true,
        }
    }

    /// About what it takes in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let metadata = |metadata: &Metadata| {
            let labels = metadata.labels.iter().flatten().map(|(key, value)| key.len() + value.len() + 96);
            let owners = metadata.owner_references.iter().flatten();
            let owners = owners.map(|owner| owner.kind.len() + owner.name.len() + 64);
            metadata.name.len() + labels.sum::<usize>() + owners.sum::<usize>()
        };
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let containers = self.spec.containers.iter().chain(&self.spec.init_containers).flatten();
        let containers = containers.map(|found| found.name.len() + text(&found.image) + 64);
        let statuses = self.status.container_statuses.iter().chain(&self.status.init_container_statuses);
        let statuses = statuses.flatten().map(|found| {
            let waiting = found.state.waiting.as_ref();
            let waiting = waiting.map_or(0, |waiting| text(&waiting.reason) + text(&waiting.message));
            found.name.len() + text(&found.image) + text(&found.image_id) + waiting + 256
        });
        let conditions = self.status.conditions.iter().flatten();
        let conditions =
            conditions.map(|found| found.kind.len() + text(&found.message) + text(&found.reason) + 128);
        let images = self.status.summary.iter().filter_map(|summary| summary.images.as_ref()).flatten();
        size_of::<Self>()
            + metadata(&self.metadata)
            + containers.chain(statuses).chain(conditions).sum::<usize>()
            + images.map(|image| image.len() + 24).sum::<usize>()
            + text(&self.status.message)
    }
}

impl LabelSelector {
    fn read(&self) -> Option<Selector> {
        let labels = self.match_labels.iter().flatten().map(|(key, value)| {
            let condition = Asked::In([value.clone()].into());
            Some(Requirement { key: key.clone(), condition })
        });
        let expressions = self.match_expressions.iter().flatten().map(|expression| {
            let values = expression.values.iter().flatten().cloned().collect();
            let condition = match expression.operator.as_str() {
                "In" => Asked::In(values),
                "NotIn" => Asked::NotIn(values),
                "Exists" => Asked::Exists,
                "DoesNotExist" => Asked::Absent,
                _ => return None,
            };
            Some(Requirement { key: expression.key.clone(), condition })
        });
        let requirements = labels.chain(expressions).collect::<Option<Vec<Requirement>>>()?;
        // An empty one would pick every pod of the namespace; workloads refuse it, too.
        (!requirements.is_empty()).then(|| Selector::of(requirements))
    }
}

fn matches(selector: &Selector, metadata: Option<&Metadata>) -> bool {
    let labels = metadata.and_then(|metadata| metadata.labels.as_ref());
    labels.map_or_else(|| selector.matches(&BTreeMap::new()), |labels| selector.matches(labels))
}
