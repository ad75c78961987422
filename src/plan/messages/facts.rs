//! What is known of the images that go in: the lines that people decide by, and the details below them.

use std::cmp::Reverse;

use super::super::snapshot::Snapshot;
use super::source::{commits, link};
use super::{code, escape};
use crate::image::{Growth, Image, Part, Platform, Repository, Tag};
use crate::pipeline::{ImageRule, StageName};
use crate::promotion::{Proposal, Stint};

/// The labels that are shown: a line each, of at most 400 characters.
const LABELS_SHOWN: [&str; 6] = ["version", "revision", "source", "created", "base.name", "base.digest"];
/// Images of which more is told than the pin: with all of their lines a body stays below 40 kB.
const IMAGES_TOLD_MAX: usize = 16;
/// Images of which is told on the first screen what changes.
const IMAGES_SUMMED_UP_MAX: usize = 4;
/// Platforms of an image that have a line of their own.
const PLATFORMS_TOLD_MAX: usize = 8;

/// What changes, in one line.
pub(super) fn what_changes(snapshot: &Snapshot, proposal: &Proposal) -> String {
    let mut parts = Vec::new();
    for (repository, image) in snapshot.facts(&proposal.release).take(IMAGES_SUMMED_UP_MAX) {
        let name = code(repository.short_name());
        let old = before(snapshot, proposal, repository);
        let told = image.and_then(|image| commits(&snapshot.settings.source_links, old, image));
        parts.push(match told {
            Some(told) => format!("{name} {told}"),
            None => format!("{name} (its image names no source commit)"),
        });
        let (Some(old), Some(new)) =
            (old.filter(|old| Some(old.digest) != image.map(|new| new.digest)), image)
        else {
            continue;
        };
        parts.extend(size(old, new));
        parts.extend(base(old, new));
    }
    let more = proposal.release.len().saturating_sub(IMAGES_SUMMED_UP_MAX);
    if more > 0 {
        parts.push(format!("and {more} more images"));
    }
    parts.join(" · ")
}

/// What the stage has of this image.
fn before<'a>(snapshot: &'a Snapshot, proposal: &Proposal, repository: &Repository) -> Option<&'a Image> {
    let pinned = proposal.was.as_ref()?.get(repository)?;
    snapshot.images.get(&pinned.digest)?.as_ref().ok()
}

/// `image +1.8 MB (linux/amd64)`: the platform that grows or shrinks most.
fn size(old: &Image, new: &Image) -> Option<String> {
    let by_change = |(platform, growth): &(&Platform, Growth)| {
        (growth.after.abs_diff(growth.before), Reverse((*platform).clone()))
    };
    let (platform, growth) = new.growth(old).max_by_key(by_change)?;
    let of = if new.platforms.len() > 1 { format!(" ({platform})") } else { String::new() };
    Some(format!("image {}{of}", difference(growth)))
}

/// Whether the base image is another one, where both say.
fn base(old: &Image, new: &Image) -> Option<String> {
    let (old_name, new_name) = (old.label("base.name"), new.label("base.name"));
    let digests = old.label("base.digest").zip(new.label("base.digest"));
    let is_same = match digests {
        Some((old, new)) => old == new,
        None => old_name? == new_name?,
    };
    Some(match (old_name, new_name) {
        _ if is_same && digests.is_some() => "no base-image change".to_owned(),
        _ if is_same => "base image of the same name".to_owned(),
        (Some(old), Some(new)) if old != new => format!("base image {} → {}", code(old), code(new)),
        (_, Some(new)) => format!("**base image changed** ({})", code(new)),
        (_, None) => "**base image changed**".to_owned(),
    })
}

/// `+1.8 MB`, `−300 kB`, `of the same size`.
fn difference(growth: Growth) -> String {
    let bytes = growth.after.abs_diff(growth.before);
    match growth.after.cmp(&growth.before) {
        std::cmp::Ordering::Greater => format!("+{}", amount(bytes)),
        std::cmp::Ordering::Less => format!("−{}", amount(bytes)),
        std::cmp::Ordering::Equal => "of the same size".to_owned(),
    }
}

/// Bytes in decimal units, as registries count: `999 B`, `1.0 kB`, `1.8 MB`, `2.1 GB`.
#[must_use]
pub fn amount(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// Everything that is known of the images, below the first screen.
pub(super) fn details_image(snapshot: &Snapshot, proposal: &Proposal) -> String {
    let mut lines = vec!["<details><summary>Image and build</summary>".to_owned(), String::new()];
    for reference in proposal.release.references() {
        lines.push(format!("- pin after merge: `{reference}`"));
    }
    for (repository, image) in snapshot.facts(&proposal.release).take(IMAGES_TOLD_MAX) {
        match image {
            Some(image) => lines.extend(told(snapshot, proposal, repository, image)),
            None => lines.push(format!("- {}: nothing more is known", code(repository.as_str()))),
        }
    }
    lines.extend([String::new(), "</details>".to_owned()]);
    lines.join("\n")
}

fn told(snapshot: &Snapshot, proposal: &Proposal, repository: &Repository, image: &Image) -> Vec<String> {
    let mut lines = Vec::new();
    let platforms: Vec<String> = image.platforms.iter().map(|platform| format!("`{platform}`")).collect();
    lines.push(format!("- platforms: {}", platforms.join(", ")));
    let old = before(snapshot, proposal, repository);
    lines.extend(image.parts.iter().take(PLATFORMS_TOLD_MAX).filter_map(|part| part_line(part, image, old)));
    let tag = proposal.release.get(repository).and_then(|pinned| pinned.tag.as_ref());
    let found = snapshot.tags.get(&image.digest).map(Vec::as_slice).unwrap_or_default();
    let tags: Vec<String> = tag.into_iter().chain(found).map(|tag| code(tag.as_str())).collect();
    if !found.is_empty() {
        lines.push(format!("- tags found on it: {}", tags.join(" ")));
    }
    for name in LABELS_SHOWN {
        lines.extend(
            image.label(name).map(|value| format!("- {}: {}", code(name), label(snapshot, name, value))),
        );
    }
    if let Some(rule) = snapshot.pipeline.images.iter().find(|rule| rule.repository.is_same(repository)) {
        lines.extend(build_lines(snapshot, rule, tag, image));
    }
    lines
}

fn label(snapshot: &Snapshot, name: &str, value: &str) -> String {
    if name == "source" { link(&snapshot.settings.source_links, value) } else { code(value) }
}

/// `linux/amd64: 12.3 MB in 5 layers, +1.8 MB (3 as before, 2 new)`.
fn part_line(part: &Part, image: &Image, old: Option<&Image>) -> Option<String> {
    let content = part.content.as_ref()?;
    let grown = |platform: &Platform| image.growth(old?).find(|(found, _)| *found == platform);
    let change = grown(&part.platform).map_or_else(String::new, |(_, growth)| {
        format!(", {} ({} as before, {} new)", difference(growth), growth.shared, growth.new)
    });
    let (bytes, count) = (amount(content.bytes()), content.layers.len());
    Some(format!(
        "  - `{}` `sha256:{}`: {bytes} in {count} layer(s){change}",
        part.platform,
        part.manifest.short()
    ))
}

/// The build and the page of its run: from the labels that the file names, else from the tag.
fn build_lines(snapshot: &Snapshot, rule: &ImageRule, tag: Option<&Tag>, image: &Image) -> Vec<String> {
    let named = |label: &Option<String>| {
        let value = image.labels.get(label.as_ref()?)?;
        (!value.is_empty()).then_some(value.as_str())
    };
    let told = tag.map(|tag| rule.follow.told(tag)).unwrap_or_default();
    let build = named(&rule.build_labels.build).or(told.build);
    let sha = told.sha.filter(|_| image.commit().is_none());
    let run = named(&rule.build_labels.run);
    [
        build.map(|build| format!("- build: {}", code(build))),
        sha.map(|sha| format!("- commit, by its tag: {}", code(sha))),
        run.map(|run| format!("- run: {}", link(&snapshot.settings.source_links, run))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The version and how much changes: `1.4.2` in bold, `(patch)` after it.
pub(super) fn version_after(snapshot: &Snapshot, proposal: &Proposal) -> String {
    let class = super::super::change_class(snapshot, proposal.was.as_ref(), &proposal.release);
    format!("**{}** ({})", escape(&proposal.release.version()), class.word())
}

/// What says that a release is live where it was merged: what was seen last, or the merge itself.
pub(super) fn proof(snapshot: &Snapshot, stage: &StageName, stint: &Stint) -> String {
    let is_observed = snapshot.pipeline.stage(stage).is_some_and(|stage| stage.live.is_observed());
    match &stint.evidence {
        Some(evidence) => escape(&format!("{}, says {}", evidence.seen, evidence.seen.source)),
        None if is_observed => "not seen running yet".to_owned(),
        None => "merged counts as live".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_cut_to_one_decimal() {
        for (bytes, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (1_850_000, "1.8 MB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(amount(bytes), want);
        }
        let growth = |before, after| difference(Growth { before, after, shared: 0, new: 0 });
        assert_eq!(growth(1, 1_800_001), "+1.8 MB");
        assert_eq!(growth(300_000, 0), "−300.0 kB");
        assert_eq!(growth(5, 5), "of the same size");
    }
}
