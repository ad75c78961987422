//! `lockkeeper help`: a command, or one of the topics.

use std::fmt::Write as _;

use super::{CliError, Exit, Outcome, pins};
use crate::settings;

/// Print help for a command, or about a topic: exit-codes, settings.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A command, `exit-codes` or `settings`.
    topic: Option<String>,
}

/// Prints the help.
///
/// # Errors
/// Exit 2 if there is no such command or topic.
pub fn run(mut program: clap::Command, args: &Args) -> Outcome {
    let text = match args.topic.as_deref() {
        None => program.render_help().to_string(),
        Some("exit-codes") => exit_codes(),
        Some("settings") => settings::DEFAULT.to_owned(),
        Some(name) => {
            // Building gives a subcommand its full name, `lockkeeper status`.
            program.build();
            let found = program.find_subcommand_mut(name);
            let missing = CliError::new(Exit::Usage, format!("there is no help about {name:?}"));
            let found = found.ok_or_else(|| missing.next("lockkeeper help"))?;
            found.render_long_help().to_string()
        }
    };
    pins::print(&text)?;
    Ok(Exit::Ok)
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes, which do not change:\n\n");
    for (exit, meaning) in Exit::ALL {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "  {}  {meaning}", exit as u8);
    }
    text
}
