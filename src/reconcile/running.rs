//! What runs in the stages where somebody observes it: what was reported since the last look, and what was kept of before.
//!
//! What was seen last is kept beside the record, which has the changes alone. A look that was stopped reads the same
//! reports again: what the record is past of changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::told::{Asked, Question};
use super::{Reconcile, ReconcileError};
use crate::image::Repository;
use crate::observation::{Sighting, Workloads};
use crate::pipeline::{LiveSource, Pipeline, Stage, StageName};
use crate::plan::{Plan, Running, Snapshot, is_watching};
use crate::store::{Hint, Key, Lease};

/// Longest that a look waits for a cluster: it answers from memory, but for the first question.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where a person waits, for a rollback first of all: it needs no cluster.
const HURRIED_TIMEOUT: Duration = Duration::from_millis(200);
/// How often a cluster is looked at while something waits.
const CLUSTER_INTERVAL: Duration = Duration::from_mins(1);

/// What was seen last, by stage.
type Kept = BTreeMap<StageName, Sighting>;

/// Reads what runs.
///
/// # Errors
/// [`ReconcileError::Store`] if the store cannot be asked.
pub(super) async fn running(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> Result<BTreeMap<StageName, Running>, ReconcileError> {
    let observed: Vec<&Stage> =
        snapshot.pipeline.stages.iter().filter(|stage| stage.live.is_observed()).collect();
    if observed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut kept = kept(run).await?;
    let asked = join_all(observed.into_iter().map(|stage| async move {
        let (new, silent) = match &stage.live.source {
            LiveSource::Observed => (reported(run.lease, &stage.name), None),
            LiveSource::Cluster(workloads) => {
                match of_cluster(run, workloads, &snapshot.pipeline, is_hurried).await {
                    Ok(sighting) => (vec![sighting], None),
                    Err(why) => (Vec::new(), Some(why)),
                }
            }
            LiveSource::Merged => (Vec::new(), None),
        };
        (stage, new, silent)
    }));
    let found = asked.await.into_iter().map(|(stage, mut new, silent)| {
        let mut last = kept.remove(&stage.name);
        let mut heard_until = run.lease.claimed_at;
        if let Some(question) = question(stage, &snapshot.pipeline) {
            let since;
            (last, since) = run.world.told.heard(&run.lease.key, &stage.name, &question, last);
            let mut before = last.clone();
            for sighting in since.into_iter().chain(std::mem::take(&mut new)) {
                let next = sighting.after(before.as_ref());
                // The first answer can be younger than the beginning of the look.
                new.push(Sighting { at: next.at.min(snapshot.now), ..next });
                before = new.last().cloned();
            }
            // What it says now is older than now.
            heard_until = new.last().or(last.as_ref()).map_or(heard_until, |latest| latest.at);
        }
        (stage.name.clone(), Running { last, new, silent, heard_until })
    });
    Ok(found.collect())
}

/// What a cluster is asked of a stage; nothing of another.
fn question(stage: &Stage, pipeline: &Pipeline) -> Option<Question> {
    let LiveSource::Cluster(workloads) = &stage.live.source else { return None };
    Some(Question { workloads: workloads.clone(), images: images(pipeline) })
}

fn images(pipeline: &Pipeline) -> BTreeSet<Repository> {
    pipeline.images.iter().map(|rule| rule.repository.clone()).collect()
}

/// A cluster that does not tell shuts the gates that need it, and stops nothing else.
async fn of_cluster(
    run: &Reconcile<'_>,
    workloads: &Workloads,
    pipeline: &Pipeline,
    is_hurried: bool,
) -> Result<Sighting, String> {
    let images = images(pipeline);
    let limit = match (run.is_cluster_slow.load(Ordering::Relaxed), is_hurried) {
        // One that kept this look waiting once is not waited for again.
        (true, _) => return Err(format!("cluster {} takes too long", workloads.cluster)),
        (false, true) => HURRIED_TIMEOUT,
        (false, false) => CLUSTER_TIMEOUT,
    };
    let asked = run.world.observe_workloads(workloads, &images);
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(observation)) => Ok(observation.into()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            run.is_cluster_slow.store(true, Ordering::Relaxed);
            Err(format!("cluster {} takes too long", workloads.cluster))
        }
    }
}

/// When a cluster is looked at again: soon while a stage waits for something, or is watched, else with the pipeline.
pub(super) fn again_at(snapshot: &Snapshot, plan: &Plan) -> Option<Timestamp> {
    let is_asked = |stage: &Stage| matches!(stage.live.source, LiveSource::Cluster(_));
    let is_busy =
        !plan.holds.is_empty() || snapshot.state.stages.values().any(|stage| stage.proposal.is_some());
    let is_watched = |stage: &Stage| is_busy || is_watching(snapshot, stage);
    let is_due = snapshot.pipeline.stages.iter().any(|stage| is_asked(stage) && is_watched(stage));
    is_due.then(|| snapshot.now.checked_add(CLUSTER_INTERVAL).ok()).flatten()
}

/// What is reported in this lease, oldest first; of what came in one moment the last.
fn reported(lease: &Lease, stage: &StageName) -> Vec<Sighting> {
    let hints = lease.deliveries.iter().flat_map(|delivery| &delivery.hints);
    let of_stage = hints.filter_map(|hint| match hint {
        Hint::Sighting { stage: meant, sighting } if meant == stage => Some((sighting.at, sighting.clone())),
        Hint::Sighting { .. }
        | Hint::Image { .. }
        | Hint::Comment { .. }
        | Hint::PullRequest { .. }
        | Hint::Push
        | Hint::Command { .. }
        | Hint::Unparsable { .. } => None,
    });
    of_stage.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// What cannot be read is seen anew.
async fn kept(run: &Reconcile<'_>) -> Result<Kept, ReconcileError> {
    let text = run.world.store.cursor(&cursor(&run.lease.key)).await?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Keeps what was seen last, where that is news.
///
/// # Errors
/// [`ReconcileError::Store`] if the store does not take it.
pub(super) async fn keep(run: &Reconcile<'_>, snapshot: &Snapshot) -> Result<(), ReconcileError> {
    run.world.told.note(&run.lease.key, said(snapshot));
    if snapshot.running.values().all(|running| running.new.is_empty()) {
        return Ok(());
    }
    let latest = snapshot.running.iter();
    let latest: Kept =
        latest.filter_map(|(stage, running)| Some((stage.clone(), running.latest()?.clone()))).collect();
    let text = serde_json::to_string(&latest).unwrap_or_default();
    Ok(run.world.store.set_cursor(&cursor(&run.lease.key), &text).await?)
}

/// What clusters were asked, and said.
fn said(snapshot: &Snapshot) -> Vec<Asked> {
    let of = |stage: &Stage| {
        Some(Asked {
            stage: stage.name.clone(),
            question: question(stage, &snapshot.pipeline)?,
            counts_for: stage.live.counts_for,
            said: snapshot.running.get(&stage.name).and_then(|running| running.new.last().cloned()),
            until: None,
            since: Vec::new(),
            read: 0,
        })
    };
    snapshot.pipeline.stages.iter().filter_map(of).collect()
}

fn cursor(key: &Key) -> String {
    format!("running:{key}")
}
