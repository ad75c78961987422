//! Making the branch, the commit and the pull request of a promotion.
//!
//! Our own commit, made in the mirror, says what the branch has to hold. git pushes it, or the forge makes its like where
//! commits have to be signed: then what it made is fetched and compared, and goes again if it is anything else.

use super::apply::{Applied, delete_branch, priority, record_now, reference, remember_thread, wrote};
use super::{Reconcile, ReconcileError, gather};
use crate::commit::CommitId;
use crate::forge::ForgeError;
use crate::plan::{self, Open, Snapshot};
use crate::promotion::Event;
use crate::pull_request::{NewCommit, NewPullRequest, Reviewers};
use crate::repository::{Edit, RefUpdate, RepositoryError, Signature};

/// What became of the branch.
enum Branch {
    /// It holds our commit.
    At(CommitId),
    /// It holds something else.
    Taken,
    /// It could not be made; for a person to read.
    Refused(String),
}

/// Makes branch and pull request. After a stop in the middle the same intent gives the same commit.
pub(super) async fn open(
    run: &mut Reconcile<'_>,
    new: &Open,
    snapshot: &Snapshot,
) -> Result<Applied, ReconcileError> {
    let begun = run.state.stage(&new.stage).and_then(|stage| stage.proposal.as_ref());
    let begun = begun.filter(|proposal| proposal.branch == new.branch).map(|proposal| proposal.base.clone());
    // Made before a stop, wherever the base is by now: the intent stands, and with it the base it was made from.
    if begun.is_some()
        && let Some(head) = adopt(run, new).await?
    {
        return open_pull_request(run, new, snapshot, head).await;
    }
    if begun.as_ref() != Some(&new.base.to_string()) {
        record_now(run, new.intent.clone()).await?;
    }
    match branch(run, new).await? {
        Branch::At(head) => open_pull_request(run, new, snapshot, head).await,
        Branch::Taken => taken(run, new).await,
        Branch::Refused(reason) => Ok(Applied::Refused(reason)),
    }
}

async fn branch(run: &Reconcile<'_>, new: &Open) -> Result<Branch, ReconcileError> {
    let ours = written_on(run, new, new.base).await?;
    let wanted = NewCommit {
        branch: new.branch.clone(),
        base: run.repository.base.clone(),
        parent: new.base,
        edits: new.edits.iter().map(|(path, _, after)| (path.clone(), after.clone())).collect(),
        message: new.message.clone(),
    };
    match run.repository.forge.commit(&wanted).await {
        Ok(None) => push(run, new, ours).await,
        Ok(Some(made)) => proved(run, new, made).await,
        Err(ForgeError::Moved { .. }) => adopted(run, new).await,
        Err(error @ (ForgeError::Refused { .. } | ForgeError::NotFound { .. })) => {
            Ok(Branch::Refused(error.to_string()))
        }
        Err(error @ ForgeError::Unavailable { .. }) => Err(error.into()),
    }
}

/// The commit as we make it, on this parent. Its time is that of the intent, so that it can be made again.
async fn written_on(run: &Reconcile<'_>, new: &Open, parent: CommitId) -> Result<CommitId, RepositoryError> {
    let begun = run.state.stage(&new.stage).and_then(|stage| stage.proposal.as_ref());
    let at = begun.map_or_else(|| (run.world.now)(), |proposal| proposal.at);
    let (name, email) = run.world.settings.author.clone();
    let author = Signature { name, email, at };
    let edits = new.edits.iter().map(|(path, before, after)| Edit {
        path: path.clone(),
        before: Some(before.clone()),
        after: after.clone(),
    });
    run.repository.mirror.commit(parent, edits.collect(), &new.message, &author).await
}

async fn push(run: &Reconcile<'_>, new: &Open, ours: CommitId) -> Result<Branch, ReconcileError> {
    let update = RefUpdate { name: reference(&new.branch), old: None, new: Some(ours) };
    match run.repository.mirror.push(vec![update]).await {
        Ok(()) => Ok(Branch::At(ours)),
        Err(RepositoryError::Moved { .. }) => adopted(run, new).await,
        Err(RepositoryError::Refused { reason, .. }) => {
            Ok(Branch::Refused(format!("the git host refuses branch {}: {reason}", new.branch)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the forge made counts where it is what we would have made; else it is taken away again.
async fn proved(run: &Reconcile<'_>, new: &Open, made: CommitId) -> Result<Branch, ReconcileError> {
    // Brings the commit here.
    run.repository.mirror.tip(&new.branch).await?;
    let reason = match difference(run, new, made).await? {
        Ok(parent) if parent == new.base => return Ok(Branch::At(made)),
        Ok(_) => "its parent",
        Err(what) => what,
    };
    delete_branch(run, &new.branch, made).await;
    Ok(Branch::Refused(format!("the forge made another commit than it was asked for: {reason} differs")))
}

async fn adopted(run: &Reconcile<'_>, new: &Open) -> Result<Branch, ReconcileError> {
    Ok(adopt(run, new).await?.map_or(Branch::Taken, Branch::At))
}

/// The head of a branch that is there already, if it is what we would have made on a commit of the base.
async fn adopt(run: &Reconcile<'_>, new: &Open) -> Result<Option<CommitId>, ReconcileError> {
    let mirror = &run.repository.mirror;
    let Some(head) = mirror.tip(&new.branch).await? else { return Ok(None) };
    Ok(match difference(run, new, head).await? {
        Ok(parent) if mirror.is_ancestor(parent, new.base).await? => Some(head),
        Ok(_) | Err(_) => None,
    })
}

/// What of a commit is not as we would have made it on its parent; that parent where nothing is.
async fn difference(
    run: &Reconcile<'_>,
    new: &Open,
    found: CommitId,
) -> Result<Result<CommitId, &'static str>, ReconcileError> {
    let mirror = &run.repository.mirror;
    let commits = mirror.first_parents(found, 1).await?;
    let Some(commit) = commits.first() else { return Ok(Err("its id")) };
    let &[parent] = commit.parents.as_slice() else { return Ok(Err("its parent")) };
    if commit.message.trim_end() != new.message.trim_end() {
        return Ok(Err("its message"));
    }
    let ours = match written_on(run, new, parent).await {
        Ok(ours) => ours,
        // The bytes that are to change are not those of this parent.
        Err(RepositoryError::Edit { .. }) => return Ok(Err("its parent")),
        Err(error) => return Err(error.into()),
    };
    if !mirror.changed_paths(ours, found, 1).await?.is_empty() {
        return Ok(Err("what it changes"));
    }
    let is_by_us =
        commit.author_email == run.world.settings.author.1 || run.repository.forge.has_signed(found).await?;
    Ok(if is_by_us { Ok(parent) } else { Err("its author or signature") })
}

async fn open_pull_request(
    run: &mut Reconcile<'_>,
    new: &Open,
    snapshot: &Snapshot,
    head: CommitId,
) -> Result<Applied, ReconcileError> {
    let wanted = NewPullRequest {
        priority: priority(run, &new.stage),
        title: new.title.clone(),
        body: new.body.clone(),
        branch: new.branch.clone(),
        base: run.repository.base.clone(),
        labels: new.labels.clone(),
        reviewers: reviewers(run, new, snapshot).await,
    };
    let pull_request = match run.repository.forge.open(&wanted).await {
        Ok(pull_request) => pull_request,
        Err(error) => return wrote(Err(error)),
    };
    remember_thread(run, pull_request.number).await?;
    let event = Event::Proposed {
        stage: new.stage.clone(),
        number: pull_request.number,
        head: head.to_string(),
        waits_for: waits_for(new, snapshot),
    };
    record_now(run, event).await?;
    tracing::info!(
        repository = run.repository.name,
        pull_request = pull_request.number,
        title = new.title,
        "opened"
    );
    Ok(Applied::Next)
}

/// Whose approval it waits for, in words.
fn waits_for(new: &Open, snapshot: &Snapshot) -> Option<String> {
    let Event::Proposing { lane, release, was, .. } = &new.intent else { return None };
    let stage = snapshot.pipeline.stage(&new.stage)?;
    plan::approval_wanted(snapshot, stage, *lane, was.as_ref(), release)
}

/// Who is asked for a review. Authors that cannot be known leave nobody out: the gate decides, not the asking.
async fn reviewers(run: &Reconcile<'_>, new: &Open, snapshot: &Snapshot) -> Reviewers {
    let (Event::Proposing { release, was, requested_by, .. }, Some(stage)) =
        (&new.intent, snapshot.pipeline.stage(&new.stage))
    else {
        return Reviewers::default();
    };
    if new.approvers.is_empty() {
        return Reviewers::default();
    }
    let authors = gather::authors_of(run, snapshot, stage, was.as_ref(), release).await;
    plan::reviewers(&new.approvers, authors.as_ref(), requested_by.as_ref(), &snapshot.me)
}

async fn taken(run: &mut Reconcile<'_>, new: &Open) -> Result<Applied, ReconcileError> {
    if let Event::Proposing { attempt, .. } = &new.intent {
        record_now(run, Event::Abandoned { stage: new.stage.clone(), attempt: *attempt }).await?;
    }
    Ok(Applied::ReadAnew)
}
