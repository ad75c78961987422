//! What a rollback undoes besides the pin: commits that touched what its image asks attention for.

use super::super::snapshot::Snapshot;
use super::{code, escape, source};
use crate::image::{Image, Pinned};
use crate::pipeline::ImageRule;
use crate::promotion::Proposal;
use crate::pull_request::{SourceCommit, Touched};

/// Commits named for one path.
const COMMITS_NAMED_MAX: usize = 3;

/// A line for each path of each image that differs.
pub(super) fn lines(snapshot: &Snapshot, proposal: &Proposal) -> Vec<String> {
    let images = snapshot.pipeline.images.iter().filter(|rule| !rule.attention.is_empty());
    images
        .filter_map(|rule| {
            let was = proposal.was.as_ref()?.get(&rule.repository)?;
            let to = proposal.release.get(&rule.repository)?;
            (was.digest != to.digest).then(|| of_image(snapshot, rule, was, to))
        })
        .flatten()
        .collect()
}

fn of_image(snapshot: &Snapshot, rule: &ImageRule, was: &Pinned, to: &Pinned) -> Vec<String> {
    let paths = || rule.attention.iter().map(|path| code(path)).collect::<Vec<_>>().join(", ");
    match snapshot.touched.get(&(to.digest, was.digest)) {
        Some(Touched::Known { of, by_path }) => {
            let image = snapshot.images.get(&was.digest).and_then(|image| image.as_ref().ok());
            let named = |commit: &SourceCommit| commit_text(snapshot, image, commit);
            let touching = by_path.iter().filter(|(_, commits)| !commits.is_empty());
            let lines: Vec<String> = touching
                .map(|(path, commits)| {
                    let names: Vec<String> = commits.iter().take(COMMITS_NAMED_MAX).map(named).collect();
                    let more = commits.len().saturating_sub(COMMITS_NAMED_MAX);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    let (count, path, names) = (commits.len(), code(path), names.join(", "));
                    format!(
                        "- ▲ **look:** {count} of the {of} commits it undoes touched {path}: {names}{more}"
                    )
                })
                .collect();
            if lines.is_empty() {
                return vec![format!("- ✓ none of the {of} commits it undoes touched {}", paths())];
            }
            lines
        }
        Some(Touched::Unknown(why)) => {
            vec![format!("- ◔ whether commits it undoes touched {}: unknown ({})", paths(), escape(why))]
        }
        None => vec![format!("- ◔ whether commits it undoes touched {}: not asked", paths())],
    }
}

fn commit_text(snapshot: &Snapshot, image: Option<&Image>, commit: &SourceCommit) -> String {
    let shown = image.map_or_else(
        || code(&commit.id.chars().take(12).collect::<String>()),
        |image| source::commit(&snapshot.settings.source_links, image, &commit.id),
    );
    format!("{shown} {}", escape(&commit.subject))
}
