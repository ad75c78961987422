//! An OCI registry in memory, on loopback, for the demo and for tests.
//!
//! It speaks as much of the OCI distribution specification 1.1 as container tools need to push and pull images of any
//! media type (skopeo is the judge, in `tests/registry.rs`), and tells of each push as CNCF Distribution does. There
//! is no authentication: it listens on 127.0.0.1 only.

mod image;
mod layout;
mod names;
mod notify;
mod routes;
mod store;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::image::ImageSpec;
pub use self::notify::Endpoint;

use self::notify::{Notifier, Request};
use self::store::{Manifest, Pushed, Refusal, Store};
use crate::image::{Digest, Tag};

/// A registry that runs until it is stopped or dropped.
pub struct DemoRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// What requests work on.
struct Shared {
    address: SocketAddr,
    store: Mutex<Store>,
    notifier: Notifier,
}

/// Why the registry does not run, or does not take an image.
#[derive(Debug, thiserror::Error)]
pub enum DemoRegistryError {
    /// No port of this machine could be had.
    #[error("the demo registry cannot listen on 127.0.0.1")]
    Listen(#[source] std::io::Error),
    /// The client that sends notifications cannot be set up.
    #[error("the demo registry cannot send notifications")]
    Notify(#[source] reqwest::Error),
    /// The image cannot be packed.
    #[error("the image cannot be packed")]
    Pack(#[source] std::io::Error),
    /// The registry would refuse the same by HTTP.
    #[error("the demo registry refuses the image: {reason}")]
    Refused {
        /// Its error code and message.
        reason: String,
    },
}

/// How long open connections may go on after a stop.
const STOP_TIMEOUT: Duration = Duration::from_millis(200);

impl DemoRegistry {
    /// Starts an empty registry on a free port of 127.0.0.1, which tells these endpoints of each push.
    ///
    /// # Errors
    /// [`DemoRegistryError`] if there is no port, or no client for the notifications.
    pub async fn start(notifications: Vec<Endpoint>) -> Result<Self, DemoRegistryError> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoRegistryError::Listen)?;
        let address = listener.local_addr().map_err(DemoRegistryError::Listen)?;
        let notifier = Notifier::start(address, notifications).map_err(DemoRegistryError::Notify)?;
        let shared = Arc::new(Shared { address, store: Mutex::default(), notifier });
        let (stop, stopped) = oneshot::channel::<()>();
        let router = routes::router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            let until_stopped = async {
                let _ = stopped.await;
            };
            let served = axum::serve(listener, service).with_graceful_shutdown(until_stopped).await;
            if let Err(error) = served {
                tracing::warn!(%error, "the demo registry ended");
            }
        });
        Ok(Self { address, shared, stop: Some(stop), server })
    }

    /// Where it listens; the host part of its references.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Builds a small image and puts it under this tag, with the notifications that a push by HTTP raises.
    ///
    /// # Errors
    /// [`DemoRegistryError`] if it cannot be packed, or the name or size is refused.
    pub fn push_image(
        &self,
        repository: &str,
        tag: &Tag,
        spec: &ImageSpec,
    ) -> Result<Digest, DemoRegistryError> {
        names::check_name(repository).map_err(|refusal| refused(&refusal))?;
        let built = image::build(spec).map_err(DemoRegistryError::Pack)?;
        for blob in built.blobs {
            self.shared.store().put_blob(repository, blob).map_err(|refusal| refused(&refusal))?;
        }
        for child in built.children {
            self.shared
                .put_manifest(repository, None, child, &self.own())
                .map_err(|refusal| refused(&refusal))?;
        }
        let pushed = self.shared.put_manifest(repository, Some(tag), built.top, &self.own());
        Ok(pushed.map_err(|refusal| refused(&refusal))?.digest)
    }

    /// Writes all that the registry has into `folder`: an OCI image layout for each repository, in the folder of its
    /// name, with the tags as names (`skopeo inspect oci:<folder>/shop/web:1.4.2`).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_layouts(&self, folder: &Path) -> std::io::Result<()> {
        layout::write(&self.shared.store(), folder)
    }

    /// Stops answering and notifying; what was not told yet is lost, as in Distribution.
    pub async fn stop(mut self) {
        self.shared.notifier.stop();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if tokio::time::timeout(STOP_TIMEOUT, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }

    /// The request that a push within this process counts as.
    fn own(&self) -> Request {
        Request {
            address: self.address.to_string(),
            host: self.address.to_string(),
            method: "PUT".to_owned(),
            user_agent: concat!("lockkeeper/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Drop for DemoRegistry {
    fn drop(&mut self) {
        self.shared.notifier.stop();
        self.server.abort();
    }
}

impl fmt::Debug for DemoRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DemoRegistry").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a manifest and tells of it, in the order in which they were stored.
    fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&Tag>,
        manifest: Manifest,
        request: &Request,
    ) -> Result<Pushed, Refusal> {
        let mut store = self.store();
        let pushed = store.put_manifest(repository, tag, manifest)?;
        self.notifier.pushed(repository, tag, &pushed, request);
        Ok(pushed)
    }
}

fn refused(refusal: &Refusal) -> DemoRegistryError {
    DemoRegistryError::Refused { reason: refusal.to_string() }
}
