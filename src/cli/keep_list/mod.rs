//! `lockkeeper keep-list`: what a clean-up of a registry must leave alone.

pub(super) mod collect;
mod print;

use super::{Context, Exit, Outcome, pins};
use crate::server::assemble;

/// Print the images that a clean-up of a registry must keep: live, under way, or wanted for a rollback.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper keep-list\n  \
    lockkeeper keep-list -o regex\n  \
    lockkeeper keep-list --earlier 10 -o acr-purge\n\n\
    It reads what is pinned at the base branch, what the server recorded, and of each index what it consists of. Ends with\n\
    1 where it could not read all of that: then the list is not whole, and says so.")]
pub struct Args {
    /// So many earlier good releases of each stage are kept beside the one to roll back to, as a person may name them.
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    earlier: usize,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    /// Aligned columns for people.
    #[default]
    Table,
    /// JSON, one document: also the manifests of each platform, and where signatures are kept.
    Json,
    /// One line for each repository: the tags to be kept, as a regular expression.
    Regex,
    /// One command for each repository at Azure, which deletes old tags but these, and shows only what it would delete.
    AcrPurge,
}

/// Prints what must be kept.
///
/// # Errors
/// Exit 5 where no server has run yet.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let settings = context.settings()?;
    let store = context.store(&settings).await?;
    let mut list = collect::list(&settings, &store, args.earlier).await?;
    if args.output == Form::Json {
        list.read_parts(&assemble::registry(&settings.registry)).await;
    }
    let text = match args.output {
        Form::Table => print::table(&list),
        Form::Json => pins::json(&print::document(&list))?,
        Form::Regex => print::patterns(&list),
        Form::AcrPurge => print::purges(&list),
    };
    pins::print(&text)?;
    if matches!(args.output, Form::Regex | Form::AcrPurge) {
        for warning in print::warnings(&list, args.output == Form::AcrPurge) {
            eprintln!("note: {warning}");
        }
    }
    for gap in &list.gaps {
        eprintln!("not whole: {gap}");
    }
    Ok(if list.gaps.is_empty() { Exit::Ok } else { Exit::Negative })
}

#[cfg(test)]
mod tests;
