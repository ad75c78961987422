//! `lockkeeper repin`: changes one image's pins in files, all or none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::pins::{self, File, Unread};
use super::{CliError, Exit, Outcome, show};
use crate::image::{Pinned, Reference, Repository};
use crate::manifest;

/// Change the pins of one image in manifest files: exactly those bytes, in all files or in none.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or folders with *.yaml and *.yml files; files without such a pin are passed over.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The repository whose pins change, as the files name it.
    #[arg(long, value_name = "REPOSITORY")]
    image: Repository,
    /// What they become: TAG@DIGEST, or a digest alone.
    #[arg(long, value_name = "TAG@DIGEST", value_parser = pinned)]
    to: Pinned,
    /// The one place to change, as `lockkeeper pins` prints it.
    #[arg(long, value_name = "PATH")]
    only: Option<String>,
    /// Show the change and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// How the change is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// A unified diff.
    #[default]
    Diff,
    /// JSON, one document.
    Json,
}

/// A file and its new bytes.
#[derive(Debug)]
pub(super) struct Edited {
    pub(super) file: File,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

/// What was done, for JSON.
#[derive(Debug, Serialize)]
struct Report<'r> {
    image: &'r Repository,
    to: &'r Pinned,
    written: bool,
    files: Vec<FileReport<'r>>,
}

#[derive(Debug, Serialize)]
struct FileReport<'r> {
    file: &'r str,
    changed: bool,
    diff: String,
}

/// Changes the pins.
///
/// # Errors
/// Exit 5 if a path does not exist or no file has such a pin, 6 if a pin cannot be changed exactly.
pub async fn run(args: Args) -> Outcome {
    tokio::task::spawn_blocking(move || repin(&args)).await.map_err(|error| {
        CliError::new(Exit::Integrity, "the change stopped half way").why(error.to_string())
    })?
}

fn repin(args: &Args) -> Outcome {
    let edited = edit_all(args)?;
    if edited.is_empty() {
        let place = args.only.as_ref().map(|path| format!(" at `{path}`")).unwrap_or_default();
        return Err(CliError::new(Exit::NotFound, format!("no file has a pin of {}{place}", args.image))
            .next("lockkeeper pins <path>… lists what is there"));
    }
    let changed: Vec<&Edited> = edited.iter().filter(|file| file.before != file.after).collect();
    if !args.dry_run {
        write_all(&changed)?;
    }
    match args.output {
        Output::Diff => pins::print(&changed.iter().map(|file| file.diff()).collect::<String>())?,
        Output::Json => pins::print(&pins::json(&report(args, &edited))?)?,
    }
    if changed.is_empty() {
        // Standard error may be closed.
        let _ = writeln!(io::stderr(), "{} is at {} in {} files already", args.image, args.to, edited.len());
    }
    Ok(Exit::Ok)
}

/// All files with such a pin and what they become, before anything is written.
fn edit_all(args: &Args) -> Result<Vec<Edited>, CliError> {
    let (mut edited, mut unread, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for file in pins::files(&args.paths)?.into_values() {
        let before = pins::read(&file.path).map_err(|error| {
            CliError::new(Exit::NotFound, format!("{} cannot be read", file.name)).why(error.to_string())
        })?;
        match manifest::repin_any(&before, &args.image, &args.to, args.only.as_deref()) {
            Ok(Some(after)) => edited.push(Edited { file, before, after }),
            Ok(None) => {}
            Err(refusal) => match manifest::find(&before, args.only.as_deref().as_slice()) {
                // A template of some chart in a folder stops nothing; a file that was named does.
                Err(error) if !file.is_named => unread.push(Unread::of_content(&file.name, &before, &error)),
                _ => refused.push((format!("{}:{}", file.name, refusal.line), refusal.reason)),
            },
        }
    }
    pins::report(&unread);
    match refused.split_first() {
        None => Ok(edited),
        Some(((place, reason), more)) => {
            // All at once, so that they can be mended at once.
            for (place, reason) in more {
                // Standard error may be closed.
                let _ = writeln!(io::stderr(), "not changed: {place}: {reason}");
            }
            let rest =
                if more.is_empty() { String::new() } else { format!(", nor {} more above", more.len()) };
            Err(CliError::new(Exit::Refused, format!("{place}: not changed{rest}"))
                .why(reason.as_str())
                .next("no file was changed; --only <path> picks one place"))
        }
    }
}

/// Writes all files; where one fails, those already written get their old bytes back.
pub(super) fn write_all(files: &[&Edited]) -> Result<(), CliError> {
    for (number, file) in files.iter().enumerate() {
        let Err(error) = replace(&file.file.path, &file.after) else { continue };
        let mut what = format!("{} cannot be written", file.file.name);
        for written in files.iter().take(number) {
            if let Err(error) = replace(&written.file.path, &written.before) {
                what = format!("{what}; {} could not be put back ({error})", written.file.name);
            }
        }
        return Err(CliError::new(Exit::Permission, what).why(error.to_string()));
    }
    Ok(())
}

/// Puts a new file in the place of an old one at once, with its permissions.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let permissions = fs::metadata(path)?.permissions();
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.lockkeeper-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.set_permissions(permissions)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // It may never have been made; what is reported is why the write failed.
        let _ = fs::remove_file(&temporary);
    })
}

impl Edited {
    pub(super) fn diff(&self) -> String {
        show::difference(self.file.name.trim_start_matches('/'), &self.before, &self.after)
    }
}

fn report<'r>(args: &'r Args, edited: &'r [Edited]) -> Report<'r> {
    let files = edited.iter().map(|file| FileReport {
        file: &file.file.name,
        changed: file.before != file.after,
        diff: if file.before == file.after { String::new() } else { file.diff() },
    });
    Report { image: &args.image, to: &args.to, written: !args.dry_run, files: files.collect() }
}

/// Reads `tag@digest`, or a digest alone.
fn pinned(text: &str) -> Result<Pinned, String> {
    if let Ok(digest) = text.trim_start_matches('@').parse() {
        return Ok(Pinned { tag: None, digest });
    }
    // A whole reference of any repository has the grammar wanted here behind its first colon.
    let reference: Reference = format!("image:{text}").parse().map_err(|error| format!("{error}"))?;
    match reference.digest {
        Some(digest) => Ok(Pinned { tag: reference.tag, digest }),
        None => Err("wanted TAG@sha256:…, found no digest".to_owned()),
    }
}
