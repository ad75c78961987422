//! What would be done: the same reading and planning as [`super::reconcile`], without a lease, and nothing written.
//!
//! A round that would only record something is folded into a copy of the state and the next one is planned, as the
//! server would; the first round that would change the world otherwise ends the preview, for what follows depends on
//! how that went.

use super::apply::mirrored;
use super::observe::{Observed, observe};
use super::{Reconcile, ReconcileError, World, rebuild};
use crate::pipeline::{FileError, Pipeline};
use crate::plan::{Effect, PipelineView, Plan, Snapshot, plan};
use crate::promotion::{Entry, Event, State};
use crate::store::{Delivery, Key, Lease};

/// Rounds of a preview: some to settle and to answer, one close for each of at most 64 stages.
const ROUNDS_MAX: usize = 100;

/// What reading and planning gave.
#[derive(Debug)]
pub enum Previewed {
    /// The effects of all rounds in order, and the holds of the last one.
    Plan {
        /// The world as the last round read it.
        snapshot: Box<Snapshot>,
        /// What would be done.
        plan: Plan,
    },
    /// There is no such pipeline.
    Gone,
    /// Nothing can be planned; what to show instead.
    Unusable(Box<PipelineView>),
}

/// Plans for a pipeline as the server would now, if exactly these deliveries were open.
///
/// # Errors
/// [`ReconcileError`] if the world or the store cannot be read.
pub async fn preview(
    world: &World,
    key: &Key,
    deliveries: Vec<Delivery>,
) -> Result<Previewed, ReconcileError> {
    let Some(repository) = world.repositories.get(&key.repository) else { return Ok(Previewed::Gone) };
    let lease = Lease { key: key.clone(), generation: 0, claimed_at: (world.now)(), deliveries };
    let mut run = Reconcile::begin(world, &lease, repository).await?;
    if run.state == State::default() {
        let entries = rebuild::read(&run).await?;
        fold(&mut run.state, &entries)?;
    }
    let mut done = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let snapshot = match observe(&run).await? {
            Observed::World(snapshot) => snapshot,
            Observed::Gone => return Ok(Previewed::Gone),
            Observed::Unusable(view) => return Ok(Previewed::Unusable(view)),
        };
        let mut plan = plan(&snapshot);
        if plan.effects.is_empty() || !plan.effects.iter().all(is_foreseen) {
            done.append(&mut plan.effects);
            plan.effects = done;
            return Ok(Previewed::Plan { snapshot, plan });
        }
        for effect in plan.effects {
            fold(&mut run.state, &recorded_by(&effect, (world.now)()))?;
            done.push(effect);
        }
    }
    Err(ReconcileError::Later(format!("no end after {ROUNDS_MAX} rounds")))
}

/// The pipelines that `lockkeeper.yaml` declares at the tip of the base, or what is wrong with it.
///
/// # Errors
/// [`ReconcileError`] if the repository cannot be read, or is not in the settings.
pub async fn declared(
    world: &World,
    repository: &str,
) -> Result<Result<Vec<Pipeline>, Vec<FileError>>, ReconcileError> {
    let later = |text: String| ReconcileError::Later(text);
    let found = world.repositories.get(repository);
    let found = found.ok_or_else(|| later(format!("repository {repository} is not in the settings")))?;
    let Some(tip) = found.mirror.tip(&found.base).await? else {
        return Err(later(format!("branch {} is not in repository {repository}", found.base)));
    };
    let parsed = world.rules.at(found, tip).await?;
    Ok(parsed.map(|declared| declared.pipelines().to_vec()).map_err(|errors| errors.to_vec()))
}

/// Whether what follows the effect is known without doing it.
fn is_foreseen(effect: &Effect) -> bool {
    match effect {
        Effect::Record(_)
        | Effect::Comment { .. }
        | Effect::React { .. }
        | Effect::Issue { .. }
        | Effect::Deploy { .. }
        | Effect::Close(_) => true,
        Effect::Open(_)
        | Effect::Edit { .. }
        | Effect::Check { .. }
        | Effect::Merge(_)
        | Effect::Tag(_)
        | Effect::Untag { .. } => false,
    }
}

/// The events that doing the effect would leave behind.
fn recorded_by(effect: &Effect, now: jiff::Timestamp) -> Vec<Entry> {
    let one = |event| vec![Entry { at: now, event }];
    match effect {
        Effect::Record(entries) => entries.clone(),
        // The number is the forge's to give; until then nothing links there.
        Effect::Issue { .. } => one(Event::IssueOpened { number: 0 }),
        Effect::Deploy { stage, deployment } => one(mirrored(stage, deployment)),
        Effect::Close(close) => {
            one(Event::Closed { stage: close.stage.clone(), number: close.number, why: close.why.clone() })
        }
        Effect::Open(_)
        | Effect::Edit { .. }
        | Effect::Check { .. }
        | Effect::Merge(_)
        | Effect::Tag(_)
        | Effect::Untag { .. }
        | Effect::Comment { .. }
        | Effect::React { .. } => Vec::new(),
    }
}

fn fold(state: &mut State, entries: &[Entry]) -> Result<(), ReconcileError> {
    for entry in entries {
        state.apply(entry)?;
    }
    Ok(())
}
