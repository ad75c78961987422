//! What runs in the stages where somebody observes it: what was reported since the last look, and what was kept of before.
//!
//! What was seen last is kept beside the record, which has the changes alone. A look that was stopped reads the same
//! reports again: what the record is past of changes nothing.

use std::collections::BTreeMap;

use super::{Reconcile, ReconcileError};
use crate::observation::Sighting;
use crate::pipeline::{LiveSource, Stage, StageName};
use crate::plan::{Running, Snapshot};
use crate::store::{Hint, Key, Lease};

/// What was seen last, by stage.
type Kept = BTreeMap<StageName, Sighting>;

/// Reads what runs.
///
/// # Errors
/// [`ReconcileError::Store`] if the store cannot be asked.
pub(super) async fn running(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
) -> Result<BTreeMap<StageName, Running>, ReconcileError> {
    let observed: Vec<&Stage> =
        snapshot.pipeline.stages.iter().filter(|stage| stage.live.is_observed()).collect();
    if observed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut kept = kept(run).await?;
    let found = observed.into_iter().map(|stage| {
        let running = Running {
            last: kept.remove(&stage.name),
            new: match stage.live.source {
                LiveSource::Observed => reported(run.lease, &stage.name),
                LiveSource::Merged | LiveSource::Cluster(_) => Vec::new(),
            },
            silent: None,
        };
        (stage.name.clone(), running)
    });
    Ok(found.collect())
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
    if snapshot.running.values().all(|running| running.new.is_empty()) {
        return Ok(());
    }
    let latest = snapshot.running.iter();
    let latest: Kept =
        latest.filter_map(|(stage, running)| Some((stage.clone(), running.latest()?.clone()))).collect();
    let text = serde_json::to_string(&latest).unwrap_or_default();
    Ok(run.world.store.set_cursor(&cursor(&run.lease.key), &text).await?)
}

fn cursor(key: &Key) -> String {
    format!("running:{key}")
}
