//! What is looked at after a merge.

use std::time::Duration;

use super::node::{Names, Node, Report};
use super::pipelines::DURATION_WANTED;
use crate::pipeline::{Live, LiveSource, OnFailure, Watch, parse_duration};

/// Shortest watch.
const LENGTH_MIN: Duration = Duration::from_secs(1);
/// The same by a cluster, which is looked at each minute.
const LENGTH_OF_CLUSTER_MIN: Duration = Duration::from_mins(1);

const WATCH_NAMES: Names = Names { known: &["for", "on_failure"], later: &[] };

/// `watch` of a stage, which needs somebody who says how it is.
pub(super) fn watch(stage: &Node<'_>, live: &Live, report: &mut Report) -> Option<Watch> {
    let node = stage.get("watch")?;
    if !live.is_observed() {
        report.add(&node, "nobody says how this stage is: wanted `live: observed` or `live: { cluster: … }`");
    }
    if !node.is_map_of(&WATCH_NAMES, report) {
        return None;
    }
    let length = node.required("for", report).and_then(|node| {
        let length = node.parsed(DURATION_WANTED, parse_duration, report)?;
        if length < LENGTH_MIN {
            report.add(&node, "wanted at least `1s`");
        } else if matches!(live.source, LiveSource::Cluster(_)) && length < LENGTH_OF_CLUSTER_MIN {
            report.add(&node, "wanted at least `1m`: what is shorter ends between two looks at the cluster");
        }
        Some(length)
    });
    let on_failure = node.get("on_failure").and_then(|node| node.one_of(&OnFailure::WORDS, &[], report));
    Some(Watch { length: length?, on_failure: on_failure.unwrap_or(OnFailure::Tell) })
}
