//! The grammar of commands in comments: `/rollback prod to 1.4.1 INC-2041 p99 too high`.
//!
//! A command stands on a line of its own, at column 0, in a top-level paragraph of the comment: `/verb …` or
//! `@<bot> verb …`. Code, quotes, lists, headings, tables, links and HTML are never commands. At most five, all or none:
//! one line that looks like a command and is none stops all of them, and the answer says why.
//!
//! Words are told apart by their place: the stage or group first (where it is the name of one), then `to <version or
//! digest>` or `until <time>`, the rest is the reason. Only the text is read here; who may use a command is
//! [`allowed`], whether it still applies is the planner's business.

mod verb;
mod target;
mod error;
mod lines;
mod words;
mod help;

pub use error::{CommandError, Problem};
pub use help::help_text;
pub use target::{Target, Until};
pub use verb::{Place, Role, Verb, allowed, works_on};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use lines::Line;
use words::Words;

/// Most commands of one comment.
pub const COMMANDS_MAX: usize = 5;
/// Longest comment that is read, in bytes: the forge's own limit is 65,536 characters.
pub const COMMENT_BYTES_MAX: usize = 1 << 16;
/// Longest command line, in characters: a reason is a sentence or two, and pages repeat it.
pub const ARGUMENT_CHARS_MAX: usize = 1_000;

/// The word for every stage of a pipeline; no stage has it as its name.
pub const ALL: &str = "all";

/// One command, with its arguments by their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Command {
    /// Propose a release now; the gates of the lane still apply.
    Promote {
        /// The stage; none: the one of the pull request.
        stage: Option<String>,
        /// The release; none: the candidate.
        to: Option<Target>,
        /// The lane.
        #[serde(default)]
        lane: AskedLane,
        /// Why.
        reason: Option<String>,
    },
    /// Go back, and hold the stage there.
    Rollback {
        /// The stage or group; none: the one of the pull request.
        stage: Option<String>,
        /// The release; none: the one before.
        to: Option<Target>,
        /// Why.
        reason: Option<String>,
    },
    /// Stop a stage.
    Hold {
        /// The stage or group; none: the one of the pull request.
        stage: Option<String>,
        /// When the hold ends by itself; none: never.
        until: Option<Until>,
        /// Why.
        reason: Option<String>,
    },
    /// Lift a hold.
    Resume {
        /// The stage or group; none: the one of the pull request.
        stage: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// A lasting no to one release, here and downstream.
    Veto {
        /// The release; none: the one of the pull request.
        target: Option<Target>,
        /// Why.
        reason: Option<String>,
    },
    /// Take a veto back.
    Unveto {
        /// The release; none: the one of the pull request.
        target: Option<Target>,
        /// Why.
        reason: Option<String>,
    },
    /// Stop merging into a stage.
    Freeze {
        /// The stage or group; none, or `all`: all.
        stage: Option<String>,
        /// When the freeze ends by itself; none: never.
        until: Option<Until>,
        /// Why.
        reason: Option<String>,
    },
    /// Lift that.
    Unfreeze {
        /// The stage or group; none, or `all`: all.
        stage: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// Look again, and try again what failed.
    Retry,
    /// Say what is where.
    Status {
        /// The stage or group; none: all.
        stage: Option<String>,
    },
    /// Say what is waited for, and for whom.
    Explain {
        /// The stage or group; none: all.
        stage: Option<String>,
    },
    /// Say what was where.
    History {
        /// The stage or group; none: all.
        stage: Option<String>,
    },
    /// List the commands.
    Help,
}

/// The lane that a person asks for; the way back has a verb of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedLane {
    /// Through all gates.
    #[default]
    Normal,
    /// Past the stages before.
    Hotfix,
}

impl Command {
    /// The verb, for [`allowed`].
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::Promote { .. } => Verb::Promote,
            Self::Rollback { .. } => Verb::Rollback,
            Self::Hold { .. } => Verb::Hold,
            Self::Resume { .. } => Verb::Resume,
            Self::Veto { .. } => Verb::Veto,
            Self::Unveto { .. } => Verb::Unveto,
            Self::Freeze { .. } => Verb::Freeze,
            Self::Unfreeze { .. } => Verb::Unfreeze,
            Self::Retry => Verb::Retry,
            Self::Status { .. } => Verb::Status,
            Self::Explain { .. } => Verb::Explain,
            Self::History { .. } => Verb::History,
            Self::Help => Verb::Help,
        }
    }

    /// The stage or group that is named.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Promote { stage, .. }
            | Self::Rollback { stage, .. }
            | Self::Hold { stage, .. }
            | Self::Resume { stage, .. }
            | Self::Freeze { stage, .. }
            | Self::Unfreeze { stage, .. }
            | Self::Status { stage }
            | Self::Explain { stage }
            | Self::History { stage } => stage.as_deref(),
            Self::Veto { .. } | Self::Unveto { .. } | Self::Retry | Self::Help => None,
        }
    }

    /// The reason that is given.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Promote { reason, .. }
            | Self::Rollback { reason, .. }
            | Self::Hold { reason, .. }
            | Self::Resume { reason, .. }
            | Self::Freeze { reason, .. }
            | Self::Unfreeze { reason, .. }
            | Self::Veto { reason, .. }
            | Self::Unveto { reason, .. } => reason.as_deref(),
            Self::Retry | Self::Status { .. } | Self::Explain { .. } | Self::History { .. } | Self::Help => {
                None
            }
        }
    }
}

/// Reads the commands of a comment. `bot` is the login that a mention names, with or without `[bot]`; `known` are the
/// names of all stages and groups that a command may mean here. A comment without a command gives an empty list.
///
/// # Errors
/// [`CommandError`] for the first line that looks like a command for us and is none; then nothing is to be done.
pub fn parse(body: &str, bot: &str, known: &BTreeSet<String>) -> Result<Vec<Command>, CommandError> {
    let found = lines::lines(body, bot)?;
    if let Some(line) = found.get(COMMANDS_MAX) {
        return Err(CommandError::new(line.number, Problem::TooMany { found: found.len() }));
    }
    let command =
        |line: &Line<'_>| command(line, known).map_err(|problem| CommandError::new(line.number, problem));
    found.iter().map(command).collect()
}

fn command(line: &Line<'_>, known: &BTreeSet<String>) -> Result<Command, Problem> {
    let verb = Verb::of_word(line.verb)?;
    let mut words = Words::new(line.arguments, known)?;
    match verb {
        Verb::Promote => {
            let (stage, to) = (words.stage()?, words.to()?);
            let lane = words.lane()?;
            Ok(Command::Promote { stage, to, lane, reason: words.reason() })
        }
        Verb::Rollback => {
            Ok(Command::Rollback { stage: words.stage()?, to: words.to()?, reason: words.reason() })
        }
        Verb::Hold => {
            Ok(Command::Hold { stage: words.stage()?, until: words.until()?, reason: words.reason() })
        }
        Verb::Resume => {
            let stage = words.stage()?;
            words.refuse_until("resume", "hold")?;
            Ok(Command::Resume { stage, reason: words.reason() })
        }
        Verb::Veto => Ok(Command::Veto { target: words.target()?, reason: words.reason() }),
        Verb::Unveto => Ok(Command::Unveto { target: words.target()?, reason: words.reason() }),
        Verb::Freeze => {
            let (stage, until) = (words.stage_or_all()?, words.until()?);
            Ok(Command::Freeze { stage, until, reason: words.reason() })
        }
        Verb::Unfreeze => {
            let stage = words.stage_or_all()?;
            words.refuse_until("unfreeze", "freeze")?;
            Ok(Command::Unfreeze { stage, reason: words.reason() })
        }
        Verb::Retry => Ok(Command::Retry),
        Verb::Status => Ok(Command::Status { stage: words.only_stage()? }),
        Verb::Explain => Ok(Command::Explain { stage: words.only_stage()? }),
        Verb::History => Ok(Command::History { stage: words.only_stage()? }),
        Verb::Help => Ok(Command::Help),
    }
}

#[cfg(test)]
mod tests;
