//! GitHub: one App, or one token, for all repositories there.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::check::{at_least, check_secret_file, secrets};
use super::layers::Layers;
use super::raw::{RawGitHub, RawGitHubForge};
use super::{Secret, SettingsError};
use crate::pull_request::MergeMethod;

/// The name that a `[[webhooks]]` entry cannot have beside the table.
pub(super) const WEBHOOK_PATH: &str = "github";
/// The API of github.com.
const API_URL: &str = "https://api.github.com";
/// Where the API of a GitHub Enterprise Server is below its address.
const API_PATH: &str = "/api/v3";
/// Longest owner or name: a repository's has at most 100 characters, an owner's fewer.
const PART_BYTES_MAX: usize = 100;

/// Each reading is one request.
const DELIVERIES_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// A GitHub, and who we are there.
#[derive(Debug, Clone)]
pub struct GitHub {
    /// The API, without `/` at the end.
    pub api_url: String,
    /// How we prove who we are.
    pub identity: GitHubIdentity,
    /// The secrets that count for deliveries. Without any, none is received.
    pub webhook_secrets: Vec<Secret>,
    /// The longest that one request may take.
    pub timeout: Duration,
    /// How often GitHub's list of deliveries is read for those that did not arrive.
    pub deliveries_interval: Duration,
    /// The most that is written.
    pub ceilings: Ceilings,
}

/// The most that is written to GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// In a minute.
    pub per_minute: usize,
    /// In an hour.
    pub per_hour: usize,
}

impl Default for Ceilings {
    /// Source: GitHub's documentation, "About secondary rate limits": of everything that creates content.
    fn default() -> Self {
        Self { per_minute: 80, per_hour: 500 }
    }
}

/// How we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitHubIdentity {
    /// As a GitHub App.
    App {
        /// Its id.
        id: u64,
        /// The file that holds its private key, as PEM.
        private_key_file: PathBuf,
    },
    /// By a fine-grained token of somebody.
    Token {
        /// The file that holds it.
        file: PathBuf,
    },
}

/// A repository whose pull requests live at GitHub.
#[derive(Debug, Clone)]
pub struct GitHubForge {
    /// The repository there.
    pub repository: FullName,
    /// How pull requests are merged.
    pub merge: MergeMethod,
    /// Who makes the commits of promotions.
    pub signing: Signing,
}

/// Whether GitHub makes, and thereby signs, the commits of promotions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// Where the base branch demands signatures.
    #[default]
    AsDemanded,
    /// All of them.
    Always,
    /// None: git makes them.
    Never,
}

/// `owner/name` of a repository, which GitHub compares without regard to case.
#[derive(Debug, Clone)]
pub struct FullName {
    owner: String,
    name: String,
}

/// What cannot be the name of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wanted owner/name, of letters, digits, `.`, `_`, `-`")]
pub struct FullNameError;

impl FullName {
    /// The account.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name below the account.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    fn from_str(text: &str) -> Result<Self, FullNameError> {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_part = |part: &str| {
            (1..=PART_BYTES_MAX).contains(&part.len())
                && part.bytes().all(is_letter)
                && part.bytes().any(|byte| byte != b'.')
        };
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            Some(_) | None => Err(FullNameError),
        }
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

impl PartialEq for FullName {
    fn eq(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for FullName {}

impl GitHub {
    /// The address at which people and git reach it, without `/` at the end.
    #[must_use]
    pub fn web_url(&self) -> String {
        let (scheme, host) = self.origin();
        // github.com, and GHE.com with data residency, have the API at a host of its own.
        let web = match host.strip_prefix("api.") {
            Some(web) if web == "github.com" || web.ends_with(".ghe.com") => web,
            Some(_) | None => host,
        };
        format!("{scheme}://{web}")
    }

    /// Where git reaches a repository.
    #[must_use]
    pub fn location(&self, repository: &FullName) -> String {
        format!("{}/{repository}.git", self.web_url())
    }

    /// The address below which GraphQL is, at `/graphql`: beside `/api/v3`, not below it, at a GitHub Enterprise Server.
    #[must_use]
    pub fn graphql_base(&self) -> String {
        let (scheme, rest) = self.api_url.split_once("://").unwrap_or_default();
        match rest.strip_suffix(API_PATH) {
            Some(host) => format!("{scheme}://{host}/api"),
            None => self.api_url.clone(),
        }
    }

    /// The host of the container registry.
    #[must_use]
    pub fn registry(&self) -> String {
        let web = self.web_url();
        let (_, host) = web.split_once("://").unwrap_or_default();
        match host_name(host) {
            "github.com" => "ghcr.io".to_owned(),
            name => format!("containers.{name}"),
        }
    }

    fn origin(&self) -> (&str, &str) {
        let (scheme, rest) = self.api_url.split_once("://").unwrap_or_default();
        (scheme, rest.strip_suffix(API_PATH).unwrap_or(rest))
    }
}

/// The table, checked.
pub(super) fn check(raw: RawGitHub, layers: &Layers) -> Result<GitHub, SettingsError> {
    at_least(layers, "github.deliveries_interval", raw.deliveries_interval, DELIVERIES_INTERVAL_MIN)?;
    let ceilings = Ceilings::default();
    Ok(GitHub {
        api_url: check_api_url(&raw.api_url, layers)?,
        identity: check_identity(&raw, layers)?,
        webhook_secrets: secrets(
            "github.webhook_secret",
            &raw.webhook_secret_files,
            raw.webhook_secret,
            layers,
        )?,
        timeout: raw.timeout,
        deliveries_interval: raw.deliveries_interval,
        ceilings: Ceilings {
            per_minute: raw.writes_per_minute.map_or(ceilings.per_minute, NonZeroUsize::get),
            per_hour: raw.writes_per_hour.map_or(ceilings.per_hour, NonZeroUsize::get),
        },
    })
}

fn check_api_url(text: &str, layers: &Layers) -> Result<String, SettingsError> {
    let url = text.trim_end_matches('/').to_ascii_lowercase();
    let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, ""),
    };
    let host = rest.strip_suffix(API_PATH).unwrap_or(rest);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    // Tokens go there; only on this machine does nobody listen in between.
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host_name(host));
    let is_web = matches!(host, "github.com" | "www.github.com");
    if host.is_empty() || is_web || !host.bytes().all(is_letter) || !(is_tls || is_here) {
        let reason = format!("wanted {API_URL}, or https://<host>{API_PATH}, found {text:?}");
        return Err(layers.invalid("github.api_url", reason));
    }
    Ok(url)
}

fn check_identity(raw: &RawGitHub, layers: &Layers) -> Result<GitHubIdentity, SettingsError> {
    let missing = |key: &str, reason: &str| SettingsError::Missing {
        key: format!("github.{key}"),
        reason: reason.to_owned(),
    };
    match (raw.app_id, &raw.private_key_file, &raw.token_file) {
        (Some(id), Some(file), None) => {
            check_secret_file("github.private_key_file", Some(file))?;
            Ok(GitHubIdentity::App { id, private_key_file: file.clone() })
        }
        (None, None, Some(file)) => {
            check_secret_file("github.token_file", Some(file))?;
            Ok(GitHubIdentity::Token { file: file.clone() })
        }
        (None, None, None) => Err(missing(
            "app_id",
            "`[github]` needs `app_id` with `private_key_file` (a GitHub App), or `token_file` instead",
        )),
        (Some(_), None, None) => {
            Err(missing("private_key_file", "`app_id` needs the file that holds the private key of the App"))
        }
        (None, Some(_), None) => Err(missing("app_id", "`private_key_file` needs the id of its App")),
        (_, _, Some(_)) => {
            let reason = "wanted one identity: `app_id` with `private_key_file`, or `token_file`, not both";
            Err(layers.invalid("github.token_file", reason))
        }
    }
}

/// The table of a repository, checked.
pub(super) fn check_forge(
    at: &str,
    raw: &RawGitHubForge,
    layers: &Layers,
) -> Result<GitHubForge, SettingsError> {
    let key = |name: &str| format!("{at}.github.{name}");
    let wrong_name = |error: FullNameError| {
        layers.invalid(&key("repository"), format!("{error}, found {:?}", raw.repository))
    };
    let merge = match raw.merge.as_str() {
        "merge" => MergeMethod::Merge,
        "squash" => MergeMethod::Squash,
        "rebase" => {
            let reason =
                "wanted `merge` or `squash`; `rebase` leaves no commit of ours, which would carry the record";
            return Err(layers.invalid(&key("merge"), reason));
        }
        other => {
            return Err(layers.invalid(&key("merge"), format!("wanted `merge` or `squash`, found {other:?}")));
        }
    };
    let signing = match raw.signed_commits {
        None => Signing::AsDemanded,
        Some(true) => Signing::Always,
        Some(false) => Signing::Never,
    };
    Ok(GitHubForge { repository: raw.repository.parse().map_err(wrong_name)?, merge, signing })
}

/// The host without its port.
pub(crate) fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_and_the_registry_follow_from_the_api() {
        for (api_url, location, registry, graphql) in [
            (
                "https://api.github.com",
                "https://github.com/acme/web.git",
                "ghcr.io",
                "https://api.github.com",
            ),
            (
                "https://ghe.example.com/api/v3",
                "https://ghe.example.com/acme/web.git",
                "containers.ghe.example.com",
                "https://ghe.example.com/api",
            ),
            (
                "https://api.acme.ghe.com",
                "https://acme.ghe.com/acme/web.git",
                "containers.acme.ghe.com",
                "https://api.acme.ghe.com",
            ),
            (
                "https://ghe.example.com:8443/api/v3",
                "https://ghe.example.com:8443/acme/web.git",
                "containers.ghe.example.com",
                "https://ghe.example.com:8443/api",
            ),
            (
                "https://api.example.com/api/v3",
                "https://api.example.com/acme/web.git",
                "containers.api.example.com",
                "https://api.example.com/api",
            ),
            (
                "http://127.0.0.1:9",
                "http://127.0.0.1:9/acme/web.git",
                "containers.127.0.0.1",
                "http://127.0.0.1:9",
            ),
        ] {
            let identity = GitHubIdentity::Token { file: PathBuf::from("/t") };
            let api_url = api_url.to_owned();
            let github = GitHub {
                api_url,
                identity,
                webhook_secrets: vec![],
                timeout: Duration::from_secs(1),
                deliveries_interval: Duration::from_secs(1),
                ceilings: Ceilings::default(),
            };
            assert_eq!(github.location(&"acme/web".parse().unwrap()), location);
            assert_eq!(github.registry(), registry);
            assert_eq!(github.graphql_base(), graphql);
        }
    }

    #[test]
    fn names_are_two_parts_and_case_is_no_difference() {
        let name = |text: &str| text.parse::<FullName>();
        assert_eq!(name("Acme/Web.v2").unwrap(), name("acme/web.V2").unwrap());
        assert_ne!(name("acme/web").unwrap(), name("acme/web2").unwrap());
        let longest = format!("{0}/{0}", "x".repeat(100));
        assert_eq!(name(&longest).unwrap().to_string(), longest);
        for wrong in [
            "",
            "acme",
            "acme/",
            "/web",
            "acme/web/x",
            "a b/c",
            "acme/..",
            "./web",
            "é/b",
            &format!("{longest}x"),
        ] {
            assert_eq!(name(wrong), Err(FullNameError), "{wrong}");
        }
    }
}
