//! The verbs, and who may use them.

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::pipeline::nearest;

/// Most edits between a mistyped verb and the one meant.
const TYPO_EDITS_MAX: usize = 2;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// `/promote`
    Promote,
    /// `/rollback`
    Rollback,
    /// `/hold`
    Hold,
    /// `/resume`
    Resume,
    /// `/veto`
    Veto,
    /// `/unveto`
    Unveto,
    /// `/freeze`
    Freeze,
    /// `/unfreeze`
    Unfreeze,
    /// `/retry`
    Retry,
    /// `/status`
    Status,
    /// `/explain`
    Explain,
    /// `/history`
    History,
    /// `/help`
    Help,
}

/// What somebody is, with regard to one stage of one pipeline. People have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read the environment repository.
    Read,
    /// May write to it.
    Write,
    /// Is the pipeline's `owner`, or in that team.
    Owner,
    /// Is in the stage's `approvals.from`.
    Approver,
    /// Is in the stage's `rollback.by`; where there is none: owner and write.
    OnCall,
    /// Administers the repository.
    Admin,
}

/// The roles of which one is needed for a verb; whoever has none of them is refused.
///
/// The table is the design page's, section 6. A role stands for itself: an administrator has write permission and
/// therefore `Write` as well, but is nobody's owner or on-call by that.
#[must_use]
pub fn allowed(verb: Verb) -> &'static [Role] {
    match verb {
        Verb::Promote | Verb::Freeze | Verb::Unfreeze => &[Role::Owner],
        Verb::Rollback => &[Role::OnCall],
        Verb::Hold | Verb::Resume => &[Role::Write, Role::OnCall, Role::Admin],
        Verb::Veto | Verb::Unveto => &[Role::Owner, Role::Approver],
        Verb::Retry => &[Role::Write, Role::Admin],
        Verb::Status | Verb::Explain | Verb::History | Verb::Help => {
            &[Role::Read, Role::Write, Role::Owner, Role::Approver, Role::OnCall, Role::Admin]
        }
    }
}

/// Where a command is written. The command line is no such place: it names what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A promotion's pull request that is open.
    OpenPromotion,
    /// One that is merged or closed.
    EndedPromotion,
    /// The operations issue of the pipeline.
    OperationsIssue,
}

/// The places where a verb works; in others it is refused.
///
/// The table is the design page's, section 6.
#[must_use]
pub fn works_on(verb: Verb) -> &'static [Place] {
    match verb {
        Verb::Promote => &[Place::OpenPromotion, Place::OperationsIssue],
        Verb::Freeze | Verb::Unfreeze => &[Place::OperationsIssue],
        Verb::Retry => &[Place::OpenPromotion],
        Verb::Rollback
        | Verb::Hold
        | Verb::Resume
        | Verb::Veto
        | Verb::Unveto
        | Verb::Status
        | Verb::Explain
        | Verb::History
        | Verb::Help => &[Place::OpenPromotion, Place::EndedPromotion, Place::OperationsIssue],
    }
}

impl Place {
    /// In words, after "on".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenPromotion => "an open promotion",
            Self::EndedPromotion => "a merged or closed promotion",
            Self::OperationsIssue => "the operations issue",
        }
    }
}

impl Verb {
    /// All verbs, in the order of the help.
    pub const ALL: [Self; 13] = [
        Self::Promote,
        Self::Rollback,
        Self::Hold,
        Self::Resume,
        Self::Veto,
        Self::Unveto,
        Self::Freeze,
        Self::Unfreeze,
        Self::Retry,
        Self::Status,
        Self::Explain,
        Self::History,
        Self::Help,
    ];

    /// The word, without `/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Veto => "veto",
            Self::Unveto => "unveto",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Retry => "retry",
            Self::Status => "status",
            Self::Explain => "explain",
            Self::History => "history",
            Self::Help => "help",
        }
    }

    /// The verb of this word; the case of its letters does not matter, as phones change it.
    pub(super) fn of_word(word: &str) -> Result<Self, Problem> {
        let word = word.to_ascii_lowercase();
        if let Some(verb) = Self::ALL.into_iter().find(|verb| verb.name() == word) {
            return Ok(verb);
        }
        if word == "approve" || word == "unapprove" {
            return Err(Problem::ApprovalIsReview);
        }
        let meant = nearest(&word, Self::ALL.map(Self::name), TYPO_EDITS_MAX);
        Err(Problem::UnknownVerb { found: word, meant })
    }
}
