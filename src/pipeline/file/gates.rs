//! The gates of a stage.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node::{Names, Node, Report, shown};
use super::pipelines::DURATION_WANTED;
use super::stages::principals;
use super::windows::windows;
use crate::pipeline::{
    Approvals, ChangeClass, Gates, MergePolicy, Policy, RequiredCheck, is_hidden, parse_duration,
};

/// Most approvals that can be asked for: beyond that nobody merges any more.
const APPROVALS_MAX: u64 = 16;
/// Most checks of one stage.
const CHECKS_MAX: usize = 64;
/// Longest name of a check or app.
const CHECK_BYTES_MAX: usize = 200;
/// The check that lockkeeper reports itself: to wait for it would be to wait for ever.
const OWN_CHECK: &str = "lockkeeper";

const GATE_NAMES: Names = Names {
    known: &["soak", "healthy", "approvals", "checks", "window", "provenance", "policy", "rollback_ready"],
    later: &[],
};
const APPROVAL_NAMES: Names = Names {
    known: &[
        "min",
        "major",
        "minor",
        "patch",
        "rebuild",
        "base-only",
        "from",
        "independent",
        "unknown_authors",
    ],
    later: &[],
};
const POLICIES: [(&str, Policy); 1] = [("lint", Policy::Lint)];
const CHECK_NAMES: Names = Names { known: &["name", "app"], later: &[] };

pub(super) fn gates(stage: &Node<'_>, merge: MergePolicy, is_first: bool, report: &mut Report) -> Gates {
    let by_default = match merge {
        MergePolicy::Approved => Some(default_approvals(merge)),
        MergePolicy::Automatic => None,
    };
    let Some(node) = stage.get("gates").filter(|node| node.is_map_of(&GATE_NAMES, report)) else {
        return Gates {
            soak: Duration::ZERO,
            healthy: false,
            approvals: by_default,
            checks: Vec::new(),
            windows: Vec::new(),
            provenance: false,
            policy: None,
            rollback_ready: false,
        };
    };
    let approvals = node.get("approvals").map(|node| approvals(&node, merge, report));
    Gates {
        soak: node.get("soak").map(|node| soak(&node, is_first, report)).unwrap_or_default(),
        healthy: truth(&node, "healthy", report),
        approvals: approvals.or(by_default),
        checks: node.get("checks").map(|list| checks(&list, report)).unwrap_or_default(),
        windows: node.get("window").map(|node| windows(&node, report)).unwrap_or_default(),
        provenance: truth(&node, "provenance", report),
        policy: node.get("policy").and_then(|node| node.one_of(&POLICIES, &[], report)),
        rollback_ready: truth(&node, "rollback_ready", report),
    }
}

/// Whether a gate that is there or not is there.
fn truth(gates: &Node<'_>, name: &str, report: &mut Report) -> bool {
    gates.get(name).and_then(|node| node.truth(report)).unwrap_or(false)
}

fn default_approvals(merge: MergePolicy) -> Approvals {
    let independent = match merge {
        MergePolicy::Approved => true,
        MergePolicy::Automatic => false,
    };
    Approvals {
        min: 1,
        by_class: BTreeMap::new(),
        from: Vec::new(),
        independent,
        unknown_authors_allowed: false,
    }
}

fn soak(node: &Node<'_>, is_first: bool, report: &mut Report) -> Duration {
    let soak = node.parsed(DURATION_WANTED, parse_duration, report).unwrap_or_default();
    if is_first && !soak.is_zero() {
        report.add(node, "wanted no soak on a stage with nothing upstream: nothing is live before it");
    }
    soak
}

fn approvals(node: &Node<'_>, merge: MergePolicy, report: &mut Report) -> Approvals {
    let mut approvals = default_approvals(merge);
    if !node.is_map_of(&APPROVAL_NAMES, report) {
        return approvals;
    }
    if let Some(min) = node.get("min") {
        approvals.min = count(&min, report);
    }
    for class in ChangeClass::TOLD {
        if let Some(number) = node.get(class.word()) {
            approvals.by_class.insert(class, count(&number, report));
        }
    }
    if let Some(from) = node.get("from") {
        approvals.from = principals(&from, report);
    }
    if let Some(independent) = node.get("independent") {
        approvals.independent = independent.truth(report).unwrap_or(true);
    }
    if let Some(unknown) = node.get("unknown_authors") {
        let words = [("refuse", false), ("allow", true)];
        approvals.unknown_authors_allowed = unknown.one_of(&words, &[], report).unwrap_or(false);
    }
    approvals
}

fn count(node: &Node<'_>, report: &mut Report) -> u32 {
    let wanted = format!("a number from 1 to {APPROVALS_MAX}");
    let count = node.number(&wanted, report);
    if let Some(0) = count {
        report.add(
            node,
            format!("wanted {wanted}, found `0`; no approval is `merge: automatic` without `approvals`"),
        );
    }
    if let Some(count) = count.filter(|count| *count > APPROVALS_MAX) {
        report.add(node, format!("wanted {wanted}, found `{count}`"));
    }
    count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}

/// How many approvals; none for 0.
pub(super) fn count_or_none(node: &Node<'_>, report: &mut Report) -> Option<u32> {
    let wanted = format!("a number from 0 to {APPROVALS_MAX}");
    let count = node.number(&wanted, report)?;
    if count > APPROVALS_MAX {
        report.add(node, format!("wanted {wanted}, found `{count}`"));
    }
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn checks(list: &Node<'_>, report: &mut Report) -> Vec<RequiredCheck> {
    let mut checks = Vec::new();
    for node in list.items(CHECKS_MAX, report).unwrap_or_default() {
        let Some(check) = check(&node, report) else { continue };
        if checks.contains(&check) {
            report.add(&node, format!("check `{}` is listed twice", shown(&check.name)));
        }
        checks.push(check);
    }
    checks
}

fn check(node: &Node<'_>, report: &mut Report) -> Option<RequiredCheck> {
    let wanted = "the name of a check";
    let check = if node.is_text() {
        RequiredCheck { name: node.parsed(wanted, check_name, report)?, app: None }
    } else {
        if !node.is_map_of(&CHECK_NAMES, report) {
            return None;
        }
        let name = node.required("name", report).and_then(|name| name.parsed(wanted, check_name, report));
        let app = match node.get("app") {
            Some(app) => Some(app.parsed("the name of an app", check_name, report)?),
            None => None,
        };
        RequiredCheck { name: name?, app }
    };
    if check.name == OWN_CHECK {
        report
            .add(node, "wanted a check of another app, found `lockkeeper`, which waits for this gate itself");
    }
    Some(check)
}

fn check_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > CHECK_BYTES_MAX || text.chars().any(is_hidden) {
        return Err(format!("wanted 1 to {CHECK_BYTES_MAX} visible bytes, found `{}`", shown(text)));
    }
    Ok(text.to_owned())
}
