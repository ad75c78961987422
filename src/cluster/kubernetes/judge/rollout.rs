//! How the rollout of what keeps running stands.
//!
//! Source: `kubectl rollout status` of Kubernetes 1.36 (`kubectl/pkg/polymorphichelpers/rollout_status.go`); Argo Rollouts
//! 1.8, `status.phase`. Beyond it, what came up and is not available any more is degraded.

use super::{Pods, Standing, one_line};
use crate::cluster::kubernetes::object::Object;
use crate::observation::Health;

/// Restarts after which a container that crashes has had its time, where there is no deadline: the kubelet waits 10, 20, 40,
/// 80 and 160 s between them, so five minutes; a Deployment has ten by default.
const RESTARTS_MAX: i64 = 5;

/// Of a Deployment.
pub(super) fn deployment(object: &Object) -> Standing {
    let status = &object.status;
    let wanted = object.spec.replicas.unwrap_or(1);
    let (total, updated) = (status.replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    let available = status.available_replicas.unwrap_or(0);
    let progress = object.condition("Progressing");
    let is_reason = |reason: &str| progress.is_some_and(|found| found.reason.as_deref() == Some(reason));
    let health = if !object.is_seen() {
        unseen()
    } else if is_reason("ProgressDeadlineExceeded") {
        let message = progress.and_then(|found| found.message.as_deref()).unwrap_or_default();
        Health::Degraded(format!("its progress deadline is exceeded: {}", one_line(message)))
    } else if updated < wanted && object.spec.paused == Some(true) {
        Health::Progressing(format!("it is paused, {updated} of {wanted} are updated"))
    } else if updated < wanted {
        Health::Progressing(format!("{updated} of {wanted} are updated"))
    } else if total > updated {
        Health::Progressing(format!("{} of the old ones are to end", total - updated))
    } else if available < updated {
        let why = format!("{available} of {updated} are available");
        let is_down = object.condition("Available").is_some_and(|found| found.status == "False");
        // Short of what it may miss after it had come up; one pod that moves to another node is not that.
        if is_down && is_reason("NewReplicaSetAvailable") {
            Health::Degraded(why)
        } else {
            Health::Progressing(why)
        }
    } else {
        Health::Healthy
    };
    Standing { ready: ready(available, total, updated, wanted), wanted, health }
}

/// Of a StatefulSet.
pub(super) fn stateful_set(object: &Object, pods: &Pods<'_>) -> Standing {
    let status = &object.status;
    let wanted = object.spec.replicas.unwrap_or(1);
    let total = status.replicas.unwrap_or(0);
    let current = status.ready_replicas.unwrap_or(0).min(status.available_replicas.unwrap_or(i64::MAX));
    let strategy = object.spec.update_strategy.as_ref();
    let partition = strategy.and_then(|found| found.rolling_update.as_ref()?.partition).unwrap_or(0);
    let is_on_delete = strategy.is_some_and(|found| found.kind.as_deref() == Some("OnDelete"));
    let is_one = status.update_revision == status.current_revision;
    // Where all are of one revision, that is the new one, whatever the field says.
    let updated = if is_one { total } else { status.updated_replicas.unwrap_or(0) };
    let to_update = (wanted - partition).max(0);
    let health = if !object.is_seen() {
        unseen()
    } else if let Some(crash) = crash(object, pods) {
        Health::Degraded(crash)
    } else if current < wanted {
        Health::Progressing(format!("{current} of {wanted} are ready"))
    } else if is_on_delete && updated < wanted {
        Health::Progressing(format!("{} are to be deleted by hand (OnDelete)", wanted - updated))
    } else if updated < to_update || (partition == 0 && !is_on_delete && !is_one) {
        Health::Progressing(format!("{updated} of {to_update} are updated"))
    } else {
        Health::Healthy
    };
    Standing { ready: ready(current, total, updated, wanted), wanted, health }
}

/// Of a DaemonSet.
pub(super) fn daemon_set(object: &Object) -> Standing {
    let status = &object.status;
    let wanted = status.desired_number_scheduled.unwrap_or(0);
    let (total, updated) =
        (status.current_number_scheduled.unwrap_or(0), status.updated_number_scheduled.unwrap_or(0));
    let available = status.number_available.unwrap_or(0);
    let strategy = object.spec.update_strategy.as_ref();
    let is_on_delete = strategy.is_some_and(|found| found.kind.as_deref() == Some("OnDelete"));
    let health = if !object.is_seen() {
        unseen()
    } else if updated < wanted && is_on_delete {
        Health::Progressing(format!("{} are to be deleted by hand (OnDelete)", wanted - updated))
    } else if updated < wanted {
        Health::Progressing(format!("{updated} of {wanted} are updated"))
    } else if available < wanted {
        Health::Progressing(format!("{available} of {wanted} are available"))
    } else {
        Health::Healthy
    };
    Standing { ready: ready(available, total, updated, wanted), wanted, health }
}

/// Of an Argo Rollout, as its controller judges it.
pub(super) fn argo(object: &Object) -> Standing {
    let status = &object.status;
    let wanted = object.spec.replicas.unwrap_or(1);
    let message = one_line(status.message.as_deref().unwrap_or_default());
    let phase = status.phase.as_deref().unwrap_or_default();
    let health = match phase {
        _ if !object.is_seen() => unseen(),
        "Degraded" => Health::Degraded(format!("its phase is Degraded: {message}")),
        _ if status.abort == Some(true) => Health::Degraded(format!("it is aborted: {message}")),
        "Healthy" => Health::Healthy,
        "Paused" => Health::Progressing(format!("it is paused: {message}")),
        "" => Health::Progressing("its controller says nothing yet".to_owned()),
        other => Health::Progressing(format!("{}: {message}", one_line(other))),
    };
    let (total, updated) = (status.replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
    Standing { ready: ready(status.available_replicas.unwrap_or(0), total, updated, wanted), wanted, health }
}

pub(super) fn unseen() -> Health {
    Health::Progressing("its controller has not seen the change yet".to_owned())
}

/// How many of the updated ones are available at least: what is available may be old ones, as far as there are any.
fn ready(available: i64, total: i64, updated: i64, wanted: i64) -> i64 {
    (available - (total - updated).max(0)).clamp(0, updated.min(wanted).max(0))
}

/// A container of the new revision that crashes again and again.
fn crash(object: &Object, pods: &Pods<'_>) -> Option<String> {
    let revision = object.status.update_revision.as_ref()?;
    let is_new = |pod: &&Object| {
        let labels = pod.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get("controller-revision-hash")) == Some(revision)
    };
    pods.values().map(|(pod, _)| *pod).filter(is_new).find_map(|pod| {
        let crashing = pod.status.container_statuses.iter().flatten().find(|container| {
            let waiting = container.state.waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"))
                && container.restart_count.unwrap_or(0) >= RESTARTS_MAX
        })?;
        let restarts = crashing.restart_count.unwrap_or(0);
        Some(format!("{} of pod {} crashed {restarts} times", crashing.name, pod.metadata.name))
    })
}
