//! `lockkeeper lint`: what in a checkout is not pinned, or pinned to what is not there; for CI and before commits.

mod files;
mod ask;
mod fix;
mod text;
mod document;
mod sarif;
mod github;
mod rules;

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::files::Files;
use self::fix::Fixed;
use super::{CliError, Context, Exit, Outcome, pins, repin};
use crate::lint::{Asks, Report, Terms};
use crate::pipeline::Severity;

/// Find images that are not pinned, or pinned to what the registry does not have, in manifests, CI files and scripts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper lint\n  \
    lockkeeper lint --offline -o github --deny warnings\n  \
    lockkeeper lint -o sarif > lint.sarif\n  \
    lockkeeper lint --fix --dry-run apps/\n\n\
    It ends with 1 where errors are found, with 3 where lockkeeper.yaml is broken, with 7 where a registry could not be\n\
    asked. Severities and exemptions stand in lockkeeper.yaml under `lint`; `lockkeeper lint --rules` lists the rules.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Args {
    /// Files and folders; without any, the folder at hand. The rules of the repository around them count.
    paths: Vec<PathBuf>,
    /// Ask no registry: the rules that need one are left out, and it says so.
    #[arg(long, conflicts_with = "fix")]
    offline: bool,
    /// What ends with 1 beside errors.
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Pin references to what their tags name now, where exactly that can be changed.
    #[arg(long)]
    fix: bool,
    /// With --fix: show the change and write nothing.
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// List the rules, and end.
    #[arg(long)]
    rules: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How long one request to a registry may take, in seconds; else as the settings say, 30 without any.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: Option<u64>,
}

/// What ends with 1 beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    /// Warnings, too.
    Warnings,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Output {
    /// Lines for people.
    #[default]
    Text,
    /// JSON, one document.
    Json,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Everything that is printed.
struct Told<'t> {
    files: &'t Files,
    report: &'t Report,
    fixed: Option<&'t Fixed>,
    exit: Exit,
}

/// Lints.
///
/// # Errors
/// Exit 3 if `lockkeeper.yaml` is broken, 4 if a file cannot be written, 5 if a path does not exist.
pub async fn run(context: &Context, args: Args) -> Outcome {
    if args.rules {
        pins::print(&rules::list(args.output)?)?;
        return Ok(Exit::Ok);
    }
    let paths = args.paths.clone();
    let read = tokio::task::spawn_blocking(move || Files::read(&paths)).await;
    let mut files = read.map_err(|error| {
        CliError::new(Exit::Integrity, "reading stopped half way").why(error.to_string())
    })??;
    let terms = Terms { today: Timestamp::now().to_zoned(TimeZone::UTC).date(), asks: asks(&args) };
    let registry = context.registry(args.timeout)?;
    let mut asking = ask::Asking::of(&registry);
    asking.answer(&files.checkout, terms).await;
    let mut report = files.checkout.judge(terms, &asking.facts);
    let fixed = if args.fix { Some(fix::fix(&mut files, &report, &asking.facts)) } else { None };
    if let Some(fixed) = &fixed {
        let terms = Terms { asks: Asks::Judge, ..terms };
        asking.answer(&files.checkout, terms).await;
        report = files.checkout.judge(terms, &asking.facts);
        if !args.dry_run {
            repin::write_all(&fixed.edited.iter().collect::<Vec<_>>())?;
        }
    }
    let exit = exit(&report, args.deny);
    let told = Told { files: &files, report: &report, fixed: fixed.as_ref(), exit };
    let paint = context.paint();
    let text = match args.output {
        Output::Text if args.dry_run => fix::diff(&told, paint),
        Output::Text => text::lines(&told, paint),
        Output::Json => pins::json(&document::document_of(&told, args.dry_run))?,
        Output::Sarif => pins::json(&sarif::log(&told))?,
        Output::Github => github::annotations(&told),
    };
    pins::print(&text)?;
    text::notes(&told, args.output, args.dry_run);
    Ok(exit)
}

fn asks(args: &Args) -> Asks {
    match (args.offline, args.fix) {
        (true, _) => Asks::Nothing,
        (false, true) => Asks::Fix,
        (false, false) => Asks::Judge,
    }
}

fn exit(report: &Report, deny: Option<Deny>) -> Exit {
    let least = match deny {
        Some(Deny::Warnings) => Severity::Warning,
        None => Severity::Error,
    };
    if report.findings.iter().any(|finding| finding.severity >= least) {
        Exit::Negative
    } else if report.unknown.is_empty() {
        Exit::Ok
    } else {
        Exit::TryAgain
    }
}
