//! `lockkeeper promote`, `rollback`, `hold`, `resume`, `freeze`, `unfreeze`: what people command, without the forge's pages.
//!
//! A command becomes the same line that a comment would hold, is stored as a delivery with the person whom the forge
//! knows by the token, and is judged by the same rules. A server that runs takes it up; without one, it is carried out
//! here, under the same lease.

mod answer;
mod carry;
mod freeze;
mod identity;
mod line;
mod offline;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::context::{find_key, of_store, pipelines};
use super::{CliError, Context, Exit, Format, Outcome as Ended};
use crate::forge::Person;
use crate::plan::PipelineView;
use crate::promotion::Outcome;
use crate::store::{Delivery, Hint};
use answer::{finish, rehearse};
use carry::carry_out;
pub use freeze::{Freeze, Unfreeze, freeze, unfreeze};
use identity::person;
pub(super) use identity::token;
use line::{check_stage, line};

/// Ask for a release in a stage now; the gates still apply.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper promote checkout staging\n  \
    lockkeeper promote checkout prod --to 1.4.2 --reason \"the fix for INC-2041\"\n  \
    lockkeeper promote checkout prod --to 1.4.3 --lane hotfix --reason \"INC-2041\"\n  \
    lockkeeper promote checkout prod --dry-run")]
pub struct Promote {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage; not needed where there is one only.
    stage: Option<String>,
    /// The release, by version or digest; none: the candidate.
    #[arg(long, value_name = "VERSION|DIGEST")]
    to: Option<String>,
    /// The lane; a hotfix passes the stages before, names its release and has a reason.
    #[arg(long, value_enum, default_value_t)]
    lane: Lane,
    #[command(flatten)]
    giving: Giving,
}

/// The lanes that a promotion can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Lane {
    /// Through all stages and gates.
    #[default]
    Normal,
    /// Past the stages before, by those whom the stage names.
    Hotfix,
}

/// Go back to an earlier release, at once, and hold the stage there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper rollback checkout prod --reason \"INC-2041 p99 too high\"\n  \
    lockkeeper rollback checkout prod --to 1.4.0\n  \
    lockkeeper rollback checkout prod --dry-run\n  \
    lockkeeper rollback checkout prod --offline --clone ../environments")]
pub struct Rollback {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage or group.
    stage: String,
    /// The release, by version or digest; none: the good one before.
    #[arg(long, value_name = "VERSION|DIGEST")]
    to: Option<String>,
    /// Make the commit from the history of a clone alone, on a branch to be pushed: for when no server, store or registry
    /// can be reached. Nobody's permission is asked.
    #[arg(long, conflicts_with = "token_file")]
    offline: bool,
    /// The clone of the environment repository; none: the one around the current folder.
    #[arg(long, value_name = "FOLDER", requires = "offline")]
    clone: Option<PathBuf>,
    /// The commit to begin from; none: origin/HEAD as it was fetched last.
    #[arg(long, value_name = "REVISION", requires = "offline")]
    base: Option<String>,
    #[command(flatten)]
    giving: Giving,
}

/// Stop a stage: nothing is proposed or merged there until it is resumed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper hold checkout prod --reason \"quarter end\"\n  \
    lockkeeper hold checkout prod --until 2026-12-01T08:00:00Z")]
pub struct Hold {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage or group.
    stage: String,
    /// When the hold ends by itself: a time with its offset, or a duration like 2h; none: never.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    giving: Giving,
}

/// Lift the hold of a stage.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper resume checkout prod --reason \"fixed in 1.4.3\"")]
pub struct Resume {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage or group.
    stage: String,
    #[command(flatten)]
    giving: Giving,
}

/// What all commands take.
#[derive(Debug, clap::Args)]
struct Giving {
    /// Why, one line; it stands in the record.
    #[arg(long)]
    reason: Option<String>,
    /// The file with your token at the forge; else the variable `LOCKKEEPER_TOKEN` has it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print what would be done, and write nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// How long to wait for the answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// A command line, as a comment would have it, and what it must mean.
struct Order {
    pipeline: String,
    stage: Option<String>,
    /// The words between stage and reason: `to 1.4.1`.
    middle: Option<(&'static str, String)>,
    lane: Lane,
    verb: &'static str,
}

impl Order {
    fn of(
        pipeline: String,
        stage: String,
        middle: Option<(&'static str, String)>,
        verb: &'static str,
    ) -> Self {
        Self { pipeline, stage: Some(stage), middle, lane: Lane::Normal, verb }
    }
}

/// How a command was answered.
struct Answer {
    outcome: Outcome,
    text: String,
}

/// Asks for a release.
///
/// # Errors
/// As the answer: 2 not understood, 4 not allowed, 6 refused; 5 for an unknown pipeline, 7 without an answer.
pub async fn promote(context: &Context, args: Promote) -> Ended {
    let Promote { pipeline, stage, to, lane, giving } = args;
    let middle = to.map(|to| ("to", to));
    give(context, Order { pipeline, stage, middle, lane, verb: "promote" }, giving).await
}

/// Goes back.
///
/// # Errors
/// As [`promote`].
pub async fn rollback(context: &Context, args: Rollback) -> Ended {
    if args.offline {
        return tokio::task::spawn_blocking(move || offline::rollback(args)).await.map_err(|error| {
            CliError::new(Exit::Integrity, "the rollback stopped half way").why(error.to_string())
        })?;
    }
    let Rollback { pipeline, stage, to, giving, .. } = args;
    let middle = to.map(|to| ("to", to));
    give(context, Order::of(pipeline, stage, middle, "rollback"), giving).await
}

/// Stops a stage.
///
/// # Errors
/// As [`promote`].
pub async fn hold(context: &Context, args: Hold) -> Ended {
    let Hold { pipeline, stage, until, giving } = args;
    let middle = until.map(|until| ("until", until));
    give(context, Order::of(pipeline, stage, middle, "hold"), giving).await
}

/// Lifts a hold.
///
/// # Errors
/// As [`promote`].
pub async fn resume(context: &Context, args: Resume) -> Ended {
    let Resume { pipeline, stage, giving } = args;
    give(context, Order::of(pipeline, stage, None, "resume"), giving).await
}

async fn give(context: &Context, order: Order, giving: Giving) -> Ended {
    let line = line(&order, giving.reason.as_deref())?;
    let settings = context.settings()?;
    let token = token(giving.token_file.as_deref())?;
    let world = context.world(&settings).await?;
    let key = find_key(&pipelines(&world).await?, &order.pipeline)?;
    if let Some(stage) = &order.stage {
        check_stage(&world, &key, stage).await?;
    }
    let delivery = delivery(line, person(&world, &key, &token).await?);
    if giving.dry_run {
        return rehearse(context.paint(), &world, &key, delivery, giving.output).await;
    }
    let timeout = Duration::from_secs(giving.timeout);
    let answer = carry_out(&world, &settings.store.path, &key, &delivery, timeout).await?;
    let view = world.store.view(&key).await.map_err(|error| of_store(&error))?;
    let view: Option<PipelineView> = view.and_then(|view| serde_json::from_value(view).ok());
    finish(context.paint(), &answer, view.as_ref(), giving.output)
}

/// A command line, to be stored.
fn delivery(line: String, person: Person) -> Delivery {
    Delivery {
        id: format!("cli:{:016x}", rand::random::<u64>()),
        source: "cli".to_owned(),
        received_at: Timestamp::now(),
        hints: vec![Hint::Command { text: line, person, thread: None }],
    }
}
