//! The state of one stage.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{CloseIntent, Frozen, Hold, MergeIntent, Proposal, Request, push_bounded};
use super::stint::{End, Origin, Stint, Stints};
use super::{Act, Actor, Event, HoldKind, Lane, WatchBegan, WatchEnded, Watched, Why};
use crate::image::{Digest, Release, ReleaseId, Repository};
use crate::pull_request::DeploymentStanding;

/// The state of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageState {
    /// What was live here, and is.
    pub stints: Stints,
    /// The hold in force.
    pub hold: Option<Hold>,
    /// The freeze by command in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// What a person asked for and has not come yet.
    pub request: Option<Request>,
    /// The promotion under way.
    pub proposal: Option<Proposal>,
    /// The pull request merged last.
    pub merged: Option<u64>,
    /// The pull requests closed lately without a merge: their threads still take commands.
    pub closed: VecDeque<u64>,
    /// Releases that a person refused here by closing their pull request.
    pub refused: BTreeSet<ReleaseId>,
    /// When each of those was refused, as far as that is known: what was asked before does not take it back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_at: BTreeMap<ReleaseId, Timestamp>,
    /// The merge that the forge's deployments show last, 40 hex digits, and how it stands there.
    #[serde(default)]
    pub mirrored: Option<(String, DeploymentStanding)>,
    /// Images that the registry does not have any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingImage>,
    /// Approvals up to this time are void.
    pub void_until: Option<Timestamp>,
    /// What people did here since the last promotion was merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
    /// Releases that lockkeeper took back here by itself: each once, so that they are kept for good.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) undone: BTreeSet<ReleaseId>,
    /// Attempts made, by lane and release.
    pub(super) attempts: BTreeMap<String, u32>,
}

/// An image that the registry does not have any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingImage {
    /// The repository.
    pub repository: Repository,
    /// The digest.
    pub digest: Digest,
    /// What of it is not there.
    pub what: String,
    /// Since when that is known.
    pub since: Timestamp,
}

/// Images kept that are missing: a release of as many as a pipeline may have, live and gone back to, and as many before.
const MISSING_MAX: usize = 256;
/// Closed pull requests kept by number, 8 bytes each.
const CLOSED_MAX: usize = 200;

impl StageState {
    /// What is known to be missing of an image.
    #[must_use]
    pub fn missing(&self, repository: &Repository, digest: Digest) -> Option<&MissingImage> {
        self.missing.iter().find(|known| known.digest == digest && known.repository == *repository)
    }

    /// Folds one event of this stage in; none if it does not fit.
    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) -> Option<()> {
        match event {
            Event::Adopted { release, .. } => self.begin(release, Origin::Adopted, at, None, None),
            Event::Requested { lane, release, by, reason, .. } => {
                self.refused.remove(&release.id());
                self.refused_at.remove(&release.id());
                self.request = Some(Request {
                    lane: *lane,
                    release: release.clone(),
                    by: by.clone(),
                    reason: reason.clone(),
                    at,
                });
            }
            Event::Proposing { .. } => self.begin_proposal(event, at)?,
            Event::Proposed { number, head, .. } => {
                self.proposal.as_mut()?.open = Some((*number, head.clone()));
            }
            Event::Abandoned { .. } => self.proposal = None,
            Event::MergeFailed { .. } => self.proposal.as_mut()?.merging = None,
            Event::Interrupted { head, .. } => self.proposal.as_mut()?.interrupted = Some(head.clone()),
            Event::RetryAsked { .. } => self.proposal.as_mut()?.retry = true,
            Event::Merging { approvals, signatures, exceptions, .. } => {
                let (approvals, signatures) = (approvals.clone(), signatures.clone());
                let exceptions = exceptions.clone();
                self.proposal.as_mut()?.merging = Some(MergeIntent { approvals, signatures, exceptions, at });
            }
            Event::Merged { .. } => self.merge(event, at)?,
            Event::Closing { why, text, .. } => {
                let (why, text) = (why.clone(), text.clone());
                self.proposal.as_mut()?.closing = Some(CloseIntent { why, text });
            }
            Event::Closed { why, .. } => self.close(why, at)?,
            Event::OutOfBand { found, commit, .. } => self.out_of_band(found.as_ref(), at, commit),
            Event::Held { kind, by, reason, until, .. } => {
                let (by, reason) = (by.clone(), reason.clone());
                let new = Hold { kind: *kind, by, reason, at, until: *until, again: None };
                self.hold = Some(stronger(self.hold.take(), new));
            }
            Event::Resumed { .. } => self.hold = None,
            Event::Frozen { by, reason, until, .. } => {
                self.frozen = Some(Frozen { by: by.clone(), reason: reason.clone(), at, until: *until });
            }
            Event::Unfrozen { .. } => self.frozen = None,
            Event::Loosened { what, .. } => self.loosen(what, at)?,
            Event::Mirrored { commit, standing, .. } => self.mirrored = Some((commit.clone(), *standing)),
            Event::Missing { .. } | Event::Found { .. } => self.note_missing(event, at),
            Event::Observed { release, seen, until, .. } => self.stints.observe(release, seen, at, *until),
            Event::WatchBegan(WatchBegan { release, .. }) => self.stints.watch(release, Watched::Running),
            Event::WatchEnded(WatchEnded { release, end, why, .. }) => {
                self.stints.watch(release, Watched::Ended { end: *end, at, why: why.clone() });
            }
            Event::Tagged { .. }
            | Event::Drifted { .. }
            | Event::Untagged { .. }
            | Event::Started { .. }
            | Event::Seen { .. }
            | Event::IssueOpened { .. }
            | Event::Answered { .. }
            | Event::Replied { .. }
            | Event::Announced { .. }
            | Event::FileBroken { .. }
            | Event::FileMended
            | Event::Vetoed { .. }
            | Event::Unvetoed { .. } => return None,
        }
        self.note_act(event, at);
        Some(())
    }

    fn note_missing(&mut self, event: &Event, at: Timestamp) {
        if let Event::Missing { repository, digest, what, .. } = event {
            let (repository, what) = (repository.clone(), what.clone());
            self.missing.push(MissingImage { repository, digest: *digest, what, since: at });
            let surplus = self.missing.len().saturating_sub(MISSING_MAX);
            self.missing.drain(..surplus);
        } else if let Event::Found { repository, digest, .. } = event {
            self.missing.retain(|known| known.digest != *digest || known.repository != *repository);
        }
    }

    fn begin(
        &mut self,
        release: &Release,
        origin: Origin,
        at: Timestamp,
        commit: Option<String>,
        number: Option<u64>,
    ) {
        self.stints.begin(Stint {
            release: release.clone(),
            origin,
            from: at,
            ended: None,
            commit,
            number,
            evidence: None,
            watch: None,
        });
    }

    fn begin_proposal(&mut self, event: &Event, at: Timestamp) -> Option<()> {
        let Event::Proposing { lane, release, was, attempt, base, branch, requested_by, reason, .. } = event
        else {
            return None;
        };
        self.attempts.insert(attempt_key(*lane, release), *attempt);
        self.proposal = Some(Proposal {
            lane: *lane,
            release: release.clone(),
            was: was.clone(),
            attempt: *attempt,
            base: base.clone(),
            branch: branch.clone(),
            requested_by: requested_by.clone(),
            reason: reason.clone(),
            at,
            open: None,
            interrupted: None,
            retry: false,
            loosened: Vec::new(),
            merging: None,
            closing: None,
        });
        Some(())
    }

    /// What was asked for, proposed and done before the merge is over with it.
    fn merge(&mut self, event: &Event, at: Timestamp) -> Option<()> {
        let Event::Merged { lane, release, number, commit, requested_by, .. } = event else { return None };
        if *lane == Lane::Rollback && requested_by.as_ref().is_some_and(Actor::is_watch) {
            self.note_undone();
        }
        let end = if *lane == Lane::Rollback { End::RolledBack } else { End::Replaced };
        self.stints.end(at, end);
        self.begin(release, Origin::Promoted(*lane), at, Some(commit.clone()), *number);
        self.merged = number.or(self.merged);
        self.proposal = None;
        self.request = None;
        self.acts.clear();
        Some(())
    }

    /// A person's closing refuses the release and drops the request; a veto or a removal drops the request as well.
    fn close(&mut self, why: &Why, recorded_at: Timestamp) -> Option<()> {
        let proposal = self.proposal.take()?;
        if let Some((number, _)) = proposal.open {
            push_bounded(&mut self.closed, number, CLOSED_MAX);
        }
        match why {
            Why::Refused { closed_at, .. } => {
                self.refused.insert(proposal.release.id());
                self.refused_at.insert(proposal.release.id(), closed_at.unwrap_or(recorded_at));
                self.request = None;
            }
            Why::Vetoed | Why::Removed => self.request = None,
            Why::Preempted | Why::Superseded { .. } => {
                let closed = &proposal.release;
                self.request = self
                    .request
                    .take()
                    .filter(|request| request.lane != Lane::Normal || !request.release.is_same(closed));
            }
            Why::Withdrawn => self.drop_watch_request(),
            Why::Stale | Why::Retried => {}
        }
        Some(())
    }

    /// Approvals up to now are void; not where what had been loosened was taken back.
    fn loosen(&mut self, what: &[String], at: Timestamp) -> Option<()> {
        if !what.is_empty() {
            self.void_until = Some(at);
        }
        self.proposal.as_mut()?.loosened = what.to_vec();
        Some(())
    }

    fn out_of_band(&mut self, found: Option<&Release>, at: Timestamp, commit: &str) {
        self.stints.end(at, End::OutOfBand);
        if let Some(found) = found {
            self.begin(found, Origin::OutOfBand, at, Some(commit.to_owned()), None);
        }
        let by = Actor {
            id: 0,
            name: "somebody".to_owned(),
            via: format!("commit {}", commit.get(..12).unwrap_or(commit)),
        };
        self.hold = Some(Hold {
            kind: HoldKind::OutOfBand,
            by,
            reason: Some("the pin was changed by a commit that is not lockkeeper's".to_owned()),
            at,
            until: None,
            again: None,
        });
        self.request = None;
    }
}

pub(super) fn attempt_key(lane: Lane, release: &Release) -> String {
    format!("{lane}/{}", release.id())
}

impl Hold {
    /// Whose word it is that holds last, and when it was said.
    #[must_use]
    pub fn last_word(&self) -> (&Actor, Timestamp) {
        self.again.as_ref().map_or((&self.by, self.at), |(by, at)| (by, *at))
    }
}

/// A person's hold does not weaken one that a rollback or an out-of-band change put, and that has no end; that somebody
/// said it, too, is kept.
fn stronger(old: Option<Hold>, new: Hold) -> Hold {
    match old {
        Some(old) if old.kind != HoldKind::Person && old.until.is_none() && new.kind == HoldKind::Person => {
            Hold { again: Some((new.by, new.at)), ..old }
        }
        Some(_) | None => new,
    }
}
