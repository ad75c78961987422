//! Everything of the demo, started.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::deployer::Deployer;
use super::folder::Folder;
use super::registry::{DemoRegistry, Endpoint, ImageSpec};
use super::sample::{self, ENVIRONMENT, IMAGE};
use super::source::{self, Source};
use super::{DemoError, Options, cast};
use crate::forge::local::LocalForge;
use crate::forge::local::pages::{self, PageOptions, SignIn};
use crate::image::{Digest, Repository, Tag};
use crate::repository::{Signature, create_bare};
use crate::server::assemble::{Assembly, assemble};
use crate::server::run::{RunError, Service, Tally, run};
use crate::settings::Settings;
use crate::store::Store;

/// The registry, the repositories, the forge and the server, at work until [`Demo::stop`].
pub struct Demo {
    pub(super) begun: Instant,
    pub(super) registry: DemoRegistry,
    pub(super) source: Source,
    pub(super) forge: Arc<LocalForge>,
    pub(super) store: Store,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), RunError>>,
    pub(super) deployer: Deployer,
    /// What runs everywhere in the beginning.
    pub(super) first: Digest,
    // The last: a temporary folder goes when nothing works in it any more.
    folder: Folder,
}

/// The version that runs everywhere in the beginning.
pub(super) const FIRST_VERSION: &str = "1.4.1";

const SETTINGS: &str = include_str!("assets/settings.toml");
/// What people try first.
const PORT: u16 = 8080;
/// Longer than the server's own `stop_timeout`, which it needs twice at most: for requests, and for work in hand.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

impl Demo {
    /// Starts everything: five stages that run version 1.4.1.
    ///
    /// # Errors
    /// [`DemoError`] if the folder or port cannot be used, or a part does not start.
    pub async fn start(options: &Options) -> Result<Self, DemoError> {
        let begun = Instant::now();
        let folder = Folder::create(options.folder.as_deref())?;
        let (listener, address) = listen(options.port).await?;
        let secret = hex::encode(rand::random::<[u8; 16]>());
        let endpoint = Endpoint {
            url: format!("http://{address}/webhooks/registry"),
            authorization: Some(format!("Bearer {secret}")),
        };
        let registry = DemoRegistry::start(vec![endpoint]).await.map_err(DemoError::part("the registry"))?;
        let source = Source::create(&folder, "maria", "Check out a cart").await?;
        let digest = push(&registry, FIRST_VERSION, &source)?;
        environment(&folder, &registry, digest).await?;
        folder.write("webhook-secret", &secret)?;
        let token = hex::encode(rand::random::<[u8; 16]>());
        folder.write("deployer-token", &token)?;
        folder.write("people.json", cast::PEOPLE)?;
        // Of its own and empty: a registry on loopback concerns no credential helper of this user.
        folder.write("docker-config.json", "{}\n")?;
        let settings = settings(&folder, address, &registry)?;
        let tally = Tally::new(&settings);
        let witness: Arc<dyn crate::witness::Witness> = Arc::clone(&tally) as _;
        let assembly = assemble(&settings, witness).await.map_err(DemoError::part("the server"))?;
        let store = assembly.world.store.clone();
        let forge = forge(&assembly)?;
        let service = service(&settings, &tally, assembly, Arc::clone(&forge))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let until_stopped = async {
            let _ = stopped.await;
        };
        let server = tokio::spawn(run(service, listener, until_stopped));
        let url = format!("http://{address}");
        let reports = format!("{url}/observations/deployer");
        let deployer = Deployer::start(&folder.join("shop.git"), reports, token)?;
        let (stop, first) = (Some(stop), digest);
        Ok(Self { begun, registry, source, forge, store, url, stop, server, deployer, first, folder })
    }

    /// Where the board is, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the forge is, without a slash at the end.
    #[must_use]
    pub fn forge_url(&self) -> &str {
        self.forge.base_url()
    }

    /// The image at the registry, without a tag: `127.0.0.1:41234/shop/checkout`.
    #[must_use]
    pub fn image(&self) -> String {
        format!("{}/{IMAGE}", self.registry.address())
    }

    /// The folder with all files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The environment repository, a bare one.
    #[must_use]
    pub fn environment(&self) -> PathBuf {
        self.folder.join("shop.git")
    }

    /// Whether the folder stays when the demo ends.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.folder.is_kept()
    }

    /// The names to sign in with, and what each of these people does.
    #[must_use]
    pub fn people(&self) -> &'static [(&'static str, &'static str)] {
        &cast::EVERYBODY
    }

    /// Builds an image of what is at the tip of the source, and pushes it: what CI does.
    pub(super) fn push(&self, version: &str) -> Result<Digest, DemoError> {
        push(&self.registry, version, &self.source)
    }

    /// Whether the server ended, which it should not by itself.
    pub(super) fn is_over(&self) -> bool {
        self.server.is_finished()
    }

    /// Writes what the registry has as OCI image layouts into `registry` of a folder that is kept.
    ///
    /// # Errors
    /// [`DemoError::Folder`] if a file cannot be written.
    pub fn keep_images(&self) -> Result<(), DemoError> {
        if !self.is_kept() {
            return Ok(());
        }
        let path = self.folder.join("registry");
        self.registry.write_layouts(&path).map_err(|source| DemoError::Folder { path, source })
    }

    /// Ends everything; a temporary folder is removed.
    ///
    /// # Errors
    /// [`DemoError`] if the server failed, or the images cannot be kept.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        let kept = self.keep_images();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let ended = tokio::time::timeout(STOP_TIMEOUT, &mut self.server).await;
        self.registry.stop().await;
        match ended {
            Ok(Ok(served)) => served.map_err(DemoError::part("the server"))?,
            Ok(Err(error)) => return Err(DemoError::Part { part: "the server", source: error.into() }),
            Err(_) => self.server.abort(),
        }
        kept
    }
}

impl fmt::Debug for Demo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Demo").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A listener on this port of loopback; without a port on 8080, or any where that one is taken.
async fn listen(port: Option<u16>) -> Result<(TcpListener, SocketAddr), DemoError> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match port {
        Some(port) => bind(port).await.map_err(|source| DemoError::Port { port, source })?,
        None => match bind(PORT).await {
            Ok(listener) => listener,
            Err(_) => bind(0).await.map_err(|source| DemoError::Port { port: 0, source })?,
        },
    };
    let address = listener.local_addr().map_err(|source| DemoError::Port { port: PORT, source })?;
    Ok((listener, address))
}

fn push(registry: &DemoRegistry, version: &str, source: &Source) -> Result<Digest, DemoError> {
    let tag: Tag = version.parse().map_err(DemoError::part("the registry"))?;
    let spec = ImageSpec::new(version, &source.tip().to_string(), source::ADDRESS, Timestamp::now());
    registry.push_image(IMAGE, &tag, &spec).map_err(DemoError::part("the registry"))
}

/// Makes the environment repository, every stage at the first version.
async fn environment(folder: &Folder, registry: &DemoRegistry, digest: Digest) -> Result<(), DemoError> {
    let repository = format!("{}/{IMAGE}", registry.address());
    let repository: Repository = repository.parse().map_err(DemoError::part("the registry"))?;
    let tag: Tag = FIRST_VERSION.parse().map_err(DemoError::part("the registry"))?;
    let files = sample::files(&repository, &tag, digest);
    let author = Signature { name: "li".to_owned(), email: cast::email("li"), at: Timestamp::now() };
    let message = format!("Run checkout {FIRST_VERSION} in all stages\n");
    let made = create_bare(&folder.join("shop.git"), "main", &files, &message, &author).await;
    made.map(|_| ()).map_err(DemoError::part("the environment repository"))
}

/// The settings, from a file as every server has one.
fn settings(folder: &Folder, address: SocketAddr, registry: &DemoRegistry) -> Result<Settings, DemoError> {
    let path = folder.path().display().to_string();
    let text = SETTINGS
        .replace("{listen}", &address.to_string())
        .replace("{registry}", &registry.address().to_string())
        .replace("{source}", source::ADDRESS)
        .replace("{folder}", &path.replace('\\', "\\\\").replace('"', "\\\""));
    let file = folder.write("settings.toml", &text)?;
    // Without the variables of this process, which are meant for another server.
    Settings::load_from(Some(&file), []).map_err(DemoError::part("the settings"))
}

fn forge(assembly: &Assembly) -> Result<Arc<LocalForge>, DemoError> {
    let forge = assembly.forges.get(ENVIRONMENT).cloned().ok_or("it is not in the settings");
    forge.map_err(DemoError::part("the forge"))
}

fn service(
    settings: &Settings,
    tally: &Tally,
    assembly: Assembly,
    forge: Arc<LocalForge>,
) -> Result<Service, DemoError> {
    let options = PageOptions {
        title: ENVIRONMENT.to_owned(),
        hosts: BTreeSet::from(["127.0.0.1".to_owned(), "localhost".to_owned()]),
        sign_in: SignIn::ChooseName,
        proxy_header: None,
    };
    let pages = Router::new().nest(&format!("/forge/{ENVIRONMENT}"), pages::router(forge, options));
    let app = tally.app(settings, assembly.world.store.clone()).map_err(DemoError::part("the server"))?;
    Ok(Service {
        world: assembly.world,
        app,
        routers: vec![pages],
        activities: assembly.activities,
        notify: settings.notify.clone(),
        workers: settings.work.workers,
        remember_deliveries: settings.store.remember_deliveries,
        store_path: settings.store.path.clone(),
    })
}
