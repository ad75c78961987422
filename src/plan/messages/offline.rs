//! The commit of a rollback that somebody makes without lockkeeper's server.

use super::commit::{changes, trailer};
use super::{incident, one_line};
use crate::image::Release;
use crate::pipeline::{PipelineName, Stage};
use crate::promotion::Lane;

/// The message of a commit that takes `stage` back from `was` to `release`, for `by`: one word, an address. Its trailers are
/// those of a merge, so that `git log` and a rebuilt store read it as the rollback it is.
#[must_use]
pub fn offline_rollback(
    pipeline: &PipelineName,
    stage: &Stage,
    was: &Release,
    release: &Release,
    by: &str,
    reason: Option<&str>,
) -> String {
    let named = reason.and_then(incident).unwrap_or_else(|| release.short());
    let title =
        format!("rollback({}): {pipeline} {} → {} ({named})", stage.name, was.version(), release.version());
    let mut message = format!(
        "{}\n\nMade from git history alone, by `lockkeeper rollback --offline`.\n\n",
        one_line(&title)
    );
    message.push_str(&trailer("Lane", &Lane::Rollback.to_string()));
    message.push_str(&trailer("Pipeline", pipeline.as_str()));
    message.push_str(&trailer("Stage", stage.name.as_str()));
    if let Some(group) = &stage.group {
        message.push_str(&trailer("Group", group.as_str()));
    }
    for change in changes(release, Some(was)) {
        message.push_str(&trailer("Change", &change));
    }
    let by: String = by.split_whitespace().collect();
    message.push_str(&trailer("Requested-By", &format!("{by} 0 offline")));
    if let Some(reason) = reason {
        message.push_str(&trailer("Reason", reason));
        if let Some(incident) = incident(reason) {
            message.push_str(&trailer("Incident", &incident));
        }
    }
    message
}
