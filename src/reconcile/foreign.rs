//! The pull requests of others: our check on each, which says what it would change of pins, rules and calendar.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::rules::Declared;
use super::world::{EnvironmentRepository, World};
use super::{ReconcileError, calendar};
use crate::commit::CommitId;
use crate::forge::{ForgeError, Priority};
use crate::pipeline::{
    Calendar, FILE_NAME, OutOfBand, Pipeline, PipelineName, loosened, loosened_freezes, loosened_images,
    loosened_lint, parse,
};
use crate::plan::read_pins;
use crate::pull_request::{Check, CheckStatus, Listed};
use crate::repository::{Change, RepositoryError};
use crate::store::Lease;

/// Changed files looked at of one pull request of others.
const CHANGES_MAX: usize = 3_000;

/// Our check on the pull requests of others: green at once, unless a pin, the rules or the calendar change.
pub(super) async fn foreign(
    world: &World,
    lease: &Lease,
    repository: &EnvironmentRepository,
    tip: CommitId,
    declared: &Declared,
) -> Result<(), ReconcileError> {
    let me = repository.forge.me().await?;
    let open = repository.forge.open_pull_requests(&repository.base).await?;
    let (ours, theirs): (Vec<Listed>, Vec<Listed>) =
        open.into_iter().partition(|listed| listed.author.id == me.id);
    // A check belongs to a commit: whoever opens another pull request of our head has nothing to say of ours.
    let heads: BTreeSet<CommitId> = ours.iter().map(|listed| listed.head).collect();
    for listed in theirs.iter().filter(|listed| !heads.contains(&listed.head)) {
        world.store.extend(lease, (world.now)(), world.settings.lease).await?;
        let Some(found) = unless_refused(listed, repository.forge.checks(listed.head).await)? else {
            continue;
        };
        let check = match check_of(repository, tip, declared, listed, (world.now)()).await {
            Ok(check) => check,
            Err(error @ RepositoryError::Unavailable { .. }) => return Err(error.into()),
            Err(error) => check(CheckStatus::Failed, format!("cannot be checked for pins: {error}")),
        };
        if !found.contains(&check) {
            let told = repository.forge.set_check(listed.head, &check, Priority::Gate).await;
            unless_refused(listed, told)?;
        }
    }
    Ok(())
}

/// What the forge gave for one pull request: one that it does not let us look at or report on keeps us from no other.
fn unless_refused<T>(listed: &Listed, given: Result<T, ForgeError>) -> Result<Option<T>, ReconcileError> {
    match given {
        Ok(given) => Ok(Some(given)),
        Err(error @ ForgeError::Unavailable { .. }) => Err(error.into()),
        Err(error) => {
            tracing::warn!(number = listed.number, %error, "no check is reported");
            Ok(None)
        }
    }
}

async fn check_of(
    repository: &EnvironmentRepository,
    tip: CommitId,
    declared: &Declared,
    pull_request: &Listed,
    now: Timestamp,
) -> Result<Check, RepositoryError> {
    let mirror = &repository.mirror;
    // The head's objects come with its branch.
    mirror.tip(&pull_request.branch).await?;
    let Some(base) = mirror.merge_base(tip, pull_request.head).await? else {
        return Ok(check(CheckStatus::Failed, "the branch has no common history with the base".to_owned()));
    };
    let mut paths = mirror.changed_paths(base, pull_request.head, CHANGES_MAX).await?;
    if paths.len() >= CHANGES_MAX {
        return Ok(check(
            CheckStatus::Failed,
            format!("more than {CHANGES_MAX} files change: cannot be checked for pins"),
        ));
    }
    paths.retain(|path| declared.concerns_all(path) || declared.has_pins_in(path));
    // A file that became a symlink is listed twice.
    paths.dedup();
    let mut changes = Vec::new();
    for path in paths {
        let before = mirror.read(base, &path).await?;
        let after = mirror.read(pull_request.head, &path).await?;
        changes.push(Change { path, before, after });
    }
    if let Some(rules) = changes.iter().find(|change| change.path == FILE_NAME)
        && let Some(failed) = check_rules(rules)
    {
        return Ok(failed);
    }
    let looser = match rules_after(repository, declared, (base, pull_request.head), &changes, now).await? {
        Ok(looser) => looser,
        Err(failed) => return Ok(failed),
    };
    let touched = touched(declared, &changes);
    if touched.is_empty() {
        let summary = match looser.as_slice() {
            [] => "no image pin changes".to_owned(),
            looser => format!("loosens gates: {}", looser.join("; ")),
        };
        return Ok(check(CheckStatus::Passed, summary));
    }
    let names: Vec<String> =
        touched.iter().map(|(pipeline, stage, _)| format!("{pipeline}/{stage}")).collect();
    if touched.iter().all(|(_, _, rule)| *rule == OutOfBand::Allowed) {
        return Ok(check(
            CheckStatus::Passed,
            format!("changes pins of {}: allowed, and recorded as out-of-band", names.join(", ")),
        ));
    }
    Ok(check(
        CheckStatus::Failed,
        format!(
            "changes pins of {}: use /promote <stage> to <version> or /rollback <stage> in the pipeline's operations issue",
            names.join(", ")
        ),
    ))
}

fn check_rules(change: &Change) -> Option<Check> {
    let Some(bytes) = &change.after else {
        return Some(check(
            CheckStatus::Failed,
            format!("removes {FILE_NAME}: nothing would be promoted any more"),
        ));
    };
    let errors = parse(bytes).err()?;
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let mut failed = check(CheckStatus::Failed, lines.first().cloned().unwrap_or_default());
    failed.text = lines.join("\n");
    Some(failed)
}

/// What a change of the rules or of their calendar loosens, for the reviewer's eye (the code owner decides), or the check
/// that fails: of a calendar that could not be used, or that names what nothing has.
async fn rules_after(
    repository: &EnvironmentRepository,
    declared: &Declared,
    (base, head): (CommitId, CommitId),
    changes: &[Change],
    now: Timestamp,
) -> Result<Result<Vec<String>, Check>, RepositoryError> {
    if !changes.iter().any(|change| declared.concerns_all(&change.path)) {
        return Ok(Ok(Vec::new()));
    }
    let bytes =
        changes.iter().find(|change| change.path == FILE_NAME).and_then(|change| change.after.as_ref());
    let mut after = match bytes.map(|bytes| parse(bytes)) {
        Some(Ok(after)) => after.pipelines,
        Some(Err(_)) => return Ok(Ok(Vec::new())),
        None => declared.pipelines().to_vec(),
    };
    let mut before = declared.pipelines().to_vec();
    let new = with_calendar(repository, &mut after, head).await?;
    with_calendar(repository, &mut before, base).await?;
    if let Some(Calendar::Unusable { file, reason }) = &new {
        let text = format!("calendar {file} could not be used, and everything would be frozen: {reason}");
        return Ok(Err(check(CheckStatus::Failed, text)));
    }
    let unknown = new.map(|new| calendar::unknown_names_of(&new, &after, now)).unwrap_or_default();
    if let Some(first) = unknown.first() {
        let mut failed = check(CheckStatus::Failed, first.replace('`', ""));
        failed.text = unknown.join("\n");
        return Ok(Err(failed));
    }
    Ok(Ok(looser(&before, &after, now)))
}

/// Puts the freezes of the calendar file into the pipelines, where the rules name one; returns that calendar.
async fn with_calendar(
    repository: &EnvironmentRepository,
    pipelines: &mut [Pipeline],
    commit: CommitId,
) -> Result<Option<Calendar>, RepositoryError> {
    let Some(Calendar::File(file)) = pipelines.first().map(|pipeline| pipeline.freezes.clone()) else {
        return Ok(None);
    };
    let found = calendar::read(repository, &file, commit).await?;
    for pipeline in pipelines {
        pipeline.freezes = found.of(&pipeline.name);
    }
    Ok(Some(found))
}

fn looser(before: &[Pipeline], after: &[Pipeline], now: Timestamp) -> Vec<String> {
    let mut looser = Vec::new();
    for pipeline in before {
        let Some(new) = after.iter().find(|new| new.name == pipeline.name) else { continue };
        let images = loosened_images(pipeline, new);
        looser.extend(images.into_iter().map(|what| format!("{}: {what}", pipeline.name)));
        for stage in &pipeline.stages {
            let mut what = new.stage(&stage.name).map(|new| loosened(stage, new)).unwrap_or_default();
            what.extend(loosened_lint(pipeline, new, &stage.name));
            what.extend(loosened_freezes(pipeline, new, stage, now));
            looser.extend(what.into_iter().map(|what| format!("{}/{}: {what}", pipeline.name, stage.name)));
        }
    }
    looser
}

/// The stages whose pins differ before and after these changes.
fn touched(
    declared: &Declared,
    changes: &[Change],
) -> Vec<(PipelineName, crate::pipeline::StageName, OutOfBand)> {
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    let side = |pick: &dyn Fn(&Change) -> Option<Vec<u8>>| {
        changes.iter().map(|change| (change.path.clone(), Ok(pick(change)))).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (side(&|change| change.before.clone()), side(&|change| change.after.clone()));
    let mut found = Vec::new();
    for pipeline in declared.pinning(paths.iter().copied()) {
        for stage in &pipeline.stages {
            // A stage is read by its changed files alone: the others are the same on both sides.
            let mut changed = stage.clone();
            changed.pins.retain(|target| paths.contains(target.file.as_str()));
            if !changed.pins.is_empty()
                && read_pins(pipeline, &changed, &before) != read_pins(pipeline, &changed, &after)
            {
                found.push((pipeline.name.clone(), stage.name.clone(), stage.out_of_band));
            }
        }
    }
    found
}

fn check(status: CheckStatus, summary: String) -> Check {
    Check {
        name: "lockkeeper".to_owned(),
        app: "lockkeeper".to_owned(),
        status,
        summary,
        text: String::new(),
    }
}
