//! How tags and labels are printed: for people, shells, JSON and the outputs of a GitHub workflow.

use std::fmt::Write as _;

use serde_json::json;

use super::set::TagSet;
use crate::cli::show::document;
use crate::cli::{CliError, pins};
use crate::image::{Repository, Tag};

/// How they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Form {
    /// One on each line.
    #[default]
    Lines,
    /// Assignments for `eval`: VERSION, REVISION, TAGS, LABELS, and `BUILD_ARGS` for docker or podman.
    Shell,
    /// JSON, one document, with what moves apart from what does not.
    Json,
    /// For `$GITHUB_OUTPUT`: version, revision, tags, labels; the last two as lines, as build actions take them.
    Github,
}

/// The text.
///
/// # Errors
/// Exit 8 if JSON cannot be written.
pub(super) fn text(set: &TagSet, images: &[Repository], form: Form) -> Result<String, CliError> {
    let tags: Vec<&Tag> = set.unique.iter().chain(&set.moving).collect();
    let names = names(&tags, images);
    Ok(match form {
        Form::Lines => names.iter().fold(String::new(), |text, name| text + name + "\n"),
        Form::Shell => shell(set, &names, images),
        Form::Github => github(set, &names),
        Form::Json => pins::json(&document(json!({
            "version": set.version.as_ref().map(ToString::to_string),
            "revision": set.revision,
            "unique": set.unique,
            "moving": set.moving,
            "references": if images.is_empty() { Vec::new() } else { names },
            "labels": set.labels,
        })))?,
    })
}

/// The tags, or the references of each image.
fn names(tags: &[&Tag], images: &[Repository]) -> Vec<String> {
    if images.is_empty() {
        return tags.iter().map(ToString::to_string).collect();
    }
    images.iter().flat_map(|image| tags.iter().map(move |tag| format!("{image}:{tag}"))).collect()
}

fn labels(set: &TagSet) -> Vec<String> {
    set.labels.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn shell(set: &TagSet, names: &[String], images: &[Repository]) -> String {
    let labels = labels(set);
    let tagged = names.iter().filter(|_| !images.is_empty()).map(|name| format!("--tag {name}"));
    let labelled = labels.iter().map(|label| format!("--label {label}"));
    let build_args: Vec<String> = tagged.chain(labelled).collect();
    let mut text = String::new();
    for (name, value) in [
        ("VERSION", set.version.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("REVISION", set.revision.clone().unwrap_or_default()),
        ("TAGS", names.join(" ")),
        ("LABELS", labels.join("\n")),
        ("BUILD_ARGS", build_args.join(" ")),
    ] {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', r"'\''"));
    }
    text
}

/// Source: GitHub Actions, "Workflow commands", multiline strings. No value has a line that is the delimiter: tags have no
/// blank in them, and labels have a `=`.
fn github(set: &TagSet, names: &[String]) -> String {
    let version = set.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let lines = |name: &str, lines: &[String]| {
        format!("{name}<<end of {name}\n{}\nend of {name}\n", lines.join("\n"))
    };
    format!(
        "version={version}\nrevision={}\n{}{}",
        set.revision.as_deref().unwrap_or_default(),
        lines("tags", names),
        lines("labels", &labels(set)),
    )
}
