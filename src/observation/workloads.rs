//! What of a cluster belongs to a stage: by labels, or by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::selector::Selector;

/// What of a cluster belongs to a stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Workloads {
    /// The cluster, as the settings name it.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// What is looked at there.
    pub which: Which,
}

/// What of a namespace is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The workloads with these labels, on themselves or on their pods.
    Selector(Selector),
    /// These. At least one.
    Named(Vec<WorkloadName>),
}

/// What tells of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    StatefulSet,
    /// `apps/v1`.
    DaemonSet,
    /// `batch/v1`.
    Job,
    /// `batch/v1`.
    CronJob,
    /// Of Argo Rollouts, `argoproj.io/v1alpha1`.
    Rollout,
    /// Of Argo CD, `argoproj.io/v1alpha1`.
    Application,
    /// Of Flux, `kustomize.toolkit.fluxcd.io/v1`.
    Kustomization,
    /// Of Flux, `helm.toolkit.fluxcd.io/v2`.
    HelmRelease,
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::Rollout,
        Self::Application,
        Self::Kustomization,
        Self::HelmRelease,
    ];

    /// Its name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Rollout => "Rollout",
            Self::Application => "Application",
            Self::Kustomization => "Kustomization",
            Self::HelmRelease => "HelmRelease",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One workload: `Deployment/checkout`, or `Application/argocd/checkout` where it lies in a namespace of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadName {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace, where it is not the one of the stage.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// The text names no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" names no workload; write kind/name or kind/namespace/name, the kind one of {}", kinds())]
pub struct WorkloadNameError {
    found: String,
}

impl FromStr for WorkloadName {
    type Err = WorkloadNameError;

    /// Kinds are read in any case, as `kubectl` reads them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, None, *name),
            [kind, namespace, name] => (*kind, Some(*namespace), *name),
            _ => return Err(WorkloadNameError { found: text.to_owned() }),
        };
        let kind = WorkloadKind::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(kind));
        match kind {
            Some(kind) if is_name(name) && namespace.is_none_or(is_name) => {
                Ok(Self { kind, namespace: namespace.map(str::to_owned), name: name.to_owned() })
            }
            Some(_) | None => Err(WorkloadNameError { found: text.to_owned() }),
        }
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{}/{}", self.kind, self.name),
        }
    }
}

impl Serialize for WorkloadName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WorkloadName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Workloads {
    /// Whether this can be the name of a namespace or of an object in one: RFC 1123 subdomains, at most 253 bytes.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        is_name(text)
    }

    /// The namespaces that are looked at.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let named = match &self.which {
            Which::Named(names) => names.as_slice(),
            Which::Selector(_) => &[],
        };
        let elsewhere = named.iter().filter_map(|name| name.namespace.as_deref());
        std::iter::once(self.namespace.as_str()).chain(elsewhere)
    }
}

fn is_name(text: &str) -> bool {
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && bytes.iter().copied().all(is_inner)
        && is_outer(bytes.first())
        && is_outer(bytes.last())
}

fn kinds() -> String {
    WorkloadKind::ALL.map(WorkloadKind::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_named_as_kubectl_names_them() {
        let check = |text: &str, want: Option<&str>| {
            assert_eq!(
                text.parse::<WorkloadName>().ok().map(|name| name.to_string()).as_deref(),
                want,
                "{text}"
            );
        };
        check("Deployment/checkout", Some("Deployment/checkout"));
        check("statefulset/db-0", Some("StatefulSet/db-0"));
        check("Application/argocd/checkout", Some("Application/argocd/checkout"));
        check("rollout/a.b", Some("Rollout/a.b"));
        for wrong in
            ["checkout", "Pod/checkout", "Deployment/", "Deployment/A", "Job//a", "Job/a/", "Job/a/b/c"]
        {
            check(wrong, None);
        }
        check(&format!("Job/{}", "a".repeat(253)), Some(&format!("Job/{}", "a".repeat(253))));
        check(&format!("Job/{}", "a".repeat(254)), None);
        for wrong in ["-a", "a-", ".a", "a b", ""] {
            check(&format!("Job/{wrong}"), None);
        }
    }
}
