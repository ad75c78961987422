//! `lockkeeper serve`: the server.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::context::of_parts;
use super::{CliError, Context, Exit, Outcome};
use crate::notify::NotifyError;
use crate::server::assemble::{assemble, forge_pages};
use crate::server::run::{RunError, Service, Tally, run as run_service};
use crate::settings::Settings;
use crate::telemetry;

/// Run the server: webhooks and pages over HTTP, and the workers that promote.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper serve --config lockkeeper.toml\n  \
    LOCKKEEPER__SERVER__LISTEN=127.0.0.1:9000 lockkeeper serve --config lockkeeper.toml\n\n\
    All keys of the settings: lockkeeper help settings\n\
    What is wrong, before it starts: lockkeeper doctor")]
pub struct Args {}

/// Serves until the process is told to stop (SIGTERM or Ctrl-C); told twice, it stops at once.
///
/// # Errors
/// Exit 3 for settings that cannot be used, 7 where something is away, 6 where another server works on the store.
pub async fn run(context: &Context, _: Args) -> Outcome {
    let mut settings = context.settings()?;
    telemetry::init(&settings.log).map_err(|error| CliError::new(Exit::Configuration, error.to_string()))?;
    let listener = listen(&mut settings).await?;
    let tally = Tally::new(&settings);
    let assembly = assemble(&settings, tally.clone()).await.map_err(|error| of_parts(&error))?;
    let app = tally.app(&settings, assembly.world.store.clone()).map_err(|_| {
        CliError::new(Exit::Configuration, "the secret of a webhook is empty").next("lockkeeper doctor")
    })?;
    let service = Service {
        world: assembly.world,
        app,
        routers: forge_pages(&settings, &assembly.forges),
        activities: assembly.activities,
        notify: settings.notify.clone(),
        workers: settings.work.workers,
        remember_deliveries: settings.store.remember_deliveries,
        store_path: settings.store.path.clone(),
    };
    tracing::info!(
        url = settings.server.url,
        listen = %settings.server.listen,
        repositories = settings.repositories.len(),
        webhooks = settings.webhooks.len(),
        "listening"
    );
    let signals = signals()?;
    let stop = asked(signals.clone(), 1, "asked to stop; what is in hand is finished");
    let stop_now = asked(signals, 2, "asked to stop again; what is in hand is left as it is");
    tokio::select! {
        ended = run_service(service, listener, stop) => ended.map_err(|error| of_run(&error))?,
        // Not by way of the runtime, which waits for threads that block.
        () = stop_now => std::process::exit(Exit::TryAgain as i32),
    }
    tracing::info!("stopped");
    Ok(Exit::Ok)
}

/// Listens; a port that the system chose stands in the settings afterwards.
async fn listen(settings: &mut Settings) -> Result<TcpListener, CliError> {
    let wanted = settings.server.listen;
    let failed = |error: std::io::Error| {
        CliError::new(Exit::Configuration, format!("cannot listen on {wanted}"))
            .why(error.to_string())
            .next("set `listen` of `[server]` to a free address and port")
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let found = listener.local_addr().map_err(failed)?;
    if found != wanted {
        rename(settings, wanted, found);
    }
    Ok(listener)
}

fn rename(settings: &mut Settings, wanted: SocketAddr, found: SocketAddr) {
    let server = &mut settings.server;
    if server.url == format!("http://{wanted}") {
        server.url = format!("http://{found}");
    }
    server.listen = found;
    server.hosts.push(found.to_string());
}

/// Counts the signals to stop.
fn signals() -> Result<watch::Receiver<usize>, CliError> {
    let no_signal = |error: std::io::Error| {
        CliError::new(Exit::TryAgain, "cannot wait for signals").why(error.to_string())
    };
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signal)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let (counted, count) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            counted.send_modify(|count| *count += 1);
        }
    });
    Ok(count)
}

/// Done when so many signals have come.
async fn asked(mut signals: watch::Receiver<usize>, times: usize, says: &'static str) {
    // An end of the channel means that the runtime ends, and this with it.
    let _ = signals.wait_for(|count| *count >= times).await;
    tracing::info!(signals = times, "{says}");
}

fn of_run(error: &RunError) -> CliError {
    match error {
        RunError::Taken { .. } => CliError::new(Exit::Refused, error.to_string())
            .why("two servers on one file would take each other's work")
            .next("stop the other server, or set another `path` of `[store]`"),
        RunError::Lock { .. } => CliError::new(Exit::Configuration, error.to_string())
            .next("make the folder of the store writable for this user"),
        RunError::Store(error) | RunError::Notify(NotifyError::Store(error)) => {
            super::context::of_store(error)
        }
        RunError::Notify(NotifyError::Client { .. }) => {
            CliError::new(Exit::Configuration, error.to_string()).next("lockkeeper doctor")
        }
        RunError::Serve(_) => CliError::new(Exit::TryAgain, error.to_string()),
    }
}
