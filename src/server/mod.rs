//! The HTTP server: webhooks in, pages and figures out.
//!
//! A webhook is verified, stored and answered, nothing else; whatever it asks for is done by workers. Pages only read.
//! Every request passes the same guards: a place among those in work, a known host, a deadline.

pub mod assemble;
mod github;
mod guard;
mod listener;
mod observations;
pub mod pages;
mod probes;
mod receive;
pub mod run;
mod serving;
pub mod webhooks;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::github::{GitHubReceiver, Missed, MissedError, sweep_missed};
use self::guard::Guards;
use self::listener::{Bounded, Connection};
pub use self::observations::Observer;
pub use self::probes::Health;
pub use self::receive::Receiver;
pub use self::serving::{Serving, is_serving};
use crate::forge;
use crate::settings;
use crate::store::Store;
use crate::telemetry::Metrics;

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct App {
    /// Listening, limits and names.
    pub settings: Arc<settings::Server>,
    /// What registries may call.
    pub receivers: Arc<Vec<Receiver>>,
    /// Who may report what runs.
    pub observers: Arc<Vec<Observer>>,
    /// The environment repositories, by their names in the settings.
    pub repositories: Arc<Vec<String>>,
    /// What GitHub may call; none: nothing.
    pub github: Option<Arc<GitHubReceiver>>,
    /// The inbox, and what pages show.
    pub store: Store,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` says.
    pub health: Arc<Health>,
    /// When a delivery came: by the clock of those who work on it.
    pub clock: Clock,
}

/// What time it is.
#[derive(Clone)]
pub struct Clock(forge::Clock);

impl Clock {
    /// A clock that shows this.
    #[must_use]
    pub fn new(now: forge::Clock) -> Self {
        Self(now)
    }

    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(Timestamp::now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({})", self.now())
    }
}

/// Why the server stopped before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listening socket failed.
    #[error("listening socket failed: {0}")]
    Listen(#[source] io::Error),
}

/// Answers on `listener` until `shutdown` is done: then no new connection is accepted, and requests in work have
/// `stop_timeout` to finish. `routers` are mounted beside our own pages, behind the same guards.
///
/// # Errors
/// [`ServeError::Listen`] if the socket fails.
pub async fn serve(
    listener: TcpListener,
    app: App,
    routers: Vec<Router>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (stop_timeout, timeout) = (app.settings.stop_timeout, app.settings.timeout);
    let bounded = Bounded::new(listener, app.settings.requests_max, timeout);
    let service = router(app, routers).into_make_service_with_connect_info::<Connection>();
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        let _ = stopping.send(());
    };
    let serving = axum::serve(bounded, service).with_graceful_shutdown(signal);
    let deadline = async move {
        let _ = stopped.await;
        tokio::time::sleep(stop_timeout).await;
    };
    tokio::select! {
        result = serving => result.map_err(ServeError::Listen),
        () = deadline => {
            tracing::warn!(stop_timeout_seconds = stop_timeout.as_secs(), "requests in work were cut off");
            Ok(())
        }
    }
}

/// All routes behind all guards.
pub fn router(app: App, routers: Vec<Router>) -> Router {
    let github = app.github.clone().map(github::router);
    let app = Arc::new(app);
    let ours = Router::new()
        .route("/webhooks/{name}", post(receive::receive).options(receive::allow))
        .route("/webhooks/{name}/{secret}", post(receive::receive).options(receive::allow))
        .route("/observations/{name}", post(observations::receive))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .merge(github.unwrap_or_default())
        .merge(pages::router())
        .with_state(Arc::clone(&app));
    let all = routers.into_iter().fold(ours, Router::merge);
    all.layer(from_fn_with_state(Guards::new(app), guard::pass))
}

#[cfg(test)]
mod tests;
