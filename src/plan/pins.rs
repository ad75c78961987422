//! What a stage pins, read from the files at the tip of the base.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::{Digest, Pinned, Release, Repository, Tag};
use crate::manifest::{self, Pin};
use crate::pipeline::{ImageRule, PinTarget, Pipeline, Stage};

/// What a stage pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pins {
    /// Every image of the pipeline, each to one digest.
    Release(Release),
    /// Some image has no digest yet; by repository, the tags found.
    Unpinned(Vec<(Repository, Option<Tag>)>),
    /// Pins of one image disagree.
    Mixed(String),
    /// A file or an image is missing, or a file cannot be read.
    Unreadable(String),
}

/// Bytes of the files, as a snapshot has them.
pub type Files = BTreeMap<String, Result<Option<Vec<u8>>, String>>;

/// The new bytes of one file: path, before, after.
pub type FileEdit = (String, Vec<u8>, Vec<u8>);

/// Reads what `stage` pins.
#[must_use]
pub fn read_pins(pipeline: &Pipeline, stage: &Stage, files: &Files) -> Pins {
    let mut found = Vec::new();
    for target in &stage.pins {
        match pins_of_target(target, files) {
            Ok(pins) => found.extend(pins.into_iter().map(|pin| (target, pin))),
            Err(reason) => return Pins::Unreadable(reason),
        }
    }
    let mut release = Release::default();
    let mut unpinned = Vec::new();
    for rule in &pipeline.images {
        match pins_of_image(rule, stage, &found) {
            Ok(One::Pinned(pinned)) => release.insert(rule.repository.clone(), pinned),
            Ok(One::Tag(tag)) => unpinned.push((rule.repository.clone(), tag)),
            Err(pins) => return pins,
        }
    }
    if unpinned.is_empty() { Pins::Release(release) } else { Pins::Unpinned(unpinned) }
}

/// The new bytes of each file that changes when `stage` gets `release`: path, before, after.
///
/// # Errors
/// The file and the reason, as one line, where a pin cannot be changed exactly.
pub fn edits(stage: &Stage, release: &Release, files: &Files) -> Result<Vec<FileEdit>, String> {
    let mut edited: BTreeMap<&str, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for target in &stage.pins {
        let before = bytes_of(target, files)?;
        let (_, after) = edited.entry(&target.file).or_insert_with(|| (before.to_vec(), before.to_vec()));
        for (repository, pinned) in release.images() {
            if !has_pin(after, target, repository) {
                continue;
            }
            *after = manifest::repin(after, repository, pinned, target.path.as_deref())
                .map_err(|refusal| format!("{} {refusal}", target.file))?;
        }
    }
    let changed = edited.into_iter().filter(|(_, (before, after))| before != after);
    Ok(changed.map(|(path, (before, after))| (path.to_owned(), before, after)).collect())
}

/// The places in which a stage has references to the pipeline's images: file, document, path.
///
/// Where they differ between the base of a pull request and the tip, a clean merge could still miss a pin.
#[must_use]
pub(super) fn places(pipeline: &Pipeline, stage: &Stage, files: &Files) -> BTreeSet<(String, usize, String)> {
    let mut found = BTreeSet::new();
    for target in &stage.pins {
        for pin in pins_of_target(target, files).unwrap_or_default() {
            if pipeline.images.iter().any(|rule| pin.repository.is_same(&rule.repository)) {
                found.insert((target.file.clone(), pin.document, pin.path));
            }
        }
    }
    found
}

/// One image of a stage: pinned, or by tag alone.
enum One {
    Pinned(Pinned),
    Tag(Option<Tag>),
}

fn bytes_of<'a>(target: &PinTarget, files: &'a Files) -> Result<&'a [u8], String> {
    match files.get(&target.file) {
        Some(Ok(Some(bytes))) => Ok(bytes),
        Some(Err(reason)) => Err(format!("{}: {reason}", target.file)),
        Some(Ok(None)) | None => Err(format!("{} is not in the repository", target.file)),
    }
}

fn pins_of_target(target: &PinTarget, files: &Files) -> Result<Vec<Pin>, String> {
    let bytes = bytes_of(target, files)?;
    let marked: Vec<&str> = target.path.as_deref().into_iter().collect();
    let found = manifest::find(bytes, &marked).map_err(|error| format!("{} {error}", target.file))?;
    let is_meant = |pin: &Pin| target.path.as_ref().is_none_or(|path| &pin.path == path);
    let pins: Vec<Pin> = found.pins.into_iter().filter(is_meant).collect();
    match (&target.path, pins.is_empty()) {
        (Some(path), true) => Err(format!("{} has no image reference at {path}", target.file)),
        _ => Ok(pins),
    }
}

fn has_pin(bytes: &[u8], target: &PinTarget, repository: &Repository) -> bool {
    let marked: Vec<&str> = target.path.as_deref().into_iter().collect();
    manifest::find(bytes, &marked).is_ok_and(|found| {
        let mut meant =
            found.pins.iter().filter(|pin| target.path.as_ref().is_none_or(|path| &pin.path == path));
        meant.any(|pin| pin.repository.is_same(repository))
    })
}

fn pins_of_image(rule: &ImageRule, stage: &Stage, found: &[(&PinTarget, Pin)]) -> Result<One, Pins> {
    let of_image: Vec<&(&PinTarget, Pin)> =
        found.iter().filter(|(_, pin)| pin.repository.is_same(&rule.repository)).collect();
    let Some((first_target, first)) = of_image.first() else {
        let files: Vec<&str> = stage.pins.iter().map(|target| target.file.as_str()).collect();
        return Err(Pins::Unreadable(format!("no reference to {} in {}", rule.repository, files.join(", "))));
    };
    let digest: Option<Digest> = first.digest;
    if let Some((target, pin)) = of_image.iter().find(|(_, pin)| pin.digest != digest) {
        return Err(Pins::Mixed(format!(
            "{} is {} at {}:{} and {} at {}:{}",
            rule.repository,
            named(first),
            first_target.file,
            first.line,
            named(pin),
            target.file,
            pin.line
        )));
    }
    Ok(match digest {
        Some(digest) => One::Pinned(Pinned { tag: first.tag.clone(), digest }),
        None => One::Tag(first.tag.clone()),
    })
}

fn named(pin: &Pin) -> String {
    let tag = pin.tag.as_ref().map_or_else(String::new, ToString::to_string);
    match pin.digest {
        Some(digest) => format!("{tag}@{}", digest.short()),
        None => format!("{tag} without a digest"),
    }
}
