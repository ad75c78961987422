//! The repository itself: its rules and its missed comments; [`super::foreign`] has the pull requests of others.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::foreign::foreign;
use super::route::{deliver_activity, thread_cursor};
use super::rules::{Parsed, cursor_name};
use super::world::{EnvironmentRepository, World};
use super::{ReconcileError, calendar};
use crate::commit::CommitId;
use crate::forge::ForgeError;
use crate::pipeline::FILE_NAME;
use crate::plan::{PipelineView, messages};
use crate::pull_request::Person;
use crate::store::{Hint, Key, Lease, Urgency};

/// Comments read at once.
const COMMENTS_PAGE: usize = 200;
/// Commits of the base looked at one by one; after more, every pipeline looks for itself.
const COMMITS_MAX: usize = 200;
/// Changed files looked at of one move of the base.
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
    let problems = match &rules {
        Ok(declared) => calendar::unknown_in(repository, declared.pipelines(), tip, (world.now)()).await?,
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    Ok((!problems.is_empty()).then(|| PipelineView {
        repository: repository.name.clone(),
        pipeline: None,
        owner: None,
        issue_url: None,
        stages: Vec::new(),
        error: Some(problems.join("\n")),
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

/// When the repository is looked at again without an event.
pub(super) fn again_at(repository: &EnvironmentRepository, now: Timestamp) -> Option<Timestamp> {
    now.checked_add(repository.poll_interval).ok()
}
