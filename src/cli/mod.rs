//! The command line: one file per command. Data goes to standard output, everything else to standard error.

mod context;
mod show;
mod sentence;
mod effects;
// The commands.
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod drift;
pub mod help;
pub mod history;
pub mod init;
pub mod keep_list;
pub mod lint;
pub mod observe;
pub mod order;
pub mod pins;
pub mod plan;
pub mod repin;
pub mod resolve;
pub mod serve;
pub mod status;
pub mod tags;
// The words of all of them.
mod program;

pub use context::Context;
pub use program::{Program, main};
pub use show::Colors;

use std::fmt;
use std::process::ExitCode;

/// How a command ends; the numbers are stable (`lockkeeper help exit-codes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; nothing found.
    Ok = 0,
    /// A negative answer: findings, differences, a shut gate.
    Negative = 1,
    /// The call's words are off.
    Usage = 2,
    /// The configuration is invalid.
    Configuration = 3,
    /// Authentication or permission.
    Permission = 4,
    /// No such pipeline, stage, image or file.
    NotFound = 5,
    /// Refused by state: held, vetoed, superseded, an edit that cannot be exact.
    Refused = 6,
    /// A remote is away; trying again is sensible.
    TryAgain = 7,
    /// A record or hash is broken.
    Integrity = 8,
}

/// An error for people: what happened, why, and the next command.
#[derive(Debug)]
pub struct CliError {
    /// How the program ends.
    pub exit: Exit,
    /// What went wrong, one line.
    pub what: String,
    /// Why, one line.
    pub why: Option<String>,
    /// What to do next, a command where there is one.
    pub next: Option<String>,
}

/// What each command returns.
pub type Outcome = Result<Exit, CliError>;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// JSON, one document; lists are arrays.
    Json,
}

impl Exit {
    /// All codes, with what they mean.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Ok, "done; nothing found"),
        (Self::Negative, "a negative answer: findings, differences, something is held"),
        (Self::Usage, "the words of the call are off"),
        (Self::Configuration, "the settings or lockkeeper.yaml are invalid"),
        (Self::Permission, "authentication or permission"),
        (Self::NotFound, "no such pipeline, stage, image or file"),
        (Self::Refused, "refused as things stand: held, vetoed, superseded, an edit that cannot be exact"),
        (Self::TryAgain, "something is away; trying again is sensible"),
        (Self::Integrity, "a record, a hash or the store is broken"),
    ];
}

impl CliError {
    /// An error with this exit code and text.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, next: None }
    }

    /// Adds why.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", self.what)?;
        if let Some(why) = &self.why {
            write!(formatter, "\n  why:  {why}")?;
        }
        if let Some(next) = &self.next {
            write!(formatter, "\n  next: {next}")?;
        }
        Ok(())
    }
}
