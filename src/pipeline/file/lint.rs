//! The `lint` section: severities of rules, of stages, and exemptions.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::node::{Names, Node, Report, shown};
use crate::image::Repository;
use crate::pipeline::{
    Exemption, LintRule, LintRules, Pipeline, Principal, Severity, StageName, is_hidden, nearest,
};

/// Most exemptions: a file with more says that the rule is wrong.
const EXEMPTIONS_MAX: usize = 500;
/// Most stages with severities of their own.
const STAGES_MAX: usize = 1_000;
/// Longest pattern of a path.
const PATTERN_BYTES_MAX: usize = 512;
/// Longest reason.
const REASON_CHARS_MAX: usize = 500;
/// Most edits between a mistyped name and the one meant.
const TYPO_EDITS_MAX: usize = 2;

const LINT_NAMES: Names = Names { known: &["rules", "stages", "exemptions"], later: &[] };
const EXEMPTION_NAMES: Names =
    Names { known: &["rule", "path", "image", "owner", "reason", "expires"], later: &[] };
const SEVERITIES: [(&str, Severity); 3] =
    [("error", Severity::Error), ("warning", Severity::Warning), ("off", Severity::Off)];

pub(super) fn rules(root: &Node<'_>, pipelines: &[Pipeline], report: &mut Report) -> LintRules {
    let mut rules = LintRules::default();
    let Some(node) = root.get("lint") else { return rules };
    if !node.is_map_of(&LINT_NAMES, report) {
        return rules;
    }
    if let Some(given) = node.get("rules") {
        rules.rules = severities(&given, report);
    }
    if let Some(given) = node.get("stages") {
        for (name, value) in given.entries(STAGES_MAX, report).unwrap_or_default() {
            if let Some(stage) = stage_name(name, &value, pipelines, report) {
                rules.stages.insert(stage, severities(&value, report));
            }
        }
    }
    if let Some(given) = node.get("exemptions") {
        let items = given.items(EXEMPTIONS_MAX, report).unwrap_or_default();
        rules.exemptions = items.iter().filter_map(|item| exemption(item, report)).collect();
    }
    rules
}

fn severities(node: &Node<'_>, report: &mut Report) -> BTreeMap<LintRule, Severity> {
    let mut found = BTreeMap::new();
    for (name, value) in node.entries(LintRule::ALL.len() + 1, report).unwrap_or_default() {
        let Some((_, rule)) = LintRule::ALL.iter().find(|(known, _)| *known == name) else {
            let hint = nearest(name, LintRule::ALL.iter().map(|(known, _)| *known), TYPO_EDITS_MAX);
            let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            let reason = format!("unknown rule; `lockkeeper lint --rules` lists them{hint}");
            report.add(&value, reason);
            continue;
        };
        // A YAML reader of version 1.1 takes `off` for false.
        found.extend(value.one_of(&SEVERITIES, &[], report).map(|severity| (*rule, severity)));
    }
    found
}

/// The name of a stage or group that some pipeline has.
fn stage_name(name: &str, node: &Node<'_>, pipelines: &[Pipeline], report: &mut Report) -> Option<StageName> {
    let stages = pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let known: Vec<&str> = stages
        .flat_map(|stage| [Some(&stage.name), stage.group.as_ref()])
        .flatten()
        .map(StageName::as_str)
        .collect();
    if known.contains(&name) {
        return name.parse().ok();
    }
    let hint = nearest(name, known, TYPO_EDITS_MAX);
    let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    report.add(node, format!("wanted the name of a stage or group, found `{}`{hint}", shown(name)));
    None
}

fn exemption(node: &Node<'_>, report: &mut Report) -> Option<Exemption> {
    if !node.is_map_of(&EXEMPTION_NAMES, report) {
        return None;
    }
    let rule = node.required("rule", report).and_then(|rule| rule.one_of(&LintRule::ALL, &[], report));
    let path = node.get("path").map(|path| path.parsed("a path", path_pattern, report));
    let image = node.get("image").map(|image| image.parsed("a repository", str::parse::<Repository>, report));
    if path.is_none() && image.is_none() {
        report.add(
            node,
            "wanted `path`, `image` or both: an exemption from a whole rule is its severity `off`",
        );
    }
    let owner = node.required("owner", report);
    let owner = owner.and_then(|owner| owner.parsed("a team or user", str::parse::<Principal>, report));
    let reason =
        node.required("reason", report).and_then(|reason| reason.parsed("a reason", one_line, report));
    let expires = node.required("expires", report);
    let expires = expires.and_then(|date| date.parsed("a date such as `2027-03-31`", date_of, report));
    Some(Exemption {
        rule: rule?,
        path: path.flatten(),
        image: image.flatten(),
        owner: owner?,
        reason: reason?,
        expires: expires?,
        line: node.line,
    })
}

fn path_pattern(text: &str) -> Result<String, String> {
    let has_part = |unwanted: &[&str]| text.split('/').any(|part| unwanted.contains(&part));
    let is_off = text.len() > PATTERN_BYTES_MAX
        || has_part(&["", ".", ".."])
        || text.contains(|c: char| c == '\\' || is_hidden(c));
    if is_off {
        return Err(format!("wanted a path from the root of the repository, found `{}`", shown(text)));
    }
    Ok(text.to_owned())
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > REASON_CHARS_MAX || text.contains(is_hidden) {
        return Err(format!("wanted a reason of one line and 1 to {REASON_CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

fn date_of(text: &str) -> Result<Date, String> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = text.parse().ok().filter(|_| is_plain);
    date.ok_or_else(|| format!("wanted a date such as `2027-03-31`, found `{}`", shown(text)))
}
