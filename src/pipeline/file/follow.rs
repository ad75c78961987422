//! How the new digests of an image are picked.

use super::node::{Names, Node, Report, shown};
use crate::image::Tag;
use crate::pipeline::{Extract, Filter, Follow, Prereleases, Rule, VersionRange};

/// The rules; an image has one of them.
const RULES: [&str; 7] = ["semver", "calver", "numeric", "lexical", "newest", "tag", "exact"];
const FOLLOW_NAMES: Names = Names {
    known: &[
        "semver",
        "calver",
        "numeric",
        "lexical",
        "newest",
        "tag",
        "exact",
        "prereleases",
        "allow",
        "ignore",
        "extract",
    ],
    later: &[],
};
pub(super) fn follow(node: &Node<'_>, report: &mut Report) -> Option<Follow> {
    if !node.is_map_of(&FOLLOW_NAMES, report) {
        return None;
    }
    let filter = filter(node, report);
    let follow = Follow { rule: rule(node, report)?, filter: filter? };
    refuse_what_does_not_fit(node, &follow, report);
    Some(follow)
}

fn rule(node: &Node<'_>, report: &mut Report) -> Option<Rule> {
    let written: Vec<(&str, Node<'_>)> =
        RULES.iter().filter_map(|name| Some((*name, node.get(name)?))).collect();
    let [(name, value)] = written.as_slice() else {
        let names: Vec<String> = written.iter().map(|(name, _)| format!("`{name}`")).collect();
        let found = if names.is_empty() { "none".to_owned() } else { names.join(" and ") };
        report.add(node, format!("wanted one of `{}`, found {found}", RULES.join("`, `")));
        return None;
    };
    match *name {
        "semver" => range(node, value, report).map(Rule::Semver),
        "calver" => value.parsed("a format such as `YYYY.0M.0D`", str::parse, report).map(Rule::Calver),
        "tag" => followed_tag(value, report).map(Rule::Tag),
        "exact" => followed_tag(value, report).map(Rule::Exact),
        "numeric" => is_true(value, report).then_some(Rule::Numeric),
        "lexical" => is_true(value, report).then_some(Rule::Lexical),
        _ => is_true(value, report).then_some(Rule::Newest),
    }
}

fn range(node: &Node<'_>, value: &Node<'_>, report: &mut Report) -> Option<VersionRange> {
    let range: VersionRange = value.parsed("a version range", str::parse, report)?;
    let all = node.get("prereleases").and_then(|all| all.truth(report));
    Some(range.with_prereleases(if all == Some(true) { Prereleases::All } else { Prereleases::Named }))
}

/// A rule that has nothing to say but that it is the one.
fn is_true(node: &Node<'_>, report: &mut Report) -> bool {
    let found = node.truth(report);
    if found == Some(false) {
        report.add(node, "wanted `true`, found `false`; leave the key out, and write the rule that is meant");
    }
    found == Some(true)
}

fn followed_tag(node: &Node<'_>, report: &mut Report) -> Option<Tag> {
    let tag: Tag = node.parsed("a tag", str::parse, report)?;
    if tag.is_of_digest() {
        report.add(
            node,
            format!("wanted the tag of an image, found `{}`, which signatures use", shown(tag.as_str())),
        );
        return None;
    }
    Some(tag)
}

/// The filters; none where one of them cannot be read: without it, more tags would count.
fn filter(node: &Node<'_>, report: &mut Report) -> Option<Filter> {
    let mut pattern = |name: &str| match node.get(name) {
        Some(value) => report.pattern(&value).map(Some),
        None => Some(None),
    };
    let (allow, ignore, extract) = (pattern("allow"), pattern("ignore"), pattern("extract"));
    let extract = match extract? {
        Some(pattern) => match Extract::try_from(pattern) {
            Ok(extract) => Some(extract),
            Err(error) => {
                report.add(&node.get("extract").unwrap_or_else(|| node.clone()), error.to_string());
                return None;
            }
        },
        None => None,
    };
    Some(Filter { allow: allow?, ignore: ignore?, extract })
}

/// Keys that do nothing beside this rule would be read as if they did, and a rule over commits orders by chance.
fn refuse_what_does_not_fit(node: &Node<'_>, follow: &Follow, report: &mut Report) {
    let unfit: &[&str] = match &follow.rule {
        Rule::Tag(_) | Rule::Exact(_) => &["allow", "ignore", "extract", "prereleases"],
        Rule::Newest => &["extract", "prereleases"],
        Rule::Calver(_) | Rule::Numeric | Rule::Lexical => &["prereleases"],
        Rule::Semver(_) => &[],
    };
    for value in unfit.iter().filter_map(|name| node.get(name)) {
        report.add(&value, "this key says nothing beside the rule that is written here");
    }
    if follow.rule == Rule::Lexical && follow.filter.allow.is_none() && follow.filter.extract.is_none() {
        let wanted = "wanted `allow` or `extract` beside `lexical`: every text has a place in byte order, `staging` as well";
        report.add(node, wanted);
    }
    if follow.takes_commits_alone() {
        let found = "found a rule whose keys are commits, which have no order; wanted a number or date in the tag, or \
                     `newest`, or a moving tag by `tag`";
        report.add(node, found);
    }
}
