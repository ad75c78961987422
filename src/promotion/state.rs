//! The state of a pipeline: a fold over its events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stage::{StageState, attempt_key};
use super::stint::{Stint, Stints};
use super::written::WrittenTags;
use super::{Actor, Approval, Entry, Event, HoldKind, Lane, Outcome, Signature, WatchBegan, WatchEnded, Why};
use crate::image::{Digest, Release};
use crate::pipeline::{Pipeline, StageName};

/// The state of a pipeline after all its events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Whether proposals have begun.
    pub started: bool,
    /// The stages that were ever seen.
    pub stages: BTreeMap<StageName, StageState>,
    /// The vetoes in force.
    pub vetoes: Vec<Veto>,
    /// The candidates of the follow rule, oldest first, with the time each was first seen.
    pub seen: VecDeque<(Release, Timestamp)>,
    /// The operations issue.
    pub issue: Option<u64>,
    /// Merged pull requests under which nothing is said yet.
    pub announcements_due: Vec<(StageName, u64)>,
    /// What is to be said under pull requests that were closed or stopped.
    #[serde(default)]
    pub words_due: Vec<Word>,
    /// What was said to be wrong with `lockkeeper.yaml`.
    pub file_error: Option<String>,
    /// Replies that do not stand at the forge yet.
    pub replies_due: Vec<Reply>,
    /// The tags that we wrote.
    #[serde(default)]
    pub tags: WrittenTags,
    /// The commands answered lately.
    answered: VecDeque<String>,
}

/// A reply that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The key of the command.
    pub command: String,
    /// The pull request or issue, and the comment.
    pub place: (u64, u64),
    /// How it ended.
    pub outcome: Outcome,
    /// The text.
    pub text: String,
}

/// Something that is still to be said under a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The pull request.
    pub number: u64,
    /// By which the comment is found again.
    pub marker: String,
    /// The text.
    pub text: String,
}

/// A stop on a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What kind.
    pub kind: HoldKind,
    /// Who put it.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// From when.
    pub at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The person who said it once more, on top of a hold that outlasts theirs, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<(Actor, Timestamp)>,
}

/// A stop on merging into a stage, by command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Who put it.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// From when.
    pub at: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A release that a person wants in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The lane.
    pub lane: Lane,
    /// The release.
    pub release: Release,
    /// Who asks.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A promotion under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The lane.
    pub lane: Lane,
    /// What the stage gets.
    pub release: Release,
    /// What it pinned when this was made.
    pub was: Option<Release>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The commit of the base it was made from, 40 hex digits.
    pub base: String,
    /// The branch.
    pub branch: String,
    /// Who asked for it.
    pub requested_by: Option<Actor>,
    /// Why.
    pub reason: Option<String>,
    /// When it was begun: the time of its commit, so that the commit can be made again.
    pub at: Timestamp,
    /// The pull request and the head pushed; none until both are there.
    pub open: Option<(u64, String)>,
    /// The head that a person pushed over ours.
    pub interrupted: Option<String>,
    /// Whether a person asked for another attempt.
    pub retry: bool,
    /// What of the stage's gates got looser since it was opened.
    pub loosened: Vec<String>,
    /// The merge under way.
    pub merging: Option<MergeIntent>,
    /// The closing under way.
    #[serde(default)]
    pub closing: Option<CloseIntent>,
}

/// A closing that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseIntent {
    /// Why.
    #[serde(flatten)]
    pub why: Why,
    /// What is said of it.
    pub text: String,
}

/// A merge that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeIntent {
    /// The approvals that counted.
    pub approvals: Vec<Approval>,
    /// The signatures that were verified for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// The exceptions by which it passes a freeze.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// A lasting no to some digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veto {
    /// The stage from which on it counts.
    pub stage: StageName,
    /// The digests.
    pub digests: BTreeSet<Digest>,
    /// What people call them.
    pub version: String,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// An event that cannot follow what was before it: the record is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event `{event}` of stage {stage} at {at} does not fit the state before it")]
pub struct IllegalEvent {
    event: &'static str,
    stage: StageName,
    at: Timestamp,
}

/// Candidates kept: enough to order every release that can still be live, bounded for memory.
const SEEN_MAX: usize = 500;
/// Answered commands kept: far more than can be open at once in one pipeline.
const ANSWERED_MAX: usize = 500;

impl State {
    /// The state of a stage, where it was ever seen.
    #[must_use]
    pub fn stage(&self, stage: &StageName) -> Option<&StageState> {
        self.stages.get(stage)
    }

    /// The stints of a stage.
    #[must_use]
    pub fn stints(&self, stage: &StageName) -> Option<&Stints> {
        self.stages.get(stage).map(|stage| &stage.stints)
    }

    /// The promotion under way in a stage.
    #[must_use]
    pub fn proposal(&self, stage: &StageName) -> Option<&Proposal> {
        self.stages.get(stage).and_then(|stage| stage.proposal.as_ref())
    }

    /// The live stint of a stage.
    #[must_use]
    pub fn live(&self, stage: &StageName) -> Option<&Stint> {
        self.stints(stage).and_then(Stints::live)
    }

    /// The hold in force on a stage at `now`.
    #[must_use]
    pub fn hold(&self, stage: &StageName, now: Timestamp) -> Option<&Hold> {
        let hold = self.stages.get(stage)?.hold.as_ref()?;
        hold.until.is_none_or(|until| until > now).then_some(hold)
    }

    /// The freeze by command that is in force in a stage at `now`.
    #[must_use]
    pub fn frozen(&self, stage: &StageName, now: Timestamp) -> Option<&Frozen> {
        let frozen = self.stages.get(stage)?.frozen.as_ref()?;
        frozen.until.is_none_or(|until| until > now).then_some(frozen)
    }

    /// The veto that hits this release in this stage: put there or upstream of it, on any of its digests.
    #[must_use]
    pub fn veto(&self, pipeline: &Pipeline, stage: &StageName, release: &Release) -> Option<&Veto> {
        let digests = release.digests();
        // A veto of a stage that the rules do not have any more counts everywhere.
        let counts_here = |veto: &&Veto| {
            pipeline.stage(&veto.stage).is_none() || pipeline.downstream(&veto.stage).contains(stage)
        };
        self.vetoes.iter().filter(counts_here).find(|veto| !veto.digests.is_disjoint(&digests))
    }

    /// Where the release stands in the order in which candidates were first seen; none if it never was one.
    #[must_use]
    pub fn seen_order(&self, release: &Release) -> Option<usize> {
        self.seen.iter().position(|(seen, _)| seen.is_same(release))
    }

    /// The stage that a pull request of ours is (or was) for.
    #[must_use]
    pub fn stage_of(&self, number: u64) -> Option<&StageName> {
        let is_for = |state: &StageState| {
            let open = state.proposal.as_ref().and_then(|proposal| proposal.open.as_ref());
            open.is_some_and(|open| open.0 == number)
                || state.stints.newest_first().any(|stint| stint.number == Some(number))
                || state.closed.contains(&number)
        };
        self.stages.iter().find(|(_, state)| is_for(state)).map(|(name, _)| name)
    }

    /// Whether this command was answered.
    #[must_use]
    pub fn is_answered(&self, command: &str) -> bool {
        self.answered.iter().any(|answered| answered == command)
    }

    /// How many attempts there were for this release in this lane of the stage.
    #[must_use]
    pub fn attempts(&self, stage: &StageName, lane: Lane, release: &Release) -> u32 {
        let stage = self.stages.get(stage);
        stage.and_then(|stage| stage.attempts.get(&attempt_key(lane, release))).copied().unwrap_or(0)
    }

    /// Folds one event in.
    ///
    /// # Errors
    /// [`IllegalEvent`] if it cannot follow what was before it.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), IllegalEvent> {
        let at = entry.at;
        match &entry.event {
            Event::Started { .. } => self.started = true,
            Event::Seen { release } => {
                if self.seen_order(release).is_none() {
                    push_bounded(&mut self.seen, (release.clone(), at), SEEN_MAX);
                }
            }
            Event::IssueOpened { number } => self.issue = Some(*number),
            Event::Answered { command, place, outcome, text } => {
                push_bounded(&mut self.answered, command.clone(), ANSWERED_MAX);
                let (command, text) = (command.clone(), text.clone());
                if let Some(place) = *place {
                    self.replies_due.push(Reply { command, place, outcome: *outcome, text });
                }
            }
            Event::Replied { command } => self.replies_due.retain(|reply| &reply.command != command),
            Event::Announced { number } => {
                self.announcements_due.retain(|(_, due)| due != number);
                self.words_due.retain(|word| word.number != *number);
            }
            Event::FileBroken { text } => self.file_error = Some(text.clone()),
            Event::FileMended => self.file_error = None,
            Event::Vetoed { .. } => self.vetoes.extend(Veto::of(&entry.event, at)),
            Event::Unvetoed { digests, by, .. } => {
                self.vetoes.retain(|veto| veto.digests.is_disjoint(digests));
                self.stages.values_mut().for_each(|stage| stage.note_unveto(digests, by, at));
            }
            event @ (Event::Tagged { .. } | Event::Drifted { .. } | Event::Untagged { .. }) => {
                self.tags.apply(event, at);
            }
            Event::Adopted { stage, .. }
            | Event::Missing { stage, .. }
            | Event::Observed { stage, .. }
            | Event::Found { stage, .. }
            | Event::WatchBegan(WatchBegan { stage, .. })
            | Event::WatchEnded(WatchEnded { stage, .. })
            | Event::Requested { stage, .. }
            | Event::Proposing { stage, .. }
            | Event::Proposed { stage, .. }
            | Event::Abandoned { stage, .. }
            | Event::MergeFailed { stage }
            | Event::Interrupted { stage, .. }
            | Event::RetryAsked { stage, .. }
            | Event::Merging { stage, .. }
            | Event::Merged { stage, .. }
            | Event::Closing { stage, .. }
            | Event::Closed { stage, .. }
            | Event::OutOfBand { stage, .. }
            | Event::Held { stage, .. }
            | Event::Resumed { stage, .. }
            | Event::Frozen { stage, .. }
            | Event::Unfrozen { stage, .. }
            | Event::Loosened { stage, .. }
            | Event::Mirrored { stage, .. } => {
                self.speak(stage, &entry.event);
                let illegal = IllegalEvent { event: entry.event.name(), stage: stage.clone(), at };
                self.stages.entry(stage.clone()).or_default().apply(&entry.event, at).ok_or(illegal)?;
                self.place(&entry.event, at);
            }
        }
        Ok(())
    }

    /// A hotfix need not be what any rule picks: that it came says where it stands among those that are picked.
    fn place(&mut self, event: &Event, at: Timestamp) {
        if let Event::Merged { lane: Lane::Hotfix, release, .. } = event
            && self.seen_order(release).is_none()
        {
            push_bounded(&mut self.seen, (release.clone(), at), SEEN_MAX);
        }
    }
}

impl Veto {
    fn of(event: &Event, at: Timestamp) -> Option<Self> {
        let Event::Vetoed { stage, digests, version, by, reason } = event else { return None };
        let (stage, digests, version) = (stage.clone(), digests.clone(), version.clone());
        Some(Self { stage, digests, version, by: by.clone(), reason: reason.clone(), at })
    }
}

pub(super) fn push_bounded<T>(list: &mut VecDeque<T>, item: T, max: usize) {
    list.push_back(item);
    if list.len() > max {
        list.pop_front();
    }
}
