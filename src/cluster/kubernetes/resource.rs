//! The resources that are read, and where.

use crate::observation::{Which, WorkloadKind};

/// Something that can be listed and watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// What runs.
    Pods,
    /// What says how it stands.
    Workload(WorkloadKind),
}

impl Resource {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Pods].into_iter().chain(WorkloadKind::ALL.map(Self::Workload))
    }

    /// Group and version, as paths and manifests have them.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Pods => "v1",
            Self::Workload(kind) => match kind {
                WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => "apps/v1",
                WorkloadKind::Job | WorkloadKind::CronJob => "batch/v1",
                WorkloadKind::Rollout | WorkloadKind::Application => "argoproj.io/v1alpha1",
                WorkloadKind::Kustomization => "kustomize.toolkit.fluxcd.io/v1",
                WorkloadKind::HelmRelease => "helm.toolkit.fluxcd.io/v2",
            },
        }
    }

    /// The plural, in lower case.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Workload(kind) => match kind {
                WorkloadKind::Deployment => "deployments",
                WorkloadKind::StatefulSet => "statefulsets",
                WorkloadKind::DaemonSet => "daemonsets",
                WorkloadKind::Job => "jobs",
                WorkloadKind::CronJob => "cronjobs",
                WorkloadKind::Rollout => "rollouts",
                WorkloadKind::Application => "applications",
                WorkloadKind::Kustomization => "kustomizations",
                WorkloadKind::HelmRelease => "helmreleases",
            },
        }
    }

    /// The API group; empty for the one that has no name.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.version().split_once('/').map_or("", |(group, _)| group)
    }

    /// As roles and messages of a cluster name it: `pods`, `deployments.apps`.
    #[must_use]
    pub fn name(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The path of its list in a namespace.
    #[must_use]
    pub fn path(self, namespace: &str) -> String {
        let root = if self.group().is_empty() { "/api" } else { "/apis" };
        format!("{root}/{}/namespaces/{namespace}/{}", self.version(), self.plural())
    }

    /// Whether a cluster may well not know it: Kubernetes brings the others.
    #[must_use]
    pub fn is_optional(self) -> bool {
        self.group().contains('.')
    }

    /// What has to be read of which namespaces: none stands for the one of the stage.
    pub(super) fn of(which: &Which) -> Vec<(Option<&str>, Self)> {
        let here = |kinds: &[WorkloadKind]| -> Vec<(Option<&str>, Self)> {
            kinds.iter().map(|kind| (None, Self::Workload(*kind))).collect()
        };
        let mut wanted = Vec::new();
        match which {
            Which::Selector(_) => {
                wanted.push((None, Self::Pods));
                wanted.extend(here(&[
                    WorkloadKind::Deployment,
                    WorkloadKind::StatefulSet,
                    WorkloadKind::DaemonSet,
                    WorkloadKind::Job,
                    WorkloadKind::CronJob,
                    WorkloadKind::Rollout,
                ]));
            }
            Which::Named(names) => {
                for name in names {
                    let namespace = name.namespace.as_deref();
                    wanted.push((namespace, Self::Workload(name.kind)));
                    if has_pods(name.kind) {
                        wanted.push((namespace, Self::Pods));
                    }
                    if name.kind == WorkloadKind::CronJob {
                        wanted.push((namespace, Self::Workload(WorkloadKind::Job)));
                    }
                }
            }
        }
        wanted
    }
}

/// Whether it makes pods itself, beside itself.
pub(crate) fn has_pods(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Job
        | WorkloadKind::CronJob
        | WorkloadKind::Rollout => true,
        WorkloadKind::Application | WorkloadKind::Kustomization | WorkloadKind::HelmRelease => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_is_needed() {
        let check = |names: &[&str], want: &[&str]| {
            let names = names.iter().map(|name| name.parse().unwrap()).collect();
            let which = Which::Named(names);
            let found = Resource::of(&which)
                .into_iter()
                .map(|(namespace, resource)| format!("{}/{}", namespace.unwrap_or("here"), resource.name()));
            assert_eq!(found.collect::<Vec<_>>(), want);
        };
        check(&["Deployment/web"], &["here/deployments.apps", "here/pods"]);
        check(&["CronJob/ops/train"], &["ops/cronjobs.batch", "ops/pods", "ops/jobs.batch"]);
        check(&["Application/argocd/web"], &["argocd/applications.argoproj.io"]);
        check(&["HelmRelease/web"], &["here/helmreleases.helm.toolkit.fluxcd.io"]);
        assert_eq!(Resource::of(&Which::Selector("app=web".parse().unwrap())).len(), 7);
    }

    #[test]
    fn paths_are_those_of_the_api() {
        let check = |resource: Resource, want: &str| assert_eq!(resource.path("shop"), want);
        check(Resource::Pods, "/api/v1/namespaces/shop/pods");
        check(Resource::Workload(WorkloadKind::Job), "/apis/batch/v1/namespaces/shop/jobs");
        check(
            Resource::Workload(WorkloadKind::Rollout),
            "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts",
        );
        let optional = Resource::all().filter(|resource| resource.is_optional()).map(Resource::plural);
        assert_eq!(
            optional.collect::<Vec<_>>(),
            ["rollouts", "applications", "kustomizations", "helmreleases"]
        );
    }
}
