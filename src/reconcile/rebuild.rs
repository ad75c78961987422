//! An empty store is rebuilt from the first-parent history of the base: its merge commits carry the record.

use std::collections::BTreeMap;

use super::{Reconcile, ReconcileError};
use crate::image::Release;
use crate::pipeline::{PipelineName, StageName};
use crate::plan::messages;
use crate::promotion::{Actor, Entry, Event, Lane};
use crate::repository::{Commit, trailers};

/// Commits of the base looked through: years of promotions, read in about a second.
pub const COMMITS_MAX: usize = 20_000;

/// Records what the merge commits of this pipeline say.
pub(super) async fn rebuild(run: &mut Reconcile<'_>) -> Result<(), ReconcileError> {
    let entries = read(run).await?;
    if entries.is_empty() {
        return Ok(());
    }
    tracing::info!(pipeline = ?run.lease.key.pipeline, events = entries.len(), "rebuilt from git history");
    run.append(&entries).await
}

/// What the merge commits of this pipeline say, oldest first.
pub(super) async fn read(run: &Reconcile<'_>) -> Result<Vec<Entry>, ReconcileError> {
    let Some(pipeline) = run.lease.key.pipeline.clone() else { return Ok(Vec::new()) };
    let repository = run.repository;
    let Some(tip) = repository.mirror.tip(&repository.base).await? else { return Ok(Vec::new()) };
    let commits = repository.mirror.first_parents(tip, COMMITS_MAX).await?;
    Ok(recorded_in(&pipeline, &commits))
}

/// What these commits, newest first, say of a pipeline, oldest first.
#[must_use]
pub fn recorded_in(pipeline: &PipelineName, commits: &[Commit]) -> Vec<Entry> {
    let mut live: BTreeMap<StageName, Release> = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    for commit in commits.iter().rev() {
        let lines = trailers(&commit.message);
        if let Some(recorded) = messages::recorded(pipeline, &lines, commit.at, &commit.id.to_string()) {
            let (stage, recorded_lane) = (recorded.stage.clone(), recorded.lane);
            let (release, new) = recorded.entries(live.get(&stage));
            if recorded_lane != Lane::Rollback {
                entries.retain(|entry| !is_lifted(&entry.event, &stage, &release));
            }
            live.insert(stage, release);
            entries.extend(new);
        }
    }
    if let Some(first) = entries.first() {
        let by = Actor { id: 0, name: "lockkeeper".to_owned(), via: "git history".to_owned() };
        entries.insert(0, Entry { at: first.at, event: Event::Started { by } });
    }
    entries
}

/// Whether this is a veto that a later merge into its own stage shows to have been taken back: git knows of no other sign.
fn is_lifted(event: &Event, merged_into: &StageName, release: &Release) -> bool {
    let Event::Vetoed { stage, digests, .. } = event else { return false };
    stage == merged_into && !digests.is_disjoint(&release.digests())
}
