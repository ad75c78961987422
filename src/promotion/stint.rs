//! Stints: which release was in a stage, from when until when, and how it ended.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Evidence, Lane, Seen, Watched};
use crate::image::Release;

/// How a release came into a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was there when the stage was first seen.
    Adopted,
    /// By a merge of ours.
    Promoted(Lane),
    /// By somebody else's commit.
    OutOfBand,
}

/// How a stint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Another release took its place.
    Replaced,
    /// It was rolled back: not good here.
    RolledBack,
    /// Somebody else's commit took its place.
    OutOfBand,
}

/// One release in one stage, for one unbroken time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stint {
    /// The release.
    pub release: Release,
    /// How it came.
    pub origin: Origin,
    /// From when.
    pub from: Timestamp,
    /// Until when, and how it ended; none while it is live.
    pub ended: Option<(Timestamp, End)>,
    /// The commit on the base branch that brought it, 40 hex digits; none where it was adopted.
    pub commit: Option<String>,
    /// The pull request that brought it.
    pub number: Option<u64>,
    /// What was observed of it, where anybody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How it was watched after the merge, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watched>,
}

/// The stints of one stage, oldest first; the last is live if it has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stints {
    stints: VecDeque<Stint>,
}

/// Stints kept in the state: 200 × about 400 bytes stay under 100 kB a stage. Older ones remain events.
const STINTS_MAX: usize = 200;

impl Stints {
    /// The live stint.
    #[must_use]
    pub fn live(&self) -> Option<&Stint> {
        self.stints.back().filter(|stint| stint.ended.is_none())
    }

    /// All stints, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Stint> {
        self.stints.iter().rev()
    }

    /// Ends the live stint, where there is one.
    pub(super) fn end(&mut self, at: Timestamp, end: End) {
        if let Some(stint) = self.stints.back_mut().filter(|stint| stint.ended.is_none()) {
            stint.ended = Some((at, end));
        }
    }

    /// Begins a stint; the one before has ended.
    pub(super) fn begin(&mut self, stint: Stint) {
        self.stints.push_back(stint);
        if self.stints.len() > STINTS_MAX {
            self.stints.pop_front();
        }
    }

    /// Notes what was seen of the live release. What was seen of one that has gone meanwhile says nothing any more.
    pub(super) fn observe(
        &mut self,
        release: &Release,
        seen: &Seen,
        at: Timestamp,
        until: Option<Timestamp>,
    ) {
        let live = self.stints.back_mut().filter(|stint| stint.ended.is_none());
        if let Some(stint) = live.filter(|stint| stint.release.is_same(release)) {
            stint.evidence = Some(Evidence::after(stint.evidence.take(), seen.clone(), at, until));
        }
    }

    /// Notes how the watch of a release goes: of the one that is live as it begins, else of the last that may still end.
    pub(super) fn watch(&mut self, release: &Release, watched: Watched) {
        let is_begin = watched == Watched::Running;
        let is_it = |stint: &&mut Stint| {
            stint.release.is_same(release)
                && stint.watch.as_ref().map_or(is_begin && stint.ended.is_none(), Watched::is_open)
        };
        if let Some(stint) = self.stints.iter_mut().rev().find(is_it) {
            stint.watch = Some(watched);
        }
    }

    /// Whether no watch keeps this release from the stages after: it passed, or was not watched.
    #[must_use]
    pub fn has_passed_watch(&self, release: &Release) -> bool {
        self.good(release).any(|stint| stint.watch.as_ref().is_none_or(Watched::lets_pass))
    }

    /// Whether this release was rolled back here and has not come back since.
    #[must_use]
    pub fn was_rolled_back(&self, release: &Release) -> bool {
        let last = self.newest_first().find(|stint| stint.release.is_same(release));
        last.is_some_and(|stint| matches!(stint.ended, Some((_, End::RolledBack))))
    }

    /// Whether somebody else's commit took this release out by bringing back one that had been here before: a revert.
    #[must_use]
    pub fn was_reverted(&self, release: &Release) -> bool {
        let Some(last) = self.stints.iter().rposition(|stint| stint.release.is_same(release)) else {
            return false;
        };
        let is_out = |stint: &Stint| matches!(stint.ended, Some((_, End::OutOfBand)));
        let next = self.stints.get(last + 1);
        self.stints.get(last).is_some_and(is_out)
            && next.is_some_and(|next| {
                self.stints.iter().take(last).any(|stint| stint.release.is_same(&next.release))
            })
    }

    /// The longest unbroken time that the release was live here by a promotion, since it was last rolled back here.
    ///
    /// None if it never was: an adopted or out-of-band release does not pass, also where a rollback restored it, and
    /// neither does one that somebody else took out.
    #[must_use]
    pub fn longest(&self, release: &Release, now: Timestamp) -> Option<Duration> {
        self.good(release).map(|stint| stint.length(now)).max()
    }

    /// The same of the time in which it was observed running, up to `until` where it is live; none where it never was.
    #[must_use]
    pub fn longest_observed(&self, release: &Release, until: Option<Timestamp>) -> Option<Duration> {
        let seen = self.good(release).filter_map(|stint| {
            let evidence = stint.evidence.as_ref().filter(|evidence| evidence.first.is_some())?;
            Some(evidence.longest(until.filter(|_| stint.ended.is_none())))
        });
        seen.max()
    }

    /// The stints that count for a release.
    fn good<'a>(&'a self, release: &'a Release) -> impl Iterator<Item = &'a Stint> {
        let is_promoted =
            |stint: &Stint| matches!(stint.origin, Origin::Promoted(Lane::Normal | Lane::Hotfix));
        let has_come = self.stints.iter().any(|stint| stint.release.is_same(release) && is_promoted(stint));
        self.newest_first()
            .filter(move |stint| has_come && stint.release.is_same(release))
            .take_while(|stint| !matches!(stint.ended, Some((_, End::RolledBack))))
            .filter(|stint| !matches!(stint.ended, Some((_, End::OutOfBand))))
            .filter(|stint| matches!(stint.origin, Origin::Promoted(_)))
    }
}

impl Stint {
    /// How long it lasted, or lasts by now.
    #[must_use]
    pub fn length(&self, now: Timestamp) -> Duration {
        let end = self.ended.map_or(now, |(at, _)| at);
        Duration::try_from(end.duration_since(self.from)).unwrap_or_default()
    }

    /// Whether somebody observed the stage meanwhile, and never saw it run.
    #[must_use]
    pub fn was_never_seen(&self) -> bool {
        self.evidence.as_ref().is_some_and(|evidence| evidence.first.is_none())
    }
}
