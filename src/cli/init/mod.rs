//! `lockkeeper init`: looks at a repository and writes a first `lockkeeper.yaml`.

mod environment;
mod propose;
mod render;

pub use propose::{Proposal, ProposedFollow, ProposedPipeline, ProposedStage, propose};

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{CliError, Exit, Outcome, pins};
use crate::manifest::{self, Found};
use crate::pipeline::{FILE_NAME, parse};

/// Most lines of what is to be decided: more than a screen is not read.
const UNDECIDED_SHOWN_MAX: usize = 30;
/// Folders whose manifests are never deployed; like those whose name begins with a dot.
const SKIPPED_FOLDERS: [&str; 2] = ["testdata", "node_modules"];

/// Look at the manifests of a repository and write a first lockkeeper.yaml: pipelines, stages, pins.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The work tree of the environment repository.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Print the file and write nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Replace a lockkeeper.yaml that is there already.
    #[arg(long)]
    pub force: bool,
}

/// Writes (or prints) the proposal, and says on standard error what a person has to decide.
///
/// # Errors
/// Exit 5 if the folder does not exist, 6 if another `lockkeeper.yaml` is there, 7 if it cannot be written.
pub fn run(args: &Args) -> Outcome {
    let mut diagnostics = io::stderr().lock();
    let (files, unread) = read(&args.path)?;
    let proposal = propose(&files);
    // Standard error may be closed; the file is what counts.
    let mut say = |line: &str| drop(writeln!(diagnostics, "{line}"));
    say(&format!("read {} files with {} image references", files.len(), pins_in(&files)));
    if unread > 0 {
        say(&format!(
            "not read: {unread} files that are no YAML (templates, say); `lockkeeper pins` names them"
        ));
    }
    for line in proposal.undecided.iter().take(UNDECIDED_SHOWN_MAX) {
        say(&format!("to decide: {line}"));
    }
    if let Some(more) = proposal.undecided.len().checked_sub(UNDECIDED_SHOWN_MAX).filter(|more| *more > 0) {
        say(&format!("and {more} more of that kind"));
    }
    if proposal.pipelines.is_empty() {
        say(
            "nothing to promote: no image is pinned for two environments (folders such as dev, staging, prod)",
        );
        return Ok(Exit::Negative);
    }
    let text = valid_text(&proposal)?;
    if args.dry_run {
        pins::print(&text)?;
        return Ok(Exit::Ok);
    }
    let written = write(&args.path.join(FILE_NAME), &text, args.force)?;
    for line in next_steps(&args.path, written, &proposal) {
        say(&line);
    }
    Ok(Exit::Ok)
}

/// All YAML files below the folder, by their path from there, and how many could not be read.
fn read(folder: &Path) -> Result<(Vec<(String, Found)>, usize), CliError> {
    if !folder.is_dir() {
        let error = CliError::new(Exit::NotFound, format!("{} is no folder", folder.display()));
        return Err(error.next("lockkeeper init <the work tree of the environment repository>"));
    }
    let root = fs::canonicalize(folder).map_err(|error| {
        CliError::new(Exit::NotFound, format!("{} cannot be read", folder.display())).why(error.to_string())
    })?;
    let mut files = Vec::new();
    let mut unread = 0;
    for path in pins::files(std::slice::from_ref(&root))?.into_keys() {
        let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) else {
            unread += 1;
            continue;
        };
        if name.split('/').any(|part| part.starts_with('.') || SKIPPED_FOLDERS.contains(&part)) {
            continue;
        }
        let found = pins::read(&path).ok().and_then(|bytes| manifest::find(&bytes, &[]).ok());
        match found {
            Some(found) => files.push((name.replace('\\', "/"), found)),
            None => unread += 1,
        }
    }
    files.retain(|(name, _)| name != FILE_NAME);
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok((files, unread))
}

fn pins_in(files: &[(String, Found)]) -> usize {
    files.iter().map(|(_, found)| found.pins.len()).sum()
}

/// The text of the proposal, which our own reader must accept: what init writes is never in need of repair.
fn valid_text(proposal: &Proposal) -> Result<String, CliError> {
    let text = render::text(proposal);
    match parse(text.as_bytes()) {
        Ok(_) => Ok(text),
        Err(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            let what = "the proposal is not valid, so nothing is written";
            Err(CliError::new(Exit::Integrity, what)
                .why(first)
                .next("please report this with the output of `lockkeeper pins`"))
        }
    }
}

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    New,
    Unchanged,
}

fn write(path: &Path, text: &str, force: bool) -> Result<Written, CliError> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(known) if !known.is_file() => {
            return Err(CliError::new(
                Exit::Refused,
                format!("{shown} is no plain file, so it is left alone"),
            ));
        }
        Ok(_) if fs::read(path).is_ok_and(|known| known == text.as_bytes()) => return Ok(Written::Unchanged),
        Ok(_) if !force => {
            let error = CliError::new(Exit::Refused, format!("{shown} is there already"));
            return Err(error
                .why("it differs from the proposal")
                .next("lockkeeper init --dry-run | diff lockkeeper.yaml -"));
        }
        Ok(_) | Err(_) => {}
    }
    fs::write(path, text).map_err(|error| {
        CliError::new(Exit::TryAgain, format!("{shown} cannot be written")).why(error.to_string())
    })?;
    Ok(Written::New)
}

fn next_steps(folder: &Path, written: Written, proposal: &Proposal) -> Vec<String> {
    let count = proposal.pipelines.len();
    let path = folder.join(FILE_NAME);
    let mut lines = vec![match written {
        Written::New => format!("wrote {} with {count} pipelines", path.display()),
        Written::Unchanged => format!("{} is as proposed already ({count} pipelines)", path.display()),
    }];
    if !folder.join(".git").exists() {
        lines.push("note: this is not the root of a git work tree; the file belongs at the root".to_owned());
    }
    lines.push("next:".to_owned());
    lines.push("  1. read it: owners, who approves, how long releases soak".to_owned());
    lines.push(
        "  2. bring it to the base branch by a pull request, with a code owner for lockkeeper.yaml"
            .to_owned(),
    );
    lines.push(
        "  3. protect the base branch: the check `lockkeeper` required, native approvals 0, no merge queue"
            .to_owned(),
    );
    lines.push(
        "  4. lockkeeper serve; nothing is proposed before the first /promote, or `start: now`".to_owned(),
    );
    lines
}

#[cfg(test)]
mod tests;
