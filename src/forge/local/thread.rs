//! What one thread file holds: everything about a pull request or an issue.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Identified;
use crate::forge::{
    Comment, CommentId, ForgeError, Number, Person, PersonId, PullRequestState, Reaction, Review,
};
use crate::repository::CommitId;

/// The longest title, in bytes: a line that a list can show.
pub const TITLE_BYTES_MAX: usize = 512;
/// The longest body of a pull request, issue or comment, in bytes: what other forges allow.
pub const BODY_BYTES_MAX: usize = 65_536;
/// The longest label, in bytes.
pub(super) const LABEL_BYTES_MAX: usize = 100;
/// The most labels of a thread.
pub(super) const LABELS_MAX: usize = 50;
/// The most reviews of a pull request: 20 reviewers with 50 verdicts each.
pub(super) const REVIEWS_MAX: usize = 1_000;
/// The most intents kept: more processes than that never merge the same pull request at once.
pub(super) const INTENTS_MAX: usize = 32;
/// The most events kept in the timeline; older pushes fall out first.
pub(super) const EVENTS_MAX: usize = 1_000;

/// A pull request or issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thread {
    pub(super) number: Number,
    pub(super) kind: Kind,
    pub(super) author: Person,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) labels: BTreeSet<String>,
    pub(super) opened_at: Timestamp,
    pub(super) state: PullRequestState,
    pub(super) comments: Vec<Spoken>,
    pub(super) events: Vec<Happening>,
}

/// What kind of thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A pull request.
    Pull(Pull),
    /// An issue of lockkeeper.
    Issue {
        /// By which it is found again.
        key: String,
    },
}

/// What a pull request has beyond an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pull {
    pub(super) branch: String,
    pub(super) base: String,
    /// The tip of the branch when last seen; the final one once merged or closed.
    pub(super) head: CommitId,
    /// The base branch just before the merge, or when the pull request was last seen open: what the diff is against.
    pub(super) base_head: CommitId,
    pub(super) reviews: Vec<Given>,
    /// Merges that were begun, newest last.
    pub(super) intents: Vec<Intent>,
}

/// A review, and how its author was identified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) review: Review,
    pub(super) identified: Identified,
}

/// A merge that was begun: the commit exists, and may or may not have reached the base branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) commit: CommitId,
    pub(super) head: CommitId,
    pub(super) base_head: CommitId,
    pub(super) by: Person,
    pub(super) at: Timestamp,
}

/// A comment with the reactions to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spoken {
    pub(super) id: CommentId,
    pub(super) author: Person,
    pub(super) identified: Identified,
    pub(super) body: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) reactions: BTreeMap<PersonId, Reaction>,
}

/// Something that happened to a thread, apart from comments and reviews.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Happening {
    pub(super) at: Timestamp,
    pub(super) by: Person,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// The branch has a new tip.
    Pushed {
        /// The new head.
        head: CommitId,
    },
    /// The title was changed.
    Renamed {
        /// The title before.
        before: String,
    },
    /// Closed by somebody.
    Closed,
    /// Closed by the forge, as the branch is gone.
    BranchGone,
    /// Merged.
    Merged {
        /// The commit on the base branch.
        commit: CommitId,
    },
}

impl Thread {
    /// Whether it is neither merged nor closed.
    pub(super) fn is_open(&self) -> bool {
        self.state == PullRequestState::Open
    }

    /// What a pull request has; an issue is not found as one.
    pub(super) fn pull(&self) -> Result<&Pull, ForgeError> {
        match &self.kind {
            Kind::Pull(pull) => Ok(pull),
            Kind::Issue { .. } => Err(no_pull(self.number)),
        }
    }

    /// The same, to be changed.
    pub(super) fn pull_mut(&mut self) -> Result<&mut Pull, ForgeError> {
        match &mut self.kind {
            Kind::Pull(pull) => Ok(pull),
            Kind::Issue { .. } => Err(no_pull(self.number)),
        }
    }

    /// Notes an event. Past [`EVENTS_MAX`] the oldest falls out: a branch that is pushed to without end.
    pub(super) fn note(&mut self, at: Timestamp, by: Person, what: What) {
        if self.events.len() >= EVENTS_MAX {
            self.events.remove(0);
        }
        self.events.push(Happening { at, by, what });
    }

    /// Closes it, if it is open.
    pub(super) fn close(&mut self, at: Timestamp, by: &Person, what: What) {
        if self.is_open() {
            self.state = PullRequestState::Closed { at, by: by.clone() };
            self.note(at, by.clone(), what);
        }
    }

    /// Notes the merge that git has; it overrides a closing that came between, as the base branch holds the commit.
    pub(super) fn merged(&mut self, intent: &Intent, at: Timestamp) -> Result<(), ForgeError> {
        if matches!(self.state, PullRequestState::Merged { .. }) {
            return Ok(());
        }
        let pull = self.pull_mut()?;
        pull.head = intent.head;
        pull.base_head = intent.base_head;
        self.state = PullRequestState::Merged { commit: intent.commit, at, by: intent.by.clone() };
        self.note(at, intent.by.clone(), What::Merged { commit: intent.commit });
        Ok(())
    }
}

impl Spoken {
    /// The comment as the contract has it.
    pub(super) fn comment(&self, thread: Number) -> Comment {
        Comment {
            id: self.id,
            thread,
            author: self.author.clone(),
            body: self.body.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// The title as it is kept.
///
/// # Errors
/// [`ForgeError::Refused`] if it is empty, of several lines, or longer than [`TITLE_BYTES_MAX`].
pub(super) fn title(text: &str) -> Result<String, ForgeError> {
    let text = text.trim();
    let reason = match text.len() {
        0 => "it is empty".to_owned(),
        length if length > TITLE_BYTES_MAX => format!("{length} bytes, at most {TITLE_BYTES_MAX} are kept"),
        _ if text.contains(char::is_control) => "it must be one line".to_owned(),
        _ => return Ok(text.to_owned()),
    };
    Err(ForgeError::Refused { what: "title".to_owned(), reason })
}

/// The text of a body, with line ends as git has them: browsers send CR LF.
///
/// # Errors
/// [`ForgeError::Refused`] if it is longer than [`BODY_BYTES_MAX`].
pub(super) fn body(text: &str) -> Result<String, ForgeError> {
    if text.len() > BODY_BYTES_MAX {
        let reason = format!("{} bytes, at most {BODY_BYTES_MAX} are kept", text.len());
        return Err(ForgeError::Refused { what: "text".to_owned(), reason });
    }
    Ok(text.replace("\r\n", "\n"))
}

/// The labels as they are kept.
///
/// # Errors
/// [`ForgeError::Refused`] if there are more than [`LABELS_MAX`], or one is empty or longer than [`LABEL_BYTES_MAX`].
pub(super) fn labels(labels: &[String]) -> Result<BTreeSet<String>, ForgeError> {
    let refused = |reason: String| ForgeError::Refused { what: "labels".to_owned(), reason };
    if labels.len() > LABELS_MAX {
        return Err(refused(format!("{} of them, at most {LABELS_MAX} are kept", labels.len())));
    }
    match labels.iter().find(|label| label.is_empty() || label.len() > LABEL_BYTES_MAX) {
        Some(label) => Err(refused(format!("one has {} bytes, wanted 1 to {LABEL_BYTES_MAX}", label.len()))),
        None => Ok(labels.iter().cloned().collect()),
    }
}

fn no_pull(number: Number) -> ForgeError {
    ForgeError::NotFound { what: format!("pull request {number}") }
}
