//! `/freeze` and `/unfreeze`: merging stops, opening goes on.

use super::Refusal;
use super::authorise::authorise;
use super::execute::{Done, addressed, is_later, said_before, until_time};
use crate::command::{ALL, Until, Verb};
use crate::pipeline::Stage;
use crate::plan::candidate::minute;
use crate::plan::freeze;
use crate::plan::messages::{code, prose};
use crate::plan::snapshot::{Asked, Snapshot};
use crate::promotion::Event;

/// Freezes each stage addressed, until a time or until it is lifted. The last word counts.
pub(super) fn freeze(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    until: Option<&Until>,
    reason: Option<&String>,
) -> Done {
    let until = until.map(|until| until_time(asked, until)).transpose()?;
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    for stage in stages(snapshot, asked, word)? {
        authorise(snapshot, asked, Verb::Freeze, stage)?;
        let name = stage.name.clone();
        let found = snapshot.state.frozen(&name, snapshot.now);
        // What is heard late must not end or shorten what was said after it.
        if let Some(newer) = found.filter(|found| is_later(snapshot, asked, &found.by, found.at)) {
            let end = newer.until.map_or_else(|| format!("`/unfreeze {name}`"), minute);
            lines.push(format!("`{name}` is frozen already, by {}, until {end}.", code(&newer.by.name)));
            continue;
        }
        let before = found.map_or_else(String::new, |frozen| {
            format!(" It was frozen by {} before; this takes its place.", code(&frozen.by.name))
        });
        let end = until.map_or_else(|| format!("`/unfreeze {name}`"), minute);
        lines.push(format!(
            "`{name}` is frozen until {end}: nothing is merged there but a rollback; promotions are still opened.{before}"
        ));
        events.push(Event::Frozen { stage: name, by: asked.actor(), reason: reason.cloned(), until });
    }
    Ok((events, lines.join("\n")))
}

/// Lifts the freezes by command of the stages addressed; those of the calendar are lifted there.
pub(super) fn unfreeze(
    snapshot: &Snapshot,
    asked: &Asked,
    word: Option<&str>,
    reason: Option<&String>,
) -> Done {
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    let stages = stages(snapshot, asked, word)?;
    for stage in &stages {
        authorise(snapshot, asked, Verb::Unfreeze, stage)?;
        let Some(found) = snapshot.state.frozen(&stage.name, snapshot.now) else { continue };
        if is_later(snapshot, asked, &found.by, found.at) {
            let what = format!("`{}` was frozen by {}", stage.name, code(&found.by.name));
            return Err(said_before(&what, found.at));
        }
        let stays = freeze::by_calendar(snapshot, stage);
        let stays: Vec<String> =
            stays.iter().map(|hold| format!(" Still shut: {}.", prose(&hold.text))).collect();
        lines.push(format!("`{}` is no longer frozen by command.{}", stage.name, stays.concat()));
        let (stage, by) = (stage.name.clone(), asked.actor());
        events.push(Event::Unfrozen { stage, by, reason: reason.cloned() });
    }
    if !events.is_empty() {
        return Ok((events, lines.join("\n")));
    }
    let names: Vec<String> = stages.iter().map(|stage| format!("`{}`", stage.name)).collect();
    let by_calendar = stages.iter().flat_map(|stage| freeze::by_calendar(snapshot, stage));
    let by_calendar: Vec<String> = by_calendar
        .map(|hold| format!(" `{}`: {}; that is lifted in the calendar.", hold.stage, prose(&hold.text)))
        .collect();
    Err(Refusal::refused(format!("not frozen by command: {}.{}", names.join(", "), by_calendar.concat())))
}

/// The stages addressed; all where none is named, for there is no stage that an operations issue belongs to.
fn stages<'a>(snapshot: &'a Snapshot, asked: &Asked, word: Option<&str>) -> Result<Vec<&'a Stage>, Refusal> {
    match word.filter(|word| *word != ALL) {
        Some(word) => addressed(snapshot, asked, Some(word)),
        None => Ok(snapshot.pipeline.stages.iter().collect()),
    }
}
