//! The freezes: in the file itself, or in a calendar file of their own.

use std::collections::BTreeMap;

use super::node::{Names, Node, Report, shown};
use super::stages::file_path;
use super::windows::{Bound, time, zone};
use super::{FileError, read};
use crate::pipeline::{
    Calendar, Exception, ExceptionLane, Freeze, FreezeName, Pipeline, PipelineName, StageName, is_hidden,
    unknown_names,
};

/// Most freezes of one list: some years of them.
const FREEZES_MAX: usize = 200;
/// Most exceptions of one freeze.
const EXCEPTIONS_MAX: usize = 200;
/// Most stages or pipelines that are named.
const NAMED_MAX: usize = 200;
/// Longest reason.
const REASON_BYTES_MAX: usize = 400;

const FREEZE_NAMES: Names = Names {
    known: &["name", "from", "until", "zone", "stages", "pipelines", "reason", "owner", "exceptions"],
    later: &[],
};
const EXCEPTION_NAMES: Names =
    Names { known: &["pipeline", "stage", "lane", "owner", "reason", "until", "zone"], later: &[] };
const CALENDAR_NAMES: Names = Names { known: &["freezes"], later: &[] };

/// What stands under `freezes`: a list, or the path of a calendar file.
pub(super) fn calendar(root: &Node<'_>, report: &mut Report) -> Calendar {
    let Some(node) = root.get("freezes") else { return Calendar::Known(Vec::new()) };
    if node.is_text() {
        let path = node.parsed("the path of a calendar file in this repository", file_path, report);
        return path.map_or_else(|| Calendar::Known(Vec::new()), Calendar::File);
    }
    Calendar::Known(list(&node, report))
}

/// A name that nothing has would stop nothing, and nobody would notice. Of a calendar file this is not checked here: a stage
/// that goes must not shut all others. There it is said on the board, by `doctor` and on the pull request that does it.
pub(super) fn check_names(root: &Node<'_>, calendar: &Calendar, pipelines: &[Pipeline], report: &mut Report) {
    let (Calendar::Known(freezes), Some(node)) = (calendar, root.get("freezes")) else { return };
    for text in freezes.iter().flat_map(|freeze| unknown_names(freeze, pipelines)) {
        report.add(&node, text);
    }
}

/// Reads a calendar file: `freezes` with a list, as it may stand in `lockkeeper.yaml` itself.
///
/// # Errors
/// The list of what is wrong, never empty.
pub fn parse_calendar(bytes: &[u8]) -> Result<Vec<Freeze>, Vec<FileError>> {
    let mut report = Report::default();
    let mut freezes = Vec::new();
    match read(bytes, "wanted `freezes`, found an empty file") {
        Ok((place, value)) => {
            let root = Node::root(&value, &place);
            if root.is_map_of(&CALENDAR_NAMES, &mut report)
                && let Some(node) = root.required("freezes", &mut report)
            {
                freezes = list(&node, &mut report);
            }
        }
        Err(refused) => report.add_at("", refused.line, refused.reason),
    }
    match report.into_errors() {
        errors if errors.is_empty() => Ok(freezes),
        errors => Err(errors),
    }
}

fn list(node: &Node<'_>, report: &mut Report) -> Vec<Freeze> {
    let mut found = Vec::new();
    let mut lines: BTreeMap<FreezeName, usize> = BTreeMap::new();
    for node in node.items(FREEZES_MAX, report).unwrap_or_default() {
        let Some(freeze) = freeze(&node, report) else { continue };
        if let Some(line) = lines.insert(freeze.name.clone(), node.line) {
            report.add(&node, format!("name `{}` is taken by the freeze in line {line}", freeze.name));
        }
        found.push(freeze);
    }
    found
}

fn freeze(node: &Node<'_>, report: &mut Report) -> Option<Freeze> {
    if !node.is_map_of(&FREEZE_NAMES, report) {
        return None;
    }
    let name = node.required("name", report).and_then(|name| name.parsed("a name", str::parse, report));
    let zone = node.get("zone").and_then(|node| zone(&node, report));
    let from = node.required("from", report);
    let from = from.and_then(|from| time(&from, zone.as_ref(), Bound::From, report));
    let end = node.required("until", report);
    let until = end.as_ref().and_then(|until| time(until, zone.as_ref(), Bound::Until, report));
    if let (Some(from), Some(until), Some(end)) = (from, until, &end)
        && until <= from
    {
        report.add(end, format!("wanted a time after `from` ({from}), found {until}"));
    }
    let reason = node.required("reason", report).and_then(|node| reason(&node, report));
    let owner = node.required("owner", report);
    let owner = owner.and_then(|owner| owner.parsed("a team or user", str::parse, report));
    let stages = names::<StageName>(node, "stages", report);
    let pipelines = names::<PipelineName>(node, "pipelines", report);
    let exceptions = node.get("exceptions").and_then(|list| list.items(EXCEPTIONS_MAX, report));
    let exceptions =
        exceptions.unwrap_or_default().iter().filter_map(|node| exception(node, report)).collect();
    Some(Freeze {
        name: name?,
        from: from?,
        until: until?,
        stages,
        pipelines,
        reason: reason?,
        owner: owner?,
        exceptions,
    })
}

fn exception(node: &Node<'_>, report: &mut Report) -> Option<Exception> {
    if !node.is_map_of(&EXCEPTION_NAMES, report) {
        return None;
    }
    let zone = node.get("zone").and_then(|node| zone(&node, report));
    let pipeline = node.required("pipeline", report);
    let pipeline = pipeline.and_then(|node| node.parsed("the name of a pipeline", str::parse, report));
    let stage = match node.get("stage") {
        Some(stage) => Some(stage.parsed("the name of a stage or group", str::parse, report)?),
        None => None,
    };
    let words = [("hotfix", ExceptionLane::Hotfix), ("normal", ExceptionLane::Normal)];
    // The narrower where it is left out: a promotion that can wait has to be named.
    let lane = match node.get("lane") {
        Some(lane) => lane.one_of(&words, &[], report)?,
        None => ExceptionLane::Hotfix,
    };
    let owner = node.required("owner", report);
    let owner = owner.and_then(|owner| owner.parsed("a team or user", str::parse, report));
    let reason = node.required("reason", report).and_then(|node| reason(&node, report));
    let until = node.required("until", report);
    // It ends at the first of two times: what it lets through is to last shortest.
    let until = until.and_then(|until| time(&until, zone.as_ref(), Bound::From, report));
    Some(Exception { pipeline: pipeline?, stage, lane, owner: owner?, reason: reason?, until: until? })
}

/// A list of names that is not empty: left out, it means all; written, it names some.
fn names<T: std::str::FromStr<Err: std::fmt::Display> + PartialEq + std::fmt::Display>(
    node: &Node<'_>,
    key: &str,
    report: &mut Report,
) -> Vec<T> {
    let Some(list) = node.get(key) else { return Vec::new() };
    let nodes = list.items_or_one(NAMED_MAX, report);
    if nodes.as_ref().is_some_and(Vec::is_empty) {
        report.add(
            &list,
            format!("wanted at least one name, found an empty list: a freeze without `{key}` concerns all"),
        );
    }
    let mut found: Vec<T> = Vec::new();
    for node in nodes.unwrap_or_default() {
        let Some(name) = node.parsed("a name", str::parse::<T>, report) else { continue };
        if found.contains(&name) {
            report.add(&node, format!("`{name}` is listed twice"));
        }
        found.push(name);
    }
    found
}

fn reason(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let check = |text: &str| {
        let is_good =
            !text.trim().is_empty() && text.len() <= REASON_BYTES_MAX && !text.chars().any(is_hidden);
        let found = format!("wanted 1 to {REASON_BYTES_MAX} visible bytes, found `{}`", shown(text));
        if is_good { Ok(text.to_owned()) } else { Err(found) }
    };
    node.parsed("a reason", check, report)
}
