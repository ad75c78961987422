//! The images of a pipeline.

use super::follow::follow;
use super::keys::{Keys, signed_by};
use super::node::{Names, Node, Report};
use super::pipelines::DURATION_WANTED;
use super::stages::file_path;
use crate::image::Platform;
use crate::pipeline::{BuildLabels, ImageRule, Stage, parse_duration};

/// Most images of one pipeline: a pull request lists each, and 64 lines can still be read.
const IMAGES_MAX: usize = 64;
/// Most platforms of one image.
const PLATFORMS_MAX: usize = 32;

/// Most paths of one image: each costs a request for each rollback.
const ATTENTION_MAX: usize = 8;
/// Longest name of a label.
const LABEL_NAME_BYTES_MAX: usize = 128;

const LABELS_NAMES: Names = Names { known: &["build", "run"], later: &[] };
const IMAGE_NAMES: Names = Names {
    known: &[
        "repository",
        "follow",
        "platforms",
        "minimum_age",
        "signed_by",
        "labels",
        "source",
        "attention",
    ],
    later: &["sbom"],
};

pub(super) fn images(pipeline: &Node<'_>, keys: &Keys, report: &mut Report) -> Vec<ImageRule> {
    let Some(list) = pipeline.required("images", report) else { return Vec::new() };
    let Some(nodes) = list.items(IMAGES_MAX, report) else { return Vec::new() };
    if nodes.is_empty() {
        report.add(&list, "wanted at least one image, found an empty list");
    }
    let mut images: Vec<ImageRule> = Vec::new();
    for node in nodes {
        let Some(image) = image(&node, keys, report) else { continue };
        if images.iter().any(|known| known.repository.is_same(&image.repository)) {
            report.add(&node, format!("repository `{}` is listed twice in this pipeline", image.repository));
            continue;
        }
        images.push(image);
    }
    images
}

fn image(node: &Node<'_>, keys: &Keys, report: &mut Report) -> Option<ImageRule> {
    if !node.is_map_of(&IMAGE_NAMES, report) {
        return None;
    }
    let repository = node.required("repository", report);
    let repository = repository.and_then(|node| node.parsed("a repository", str::parse, report));
    let follow = node.required("follow", report).and_then(|node| follow(&node, report));
    let platforms = node.get("platforms").map(|list| platforms(&list, report)).unwrap_or_default();
    let age = node.get("minimum_age");
    let age = age.and_then(|age| age.parsed(DURATION_WANTED, parse_duration, report)).unwrap_or_default();
    let signed_by = node.get("signed_by").map(|node| signed_by(&node, keys, report)).unwrap_or_default();
    let build_labels = node.get("labels").map(|node| build_labels(&node, report)).unwrap_or_default();
    Some(ImageRule {
        repository: repository?,
        follow: follow?,
        platforms,
        minimum_age: age,
        signed_by,
        build_labels,
        source: node.get("source").and_then(|source| source.parsed("an address", str::parse, report)),
        attention: node.get("attention").map(|list| attention(&list, report)).unwrap_or_default(),
    })
}

/// A source that no gate asks for would only look like one.
pub(super) fn refuse_idle_sources(pipeline: &Node<'_>, stages: &[Stage], report: &mut Report) {
    if stages.iter().any(|stage| stage.gates.provenance) {
        return;
    }
    let nodes = pipeline.get("images").and_then(|list| list.items(IMAGES_MAX, &mut Report::default()));
    for source in nodes.iter().flatten().filter_map(|image| image.get("source")) {
        report.add(&source, "says nothing where no stage has `gates: { provenance: true }`");
    }
}

fn attention(list: &Node<'_>, report: &mut Report) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for node in list.items_or_one(ATTENTION_MAX, report).unwrap_or_default() {
        let folder = |text: &str| file_path(text.strip_suffix('/').unwrap_or(text)).map(|_| text.to_owned());
        let Some(path) = node.parsed("a path of the source repository", folder, report) else { continue };
        if paths.contains(&path) {
            report.add(&node, format!("path `{path}` is listed twice"));
        }
        paths.push(path);
    }
    paths
}

fn build_labels(node: &Node<'_>, report: &mut Report) -> BuildLabels {
    if !node.is_map_of(&LABELS_NAMES, report) {
        return BuildLabels::default();
    }
    let mut name = |key: &str| node.get(key).and_then(|label| label_name(&label, report));
    BuildLabels { build: name("build"), run: name("run") }
}

fn label_name(node: &Node<'_>, report: &mut Report) -> Option<String> {
    let text = node.text("the name of a label", report)?;
    if text.is_empty()
        || text.len() > LABEL_NAME_BYTES_MAX
        || !text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        let wanted =
            format!("wanted the name of a label, 1 to {LABEL_NAME_BYTES_MAX} visible ASCII characters");
        report.add(node, wanted);
        return None;
    }
    Some(text.to_owned())
}

fn platforms(list: &Node<'_>, report: &mut Report) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for node in list.items(PLATFORMS_MAX, report).unwrap_or_default() {
        let Some(platform) = node.parsed("a platform", str::parse, report) else { continue };
        if platforms.contains(&platform) {
            report.add(&node, format!("platform `{platform}` is listed twice"));
        }
        platforms.push(platform);
    }
    platforms
}
