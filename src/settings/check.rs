//! From the settings as written to valid ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;

use super::layers::Layers;
use super::raw::{Raw, RawLocalForge, RawRegistry, RawRepository, RawServer, RawSignIn, RawWebhook};
use super::{
    Forge, LocalForge, Registry, Repository, Secret, Server, Settings, SettingsError, SignIn, Webhook,
};

/// Bodies that are read into memory: `requests_max` of them at once must fit.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const REQUESTS_MAX: usize = 10_000;
const WORKERS_MAX: usize = 64;
const LEASE_MIN: Duration = Duration::from_secs(10);
const REGISTRY_POLL_MIN: Duration = Duration::from_secs(10);
const REPOSITORY_POLL_MIN: Duration = Duration::from_secs(5);
const NAME_BYTES_MAX: usize = 63;

pub(super) fn check(raw: Raw, layers: &Layers) -> Result<Settings, SettingsError> {
    let Raw { server, store, work, registry, webhooks, repositories, commands, author, log } = raw;
    if !(1..=WORKERS_MAX).contains(&work.workers) {
        return Err(
            layers.invalid("work.workers", format!("wanted 1 to {WORKERS_MAX}, found {}", work.workers))
        );
    }
    at_least(layers, "work.lease", work.lease, LEASE_MIN)?;
    for (key, text) in
        [("commands.bot", &commands.bot), ("author.name", &author.name), ("author.email", &author.email)]
    {
        if text.is_empty() || text.contains(['\n', '<', '>']) {
            return Err(layers.invalid(key, "wanted one line without `<` and `>`"));
        }
    }
    let settings = Settings {
        server: check_server(&server, layers)?,
        store,
        work,
        registry: check_registry(registry, layers)?,
        webhooks: check_webhooks(webhooks, layers)?,
        repositories: check_repositories(repositories, layers)?,
        commands,
        author,
        log,
    };
    Ok(settings)
}

fn check_server(raw: &RawServer, layers: &Layers) -> Result<Server, SettingsError> {
    let url = match raw.url.trim_end_matches('/') {
        "" => format!("http://{}", raw.listen),
        url => url.to_owned(),
    };
    let host = host_of(&url).ok_or_else(|| {
        layers.invalid("server.url", format!("wanted http(s)://host[:port], found {url:?}"))
    })?;
    for (key, value, max) in [
        ("server.body_bytes_max", raw.body_bytes_max, BODY_BYTES_MAX),
        ("server.requests_max", raw.requests_max, REQUESTS_MAX),
    ] {
        if !(1..=max).contains(&value) {
            return Err(layers.invalid(key, format!("wanted 1 to {max}, found {value}")));
        }
    }
    let hosts: BTreeSet<String> =
        raw.hosts.iter().map(|host| host.to_lowercase()).chain([host, raw.listen.to_string()]).collect();
    Ok(Server {
        listen: raw.listen,
        url,
        hosts: hosts.into_iter().collect(),
        body_bytes_max: raw.body_bytes_max,
        requests_max: raw.requests_max,
        timeout: raw.timeout,
        stop_timeout: raw.stop_timeout,
    })
}

/// The host and port of an address that has no path, user or query.
fn host_of(url: &str) -> Option<String> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_host)).then(|| host.to_lowercase())
}

fn check_registry(raw: RawRegistry, layers: &Layers) -> Result<Registry, SettingsError> {
    at_least(layers, "registry.poll_interval", raw.poll_interval, REGISTRY_POLL_MIN)?;
    Ok(Registry {
        timeout: raw.timeout,
        poll_interval: raw.poll_interval,
        docker_config: (!raw.docker_config.as_os_str().is_empty()).then_some(raw.docker_config),
        plain_http_hosts: raw.plain_http_hosts,
    })
}

fn check_webhooks(raw: Vec<RawWebhook>, layers: &Layers) -> Result<Vec<Webhook>, SettingsError> {
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::new();
    for (index, webhook) in raw.into_iter().enumerate() {
        check_name(layers, &format!("webhooks.{index}.path"), &webhook.path, &mut names)?;
        webhooks.push(Webhook {
            secrets: secrets(index, &webhook, layers)?,
            kind: webhook.kind,
            path: webhook.path,
            header: check_header(&format!("webhooks.{index}.header"), &webhook.header, layers)?,
            registry: webhook.registry,
        });
    }
    Ok(webhooks)
}

fn check_header(key: &str, text: &str, layers: &Layers) -> Result<Option<HeaderName>, SettingsError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| layers.invalid(key, format!("wanted the name of a header, found {text:?}")))
}

fn secrets(index: usize, webhook: &RawWebhook, layers: &Layers) -> Result<Vec<Secret>, SettingsError> {
    let key = format!("webhooks.{index}.secret_files");
    let mut secrets = Vec::new();
    for file in &webhook.secret_files {
        secrets.push(Secret::read(&key, file)?);
    }
    if let Some(text) = &webhook.secret {
        let key = format!("webhooks.{index}.secret");
        if !layers.is_variable(&key) {
            return Err(
                layers.invalid(&key, "a secret stands in a file (`secret_files`) or a variable, never here")
            );
        }
        let empty = || SettingsError::Secret { key: key.clone(), reason: "the variable is empty".to_owned() };
        secrets.push(Secret::new(text).ok_or_else(empty)?);
    }
    if secrets.is_empty() {
        let reason = format!("webhook `{}` needs a file with its secret", webhook.path);
        return Err(SettingsError::Missing { key, reason });
    }
    Ok(secrets)
}

fn check_repositories(raw: Vec<RawRepository>, layers: &Layers) -> Result<Vec<Repository>, SettingsError> {
    if raw.is_empty() {
        let reason = "there is no environment repository to look after; give a file with --config that has, say,\n\n  \
             [[repositories]]\n  name = \"shop\"\n  location = \"/srv/git/environments.git\"\n\n  \
             [repositories.local]\n  folder = \"/var/lib/lockkeeper/forge/shop\"\n  \
             people = \"/etc/lockkeeper/people.json\"\n";
        return Err(SettingsError::Missing { key: "repositories".to_owned(), reason: reason.to_owned() });
    }
    let mut names = BTreeSet::new();
    let mut repositories = Vec::new();
    for (index, repository) in raw.into_iter().enumerate() {
        let at = format!("repositories.{index}");
        check_name(layers, &format!("{at}.name"), &repository.name, &mut names)?;
        repositories.push(check_repository(&at, repository, layers)?);
    }
    Ok(repositories)
}

fn check_repository(at: &str, raw: RawRepository, layers: &Layers) -> Result<Repository, SettingsError> {
    if has_credentials(&raw.location) {
        let reason = "wanted a path or address without credentials; use `token_file` or `ssh_key_file`";
        return Err(layers.invalid(&format!("{at}.location"), reason));
    }
    at_least(layers, &format!("{at}.poll_interval"), raw.poll_interval, REPOSITORY_POLL_MIN)?;
    for (key, file) in [("token_file", &raw.token_file), ("ssh_key_file", &raw.ssh_key_file)] {
        check_secret_file(&format!("{at}.{key}"), file.as_deref())?;
    }
    let Some(local) = raw.local else {
        let reason = format!("repository `{}` has `forge = \"local\"`, which needs this table", raw.name);
        return Err(SettingsError::Missing { key: format!("{at}.local"), reason });
    };
    Ok(Repository {
        forge: Forge::Local(check_local(at, local)?),
        name: raw.name,
        location: raw.location,
        token_file: raw.token_file,
        user: raw.user,
        ssh_key_file: raw.ssh_key_file,
        ssh_known_hosts_file: raw.ssh_known_hosts_file,
        base: raw.base,
        poll_interval: raw.poll_interval,
    })
}

fn check_local(at: &str, raw: RawLocalForge) -> Result<LocalForge, SettingsError> {
    let sign_in = match (raw.sign_in, raw.proxy_header) {
        (RawSignIn::Token, _) => SignIn::Token,
        (RawSignIn::Proxy, Some(header)) if !raw.proxy_trusted.is_empty() => {
            SignIn::Proxy { header, trusted: raw.proxy_trusted }
        }
        (RawSignIn::Proxy, _) => {
            let reason = "`sign_in = \"proxy\"` needs `proxy_header`, and the addresses it may come from";
            return Err(SettingsError::Missing {
                key: format!("{at}.local.proxy_trusted"),
                reason: reason.to_owned(),
            });
        }
    };
    Ok(LocalForge { folder: raw.folder, people: raw.people, sign_in, sources: raw.sources })
}

/// Names become parts of addresses and variables.
fn check_name(
    layers: &Layers,
    key: &str,
    name: &str,
    names: &mut BTreeSet<String>,
) -> Result<(), SettingsError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !starts_well || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_word) {
        let wanted =
            format!("wanted 1 to {NAME_BYTES_MAX} of letters, digits, `.`, `_`, `-`, found {name:?}");
        return Err(layers.invalid(key, wanted));
    }
    if !names.insert(name.to_lowercase()) {
        return Err(layers.invalid(key, format!("{name:?} is there twice")));
    }
    Ok(())
}

/// `https://user:password@host/` and the like; the user of an ssh address is no secret.
fn has_credentials(location: &str) -> bool {
    let Some((scheme, rest)) = location.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once('@') {
        Some((user, _)) => scheme != "ssh" || user.contains(':'),
        None => false,
    }
}

/// The file is read at each use; that it is there and holds something is known from the start.
fn check_secret_file(key: &str, file: Option<&Path>) -> Result<(), SettingsError> {
    file.map_or(Ok(()), |file: &Path| Secret::read(key, &PathBuf::from(file)).map(|_| ()))
}

fn at_least(layers: &Layers, key: &str, found: Duration, min: Duration) -> Result<(), SettingsError> {
    if found >= min {
        return Ok(());
    }
    Err(layers.invalid(key, format!("wanted at least {min:?}, found {found:?}")))
}
