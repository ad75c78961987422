//! From the settings to the parts that work: store, registries, mirrors, forges.
//!
//! The server, the command line and the demo put their world together here, so that all of them see the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::cluster::Cluster;
use crate::cluster::kubernetes::{Bounds, Kubernetes};
use crate::forge::github::{GitHubForge, Writes};
use crate::forge::local::pages::{self, PageOptions, ProxyHeader, SignIn};
use crate::forge::local::{Activity, LocalForge, People};
use crate::forge::{Forge, ForgeError};
use crate::pull_request::MergeMethod;
use crate::reconcile::{
    EnvironmentRepository, Intervals, Policies, Polls, Probes, RulesCache, TagWrites, Told, TouchedAnswers,
    World, WorldSettings,
};
use crate::registry::credentials::Credentials as RegistryCredentials;
use crate::registry::oci::{OciRegistry, OciSettings};
use crate::repository::{Credentials, Location, LocationError, Mirror, RepositoryError};
use crate::settings::{self, Settings};
use crate::store::{Store, StoreError};
use crate::witness::Witness;

/// A look at remotes that answer takes a second.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// How long a rollback waits for the registry, which it does not need: a person waits for the rollback.
const HURRIED_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The same where nobody waits: a repository of many pages of tags is listed within.
const UNHURRIED_TIMEOUT: Duration = Duration::from_mins(1);
/// Things that happened at the forge and were not noted yet. People click some times a second; what comes while this
/// is full is found by the next sweep.
const ACTIVITIES_MAX: usize = 1_024;

/// The parts, put together and not at work yet.
#[derive(Debug)]
pub struct Assembly {
    /// What a reconcile reads and writes.
    pub world: World,
    /// The local forge of each repository that has one, by the repository's name.
    pub forges: BTreeMap<String, Arc<LocalForge>>,
    /// What happens at those forges through this process.
    pub activities: Activities,
}

/// What happens at the local forges, in order: the repository, and what happened.
pub type Activities = mpsc::Receiver<(String, Activity)>;

/// Why the parts cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The store cannot be opened.
    #[error("store {}: {source}", path.display())]
    Store {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// A folder cannot be made.
    #[error("folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The location of a repository is none.
    #[error("location of repository {repository}: {source}")]
    Location {
        /// The repository, as the settings name it.
        repository: String,
        /// What is wrong.
        source: LocationError,
    },
    /// A repository cannot be mirrored.
    #[error("repository {repository}: {source}")]
    Mirror {
        /// The repository, as the settings name it.
        repository: String,
        /// Why.
        source: RepositoryError,
    },
    /// The forge of a repository cannot be opened.
    #[error("forge of repository {repository}: {source}")]
    Forge {
        /// The repository, as the settings name it.
        repository: String,
        /// Why.
        source: ForgeError,
    },
}

/// Opens the store, the mirrors and the forges that the settings name. `witness` is told of every write.
///
/// # Errors
/// [`AssembleError`] names the part and why.
pub async fn assemble(settings: &Settings, witness: Arc<dyn Witness>) -> Result<Assembly, AssembleError> {
    let store = open_store(settings).await?.witnessed(Arc::clone(&witness));
    let (sender, activities) = mpsc::channel(ACTIVITIES_MAX);
    let mut forges = BTreeMap::new();
    let mut repositories = BTreeMap::new();
    let writes = writes(settings);
    for repository in &settings.repositories {
        let github = open_github(settings, repository, &writes)?.map(Arc::new);
        let mirror = mirror_of(settings, repository, github.as_deref()).await?;
        let mirror = mirror.witnessed(Arc::clone(&witness));
        let (forge, merge_method): (Arc<dyn Forge>, _) = match (&repository.forge, github) {
            (settings::Forge::GitHub(declared), Some(github)) => (github, declared.merge),
            (settings::Forge::GitHub(_), None) => continue,
            (settings::Forge::Local(local), _) => {
                let forge = open_forge(settings, repository, local, mirror.clone()).await?;
                let forge = forge.witnessed(Arc::clone(&witness));
                let listener = listener(repository.name.clone(), sender.clone());
                let forge = Arc::new(forge.with_listener(listener));
                forges.insert(repository.name.clone(), Arc::clone(&forge));
                (forge, MergeMethod::Merge)
            }
        };
        let environment = EnvironmentRepository {
            name: repository.name.clone(),
            base: repository.base.clone(),
            mirror,
            url_prefix: forge.url_prefix(),
            forge,
            merge_method,
            poll_interval: repository.poll_interval,
        };
        repositories.insert(repository.name.clone(), environment);
    }
    let world = World {
        store,
        registry: Arc::new(registry(&settings.registry).witnessed(Arc::clone(&witness))),
        repositories,
        clusters: clusters(settings),
        now: Arc::new(Timestamp::now),
        witness,
        settings: world_settings(settings),
        rules: RulesCache::default(),
        policies: Policies::default(),
        polls: Polls::default(),
        probes: Probes::default(),
        tags: TagWrites::default(),
        told: Told::default(),
        touched: TouchedAnswers::default(),
    };
    Ok(Assembly { world, forges, activities })
}

/// Opens the store.
///
/// # Errors
/// [`AssembleError::Store`].
pub async fn open_store(settings: &Settings) -> Result<Store, AssembleError> {
    let path = &settings.store.path;
    Store::open(path).await.map_err(|source| AssembleError::Store { path: path.clone(), source })
}

/// Opens the mirror of a repository, in the folder `mirrors` beside the store.
///
/// # Errors
/// [`AssembleError`] if the location is none, the folder cannot be made, or a first mirror cannot be fetched.
pub async fn open_mirror(
    settings: &Settings,
    repository: &settings::Repository,
) -> Result<Mirror, AssembleError> {
    let github = open_github(settings, repository, &writes(settings))?;
    mirror_of(settings, repository, github.as_ref()).await
}

/// The budget of what the repositories at GitHub are written, together.
#[must_use]
pub fn writes(settings: &Settings) -> Arc<Writes> {
    Arc::new(Writes::new(settings.github.as_ref().map(|github| github.ceilings).unwrap_or_default()))
}

/// The client of a repository at GitHub; none for another forge.
///
/// # Errors
/// [`AssembleError::Forge`] if the settings of GitHub cannot be used.
pub fn open_github(
    settings: &Settings,
    repository: &settings::Repository,
    writes: &Arc<Writes>,
) -> Result<Option<GitHubForge>, AssembleError> {
    let (settings::Forge::GitHub(declared), Some(github)) = (&repository.forge, &settings.github) else {
        return Ok(None);
    };
    let forge = GitHubForge::new(declared.repository.clone(), github, Arc::clone(writes));
    let signed = |forge: GitHubForge| Some(forge.signing(declared.signing));
    forge.map(signed).map_err(|source| AssembleError::Forge { repository: repository.name.clone(), source })
}

async fn mirror_of(
    settings: &Settings,
    repository: &settings::Repository,
    github: Option<&GitHubForge>,
) -> Result<Mirror, AssembleError> {
    let name = &repository.name;
    let location = Location::parse(&repository.location)
        .map_err(|source| AssembleError::Location { repository: name.clone(), source })?;
    let mirrors = settings.store.path.parent().unwrap_or(Path::new("")).join("mirrors");
    std::fs::create_dir_all(&mirrors)
        .map_err(|source| AssembleError::Folder { path: mirrors.clone(), source })?;
    // The token of the App goes to its own GitHub alone, and only where nothing else was said.
    let is_there = |github: &&GitHubForge| {
        repository.location == format!("{}.git", github.web_url()) && repository.token_file.is_none()
    };
    let credentials = Credentials {
        user: repository.user.clone(),
        token_file: repository.token_file.clone(),
        token_source: github.filter(is_there).map(GitHubForge::token_source),
        ssh_key_file: repository.ssh_key_file.clone(),
        ssh_known_hosts_file: repository.ssh_known_hosts_file.clone(),
    };
    Mirror::open_or_later(location, &mirrors.join(name), credentials)
        .await
        .map_err(|source| AssembleError::Mirror { repository: name.clone(), source })
}

/// Where people reach the pages of a repository's forge, without a slash at the end.
#[must_use]
pub fn forge_url(settings: &Settings, repository: &settings::Repository) -> String {
    format!("{}/forge/{}", settings.server.url, repository.name)
}

/// The hosts under which pages may be asked for, without ports.
#[must_use]
pub fn page_hosts(settings: &settings::Server) -> BTreeSet<String> {
    let here = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    settings.hosts.iter().map(|host| without_port(host).to_owned()).chain(here).collect()
}

/// The pages of the local forges, each under its own path.
#[must_use]
pub fn forge_pages(settings: &Settings, forges: &BTreeMap<String, Arc<LocalForge>>) -> Vec<Router> {
    let hosts = page_hosts(&settings.server);
    let pages = settings.repositories.iter().filter_map(|repository| {
        let forge = forges.get(&repository.name)?;
        let settings::Forge::Local(local) = &repository.forge else { return None };
        let options = PageOptions {
            title: repository.name.clone(),
            hosts: hosts.clone(),
            sign_in: SignIn::Token,
            proxy_header: proxy_header(&local.sign_in),
        };
        let router = pages::router(Arc::clone(forge), options);
        Some(Router::new().nest(&format!("/forge/{}", repository.name), router))
    });
    pages.collect()
}

/// The header in which a proxy names people; a name that cannot be a header never counts.
fn proxy_header(sign_in: &settings::SignIn) -> Option<ProxyHeader> {
    match sign_in {
        settings::SignIn::Token => None,
        settings::SignIn::Proxy { header, trusted } => {
            Some(ProxyHeader { name: header.parse().ok()?, trusted: trusted.clone() })
        }
    }
}

/// The clusters by these settings. None of them is asked anything yet.
#[must_use]
pub fn clusters(settings: &Settings) -> BTreeMap<String, Arc<dyn Cluster>> {
    let made = settings.clusters.iter().map(|cluster| {
        let made: Arc<dyn Cluster> = Arc::new(Kubernetes::new(cluster, Bounds::default()));
        (cluster.name.clone(), made)
    });
    made.collect()
}

/// The registries by these settings.
#[must_use]
pub fn registry(settings: &settings::Registry) -> OciRegistry {
    let credentials = match &settings.docker_config {
        Some(file) => RegistryCredentials::from_file(file),
        None => RegistryCredentials::from_environment(),
    };
    let retag = settings.retag_docker_config.as_ref();
    let retag = retag.map_or_else(RegistryCredentials::anonymous, RegistryCredentials::from_file);
    let usual = OciSettings::default();
    let settings = OciSettings {
        timeout: settings.timeout,
        plain_http_hosts: settings.plain_http_hosts.clone(),
        realm_hosts: [usual.realm_hosts, settings.realm_hosts.clone()].concat(),
        untag_hosts: settings.untag_hosts.clone(),
        lock_hosts: settings.lock_hosts.clone(),
        cosign_program: settings.cosign_program.clone(),
    };
    OciRegistry::new(settings, credentials).retagging(retag)
}

async fn open_forge(
    settings: &Settings,
    repository: &settings::Repository,
    local: &settings::LocalForge,
    mirror: Mirror,
) -> Result<LocalForge, AssembleError> {
    let people = People::file(local.people.clone());
    let url = forge_url(settings, repository);
    let forge = LocalForge::open(&local.folder, mirror, people, url, Arc::new(Timestamp::now)).await;
    let forge =
        forge.map_err(|source| AssembleError::Forge { repository: repository.name.clone(), source })?;
    Ok(forge.with_sources(local.sources.clone()))
}

/// The forge tells within its own work, so nothing here may wait.
fn listener(repository: String, sender: mpsc::Sender<(String, Activity)>) -> crate::forge::local::Listener {
    Arc::new(move |activity| {
        // Nobody listens on the command line; the server sweeps.
        if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send((repository.clone(), activity)) {
            tracing::warn!(repository, "more happens at the forge than is noted; the sweep finds it");
        }
    })
}

fn world_settings(settings: &Settings) -> WorldSettings {
    WorldSettings {
        lease: settings.work.lease,
        polls: Intervals {
            polled: settings.registry.poll_interval,
            told: settings.registry.told_poll_interval,
        },
        probe_interval: settings.registry.probe_interval,
        look_max: LOOK_MAX,
        hurried_timeout: HURRIED_TIMEOUT,
        unhurried_timeout: UNHURRIED_TIMEOUT,
        command_age_max: settings.commands.age_max,
        source_links: settings.registry.source_links.clone(),
        author: (settings.author.name.clone(), settings.author.email.clone()),
    }
}

/// `[::1]:80` → `[::1]`, `example.com:80` → `example.com`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}
