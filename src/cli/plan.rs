//! `lockkeeper plan`: what would be done now, and what is held, by the engine of the server.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::context::{find_key, of_reconcile, pipelines};
use super::effects::{self, effect_kind};
use super::sentence;
use super::show::{Paint, Tone, difference, document, indented, minute, plain};
use super::{CliError, Context, Exit, Format, Outcome, pins};
use crate::pipeline::StageName;
use crate::plan::{Effect, HoldReason, Open, PipelineView, Plan, Snapshot};
use crate::reconcile::{Previewed, preview};

/// Show what would be done now, and everything that is held: who or what it waits for. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper plan checkout\n  \
    lockkeeper plan checkout prod -o json\n\n\
    Ends with 1 where something is held, and with 0 otherwise.")]
pub struct Args {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage; none: all.
    stage: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Reads the world, plans, and prints the plan.
///
/// # Errors
/// Exit 5 for an unknown pipeline or stage, 7 where git, the forge or the store does not answer.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let world = context.world(&settings).await?;
    let key = find_key(&pipelines(&world).await?, &args.pipeline)?;
    let previewed = preview(&world, &key, Vec::new()).await.map_err(|error| of_reconcile(&error))?;
    let (snapshot, mut plan) = planned(previewed, &args.pipeline)?;
    if let Some(stage) = &args.stage {
        only(&mut plan, &snapshot, stage)?;
    }
    match args.output {
        Format::Table => pins::print(&text(context.paint(), &snapshot, &plan))?,
        Format::Json => pins::print(&pins::json(&document(to_json(&snapshot, &plan)))?)?,
    }
    Ok(if plan.holds.is_empty() { Exit::Ok } else { Exit::Negative })
}

/// The plan, where there is one.
pub(super) fn planned(previewed: Previewed, name: &str) -> Result<(Box<Snapshot>, Plan), CliError> {
    match previewed {
        Previewed::Plan { snapshot, plan } => Ok((snapshot, plan)),
        Previewed::Gone => {
            Err(CliError::new(Exit::NotFound, format!("pipeline {name} is not in lockkeeper.yaml")))
        }
        Previewed::Unusable(view) => {
            let PipelineView { error, .. } = *view;
            Err(CliError::new(Exit::Configuration, "lockkeeper.yaml cannot be used, and never could")
                .why(error.unwrap_or_default())
                .next("lockkeeper doctor"))
        }
    }
}

/// Leaves what is about this stage or group.
fn only(plan: &mut Plan, snapshot: &Snapshot, word: &str) -> Result<(), CliError> {
    let stages: Vec<&StageName> =
        snapshot.pipeline.addressed(word).into_iter().map(|stage| &stage.name).collect();
    if stages.is_empty() {
        let names: Vec<&str> = snapshot.pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
        return Err(CliError::new(Exit::NotFound, format!("there is no stage or group {word:?}"))
            .why(format!("there are {}", names.join(", "))));
    }
    plan.holds.retain(|hold| stages.contains(&&hold.stage));
    plan.effects.retain(|effect| stage_of(effect, snapshot).is_some_and(|stage| stages.contains(&&stage)));
    Ok(())
}

/// The stage that an effect is about; none: the pipeline.
fn stage_of(effect: &Effect, snapshot: &Snapshot) -> Option<StageName> {
    let of_number = |number: u64| snapshot.stage_of(number).cloned();
    match effect {
        Effect::Open(open) => Some(open.stage.clone()),
        Effect::Close(close) => Some(close.stage.clone()),
        Effect::Merge(merge) => Some(merge.stage.clone()),
        Effect::Deploy { stage, .. } => Some(stage.clone()),
        Effect::Record(entries) => entries.first().and_then(|entry| sentence::event(&entry.event).stage),
        Effect::Edit { number, .. } => of_number(*number),
        Effect::Comment { thread, .. } => of_number(*thread),
        Effect::Check { head, .. } => {
            let found = snapshot.pull_requests.values().find(|found| found.head == *head)?;
            of_number(found.number)
        }
        Effect::Tag(tag) => Some(tag.stage.clone()),
        Effect::React { .. } | Effect::Issue { .. } | Effect::Untag { .. } => None,
    }
}

/// The plan for people.
pub(super) fn text(paint: Paint, snapshot: &Snapshot, plan: &Plan) -> String {
    let mut text = format!(
        "{}/{} at {} of {}\n",
        snapshot.repository,
        snapshot.pipeline.name,
        snapshot.base.short(),
        snapshot.base_branch
    );
    // Writing into a text cannot fail.
    for effect in &plan.effects {
        for line in effects::effect(effect) {
            let _ = writeln!(text, "{} {line}", paint.word(Tone::Good, "→"));
        }
        if let Effect::Open(open) = effect {
            opened(paint, open, &mut text);
        }
    }
    for hold in &plan.holds {
        let _ = writeln!(text, "{} {}", paint.word(Tone::Notice, "▲"), held(hold));
    }
    if plan.effects.is_empty() && plan.holds.is_empty() {
        text.push_str("nothing to do\n");
    }
    text
}

/// The branch, the difference and the body of a pull request.
fn opened(paint: Paint, open: &Open, text: &mut String) {
    let _ = writeln!(text, "    branch {}", open.branch);
    for (path, before, after) in &open.edits {
        let diff = paint.diff(&plain(&difference(path, before, after)));
        let _ = writeln!(text, "{}", indented(&diff, "    "));
    }
    let _ = writeln!(text, "{}", indented(&plain(&open.body), "    | "));
}

fn held(hold: &HoldReason) -> String {
    let mut line = format!("{}: {}: {}", hold.stage, hold.gate.name(), hold.text);
    if let Some(who) = &hold.who {
        line = format!("{line} · can act: {who}");
    }
    if let Some(at) = hold.opens_at {
        line = format!("{line} · may open by itself: {}", minute(at));
    }
    plain(&line)
}

/// The plan for machines.
pub(super) fn to_json(snapshot: &Snapshot, plan: &Plan) -> Value {
    let effect = |effect: &Effect| {
        let mut value = json!({
            "effect": effect_kind(effect),
            "stage": stage_of(effect, snapshot),
            "text": effects::effect(effect),
        });
        if let (Effect::Open(open), Value::Object(members)) = (effect, &mut value) {
            let diffs: Vec<String> =
                open.edits.iter().map(|(path, before, after)| difference(path, before, after)).collect();
            members.extend([
                ("branch".to_owned(), json!(open.branch)),
                ("title".to_owned(), json!(open.title)),
                ("body".to_owned(), json!(open.body)),
                ("labels".to_owned(), json!(open.labels)),
                ("diff".to_owned(), json!(diffs.concat())),
            ]);
        }
        value
    };
    json!({
        "repository": snapshot.repository,
        "pipeline": snapshot.pipeline.name,
        "base": snapshot.base.to_string(),
        "effects": plan.effects.iter().map(effect).collect::<Vec<_>>(),
        "holds": plan.holds,
        "wake_at": plan.wake_at,
    })
}
