//! The names of events, as they are stored.

use super::Event;

impl Event {
    /// The name, as it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Adopted { .. } => "adopted",
            Self::Seen { .. } => "seen",
            Self::Requested { .. } => "requested",
            Self::Proposing { .. } => "proposing",
            Self::Proposed { .. } => "proposed",
            Self::Abandoned { .. } => "abandoned",
            Self::Interrupted { .. } => "interrupted",
            Self::Merging { .. } => "merging",
            Self::Merged { .. } => "merged",
            Self::MergeFailed { .. } => "merge_failed",
            Self::Closing { .. } => "closing",
            Self::Closed { .. } => "closed",
            Self::OutOfBand { .. } => "out_of_band",
            Self::Held { .. } => "held",
            Self::Resumed { .. } => "resumed",
            Self::Frozen { .. } => "frozen",
            Self::Unfrozen { .. } => "unfrozen",
            Self::Vetoed { .. } => "vetoed",
            Self::Unvetoed { .. } => "unvetoed",
            Self::Loosened { .. } => "loosened",
            Self::IssueOpened { .. } => "issue_opened",
            Self::Answered { .. } => "answered",
            Self::Replied { .. } => "replied",
            Self::Announced { .. } => "announced",
            Self::Mirrored { .. } => "mirrored",
            Self::Observed { .. } => "observed",
            Self::WatchBegan(_) => "watch_began",
            Self::WatchEnded(_) => "watch_ended",
            Self::Missing { .. } => "missing",
            Self::Found { .. } => "found",
            Self::Tagged { .. } => "tagged",
            Self::Drifted { .. } => "drifted",
            Self::Untagged { .. } => "untagged",
            Self::FileBroken { .. } => "file_broken",
            Self::FileMended => "file_mended",
            Self::RetryAsked { .. } => "retry_asked",
        }
    }
}
