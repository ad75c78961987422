//! Whether the clusters answer, and may be read where stages are looked at.

use super::Findings;
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::{Bounds, Kubernetes};
use crate::observation::Workloads;
use crate::settings::Settings;

/// Asks each cluster of the settings for its version, and for one object of each kind that `looked_at` needs.
pub(super) async fn look(settings: &Settings, looked_at: &[Workloads], findings: &mut Findings) {
    for cluster in &settings.clusters {
        let subject = format!("cluster {}", cluster.name);
        let client = Kubernetes::new(cluster, Bounds::default());
        match client.version().await {
            Ok(version) => findings.good(subject.clone(), format!("answers, Kubernetes {version}")),
            Err(error) => {
                findings.bad(subject, error.to_string(), fix_of(&error));
                continue;
            }
        }
        for workloads in looked_at.iter().filter(|workloads| workloads.cluster == cluster.name) {
            rights(&client, &subject, workloads, findings).await;
        }
    }
    for workloads in looked_at {
        if !settings.clusters.iter().any(|cluster| cluster.name == workloads.cluster) {
            let error = ClusterError::Unknown { cluster: workloads.cluster.clone() };
            findings.bad(format!("cluster {}", workloads.cluster), error.to_string(), fix_of(&error));
        }
    }
}

async fn rights(client: &Kubernetes, subject: &str, workloads: &Workloads, findings: &mut Findings) {
    let (mut read, mut absent) = (Vec::new(), Vec::new());
    for (namespace, resource) in Kubernetes::needs(workloads) {
        match client.may_read(&namespace, resource).await {
            Ok(true) => read.push(resource.name()),
            Ok(false) => absent.push(resource.name()),
            Err(error) => findings.bad(subject, error.to_string(), fix_of(&error)),
        }
    }
    if !read.is_empty() {
        let absent =
            if absent.is_empty() { String::new() } else { format!("; not installed: {}", absent.join(", ")) };
        let text = format!("namespace {}: reads {}{absent}", workloads.namespace, read.join(", "));
        findings.good(subject, text);
    }
}

fn fix_of(error: &ClusterError) -> &'static str {
    match error {
        ClusterError::Unknown { .. } => "add it to the settings, or change its name in lockkeeper.yaml",
        ClusterError::Unavailable { .. } => {
            "try `kubectl --kubeconfig FILE version` as the user of the server; in a pod: the component `cluster` of \
             deploy/kubernetes"
        }
        ClusterError::Unauthorized { .. } => {
            "make a new kubeconfig or token, and put it where `kubeconfig` points"
        }
        ClusterError::Forbidden { .. } => {
            "apply deploy/kubernetes/observed in that namespace, with that account"
        }
        ClusterError::TooLarge { .. } => "give the stage a namespace of its own",
    }
}
