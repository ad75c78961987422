//! What says that a release is live in a stage.

use std::time::Duration;

use super::node::{Names, Node, Report};
use super::pipelines::DURATION_WANTED;
use super::stages::Written;
use crate::observation::{Selector, Which, WorkloadName, Workloads};
use crate::pipeline::{COUNTS_FOR, Live, LiveSource, parse_duration};

/// Most workloads of one stage: each is judged at each look.
const WORKLOADS_MAX: usize = 64;
/// Shortest time for which an observation counts: clusters are looked at each minute.
const COUNTS_FOR_MIN: Duration = Duration::from_mins(1);

const LIVE_NAMES: Names = Names { known: &["cluster", "namespace", "selector", "workloads"], later: &[] };

/// `live` and `counts_for` of a stage.
pub(super) fn live(stage: &Node<'_>, report: &mut Report) -> Live {
    let source = match stage.get("live") {
        Some(node) => source(&node, report),
        None => LiveSource::Merged,
    };
    let counts_for = stage.get("counts_for").map(|node| counts_for(&node, &source, report));
    Live { source, counts_for: counts_for.unwrap_or(COUNTS_FOR) }
}

fn source(node: &Node<'_>, report: &mut Report) -> LiveSource {
    if node.is_map() {
        return cluster(node, report).map_or(LiveSource::Merged, LiveSource::Cluster);
    }
    if node.is_text() {
        let words = [("merged", LiveSource::Merged), ("observed", LiveSource::Observed)];
        let found = node.text("a word", report);
        if let Some((_, source)) = words.into_iter().find(|(word, _)| Some(*word) == found) {
            return source;
        }
    }
    let wanted = "wanted `merged`, `observed` or a map such as `{ cluster: staging, namespace: checkout, selector: \
                  app=checkout }`";
    report.add(node, format!("{wanted}, found {}", node.found()));
    LiveSource::Merged
}

fn cluster(node: &Node<'_>, report: &mut Report) -> Option<Workloads> {
    if !node.is_map_of(&LIVE_NAMES, report) {
        return None;
    }
    let cluster = node.required("cluster", report);
    let cluster = cluster.and_then(|node| node.text("the name of a cluster in the settings", report));
    let namespace = node.required("namespace", report);
    let namespace = namespace.and_then(|node| {
        let text = node.text("a namespace", report)?;
        if Workloads::is_name(text) {
            return Some(text);
        }
        report.add(&node, format!("wanted the name of a namespace, found {}", node.found()));
        None
    });
    let which = match (node.get("selector"), node.get("workloads")) {
        (Some(selector), None) => {
            selector.parsed("labels", str::parse::<Selector>, report).map(Which::Selector)
        }
        (None, Some(list)) => named(&list, report),
        (Some(_), Some(_)) => {
            report.add(node, "wanted `selector` or `workloads`, found both");
            None
        }
        (None, None) => {
            report.add(node, "wanted `selector` (labels as kubectl takes them) or `workloads` (kind/name)");
            None
        }
    };
    Some(Workloads { cluster: cluster?.to_owned(), namespace: namespace?.to_owned(), which: which? })
}

fn named(list: &Node<'_>, report: &mut Report) -> Option<Which> {
    let mut names: Vec<WorkloadName> = Vec::new();
    for node in list.items_or_one(WORKLOADS_MAX, report)? {
        let Some(name) = node.parsed("a workload", str::parse::<WorkloadName>, report) else { continue };
        if names.contains(&name) {
            report.add(&node, format!("`{name}` is listed twice"));
        }
        names.push(name);
    }
    if names.is_empty() {
        report.add(list, "wanted at least one workload, found none");
        return None;
    }
    Some(Which::Named(names))
}

fn counts_for(node: &Node<'_>, source: &LiveSource, report: &mut Report) -> Duration {
    let found = node.parsed(DURATION_WANTED, parse_duration, report).unwrap_or(COUNTS_FOR);
    if *source == LiveSource::Merged {
        report.add(node, "nothing is observed here: `live` says `merged`");
    } else if found < COUNTS_FOR_MIN {
        report.add(node, "wanted at least `1m`: what is shorter ends between two looks");
    }
    found
}

/// `healthy` needs upstream stages, and of each somebody who says how it is.
pub(super) fn refuse_unobserved(written: &[Written<'_>], report: &mut Report) {
    for Written { stage, node, .. } in written.iter().filter(|written| written.stage.gates.healthy) {
        let at = node.get("gates").and_then(|gates| gates.get("healthy")).unwrap_or_else(|| node.clone());
        if stage.after.is_empty() {
            report
                .add(&at, "wanted no `healthy` on a stage with nothing upstream: nothing is live before it");
        }
        let upstream = written.iter().filter(|other| stage.after.contains(&other.stage.name));
        for other in upstream.filter(|other| !other.stage.live.is_observed()) {
            let name = &other.stage.name;
            let reason = format!(
                "nobody says how stage `{name}` is: wanted `live: observed` or `live: {{ cluster: … }}` there"
            );
            report.add(&at, reason);
        }
    }
}
