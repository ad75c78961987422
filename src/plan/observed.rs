//! What the world shows and the record does not say yet.

use std::collections::BTreeSet;

use super::effect::{Effect, Gate, HoldReason, Plan};
use super::pins::Pins;
use super::snapshot::{FileState, Snapshot};
use super::{candidate, messages, watch};
use crate::pipeline::{self, Stage};
use crate::promotion::{Actor, Event, HoldKind, Lane, Outcome, Proposal, Why};
use crate::pull_request::{Person, PullRequest, PullRequestState, Reaction};

/// Brings the record up to what was observed: one layer of the plan.
pub(super) fn settle(snapshot: &Snapshot, plan: &mut Plan) {
    if !snapshot.is_muted {
        replies(snapshot, plan);
        announcements(snapshot, plan);
    }
    for stage in &snapshot.pipeline.stages {
        pull_request(snapshot, stage, plan);
    }
    if !plan.effects.is_empty() {
        return;
    }
    for stage in &snapshot.pipeline.stages {
        pins(snapshot, stage, plan);
        loosened(snapshot, stage, plan);
    }
    seen(snapshot, plan);
    start(snapshot, plan);
    if !snapshot.is_muted {
        issue(snapshot, plan);
        file(snapshot, plan);
    }
}

/// Writes what is still due under people's comments, and marks it as written.
fn replies(snapshot: &Snapshot, plan: &mut Plan) {
    for reply in &snapshot.state.replies_due {
        let (thread, comment) = reply.place;
        let marker = format!("lockkeeper:reply:{comment}");
        plan.push(Effect::Comment { thread, marker, body: messages::reply(reply), after: Some(comment) });
        plan.push(Effect::React { comment, reaction: reaction(reply.outcome) });
        plan.record(snapshot.now, Event::Replied { command: reply.command.clone() });
    }
}

/// Says under each pull request that ended or was stopped how it went and what follows.
fn announcements(snapshot: &Snapshot, plan: &mut Plan) {
    let mut told = BTreeSet::new();
    for word in &snapshot.state.words_due {
        let (marker, body) = (word.marker.clone(), word.text.clone());
        plan.push(Effect::Comment { thread: word.number, marker, body, after: None });
        told.insert(word.number);
    }
    for (stage, number) in &snapshot.state.announcements_due {
        let body = messages::announcement(snapshot, stage, *number);
        plan.push(Effect::Comment {
            thread: *number,
            marker: "lockkeeper:status".to_owned(),
            body,
            after: None,
        });
        told.insert(*number);
    }
    for number in told {
        plan.record(snapshot.now, Event::Announced { number });
    }
}

/// Says in the operations issue that `lockkeeper.yaml` is broken, and that it is mended.
fn file(snapshot: &Snapshot, plan: &mut Plan) {
    let error = match snapshot.file {
        FileState::Broken { .. } => Some(messages::broken_file(snapshot)),
        FileState::Valid | FileState::Removed => None,
    };
    let Some(thread) = snapshot.state.issue.filter(|_| error != snapshot.state.file_error) else { return };
    let body = match &error {
        Some(text) => format!("✖ **{}**", messages::escape(text)),
        None => "● `lockkeeper.yaml` is valid again; its rules count.".to_owned(),
    };
    plan.push(Effect::Comment { thread, marker: "lockkeeper:file".to_owned(), body, after: None });
    plan.record(
        snapshot.now,
        match error {
            Some(text) => Event::FileBroken { text },
            None => Event::FileMended,
        },
    );
}

fn reaction(outcome: Outcome) -> Reaction {
    match outcome {
        Outcome::Done => Reaction::Rocket,
        Outcome::Denied => Reaction::ThumbsDown,
        Outcome::Refused | Outcome::Unknown => Reaction::Confused,
    }
}

/// What became of the pull request under way.
fn pull_request(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    let Some(pull_request) = snapshot.pull_request_of(&stage.name) else { return };
    let Some(proposal) = snapshot.state.proposal(&stage.name) else {
        return;
    };
    match &pull_request.state {
        PullRequestState::Merged { commit, at, by } => {
            plan.record(*at, merged(stage, proposal, pull_request.number, &commit.to_string()));
            if let Some(rule) = watch::rule(stage, proposal.lane) {
                plan.record(*at, watch::began(&stage.name, rule, &proposal.release, *at));
            }
            if by.id != snapshot.me.id {
                plan.record(snapshot.now, merged_by_person(stage, by, pull_request.number));
            }
        }
        PullRequestState::Closed { by, at } => {
            let why = if by.id == snapshot.me.id {
                // A stop came before the outcome was in the record.
                proposal.closing.as_ref().map_or(Why::Stale, |closing| closing.why.clone())
            } else {
                Why::Refused { by: actor(by, pull_request.number), closed_at: Some(*at) }
            };
            plan.record(
                snapshot.now,
                Event::Closed { stage: stage.name.clone(), number: pull_request.number, why },
            );
        }
        PullRequestState::Open => interrupted(snapshot, stage, proposal, pull_request, plan),
    }
}

fn merged(stage: &Stage, proposal: &Proposal, number: u64, commit: &str) -> Event {
    Event::Merged {
        stage: stage.name.clone(),
        lane: proposal.lane,
        release: proposal.release.clone(),
        was: proposal.was.clone(),
        number: Some(number),
        commit: commit.to_owned(),
        approvals: proposal.merging.as_ref().map(|merging| merging.approvals.clone()).unwrap_or_default(),
        signatures: proposal.merging.as_ref().map(|merging| merging.signatures.clone()).unwrap_or_default(),
        exceptions: proposal.merging.as_ref().map(|merging| merging.exceptions.clone()).unwrap_or_default(),
        requested_by: proposal.requested_by.clone(),
        reason: proposal.reason.clone(),
    }
}

/// A merge that is not ours went around the gates: the stage is held until a person has looked.
fn merged_by_person(stage: &Stage, by: &Person, number: u64) -> Event {
    Event::Held {
        stage: stage.name.clone(),
        kind: HoldKind::OutOfBand,
        by: Actor::lockkeeper(),
        reason: Some(format!("pull request {number} was merged by {}, not by lockkeeper", by.name)),
        until: None,
    }
}

/// A head that is not ours stops the promotion; it is never overwritten.
fn interrupted(
    snapshot: &Snapshot,
    stage: &Stage,
    proposal: &Proposal,
    pull_request: &PullRequest,
    plan: &mut Plan,
) {
    let found = pull_request.head.to_string();
    let is_ours = proposal.open.as_ref().is_some_and(|(_, head)| head == &found);
    if !is_ours && proposal.interrupted.as_ref() != Some(&found) {
        let number = pull_request.number;
        let (stage, text) = (stage.name.clone(), messages::interrupted(proposal, pull_request));
        plan.record(snapshot.now, Event::Interrupted { stage, number, head: found, text });
    }
}

/// First sight, and changes that are not ours.
fn pins(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    if snapshot.file == FileState::Removed {
        return;
    }
    let recorded = snapshot.state.live(&stage.name).map(|stint| &stint.release);
    let under_way = snapshot.state.proposal(&stage.name);
    let out_of_band = |found| Event::OutOfBand {
        stage: stage.name.clone(),
        found,
        replaced: recorded.cloned(),
        commit: snapshot.base.to_string(),
    };
    match (snapshot.pins(stage), recorded) {
        (Pins::Release(release), None) => {
            // Where our record begins it is adopted; where the record had something, somebody else put this there.
            let was_known = snapshot
                .state
                .stage(&stage.name)
                .is_some_and(|state| state.hold.is_some() || state.stints.newest_first().next().is_some());
            let event = if was_known {
                out_of_band(Some(release))
            } else {
                Event::Adopted { stage: stage.name.clone(), release }
            };
            plan.record(snapshot.now, event);
        }
        (Pins::Release(release), Some(recorded)) if !release.is_same(recorded) => {
            // Our own merge may be seen in the files a moment before it is seen at the pull request.
            if under_way
                .is_some_and(|proposal| proposal.merging.is_some() && proposal.release.is_same(&release))
            {
                let text = "the merge is seen in the files and not yet at the pull request";
                let again_at = candidate::later(snapshot.now, std::time::Duration::from_secs(1));
                plan.holds.push(HoldReason::new(&stage.name, Gate::Mergeable, text).opens_at(again_at));
            } else {
                plan.record(snapshot.now, out_of_band(Some(release)));
            }
        }
        (Pins::Unpinned(_), Some(_)) => plan.record(snapshot.now, out_of_band(None)),
        (Pins::Release(_) | Pins::Unpinned(_) | Pins::Mixed(_) | Pins::Unreadable(_), _) => {}
    }
}

/// Gates that got looser since the pull request was opened: approvals until now are void.
fn loosened(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    let Some(proposal) = snapshot.state.proposal(&stage.name) else {
        return;
    };
    let Some(rules) = snapshot.rules_at_open.get(&stage.name) else { return };
    let Some(before) = rules.stage(&stage.name) else { return };
    let mut what = pipeline::loosened(before, stage);
    let upstream = stage.after.iter().filter_map(|name| rules.stage(name).zip(snapshot.pipeline.stage(name)));
    what.extend(upstream.flat_map(|(before, after)| pipeline::loosened_live(before, after)));
    what.extend(pipeline::loosened_images(rules, &snapshot.pipeline));
    what.extend(pipeline::loosened_lint(rules, &snapshot.pipeline, &stage.name));
    what.extend(pipeline::loosened_freezes(rules, &snapshot.pipeline, stage, snapshot.now));
    if what != proposal.loosened && proposal.lane != Lane::Rollback {
        let commit = snapshot.base.to_string();
        // Also those that a clock before us dated later.
        let reviews = snapshot.pull_request_of(&stage.name).map(|found| found.reviews.as_slice());
        let last = reviews.unwrap_or_default().iter().map(|review| review.at).max();
        let at = last.unwrap_or(snapshot.now).max(snapshot.now);
        plan.record(at, Event::Loosened { stage: stage.name.clone(), what, commit });
    }
}

/// Candidates of the follow rules, in the order in which they came.
fn seen(snapshot: &Snapshot, plan: &mut Plan) {
    if snapshot.file != FileState::Valid {
        return;
    }
    let Some(first) = snapshot.pipeline.stages.first() else { return };
    if let Ok(release) = candidate::picked(snapshot, &first.name)
        && snapshot.state.seen_order(&release).is_none()
    {
        plan.record(snapshot.now, Event::Seen { release });
    }
}

fn start(snapshot: &Snapshot, plan: &mut Plan) {
    if snapshot.pipeline.start_now && !snapshot.state.started && snapshot.file == FileState::Valid {
        let by = Actor { id: 0, name: "lockkeeper.yaml".to_owned(), via: "start: now".to_owned() };
        plan.record(snapshot.now, Event::Started { by });
    }
}

/// The operations issue takes commands where no pull request is open.
fn issue(snapshot: &Snapshot, plan: &mut Plan) {
    if snapshot.state.issue.is_none() && snapshot.file == FileState::Valid {
        let (title, body) = messages::issue(snapshot);
        plan.push(Effect::Issue { title, body });
    }
}

fn actor(person: &Person, number: u64) -> Actor {
    Actor { id: person.id, name: person.name.clone(), via: format!("pull request {number}") }
}
