//! `lockkeeper tags`: the tags and labels of a build, from a version file, git and the CI that runs it.

mod build;
mod print;
mod set;
mod version;

use std::path::PathBuf;

use self::build::Build;
use self::print::Form;
use self::set::{Facts, TagSet};
use super::{CliError, Context, Exit, Outcome, pins, resolve};
use crate::image::Repository;
use crate::registry::{Registry, RegistryError};
use crate::repository::{RepositoryError, checkout};

/// Print the tags and labels for a build: from its version file, the commit and the CI that runs it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper tags\n  \
    lockkeeper tags --image ghcr.io/acme/checkout --unused -o github >> \"$GITHUB_OUTPUT\"\n  \
    eval \"$(lockkeeper tags --image ghcr.io/acme/checkout -o shell)\" && docker build $BUILD_ARGS .\n  \
    lockkeeper tags --no-version\n\n\
    The version is that of --release or --version-file, else of the first of version.json, VERSION, version.txt,\n\
    package.json, Cargo.toml and pyproject.toml, else of a git tag on the commit. 1.4.2 gives the tag 1.4.2, and the\n\
    moving tags 1.4 and 1 where git knows no later version of that line; follow the first, never those.")]
pub struct Args {
    /// The folder that is built: where the version file is, in a git work tree.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Print whole references of this image; may be given more than once.
    #[arg(long, value_name = "REPOSITORY")]
    image: Vec<Repository>,
    /// The version that is released.
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["version_file", "no_version"])]
    release: Option<String>,
    /// The file that holds the version: JSON or TOML by its ending, else a line of text.
    #[arg(long, value_name = "FILE", conflicts_with = "no_version")]
    version_file: Option<PathBuf>,
    /// Leave out the tags of the version: for the build of a commit that is no release.
    #[arg(long)]
    no_version: bool,
    /// The id of the build; else that of the CI that runs.
    #[arg(long, value_name = "ID")]
    build: Option<String>,
    /// Go on where tracked files differ from the commit; the only tag then is git-…-dirty.
    #[arg(long)]
    allow_dirty: bool,
    /// End with 6 if the registry has a tag already that names one build for good.
    #[arg(long, requires = "image")]
    unused: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// Prints the tags.
///
/// # Errors
/// Exit 3 for a version file that cannot be used, 5 where nothing tells a version or commit, 6 where the version belongs
/// to another commit, files are changed, or (`--unused`) a tag is taken; as `resolve` where a registry is asked.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let facts = facts(&args)?;
    let tags = TagSet::of(&facts)?;
    for note in &tags.notes {
        eprintln!("note: {note}");
    }
    if args.unused {
        check_unused(context, &args.image, &tags).await?;
    }
    pins::print(&print::text(&tags, &args.image, args.output)?)?;
    Ok(Exit::Ok)
}

/// Everything that the tags are made from, read once.
fn facts(args: &Args) -> Result<Facts, CliError> {
    let checkout = checkout(&args.folder).map_err(|error| of_git(&error))?;
    if let Some(file) =
        checkout.as_ref().and_then(|found| found.changed.as_ref()).filter(|_| !args.allow_dirty)
    {
        return Err(CliError::new(
            Exit::Refused,
            format!("{file} differs from the commit that is to be named"),
        )
        .why("a tag of the commit would name an image that nobody can build again")
        .next("commit it, or go on with --allow-dirty"));
    }
    let version = match &args.release {
        Some(text) => Some(version::parse(text, "--release")?),
        None if args.no_version => None,
        None => version::find(&args.folder, args.version_file.as_deref())?,
    };
    let build = match &args.build {
        Some(id) => Some(Build { id: id.clone(), url: None }),
        None => Build::of_ci(|name| std::env::var(name).ok()),
    };
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    Ok(Facts { checkout, version, has_version: !args.no_version, build, epoch })
}

fn of_git(error: &RepositoryError) -> CliError {
    let cli = CliError::new(Exit::NotFound, "the git work tree cannot be read").why(error.to_string());
    // libgit2, like git, reads nothing that belongs to another user: usual where CI mounts the work tree.
    let is_foreign = error.to_string().contains("not owned by current user");
    if is_foreign { cli.next("git config --global --add safe.directory <folder>") } else { cli }
}

/// Whether the registry has none of the tags that never move.
async fn check_unused(context: &Context, images: &[Repository], tags: &TagSet) -> Result<(), CliError> {
    let registry = context.registry(None)?;
    for image in images {
        for tag in &tags.unique {
            match registry.resolve(image, tag).await {
                Err(RegistryError::NotFound { .. }) => {}
                Err(error) => return Err(resolve::failure(&error)),
                Ok(digest) => {
                    return Err(CliError::new(
                        Exit::Refused,
                        format!("{image}:{tag} is in the registry already"),
                    )
                    .why(format!(
                        "it names {}; a push would move it under those who follow it",
                        digest.short()
                    ))
                    .next("raise the version, or build with --no-version"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
