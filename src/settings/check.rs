//! From the settings as written to valid ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layers::Layers;
use super::raw::{Raw, RawForge, RawLocalForge, RawRegistry, RawRepository, RawServer, RawSignIn};
use super::{
    Forge, GitHub, LocalForge, Registry, Repository, Secret, Server, Settings, SettingsError, SignIn,
    cluster, github, notify, observer, webhook,
};

/// Bodies that are read into memory: `requests_max` of them at once must fit. The events of registries have 1 to 2 kB, and
/// the largest senders stay below 100 kB.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
const REQUESTS_MAX: usize = 10_000;
const WORKERS_MAX: usize = 64;
const LEASE_MIN: Duration = Duration::from_secs(10);
const REGISTRY_POLL_MIN: Duration = Duration::from_secs(10);
/// Each probe of an image costs a request for each of its parts.
const PROBE_MIN: Duration = Duration::from_secs(10);
const REPOSITORY_POLL_MIN: Duration = Duration::from_secs(5);
pub(super) const NAME_BYTES_MAX: usize = 63;

pub(super) fn check(raw: Raw, layers: &Layers) -> Result<Settings, SettingsError> {
    let Raw {
        server,
        store,
        work,
        registry,
        github,
        webhooks,
        notify,
        observers,
        repositories,
        clusters,
        commands,
        author,
        log,
    } = raw;
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
    let github = github.map(|raw| github::check(raw, layers)).transpose()?;
    let settings = Settings {
        server: check_server(&server, layers)?,
        store,
        work,
        registry: check_registry(registry, layers)?,
        webhooks: webhook::check(webhooks, github.as_ref(), layers)?,
        notify: notify::check(notify, layers)?,
        observers: observer::check(observers, layers)?,
        repositories: check_repositories(repositories, github.as_ref(), layers)?,
        github,
        clusters: cluster::check(clusters, layers)?,
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

/// These hosts, as addresses spell them.
fn hosts(key: &str, found: Vec<String>, layers: &Layers) -> Result<Vec<String>, SettingsError> {
    let one = |text: String| {
        host_of(&format!("https://{text}")).ok_or_else(|| {
            layers.invalid(
                key,
                format!(
                    "wanted hosts, perhaps with a port, as in `registry.example.com:5000`, found {text:?}"
                ),
            )
        })
    };
    found.into_iter().map(one).collect()
}

pub(super) fn check_registry(raw: RawRegistry, layers: &Layers) -> Result<Registry, SettingsError> {
    at_least(layers, "registry.poll_interval", raw.poll_interval, REGISTRY_POLL_MIN)?;
    at_least(layers, "registry.told_poll_interval", raw.told_poll_interval, REGISTRY_POLL_MIN)?;
    at_least(layers, "registry.probe_interval", raw.probe_interval, PROBE_MIN)?;
    let named = |path: PathBuf| (!path.as_os_str().is_empty()).then_some(path);
    let is_place = |text: &String| {
        text.split('/').next().is_some_and(|host| host_of(&format!("https://{host}")).is_some())
    };
    if let Some(found) = raw.source_links.iter().find(|text| !is_place(text)) {
        let wanted = format!("wanted hosts or folders as in `github.com/acme`, found {found:?}");
        return Err(layers.invalid("registry.source_links", wanted));
    }
    let hosts = |key: &str, found: Vec<String>| hosts(&format!("registry.{key}"), found, layers);
    let cosign_program = named(raw.cosign_program);
    if let Some(found) = cosign_program.as_ref().filter(|path| !path.is_absolute()) {
        let wanted =
            format!("wanted a path from the root as in `/usr/bin/cosign`, found `{}`", found.display());
        return Err(layers.invalid("registry.cosign_program", wanted));
    }
    Ok(Registry {
        timeout: raw.timeout,
        poll_interval: raw.poll_interval,
        // Who asks less often than that wants to be asked less often in any case.
        told_poll_interval: raw.told_poll_interval.max(raw.poll_interval),
        docker_config: named(raw.docker_config),
        retag_docker_config: named(raw.retag_docker_config),
        untag_hosts: hosts("untag_hosts", raw.untag_hosts)?,
        lock_hosts: hosts("lock_hosts", raw.lock_hosts)?,
        cosign_program,
        probe_interval: raw.probe_interval,
        realm_hosts: hosts("realm_hosts", raw.realm_hosts)?,
        plain_http_hosts: hosts("plain_http_hosts", raw.plain_http_hosts)?,
        source_links: raw.source_links,
    })
}

/// The secrets in files, named by the key with `_files` at its end, and one more from the variable of the key.
pub(super) fn secrets(
    key: &str,
    files: &[PathBuf],
    text: Option<String>,
    layers: &Layers,
) -> Result<Vec<Secret>, SettingsError> {
    let files_key = format!("{key}_files");
    let mut secrets = Vec::new();
    for file in files {
        secrets.push(Secret::read(&files_key, file)?);
    }
    if let Some(text) = text {
        if !layers.is_variable(key) {
            let name = files_key.rsplit('.').next().unwrap_or(&files_key);
            let reason = format!("a secret stands in a file (`{name}`) or a variable, never here");
            return Err(layers.invalid(key, reason));
        }
        let empty =
            || SettingsError::Secret { key: key.to_owned(), reason: "the variable is empty".to_owned() };
        secrets.push(Secret::new(&text).ok_or_else(empty)?);
    }
    Ok(secrets)
}

fn check_repositories(
    raw: Vec<RawRepository>,
    github: Option<&GitHub>,
    layers: &Layers,
) -> Result<Vec<Repository>, SettingsError> {
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
        let repository = check_repository(&at, repository, github, layers)?;
        if let Some(same) = repositories.iter().find(|known: &&Repository| is_same_forge(known, &repository))
        {
            let key = match &repository.forge {
                Forge::GitHub(_) => format!("{at}.github.repository"),
                Forge::Local(_) => format!("{at}.local.folder"),
            };
            let reason = format!("is that of repository `{}` already; wanted one of its own", same.name);
            return Err(layers.invalid(&key, reason));
        }
        repositories.push(repository);
    }
    Ok(repositories)
}

/// Two that look after the same pull requests would each close what the other opens.
fn is_same_forge(one: &Repository, other: &Repository) -> bool {
    match (&one.forge, &other.forge) {
        (Forge::GitHub(one), Forge::GitHub(other)) => one.repository == other.repository,
        (Forge::Local(one), Forge::Local(other)) => one.folder == other.folder,
        (Forge::GitHub(_), Forge::Local(_)) | (Forge::Local(_), Forge::GitHub(_)) => false,
    }
}

fn check_repository(
    at: &str,
    raw: RawRepository,
    github: Option<&GitHub>,
    layers: &Layers,
) -> Result<Repository, SettingsError> {
    if raw.location.as_deref().is_some_and(has_credentials) {
        let reason = "wanted a path or address without credentials; use `token_file` or `ssh_key_file`";
        return Err(layers.invalid(&format!("{at}.location"), reason));
    }
    at_least(layers, &format!("{at}.poll_interval"), raw.poll_interval, REPOSITORY_POLL_MIN)?;
    for (key, file) in [("token_file", &raw.token_file), ("ssh_key_file", &raw.ssh_key_file)] {
        check_secret_file(&format!("{at}.{key}"), file.as_deref())?;
    }
    let (forge, location) = check_forge(at, &raw, github, layers)?;
    Ok(Repository {
        forge,
        location,
        name: raw.name,
        token_file: raw.token_file,
        user: raw.user,
        ssh_key_file: raw.ssh_key_file,
        ssh_known_hosts_file: raw.ssh_known_hosts_file,
        base: raw.base,
        poll_interval: raw.poll_interval,
    })
}

/// Where its pull requests live, and where it is itself.
fn check_forge(
    at: &str,
    raw: &RawRepository,
    github: Option<&GitHub>,
    layers: &Layers,
) -> Result<(Forge, String), SettingsError> {
    let name = &raw.name;
    let missing = |key: String, reason: String| Err(SettingsError::Missing { key, reason });
    let unfit = |key: &str, forge: &str| {
        let reason =
            format!("repository `{name}` has `forge = \"{forge}\"`; leave this table out, or set `forge`");
        layers.invalid(&format!("{at}.{key}"), reason)
    };
    match (raw.forge, &raw.local, &raw.github) {
        (RawForge::Local, _, Some(_)) => Err(unfit("github", "local")),
        (RawForge::GitHub, Some(_), _) => Err(unfit("local", "github")),
        (RawForge::GitHub, None, None) => missing(
            format!("{at}.github"),
            format!(
                "repository `{name}` has `forge = \"github\"`, which needs this table with `repository = \"owner/name\"`"
            ),
        ),
        (RawForge::Local, local, None) => {
            let location = raw.location.clone();
            let location = location.ok_or_else(|| layers.invalid(at, "key `location` is missing"))?;
            let Some(local) = local else {
                let reason = format!("repository `{name}` has `forge = \"local\"`, which needs this table");
                return missing(format!("{at}.local"), reason);
            };
            Ok((Forge::Local(check_local(at, local)?), location))
        }
        (RawForge::GitHub, None, Some(forge)) => {
            let Some(github) = github else {
                let reason = format!(
                    "repository `{name}` has `forge = \"github\"`, which needs the table `[github]` with \
                     `app_id` and `private_key_file`, or with `token_file`"
                );
                return missing("github".to_owned(), reason);
            };
            let forge = github::check_forge(at, forge, layers)?;
            let location = raw.location.clone().unwrap_or_else(|| github.location(&forge.repository));
            Ok((Forge::GitHub(forge), location))
        }
    }
}

fn check_local(at: &str, raw: &RawLocalForge) -> Result<LocalForge, SettingsError> {
    let sign_in = match (raw.sign_in, &raw.proxy_header) {
        (RawSignIn::Token, _) => SignIn::Token,
        (RawSignIn::Proxy, Some(header)) if !raw.proxy_trusted.is_empty() => {
            SignIn::Proxy { header: header.clone(), trusted: raw.proxy_trusted.clone() }
        }
        (RawSignIn::Proxy, _) => {
            let reason = "`sign_in = \"proxy\"` needs `proxy_header`, and the addresses it may come from";
            return Err(SettingsError::Missing {
                key: format!("{at}.local.proxy_trusted"),
                reason: reason.to_owned(),
            });
        }
    };
    let (folder, people) = (raw.folder.clone(), raw.people.clone());
    Ok(LocalForge { folder, people, sign_in, sources: raw.sources.clone() })
}

/// Names become parts of addresses and variables.
pub(super) fn check_name(
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
pub(super) fn check_secret_file(key: &str, file: Option<&Path>) -> Result<(), SettingsError> {
    file.map_or(Ok(()), |file: &Path| Secret::read(key, &PathBuf::from(file)).map(|_| ()))
}

pub(super) fn at_least(
    layers: &Layers,
    key: &str,
    found: Duration,
    min: Duration,
) -> Result<(), SettingsError> {
    if found >= min {
        return Ok(());
    }
    Err(layers.invalid(key, format!("wanted at least {min:?}, found {found:?}")))
}
