//! Why a line is no command, in words for the answer.

use super::{ARGUMENT_CHARS_MAX, COMMANDS_MAX, COMMENT_BYTES_MAX};
use crate::pipeline::is_hidden;

/// Most characters of a comment that an answer repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// A line looks like a command and is none; no command of the comment is run.
///
/// The text is one line that never starts like a command, and repeats what people wrote only in code spans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct CommandError {
    /// The line of the comment, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no such verb.
    #[error("there is no command `/{found}`{}; `/help` lists all", meant.map(|verb| format!(", did you mean `/{verb}`?")).unwrap_or_default())]
    UnknownVerb {
        /// The word, letters only.
        found: String,
        /// The verb that is near to it.
        meant: Option<&'static str>,
    },
    /// A verb with something that belongs to no word.
    #[error("wanted a blank after `/{verb}`, found `{found}`")]
    Punctuation {
        /// The verb.
        verb: String,
        /// The word with what follows it.
        found: String,
    },
    /// Approving is no command.
    #[error("an approval is a review of the pull request, not a command; `/help` lists the commands")]
    ApprovalIsReview,
    /// There is no such lane, or there are two.
    #[error("wanted `lane=hotfix` or `lane=normal`, once, found `{found}`")]
    Lane {
        /// What was found.
        found: String,
    },
    /// A word stands where a stage stands, and is none.
    #[error("there is no stage or group `{found}` here{}", meant.as_ref().map(|name| format!(", did you mean `{name}`?")).unwrap_or_default())]
    NoStage {
        /// The word.
        found: String,
        /// The name that is near to it.
        meant: Option<String>,
    },
    /// What follows `to` names no release.
    #[error("wanted a version (`1.4.2`) or a digest (at least 7 hex digits), found `{found}`")]
    Target {
        /// The word.
        found: String,
    },
    /// What follows `until` is no time.
    #[error(
        "wanted a time (`2026-11-20T16:00:00Z`) or a duration up to 90 days (`2h`, `1d`), found `{found}`"
    )]
    Until {
        /// The word.
        found: String,
    },
    /// What is lifted is lifted at once.
    #[error("wanted a reason, found `until`; `/{lifts}` lifts at once, and `/{stops}` takes a time")]
    LiftUntil {
        /// The verb.
        lifts: &'static str,
        /// The one that takes a time.
        stops: &'static str,
    },
    /// Too many commands.
    #[error("wanted at most {COMMANDS_MAX} commands in a comment, found {found}")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// The line is too long.
    #[error("wanted at most {ARGUMENT_CHARS_MAX} characters after the command, found {found}")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// The comment is too long to be read.
    #[error("wanted a comment of at most {COMMENT_BYTES_MAX} bytes, found {found}")]
    CommentTooLong {
        /// How many there are.
        found: usize,
    },
    /// A control or a character that turns text around.
    #[error("wanted visible characters, found U+{:04X}", u32::from(*found))]
    Hidden {
        /// The character.
        found: char,
    },
}

impl CommandError {
    pub(super) fn new(line: usize, problem: Problem) -> Self {
        Self { line, problem }
    }
}

/// Text of a comment as an answer may repeat it in a code span: short, one line, without backticks.
pub(super) fn shown(text: &str) -> String {
    let is_safe = |c: &char| !is_hidden(*c) && *c != '`';
    text.chars().filter(is_safe).take(SHOWN_CHARS_MAX).collect()
}
