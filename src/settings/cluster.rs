//! The clusters that are looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::SettingsError;
use super::layers::Layers;

/// A cluster that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The name by which `lockkeeper.yaml` speaks of it.
    pub name: String,
    /// How it is reached.
    pub access: ClusterAccess,
}

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterAccess {
    /// As `kubectl` reaches it.
    Kubeconfig {
        /// The file, read at each new connection.
        file: PathBuf,
        /// The context; none: the current one of the file.
        context: Option<String>,
    },
    /// As a pod reaches the cluster that it runs in.
    InCluster,
}

#[derive(Deserialize)]
pub(super) struct RawCluster {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    in_cluster: Option<bool>,
}

/// A kubeconfig that is not there, or not yet, is no reason not to start: what needs the cluster waits and says so.
pub(super) fn check(
    raw: BTreeMap<String, RawCluster>,
    layers: &Layers,
) -> Result<Vec<Cluster>, SettingsError> {
    raw.into_iter().map(|(name, raw)| check_one(name, raw, layers)).collect()
}

fn check_one(name: String, raw: RawCluster, layers: &Layers) -> Result<Cluster, SettingsError> {
    let key = format!("clusters.{name}");
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > super::check::NAME_BYTES_MAX || !name.bytes().all(is_word) {
        return Err(
            layers.invalid(&key, format!("wanted a name of letters, digits, `-`, `_`, found {name:?}"))
        );
    }
    let kubeconfig = raw.kubeconfig.filter(|file| !file.as_os_str().is_empty());
    let access = match (kubeconfig, raw.in_cluster.unwrap_or(false)) {
        (Some(file), false) => {
            ClusterAccess::Kubeconfig { file, context: raw.context.filter(|name| !name.is_empty()) }
        }
        (None, true) if raw.context.is_none() => ClusterAccess::InCluster,
        (None, true) => {
            return Err(layers.invalid(
                &format!("{key}.context"),
                "belongs to `kubeconfig`, and there is none with `in_cluster`",
            ));
        }
        (Some(_), true) | (None, false) => {
            return Err(layers.invalid(&key, "wanted either `kubeconfig` or `in_cluster = true`"));
        }
    };
    Ok(Cluster { name, access })
}
