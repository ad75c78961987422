//! A command as the line that a comment would hold, checked to mean what was asked for.

use std::collections::BTreeSet;

use super::{Lane, Order};
use crate::cli::context::of_store;
use crate::cli::show::plain;
use crate::cli::{CliError, Exit};
use crate::command::{self, ALL, AskedLane, Command};
use crate::plan::PipelineView;
use crate::reconcile::{World, declared};
use crate::store::Key;

/// Refuses a word that is no stage or group: in a comment it would be the beginning of the reason.
pub(super) async fn check_stage(world: &World, key: &Key, word: &str) -> Result<(), CliError> {
    // Only commands that may mean all take that word.
    if word == ALL {
        return Ok(());
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    let view = world.store.view(key).await.map_err(|error| of_store(&error))?;
    let view: Option<PipelineView> = view.and_then(|view| serde_json::from_value(view).ok());
    for stage in view.into_iter().flat_map(|view| view.stages) {
        known.extend([Some(stage.name), stage.group].into_iter().flatten());
    }
    // What was shown last is enough where the file cannot be read now.
    let declared = declared(world, &key.repository).await.ok().and_then(Result::ok);
    for pipeline in declared.unwrap_or_default() {
        if Some(&pipeline.name) == key.pipeline.as_ref() {
            let names = pipeline.stages.iter().flat_map(|stage| [Some(&stage.name), stage.group.as_ref()]);
            known.extend(names.flatten().map(ToString::to_string));
        }
    }
    if known.contains(&word.to_ascii_lowercase()) {
        return Ok(());
    }
    let names: Vec<String> = known.into_iter().collect();
    Err(CliError::new(Exit::NotFound, format!("{key} has no stage or group {word:?}"))
        .why(format!("there are {}", names.join(", "))))
}

/// The line that a comment would hold, checked to mean what was asked for.
pub(super) fn line(order: &Order, reason: Option<&str>) -> Result<String, CliError> {
    let mut words = vec![format!("/{}", order.verb)];
    words.extend(order.stage.clone());
    words.extend(order.middle.iter().flat_map(|(keyword, value)| [(*keyword).to_owned(), value.clone()]));
    if order.lane == Lane::Hotfix {
        words.push("lane=hotfix".to_owned());
    }
    words.extend(reason.map(str::to_owned));
    let line = words.join(" ");
    let usage =
        |why: String| CliError::new(Exit::Usage, format!("`{}` is no command", plain(&line))).why(why);
    if line.contains(['\n', '\r']) {
        return Err(usage("it has more than one line".to_owned()));
    }
    let known = order.stage.iter().map(|stage| stage.to_ascii_lowercase()).collect();
    let commands = command::parse(&line, "lockkeeper", &known).map_err(|error| usage(error.to_string()))?;
    let [found] = commands.as_slice() else {
        return Err(usage("it reads as no command".to_owned()));
    };
    let is_meant = found.verb().name() == order.verb
        && found.stage() == order.stage.as_ref().map(|stage| stage.to_ascii_lowercase()).as_deref()
        && found.reason() == reason.map(one_spaced).as_deref()
        && has_middle(found) == order.middle.is_some()
        && lane(found) == order.lane;
    if is_meant {
        return Ok(line);
    }
    Err(usage("the stage or the reason reads as something else; word it differently".to_owned()))
}

/// The lane that is named.
fn lane(command: &Command) -> Lane {
    if let Command::Promote { lane: AskedLane::Hotfix, .. } = command { Lane::Hotfix } else { Lane::Normal }
}

/// Words with one space between them, as commands are read.
fn one_spaced(text: &str) -> String {
    text.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a release or a time is named.
fn has_middle(command: &Command) -> bool {
    match command {
        Command::Promote { to, .. } | Command::Rollback { to, .. } => to.is_some(),
        Command::Hold { until, .. } | Command::Freeze { until, .. } => until.is_some(),
        Command::Veto { target, .. } | Command::Unveto { target, .. } => target.is_some(),
        Command::Resume { .. }
        | Command::Unfreeze { .. }
        | Command::Retry
        | Command::Status { .. }
        | Command::Explain { .. }
        | Command::History { .. }
        | Command::Help => false,
    }
}
