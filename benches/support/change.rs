//! Changes to make in a corpus, one reference in each file that has one, and what a tool made of each.

use lockkeeper::image::{Pinned, Repository};
use lockkeeper::manifest::{self, Pin};
use serde::Deserialize as _;
use serde_yaml::Value;

use super::corpus::File;

/// Another digest than any that stands in a file.
const DIGEST: &str = "sha256:facefacefacefacefacefacefacefacefacefacefacefacefacefacefaceface";

/// One reference of one file, to be given a new digest.
pub struct Change<'f> {
    pub file: &'f File,
    pub pin: Pin,
    pub to: Pinned,
    /// The reference as it is written, without quotes.
    pub old: String,
    /// What it becomes.
    pub new: String,
    /// Where it stands, for readers of YAML: keys and indices.
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// What a tool made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Only bytes of the reference differ, and the file reads as meant.
    Exact,
    /// It reads as meant, and other bytes differ in quotes alone.
    Quotes,
    /// It reads as meant, and the form of other lines changed.
    Damaged,
    /// It reads as something else, or not at all.
    Wrong,
    /// The tool says that it does not change the file.
    Refused,
}

/// One change in every file that has a reference which stands in one string, as an independent reader finds it.
///
/// The reference is one of the file's, taken in turn, so that not all are the first of a file.
pub fn changes(files: &[File]) -> Vec<Change<'_>> {
    let mut changes = Vec::new();
    for file in files {
        let Ok(found) = manifest::find(&file.bytes, &[]) else { continue };
        // An image at the same path of several documents is changed in all of them.
        let is_alone = |pin: &Pin| {
            let same = |other: &&Pin| other.path == pin.path && other.repository == pin.repository;
            found.pins.iter().filter(same).count() == 1
        };
        let alone = found.pins.iter().filter(|pin| is_alone(pin));
        let whole: Vec<Change<'_>> = alone.filter_map(|pin| change(file, pin.clone())).collect();
        let count = whole.len();
        if count > 0 {
            changes.extend(whole.into_iter().nth(changes.len() % count));
        }
    }
    changes
}

fn change(file: &File, pin: Pin) -> Option<Change<'_>> {
    let steps = steps(&pin.path)?;
    let text = std::str::from_utf8(&file.bytes).ok()?;
    let values = read(text)?;
    let old = at(values.get(pin.document)?, &steps)?.as_str()?.to_owned();
    let repository: Repository = pin.repository.clone();
    let tag = pin.tag.clone().unwrap_or_else(|| "9.9.9".parse().unwrap());
    let is_whole = old.starts_with(&repository.to_string()) && text.get(pin.span.clone())?.contains(&old);
    let to = Pinned { tag: Some(tag), digest: DIGEST.parse().unwrap() };
    let new = format!("{repository}:{to}");
    is_whole.then_some(Change { file, pin, to, old, new, steps })
}

/// All documents of a file; none where the reader does not read it.
pub fn read(text: &str) -> Option<Vec<Value>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).ok()).collect()
}

fn at<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key.as_str()),
        Step::Index(index) => value.get(index),
    })
}

pub fn at_mut<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_str()),
        Step::Index(index) => value.get_mut(index),
    })
}

/// Reads a path as `lockkeeper pins` prints it.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (key, after) = quoted.split_once('"').filter(|(key, _)| !key.contains('\\'))?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else {
            let (key, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}

impl Change<'_> {
    /// Judges what a tool left: by another reader, and byte by byte.
    pub fn judge(&self, after: &[u8]) -> Verdict {
        let before = self.file.bytes.as_slice();
        let is_meant = || {
            let mut values = read(std::str::from_utf8(before).ok()?)?;
            *at_mut(values.get_mut(self.pin.document)?, &self.steps)? = Value::String(self.new.clone());
            Some(values == read(std::str::from_utf8(after).ok()?)?)
        };
        if is_meant() != Some(true) {
            return Verdict::Wrong;
        }
        let (gone, come) = differing(before, after);
        let is_within = |part: &[u8], whole: &str| memchr::memmem::find(whole.as_bytes(), part).is_some();
        if is_within(gone, &self.old) && is_within(come, &self.new) {
            return Verdict::Exact;
        }
        let bare = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|byte| !b"'\"".contains(byte)).collect()
        };
        let (gone, come) = (bare(before), bare(after));
        let (gone, come) = differing(&gone, &come);
        if is_within(gone, &self.old) && is_within(come, &self.new) {
            Verdict::Quotes
        } else {
            Verdict::Damaged
        }
    }
}

/// What is between the bytes that both begin and end with.
fn differing<'b>(before: &'b [u8], after: &'b [u8]) -> (&'b [u8], &'b [u8]) {
    let start = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    (&before[..before.len() - end], &after[..after.len() - end])
}
