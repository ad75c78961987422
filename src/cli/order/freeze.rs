//! `lockkeeper freeze` and `unfreeze`: one pipeline, or every one there is.

use std::time::Duration;

use super::answer::exit_of;
use super::carry::carry_out;
use super::identity::{person, token};
use super::line::line;
use super::{Giving, Lane, Order, delivery, give};
use crate::cli::context::{of_reconcile, pipelines};
use crate::cli::show::plain;
use crate::cli::{CliError, Context, Exit, Outcome as Ended, pins};
use crate::command::ALL;
use crate::reconcile::{World, declared};
use crate::store::Key;

/// Stop merging into stages; promotions are still opened, and a rollback is merged.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper freeze checkout prod --until 2026-12-01T08:00:00Z --reason \"quarter end\"\n  \
    lockkeeper freeze checkout\n  \
    lockkeeper freeze --everything --reason \"INC-2041\"\n\n\
    Pipelines and stages that are added later are not frozen by this: `freezes` in lockkeeper.yaml has them too.")]
pub struct Freeze {
    #[command(flatten)]
    whom: Whom,
    /// When the freeze ends by itself: a time with its offset, or a duration like 2h; none: never.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    giving: Giving,
}

/// Lift a freeze by command; one of the calendar is lifted there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper unfreeze checkout prod --reason \"quarter is over\"\n  \
    lockkeeper unfreeze --everything")]
pub struct Unfreeze {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    giving: Giving,
}

/// What is meant.
#[derive(Debug, clap::Args)]
struct Whom {
    /// The pipeline, or `repository/pipeline`.
    #[arg(required_unless_present = "everything", conflicts_with = "everything")]
    pipeline: Option<String>,
    /// The stage or group; none, or `all`: all of the pipeline.
    #[arg(conflicts_with = "everything")]
    stage: Option<String>,
    /// Each pipeline of each repository in the settings.
    #[arg(long)]
    everything: bool,
}

/// Freezes.
///
/// # Errors
/// As [`super::promote`].
pub async fn freeze(context: &Context, args: Freeze) -> Ended {
    let Freeze { whom, until, giving } = args;
    order(context, whom, until.map(|until| ("until", until)), "freeze", giving).await
}

/// Lifts that.
///
/// # Errors
/// As [`super::promote`].
pub async fn unfreeze(context: &Context, args: Unfreeze) -> Ended {
    order(context, args.whom, None, "unfreeze", args.giving).await
}

async fn order(
    context: &Context,
    whom: Whom,
    middle: Option<(&'static str, String)>,
    verb: &'static str,
    giving: Giving,
) -> Ended {
    let stage = Some(whom.stage.unwrap_or_else(|| ALL.to_owned()));
    let pipeline = whom.pipeline.unwrap_or_default();
    let order = Order { pipeline, stage, middle, lane: Lane::Normal, verb };
    if whom.everything {
        everything(context, &order, &giving).await
    } else {
        give(context, order, giving).await
    }
}

/// Each pipeline by itself: one that refuses does not keep the others from it, and the worst end counts.
async fn everything(context: &Context, order: &Order, giving: &Giving) -> Ended {
    let line = line(order, giving.reason.as_deref())?;
    let settings = context.settings()?;
    let token = token(giving.token_file.as_deref())?;
    let world = context.world(&settings).await?;
    let keys = pipelines(&world).await?;
    let mut worst = Exit::Ok;
    let mut counts = |exit: Exit| worst = if exit as u8 > worst as u8 { exit } else { worst };
    // A repository whose pipelines cannot be read would be passed over in silence; it keeps no other from it.
    for name in world.repositories.keys() {
        let (exit, why) = match declared(&world, name).await {
            Ok(Ok(_)) => continue,
            Ok(Err(errors)) => {
                (Exit::Configuration, errors.first().map_or_else(String::new, ToString::to_string))
            }
            Err(error) => {
                let error = of_reconcile(&error);
                (error.exit, error.to_string())
            }
        };
        counts(exit);
        let not = format!("{name}: NOT done for every pipeline of it, as they are not known: {why}");
        pins::print(&format!("{}\n", plain(not.trim_end()).replace('\n', "\n  ")))?;
    }
    for key in &keys {
        if giving.dry_run {
            pins::print(&format!("{key}: {line}\n"))?;
            continue;
        }
        let done = one(&world, key, &line, &token, &settings.store.path, giving.timeout).await;
        let (exit, text) = done.unwrap_or_else(|error| (error.exit, error.to_string()));
        pins::print(&format!("{key}: {}\n", plain(text.trim_end()).replace('\n', "\n  ")))?;
        counts(exit);
    }
    let after =
        "pipelines that are added later are not among them: `freezes` in lockkeeper.yaml has them too";
    eprintln!("{} pipeline(s); {after}", keys.len());
    Ok(worst)
}

async fn one(
    world: &World,
    key: &Key,
    line: &str,
    token: &str,
    store: &std::path::Path,
    timeout: u64,
) -> Result<(Exit, String), CliError> {
    let delivery = delivery(line.to_owned(), person(world, key, token).await?);
    let answer = carry_out(world, store, key, &delivery, Duration::from_secs(timeout)).await?;
    Ok((exit_of(answer.outcome), answer.text))
}
