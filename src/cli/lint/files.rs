//! The files of a checkout: those that are asked for, and those that say something about them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::cli::{CliError, Exit, pins};
use crate::lint::{Checkout, Kind, Named, Region, Survey, Unread};
use crate::pipeline::{self, FILE_NAME, Pipelines};
use crate::repository::Ignored;

/// Deepest folder gone into; repositories stay below 20.
const FOLDER_DEPTH_MAX: usize = 64;
/// Most files looked at; the largest environment repositories seen have some ten thousand.
const FILES_MAX: usize = 500_000;
/// Bytes of a file without an ending that are read to see whether it is a script.
const FIRST_LINE_BYTES_MAX: u64 = 128;
/// Largest script or Dockerfile that is read.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;
/// Folders of what others wrote.
const FOLDERS_LEFT_OUT: [&str; 3] = [".git", "node_modules", ".terraform"];

/// What was read, and where it stands.
#[derive(Debug)]
pub(super) struct Files {
    /// What paths are relative to.
    pub(super) root: PathBuf,
    pub(super) checkout: Checkout,
    /// How many files were looked at for themselves.
    pub(super) count: usize,
    /// Files that were named and are of no kind that is looked at.
    pub(super) passed_over: Vec<String>,
}

/// A file to be read.
struct Candidate {
    name: String,
    path: PathBuf,
    kind: Kind,
}

/// The candidates so far.
#[derive(Default)]
struct Walk {
    root: PathBuf,
    found: BTreeMap<String, Candidate>,
    passed_over: Vec<String>,
    is_cut: bool,
    /// What git leaves out of the checkout that is gone through.
    ignored: Option<Ignored>,
}

impl Files {
    /// Reads what these paths mean.
    ///
    /// # Errors
    /// Exit 5 if a path does not exist, 3 if `lockkeeper.yaml` is broken.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, CliError> {
        let here = [PathBuf::from(".")];
        let paths = if paths.is_empty() { &here } else { paths };
        let asked = paths.iter().map(|path| real(path)).collect::<Result<Vec<_>, _>>()?;
        let first = asked.first().cloned().unwrap_or_default();
        let (root, rules) = match root_of(&first) {
            Some(root) => {
                let rules = rules_of(&root.join(FILE_NAME))?;
                (root, Some(rules))
            }
            None => (base_of(&first), None),
        };
        let mut walk = Walk { root: root.clone(), ..Walk::default() };
        if rules.is_some() {
            walk.ignored = Ignored::around(&root);
            walk.folder(&root, 0);
        }
        for path in &asked {
            walk.ignored = path.is_dir().then(|| Ignored::around(path)).flatten();
            if path.is_dir() { walk.folder(path, 0) } else { walk.file(path, IsNamed::Yes) }
        }
        if walk.is_cut {
            let what = format!("there are more than {FILES_MAX} files");
            return Err(CliError::new(Exit::Refused, what).next("lockkeeper lint <folder>"));
        }
        Ok(Self::surveyed(walk, &asked, rules))
    }

    fn surveyed(walk: Walk, asked: &[PathBuf], rules: Option<Pipelines>) -> Self {
        let Walk { root, found, passed_over, .. } = walk;
        let is_whole = asked.iter().any(|path| root.starts_with(path));
        let mut surveys = Vec::new();
        for (name, candidate) in found {
            let is_asked = asked.iter().any(|path| candidate.path.starts_with(path));
            // Others are read where something about these may stand in them.
            let is_about = is_asked || candidate.kind == Kind::Manifest;
            if is_about {
                let survey = survey(&candidate, &marked(rules.as_ref(), &name));
                surveys.push(Survey { is_asked, ..survey });
            }
        }
        let count = surveys.iter().filter(|survey| survey.is_asked).count();
        let missing = missing(rules.as_ref(), &root);
        Self { root, checkout: Checkout { surveys, rules, missing, is_whole }, count, passed_over }
    }

    /// Reads a file again from these bytes.
    pub(super) fn again(&mut self, name: &str, bytes: &[u8]) {
        let marked: Vec<String> =
            marked(self.checkout.rules.as_ref(), name).into_iter().map(str::to_owned).collect();
        let marked: Vec<&str> = marked.iter().map(String::as_str).collect();
        for survey in self.checkout.surveys.iter_mut().filter(|survey| survey.file == name) {
            *survey = Survey { is_asked: survey.is_asked, ..Survey::of(name, survey.kind, bytes, &marked) };
        }
    }

    /// The path of a file for people: from where they stand, where it is below.
    pub(super) fn shown(&self, file: &str) -> String {
        let path = self.root.join(file);
        let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
        let path = path.strip_prefix(&here).unwrap_or(&path);
        path.display().to_string().chars().map(|c| if pipeline::is_hidden(c) { '?' } else { c }).collect()
    }
}

fn real(path: &Path) -> Result<PathBuf, CliError> {
    fs::canonicalize(path).map_err(|error| {
        CliError::new(Exit::NotFound, format!("{} cannot be read", path.display())).why(error.to_string())
    })
}

/// The folder with `lockkeeper.yaml` around a path, at most up to the root of its git repository.
fn root_of(path: &Path) -> Option<PathBuf> {
    let mut folders = path.ancestors().filter(|folder| folder.is_dir());
    let mut is_behind = false;
    let found = folders.find(|folder| {
        let stops = is_behind;
        is_behind = folder.join(".git").exists();
        stops || folder.join(FILE_NAME).is_file()
    })?;
    found.join(FILE_NAME).is_file().then(|| found.to_owned())
}

/// What paths are relative to where there are no rules: where people stand, or else the folder that they name.
fn base_of(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(fs::canonicalize).unwrap_or_default();
    if path.starts_with(&here) {
        return here;
    }
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    folder.unwrap_or(path).to_owned()
}

fn rules_of(path: &Path) -> Result<Pipelines, CliError> {
    let bytes = pins::read(path).map_err(|error| {
        CliError::new(Exit::Configuration, format!("{} cannot be read", path.display()))
            .why(error.to_string())
    })?;
    pipeline::parse(&bytes).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        CliError::new(Exit::Configuration, format!("{} is not valid", path.display()))
            .why(lines.join("\n        "))
            .next("correct it; docs/lint.md and config/example.pipelines.yaml show what it takes")
    })
}

/// The places that `lockkeeper.yaml` names in a file.
fn marked<'r>(rules: Option<&'r Pipelines>, file: &str) -> Vec<&'r str> {
    let stages = rules.into_iter().flat_map(|rules| &rules.pipelines).flat_map(|pipeline| &pipeline.stages);
    let targets = stages.flat_map(|stage| &stage.pins).filter(|target| target.file == file);
    targets.filter_map(|target| target.path.as_deref()).collect()
}

/// Files that stages name and that are not there.
fn missing(rules: Option<&Pipelines>, root: &Path) -> Vec<String> {
    let stages = rules.into_iter().flat_map(|rules| &rules.pipelines).flat_map(|pipeline| &pipeline.stages);
    let files = stages.flat_map(|stage| &stage.pins).map(|target| &target.file);
    files.filter(|file| !root.join(file).is_file()).cloned().collect()
}

/// Whether a file was named, and not found in a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsNamed {
    Yes,
    No,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let (name, path, Ok(kind)) = (entry.file_name(), entry.path(), entry.file_type()) else {
                continue;
            };
            let is_left_out = name.to_str().is_some_and(|name| FOLDERS_LEFT_OUT.contains(&name));
            if kind.is_dir() && !is_left_out && depth < FOLDER_DEPTH_MAX && !self.is_ignored(&path) {
                self.folder(&path, depth + 1);
            } else if kind.is_file() {
                self.file(&path, IsNamed::No);
            }
        }
    }

    fn is_ignored(&self, path: &Path) -> bool {
        self.ignored.as_ref().is_some_and(|ignored| ignored.leaves_out(path))
    }

    fn file(&mut self, path: &Path, is_named: IsNamed) {
        let name = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned();
        if name == FILE_NAME {
            return;
        }
        let kind = match Kind::of_name(&name) {
            Named::Is(kind) => Some(kind),
            Named::Perhaps => first_line(path).ok().and_then(|begins| Kind::of_first_line(&begins)),
            Named::Other => None,
        };
        match kind {
            Some(_) if is_named == IsNamed::No && self.is_ignored(path) => {}
            Some(_) if self.found.len() >= FILES_MAX => self.is_cut = true,
            Some(kind) => {
                let path = path.to_owned();
                self.found.insert(name.clone(), Candidate { name, path, kind });
            }
            None if is_named == IsNamed::Yes => self.passed_over.push(name),
            None => {}
        }
    }
}

fn first_line(path: &Path) -> io::Result<Vec<u8>> {
    let mut begins = Vec::new();
    fs::File::open(path)?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut begins)?;
    Ok(begins)
}

fn survey(candidate: &Candidate, marked: &[&str]) -> Survey {
    let Candidate { name, path, kind } = candidate;
    match bytes(path, *kind) {
        Ok(bytes) => Survey::of(name, *kind, &bytes, marked),
        Err(error) => {
            let mut survey = Survey::of(name, *kind, b"", marked);
            survey.unread.push(Unread {
                region: Region { line: 1, column: 1, end_column: 1 },
                path: None,
                reason: error.to_string(),
                is_template: false,
            });
            survey
        }
    }
}

fn bytes(path: &Path, kind: Kind) -> io::Result<Vec<u8>> {
    let is_script = matches!(kind, Kind::Script | Kind::Dockerfile);
    if is_script { bounded::read(path, SCRIPT_BYTES_MAX) } else { pins::read(path) }
}
