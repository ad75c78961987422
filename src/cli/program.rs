//! The words of the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::{
    Colors, Context, Exit, Outcome, completions, demo, doctor, drift, help, history, init, keep_list, lint,
    observe, order, pins, plan, repin, resolve, serve, status, tags,
};

/// Moves pinned image digests through the environments of a git repository.
#[derive(Debug, Parser)]
#[command(
    name = "lockkeeper",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "Topics: lockkeeper help exit-codes · lockkeeper help settings"
)]
pub struct Program {
    /// The settings file; `lockkeeper help settings` prints all keys.
    #[arg(long, global = true, value_name = "FILE", env = "LOCKKEEPER_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// When to use colours; `NO_COLOR` is heeded.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colors,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    #[command(after_help = "Examples:\n  \
        lockkeeper demo\n  \
        lockkeeper demo --once --dir /tmp/lockkeeper-demo")]
    Demo(demo::Args),
    Status(status::Args),
    Drift(drift::Args),
    History(history::Args),
    KeepList(keep_list::Args),
    Plan(plan::Args),
    Promote(order::Promote),
    Rollback(order::Rollback),
    Hold(order::Hold),
    Resume(order::Resume),
    Freeze(order::Freeze),
    Unfreeze(order::Unfreeze),
    Observe(observe::Args),
    Doctor(doctor::Args),
    #[command(after_help = "Examples:\n  \
        lockkeeper init --dry-run\n  \
        lockkeeper init ../environments")]
    Init(init::Args),
    #[command(visible_alias = "check")]
    Lint(lint::Args),
    #[command(after_help = "Examples:\n  \
        lockkeeper pins apps/\n  \
        lockkeeper pins --git ../environments.git --rev main -o json")]
    Pins(pins::Args),
    #[command(after_help = "Examples:\n  \
        lockkeeper repin --image ghcr.io/acme/checkout --to 1.4.2@sha256:<64 hex digits> --dry-run apps/")]
    Repin(repin::Args),
    Resolve(resolve::Args),
    Tags(tags::Args),
    #[command(after_help = "Examples:\n  \
        lockkeeper completions bash > ~/.local/share/bash-completion/completions/lockkeeper\n  \
        lockkeeper completions zsh > \"${fpath[1]}/_lockkeeper\"")]
    Completions(completions::Args),
    #[command(after_help = "Examples:\n  lockkeeper help rollback\n  lockkeeper help exit-codes")]
    Help(help::Args),
}

/// Reads the words of this process, does what they say, and says on standard error what went wrong.
pub async fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => {
            // Help and version are asked for, and no errors; a closed pipe is none either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    match run(program).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("{error}");
            error.exit.into()
        }
    }
}

async fn run(program: Program) -> Outcome {
    let context = Context::new(program.config, program.color);
    match program.command {
        Command::Serve(args) => serve::run(&context, args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Status(args) => status::run(&context, args).await,
        Command::Drift(args) => drift::run(&context, args).await,
        Command::History(args) => history::run(&context, args).await,
        Command::KeepList(args) => keep_list::run(&context, args).await,
        Command::Plan(args) => plan::run(&context, args).await,
        Command::Promote(args) => order::promote(&context, args).await,
        Command::Rollback(args) => order::rollback(&context, args).await,
        Command::Hold(args) => order::hold(&context, args).await,
        Command::Resume(args) => order::resume(&context, args).await,
        Command::Freeze(args) => order::freeze(&context, args).await,
        Command::Unfreeze(args) => order::unfreeze(&context, args).await,
        Command::Observe(args) => observe::run(&context, args).await,
        Command::Doctor(args) => doctor::run(&context, args).await,
        Command::Init(args) => init::run(&args),
        Command::Lint(args) => lint::run(&context, args).await,
        Command::Pins(args) => pins::run(args).await,
        Command::Repin(args) => repin::run(args).await,
        Command::Resolve(args) => resolve::run(&context, args).await,
        Command::Tags(args) => tags::run(&context, args).await,
        Command::Completions(args) => completions::run(Program::command(), args.shell),
        Command::Help(args) => help::run(Program::command(), &args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_sentence_about_it() {
        for command in Program::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_shows_how_it_is_used() {
        for command in Program::command().get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("Examples:\n  lockkeeper"), "{}", command.get_name());
        }
    }
}
