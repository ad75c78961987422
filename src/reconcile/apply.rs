//! Carrying out one effect. No choice is made here: what an effect needs stands in it.

use std::time::Duration;

use super::open::open;
use super::{Observed, Reconcile, ReconcileError, observe, retag};
use crate::commit::CommitId;
use crate::forge::{ForgeError, Priority};
use crate::pipeline::StageName;
use crate::plan::{self, Close, Effect, MergeNow, Snapshot};
use crate::promotion::{CloseIntent, Entry, Event, Lane, Why};
use crate::pull_request::{CheckStatus, Deployment, PullRequestState};
use crate::repository::RefUpdate;

/// Longest that showing one deployment may take: some requests, each a fraction of a second. What it leaves half done is
/// found by the next one.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);

/// How carrying out one effect ended.
pub(super) enum Applied {
    /// It is done; the next effect follows.
    Next,
    /// The world is not the one planned for: read it anew.
    ReadAnew,
    /// The forge or git refuses, for a person to read.
    Refused(String),
}

/// Carries out one effect.
///
/// # Errors
/// [`ReconcileError`] if the reconcile cannot go on now.
pub(super) async fn apply(
    run: &mut Reconcile<'_>,
    effect: &Effect,
    snapshot: &Snapshot,
) -> Result<Applied, ReconcileError> {
    let forge = run.repository.forge.clone();
    match effect {
        Effect::Record(entries) => {
            for entry in entries {
                clear(run, &entry.event).await?;
            }
            run.append(entries).await?;
            Ok(Applied::Next)
        }
        Effect::Open(new) => open(run, new, snapshot).await,
        Effect::Close(which) => close(run, which).await,
        Effect::Merge(which) => merge(run, effect, which).await,
        Effect::Edit { number, title, body } => Ok(said(run, forge.edit(*number, title, body).await)),
        Effect::Check { head, check } => {
            // A passed one is the way to a merge.
            let is_passed = check.status == CheckStatus::Passed;
            let stage = super::stage_of(effect, snapshot).filter(|_| is_passed);
            let priority = stage.map_or(Priority::Gate, |stage| priority(run, &stage));
            wrote(forge.set_check(*head, check, priority).await)
        }
        Effect::Comment { thread, marker, body, after } => {
            let written = forge.upsert_comment(*thread, marker, body, *after).await.map(|_| ());
            Ok(said(run, written))
        }
        Effect::React { comment, reaction } => Ok(said(run, forge.react(*comment, *reaction).await)),
        Effect::Issue { title, body } => issue(run, title, body).await,
        Effect::Deploy { stage, deployment } => deploy(run, stage, deployment).await,
        Effect::Tag(wanted) => retag::tag(run, wanted).await,
        Effect::Untag { repository, digest } => retag::untag(run, repository, *digest).await,
    }
}

/// What the writes for a stage are for.
pub(super) fn priority(run: &Reconcile<'_>, stage: &StageName) -> Priority {
    let proposal = run.state.stage(stage).and_then(|state| state.proposal.as_ref());
    match proposal.map(|proposal| proposal.lane) {
        Some(Lane::Rollback) => Priority::Rollback,
        Some(Lane::Normal | Lane::Hotfix) | None => Priority::Act,
    }
}

pub(super) async fn record_now(run: &mut Reconcile<'_>, event: Event) -> Result<(), ReconcileError> {
    let at = (run.world.now)();
    run.append(&[Entry { at, event }]).await
}

/// A write that decides: what stops it is read anew, refused, or tried later.
pub(super) fn wrote(result: Result<(), ForgeError>) -> Result<Applied, ReconcileError> {
    match result {
        Ok(()) => Ok(Applied::Next),
        Err(ForgeError::Moved { .. } | ForgeError::NotFound { .. }) => Ok(Applied::ReadAnew),
        Err(error @ ForgeError::Refused { .. }) => Ok(Applied::Refused(error.to_string())),
        Err(error @ ForgeError::Unavailable { .. }) => Err(error.into()),
    }
}

/// A write that only tells: where it fails, it stays due and stops nothing else.
fn said(run: &mut Reconcile<'_>, result: Result<(), ForgeError>) -> Applied {
    match result {
        Ok(()) => Applied::Next,
        Err(error @ ForgeError::Unavailable { .. }) => {
            tracing::warn!(repository = run.repository.name, %error, "cannot write to the forge, later again");
            let was_muted = std::mem::replace(&mut run.is_muted, true);
            if was_muted { Applied::Next } else { Applied::ReadAnew }
        }
        Err(error) => {
            // It would be refused again: what is told here is not worth a standstill.
            tracing::warn!(repository = run.repository.name, %error, "the forge does not take what is told");
            run.is_muted = true;
            Applied::Next
        }
    }
}

async fn issue(run: &mut Reconcile<'_>, title: &str, body: &str) -> Result<Applied, ReconcileError> {
    let key = run.lease.key.pipeline.as_ref().map_or_else(String::new, ToString::to_string);
    match run.repository.forge.upsert_issue(&key, title, body).await {
        Ok(number) => {
            remember_thread(run, number).await?;
            record_now(run, Event::IssueOpened { number }).await?;
            Ok(Applied::Next)
        }
        Err(error) => Ok(said(run, Err(error))),
    }
}

/// Shows a deployment. Nothing waits for it: where it fails it is due again with a later look.
async fn deploy(
    run: &mut Reconcile<'_>,
    stage: &StageName,
    deployment: &Deployment,
) -> Result<Applied, ReconcileError> {
    let show = tokio::time::timeout(SHOW_TIMEOUT, run.repository.forge.show_deployment(deployment)).await;
    let reason = match show {
        Ok(Ok(())) => {
            record_now(run, mirrored(stage, deployment)).await?;
            return Ok(Applied::Next);
        }
        Ok(Err(error)) => error.to_string(),
        Err(late) => late.to_string(),
    };
    let (repository, environment) = (&run.repository.name, &deployment.environment);
    tracing::info!(repository, environment, reason, "a deployment is not shown, later again");
    run.is_unmirrored = true;
    Ok(Applied::Next)
}

/// The outcome, for the record.
pub(super) fn mirrored(stage: &StageName, deployment: &Deployment) -> Event {
    let (commit, standing) = (deployment.commit.to_string(), deployment.standing);
    Event::Mirrored { stage: stage.clone(), commit, standing }
}

/// Remembers whose thread this is, so that a comment on it finds its pipeline.
pub(super) async fn remember_thread(run: &Reconcile<'_>, number: u64) -> Result<(), ReconcileError> {
    let pipeline = run.lease.key.pipeline.as_ref().map_or("", |name| name.as_str());
    let name = super::route::thread_cursor(&run.repository.name, number);
    run.world.store.set_cursor(&name, pipeline).await?;
    Ok(())
}

/// Closes the pull request, and deletes the branch if it is still as we know it. What is said of it follows.
async fn close(run: &mut Reconcile<'_>, which: &Close) -> Result<Applied, ReconcileError> {
    let (stage, number, why) = (&which.stage, which.number, &which.why);
    let proposal = run.state.stage(stage).and_then(|state| state.proposal.as_ref());
    let intent = CloseIntent { why: why.clone(), text: which.comment.clone() };
    if proposal.and_then(|proposal| proposal.closing.as_ref()) != Some(&intent) {
        let (stage, why) = (stage.clone(), why.clone());
        record_now(run, Event::Closing { stage, number, text: intent.text, why }).await?;
    }
    match run.repository.forge.close(number).await {
        Ok(()) => {}
        Err(ForgeError::Moved { .. }) => return Ok(Applied::ReadAnew),
        Err(error) => return wrote(Err(error)),
    }
    delete_branch(run, &which.branch, which.head).await;
    record_now(run, Event::Closed { stage: stage.clone(), number, why: why.clone() }).await?;
    Ok(Applied::ReadAnew)
}

/// What a proposal leaves behind goes before its end is recorded: afterwards nobody would remember it. A pull request
/// that a person closed keeps its branch, so that it can be opened again by hand.
async fn clear(run: &Reconcile<'_>, event: &Event) -> Result<(), ReconcileError> {
    let (Event::Merged { stage, .. } | Event::Closed { stage, .. } | Event::Abandoned { stage, .. }) = event
    else {
        return Ok(());
    };
    if matches!(event, Event::Abandoned { .. }) {
        return leave_nothing(run, stage).await;
    }
    let is_refused = matches!(event, Event::Closed { why: Why::Refused { .. }, .. });
    let proposal = run.state.stage(stage).and_then(|state| state.proposal.as_ref());
    if let Some(proposal) = proposal.filter(|_| !is_refused)
        && let Some((_, head)) = &proposal.open
        && let Ok(head) = head.parse()
    {
        delete_branch(run, &proposal.branch, head).await;
    }
    Ok(())
}

/// An intent that is given up may have left a pull request behind, where a stop came before it was recorded.
async fn leave_nothing(run: &Reconcile<'_>, stage: &StageName) -> Result<(), ReconcileError> {
    let Some(proposal) = run.state.stage(stage).and_then(|state| state.proposal.as_ref()) else {
        return Ok(());
    };
    let forge = &run.repository.forge;
    let me = forge.me().await?;
    for found in forge.open_pull_requests(&run.repository.base).await? {
        if found.author.id == me.id && found.branch == proposal.branch {
            forge.close(found.number).await?;
            delete_branch(run, &found.branch, found.head).await;
        }
    }
    // Or a branch that holds nothing yet, where the forge was to make the commit.
    let tip = run.repository.mirror.tip(&proposal.branch).await?;
    if let Some(tip) = tip.filter(|tip| tip.to_string() == proposal.base) {
        delete_branch(run, &proposal.branch, tip).await;
    }
    Ok(())
}

/// Deletes a branch of ours. One that moved or cannot be deleted stays, and is said in the log: nothing depends on it.
pub(super) async fn delete_branch(run: &Reconcile<'_>, branch: &str, head: CommitId) {
    let update = RefUpdate { name: reference(branch), old: Some(head), new: None };
    if let Err(error) = run.repository.mirror.push(vec![update]).await {
        tracing::info!(branch, %error, "branch is not deleted");
    }
}

/// Merges, after everything was read and planned once more.
async fn merge(
    run: &mut Reconcile<'_>,
    effect: &Effect,
    which: &MergeNow,
) -> Result<Applied, ReconcileError> {
    if !is_still_planned(run, effect).await? {
        return Ok(Applied::ReadAnew);
    }
    let stage = which.stage.clone();
    if !is_merging(run, which) {
        let merging = Event::Merging {
            stage: stage.clone(),
            number: which.number,
            approvals: which.approvals.clone(),
            signatures: which.signatures.clone(),
            exceptions: which.exceptions.clone(),
        };
        record_now(run, merging).await?;
    }
    let forge = run.repository.forge.clone();
    let commit = match forge
        .merge(which.number, which.head, &which.message, which.method, priority(run, &stage))
        .await
    {
        Ok(commit) => commit,
        // What became of it is not known: the next look at the pull request tells.
        Err(error @ ForgeError::Unavailable { .. }) => return Err(error.into()),
        Err(error) => {
            record_now(run, Event::MergeFailed { stage: which.stage.clone() }).await?;
            shut_check(run, which, &error).await;
            return wrote(Err(error));
        }
    };
    // The forge's own time of the merge counts, so that a restart in between records the same.
    let at = match forge.pull_request(which.number).await.map(|found| found.state) {
        Ok(PullRequestState::Merged { at, .. }) => at,
        Ok(PullRequestState::Open | PullRequestState::Closed { .. }) | Err(_) => (run.world.now)(),
    };
    delete_branch(run, &which.branch, which.head).await;
    run.append(&which.merged(commit, at)).await?;
    tracing::info!(repository = run.repository.name, pull_request = which.number, %commit, "merged");
    Ok(Applied::ReadAnew)
}

/// Whether the intent of this merge is in the record already: a stop came before its outcome.
fn is_merging(run: &Reconcile<'_>, which: &MergeNow) -> bool {
    let proposal = run.state.stage(&which.stage).and_then(|state| state.proposal.as_ref());
    let merging = proposal.and_then(|proposal| proposal.merging.as_ref());
    merging.is_some_and(|merging| {
        merging.approvals == which.approvals
            && merging.signatures == which.signatures
            && merging.exceptions == which.exceptions
    })
}

/// The check is green only for our own merge: where that fails, it is taken back.
async fn shut_check(run: &Reconcile<'_>, which: &MergeNow, error: &ForgeError) {
    let check = crate::pull_request::Check {
        name: "lockkeeper".to_owned(),
        app: "lockkeeper".to_owned(),
        status: CheckStatus::Pending,
        summary: format!("the merge did not go through: {error}"),
        text: String::new(),
    };
    if let Err(error) = run.repository.forge.set_check(which.head, &check, Priority::Act).await {
        tracing::warn!(pull_request = which.number, %error, "cannot take the check back");
    }
}

async fn is_still_planned(run: &Reconcile<'_>, effect: &Effect) -> Result<bool, ReconcileError> {
    run.standings().clear();
    Ok(match observe(run).await? {
        Observed::World(snapshot) => plan::plan(&snapshot).effects.contains(effect),
        Observed::Gone | Observed::Unusable(_) => false,
    })
}

pub(super) fn reference(branch: &str) -> String {
    format!("refs/heads/{branch}")
}
