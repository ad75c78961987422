//! The settings of the server: the embedded defaults, then a file, then `LOCKKEEPER__…` variables.

mod check;
mod cluster;
mod error;
mod github;
mod keys;
mod layers;
mod notify;
mod observer;
mod raw;
mod secret;
mod webhook;

pub use check::BODY_BYTES_MAX;
pub use cluster::{Cluster, ClusterAccess};
pub use error::SettingsError;
pub(crate) use github::host_name;
pub use github::{Ceilings, FullName, FullNameError, GitHub, GitHubForge, GitHubIdentity, Signing};
pub use keys::{KeySet, PublicKey};
pub use layers::DEFAULT;
pub use notify::{Address, NotifyForm, NotifyTarget, Occasion};
pub use observer::{Observer, StagePattern, StagePatternError};
pub use secret::Secret;
pub use webhook::{Proof, SignatureForm, TokenRules, Webhook, WebhookKind};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Valid settings of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The HTTP server.
    pub server: Server,
    /// The database.
    pub store: Store,
    /// The workers.
    pub work: Work,
    /// How registries are asked.
    pub registry: Registry,
    /// The GitHub where pull requests live; none: none do.
    pub github: Option<GitHub>,
    /// What registries may call.
    pub webhooks: Vec<Webhook>,
    /// Who is told what happened.
    pub notify: Vec<NotifyTarget>,
    /// Who may report what runs.
    pub observers: Vec<Observer>,
    /// The environment repositories, at least one.
    pub repositories: Vec<Repository>,
    /// The clusters that are looked at, by name.
    pub clusters: Vec<Cluster>,
    /// Commands in comments.
    pub commands: Commands,
    /// Whom our commits name.
    pub author: Author,
    /// What is logged.
    pub log: Log,
}

/// The HTTP server.
#[derive(Debug, Clone)]
pub struct Server {
    /// What is listened on.
    pub listen: SocketAddr,
    /// The address for links, without `/` at the end.
    pub url: String,
    /// The hosts that a request may name, lower case, each with a port where only that one counts.
    pub hosts: Vec<String>,
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// Requests in work at one time.
    pub requests_max: usize,
    /// The longest that a request may take to arrive, to be answered, and to be read.
    pub timeout: Duration,
    /// How long requests in work may go on after the signal to stop.
    pub stop_timeout: Duration,
}

/// The database.
#[derive(Debug, Clone, Deserialize)]
pub struct Store {
    /// The file.
    pub path: PathBuf,
    /// How long ids of finished deliveries are kept.
    #[serde(with = "raw::duration")]
    pub remember_deliveries: Duration,
}

/// The workers.
#[derive(Debug, Clone, Deserialize)]
pub struct Work {
    /// How many.
    pub workers: usize,
    /// How long a silent one keeps its pipeline.
    #[serde(with = "raw::duration")]
    pub lease: Duration,
}

/// How registries are asked.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The longest that one request may take.
    pub timeout: Duration,
    /// How often a repository is asked without a webhook.
    pub poll_interval: Duration,
    /// How often it is asked where a webhook is seen to work.
    pub told_poll_interval: Duration,
    /// The docker `config.json`; none: the one of docker.
    pub docker_config: Option<PathBuf>,
    /// The docker `config.json` of who sets tags; none: nobody does.
    pub retag_docker_config: Option<PathBuf>,
    /// Hosts where anchors that nothing needs any more are removed.
    pub untag_hosts: Vec<String>,
    /// Hosts of Azure's where what has an anchor is locked against deletion.
    pub lock_hosts: Vec<String>,
    /// The program that verifies keyless signatures, by its whole path; none: nobody does.
    pub cosign_program: Option<PathBuf>,
    /// How often what runs, and what it would go back to, is looked for.
    pub probe_interval: Duration,
    /// Hosts of token servers beside those of the registries themselves.
    pub realm_hosts: Vec<String>,
    /// Hosts that are asked over plain HTTP.
    pub plain_http_hosts: Vec<String>,
    /// Hosts, or folders of them, below which messages may link to sources and builds.
    pub source_links: Vec<String>,
}

/// An environment repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The name in addresses, logs and pages; the history belongs to it.
    pub name: String,
    /// Where it is: a path or an address, without credentials.
    pub location: String,
    /// The file that holds the token.
    pub token_file: Option<PathBuf>,
    /// The user name with the token.
    pub user: Option<String>,
    /// The private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
    /// The known hosts for ssh.
    pub ssh_known_hosts_file: Option<PathBuf>,
    /// The branch that is deployed.
    pub base: String,
    /// How often it is looked at without a webhook.
    pub poll_interval: Duration,
    /// Where its pull requests live.
    pub forge: Forge,
}

/// Where the pull requests of a repository live.
#[derive(Debug, Clone)]
pub enum Forge {
    /// In the forge inside lockkeeper.
    Local(LocalForge),
    /// At the GitHub of [`Settings::github`].
    GitHub(GitHubForge),
}

/// The forge inside lockkeeper.
#[derive(Debug, Clone)]
pub struct LocalForge {
    /// Where it keeps what it knows.
    pub folder: PathBuf,
    /// The file of people, teams and permissions.
    pub people: PathBuf,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Source label of an image → repository on this machine.
    pub sources: BTreeMap<String, PathBuf>,
}

/// How people sign in at the local forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// With a token of their own.
    Token,
    /// At a proxy in front.
    Proxy {
        /// The header with the login.
        header: String,
        /// The addresses from which the header counts.
        trusted: Vec<IpAddr>,
    },
}

/// Commands in comments.
#[derive(Debug, Clone, Deserialize)]
pub struct Commands {
    /// The oldest that one may be.
    #[serde(with = "raw::duration")]
    pub age_max: Duration,
    /// Our name, without `@`.
    pub bot: String,
}

/// Whom our commits name.
#[derive(Debug, Clone, Deserialize)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// For machines, one object per line.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// What is let through, as directives.
    pub filter: String,
}

impl Settings {
    /// Reads the settings: the defaults, the file where one is given, and the variables of this process.
    ///
    /// # Errors
    /// [`SettingsError`], which names the source and the key.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::load_from(file, variables())
    }

    /// How registries are asked, as [`Settings::load`] reads it. Nothing else is looked at beyond its keys: whoever asks a
    /// registry by hand may lack the server's secrets.
    ///
    /// # Errors
    /// [`SettingsError`], which names the source and the key.
    pub fn load_registry(file: Option<&Path>) -> Result<Registry, SettingsError> {
        Self::load_registry_from(file, variables())
    }

    fn load_registry_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Registry, SettingsError> {
        let layers = layers::read(file, variables)?;
        check::check_registry(layers.parse()?.registry, &layers)
    }

    /// Like [`Settings::load`], with these variables.
    ///
    /// # Errors
    /// [`SettingsError`], which names the source and the key.
    pub fn load_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let layers = layers::read(file, variables)?;
        let raw = layers.parse()?;
        check::check(raw, &layers)
    }
}

fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

#[cfg(test)]
mod tests;
