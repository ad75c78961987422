//! The client of a cluster, made from a kubeconfig or from what a pod is given.

use std::error::Error as _;
use std::time::Duration;

use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::ask::Refusal;
use super::judge::one_line;
use crate::settings::ClusterAccess;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the command that a kubeconfig names for credentials may take.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a cluster is, and the client that goes there.
pub(super) struct Connection {
    access: ClusterAccess,
    client: Mutex<Option<Client>>,
}

impl Connection {
    pub(super) fn new(access: ClusterAccess) -> Self {
        Self { access, client: Mutex::new(None) }
    }

    /// The client. The kubeconfig is read when there is none, so that a cluster that is named wrongly stops nothing else,
    /// and credentials that were renewed are found.
    ///
    /// # Errors
    /// [`Refusal::Broken`], without any secret in it.
    pub(super) async fn client(&self) -> Result<Client, Refusal> {
        let mut client = self.client.lock().await;
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let config = self.config().await?;
        // A command for credentials is waited for by its thread.
        let made = timeout(CREDENTIALS_TIMEOUT, spawn_blocking(move || Client::try_from(config))).await;
        let made = match made {
            Ok(Ok(made)) => made.map_err(|error| Refusal::Broken(safe(&error)))?,
            Ok(Err(_)) => return Err(Refusal::Broken("its client cannot be made".to_owned())),
            Err(_) => return Err(Refusal::Broken("the command of its kubeconfig does not end".to_owned())),
        };
        *client = Some(made.clone());
        Ok(made)
    }

    /// Drops the client, so that the next one has new credentials.
    pub(super) async fn forget(&self) {
        *self.client.lock().await = None;
    }

    async fn config(&self) -> Result<Config, Refusal> {
        let mut config = match &self.access {
            ClusterAccess::InCluster => Config::incluster().map_err(|error| {
                Refusal::Broken(format!("not in a cluster: {}", one_line(&error.to_string())))
            })?,
            ClusterAccess::Kubeconfig { file, context } => {
                let named = |error: KubeconfigError| {
                    Refusal::Broken(format!("kubeconfig {}: {}", file.display(), safe_config(&error)))
                };
                let text = Kubeconfig::read_from(file).map_err(named)?;
                let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
                Config::from_custom_kubeconfig(text, &options).await.map_err(named)?
            }
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.default_retry = false;
        Ok(config)
    }
}

/// What is wrong with a kubeconfig. What cannot be parsed is not shown: it may hold a token.
fn safe_config(error: &KubeconfigError) -> String {
    if let KubeconfigError::Parse(_) = error {
        "is no kubeconfig in YAML".to_owned()
    } else {
        one_line(&error.to_string())
    }
}

/// What went wrong on the way. A command for credentials and what it printed is not shown: both may hold a token.
pub(super) fn safe(error: &kube::Error) -> String {
    if let kube::Error::Auth(error) = error {
        return match auth(error) {
            Some(text) => one_line(&text),
            None => "the credentials of its kubeconfig cannot be used".to_owned(),
        };
    }
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    one_line(text.rsplit_once("Error: ").map_or(text.as_str(), |(_, rest)| rest))
}

fn auth(error: &AuthError) -> Option<String> {
    if let AuthError::AuthExecRun { out, .. } = error {
        Some(format!("the command of its kubeconfig for credentials failed with {}", out.status))
    } else if let AuthError::AuthExecStart(reason) = error {
        Some(format!("the command of its kubeconfig for credentials does not start: {reason}"))
    } else if let AuthError::ReadTokenFile(reason, file) = error {
        Some(format!("token file {}: {reason}", file.display()))
    } else {
        None
    }
}
