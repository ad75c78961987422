//! A rollback made from the history of a clone alone, for when no server answers: the same target, the same edit and the
//! same record as the server would make, on a branch that a person pushes and merges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::line::line;
use super::{Order, Rollback};
use crate::cli::show::{difference, document, plain};
use crate::cli::{CliError, Exit, Format, Outcome as Ended, pins};
use crate::command::{self, Command, Target};
use crate::commit::CommitId;
use crate::image::Release;
use crate::pipeline::{self, FILE_NAME, Pipeline, Stage};
use crate::plan::{FileEdit, Files, Pins, edits, messages, read_pins};
use crate::promotion::{self, Entry, Event, Origin, State};
use crate::reconcile::{COMMITS_MAX, LAST_VALID_COMMITS_MAX, recorded_in};
use crate::repository::{Commit, Edit, LocalClone, RepositoryError};

/// How one stage goes back.
#[derive(Debug, Serialize)]
struct Back {
    stage: String,
    from: String,
    to: String,
    /// `repository:tag@digest` of each image.
    images: Vec<String>,
    commit: Option<CommitId>,
    diff: String,
}

/// What is known without a server.
struct Known {
    clone: LocalClone,
    tip: CommitId,
    pipeline: Pipeline,
    /// The commit whose `lockkeeper.yaml` counts, where that of the tip is broken.
    rules_from: Option<CommitId>,
    state: State,
}

/// Makes the commits, one a stage, and a branch that names the last.
///
/// # Errors
/// Exit 5 without a clone, pipeline or stage; 3 without any valid `lockkeeper.yaml`; 6 where no stage can go back.
pub(super) fn rollback(args: Rollback) -> Ended {
    let folder = args.clone.unwrap_or_else(|| ".".into());
    let name = args.pipeline.rsplit('/').next().unwrap_or(&args.pipeline).to_owned();
    let known = known(&folder, &name, args.base.as_deref())?;
    let stages = known.pipeline.addressed(&args.stage);
    if stages.is_empty() {
        let names: Vec<&str> = known.pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
        let what = format!("{name} has no stage or group {:?}", args.stage);
        return Err(CliError::new(Exit::NotFound, what).why(format!("there are {}", names.join(", "))));
    }
    let to = args.to.map(|to| target(&args.stage, to)).transpose()?;
    let reason = args.giving.reason.as_deref();
    let mut work =
        Work { known: &known, parent: known.tip, edited: BTreeMap::new(), is_dry: args.giving.dry_run };
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for stage in stages {
        match work.take_back(stage, to.as_ref(), reason)? {
            Ok(back) => done.push(back),
            Err(why) => refused.push((stage.name.to_string(), why)),
        }
    }
    if done.is_empty() {
        let why = refused
            .iter()
            .map(|(stage, why)| format!("{stage}: {why}"))
            .collect::<Vec<_>>()
            .join("\n        ");
        return Err(CliError::new(Exit::Refused, "no stage can go back").why(plain(&why)).next(
            "lockkeeper rollback … --offline --to <version>, or git revert -m 1 <merge commit>, or lockkeeper repin",
        ));
    }
    let branch = format!("offline-rollback/{}/{name}-{}", args.stage, work.parent.short());
    if !args.giving.dry_run {
        known.clone.branch(&branch, work.parent).map_err(|error| of_git(&error))?;
    }
    let branch = (!args.giving.dry_run).then_some(branch);
    match args.giving.output {
        Format::Table => pins::print(&text(&known, &done, &refused, branch.as_deref()))?,
        Format::Json => {
            let refused: Vec<_> =
                refused.iter().map(|(stage, why)| json!({ "stage": stage, "why": why })).collect();
            let value = json!({ "branch": branch, "base": known.tip, "rules_from": known.rules_from,
                "rolled_back": done, "refused": refused });
            pins::print(&pins::json(&document(value))?)?;
        }
    }
    Ok(if refused.is_empty() { Exit::Ok } else { Exit::Refused })
}

/// The release that a person names, as a comment would.
fn target(stage: &str, to: String) -> Result<Target, CliError> {
    let order = Order::of(String::new(), stage.to_owned(), Some(("to", to)), "rollback");
    let words = BTreeSet::from([stage.to_ascii_lowercase()]);
    match command::parse(&line(&order, None)?, "lockkeeper", &words).as_deref() {
        Ok([Command::Rollback { to: Some(target), .. }]) => Ok(target.clone()),
        Ok(_) | Err(_) => Err(CliError::new(Exit::Usage, "--to names no version and no digest")),
    }
}

fn known(folder: &Path, name: &str, base: Option<&str>) -> Result<Known, CliError> {
    let clone = LocalClone::around(folder).map_err(|error| of_git(&error))?;
    let clone = clone.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("{} lies in no git repository", folder.display()))
            .next("name a clone of the environment repository by --clone")
    })?;
    let base = base.or_else(|| clone.base()).ok_or_else(|| {
        CliError::new(Exit::Refused, "the clone does not know which branch is the base")
            .why("it has no origin/HEAD, and what is checked out may be anything")
            .next("git remote set-head origin --auto, or name it: --base origin/main")
    })?;
    if clone.is_shallow() {
        return Err(CliError::new(Exit::Refused, "the clone is shallow")
            .why("what was there before, and what was rolled back already, may be in what it lacks")
            .next("git fetch --unshallow"));
    }
    let tip = clone.revision(base).map_err(|error| of_git(&error))?;
    let commits = clone.first_parents(tip, COMMITS_MAX).map_err(|error| of_git(&error))?;
    let (pipeline, from) = rules(&clone, &commits, name)?;
    let mut state = State::default();
    for entry in recorded_in(&pipeline.name, &commits) {
        state.apply(&entry).map_err(|error| {
            CliError::new(Exit::Integrity, "the history contradicts itself").why(error.to_string())
        })?;
    }
    Ok(Known { clone, tip, pipeline, rules_from: (from != tip).then_some(from), state })
}

/// The pipeline by the newest valid rules, and the commit that has them.
fn rules(clone: &LocalClone, commits: &[Commit], name: &str) -> Result<(Pipeline, CommitId), CliError> {
    let mut first_error = None;
    let mut before = None;
    for commit in commits.iter().take(LAST_VALID_COMMITS_MAX) {
        let bytes = clone.read(commit.id, FILE_NAME).map_err(|error| of_git(&error))?;
        if bytes.is_none() || bytes == before {
            continue;
        }
        match pipeline::parse(bytes.as_deref().unwrap_or_default()) {
            Ok(found) => {
                let names: Vec<&str> =
                    found.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
                let why = format!("there are {}", names.join(", "));
                let is_meant = |pipeline: &&Pipeline| pipeline.name.as_str() == name;
                let meant = found.pipelines.iter().find(is_meant).cloned();
                return meant.map(|meant| (meant, commit.id)).ok_or_else(|| {
                    CliError::new(Exit::NotFound, format!("there is no pipeline {name:?}")).why(why)
                });
            }
            Err(errors) => {
                first_error = first_error.or_else(|| errors.first().map(ToString::to_string));
                before = bytes;
            }
        }
    }
    let why = first_error.unwrap_or_else(|| "no commit has one".to_owned());
    Err(CliError::new(Exit::Configuration, format!("no valid {FILE_NAME} is in the history")).why(why))
}

/// What was made so far: each stage's commit stands on the one before.
struct Work<'k> {
    known: &'k Known,
    parent: CommitId,
    /// Files as the stages before left them.
    edited: BTreeMap<String, Vec<u8>>,
    is_dry: bool,
}

impl Work<'_> {
    /// Takes a stage back; inside, why it cannot go.
    fn take_back(
        &mut self,
        stage: &Stage,
        to: Option<&Target>,
        reason: Option<&str>,
    ) -> Result<Result<Back, String>, CliError> {
        let files = self.files(stage);
        let (was, release) = match from_and_to(self.known, stage, &files, to) {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        let changed = match edits(stage, &release, &files) {
            Ok(changed) if changed.is_empty() => {
                return Ok(Err(format!("it pins {} already", release.version())));
            }
            Ok(changed) => changed,
            Err(why) => return Ok(Err(why)),
        };
        let commit =
            if self.is_dry { None } else { Some(self.commit(stage, &was, &release, &changed, reason)?) };
        let diff = changed.iter().map(|(path, before, after)| difference(path, before, after)).collect();
        self.edited.extend(changed.into_iter().map(|(path, _, after)| (path, after)));
        Ok(Ok(Back {
            stage: stage.name.to_string(),
            from: was.version(),
            to: release.version(),
            images: release.references().map(|reference| reference.to_string()).collect(),
            commit,
            diff,
        }))
    }

    /// The files of a stage, as they are now.
    fn files(&self, stage: &Stage) -> Files {
        let read = |path: &String| match self.edited.get(path) {
            Some(bytes) => Ok(Some(bytes.clone())),
            None => self.known.clone.read(self.known.tip, path).map_err(|error| error.to_string()),
        };
        stage.pins.iter().map(|target| (target.file.clone(), read(&target.file))).collect()
    }

    fn commit(
        &mut self,
        stage: &Stage,
        was: &Release,
        release: &Release,
        changed: &[FileEdit],
        reason: Option<&str>,
    ) -> Result<CommitId, CliError> {
        let author = self.known.clone.author().map_err(|error| of_git(&error))?;
        let message =
            messages::offline_rollback(&self.known.pipeline.name, stage, was, release, &author.email, reason);
        let edit = |(path, before, after): &FileEdit| Edit {
            path: path.clone(),
            before: Some(before.clone()),
            after: after.clone(),
        };
        let edits: Vec<Edit> = changed.iter().map(edit).collect();
        let made = self.known.clone.commit(self.parent, &edits, &message, &author);
        self.parent = made.map_err(|error| of_git(&error))?;
        Ok(self.parent)
    }
}

/// What a stage has, and what it goes back to: by the same rule as the server.
fn from_and_to(
    known: &Known,
    stage: &Stage,
    files: &Files,
    to: Option<&Target>,
) -> Result<(Release, Release), String> {
    let mut state = known.state.clone();
    let live = state.live(&stage.name).cloned();
    let was = match read_pins(&known.pipeline, stage, files) {
        Pins::Release(found) => found,
        // As the server does: over pins that disagree, from what was recorded.
        Pins::Mixed(why) => live.as_ref().map(|live| live.release.clone()).ok_or(why)?,
        Pins::Unpinned(_) => return Err("it pins no digest".to_owned()),
        Pins::Unreadable(why) => return Err(why),
    };
    let (name, commit) = (stage.name.clone(), known.tip.to_string());
    let unrecorded = match &live {
        None => Some(Event::Adopted { stage: name, release: was.clone() }),
        Some(live) if !live.release.is_same(&was) => {
            let replaced = Some(live.release.clone());
            Some(Event::OutOfBand { stage: name, found: Some(was.clone()), replaced, commit })
        }
        Some(live) if to.is_none() && matches!(live.origin, Origin::Promoted(promotion::Lane::Rollback)) => {
            return Err(format!("it was rolled back to {} already; further back by --to", was.version()));
        }
        Some(_) => None,
    };
    if let Some(event) = unrecorded {
        state.apply(&Entry { at: Timestamp::now(), event }).map_err(|error| error.to_string())?;
    }
    let target = promotion::target(&state, &known.pipeline, &stage.name, to, &[]);
    let target = target.map_err(|error| error.to_string())?;
    Ok((was, target.release.clone()))
}

fn text(known: &Known, done: &[Back], refused: &[(String, String)], branch: Option<&str>) -> String {
    let tip = known.tip.short();
    let from = known.rules_from.map(|from| from.short());
    let mut lines: Vec<String> = from
        .iter()
        .map(|from| format!("{FILE_NAME} of {from} is used: that of the base is broken"))
        .collect();
    for back in done {
        let commit = back.commit.map_or_else(String::new, |commit| format!(", commit {}", commit.short()));
        lines.push(plain(&format!("{}: {} → {}{commit}", back.stage, back.from, back.to)));
        lines.extend(back.images.iter().map(|image| format!("  {}", plain(image))));
        lines.extend(back.diff.lines().map(str::to_owned));
    }
    lines.extend(refused.iter().map(|(stage, why)| plain(&format!("{stage}: NOT rolled back: {why}"))));
    lines.push(String::new());
    lines.extend(match branch {
        Some(branch) => vec![
            format!("branch {branch}, made on {tip}; no registry was asked whether the images are there"),
            format!("next: git push origin {branch}"),
            "      then merge it into the base; lockkeeper holds the stage when it is back, until /resume"
                .to_owned(),
        ],
        None => vec![format!("dry run on {tip}: nothing was written")],
    });
    lines.join("\n") + "\n"
}

fn of_git(error: &RepositoryError) -> CliError {
    let exit = match error {
        RepositoryError::NotFound { .. } => Exit::NotFound,
        RepositoryError::Refused { .. } | RepositoryError::Edit { .. } => Exit::Refused,
        RepositoryError::Unavailable { .. } | RepositoryError::Moved { .. } => Exit::TryAgain,
        RepositoryError::Denied { .. } => Exit::Permission,
        RepositoryError::Mirror { .. } => Exit::Integrity,
    };
    let told = CliError::new(exit, error.to_string());
    if exit == Exit::NotFound { told.next("git fetch") } else { told }
}
