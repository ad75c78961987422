//! The stages of a pipeline, each by itself.

use std::collections::BTreeMap;

use super::node::{Names, Node, Report, shown};
use super::{channels, gates, live, watch};
use crate::pipeline::{
    Approvals, FILE_NAME, Join, MergePolicy, OutOfBand, PinTarget, Principal, Stage, StageName, is_hidden,
};

/// Most stages of one pipeline: eight environments in eight regions.
const STAGES_MAX: usize = 64;
/// Most files of one stage; a promotion reads each of them.
const PINS_MAX: usize = 64;
/// Longest path of a file, and of a place in it.
const PATH_BYTES_MAX: usize = 512;
/// Most people and teams in one list.
pub(super) const PRINCIPALS_MAX: usize = 64;

const STAGE_NAMES: Names = Names {
    known: &[
        "name",
        "group",
        "after",
        "pins",
        "gates",
        "merge",
        "supersede",
        "rollback",
        "hotfix",
        "out_of_band",
        "live",
        "counts_for",
        "watch",
        "channel",
        "rollback_channel",
    ],
    later: &[],
};
const PIN_NAMES: Names = Names { known: &["file", "path"], later: &[] };
const AFTER_NAMES: Names = Names { known: &["any"], later: &[] };
const ROLLBACK_NAMES: Names = Names { known: &["by", "approvals"], later: &["force", "to"] };
const HOTFIX_NAMES: Names = Names { known: &["by"], later: &[] };
/// Words that commands use in the place where a stage's name may stand.
const COMMAND_WORDS: [&str; 3] = ["to", "until", "all"];

/// A stage as it is written, before the stages are put in order.
pub(super) struct Written<'a> {
    pub(super) stage: Stage,
    pub(super) node: Node<'a>,
    /// The value of `after`, where it is written.
    pub(super) after: Option<Node<'a>>,
    /// The value of each pin, in the order of `stage.pins`.
    pub(super) pins: Vec<Node<'a>>,
}

pub(super) fn stages<'a>(pipeline: &Node<'a>, report: &mut Report) -> Vec<Written<'a>> {
    let Some(list) = pipeline.required("stages", report) else { return Vec::new() };
    let Some(nodes) = list.items(STAGES_MAX, report) else { return Vec::new() };
    if nodes.is_empty() {
        report.add(&list, "wanted at least one stage, found an empty list");
    }
    let mut written: Vec<Written<'a>> = Vec::new();
    for node in nodes {
        let before = written.last().map(|before| before.stage.name.clone());
        written.extend(stage(&node, before, report));
    }
    written
}

fn stage<'a>(node: &Node<'a>, before: Option<StageName>, report: &mut Report) -> Option<Written<'a>> {
    if !node.is_map_of(&STAGE_NAMES, report) {
        return None;
    }
    let name = node.required("name", report).and_then(|name| stage_name(&name, report));
    let group = node.get("group").and_then(|group| stage_name(&group, report));
    let after = node.get("after");
    let (join, upstream) = match &after {
        Some(after) => names_after(after, report),
        None => (Join::All, before.into_iter().collect()),
    };
    let (pins, pin_nodes) = pins(node, report).into_iter().unzip();
    let words = [("approved", MergePolicy::Approved), ("automatic", MergePolicy::Automatic)];
    let merge = node.get("merge").and_then(|merge| merge.one_of(&words, &[], report));
    let merge = merge.unwrap_or(MergePolicy::Approved);
    let supersede = node.get("supersede");
    let supersede = supersede.and_then(|node| node.one_of(&[("newer", true), ("never", false)], &[], report));
    let words = [("refused", OutOfBand::Refused), ("allowed", OutOfBand::Allowed)];
    let out_of_band = node.get("out_of_band").and_then(|node| node.one_of(&words, &[], report));
    let rollback_by = by(node, "rollback", &ROLLBACK_NAMES, report);
    let live = live::live(node, report);
    let stage = Stage {
        watch: watch::watch(node, &live, report),
        channel: channels::channel(node, "channel", report),
        rollback_channel: channels::channel(node, "rollback_channel", report),
        gates: gates::gates(node, merge, upstream.is_empty(), report),
        rollback_approvals: rollback_approvals(node, &rollback_by, report),
        rollback_by,
        hotfix_by: by(node, "hotfix", &HOTFIX_NAMES, report),
        name: name?,
        group,
        after: upstream,
        join,
        live,
        pins,
        merge,
        supersede: supersede.unwrap_or(true),
        out_of_band: out_of_band.unwrap_or(OutOfBand::Refused),
    };
    Some(Written { stage, node: node.clone(), after, pins: pin_nodes })
}

fn stage_name(node: &Node<'_>, report: &mut Report) -> Option<StageName> {
    let name: StageName = node.parsed("a name", str::parse, report)?;
    if COMMAND_WORDS.contains(&name.as_str()) {
        report.add(node, format!("wanted a name that no command uses as a word, found `{name}`"));
    }
    Some(name)
}

fn names_after(after: &Node<'_>, report: &mut Report) -> (Join, Vec<StageName>) {
    if !after.is_map() {
        return (Join::All, upstream_names(after, report));
    }
    let any = after.is_map_of(&AFTER_NAMES, report).then(|| after.required("any", report)).flatten();
    let names = any.as_ref().map(|any| upstream_names(any, report)).unwrap_or_default();
    if let Some(any) = any.filter(|_| names.len() < 2) {
        report.add(&any, "wanted at least two stages to choose from; one alone is `after: [<stage>]`");
    }
    (Join::Any, names)
}

fn upstream_names(after: &Node<'_>, report: &mut Report) -> Vec<StageName> {
    let mut names = Vec::new();
    for node in after.items_or_one(STAGES_MAX, report).unwrap_or_default() {
        let Some(name) = node.parsed("the name of a stage", str::parse, report) else { continue };
        if names.contains(&name) {
            report.add(&node, format!("stage `{name}` is listed twice"));
        }
        names.push(name);
    }
    names
}

fn pins<'a>(stage: &Node<'a>, report: &mut Report) -> Vec<(PinTarget, Node<'a>)> {
    let Some(list) = stage.required("pins", report) else { return Vec::new() };
    let Some(nodes) = list.items(PINS_MAX, report) else { return Vec::new() };
    if nodes.is_empty() {
        report.add(&list, "wanted at least one file, found an empty list");
    }
    nodes.into_iter().filter_map(|node| Some((pin(&node, report)?, node))).collect()
}

fn pin(node: &Node<'_>, report: &mut Report) -> Option<PinTarget> {
    let wanted = "the path of a file in this repository";
    if node.is_text() {
        return Some(PinTarget { file: node.parsed(wanted, file_path, report)?, path: None });
    }
    if !node.is_map_of(&PIN_NAMES, report) {
        return None;
    }
    let file = node.required("file", report).and_then(|file| file.parsed(wanted, file_path, report));
    let path = match node.get("path") {
        Some(path) => Some(path.parsed("a place in the file", place_in_file, report)?),
        None => None,
    };
    Some(PinTarget { file: file?, path })
}

/// A path that cannot leave the repository, in one spelling only, so that equal files have equal paths.
pub(super) fn file_path(text: &str) -> Result<String, String> {
    let found = shown(text);
    let has_part = |unwanted: &[&str]| text.split('/').any(|part| unwanted.contains(&part));
    if text.is_empty() || text.len() > PATH_BYTES_MAX {
        return Err(format!("wanted a path of 1 to {PATH_BYTES_MAX} bytes, found {}", text.len()));
    }
    if text.starts_with('/') || text.contains('\\') || has_part(&["", ".", ".."]) {
        let wanted =
            "wanted a path from the root of the repository, without `\\`, `.`, `..` or an empty part";
        return Err(format!("{wanted}, found `{found}`"));
    }
    if text.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
        return Err(format!("wanted a path outside of `.git`, found `{found}`"));
    }
    if text.chars().any(is_hidden) {
        return Err(format!("wanted a path of visible characters, found `{found}`"));
    }
    if text == FILE_NAME {
        return Err(format!("wanted a manifest, found `{found}`, the file of the rules"));
    }
    Ok(text.to_owned())
}

fn place_in_file(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > PATH_BYTES_MAX || text.chars().any(is_hidden) {
        let wanted = "a place as `lockkeeper pins` prints it";
        return Err(format!("wanted {wanted}, 1 to {PATH_BYTES_MAX} bytes, found `{}`", shown(text)));
    }
    Ok(text.to_owned())
}

/// Who may use a lane of this stage.
fn by(stage: &Node<'_>, lane: &str, names: &Names, report: &mut Report) -> Vec<Principal> {
    let Some(lane) = stage.get(lane) else { return Vec::new() };
    if !lane.is_map_of(names, report) {
        return Vec::new();
    }
    let Some(by) = lane.required("by", report) else { return Vec::new() };
    principals(&by, report)
}

/// Another of those who may roll back has to agree, where the file says so; who wrote the code may.
fn rollback_approvals(stage: &Node<'_>, by: &[Principal], report: &mut Report) -> Option<Approvals> {
    let min = gates::count_or_none(&stage.get("rollback")?.get("approvals")?, report)?;
    Some(Approvals {
        min,
        by_class: BTreeMap::new(),
        from: by.to_vec(),
        independent: false,
        unknown_authors_allowed: false,
    })
}

/// A list of people and teams that is not empty: left out, it has a default; written, it names somebody.
pub(super) fn principals(list: &Node<'_>, report: &mut Report) -> Vec<Principal> {
    let Some(nodes) = list.items(PRINCIPALS_MAX, report) else { return Vec::new() };
    if nodes.is_empty() {
        report.add(list, "wanted at least one team, user or role, found an empty list");
    }
    let mut principals = Vec::new();
    for node in nodes {
        let Some(principal) = node.parsed("a team, user or role", str::parse, report) else { continue };
        if principals.contains(&principal) {
            report.add(&node, format!("`{principal}` is listed twice"));
        }
        principals.push(principal);
    }
    principals
}
