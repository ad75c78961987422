//! `lockkeeper status`: what is where, as last recorded.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::context::{find_key, of_store};
use super::show::{Paint, Tone, document, minute, plain, table};
use super::{CliError, Context, Exit, Format, Outcome, pins};
use crate::plan::PipelineView;
use crate::plan::view::{Presence, RollbackView, StageState, StageView};
use crate::store::{Key, Store};

/// Show what is where: version, digest, state and rollback target of every stage, and what is waited for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper status\n  \
    lockkeeper status checkout\n  \
    lockkeeper status shop/checkout -o json\n\n\
    It reads what the server recorded last, and asks nobody else; `lockkeeper plan` looks at the world.")]
pub struct Args {
    /// The pipeline, or `repository/pipeline`; none: all.
    pipeline: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Prints what was recorded last.
///
/// # Errors
/// Exit 5 for an unknown pipeline, or where no server has run yet.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let store = context.store(&settings).await?;
    let views = views(&store, args.pipeline.as_deref()).await?;
    match args.output {
        Format::Json => pins::print(&pins::json(&document(json!({ "pipelines": views })))?)?,
        Format::Table => {
            pins::print(&text(context.paint(), &views))?;
            if views.is_empty() {
                eprintln!(
                    "nothing is recorded yet: the server looks at a repository for the first time, or none declares a pipeline"
                );
            }
        }
    }
    Ok(Exit::Ok)
}

/// The views of all pipelines, or of the one that is meant.
pub(super) async fn views(store: &Store, wanted: Option<&str>) -> Result<Vec<PipelineView>, CliError> {
    let all = store.views().await.map_err(|error| of_store(&error))?;
    let known: BTreeSet<Key> = all.iter().map(|(key, _)| key.clone()).collect();
    let wanted = wanted.map(|word| find_key(&known, word)).transpose()?;
    let mut views = Vec::new();
    for (key, value) in all {
        // A repository has a view only while something is wrong with it.
        if value.is_null() || wanted.as_ref().is_some_and(|wanted| wanted != &key) {
            continue;
        }
        views.push(serde_json::from_value(value).map_err(|error| {
            CliError::new(Exit::Integrity, format!("what is recorded of {key} cannot be read"))
                .why(error.to_string())
        })?);
    }
    Ok(views)
}

fn text(paint: Paint, views: &[PipelineView]) -> String {
    let header = ["PIPELINE", "STAGE", "VERSION", "DIGEST", "STATE", "SINCE", "ROLLBACK", "PULL REQUEST"];
    let rows = views.iter().flat_map(|view| view.stages.iter().map(|stage| row(paint, view, stage)));
    let mut text = table(header, rows.collect());
    for view in views {
        let name = name(view);
        for error in view.error.iter().flat_map(|error| error.lines()) {
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{} {name}: {}", paint.word(Tone::Bad, "✖"), plain(error));
        }
        for stage in &view.stages {
            if let Some(running) = &stage.running {
                let _ = writeln!(text, "runs: {name}/{}: {}", stage.name, plain(&running.words));
            }
            if let Some(watch) = &stage.watch {
                let _ = writeln!(text, "watch: {name}/{}: {}", stage.name, plain(watch));
            }
            for what in &stage.drift {
                let _ = writeln!(text, "drift: {name}/{}: {}", stage.name, plain(what));
            }
            for hold in &stage.holds {
                let _ = writeln!(text, "waits: {name}/{}: {}", stage.name, plain(hold));
            }
        }
    }
    text
}

pub(super) fn name(view: &PipelineView) -> String {
    match &view.pipeline {
        Some(pipeline) => format!("{}/{pipeline}", view.repository),
        None => view.repository.clone(),
    }
}

fn row(paint: Paint, view: &PipelineView, stage: &StageView) -> [String; 8] {
    let or_dash = |text: Option<String>| text.map_or_else(|| "-".to_owned(), |text| plain(&text));
    [
        name(view),
        stage.name.clone(),
        or_dash(stage.version.clone()),
        or_dash(stage.short.clone()),
        state(paint, stage),
        or_dash(stage.since.map(minute)),
        or_dash(stage.rollback_target.as_ref().map(rollback)),
        or_dash(stage.pull_request.as_ref().map(|found| found.url.clone())),
    ]
}

/// Symbol and word of a stage.
pub(super) fn state(paint: Paint, stage: &StageView) -> String {
    let tone = match stage.state {
        StageState::Failed | StageState::Drift => Tone::Bad,
        StageState::Person | StageState::Held | StageState::Waiting => Tone::Notice,
        StageState::Live => Tone::Good,
        StageState::Empty => Tone::Quiet,
    };
    paint.word(tone, &format!("{} {}", stage.state.symbol(), plain(&stage.word)))
}

fn rollback(target: &RollbackView) -> String {
    let presence = match target.present {
        Presence::No => " MISSING in the registry".to_owned(),
        // What was not asked for yet is not spoken of.
        Presence::Yes | Presence::Unknown if target.ready.is_empty() => String::new(),
        Presence::Yes | Presence::Unknown => format!(" {}", plain(&target.ready)),
    };
    format!("{} ({}){presence}", target.version, target.short)
}
