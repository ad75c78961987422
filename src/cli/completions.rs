//! `lockkeeper completions`: what a shell needs to complete the command line.

use clap_complete::Shell;

use super::{Exit, Outcome, pins};

/// Print a completion script for a shell, to be sourced or put in its folder of completions.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script for this command line.
///
/// # Errors
/// Exit 7 if standard output cannot be written.
pub fn run(mut command: clap::Command, shell: Shell) -> Outcome {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    pins::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script() {
        for shell in Shell::value_variants() {
            let command = clap::Command::new("lockkeeper").subcommand(clap::Command::new("init"));
            assert!(matches!(run(command, *shell), Ok(Exit::Ok)), "{shell}");
        }
    }
}
