//! What is printed: the answer, or what would be done.

use serde_json::{Value, json};

use super::Answer;
use crate::cli::context::of_reconcile;
use crate::cli::sentence::outcome_word;
use crate::cli::show::{Paint, document, indented, plain};
use crate::cli::{CliError, Exit, Format, Outcome as Ended, pins, plan, status};
use crate::plan::{Effect, PipelineView};
use crate::promotion::{Event, Outcome};
use crate::reconcile::{World, preview};
use crate::store::{Delivery, Key};

/// Prints what the command would do.
pub(super) async fn rehearse(
    paint: Paint,
    world: &World,
    key: &Key,
    delivery: Delivery,
    output: Format,
) -> Ended {
    let id = delivery.id.clone();
    let previewed = preview(world, key, vec![delivery]).await.map_err(|error| of_reconcile(&error))?;
    let (snapshot, plan) = plan::planned(previewed, &key.to_string())?;
    let events = plan.effects.iter().flat_map(|effect| match effect {
        Effect::Record(entries) => entries.as_slice(),
        Effect::Open(_)
        | Effect::Edit { .. }
        | Effect::Check { .. }
        | Effect::Comment { .. }
        | Effect::React { .. }
        | Effect::Close(_)
        | Effect::Merge(_)
        | Effect::Deploy { .. }
        | Effect::Tag(_)
        | Effect::Untag { .. }
        | Effect::Issue { .. } => &[],
    });
    let answer = events.into_iter().find_map(|entry| {
        let Event::Answered { command, outcome, text, .. } = &entry.event else { return None };
        (command == &id).then(|| Answer { outcome: *outcome, text: text.clone() })
    });
    let answer = answer.ok_or_else(|| {
        CliError::new(
            Exit::TryAgain,
            "something else comes first, so nothing can be said of this command yet",
        )
        .why("the world has changed since it was last recorded")
        .next(format!("lockkeeper plan {key}"))
    })?;
    match output {
        Format::Table => {
            pins::print(&plan::text(paint, &snapshot, &plan))?;
            pins::print(&format!(
                "reply, {}:\n{}\n{}; nothing was done\n",
                outcome_word(answer.outcome),
                indented(&plain(&answer.text), "    "),
                if answer.outcome == Outcome::Done { "it would work now" } else { "it would not work now" }
            ))?;
        }
        Format::Json => {
            let mut value = plan::to_json(&snapshot, &plan);
            if let Value::Object(members) = &mut value {
                members.insert("outcome".to_owned(), json!(answer.outcome));
                members.insert("reply".to_owned(), json!(answer.text));
                members.insert("dry_run".to_owned(), json!(true));
            }
            pins::print(&pins::json(&document(value))?)?;
        }
    }
    Ok(exit_of(answer.outcome))
}

/// Prints the answer and how the stages stand now.
pub(super) fn finish(paint: Paint, answer: &Answer, view: Option<&PipelineView>, output: Format) -> Ended {
    let exit = exit_of(answer.outcome);
    let stages = view.map(|view| view.stages.as_slice()).unwrap_or_default();
    if output == Format::Json {
        let value = json!({ "outcome": answer.outcome, "reply": answer.text, "stages": stages });
        pins::print(&pins::json(&document(value))?)?;
        return Ok(exit);
    }
    if exit != Exit::Ok {
        let text = plain(&answer.text).trim_end().replace('\n', "\n        ");
        return Err(CliError::new(exit, format!("the command is {}", outcome_word(answer.outcome))).why(text));
    }
    let mut text = format!("{}\n", plain(answer.text.trim_end()));
    for stage in stages {
        let version = stage.version.as_deref().unwrap_or("-");
        let short = stage.short.as_deref().unwrap_or("-");
        text.extend([format!("  {}: {version} ({short}) {}\n", stage.name, status::state(paint, stage))]);
        text.extend(stage.pull_request.iter().map(|found| format!("    {} {}\n", found.title, found.url)));
    }
    pins::print(&text)?;
    Ok(exit)
}

pub(super) fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Done => Exit::Ok,
        Outcome::Refused => Exit::Refused,
        Outcome::Denied => Exit::Permission,
        Outcome::Unknown => Exit::Usage,
    }
}
