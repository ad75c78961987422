//! `lockkeeper history`: what happened, from the record.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::context::{find_key, of_store};
use super::sentence::{self, Weight};
use super::show::{document, minute, table};
use super::{CliError, Context, Exit, Format, Outcome, pins};
use crate::promotion::Entry;
use crate::store::{Key, Store};

/// Events read at once.
const PAGE: usize = 1_000;

/// Show what happened: promotions, rollbacks, holds and vetoes, who asked and who approved; newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper history checkout prod\n  \
    lockkeeper history checkout --all --limit 200 -o json")]
pub struct Args {
    /// The pipeline, or `repository/pipeline`; none: all.
    pipeline: Option<String>,
    /// The stage; none: all.
    stage: Option<String>,
    /// Show each step, and not only what somebody decided or what moved.
    #[arg(long)]
    all: bool,
    /// Show at most so many events.
    #[arg(short = 'n', long, default_value_t = 50, value_name = "COUNT")]
    limit: usize,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One event of one pipeline.
struct Line {
    key: Key,
    sequence: u64,
    entry: Entry,
    told: sentence::Told,
}

/// Prints the events.
///
/// # Errors
/// Exit 5 for an unknown pipeline, or a stage of which nothing is recorded.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let store = context.store(&settings).await?;
    let mut known = BTreeSet::new();
    for repository in &settings.repositories {
        let keys = store.keys(&repository.name).await.map_err(|error| of_store(&error))?;
        known.extend(keys.into_iter().filter(|key| key.pipeline.is_some()));
    }
    let keys = match &args.pipeline {
        Some(word) => vec![find_key(&known, word)?],
        None => known.into_iter().collect(),
    };
    let mut lines = Vec::new();
    for key in keys {
        lines.extend(lines_of(&store, &key).await?);
    }
    if let Some(stage) = &args.stage {
        lines.retain(|line| line.told.stage.as_ref().is_some_and(|found| found.as_str() == stage));
        if lines.is_empty() {
            return Err(CliError::new(Exit::NotFound, format!("nothing is recorded of stage {stage:?}"))
                .next("lockkeeper status"));
        }
    }
    lines.retain(|line| args.all || line.told.weight == Weight::History);
    lines.sort_by_key(|line| std::cmp::Reverse((line.entry.at, line.sequence)));
    lines.truncate(args.limit);
    match args.output {
        Format::Table => pins::print(&text(&lines))?,
        Format::Json => pins::print(&pins::json(&all_json(&lines))?)?,
    }
    Ok(Exit::Ok)
}

async fn lines_of(store: &Store, key: &Key) -> Result<Vec<Line>, CliError> {
    let mut lines = Vec::new();
    let mut after = 0;
    loop {
        let page = store.entries(key, after, PAGE).await.map_err(|error| of_store(&error))?;
        let is_last = page.len() < PAGE;
        for (sequence, entry) in page {
            after = sequence;
            let told = sentence::event(&entry.event);
            lines.push(Line { key: key.clone(), sequence, entry, told });
        }
        if is_last {
            return Ok(lines);
        }
    }
}

fn text(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let stage = line.told.stage.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        [minute(line.entry.at), line.key.to_string(), stage, line.told.text.clone()]
    };
    table(["WHEN", "PIPELINE", "STAGE", "WHAT"], lines.iter().map(row).collect())
}

fn all_json(lines: &[Line]) -> Value {
    let event = |line: &Line| {
        json!({
            "repository": line.key.repository,
            "pipeline": line.key.pipeline,
            "sequence": line.sequence,
            "stage": line.told.stage,
            "text": line.told.text,
            "entry": line.entry,
        })
    };
    document(json!({ "events": lines.iter().map(event).collect::<Vec<_>>() }))
}
