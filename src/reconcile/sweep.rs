//! The repository itself: its rules, its missed comments, and the pull requests of others.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ReconcileError;
use super::route::{deliver_activity, thread_cursor};
use super::rules::{Declared, Parsed, cursor_name};
use super::world::{EnvironmentRepository, World};
use crate::commit::CommitId;
use crate::forge::{ForgeError, Priority};
use crate::pipeline::{
    FILE_NAME, OutOfBand, PipelineName, loosened, loosened_freezes, loosened_images, parse,
};
use crate::plan::{PipelineView, messages, read_pins};
use crate::pull_request::{Check, CheckStatus, Listed, Person};
use crate::repository::{Change, RepositoryError};
use crate::store::{Hint, Key, Lease, Urgency};

/// Comments read at once.
const COMMENTS_PAGE: usize = 200;
/// Commits of the base looked at one by one; after more, every pipeline looks for itself.
const COMMITS_MAX: usize = 200;
/// Changed files looked at of one pull request of others, and of one move of the base.
const CHANGES_MAX: usize = 3_000;

/// Looks at the repository, and marks the pipelines that something concerns. Returns what to show of it.
pub(super) async fn sweep(world: &World, lease: &Lease) -> Result<Option<PipelineView>, ReconcileError> {
    let Some(repository) = world.repositories.get(&lease.key.repository) else { return Ok(None) };
    let Some(tip) = repository.mirror.tip(&repository.base).await? else {
        return Err(ReconcileError::Later(format!(
            "branch {} is not in repository {}",
            repository.base, repository.name
        )));
    };
    let rules = world.rules.at(repository, tip).await?;
    declare(world, repository, tip, &rules).await?;
    comments(world, repository).await?;
    world.witness.read(&repository.name, (world.now)());
    if let Ok(declared) = &rules {
        foreign(world, lease, repository, tip, declared).await?;
    }
    Ok(rules.err().map(|errors| PipelineView {
        repository: repository.name.clone(),
        pipeline: None,
        owner: None,
        issue_url: None,
        stages: Vec::new(),
        error: Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        history: Vec::new(),
        updated_at: (world.now)(),
    }))
}

/// Marks what a move of the base concerns: all pipelines where the rules changed, else those whose files changed.
async fn declare(
    world: &World,
    repository: &EnvironmentRepository,
    tip: CommitId,
    rules: &Parsed,
) -> Result<(), ReconcileError> {
    let cursor = format!("tip:{}", repository.name);
    let before = world.store.cursor(&cursor).await?.and_then(|text| text.parse::<CommitId>().ok());
    if before == Some(tip) {
        return Ok(());
    }
    let changed = match before {
        Some(before) => changed_paths(repository, before, tip).await,
        None => None,
    };
    let now = (world.now)();
    let concerns_all = |path: &String| match rules {
        Ok(declared) => declared.concerns_all(path),
        Err(_) => path == FILE_NAME,
    };
    let concerned = changed.as_ref().filter(|changed| !changed.iter().any(concerns_all));
    if let Ok(declared) = rules {
        let pipelines = match concerned {
            Some(paths) => declared.pinning(paths.iter().map(String::as_str)),
            None => declared.pipelines().iter().collect(),
        };
        for pipeline in pipelines {
            let key = Key::pipeline(&repository.name, pipeline.name.clone());
            let images: Vec<String> =
                pipeline.images.iter().map(|rule| rule.repository.canonical()).collect();
            // Watched before it is looked at: what is told in between would concern nobody, and come after the look.
            world.store.set_watches(&key, &images).await?;
            world.store.mark(std::slice::from_ref(&key), now, Urgency::Time).await?;
        }
        world.store.set_cursor(&cursor_name(repository), &tip.to_string()).await?;
    }
    if concerned.is_none() {
        // Those that are gone from the file, or whose file is broken, look for themselves.
        let known = world.store.keys(&repository.name).await?;
        let pipelines: Vec<Key> = known.into_iter().filter(|key| key.pipeline.is_some()).collect();
        world.store.mark(&pipelines, now, Urgency::Time).await?;
    }
    world.store.set_cursor(&cursor, &tip.to_string()).await?;
    Ok(())
}

/// Every path that some commit of the base changed after `before`; none where that is more than can be looked at.
///
/// The commits one by one, not the two ends: a change that was taken back in between concerns its pipeline as well.
async fn changed_paths(
    repository: &EnvironmentRepository,
    before: CommitId,
    tip: CommitId,
) -> Option<BTreeSet<String>> {
    let commits = repository.mirror.first_parents(tip, COMMITS_MAX).await.ok()?;
    let new = commits.iter().position(|commit| commit.id == before)?;
    let mut paths = BTreeSet::new();
    for commit in commits.get(..new)? {
        let parent = commit.parents.first()?;
        let changed = repository.mirror.changed_paths(*parent, commit.id, CHANGES_MAX).await.ok()?;
        if changed.len() >= CHANGES_MAX {
            return None;
        }
        paths.extend(changed);
    }
    Some(paths)
}

/// Comments that no webhook brought. Those that one did bring have the same delivery, and are no-ops.
async fn comments(world: &World, repository: &EnvironmentRepository) -> Result<(), ReconcileError> {
    let cursor = format!("comments:{}", repository.name);
    let mut after: u64 = world.store.cursor(&cursor).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let me = repository.forge.me().await?;
    // A thread is asked for once, however much is said in it.
    let mut threads: BTreeMap<u64, bool> = BTreeMap::new();
    loop {
        let page = repository.forge.comments_after(after, COMMENTS_PAGE).await?;
        for comment in page.iter().filter(|comment| comment.author.id != me.id) {
            let is_ours = match threads.get(&comment.thread) {
                Some(known) => *known,
                None => is_ours(world, repository, &me, comment.thread).await?,
            };
            threads.insert(comment.thread, is_ours);
            if is_ours {
                let id = comment_delivery_id(&repository.name, comment.id);
                let hint = Hint::Comment { id: comment.id, thread: comment.thread, said: None };
                deliver_activity(&world.store, &repository.name, &id, hint, comment.created_at).await?;
            }
        }
        after = page.iter().map(|comment| comment.id).max().unwrap_or(after);
        world.store.set_cursor(&cursor, &after.to_string()).await?;
        if page.len() < COMMENTS_PAGE {
            return Ok(());
        }
    }
}

/// Whether a thread is a pull request or issue of ours. One that the store does not know (it was lost, or a stop came
/// before it was noted) is known by its author and branch.
async fn is_ours(
    world: &World,
    repository: &EnvironmentRepository,
    me: &Person,
    thread: u64,
) -> Result<bool, ReconcileError> {
    let cursor = thread_cursor(&repository.name, thread);
    if world.store.cursor(&cursor).await?.is_some() {
        return Ok(true);
    }
    let found = match repository.forge.pull_request(thread).await {
        Ok(found) if found.author.id == me.id => found,
        Ok(_) | Err(ForgeError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let Some((_, pipeline)) = messages::branch_parts(&found.branch) else { return Ok(false) };
    world.store.set_cursor(&cursor, pipeline).await?;
    Ok(true)
}

/// The one id of a comment's delivery, by whatever way it arrives.
pub(super) fn comment_delivery_id(repository: &str, comment: u64) -> String {
    format!("comment:{repository}:{comment}")
}

/// Our check on the pull requests of others: green at once, unless a pin or the rules change.
async fn foreign(
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
    paths.retain(|path| path == FILE_NAME || declared.has_pins_in(path));
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
    let touched = touched(declared, &changes);
    if touched.is_empty() {
        let summary =
            rules_summary(declared, &changes, now).unwrap_or_else(|| "no image pin changes".to_owned());
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

/// What a change of the rules loosens, for the reviewer's eye; the code owner decides.
fn rules_summary(declared: &Declared, changes: &[Change], now: Timestamp) -> Option<String> {
    let after = changes.iter().find(|change| change.path == FILE_NAME)?.after.as_ref()?;
    let after = parse(after).ok()?;
    let mut looser = Vec::new();
    for pipeline in declared.pipelines() {
        let Some(new) = after.pipelines.iter().find(|new| new.name == pipeline.name) else { continue };
        let images = loosened_images(pipeline, new);
        looser.extend(images.into_iter().map(|what| format!("{}: {what}", pipeline.name)));
        for stage in &pipeline.stages {
            let mut what = new.stage(&stage.name).map(|new| loosened(stage, new)).unwrap_or_default();
            what.extend(loosened_freezes(pipeline, new, stage, now));
            looser.extend(what.into_iter().map(|what| format!("{}/{}: {what}", pipeline.name, stage.name)));
        }
    }
    if looser.is_empty() { None } else { Some(format!("loosens gates: {}", looser.join("; "))) }
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

/// When the repository is looked at again without an event.
pub(super) fn again_at(repository: &EnvironmentRepository, now: Timestamp) -> Option<Timestamp> {
    now.checked_add(repository.poll_interval).ok()
}
