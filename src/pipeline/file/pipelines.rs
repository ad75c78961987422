//! The file as a whole, and each pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Keys;
use super::node::{Names, Node, Report};
use super::{channels, freezes, images, keys, order, owners, stages};
use crate::pipeline::{Calendar, ImageRule, Pipeline, Principal, Together, parse_duration};

/// The version of the file's format that this program reads.
const FORMAT_VERSION: u64 = 1;
/// Most pipelines: what one replica must hold (design page, section 9).
const PIPELINES_MAX: usize = 1_000;

const FILE_NAMES: Names =
    Names { known: &["version", "keys", "freezes", "pipelines", "lint"], later: &["defaults"] };
const PIPELINE_NAMES: Names = Names {
    known: &["name", "owner", "images", "stages", "together", "settle", "start"],
    later: &["notify", "signed_by"],
};
const TOGETHER: [(&str, Together); 2] = [("any", Together::Any), ("same_tag", Together::SameTag)];
/// What a duration looks like, for errors.
pub(super) const DURATION_WANTED: &str = "a duration such as `30m` or `1h30m`";

pub(super) fn pipelines(root: &Node<'_>, report: &mut Report) -> Vec<Pipeline> {
    if !root.is_map_of(&FILE_NAMES, report) {
        return Vec::new();
    }
    version(root, report);
    let keys = keys::keys(root, report);
    let calendar = freezes::calendar(root, report);
    let Some(list) = root.required("pipelines", report) else { return Vec::new() };
    let nodes = list.items(PIPELINES_MAX, report).unwrap_or_default();
    let mut found = Vec::new();
    let mut lines = BTreeMap::new();
    let mut claims = owners::Claims::default();
    let mut channels = channels::Channels::default();
    for node in nodes {
        if report.is_full() {
            break;
        }
        let Some((mut pipeline, written)) = pipeline(&node, &keys, report) else { continue };
        pipeline.freezes = calendar.of(&pipeline.name);
        if let Some(line) = lines.insert(pipeline.name.clone(), node.line) {
            report.add(&node, format!("name `{}` is taken by the pipeline in line {line}", pipeline.name));
        }
        claims.add(&pipeline, &written, report);
        channels.add(&pipeline, &written, report);
        found.push(pipeline);
    }
    freezes::check_names(root, &calendar, &found, report);
    found
}

fn version(root: &Node<'_>, report: &mut Report) {
    let wanted = "the format version `1`";
    let Some(node) = root.required("version", report) else { return };
    if let Some(version) = node.number(wanted, report)
        && version != FORMAT_VERSION
    {
        report.add(&node, format!("wanted {wanted}, found `{version}`"));
    }
}

/// One pipeline with its stages in order, and the stages as written, for what is checked over all of them.
fn pipeline<'a>(
    node: &Node<'a>,
    keys: &Keys,
    report: &mut Report,
) -> Option<(Pipeline, Vec<stages::Written<'a>>)> {
    if !node.is_map_of(&PIPELINE_NAMES, report) {
        return None;
    }
    let name = node.required("name", report).and_then(|name| name.parsed("a name", str::parse, report));
    let owner =
        node.get("owner").and_then(|owner| owner.parsed("a team or user", str::parse::<Principal>, report));
    let images = images::images(node, keys, report);
    let written = stages::stages(node, report);
    let stages = order::in_order(&written, report);
    images::refuse_idle_sources(node, &stages, report);
    let together = node.get("together").map(|together| (together.one_of(&TOGETHER, &[], report), together));
    if let Some((Some(Together::SameTag), together)) = &together {
        refuse_tags_that_never_agree(together, &images, report);
    }
    let settle = node.get("settle").and_then(|settle| settle.parsed(DURATION_WANTED, parse_duration, report));
    let start = node.get("start").and_then(|start| start.one_of(&[("now", ())], &[], report));
    let pipeline = Pipeline {
        name: name?,
        owner,
        images,
        stages,
        together: together.and_then(|(together, _)| together).unwrap_or(Together::Any),
        settle: settle.unwrap_or(Duration::ZERO),
        start_now: start.is_some(),
        freezes: Calendar::Known(Vec::new()),
        lint: Arc::default(),
    };
    Some((pipeline, written))
}

/// Images that follow one tag each, and not the same one, never have the same tag, so no release would ever be complete.
fn refuse_tags_that_never_agree(together: &Node<'_>, images: &[ImageRule], report: &mut Report) {
    let mut tags = images.iter().filter_map(|image| image.follow.named());
    if let Some(first) = tags.next()
        && let Some(other) = tags.find(|tag| *tag != first)
    {
        report.add(
            together,
            format!("wanted images that can have the same tag, found `{first}` and `{other}` followed"),
        );
    }
}
