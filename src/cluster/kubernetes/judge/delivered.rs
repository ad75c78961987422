//! What a deployer of the cluster says of what it delivers.

use super::rollout::unseen;
use super::{Standing, one_line};
use crate::cluster::kubernetes::object::Object;
use crate::observation::Health;

/// Reasons for which Flux is not ready, and will be by itself.
///
/// Source: Flux 2.6, `fluxcd/pkg/apis/meta` and the controllers' own.
const WAITING: [&str; 5] =
    ["DependencyNotReady", "ArtifactNotReady", "Progressing", "ProgressingWithRetry", "SourceNotReady"];

/// Of an Application of Argo CD.
///
/// Source: Argo CD 3.1, `status.health`, `status.sync`, `status.operationState`.
pub(super) fn application(object: &Object) -> Standing {
    let word = |word: Option<&String>| one_line(word.map_or("unknown", String::as_str));
    let (health, sync) = (object.status.health.as_ref(), object.status.sync.as_ref());
    let message = health
        .and_then(|found| found.message.as_ref())
        .map_or_else(String::new, |text| format!(": {}", one_line(text)));
    let (health, sync) = (
        word(health.and_then(|found| found.status.as_ref())),
        word(sync.and_then(|found| found.status.as_ref())),
    );
    let operation = object.status.operation_state.as_ref();
    let phase = operation.and_then(|found| found.phase.as_deref()).unwrap_or_default();
    let health = match (health.as_str(), sync.as_str(), phase) {
        ("Degraded", _, _) => Health::Degraded(format!("its health is Degraded{message}")),
        (_, _, "Running" | "Terminating") => Health::Progressing("a sync is under way".to_owned()),
        ("Healthy", "Synced", _) => Health::Healthy,
        (_, sync, "Failed" | "Error") if sync != "Synced" => {
            let text = operation.and_then(|found| found.message.as_deref()).unwrap_or_default();
            Health::Degraded(format!("its last sync failed: {}", one_line(text)))
        }
        (health, sync, _) => Health::Progressing(format!("its health is {health}, its sync {sync}{message}")),
    };
    Standing { ready: 0, wanted: 0, health }
}

/// Of a Kustomization or HelmRelease of Flux.
pub(super) fn flux(object: &Object) -> Standing {
    let text = |kind: &str| {
        let condition = object.condition(kind);
        one_line(condition.and_then(|found| found.message.as_deref()).unwrap_or("no reason given"))
    };
    let ready = object.condition("Ready");
    let is_old =
        |seen: Option<i64>| seen.zip(object.metadata.generation).is_some_and(|(seen, now)| seen < now);
    let health = if object.spec.suspend == Some(true) {
        Health::Progressing("it is suspended".to_owned())
    } else if !object.is_seen() || is_old(ready.and_then(|found| found.observed_generation)) {
        unseen()
    } else if object.is("Stalled") {
        Health::Degraded(text("Stalled"))
    } else if object.is("Reconciling") {
        Health::Progressing(text("Reconciling"))
    } else {
        let reason = ready.and_then(|found| found.reason.as_deref()).unwrap_or_default();
        match ready.map(|found| found.status.as_str()) {
            Some("True") => Health::Healthy,
            Some("False") if !WAITING.contains(&reason) => Health::Degraded(text("Ready")),
            Some(_) | None => Health::Progressing(text("Ready")),
        }
    };
    Standing { ready: 0, wanted: 0, health }
}
