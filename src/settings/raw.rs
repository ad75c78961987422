//! The settings as they are written. Every key stands in `config/default.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::cluster::RawCluster;
use super::{Author, Commands, Log, NotifyForm, Occasion, Store, WebhookKind, Work};

#[derive(Deserialize)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) store: Store,
    pub(super) work: Work,
    pub(super) registry: RawRegistry,
    pub(super) github: Option<RawGitHub>,
    #[serde(default)]
    pub(super) webhooks: Vec<RawWebhook>,
    #[serde(default)]
    pub(super) notify: Vec<RawNotify>,
    #[serde(default)]
    pub(super) observers: Vec<RawObserver>,
    #[serde(default)]
    pub(super) repositories: Vec<RawRepository>,
    #[serde(default)]
    pub(super) clusters: BTreeMap<String, RawCluster>,
    pub(super) commands: Commands,
    pub(super) author: Author,
    pub(super) log: Log,
}

#[derive(Deserialize)]
pub(super) struct RawServer {
    pub(super) listen: SocketAddr,
    pub(super) url: String,
    pub(super) hosts: Vec<String>,
    pub(super) body_bytes_max: usize,
    pub(super) requests_max: usize,
    #[serde(with = "duration")]
    pub(super) timeout: Duration,
    #[serde(with = "duration")]
    pub(super) stop_timeout: Duration,
}

#[derive(Deserialize)]
pub(super) struct RawRegistry {
    #[serde(with = "duration")]
    pub(super) timeout: Duration,
    #[serde(with = "duration")]
    pub(super) poll_interval: Duration,
    #[serde(with = "duration")]
    pub(super) told_poll_interval: Duration,
    pub(super) docker_config: PathBuf,
    pub(super) retag_docker_config: PathBuf,
    pub(super) untag_hosts: Vec<String>,
    pub(super) lock_hosts: Vec<String>,
    pub(super) cosign_program: PathBuf,
    #[serde(with = "duration")]
    pub(super) probe_interval: Duration,
    pub(super) realm_hosts: Vec<String>,
    pub(super) plain_http_hosts: Vec<String>,
    pub(super) source_links: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RawGitHub {
    #[serde(default = "api_url")]
    pub(super) api_url: String,
    pub(super) app_id: Option<u64>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) webhook_secret_files: Vec<PathBuf>,
    /// From a variable only.
    pub(super) webhook_secret: Option<String>,
    #[serde(default = "timeout", with = "duration")]
    pub(super) timeout: Duration,
    #[serde(default = "deliveries_interval", with = "duration")]
    pub(super) deliveries_interval: Duration,
    pub(super) writes_per_minute: Option<NonZeroUsize>,
    pub(super) writes_per_hour: Option<NonZeroUsize>,
}

#[derive(Deserialize)]
pub(super) struct RawWebhook {
    pub(super) kind: WebhookKind,
    pub(super) path: String,
    #[serde(default)]
    pub(super) header: String,
    #[serde(default)]
    pub(super) secret_files: Vec<PathBuf>,
    /// From a variable only.
    pub(super) secret: Option<String>,
    pub(super) token: Option<RawToken>,
    pub(super) registry: Option<String>,
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct RawToken {
    pub(super) keys_file: PathBuf,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) email: String,
}

#[derive(Deserialize)]
pub(super) struct RawNotify {
    pub(super) name: String,
    pub(super) form: NotifyForm,
    pub(super) url: Option<String>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) secret_file: Option<PathBuf>,
    /// From a variable only.
    pub(super) secret: Option<String>,
    pub(super) events: Option<BTreeSet<Occasion>>,
    pub(super) pipelines: Option<Vec<String>>,
    pub(super) stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct RawObserver {
    pub(super) name: String,
    #[serde(default)]
    pub(super) token_files: Vec<PathBuf>,
    /// From a variable only.
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) stages: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RawRepository {
    pub(super) name: String,
    pub(super) location: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) ssh_key_file: Option<PathBuf>,
    pub(super) ssh_known_hosts_file: Option<PathBuf>,
    #[serde(default = "base")]
    pub(super) base: String,
    #[serde(default = "poll_interval", with = "duration")]
    pub(super) poll_interval: Duration,
    #[serde(default = "local")]
    pub(super) forge: RawForge,
    pub(super) local: Option<RawLocalForge>,
    pub(super) github: Option<RawGitHubForge>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawForge {
    Local,
    GitHub,
}

#[derive(Deserialize)]
pub(super) struct RawGitHubForge {
    pub(super) repository: String,
    #[serde(default = "merge")]
    pub(super) merge: String,
    pub(super) signed_commits: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct RawLocalForge {
    pub(super) folder: PathBuf,
    pub(super) people: PathBuf,
    #[serde(default = "token")]
    pub(super) sign_in: RawSignIn,
    pub(super) proxy_header: Option<String>,
    #[serde(default)]
    pub(super) proxy_trusted: Vec<IpAddr>,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawSignIn {
    Token,
    Proxy,
}

fn base() -> String {
    "main".to_owned()
}

fn poll_interval() -> Duration {
    Duration::from_mins(1)
}

fn local() -> RawForge {
    RawForge::Local
}

fn api_url() -> String {
    "https://api.github.com".to_owned()
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}

fn deliveries_interval() -> Duration {
    Duration::from_mins(5)
}

fn merge() -> String {
    "merge".to_owned()
}

fn token() -> RawSignIn {
    RawSignIn::Token
}

/// Durations as people write them: `15m`, `1h 30m`; more than nothing, and less than ten years of 366 days.
pub(super) mod duration {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer};

    const DURATION_SECONDS_MAX: u64 = 10 * 366 * 86_400;
    const WANTED: &str = "a duration like \"15m\" or \"1h 30m\", more than 0 and below ten years";

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("wanted {WANTED}, found {text:?}"));
        let duration = parse(&text).ok_or_else(wrong)?;
        let is_fit = !duration.is_zero() && duration.as_secs() < DURATION_SECONDS_MAX;
        if is_fit { Ok(duration) } else { Err(wrong()) }
    }

    /// Days are 24 hours here, which the parser leaves to its callers.
    fn parse(text: &str) -> Option<Duration> {
        let trimmed = text.trim();
        if let Some(days) = trimmed.strip_suffix('d') {
            let days: u64 = days.trim_end().parse().ok()?;
            return days.checked_mul(86_400).map(Duration::from_secs);
        }
        trimmed.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok())
    }
}
