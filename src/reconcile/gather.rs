//! The parts of a snapshot, each read by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::{join_all, try_join_all};

use super::observe::pin_files;
use super::pick::pick;
use super::{Reconcile, ReconcileError, WorldSettings};
use crate::commit::CommitId;
use crate::forge::ForgeError;
use crate::image::{Digest, Image, Release, Repository, is_commit_id};
use crate::pipeline::{Pipeline, Stage, StageName};
use crate::plan::{self, Asked, Files, Pick, Pins, Presence, Snapshot, Thread, Unread, messages};
use crate::promotion::Lane;
use crate::pull_request::{Authors, Number, PersonId, PullRequest, Standing};
use crate::registry::RegistryError;
use crate::repository::RepositoryError;
use crate::store::{Delivery, Hint};

/// How long a comment that was told of may be unknown where it is read: forges answer from copies of what they tell of.
const COMMENT_ABSENT_MAX: Duration = Duration::from_mins(2);
/// Earlier releases of a stage whose presence is asked for before a rollback, at once.
const TARGETS_PROBED_MAX: usize = 5;
/// Releases asked for one after the other behind those, each where all before it are missing. What is gone back to then
/// without having been asked for, the pull request says so.
const FURTHER_BACK_MAX: usize = 20;

/// The comments and command lines of the lease, read anew at the forge.
pub(super) async fn asked(run: &Reconcile<'_>) -> Result<Vec<Asked>, ReconcileError> {
    let mut found = Vec::new();
    for delivery in &run.lease.deliveries {
        for hint in &delivery.hints {
            if let Some(asked) = asked_by(run, delivery, hint).await? {
                found.push(asked);
            }
        }
    }
    found.sort_by_key(|asked| asked.at);
    Ok(found)
}

async fn asked_by(
    run: &Reconcile<'_>,
    delivery: &Delivery,
    hint: &Hint,
) -> Result<Option<Asked>, ReconcileError> {
    match hint {
        Hint::Comment { id, said, .. } => match run.repository.forge.comment(*id).await {
            Ok(comment) => Ok(Some(Asked {
                // Times have whole seconds: within one, only what it said tells.
                edited: comment.updated_at != comment.created_at
                    || said.is_some_and(|said| said != Digest::of(comment.body.as_bytes())),
                key: format!("comment:{id}"),
                body: comment.body,
                person: comment.author,
                at: comment.created_at,
                stage: stage_of_thread(run, comment.thread).await?,
                thread: Thread::Forge { number: comment.thread, comment: *id },
            })),
            // What tells of it may be ahead of what is read: only one that stays away was deleted.
            Err(error @ ForgeError::NotFound { .. }) if is_young(run, delivery) => Err(error.into()),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        },
        Hint::Command { text, person, .. } => Ok(Some(Asked {
            key: delivery.id.clone(),
            body: text.clone(),
            person: person.clone(),
            at: delivery.received_at,
            stage: None,
            thread: Thread::CommandLine,
            edited: false,
        })),
        Hint::Image { .. }
        | Hint::PullRequest { .. }
        | Hint::Push
        | Hint::Sighting { .. }
        | Hint::Unparsable { .. } => Ok(None),
    }
}

fn is_young(run: &Reconcile<'_>, delivery: &Delivery) -> bool {
    let age = Duration::try_from((run.world.now)().duration_since(delivery.received_at));
    age.unwrap_or_default() < COMMENT_ABSENT_MAX
}

/// The stage of a pull request of ours that the record does not know by number: one from before the store was lost.
async fn stage_of_thread(run: &Reconcile<'_>, number: Number) -> Result<Option<StageName>, ReconcileError> {
    if run.state.issue == Some(number) || run.state.stage_of(number).is_some() {
        return Ok(None);
    }
    match run.repository.forge.pull_request(number).await {
        Ok(found) => Ok(messages::branch_parts(&found.branch).and_then(|(stage, _)| stage.parse().ok())),
        Err(ForgeError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The files with pins at the base of each pull request under way, where the base has moved since.
pub(super) async fn files_at_open(
    run: &Reconcile<'_>,
    pipeline: &Pipeline,
    tip: CommitId,
) -> Result<BTreeMap<StageName, Files>, ReconcileError> {
    let mut found = BTreeMap::new();
    for (stage, state) in &run.state.stages {
        let base = state.proposal.as_ref().and_then(|proposal| proposal.base.parse::<CommitId>().ok());
        if let Some(base) = base.filter(|base| *base != tip) {
            found.insert(stage.clone(), files(run, pipeline, base).await?);
        }
    }
    Ok(found)
}

/// The bytes of the files with pins. What one file has wrong is said of its stages alone.
pub(super) async fn files(
    run: &Reconcile<'_>,
    pipeline: &Pipeline,
    tip: CommitId,
) -> Result<Files, ReconcileError> {
    let read = pin_files(pipeline).into_iter().map(|path| async move {
        match run.repository.mirror.read(tip, &path).await {
            Ok(bytes) => Ok((path, Ok(bytes))),
            Err(error @ RepositoryError::Edit { .. }) => Ok((path, Err(error.to_string()))),
            Err(error) => Err(ReconcileError::from(error)),
        }
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

/// What the follow rules pick now.
pub(super) async fn picks(run: &Reconcile<'_>, pipeline: &Pipeline, is_hurried: bool) -> Vec<Pick> {
    join_all(pipeline.images.iter().map(|rule| async move {
        match within(run, is_hurried, pick(run.world.registry.as_ref(), rule, (run.world.now)())).await {
            Some(Ok(pick)) => pick,
            Some(Err(error)) => {
                run.is_registry_away.store(true, Ordering::Relaxed);
                Pick::Failed(error.to_string())
            }
            None => Pick::Failed(format!("the registry of {} takes too long", rule.repository)),
        }
    }))
    .await
}

/// What is known of the images that a plan or a message speaks of, beside those that were read already.
pub(super) async fn images(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<Digest, Result<Image, Unread>> {
    let read = concerned(snapshot).into_iter().map(|(repository, digest)| async move {
        let image = match within(run, is_hurried, run.world.registry.image(&repository, digest)).await {
            Some(image) => image.map_err(|error| unread(&error)),
            None => Err(Unread::Unknown("the registry takes too long".to_owned())),
        };
        (digest, image)
    });
    join_all(read).await.into_iter().collect()
}

/// What an error of a registry tells.
pub(super) fn unread(error: &RegistryError) -> Unread {
    match error {
        RegistryError::NotFound { .. } => Unread::Absent(error.to_string()),
        RegistryError::Denied { .. }
        | RegistryError::Unavailable { .. }
        | RegistryError::Untrusted { .. } => Unread::Unknown(error.to_string()),
    }
}

/// The images of which a plan may speak, and nothing is known yet. None where nothing is about, which is how most pipelines
/// are most of the time: then the tag is all that the registry is asked for, but where a part of an image may run.
fn concerned(snapshot: &Snapshot) -> BTreeSet<(Repository, Digest)> {
    let mut found = if is_settled(snapshot) {
        digests(&plan::unknown_parts(snapshot))
    } else {
        digests(&[plan::coming(snapshot), plan::there(snapshot)].concat())
    };
    found.retain(|(_, digest)| !snapshot.images.contains_key(digest));
    found
}

/// The images of these releases, each once.
pub(super) fn digests(releases: &[Release]) -> BTreeSet<(Repository, Digest)> {
    let images = releases.iter().flat_map(Release::images);
    images.map(|(repository, pinned)| (repository.clone(), pinned.digest)).collect()
}

/// Whether every stage is pinned to what the rules pick, and nobody and nothing wants it otherwise.
pub(super) fn is_settled(snapshot: &Snapshot) -> bool {
    let is_picked = |release: &Release| {
        snapshot.pipeline.images.iter().zip(&snapshot.picks).all(|(rule, pick)| {
            let pinned = release.get(&rule.repository).map(|pinned| pinned.digest);
            matches!(pick, Pick::Found { digest, .. } if pinned == Some(*digest))
        })
    };
    let is_quiet = |stage: &Stage| {
        let state = snapshot.state.stage(&stage.name);
        state.is_none_or(|state| state.proposal.is_none() && state.request.is_none())
            && matches!(snapshot.pins(stage), Pins::Release(release) if is_picked(&release))
    };
    snapshot.asked.is_empty() && snapshot.pipeline.stages.iter().all(is_quiet)
}

/// Who the people are now that commanded or reviewed; each is asked for once in a reconcile, and once more for a merge.
pub(super) async fn standings(
    run: &Reconcile<'_>,
    pipeline: &Pipeline,
    asked: &[Asked],
    pull_requests: &BTreeMap<Number, PullRequest>,
) -> Result<BTreeMap<PersonId, Standing>, ReconcileError> {
    let commanding = asked.iter().map(|asked| asked.person.id);
    let reviewing =
        pull_requests.values().flat_map(|found| found.reviews.iter().map(|review| review.person.id));
    let people: BTreeSet<PersonId> = commanding.chain(reviewing).collect();
    let teams = pipeline.teams();
    let read = people.into_iter().map(|person| {
        let asked = (person, teams.clone());
        async move {
            let known = run.standings().get(&asked).cloned();
            let standing = match known {
                Some(standing) => standing,
                None => run.repository.forge.standing(person, &asked.1).await?,
            };
            run.standings().insert(asked, standing.clone());
            Ok::<_, ReconcileError>((person, standing))
        }
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

/// Whether the registry has what a rollback may need; asked only when a rollback is about.
///
/// First those that are near, at once; then, where all of them are missing or somebody names one that is further back,
/// whatever would be gone back to by what is known by then.
pub(super) async fn presence(
    run: &Reconcile<'_>,
    snapshot: &mut Snapshot,
    is_hurried: bool,
) -> BTreeMap<(Repository, Digest), Presence> {
    let mut found = BTreeMap::new();
    if !is_hurried {
        return found;
    }
    let stages = snapshot.pipeline.stages.iter();
    let mut targets: BTreeSet<_> = stages.flat_map(|stage| targets_of(snapshot, stage)).collect();
    for _ in 0..=FURTHER_BACK_MAX {
        let read = targets.into_iter().map(|(repository, digest)| async move {
            let presence = match within(run, true, run.world.registry.probe(&repository, digest)).await {
                Some(Ok(platforms)) => Presence::Present(platforms.len()),
                Some(Err(error @ RegistryError::NotFound { .. })) => Presence::Absent(error.to_string()),
                Some(Err(error)) => Presence::Unknown(error.to_string()),
                None => Presence::Unknown("the registry takes too long".to_owned()),
            };
            ((repository, digest), presence)
        });
        found.extend(join_all(read).await);
        snapshot.presence.clone_from(&found);
        targets = digests(&plan::rollback_targets(snapshot));
        targets.retain(|target| !found.contains_key(target));
        if targets.is_empty() {
            break;
        }
    }
    found
}

fn targets_of(snapshot: &Snapshot, stage: &Stage) -> BTreeSet<(Repository, Digest)> {
    let state = snapshot.state.stage(&stage.name);
    let asked = state.and_then(|state| state.request.as_ref()).map(|request| &request.release);
    let proposed = snapshot.state.proposal(&stage.name).filter(|proposal| proposal.lane == Lane::Rollback);
    let earlier = state.into_iter().flat_map(|state| state.stints.newest_first()).map(|stint| &stint.release);
    let releases =
        earlier.take(TARGETS_PROBED_MAX).chain(asked).chain(proposed.map(|proposal| &proposal.release));
    releases
        .flat_map(|release| release.images().map(|(name, pinned)| (name.clone(), pinned.digest)))
        .collect()
}

/// Who wrote the commits behind each release under way, where a gate asks for it.
pub(super) async fn authors(run: &Reconcile<'_>, snapshot: &Snapshot) -> BTreeMap<StageName, Authors> {
    let mut found = BTreeMap::new();
    for stage in &snapshot.pipeline.stages {
        let proposal = snapshot.state.proposal(&stage.name);
        if let Some(proposal) = proposal.filter(|proposal| proposal.lane != Lane::Rollback)
            && let Some(authors) =
                authors_of(run, snapshot, stage, proposal.was.as_ref(), &proposal.release).await
        {
            found.insert(stage.name.clone(), authors);
        }
    }
    found
}

/// Who wrote the commits behind a release, where the stage asks for it.
pub(super) async fn authors_of(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    stage: &Stage,
    was: Option<&Release>,
    release: &Release,
) -> Option<Authors> {
    let is_asked = stage.gates.approvals.as_ref().is_some_and(|rule| rule.independent);
    if !is_asked {
        return None;
    }
    Some(authors_between(run, snapshot, was, release).await)
}

async fn authors_between(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    was: Option<&Release>,
    release: &Release,
) -> Authors {
    let mut people = Vec::new();
    for (repository, pinned) in release.images() {
        let before = was.and_then(|was| was.get(repository));
        if before.is_some_and(|before| before.digest == pinned.digest) {
            continue;
        }
        let Some(before) = before else {
            return Authors::Unknown(format!("{repository} had no digest before"));
        };
        let (from, to) = match (source_of(snapshot, before.digest), source_of(snapshot, pinned.digest)) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(reason), _) | (_, Err(reason)) => return Authors::Unknown(reason),
        };
        // Built anew from what was there before.
        if from == to {
            continue;
        }
        match run.repository.forge.authors(&to.0, &from.1, &to.1).await {
            Ok(Authors::Known(more)) => people.extend(more),
            Ok(unknown @ Authors::Unknown(_)) => return unknown,
            Err(error) => return Authors::Unknown(error.to_string()),
        }
    }
    people.sort();
    people.dedup();
    Authors::Known(people)
}

/// The source repository and revision that an image names.
pub(super) fn source_of(snapshot: &Snapshot, digest: Digest) -> Result<(String, String), String> {
    let image = match snapshot.images.get(&digest) {
        Some(Ok(image)) => image,
        Some(Err(reason)) => return Err(reason.to_string()),
        None => return Err(format!("image {} was not read", digest.short())),
    };
    let label = |key: &str| {
        image.labels.get(&format!("org.opencontainers.image.{key}")).filter(|text| !text.is_empty())
    };
    match (label("source"), label("revision")) {
        // A branch or a tag may be elsewhere by now.
        (Some(_), Some(revision)) if !is_commit_id(revision) => {
            Err(format!("image {} names no commit as its revision", digest.short()))
        }
        (Some(source), Some(revision)) => Ok((source.clone(), revision.clone())),
        _ => Err(format!("image {} names no source and revision", digest.short())),
    }
}

/// The result of a read of the registry, or none where it takes longer than a person should wait.
pub(super) async fn within<T>(
    run: &Reconcile<'_>,
    is_hurried: bool,
    read: impl Future<Output = T>,
) -> Option<T> {
    // Where a person waits, a registry that kept them waiting once in this reconcile is not asked again.
    if is_hurried && run.is_registry_slow.load(Ordering::Relaxed) {
        return None;
    }
    let WorldSettings { hurried_timeout, unhurried_timeout, .. } = run.world.settings;
    let limit = if is_hurried { hurried_timeout } else { unhurried_timeout };
    let result = tokio::time::timeout(limit, read).await.ok();
    if result.is_none() {
        run.is_registry_slow.store(true, Ordering::Relaxed);
        run.is_registry_away.store(true, Ordering::Relaxed);
    }
    result
}
