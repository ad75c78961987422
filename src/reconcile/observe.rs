//! Reading the world: pull requests first, then the base, then everything that depends on them, at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::calendar::with_calendar;
use super::hotfix::hotfixes;
use super::pick::standing;
use super::{Reconcile, ReconcileError, gather, policy, protect, running, signatures, tags, touched};
use crate::commit::CommitId;
use crate::forge::ForgeError;
use crate::pipeline::{Pipeline, PipelineName, StageName};
use crate::plan::{FileState, PipelineView, PlanSettings, Snapshot};
use crate::promotion::Lane;
use crate::pull_request::{Number, PullRequest};
use crate::store::{Hint, Lease};

/// So many intervals of the probes an answer counts: one goes by until the next, and one may fail.
const INTERVALS_COUNTED: u32 = 2;

/// What reading the world gave.
#[derive(Debug)]
pub(super) enum Observed {
    /// Everything that a plan needs.
    World(Box<Snapshot>),
    /// The pipeline is not declared any more, and nothing of it is under way.
    Gone,
    /// Nothing can be planned; what to show instead.
    Unusable(Box<PipelineView>),
}

/// Reads the world for the pipeline of this reconcile.
///
/// # Errors
/// [`ReconcileError::Later`] if git or the forge cannot be read. A registry that cannot be read is part of the world.
pub(super) async fn observe(run: &Reconcile<'_>) -> Result<Observed, ReconcileError> {
    let Some(name) = &run.lease.key.pipeline else { return Ok(Observed::Gone) };
    let repository = run.repository;
    let pull_requests = pull_requests(run).await?;
    let Some(tip) = repository.mirror.tip(&repository.base).await? else {
        return Err(ReconcileError::Later(format!(
            "branch {} is not in repository {}",
            repository.base, repository.name
        )));
    };
    let (pipeline, file) = match rules(run, name, tip).await? {
        Rules::Found(pipeline, file) => (*pipeline, file),
        Rules::Gone => return Ok(Observed::Gone),
        Rules::Unusable(error) => return Ok(Observed::Unusable(Box::new(unusable(run, name, error)))),
    };
    let pipeline = with_calendar(run, pipeline, tip).await?;
    let is_hurried = is_hurried(run);
    let (asked, me) =
        futures::try_join!(gather::asked(run), async { repository.forge.me().await.map_err(Into::into) })?;
    let (files, files_at_open, picks, rules_at_open) = futures::join!(
        gather::files(run, &pipeline, tip),
        gather::files_at_open(run, &pipeline, tip),
        gather::picks(run, &pipeline, is_hurried),
        rules_at_open(run, &pipeline, tip)
    );
    let standings = gather::standings(run, &pipeline, &asked, &pull_requests).await?;
    let (now, state, settings) = ((run.world.now)(), run.state.clone(), plan_settings(run));
    let mut snapshot = Snapshot {
        repository: repository.name.clone(),
        base_branch: repository.base.clone(),
        file,
        files: files?,
        picks,
        pull_requests,
        asked,
        standings,
        rules_at_open: rules_at_open?,
        files_at_open: files_at_open?,
        untaggable: run.world.tags.failed(),
        is_muted: run.is_muted,
        ..Snapshot::unread(now, tip, pipeline, state, me, settings)
    };
    snapshot.running = running::running(run, &snapshot, is_hurried).await?;
    snapshot.linted = policy::linted(run, &snapshot).await?;
    read_more(run, &mut snapshot, is_hurried).await;
    Ok(Observed::World(Box::new(snapshot)))
}

/// Reads what only the first reads say has to be known: of registries, and who wrote what.
async fn read_more(run: &Reconcile<'_>, snapshot: &mut Snapshot, is_hurried: bool) {
    snapshot.standing = standing(run, snapshot, is_hurried).await;
    snapshot.hotfixes = hotfixes(run, snapshot, is_hurried).await;
    // Where images are followed by their creation time, what was read first says of which others there is more to know.
    for _ in 0..2 {
        let read = gather::images(run, snapshot, is_hurried).await;
        snapshot.images.extend(read);
    }
    snapshot.tags = tags::tags(run, snapshot, is_hurried).await;
    snapshot.presence = gather::presence(run, snapshot, is_hurried).await;
    snapshot.signatures = signatures::signatures(run, snapshot, is_hurried).await;
    snapshot.authors = gather::authors(run, snapshot).await;
    snapshot.touched = touched::touched(run, snapshot).await;
    snapshot.probes = protect::known(run, snapshot).await;
    protect::hasten(run, snapshot);
    snapshot.tagging = protect::tagging(run, snapshot, is_hurried).await;
}

/// What the settings say to a plan.
fn plan_settings(run: &Reconcile<'_>) -> PlanSettings {
    let repository = run.repository;
    PlanSettings {
        command_age_max: run.world.settings.command_age_max,
        merge_method: repository.merge_method,
        url_prefix: repository.url_prefix.clone(),
        source_links: source_links(run),
        has_deployments: repository.forge.has_deployments(),
        probes_count_for: run.world.settings.probe_interval.saturating_mul(INTERVALS_COUNTED),
    }
}

/// Where messages may link to: what the settings say, and the neighbours of the environment repository, where its pages
/// are named as GitHub names them.
fn source_links(run: &Reconcile<'_>) -> Vec<String> {
    let page =
        run.repository.url_prefix.strip_prefix("https://").and_then(|page| page.strip_suffix("/pull/"));
    let owner = page.and_then(|page| page.rsplit_once('/')).map(|(owner, _)| owner.to_owned());
    run.world.settings.source_links.iter().cloned().chain(owner).collect()
}

/// Whether a person waits for a rollback: then the registry is given little time.
fn is_hurried(run: &Reconcile<'_>) -> bool {
    let is_back = |lane: Lane| lane == Lane::Rollback;
    let in_work = run.state.stages.values().any(|stage| {
        stage.request.as_ref().is_some_and(|request| is_back(request.lane))
            || stage.proposal.as_ref().is_some_and(|proposal| is_back(proposal.lane))
    });
    in_work || has_command(run.lease)
}

fn has_command(lease: &Lease) -> bool {
    let is_command = |hint: &Hint| matches!(hint, Hint::Comment { .. } | Hint::Command { .. });
    lease.deliveries.iter().flat_map(|delivery| &delivery.hints).any(is_command)
}

/// The pull requests under way. One that the forge does not have any more is left out, and the plan says so.
async fn pull_requests(run: &Reconcile<'_>) -> Result<BTreeMap<Number, PullRequest>, ReconcileError> {
    let open = run.state.stages.values().filter_map(|stage| stage.proposal.as_ref()?.open.as_ref());
    let read = open.map(|(number, _)| async move {
        match run.repository.forge.pull_request(*number).await {
            Ok(pull_request) => Ok(Some((*number, pull_request))),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(ReconcileError::from(error)),
        }
    });
    Ok(try_join_all(read).await?.into_iter().flatten().collect())
}

/// The rules that count for the pipeline.
enum Rules {
    Found(Box<Pipeline>, FileState),
    Gone,
    Unusable(String),
}

async fn rules(run: &Reconcile<'_>, name: &PipelineName, tip: CommitId) -> Result<Rules, ReconcileError> {
    let errors = match run.world.rules.at(run.repository, tip).await? {
        Ok(declared) => match declared.named(name) {
            Some(pipeline) => return Ok(Rules::Found(Box::new(pipeline.clone()), FileState::Valid)),
            None => return removed(run, name).await,
        },
        Err(errors) => errors,
    };
    match run.world.rules.last_valid(run.repository, &run.world.store, tip).await? {
        Some((used, declared)) => Ok(match declared.named(name) {
            Some(pipeline) => {
                Rules::Found(Box::new(pipeline.clone()), FileState::Broken { errors: errors.to_vec(), used })
            }
            None => Rules::Gone,
        }),
        None => Ok(Rules::Unusable(errors.first().map_or_else(String::new, ToString::to_string))),
    }
}

/// A pipeline that is gone from a valid file still has its open pull requests closed, by the rules they came from.
async fn removed(run: &Reconcile<'_>, name: &PipelineName) -> Result<Rules, ReconcileError> {
    let open = run.state.stages.values().filter_map(|stage| stage.proposal.as_ref());
    for proposal in open.filter(|proposal| proposal.open.is_some()) {
        let Ok(base) = proposal.base.parse::<CommitId>() else { continue };
        if let Ok(declared) = run.world.rules.at(run.repository, base).await?
            && let Some(pipeline) = declared.named(name)
        {
            return Ok(Rules::Found(Box::new(pipeline.clone()), FileState::Removed));
        }
    }
    Ok(Rules::Gone)
}

/// The rules at the base of each pull request under way, where the base has moved since.
async fn rules_at_open(
    run: &Reconcile<'_>,
    pipeline: &Pipeline,
    tip: CommitId,
) -> Result<BTreeMap<StageName, Pipeline>, ReconcileError> {
    let mut found = BTreeMap::new();
    for (stage, state) in &run.state.stages {
        let Some(base) = state.proposal.as_ref().and_then(|proposal| proposal.base.parse::<CommitId>().ok())
        else {
            continue;
        };
        if base != tip
            && let Ok(declared) = run.world.rules.at(run.repository, base).await?
            && let Some(before) = declared.named(&pipeline.name)
        {
            found.insert(stage.clone(), with_calendar(run, before.clone(), base).await?);
        }
    }
    Ok(found)
}

fn unusable(run: &Reconcile<'_>, name: &PipelineName, error: String) -> PipelineView {
    PipelineView {
        repository: run.repository.name.clone(),
        pipeline: Some(name.to_string()),
        owner: None,
        issue_url: None,
        stages: Vec::new(),
        error: Some(error),
        history: Vec::new(),
        updated_at: (run.world.now)(),
    }
}

/// The files in which the pipeline has pins.
pub(super) fn pin_files(pipeline: &Pipeline) -> BTreeSet<String> {
    pipeline.stages.iter().flat_map(|stage| &stage.pins).map(|target| target.file.clone()).collect()
}
