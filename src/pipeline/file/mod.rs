//! Reading `lockkeeper.yaml`.
//!
//! The bytes are checked for their form and for the lines of all values ([`places`]), read into plain values by
//! `serde_yaml`, and taken apart from the outside in ([`pipelines`], [`keys`], [`stages`], [`gates`], [`live`], [`watch`], [`windows`], [`freezes`], [`images`], [`follow`]); what concerns
//! several places at once comes last ([`order`], [`owners`], [`lint`]). Each step goes on after an error, so that one run names
//! all of them.

mod places;
mod node;
mod channels;
mod follow;
mod keys;
mod images;
mod gates;
mod live;
mod watch;
mod windows;
mod stages;
mod freezes;
mod order;
mod owners;
mod lint;
mod pipelines;

use std::sync::Arc;

use super::{LintRules, Pipeline, Policy};
pub use freezes::parse_calendar;
use node::{Node, Report};

/// The name of the file at the root of the environment repository.
pub const FILE_NAME: &str = "lockkeeper.yaml";
/// Largest file: 1,000 pipelines of 4 stages at 250 bytes a stage, which is a generous one.
const FILE_BYTES_MAX: usize = 1 << 20;

/// A valid file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pipelines {
    /// The pipelines, in the order of the file.
    pub pipelines: Vec<Pipeline>,
    /// How `lockkeeper lint` judges the files of the repository.
    pub lint: LintRules,
}

/// What is wrong in the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lockkeeper.yaml line {line}, {key}: {reason}")]
pub struct FileError {
    /// The line, from 1.
    pub line: usize,
    /// The key, as a path: `pipelines[0].stages[1].gates.soak`; `(file)` for what concerns all of it.
    pub key: String,
    /// What is wrong: wanted, found.
    pub reason: String,
}

/// Reads and validates the file; every error found is returned, at most 50, in the order of the file.
///
/// # Errors
/// The list of what is wrong, never empty.
pub fn parse(bytes: &[u8]) -> Result<Pipelines, Vec<FileError>> {
    let mut report = Report::default();
    let (pipelines, lint) = match read(bytes, "wanted `version: 1` and `pipelines`, found an empty file") {
        Ok((place, value)) => {
            let root = Node::root(&value, &place);
            let mut pipelines = pipelines::pipelines(&root, &mut report);
            let lint = lint::rules(&root, &pipelines, &mut report);
            let shared = Arc::new(lint.clone());
            let has_gate = |pipeline: &&mut Pipeline| {
                pipeline.stages.iter().any(|stage| stage.gates.policy == Some(Policy::Lint))
            };
            for pipeline in pipelines.iter_mut().filter(has_gate) {
                pipeline.lint = Arc::clone(&shared);
            }
            (pipelines, lint)
        }
        Err(refused) => {
            report.add_at("", refused.line, refused.reason);
            (Vec::new(), LintRules::default())
        }
    };
    match report.into_errors() {
        errors if errors.is_empty() => Ok(Pipelines { pipelines, lint }),
        errors => Err(errors),
    }
}

/// The values of the file and their places.
fn read(bytes: &[u8], of_nothing: &str) -> Result<(places::Place, serde_yaml::Value), places::Refused> {
    let refused = |line, reason: String| places::Refused { line, reason };
    if bytes.len() > FILE_BYTES_MAX {
        return Err(refused(1, format!("wanted at most {FILE_BYTES_MAX} bytes, found {}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        refused(1 + memchr::memchr_iter(b'\n', valid).count(), "wanted UTF-8, found other bytes".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let place = places::places(text)?;
    let place = place.ok_or_else(|| refused(1, of_nothing.to_owned()))?;
    let value = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        refused(line, format!("this is no YAML: {error}"))
    })?;
    Ok((place, value))
}

#[cfg(test)]
mod tests;
