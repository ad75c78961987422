//! The merge gates of an open pull request.

use std::collections::BTreeMap;

use super::candidate::minute;
use super::effect::{Gate, HoldReason};
use super::pins::Pins;
use super::quorum::{Quorum, quorum};
use super::reviewers;
use super::snapshot::{Snapshot, is};
use super::{
    fitness, freeze, healthy, hotfix, policy, presence, provenance, rollback_ready, upstream, window,
};
use crate::pipeline::{Approvals, Join, Principal, RequiredCheck, RoleName, Stage};
use crate::promotion::{self, Approval, Ballot, Discount, HoldKind, Lane, Proposal, Signature};
use crate::pull_request::{Authors, CheckStatus, Obstacle, PullRequest, Review, Verdict};

/// One gate of a pull request: open, or shut with a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GateLine {
    /// Which.
    pub(super) gate: Gate,
    /// What it says, one line.
    pub(super) text: String,
    /// Why it is shut; none if it is open.
    pub(super) hold: Option<HoldReason>,
}

/// All merge gates of a pull request, and the approvals that count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MergeGates {
    /// The gates, in the order in which people read them.
    pub(super) lines: Vec<GateLine>,
    /// The approvals that count.
    pub(super) approvals: Vec<Approval>,
    /// Why the authors of the commits are not known, where the rules accept that: for the record.
    pub(super) unknown_authors: Option<String>,
    /// The signatures that were verified: for the record.
    pub(super) signatures: Vec<Signature>,
    /// The exceptions by which it passes a freeze: for the record.
    pub(super) exceptions: Vec<String>,
}

/// Our own name among the checks.
pub(super) const CHECK_NAME: &str = "lockkeeper";

/// Evaluates the merge gates. The rollback lane passes all that say whether the release should go in, and has approvals of
/// its own; the hotfix lane passes upstream, soak, window and whether the way back is ready.
pub(super) fn merge_gates(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    pull_request: &PullRequest,
) -> MergeGates {
    let mut gates = MergeGates::default();
    branch(stage, proposal, pull_request, &mut gates);
    if proposal.lane == Lane::Rollback {
        presence::gate(snapshot, stage, proposal, &mut gates);
    } else {
        readable(snapshot, stage, &mut gates);
        held(snapshot, stage, &mut gates);
        freeze::gate(snapshot, stage, proposal.lane, &mut gates);
        if proposal.lane == Lane::Normal {
            soaked(snapshot, stage, proposal, &mut gates);
            healthy::gate(snapshot, stage, &proposal.release, &mut gates);
            window::gate(snapshot, stage, &mut gates);
            policy::gate(snapshot, stage, proposal, &mut gates);
            rollback_ready::gate(snapshot, stage, proposal, &mut gates);
        }
        fitness::platforms(snapshot, stage, proposal, &mut gates);
        fitness::signed(snapshot, stage, proposal, &mut gates);
        provenance::gate(snapshot, stage, proposal, &mut gates);
        checks(stage, pull_request, &mut gates);
    }
    if let Some(rule) = reviewers::rule(stage, proposal.lane) {
        approvals(snapshot, stage, rule, proposal, pull_request, &mut gates);
    }
    if let Some(obstacle) = pull_request.obstacle {
        in_the_way(stage, proposal, obstacle, &mut gates);
    }
    if pull_request.mergeable.is_none() {
        let again_at = super::candidate::later(snapshot.now, std::time::Duration::from_secs(2));
        let hold = HoldReason::new(&stage.name, Gate::Mergeable, "the forge has not said whether it merges");
        gates.shut(hold.opens_at(again_at));
    }
    gates
}

/// A rollback does not wait for auto-merge to be taken back: whoever merges it, it is merged.
fn in_the_way(stage: &Stage, proposal: &Proposal, obstacle: Obstacle, gates: &mut MergeGates) {
    let text = match obstacle {
        Obstacle::Draft => "it is a draft: mark it as ready for review",
        Obstacle::AutoMerge if proposal.lane == Lane::Rollback => return,
        Obstacle::AutoMerge => "auto-merge is on, which would merge it without a record: turn it off",
    };
    gates.shut(HoldReason::new(&stage.name, Gate::Mergeable, text).who("write"));
}

impl MergeGates {
    pub(super) fn open(&mut self, gate: Gate, text: impl Into<String>) {
        self.lines.push(GateLine { gate, text: text.into(), hold: None });
    }

    pub(super) fn shut(&mut self, hold: HoldReason) {
        self.lines.push(GateLine { gate: hold.gate, text: hold.text.clone(), hold: Some(hold) });
    }

    /// The holds of the gates that are shut.
    pub(super) fn holds(&self) -> impl Iterator<Item = &HoldReason> {
        self.lines.iter().filter_map(|line| line.hold.as_ref())
    }
}

fn branch(stage: &Stage, proposal: &Proposal, pull_request: &PullRequest, gates: &mut MergeGates) {
    if proposal.interrupted.is_some() {
        let text = format!(
            "somebody pushed {} to the branch: close this pull request, or `/retry`",
            pull_request.head.short()
        );
        gates.shut(HoldReason::new(&stage.name, Gate::Branch, text).who("write"));
    } else {
        gates
            .open(Gate::Branch, "the head is the commit that lockkeeper pushed; it changes image pins alone");
    }
}

/// Pins on the base that disagree or cannot be read: what a merge would give is not known.
fn readable(snapshot: &Snapshot, stage: &Stage, gates: &mut MergeGates) {
    if let Pins::Mixed(text) | Pins::Unreadable(text) = snapshot.pins(stage) {
        gates.shut(HoldReason::new(&stage.name, Gate::Pins, format!("on the base, {text}")).who("write"));
    }
}

fn held(snapshot: &Snapshot, stage: &Stage, gates: &mut MergeGates) {
    if let Some(hold) = hold_of_stage(snapshot, stage) {
        gates.shut(hold);
    }
}

/// The hold on a stage, in words.
pub(super) fn hold_of_stage(snapshot: &Snapshot, stage: &Stage) -> Option<HoldReason> {
    let hold = snapshot.state.hold(&stage.name, snapshot.now)?;
    let reason = hold.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let kind = match hold.kind {
        HoldKind::Person => "held",
        HoldKind::Rollback => "held after a rollback",
        HoldKind::OutOfBand => "held, changed out of band",
        HoldKind::Watch => "held after a watch",
    };
    let text = format!(
        "{kind} by {} since {}{reason}; `/resume {}` lifts it",
        hold.by.name,
        minute(hold.at),
        stage.name
    );
    let who = principals(&stage.rollback_by, "owner or write");
    let found = HoldReason::new(&stage.name, Gate::Hold, text).who(who);
    Some(match hold.until {
        Some(until) => found.opens_at(until),
        None => found,
    })
}

/// An open pull request was opened when its release had passed; what can change since is said by veto and rollback.
fn soaked(snapshot: &Snapshot, stage: &Stage, proposal: &Proposal, gates: &mut MergeGates) {
    if let Some(name) = hotfix::shipped_to(snapshot, stage, &proposal.release) {
        gates.open(
            Gate::Upstream,
            format!("the same digests are live in `{name}` by a hotfix, which this stage catches up with"),
        );
        return;
    }
    let (soaked, missing): (Vec<_>, Vec<_>) = stage
        .after
        .iter()
        .partition(|upstream| upstream::has_soaked(snapshot, stage, upstream, &proposal.release));
    for &upstream in &soaked {
        let soak = super::messages::duration(stage.gates.soak);
        gates.open(Gate::Soak, format!("the same digests were live in `{upstream}` (needs {soak})"));
    }
    let shut: Vec<String> = match stage.join {
        Join::All => missing.iter().map(ToString::to_string).collect(),
        Join::Any if soaked.is_empty() => vec![upstream::names(stage)],
        Join::Any => Vec::new(),
    };
    for upstream in shut {
        let text = format!("{} has not passed in {upstream}", proposal.release.version());
        gates.shut(HoldReason::new(&stage.name, Gate::Upstream, text));
    }
}

fn checks(stage: &Stage, pull_request: &PullRequest, gates: &mut MergeGates) {
    for required in &stage.gates.checks {
        let is_it = |check: &&crate::pull_request::Check| {
            check.name == required.name
                && check.name != CHECK_NAME
                && required.app.as_ref().is_none_or(|app| app == &check.app)
        };
        let name = check_name(required);
        let hold = |text: String| HoldReason::new(&stage.name, Gate::Checks, text).who(name.clone());
        // All of that name have to pass: one that anybody may report hides none that failed.
        let found: Vec<_> = pull_request.checks.iter().filter(is_it).collect();
        let with = |status: CheckStatus| found.iter().find(|check| check.status == status);
        if let Some(failed) = with(CheckStatus::Failed) {
            gates.shut(hold(format!("check {name} failed: {}", failed.summary)));
        } else if with(CheckStatus::Pending).is_some() {
            gates.shut(hold(format!("check {name} is running")));
        } else if found.is_empty() {
            gates.shut(hold(format!("check {name} has not reported")));
        } else {
            gates.open(Gate::Checks, format!("check {name} passed"));
        }
    }
}

fn check_name(required: &RequiredCheck) -> String {
    match &required.app {
        Some(app) => format!("`{}` by `{app}`", required.name),
        None => format!("`{}`", required.name),
    }
}

fn approvals(
    snapshot: &Snapshot,
    stage: &Stage,
    rule: &Approvals,
    proposal: &Proposal,
    pull_request: &PullRequest,
    gates: &mut MergeGates,
) {
    let head = pull_request.head.to_string();
    let ballots = ballots(snapshot, &rule.from, &pull_request.reviews);
    let authors = match authors(snapshot, stage, rule) {
        Ok(authors) => authors,
        Err(reason) if rule.unknown_authors_allowed => {
            let text = format!(
                "authors of the commits behind this digest are unknown ({reason}): accepted by `unknown_authors: allow`"
            );
            gates.open(Gate::Approvals, text);
            gates.unknown_authors = Some(reason);
            BTreeMap::new()
        }
        Err(reason) => {
            let text = format!(
                "authors of the commits behind this digest are unknown ({reason}); `unknown_authors: allow` accepts that"
            );
            gates.shut(HoldReason::new(&stage.name, Gate::Approvals, text).who("owner"));
            BTreeMap::new()
        }
    };
    let author_ids = authors.keys().copied().collect();
    let requester = proposal.requested_by.as_ref().map(|actor| actor.id);
    let void_until = snapshot.state.stage(&stage.name).and_then(|state| state.void_until);
    let (counted, discounted) =
        promotion::count(&ballots, &head, &rule.from, requester, &author_ids, void_until);
    let against: Vec<&str> = ballots
        .iter()
        // Of a rollback only those have a say who may approve it: no other keeps it waiting.
        .filter(|ballot| proposal.lane != Lane::Rollback || rule.from.is_empty() || !ballot.is.is_empty())
        .filter(|ballot| !ballot.approves && ballot.may_write && ballot.head == head)
        .map(|ballot| ballot.name.as_str())
        .collect();
    let found = u32::try_from(counted.len()).unwrap_or(u32::MAX);
    let names: Vec<&str> = counted.iter().map(|approval| approval.person.name.as_str()).collect();
    if !against.is_empty() {
        let text = format!("{} asked for changes", against.join(", "));
        gates.shut(HoldReason::new(&stage.name, Gate::Approvals, text).who(against.join(", ")));
    }
    let quorum = quorum(snapshot, rule, proposal.was.as_ref(), &proposal.release);
    if found >= quorum.count {
        let (count, why) = (quorum.count, quorum.why.map_or_else(String::new, |why| format!("; {why}")));
        gates.open(Gate::Approvals, format!("approved by {} ({found} of {count}{why})", names.join(", ")));
    } else {
        gates.shut(missing_approvals(stage, rule, found, quorum, proposal, &authors, &discounted));
    }
    gates.approvals = counted;
}

fn missing_approvals(
    stage: &Stage,
    rule: &Approvals,
    found: u32,
    quorum: Quorum,
    proposal: &Proposal,
    authors: &BTreeMap<u64, String>,
    discounted: &BTreeMap<String, Discount>,
) -> HoldReason {
    let who = principals(&rule.from, "write");
    let mut except: Vec<String> = authors.values().map(|name| format!("`{name}` (wrote commits)")).collect();
    let requested_by = proposal.requested_by.iter().filter(|actor| !actor.is_watch());
    except.extend(requested_by.map(|actor| format!("`{}` (asked for it)", actor.name)));
    let except = if except.is_empty() { String::new() } else { format!(", not {}", except.join(", ")) };
    let not_counted: Vec<String> =
        discounted.iter().map(|(name, discount)| format!("`{name}` {}", discount.text())).collect();
    let not_counted = if not_counted.is_empty() {
        String::new()
    } else {
        format!("; not counted: {}", not_counted.join(", "))
    };
    let why = quorum.why.map_or_else(String::new, |why| format!(" ({why})"));
    let count = quorum.count;
    let text = format!("approval {found} of {count}{why}. May approve: {who}{except}{not_counted}");
    HoldReason::new(&stage.name, Gate::Approvals, text).who(who)
}

/// The latest review of each person, with what the person is now.
fn ballots(snapshot: &Snapshot, from: &[Principal], reviews: &[Review]) -> Vec<Ballot> {
    let mut latest: BTreeMap<u64, &Review> = BTreeMap::new();
    for review in reviews {
        latest.insert(review.person.id, review);
    }
    let counts = latest.into_values().filter(|review| review.verdict != Verdict::Dismissed);
    counts.map(|review| ballot(snapshot, from, review)).collect()
}

fn ballot(snapshot: &Snapshot, from: &[Principal], review: &Review) -> Ballot {
    let standing = snapshot.standings.get(&review.person.id);
    Ballot {
        review: review.id,
        person: review.person.id,
        name: review.person.name.clone(),
        approves: review.verdict == Verdict::Approved,
        head: review.head.to_string(),
        at: review.at,
        is: from
            .iter()
            .filter(|&principal| standing.is_some_and(|standing| is(standing, principal)))
            .cloned()
            .collect(),
        may_write: standing.is_some_and(|standing| is(standing, &Principal::Role(RoleName::Write))),
        bot: review.person.bot,
    }
}

/// The people whose approval does not count because they wrote the code; an error where that cannot be known.
fn authors(snapshot: &Snapshot, stage: &Stage, rule: &Approvals) -> Result<BTreeMap<u64, String>, String> {
    if !rule.independent {
        return Ok(BTreeMap::new());
    }
    let reason = match snapshot.authors.get(&stage.name) {
        Some(Authors::Known(people)) => {
            return Ok(people.iter().map(|person| (person.id, person.name.clone())).collect());
        }
        Some(Authors::Unknown(reason)) => reason.clone(),
        None => "they were not read yet".to_owned(),
    };
    Err(reason)
}

/// Who these are, for people; names stand in code, so that nobody is mentioned.
pub(super) fn principals(list: &[Principal], otherwise: &str) -> String {
    if list.is_empty() {
        return otherwise.to_owned();
    }
    list.iter().map(|principal| format!("`{principal}`")).collect::<Vec<_>>().join(", ")
}
