//! What lint says of the files of a stage as they would be after the open promotion is merged: those at the tip of the base,
//! with its pins. Rules that need a registry are left out; what the registry has, other gates ask.
//!
//! It is done anew where the base, the release or the day is another one, and for stages that have the gate alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Reconcile, ReconcileError};
use crate::commit::CommitId;
use crate::image::{Release, ReleaseId};
use crate::lint::{Asks, Checkout, Facts, Finding, Kind, Named, Survey, Terms};
use crate::pipeline::{Pipeline, Pipelines, Policy, Severity, Stage, StageName};
use crate::plan::{Linted, Snapshot, edits};
use crate::promotion::Lane;
use crate::repository::RepositoryError;
use crate::store::Key;

/// Names of the files in which kustomize looks for what to do with a folder.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What was found last, by stage.
#[derive(Debug, Default)]
pub struct Policies {
    known: Mutex<BTreeMap<(Key, StageName), (Judged, Linted)>>,
}

/// What a judgement is about: where it is the same, so is what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judged {
    base: CommitId,
    release: ReleaseId,
    today: Date,
}

impl Policies {
    fn known(&self, stage: &(Key, StageName), judged: &Judged) -> Option<Linted> {
        self.lock().get(stage).filter(|(known, _)| known == judged).map(|(_, linted)| linted.clone())
    }

    fn note(&self, stage: (Key, StageName), judged: Judged, linted: Linted) {
        self.lock().insert(stage, (judged, linted));
    }

    /// Keeps of a pipeline what concerns these stages alone.
    fn keep(&self, key: &Key, stages: &BTreeSet<&StageName>) {
        self.lock().retain(|(of, stage), _| of != key || stages.contains(stage));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Key, StageName), (Judged, Linted)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What lint says for each stage that has the gate and an open promotion that asks it.
///
/// # Errors
/// [`ReconcileError::Later`] if the files around those of a stage cannot be read.
pub(super) async fn linted(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
) -> Result<BTreeMap<StageName, Result<Linted, String>>, ReconcileError> {
    let stages = snapshot.pipeline.stages.iter().filter(|stage| stage.gates.policy == Some(Policy::Lint));
    let under_way: Vec<(&Stage, &Release)> = stages
        .filter_map(|stage| {
            let proposal = snapshot.state.proposal(&stage.name)?;
            (proposal.lane == Lane::Normal).then_some((stage, &proposal.release))
        })
        .collect();
    let (policies, key) = (&run.world.policies, &run.lease.key);
    policies.keep(key, &under_way.iter().map(|(stage, _)| &stage.name).collect());
    let mut found = BTreeMap::new();
    for (stage, release) in under_way {
        let today = snapshot.now.to_zoned(TimeZone::UTC).date();
        let (judged, name) = (Judged { base: snapshot.base, release: release.id(), today }, &stage.name);
        let place = (key.clone(), name.clone());
        let linted = match policies.known(&place, &judged) {
            Some(linted) => Ok(linted),
            None => judge(run, snapshot, stage, release, today).await?,
        };
        if let Ok(linted) = &linted {
            policies.note(place, judged, linted.clone());
        }
        found.insert(name.clone(), linted);
    }
    Ok(found)
}

async fn judge(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    stage: &Stage,
    release: &Release,
    today: Date,
) -> Result<Result<Linted, String>, ReconcileError> {
    let mut surveys = match surveys(snapshot, stage, release) {
        Ok(surveys) => surveys,
        Err(why) => return Ok(Err(why)),
    };
    let files = surveys.len();
    let own: BTreeSet<String> = surveys.iter().map(|survey| survey.file.clone()).collect();
    for path in around(&own) {
        match run.repository.mirror.read(snapshot.base, &path).await {
            Ok(Some(bytes)) => {
                let survey = Survey::of(&path, Kind::Manifest, &bytes, &[]);
                surveys.push(Survey { is_asked: false, ..survey });
            }
            // What is no file gives nothing to the files of the stage.
            Ok(None) | Err(RepositoryError::Edit { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let checkout =
        Checkout { surveys, rules: Some(rules(snapshot, stage)), missing: Vec::new(), is_whole: false };
    let report = checkout.judge(Terms { today, asks: Asks::Nothing }, &Facts::default());
    let errors: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let line = |finding: &&Finding| {
        let Finding { file, region, rule, message, .. } = finding;
        format!("{file}:{} ({}): {message}", region.line, rule.name())
    };
    let first = errors.first().map(line);
    Ok(Ok(Linted { release: release.id(), files, errors: errors.len(), first }))
}

/// The files of the stage, with the release in them.
fn surveys(snapshot: &Snapshot, stage: &Stage, release: &Release) -> Result<Vec<Survey>, String> {
    let edits = edits(stage, release, &snapshot.files)?;
    let paths: BTreeSet<&str> = stage.pins.iter().map(|target| target.file.as_str()).collect();
    let survey = |path: &str| {
        let edited = edits.iter().find(|(file, _, _)| file == path).map(|(_, _, after)| after);
        let bytes = match (edited, snapshot.files.get(path)) {
            (Some(after), _) => after,
            (None, Some(Ok(Some(bytes)))) => bytes,
            (None, Some(Err(why))) => return Err(why.clone()),
            (None, Some(Ok(None)) | None) => return Err(format!("{path} is not there")),
        };
        let kind = if let Named::Is(kind) = Kind::of_name(path) { kind } else { Kind::Manifest };
        let stages = snapshot.pipeline.stages.iter();
        let targets = stages.flat_map(|stage| &stage.pins).filter(|target| target.file == path);
        let marked: Vec<&str> = targets.filter_map(|target| target.path.as_deref()).collect();
        Ok(Survey::of(path, kind, bytes, &marked))
    };
    paths.into_iter().map(survey).collect()
}

/// The kustomizations beside and above these files, which may give digests to what stands in them.
fn around(files: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let mut folder = file.as_str();
        while let Some((above, _)) = folder.rsplit_once('/') {
            found.extend(KUSTOMIZATIONS.map(|name| format!("{above}/{name}")));
            folder = above;
        }
        found.extend(KUSTOMIZATIONS.map(str::to_owned));
    }
    found.retain(|path| !files.contains(path));
    found
}

/// The rules of the file, for this stage alone.
fn rules(snapshot: &Snapshot, stage: &Stage) -> Pipelines {
    let pipeline = Pipeline { stages: vec![stage.clone()], ..snapshot.pipeline.clone() };
    Pipelines { lint: snapshot.pipeline.lint.as_ref().clone(), pipelines: vec![pipeline] }
}
