//! `lockkeeper demo`: the whole story in one process, and then everything stays up for clicking.

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::pins::print;
use super::{CliError, Exit, Outcome};
use crate::demo::{Demo, DemoError, Options, Step, tell};
use crate::settings::{Log, LogFormat};
use crate::telemetry;

/// Tell the whole story in one process, offline: promote, approve, veto, hotfix, freeze, roll back, drift. Then stay up
/// for clicking.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after the story.
    #[arg(long)]
    once: bool,
    /// Keep everything in this folder, which must be empty or not there: repositories, forge, store, images.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// The port on 127.0.0.1 [default: 8080 if it is free, else any].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// How the time of the demo ended.
enum End {
    Told,
    Signal,
}

/// Starts everything, tells the story, and stays until Ctrl-C.
///
/// # Errors
/// Exit 1 if the story does not come true, 2 if folder or port cannot be used.
pub async fn run(args: Args) -> Outcome {
    let log = Log { format: LogFormat::Auto, filter: "warn".to_owned() };
    telemetry::init(&log).map_err(|error| CliError::new(Exit::Negative, error.to_string()))?;
    let options = Options { folder: args.dir, port: args.port };
    let mut demo = tokio::select! {
        started = Demo::start(&options) => started.map_err(failed)?,
        () = asked_to_end() => return Ok(Exit::Ok),
    };
    let outcome = play(&mut demo, args.once).await;
    let (folder, is_kept) = (demo.folder().to_owned(), demo.is_kept());
    let stopped = demo.stop().await.map_err(failed);
    outcome?;
    stopped?;
    let last = if is_kept {
        format!("\nEverything is in {}.\n", folder.display())
    } else {
        "\nEverything is ended and removed.\n".to_owned()
    };
    print(&last)?;
    Ok(Exit::Ok)
}

async fn play(demo: &mut Demo, once: bool) -> Result<(), CliError> {
    print(&introduction(demo))?;
    if let End::Signal = story(demo).await? {
        return Ok(());
    }
    demo.keep_images().map_err(failed)?;
    // What is about to be removed is no evidence.
    if demo.is_kept() || !once {
        print(&evidence(demo))?;
    }
    if once {
        return Ok(());
    }
    print(&invitation(demo))?;
    asked_to_end().await;
    Ok(())
}

async fn story(demo: &mut Demo) -> Result<End, CliError> {
    let mut unprinted = None;
    let say = |step: Step| {
        if let Err(error) = print(&line(&step)) {
            unprinted = Some(error);
        }
    };
    let end = tokio::select! {
        told = tell(demo, say) => told.map(|()| End::Told).map_err(failed)?,
        () = asked_to_end() => End::Signal,
    };
    unprinted.map_or(Ok(end), Err)
}

/// Waits for Ctrl-C, or for the signal that ends services; where neither can be had, for ever.
async fn asked_to_end() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = terminate => {}
        () = interrupt => {}
    }
}

fn line(step: &Step) -> String {
    let elapsed = step.elapsed.as_secs_f64();
    format!("{elapsed:5.1} s  {:<9} {}  {}\n", step.who, step.text, step.link)
}

fn introduction(demo: &Demo) -> String {
    format!(
        "lockkeeper demo: registry, git, forge and server in this one process; nothing leaves the machine.\n\n  \
         board     {}/\n  forge     {}/pulls\n  registry  {}\n  files     {}\n\n",
        demo.url(),
        demo.forge_url(),
        demo.image(),
        demo.folder().display()
    )
}

/// How to see with other tools that it is true.
fn evidence(demo: &Demo) -> String {
    let git = format!("git -C {}", demo.environment().display());
    let config = format!("lockkeeper --config {}/settings.toml", demo.folder().display());
    let other_tools = format!(
        "\nThe same on the command line, and by other tools:\n  \
         {config} status\n  \
         {config} history checkout prod\n  \
         {config} drift\n  \
         {git} log --first-parent main\n  \
         {git} diff main~1 main\n"
    );
    if demo.is_kept() {
        let folder = demo.folder().display();
        format!(
            "{other_tools}  skopeo inspect oci:{folder}/registry/shop/checkout:1.5.1\n\n\
             In {folder}:\n  \
             shop.git        the environment repository (bare)\n  \
             checkout.git    the source of the image (bare)\n  \
             forge           pull requests, reviews and comments, as JSON\n  \
             lockkeeper.db   the store (SQLite)\n  \
             registry        the images, as OCI layouts\n  \
             settings.toml   what the server ran with\n  \
             people.json     who may do what\n"
        )
    } else {
        format!("{other_tools}  skopeo inspect --tls-verify=false docker://{}:1.5.1\n", demo.image())
    }
}

/// What to do while it is up.
fn invitation(demo: &Demo) -> String {
    let people: Vec<String> =
        demo.people().iter().map(|(name, what)| format!("  {name:<8} {what}\n")).collect();
    format!(
        "\nIt stays up. Sign in at {forge}/sign-in by choosing a name:\n{}\n\
         Try, on any pull request of {forge}/pulls?state=closed:\n  \
         as sam   /rollback prod          and back it goes\n  \
         as rob   /rollback prod          refused, with the reason\n  \
         as li    /status, /explain prod, /history prod\n  \
         push {}:1.6.0 for one platform   dev says which one is missing\n\n\
         Board: {}/\nCtrl-C ends it.\n",
        people.concat(),
        demo.image(),
        demo.url(),
        forge = demo.forge_url(),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`, which gives it away")]
fn failed(error: DemoError) -> CliError {
    let (exit, next) = match &error {
        DemoError::Folder { .. } => (Exit::Usage, Some("lockkeeper demo --dir <an empty folder>")),
        DemoError::Port { .. } => (Exit::Usage, Some("lockkeeper demo --port <another port>")),
        DemoError::Part { .. } | DemoError::Waited { .. } => (Exit::Negative, None),
    };
    let error = CliError::new(exit, error.to_string());
    match next {
        Some(next) => error.next(next),
        None => error,
    }
}
