//! The stages of one pipeline together: names that mean one thing, upstreams that exist, an order without a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::live::refuse_unobserved;
use super::node::Report;
use super::stages::Written;
use crate::pipeline::{Stage, StageName, nearest};

/// The stages, upstream before downstream, else in the order of the file.
pub(super) fn in_order(written: &[Written<'_>], report: &mut Report) -> Vec<Stage> {
    refuse_double_names(written, report);
    refuse_missing_upstreams(written, report);
    refuse_unobserved(written, report);
    let names: BTreeSet<&StageName> = written.iter().map(|written| &written.stage.name).collect();
    let mut left: Vec<&Written<'_>> = written.iter().collect();
    let mut placed: BTreeSet<&StageName> = BTreeSet::new();
    let mut ordered = Vec::new();
    let is_ready = |stage: &Stage, placed: &BTreeSet<&StageName>| {
        stage.after.iter().all(|upstream| placed.contains(upstream) || !names.contains(upstream))
    };
    while let Some(index) = left.iter().position(|written| is_ready(&written.stage, &placed)) {
        let next = left.remove(index);
        placed.insert(&next.stage.name);
        ordered.push(next.stage.clone());
    }
    refuse_circle(&left, report);
    ordered
}

fn refuse_double_names(written: &[Written<'_>], report: &mut Report) {
    let mut lines: BTreeMap<&StageName, usize> = BTreeMap::new();
    for Written { stage, node, .. } in written {
        if let Some(line) = lines.insert(&stage.name, node.line) {
            report.add(node, format!("name `{}` is taken by the stage in line {line}", stage.name));
        }
    }
    for Written { stage, node, .. } in written {
        let Some(group) = &stage.group else { continue };
        if let Some(line) = lines.get(group) {
            let reason = format!(
                "group `{group}` has the name of the stage in line {line}; a command could mean either"
            );
            report.add(&node.get("group").unwrap_or_else(|| node.clone()), reason);
        }
    }
}

fn refuse_missing_upstreams(written: &[Written<'_>], report: &mut Report) {
    let names: BTreeSet<&StageName> = written.iter().map(|written| &written.stage.name).collect();
    for Written { stage, after, .. } in written {
        let Some(after) = after else { continue };
        for upstream in stage.after.iter().filter(|upstream| !names.contains(upstream)) {
            let known = names.iter().map(|name| name.as_str());
            let hint = nearest(upstream.as_str(), known, 2).map(|meant| format!("; did you mean `{meant}`?"));
            let reason =
                format!("wanted a stage of this pipeline, found `{upstream}`{}", hint.unwrap_or_default());
            report.add(after, reason);
        }
    }
}

/// Of the stages that have no place in the order, names one circle.
fn refuse_circle(left: &[&Written<'_>], report: &mut Report) {
    let find = |name: &StageName| left.iter().find(|written| &written.stage.name == name);
    let Some(mut at) = left.first() else { return };
    let mut path: Vec<&StageName> = Vec::new();
    while !path.contains(&&at.stage.name) {
        path.push(&at.stage.name);
        let Some(upstream) = at.stage.after.iter().find_map(find) else { return };
        at = upstream;
    }
    let circle = path.into_iter().skip_while(|name| **name != at.stage.name).chain([&at.stage.name]);
    let circle: Vec<String> = circle.map(|name| format!("`{name}`")).collect();
    let node = at.after.as_ref().unwrap_or(&at.node);
    report.add(node, format!("wanted an order without a circle, found {}", circle.join(" after ")));
}
