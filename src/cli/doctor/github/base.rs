//! What protects the base branch: our check, from our App, and nothing that would keep lockkeeper's own merge from it.

use std::collections::BTreeSet;

use super::{Findings, Look};
use crate::forge::ForgeError;
use crate::forge::github::inspect::{BypassActor, Classic, RequiredCheck, Rule, Ruleset, Summary};
use crate::pull_request::MergeMethod;
use crate::settings::Forge;

/// The name of our check.
const CHECK: &str = "lockkeeper";

/// What a rule or a classic protection asks, in one shape.
#[derive(Debug, Default)]
struct Asked {
    checks: Vec<RequiredCheck>,
    approvals: u64,
    obstacles: Vec<Obstacle>,
    /// The methods of merging that it leaves.
    methods: Option<Vec<String>>,
    /// Whether there is more that cannot be seen.
    is_part: bool,
}

/// What keeps lockkeeper's merge from the base, or makes it wait for what lockkeeper itself decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    Owners,
    LastPush,
    Conversations,
    Deployments,
    Workflows,
    UpToDate,
    Queue,
    Locked,
    Linear,
}

impl Obstacle {
    /// What it does, and how it is taken away.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Owners => ("asks for a review of code owners", "turn the review of code owners off"),
            Self::LastPush => {
                ("asks for an approval of the last push", "turn the approval of the most recent push off")
            }
            Self::Conversations => (
                "asks for conversations to be resolved",
                "turn it off: a remark would hold a rollback, and `/hold` is there for it",
            ),
            Self::Deployments => (
                "asks for deployments to succeed first",
                "turn it off: lockkeeper shows a deployment when it has merged",
            ),
            Self::Workflows => (
                "asks for workflows to pass",
                "name their checks in `gates.checks` instead: a rollback does not wait for those",
            ),
            Self::UpToDate => (
                "asks for branches that are up to date",
                "turn `require branches to be up to date before merging` off: lockkeeper closes what is stale",
            ),
            Self::Queue => (
                "has a merge queue",
                "turn the merge queue off: lockkeeper merges exactly the head that was reviewed",
            ),
            Self::Locked => ("lets nobody update the branch", "let this App bypass it, or turn it off"),
            Self::Linear => ("refuses merge commits", "set `merge = \"squash\"` for this repository"),
        }
    }
}

/// Those that are so.
fn only(obstacles: &[(Obstacle, bool)]) -> Vec<Obstacle> {
    obstacles.iter().filter(|(_, is_so)| *is_so).map(|(obstacle, _)| *obstacle).collect()
}

pub(super) async fn look(look: &Look<'_>, app_id: Option<u64>, findings: &mut Findings) {
    let base = &look.repository.base;
    let (mut asked, mut is_whole) = (Vec::new(), true);
    match look.forge.rules_of(base).await {
        Ok(rules) => {
            let ours = bypasses(look, &rules, app_id, findings).await;
            unknown(look, &rules, &ours, findings);
            asked.extend(rules.iter().map(|rule| {
                let passes = rule.ruleset_id.is_some_and(|id| ours.contains(&id));
                of_rule(rule, passes)
            }));
        }
        Err(error) => {
            is_whole = false;
            look.unseen("rules", &error, findings);
        }
    }
    match look.forge.branch_facts(base).await {
        Ok(branch) => {
            let is_protected = branch.protection.enabled;
            let found = classic(look, branch.protection, findings).await;
            is_whole &=
                found.as_ref().is_none_or(|found| !found.is_part) && (found.is_some() || !is_protected);
            asked.extend(found);
        }
        Err(error) => {
            is_whole = false;
            look.unseen("protection", &error, findings);
        }
    }
    check(look, app_id, &asked, is_whole, findings);
    other_checks(look, &asked, findings);
    obstacles(look, &asked, is_whole, findings);
    method(look, findings).await;
}

/// What a rule asks; nothing of lockkeeper where its App passes.
fn of_rule(rule: &Rule, passes: bool) -> Asked {
    let parameters = rule.parameters.clone().unwrap_or_default();
    if passes {
        return Asked { checks: parameters.required_status_checks, ..Asked::default() };
    }
    let is = |kind: &str| rule.kind == kind;
    let obstacles = only(&[
        (Obstacle::Owners, parameters.require_code_owner_review),
        (Obstacle::LastPush, parameters.require_last_push_approval),
        (Obstacle::Conversations, parameters.required_review_thread_resolution),
        (Obstacle::Deployments, is("required_deployments")),
        (Obstacle::Workflows, is("workflows")),
        (Obstacle::UpToDate, parameters.strict_required_status_checks_policy),
        (Obstacle::Queue, is("merge_queue")),
        (Obstacle::Locked, is("update")),
        (Obstacle::Linear, is("required_linear_history")),
    ]);
    Asked {
        checks: parameters.required_status_checks,
        approvals: parameters.required_approving_review_count,
        obstacles,
        methods: parameters.allowed_merge_methods,
        is_part: false,
    }
}

/// Kinds of rules that are looked at above, and those that keep no merge of lockkeeper's from the base.
const KNOWN: [&str; 11] = [
    "creation",
    "deletion",
    "non_fast_forward",
    "pull_request",
    "required_status_checks",
    "required_signatures",
    "required_linear_history",
    "required_deployments",
    "workflows",
    "merge_queue",
    "update",
];

/// Rules of which nothing is known here.
fn unknown(look: &Look<'_>, rules: &[Rule], ours: &BTreeSet<u64>, findings: &mut Findings) {
    let passes = |rule: &&Rule| rule.ruleset_id.is_some_and(|id| ours.contains(&id));
    let kinds: BTreeSet<&str> =
        rules.iter().filter(|rule| !passes(rule)).map(|rule| rule.kind.as_str()).collect();
    for kind in kinds.into_iter().filter(|kind| !KNOWN.contains(kind)) {
        findings.notice(
            look.subject("protection"),
            format!("has a rule `{kind}`, of which lockkeeper knows nothing"),
            "see that it lets lockkeeper's commits and merges through",
        );
    }
}

/// Classic protection: all of it where we may see it, else the required checks, which everybody sees.
async fn classic(look: &Look<'_>, summary: Summary, findings: &mut Findings) -> Option<Asked> {
    if !summary.enabled {
        return None;
    }
    match look.forge.classic_protection(&look.repository.base).await {
        Ok(classic) => Some(of_classic(classic)),
        Err(ForgeError::Refused { .. } | ForgeError::NotFound { .. }) => {
            findings.notice(
                look.subject("classic protection"),
                "only its required checks can be seen by an App that does not administer",
                "see that it asks for 0 approvals, no branch up to date, no linear history; or use a ruleset instead",
            );
            let checks = summary.required_status_checks.unwrap_or_default();
            let obstacles = only(&[(Obstacle::UpToDate, checks.strict)]);
            Some(Asked { checks: checks.checks, obstacles, is_part: true, ..Asked::default() })
        }
        Err(error) => {
            look.unseen("classic protection", &error, findings);
            None
        }
    }
}

fn of_classic(classic: Classic) -> Asked {
    let checks = classic.required_status_checks.unwrap_or_default();
    let reviews = classic.required_pull_request_reviews.unwrap_or_default();
    let obstacles = only(&[
        (Obstacle::Owners, reviews.require_code_owner_reviews),
        (Obstacle::LastPush, reviews.require_last_push_approval),
        (Obstacle::Conversations, classic.required_conversation_resolution.enabled),
        (Obstacle::UpToDate, checks.strict),
        (Obstacle::Locked, classic.lock_branch.enabled),
        (Obstacle::Linear, classic.required_linear_history.enabled),
    ]);
    let approvals = reviews.required_approving_review_count;
    Asked { checks: checks.checks, approvals, obstacles, ..Asked::default() }
}

/// Our check has to be required, and from nobody but us: whoever may push can report a status of any name.
fn check(look: &Look<'_>, app_id: Option<u64>, asked: &[Asked], is_whole: bool, findings: &mut Findings) {
    let (subject, base) = (look.subject("required check"), &look.repository.base);
    let mut ours = asked.iter().flat_map(|asked| &asked.checks).filter(|check| check.context == CHECK);
    // With a token it is a status, which has no source.
    let is_from_us = |check: &RequiredCheck| {
        app_id.is_none_or(|app| check.integration_id.is_some_and(|id| u64::try_from(id) == Ok(app)))
    };
    let Some(first) = ours.next() else {
        // What could not be seen may require it.
        if !is_whole {
            return;
        }
        let fix = format!("require the check `{CHECK}`, from this App, in a ruleset for {base}");
        findings.bad(
            subject,
            format!("`{CHECK}` is not required on {base}: people merge past its gates"),
            fix,
        );
        return;
    };
    if is_from_us(first) || ours.any(is_from_us) {
        let from = if app_id.is_some() { ", from this App," } else { "" };
        findings.good(subject, format!("`{CHECK}`{from} on {base}"));
        return;
    }
    let from = match first.integration_id {
        Some(id) if id > 0 => format!("App {id}"),
        Some(_) | None => "anybody".to_owned(),
    };
    let id = app_id.unwrap_or_default();
    let fix = format!("set the source of the required check `{CHECK}` to this App (id {id})");
    findings.bad(subject, format!("`{CHECK}` is required from {from}"), fix);
}

/// What else GitHub waits for: lockkeeper should wait for it, too, and say so.
fn other_checks(look: &Look<'_>, asked: &[Asked], findings: &mut Findings) {
    let required = asked.iter().flat_map(|asked| &asked.checks).map(|check| check.context.as_str());
    let others: BTreeSet<&str> = required.filter(|name| *name != CHECK).collect();
    if !others.is_empty() {
        let names: Vec<&str> = others.into_iter().collect();
        findings.notice(
            look.subject("other required checks"),
            format!("GitHub merges nothing, a rollback neither, before {}", names.join(", ")),
            "name them in `gates.checks` and require them no more at GitHub, or see that they are quick and always run",
        );
    }
}

/// Each obstacle once, however many rules put it up.
fn obstacles(look: &Look<'_>, asked: &[Asked], is_whole: bool, findings: &mut Findings) {
    let subject = look.subject("protection");
    let mut found: Vec<(String, &str)> = Vec::new();
    let approvals = asked.iter().map(|asked| asked.approvals).max().unwrap_or(0);
    if approvals > 0 {
        let text = format!("asks for {approvals} approvals of its own");
        found.push((text, "set the required approvals to 0: lockkeeper.yaml says who may approve what"));
    }
    let is_squash = method_of(look) == MergeMethod::Squash;
    let all: BTreeSet<Obstacle> = asked.iter().flat_map(|asked| asked.obstacles.iter().copied()).collect();
    for obstacle in all.into_iter().filter(|obstacle| !(is_squash && *obstacle == Obstacle::Linear)) {
        let (text, fix) = obstacle.said();
        found.push((text.to_owned(), fix));
    }
    let mut left = asked.iter().filter_map(|asked| asked.methods.as_ref());
    if left.any(|left| left.iter().all(|name| name != word(look))) {
        let text = format!("does not take the method `{}`", word(look));
        found.push((text, "allow that method, or set `merge` of the repository to another"));
    }
    if found.is_empty() && !asked.is_empty() && is_whole {
        findings.good(&subject, "nothing stands in the way of lockkeeper's merges");
    }
    for (text, fix) in found {
        findings.bad(&subject, text, fix);
    }
}

/// Who may go past the rules: named, as a person should know. Returns the sets that lockkeeper itself passes.
async fn bypasses(
    look: &Look<'_>,
    rules: &[Rule],
    app_id: Option<u64>,
    findings: &mut Findings,
) -> BTreeSet<u64> {
    let mut ours = BTreeSet::new();
    let ids: BTreeSet<u64> = rules.iter().filter_map(|rule| rule.ruleset_id).collect();
    for id in ids {
        match look.forge.ruleset(id).await {
            Ok(ruleset) => {
                bypass(look, &ruleset, app_id, findings);
                ours.extend(ruleset.current_user_can_bypass.filter(|word| word != "never").map(|_| id));
            }
            Err(error) => look.unseen(&format!("ruleset {id}"), &error, findings),
        }
    }
    ours
}

fn bypass(look: &Look<'_>, ruleset: &Ruleset, app_id: Option<u64>, findings: &mut Findings) {
    let subject = look.subject(&format!("ruleset {}", ruleset.name));
    let is_us = |actor: &&BypassActor| {
        actor.actor_type == "Integration" && app_id.is_some() && actor.actor_id == app_id
    };
    let actors = ruleset.bypass_actors.as_deref().map(|actors| {
        let actor = |actor: &BypassActor| {
            let id = actor.actor_id.map_or_else(String::new, |id| format!(" {id}"));
            let mode = actor.bypass_mode.as_deref().unwrap_or("always");
            format!("{}{id} ({mode})", actor.actor_type)
        };
        actors.iter().filter(|actor| !is_us(actor)).map(actor).collect::<Vec<_>>()
    });
    let Some(others) = actors else {
        let fix = "look at it on GitHub's pages: only those who may change the ruleset see it";
        findings.notice(subject, "GitHub does not show who may bypass it", fix);
        return;
    };
    if others.is_empty() {
        findings.good(subject, "nobody but lockkeeper may bypass it");
        return;
    }
    let text = format!("may be bypassed by {}", others.join(", "));
    findings.notice(subject, text, "leave it only to those who may merge without lockkeeper's gates");
}

/// The way of merging that the settings name has to be on in the repository, and GitHub's own is better off.
async fn method(look: &Look<'_>, findings: &mut Findings) {
    let facts = match look.forge.repository_facts().await {
        Ok(facts) => facts,
        Err(error) => return look.unseen("repository settings", &error, findings),
    };
    let is_allowed = match method_of(look) {
        MergeMethod::Merge => facts.allow_merge_commit,
        MergeMethod::Squash => facts.allow_squash_merge,
    };
    if is_allowed == Some(false) {
        let text = format!("the repository does not allow the method `{}`", word(look));
        let fix = "allow it in the repository's settings, or set `merge` to another";
        findings.bad(look.subject("merge method"), text, fix);
    }
    if facts.allow_auto_merge == Some(true) {
        findings.notice(
            look.subject("auto-merge"),
            "people may have GitHub merge by itself; where they do, lockkeeper waits until it is off",
            "turn it off in the repository's settings",
        );
    }
}

fn method_of(look: &Look<'_>) -> MergeMethod {
    match &look.repository.forge {
        Forge::GitHub(forge) => forge.merge,
        Forge::Local(_) => MergeMethod::Merge,
    }
}

fn word(look: &Look<'_>) -> &'static str {
    match method_of(look) {
        MergeMethod::Merge => "merge",
        MergeMethod::Squash => "squash",
    }
}
