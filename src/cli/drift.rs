//! `lockkeeper drift`: where tag, pin, record and what runs disagree, as last recorded.

use serde_json::{Value, json};

use super::show::{document, plain, table};
use super::{Context, Exit, Format, Outcome, pins, status};
use crate::plan::PipelineView;
use crate::plan::view::StageView;

/// Show where tag, pin, record and what runs disagree; ends with 1 where they do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper drift\n  \
    lockkeeper drift checkout -o json\n\n\
    It reads what the server recorded last: a pin that is not what lockkeeper put there, a channel\n\
    tag that somebody moved or removed, and, where a stage is observed, something else that runs.\n\
    A rollout that goes on is no drift. What cannot be known (nothing was reported, or too long\n\
    ago; the rules are broken) is said on standard error, and leaves the exit code at 0.\n\n\
    `lockkeeper history PIPELINE STAGE` says how it came; `/resume` lifts the hold on a stage whose\n\
    pins somebody else changed.")]
pub struct Args {
    /// The pipeline, or `repository/pipeline`; none: all.
    pipeline: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Prints where something disagrees.
///
/// # Errors
/// Exit 5 for an unknown pipeline, or where no server has run yet.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let store = context.store(&settings).await?;
    let views = status::views(&store, args.pipeline.as_deref()).await?;
    let stages = || views.iter().flat_map(|view| view.stages.iter().map(move |stage| (view, stage)));
    let drifting: Vec<_> = stages().filter(|(_, stage)| !stage.drift.is_empty()).collect();
    let unknown: Vec<(String, String)> = views
        .iter()
        .flat_map(|view| {
            let lines = view.error.iter().flat_map(|error| error.lines());
            lines.map(move |line| (status::name(view), line.to_owned()))
        })
        .chain(stages().filter_map(|(view, stage)| Some((place(view, stage), unknown(stage)?))))
        .collect();
    match args.output {
        Format::Json => {
            let drift: Vec<Value> = drifting.iter().map(|(view, stage)| found(view, stage)).collect();
            let unknown: Vec<Value> =
                unknown.iter().map(|(place, why)| json!({ "place": place, "why": why })).collect();
            let all = document(json!({ "drift": drift, "unknown": unknown }));
            pins::print(&pins::json(&all)?)?;
        }
        Format::Table => {
            let rows = drifting.iter().flat_map(|(view, stage)| {
                stage
                    .drift
                    .iter()
                    .map(|what| [status::name(view), stage.name.clone(), plain(recorded(stage)), plain(what)])
            });
            pins::print(&table(["PIPELINE", "STAGE", "RECORDED", "DRIFT"], rows.collect()))?;
            for (place, why) in &unknown {
                eprintln!("not known: {place}: {}", plain(why));
            }
            if drifting.is_empty() {
                eprintln!("nothing that is known drifts");
            }
        }
    }
    Ok(if drifting.is_empty() { Exit::Ok } else { Exit::Negative })
}

fn found(view: &PipelineView, stage: &StageView) -> Value {
    json!({
        "pipeline": status::name(view), "stage": stage.name, "recorded": recorded(stage),
        "running": stage.running.as_ref().map(|running| &running.words), "drift": stage.drift, "as_of": view.updated_at,
    })
}

/// Why it is not known what runs, in a stage that is observed.
fn unknown(stage: &StageView) -> Option<String> {
    stage.running.as_ref().filter(|running| !running.is_fresh).map(|running| running.words.clone())
}

fn recorded(stage: &StageView) -> &str {
    stage.version.as_deref().unwrap_or("-")
}

fn place(view: &PipelineView, stage: &StageView) -> String {
    format!("{}/{}", status::name(view), stage.name)
}
