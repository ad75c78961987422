//! What is looked at after a merge: how it goes, how it ends, and who acted meanwhile.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stage::StageState;
use super::{Actor, Event, HoldKind, Lane};
use crate::image::{Digest, Release};
use crate::pipeline::StageName;

/// A release that was merged into a stage is watched there from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchBegan {
    /// The stage.
    pub stage: StageName,
    /// What is watched.
    pub release: Release,
    /// When it ends by the rules of then.
    pub until: Timestamp,
}

/// The watch of a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEnded {
    /// The stage.
    pub stage: StageName,
    /// What was watched.
    pub release: Release,
    /// The pull request that brought it.
    pub number: Option<u64>,
    /// How.
    pub end: WatchEnd,
    /// The evidence, in one line.
    pub why: String,
    /// What lockkeeper did about it.
    pub followed: Followed,
    /// What is said of it under the pull request; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// How a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchEnd {
    /// The release was seen running and healthy at its end.
    Passed,
    /// It was seen degraded.
    Failed,
    /// Nothing showed it running and healthy at its end. It passes when something does.
    Unproven,
    /// Something else took its place before.
    CutShort,
}

/// What lockkeeper does where a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Followed {
    /// Nothing: it did not fail.
    Nothing,
    /// People are told, and nothing else.
    Told,
    /// The stage is held.
    Held,
    /// The stage goes back.
    RollingBack,
}

/// The watch of a release in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Watched {
    /// It goes on.
    Running,
    /// It ended.
    Ended {
        /// How.
        end: WatchEnd,
        /// When.
        at: Timestamp,
        /// The evidence, in one line.
        why: String,
    },
}

/// What a person did in a stage since its last promotion was merged: from then on lockkeeper does nothing there by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub what: Did,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// What people do that lockkeeper does not undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// `/hold`
    Hold,
    /// `/resume`
    Resume,
    /// `/promote`
    Promote,
    /// `/rollback`
    Rollback,
    /// `/unveto` of what is live.
    Unveto,
    /// They merged the pull request themselves.
    Merge,
}

/// By this lockkeeper acts for a watch.
const VIA: &str = "watch";

impl Actor {
    /// lockkeeper itself, after a watch that failed.
    #[must_use]
    pub fn watch() -> Self {
        Self { via: VIA.to_owned(), ..Self::lockkeeper() }
    }

    /// Whether that is who acted.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.id == 0 && self.via == VIA
    }
}

impl Watched {
    /// How it ended; none while it goes on.
    #[must_use]
    pub fn end(&self) -> Option<WatchEnd> {
        match self {
            Self::Running => None,
            Self::Ended { end, .. } => Some(*end),
        }
    }

    /// Whether it keeps the release from the stages after. What failed is kept from them by a veto, which people can
    /// take back.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        matches!(self.end(), Some(WatchEnd::Passed | WatchEnd::Failed))
    }

    /// Whether it may still end another way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.end(), None | Some(WatchEnd::Unproven))
    }
}

impl StageState {
    /// Whether lockkeeper took this release back here once by itself, or began to.
    #[must_use]
    pub fn was_undone(&self, release: &Release) -> bool {
        self.undone.contains(&release.id())
    }

    /// Notes who did what, and for whom.
    pub(super) fn note_act(&mut self, event: &Event, at: Timestamp) {
        if let Event::Requested { by, lane, .. } = event {
            let what = if *lane == Lane::Rollback { Did::Rollback } else { Did::Promote };
            self.note(what, by, at);
            if by.is_watch() && *lane == Lane::Rollback {
                self.note_undone();
            }
        } else if let Event::Held { kind: HoldKind::OutOfBand, by, .. } = event {
            self.acts.push(Act { what: Did::Merge, by: by.clone(), at });
        } else if let Event::Held { by, .. } = event {
            self.note(Did::Hold, by, at);
        } else if let Event::Resumed { by, .. } = event {
            self.note(Did::Resume, by, at);
        }
    }

    /// A veto on what is live here was taken back.
    pub(super) fn note_unveto(
        &mut self,
        digests: &std::collections::BTreeSet<Digest>,
        by: &Actor,
        at: Timestamp,
    ) {
        if self.stints.live().is_some_and(|live| !live.release.digests().is_disjoint(digests)) {
            self.note(Did::Unveto, by, at);
        }
    }

    /// A person's word ends what lockkeeper began by itself. Of each kind the last is kept.
    fn note(&mut self, what: Did, by: &Actor, at: Timestamp) {
        if by.id == 0 {
            return;
        }
        self.acts.retain(|known| known.what != what);
        self.acts.push(Act { what, by: by.clone(), at });
        self.drop_watch_request();
    }

    /// What lockkeeper began by itself ends; what a person asked for stays.
    pub(super) fn drop_watch_request(&mut self) {
        self.request = self.request.take().filter(|request| !request.by.is_watch());
    }

    /// What is live goes back by itself: that is done once.
    pub(super) fn note_undone(&mut self) {
        if let Some(live) = self.stints.live() {
            self.undone.insert(live.release.id());
        }
    }
}

impl fmt::Display for WatchEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unproven => "ended unproven",
            Self::CutShort => "was cut short",
        })
    }
}

impl fmt::Display for Did {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hold => "/hold",
            Self::Resume => "/resume",
            Self::Promote => "/promote",
            Self::Rollback => "/rollback",
            Self::Unveto => "/unveto",
            Self::Merge => "a merge by hand",
        })
    }
}
