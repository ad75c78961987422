//! `lockkeeper pins`: lists every image reference of manifest files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{CliError, Exit, Format, Outcome};
use crate::bounded;
use crate::image::Digest;
use crate::manifest::{self, Pin};
use crate::repository::{self, RepositoryError};

/// Largest file read, as large as `manifest` accepts: 16 MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Deepest folder gone into; repositories stay below 20.
const FOLDER_DEPTH_MAX: usize = 64;

/// List every image reference in manifest files: where it stands, and whether a digest pins it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or folders with *.yaml and *.yml files; with --git, paths from the root of the repository.
    #[arg(required_unless_present = "git")]
    paths: Vec<PathBuf>,
    /// Read a local git repository (a bare one, too) instead of files.
    #[arg(long, value_name = "DIR")]
    git: Option<PathBuf>,
    /// The revision to read with --git: a branch, tag or commit.
    #[arg(long, value_name = "REV", default_value = "HEAD", requires = "git")]
    rev: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    file: String,
    #[serde(flatten)]
    pin: Pin,
    pinned: bool,
}

/// A file or place that was not read.
#[derive(Debug, Serialize)]
pub(super) struct Unread {
    file: String,
    line: usize,
    /// The place; none where it is the whole file.
    path: Option<String>,
    reason: String,
    #[serde(skip)]
    kind: UnreadKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnreadKind {
    Place,
    File,
    Template,
}

/// What all files hold.
#[derive(Debug, Default, Serialize)]
struct Listing {
    pins: Vec<Row>,
    unreadable: Vec<Unread>,
}

/// Lists the pins.
///
/// # Errors
/// Exit 5 if a path or revision does not exist.
pub async fn run(args: Args) -> Outcome {
    let mut listing = Listing::default();
    match &args.git {
        Some(folder) => {
            for found in listings_of_git(folder, &args.rev, &args.paths).await?.into_values() {
                listing.add(found);
            }
        }
        None => {
            for file in files(&args.paths)?.values() {
                match read(&file.path) {
                    Ok(bytes) => listing.add(Listing::of(&file.name, &bytes)),
                    Err(error) => listing.unreadable.push(Unread::file(&file.name, 1, error.to_string())),
                }
            }
        }
    }
    match args.output {
        Format::Table => print(&listing.table())?,
        Format::Json => print(&json(&listing)?)?,
    }
    report(&listing.unreadable);
    Ok(Exit::Ok)
}

/// What each file of a repository holds, by its path.
async fn listings_of_git(
    folder: &Path,
    rev: &str,
    paths: &[PathBuf],
) -> Result<BTreeMap<String, Listing>, CliError> {
    let everything = [PathBuf::new()];
    let mut listings = BTreeMap::new();
    for under in if paths.is_empty() { &everything } else { paths } {
        let under = under.to_string_lossy();
        let under = under.trim_start_matches("./").trim_end_matches('/');
        let found = repository::read_tree(folder, rev, under, |path, bytes| Listing::of(path, &bytes)).await;
        listings.extend(found.map_err(|error| repository_error(folder, &error))?);
    }
    Ok(listings)
}

fn repository_error(folder: &Path, error: &RepositoryError) -> CliError {
    let exit = match error {
        RepositoryError::Unavailable { .. } => Exit::TryAgain,
        RepositoryError::Denied { .. } => Exit::Permission,
        RepositoryError::NotFound { .. } | RepositoryError::Edit { .. } => Exit::NotFound,
        RepositoryError::Moved { .. } | RepositoryError::Refused { .. } | RepositoryError::Mirror { .. } => {
            Exit::Integrity
        }
    };
    CliError::new(exit, format!("cannot read {}", folder.display())).why(error.to_string())
}

impl Listing {
    /// What one file holds.
    fn of(file: &str, bytes: &[u8]) -> Self {
        let found = match manifest::find(bytes, &[]) {
            Ok(found) => found,
            Err(error) => {
                return Self { pins: Vec::new(), unreadable: vec![Unread::of_content(file, bytes, &error)] };
            }
        };
        let row = |pin: Pin| Row { file: file.to_owned(), pinned: pin.digest.is_some(), pin };
        let unread = |place: manifest::Unreadable| Unread {
            file: file.to_owned(),
            line: place.line,
            path: Some(place.path),
            reason: place.reason,
            kind: UnreadKind::Place,
        };
        Self {
            pins: found.pins.into_iter().map(row).collect(),
            unreadable: found.unreadable.into_iter().map(unread).collect(),
        }
    }

    fn add(&mut self, other: Self) {
        self.pins.extend(other.pins);
        self.unreadable.extend(other.unreadable);
    }

    fn table(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
        table.set_header(["FILE", "LINE", "DOC", "PATH", "FORM", "REPOSITORY", "TAG", "DIGEST"]);
        for Row { file, pin, .. } in &self.pins {
            table.add_row([
                file.clone(),
                pin.line.to_string(),
                pin.document.to_string(),
                pin.path.clone(),
                form(pin),
                pin.repository.to_string(),
                pin.tag.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                pin.digest.as_ref().map_or_else(|| "not pinned".to_owned(), Digest::short),
            ]);
        }
        if self.pins.is_empty() { String::new() } else { format!("{}\n", table.trim_fmt()) }
    }
}

/// The form as it is spelled in JSON.
fn form(pin: &Pin) -> String {
    serde_json::to_value(pin.form).ok().and_then(|form| form.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Unread {
    /// A file that could not be read as bytes.
    fn file(file: &str, line: usize, reason: String) -> Self {
        Self { file: file.to_owned(), line, path: None, reason, kind: UnreadKind::File }
    }

    /// A file whose bytes are no YAML.
    pub(super) fn of_content(file: &str, bytes: &[u8], error: &manifest::ReadError) -> Self {
        let is_template = memchr::memmem::find(bytes, b"{{").is_some();
        let kind = if is_template { UnreadKind::Template } else { UnreadKind::File };
        Self { kind, ..Self::file(file, error.line, error.reason.clone()) }
    }
}

/// Says on standard error what was not read; Helm templates, of which there are many, in one line.
pub(super) fn report(unread: &[Unread]) {
    let mut error = io::stderr().lock();
    for Unread { file, line, path, reason, .. } in
        unread.iter().filter(|unread| unread.kind != UnreadKind::Template)
    {
        let place = path.as_ref().map(|path| format!(" {path}:")).unwrap_or_default();
        // Standard error may be closed; the list itself is on standard output.
        let _ = writeln!(error, "not read: {file}:{line}:{place} {reason}");
    }
    let templates = unread.iter().filter(|unread| unread.kind == UnreadKind::Template);
    let names: Vec<String> = templates.map(|unread| format!("{}:{}", unread.file, unread.line)).collect();
    if let Some(first) = names.first() {
        let count = names.len();
        let _ = writeln!(error, "not read: {count} × no YAML but a template (of Helm, say), first {first}");
    }
}

/// A file to read, and how the user would name it.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Whether it was named itself, and not found in a folder.
    pub(super) is_named: bool,
}

/// The files that these paths mean, each once, in order. Symbolic links found in folders are not followed.
pub(super) fn files(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, File>, CliError> {
    let mut files = BTreeMap::new();
    for path in paths {
        let real = fs::canonicalize(path).map_err(|error| {
            CliError::new(Exit::NotFound, format!("{} cannot be read", path.display())).why(error.to_string())
        })?;
        if real.is_dir() {
            collect(path, 0, &mut files);
        } else {
            let name = path.display().to_string();
            files.insert(real.clone(), File { path: real, name, is_named: true });
        }
    }
    Ok(files)
}

fn collect(folder: &Path, depth: usize, files: &mut BTreeMap<PathBuf, File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if kind.is_dir() && entry.file_name() != ".git" && depth < FOLDER_DEPTH_MAX {
            collect(&path, depth + 1, files);
        } else if kind.is_file()
            && is_yaml
            && let Ok(real) = fs::canonicalize(&path)
        {
            let name = path.strip_prefix(".").unwrap_or(&path).display().to_string();
            files.entry(real.clone()).or_insert(File { path: real, name, is_named: false });
        }
    }
}

/// The bytes of a file that is not too large.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounded::read(path, FILE_BYTES_MAX)
}

/// Prints to standard output; a reader that has gone away is no error.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::TryAgain, "cannot write to standard output").why(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// One JSON document and a line end.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        CliError::new(Exit::Integrity, "cannot write the result as JSON").why(error.to_string())
    })?;
    Ok(format!("{text}\n"))
}
