//! The path of an event, forward only: observe the world, plan, apply the effects, record.
//!
//! ## What must hold
//!
//! - **Level-triggered.** A delivery says *look at this pipeline*; what happens follows from the world as it is read
//!   afterwards. A delivery lost, doubled, late or forged changes when something happens, never what.
//! - **One writer a pipeline.** A [`Lease`] is taken and committed before anything is read; no lock is held while
//!   calling out. Its generation is checked by every write to the store, so a worker that lost its lease can record
//!   nothing more.
//! - **Intent before, outcome after.** Before a branch is made or a pull request merged, the intent is in the store;
//!   afterwards the outcome. Whoever starts again after a stop reads the intent and does the same once more: the same
//!   commit (its time is the intent's), the same branch, the same pull request, the same merge. Every write carries
//!   its precondition and is idempotent.
//! - **Layers.** One round applies one plan; then the world is read anew. Rounds end when a plan has no effects, or
//!   when `ROUNDS_MAX` is reached, which is an error in the rules and is said so.
//!
//! ## The races, by name
//!
//! - **Base moves between plan and push.** The branch is made on the base that was read; the merge is three-way. Pins
//!   changed under it: the pull request is stale, is closed, and another attempt follows.
//! - **Two replicas, one pipeline.** The second claim finds the lease. A lease that ran out while its worker still
//!   works: the worker's next write to the store is refused; a push or a merge that it still makes is the one that the
//!   next worker would make, and finds done.
//! - **Approval withdrawn between plan and merge.** Immediately before a merge everything is read again and planned
//!   again; the merge must be in the new plan too, equal in every field. What changes after that read is accepted: the
//!   forge merges exactly the head that was reviewed, or refuses.
//! - **Merge seen in the files before it is seen at the pull request.** Pull requests are read before the base, so it
//!   is the other way round unless somebody else merges; then the plan waits a second instead of crying out-of-band.
//! - **Tip shared among pipelines.** Those that ask at one time get one answer, which was asked for after each of them came;
//!   so it is never older than the pull requests that were read before. A failure is shared, too.
//! - **Command while we work.** Deliveries that come during a lease are read by the next one, at once after it. A merge
//!   that was planned meanwhile goes through: its gates were open, and nobody had said otherwise when they were read.
//! - **Cluster that changes while we work.** What it says otherwise meanwhile is kept for the next look, which is due then.
//! - **Push on the branch while we merge.** The forge gets the head with the merge and refuses another one.
//! - **Stop between merge and record.** The pull request is read as merged, and recorded then.
//! - **Stop between record and reply.** Replies and announcements are part of the state until they stand at the forge.
//! - **Comment delivered twice, or by webhook and by sweep.** Its delivery has one id, the comment's; and the state
//!   knows which commands were answered.
//! - **Branch name taken** (a lost store, somebody else's push): if the branch holds exactly the commit that we would have
//!   made on its parent, it is adopted; otherwise the next attempt takes the next name. Nothing is ever forced.
//! - **Anchor that two pipelines need.** Writes of tags in one repository go one after the other, with what is recorded of
//!   them; who needs an anchor no more removes it only where nobody else has it on record.
//! - **Channel moved while we write it.** There is no compare-and-swap at registries: what it names is read before and
//!   after, and the next probe says where it is by then.
//! - **Stop between the branch and its commit**, where the forge makes the commit: the branch holds nothing of its own
//!   yet, and the same intent goes on with it.

mod apply;
mod calendar;
mod foreign;
mod gather;
mod hotfix;
mod load;
mod observe;
mod open;
mod pick;
mod policy;
mod poll;
mod preview;
mod probes;
mod protect;
mod rebuild;
mod retag;
mod route;
mod rules;
mod running;
mod signatures;
mod sweep;
mod tags;
mod told;
mod touched;
mod work;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use load::load;
use observe::{Observed, observe};
pub use pick::pick;
pub use policy::Policies;
pub use poll::{Intervals, Polls};
pub use preview::{Previewed, declared, preview};
pub use probes::{Probes, probe_always, probe_due};
pub use rebuild::{COMMITS_MAX, recorded_in};
pub use retag::TagWrites;
pub use route::{branch_key, deliver_activity, deliver_comment, note_activity, thread_key};
pub use rules::{LAST_VALID_COMMITS_MAX, RulesCache};
pub use told::{Told, heed_clusters, wake_changed};
pub use touched::TouchedAnswers;
pub use work::{run_key, run_one, start, work};
pub use world::{EnvironmentRepository, World, WorldSettings};

use crate::forge::ForgeError;
use crate::pipeline::StageName;
use crate::plan::{Effect, Gate, HoldReason, Plan, Snapshot, plan, upkeep, view};
use crate::promotion::{Entry, IllegalEvent, StageState, State};
use crate::pull_request::{PersonId, Standing};
use crate::repository::RepositoryError;
use crate::store::{Lease, StoreError};
use apply::Applied;
use poll::Look;

/// Rounds of one reconcile: a pipeline of 64 stages needs two for each (open, merge) where all is automatic, and some
/// for commands and replies.
const ROUNDS_MAX: usize = 200;

/// Why a reconcile ended early. Nothing is lost: its deliveries stay open, and it is due again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Somebody else has the pipeline now; drop everything.
    #[error("lease is lost")]
    LeaseLost,
    /// A remote is away; again later.
    #[error("{0}")]
    Later(String),
    /// The record of the pipeline is broken; a person must look.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// The store refuses.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ReconcileError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost { .. } => Self::LeaseLost,
            StoreError::Unavailable { .. } | StoreError::Corrupt { .. } | StoreError::Newer { .. } => {
                Self::Store(error)
            }
        }
    }
}

impl From<RepositoryError> for ReconcileError {
    fn from(error: RepositoryError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<ForgeError> for ReconcileError {
    fn from(error: ForgeError) -> Self {
        Self::Later(error.to_string())
    }
}

/// One reconcile of one pipeline, under its lease.
struct Reconcile<'a> {
    world: &'a World,
    lease: &'a Lease,
    repository: &'a EnvironmentRepository,
    state: State,
    /// What the forge or git refused in this reconcile: said as holds, tried again later.
    refusals: Vec<HoldReason>,
    /// Whether comments cannot be written now: they stay due, and stop nothing.
    is_muted: bool,
    /// Whether the forge took no deployment: it is due again later, and stops nothing.
    is_unmirrored: bool,
    /// Whether a registry took too long in this reconcile.
    is_registry_slow: AtomicBool,
    /// Whether a cluster kept this reconcile waiting.
    is_cluster_slow: AtomicBool,
    /// Whether a registry gave no answer in this reconcile, or what it said of a signature cannot be read.
    is_registry_away: AtomicBool,
    /// Whether a release is kept out for want of a signature: it may have one in a moment, of which nobody tells.
    is_unsigned: AtomicBool,
    /// Who people are, asked in this reconcile; forgotten before a merge, which asks anew.
    standings: Mutex<Standings>,
}

/// By the person and the teams asked for.
type Standings = BTreeMap<(PersonId, BTreeSet<String>), Standing>;

/// Brings one pipeline to where its rules, its people and the world want it; records and gives the lease back.
///
/// # Errors
/// [`ReconcileError`] if it ended early; the lease is still held and has to be released.
async fn reconcile(world: &World, lease: &Lease) -> Result<Finished, ReconcileError> {
    let Some(repository) = world.repositories.get(&lease.key.repository) else {
        return Err(ReconcileError::Later(format!(
            "repository {} is not in the settings",
            lease.key.repository
        )));
    };
    let mut run = Reconcile::begin(world, lease, repository).await?;
    if run.state == State::default() {
        rebuild::rebuild(&mut run).await?;
    }
    run.rounds().await
}

/// What a reconcile leaves behind.
struct Finished {
    fold: serde_json::Value,
    /// None: the pipeline is gone.
    view: Option<serde_json::Value>,
    wake_at: Option<Timestamp>,
    /// The look had its time before all was done, or something could not be read that a person asked for: what asked for it
    /// stays open, as some of it has no answer yet.
    is_cut: bool,
}

impl Reconcile<'_> {
    fn standings(&self) -> MutexGuard<'_, Standings> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn rounds(&mut self) -> Result<Finished, ReconcileError> {
        let begun = Instant::now();
        for _ in 0..ROUNDS_MAX {
            self.world.store.extend(self.lease, (self.world.now)(), self.world.settings.lease).await?;
            let snapshot = match observe(self).await? {
                Observed::World(snapshot) => snapshot,
                Observed::Gone => {
                    self.world.polls.forget(&self.lease.key);
                    self.world.probes.forget(&self.lease.key);
                    self.world.told.note(&self.lease.key, Vec::new());
                    return Ok(Finished {
                        fold: json(&self.state)?,
                        view: None,
                        wake_at: None,
                        is_cut: false,
                    });
                }
                Observed::Unusable(view) => {
                    self.world.told.note(&self.lease.key, Vec::new());
                    return Ok(Finished {
                        fold: json(&self.state)?,
                        view: Some(json(&view)?),
                        wake_at: self.again_at(None),
                        is_cut: false,
                    });
                }
            };
            let mut plan = plan(&snapshot);
            let had_more = !plan.effects.is_empty();
            plan.effects.retain(|effect| self.may_apply(effect, &snapshot));
            if had_more && plan.effects.is_empty() {
                upkeep(&snapshot, &mut plan);
                plan.effects.retain(|effect| self.may_apply(effect, &snapshot));
            }
            let is_cut = !plan.effects.is_empty();
            if is_cut {
                self.apply_all(&plan, &snapshot, begun).await?;
                if begun.elapsed() < self.world.settings.look_max {
                    continue;
                }
            }
            let is_unsigned = plan.holds.iter().any(|hold| hold.gate == Gate::Signed);
            self.is_unsigned.store(is_unsigned, Ordering::Relaxed);
            plan.holds.append(&mut self.refusals);
            self.world.probes.keep_new(&self.world.store, &self.lease.key).await?;
            running::keep(self, &snapshot).await?;
            let view = view(&snapshot, &plan);
            let wake_at = if is_cut { Some((self.world.now)()) } else { plan.wake_at };
            let again_at = [self.again_at(Some(&snapshot)), running::again_at(&snapshot, &plan)];
            let wake_at = again_at.into_iter().chain([wake_at]).flatten().min();
            let is_cut = is_cut || !plan.unanswered.is_empty();
            return Ok(Finished { fold: json(&self.state)?, view: Some(json(&view)?), wake_at, is_cut });
        }
        Err(ReconcileError::Later(format!(
            "no end after {ROUNDS_MAX} rounds: a rule undoes what another does"
        )))
    }

    /// Whether an effect is still worth trying in this reconcile: not in a stage where one was refused, and not a mere
    /// word where words cannot be written now. The other stages go on.
    fn may_apply(&self, effect: &Effect, snapshot: &Snapshot) -> bool {
        let is_word = matches!(
            effect,
            Effect::Edit { .. } | Effect::Comment { .. } | Effect::React { .. } | Effect::Issue { .. }
        );
        let is_refused = stage_of(effect, snapshot)
            .is_some_and(|stage| self.refusals.iter().any(|refusal| refusal.stage == stage));
        let is_mirror = matches!(effect, Effect::Deploy { .. });
        let is_resting = if let Effect::Tag(tag) = effect {
            self.world.tags.is_resting(&tag.repository, snapshot.now)
        } else if let Effect::Untag { repository, .. } = effect {
            self.world.tags.is_resting(repository, snapshot.now)
        } else {
            false
        };
        !(is_refused || is_resting || is_word && self.is_muted || is_mirror && self.is_unmirrored)
    }

    /// Applies the effects in order, until one wants the world read anew. One that is refused stops its stage alone.
    async fn apply_all(
        &mut self,
        plan: &Plan,
        snapshot: &Snapshot,
        begun: Instant,
    ) -> Result<(), ReconcileError> {
        for effect in &plan.effects {
            if !self.may_apply(effect, snapshot) {
                continue;
            }
            let is_tag = matches!(effect, Effect::Tag(_) | Effect::Untag { .. });
            // Tags can wait for the next look; whoever asks for something meanwhile cannot.
            if is_tag && begun.elapsed() >= self.world.settings.look_max {
                break;
            }
            match apply::apply(self, effect, snapshot).await? {
                Applied::Next => {}
                Applied::ReadAnew => break,
                Applied::Refused(text) => {
                    let first = snapshot.pipeline.stages.first().map(|stage| stage.name.clone());
                    if let Some(stage) = stage_of(effect, snapshot).or(first) {
                        let (who, opens_at) = (
                            Some("write".to_owned()),
                            self.later(poll::AGAIN.min(self.world.settings.polls.polled)),
                        );
                        self.refusals.push(HoldReason { stage, gate: Gate::Branch, text, who, opens_at });
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends events to the store and folds them in.
    async fn append(&mut self, entries: &[Entry]) -> Result<(), ReconcileError> {
        let mut next = self.state.clone();
        for entry in entries {
            next.apply(entry)?;
        }
        self.world.store.append(self.lease, entries).await?;
        self.state = next;
        Ok(())
    }

    /// When the pipeline is looked at again without an event: soon where something was refused, could not be said, or
    /// could not be asked; else when its images are polled.
    fn again_at(&self, snapshot: Option<&Snapshot>) -> Option<Timestamp> {
        let is_busy = |stage: &StageState| stage.proposal.is_some() || stage.request.is_some();
        let lacks = [&self.is_registry_away, &self.is_unsigned];
        let look = if lacks.into_iter().any(|lacks| lacks.load(Ordering::Relaxed)) {
            Look::Lacking
        } else if self.is_to_be_tried_soon() {
            Look::Refused
        } else if self.state.stages.values().any(is_busy) {
            Look::Busy
        } else {
            Look::Quiet
        };
        let seen = snapshot.map(|snapshot| (&snapshot.pipeline, snapshot.picks.as_slice()));
        self.later(self.world.polls.noted(self.lease, seen, look, self.world.settings.polls))
    }

    fn is_to_be_tried_soon(&self) -> bool {
        self.is_muted || self.is_unmirrored || !self.refusals.is_empty()
    }

    /// A time from now, spread over a tenth so that not all pipelines are due at once.
    fn later(&self, interval: Duration) -> Option<Timestamp> {
        let spread = interval.as_millis() / 10;
        let key = format!("{:?}", self.lease.key);
        let hash = crate::image::Digest::of(key.as_bytes()).hex();
        let place = u128::from_str_radix(hash.get(..8).unwrap_or("0"), 16).unwrap_or(0);
        let jitter = Duration::from_millis(u64::try_from(spread * place / u128::from(u32::MAX)).unwrap_or(0));
        (self.world.now)().checked_add(interval + jitter).ok()
    }
}

/// The stage that an effect is for; none where it is for the pipeline.
fn stage_of(effect: &Effect, snapshot: &Snapshot) -> Option<StageName> {
    match effect {
        Effect::Open(open) => Some(open.stage.clone()),
        Effect::Close(close) => Some(close.stage.clone()),
        Effect::Merge(merge) => Some(merge.stage.clone()),
        Effect::Deploy { stage, .. } => Some(stage.clone()),
        Effect::Edit { number, .. } => snapshot.stage_of(*number).cloned(),
        Effect::Check { head, .. } => {
            let found = snapshot.pull_requests.values().find(|found| found.head == *head)?;
            snapshot.stage_of(found.number).cloned()
        }
        // A tag that cannot be set stops nothing.
        Effect::Tag(_)
        | Effect::Untag { .. }
        | Effect::Record(_)
        | Effect::Comment { .. }
        | Effect::React { .. }
        | Effect::Issue { .. } => None,
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, ReconcileError> {
    serde_json::to_value(value)
        .map_err(|error| ReconcileError::Store(StoreError::Corrupt { reason: format!("not JSON: {error}") }))
}
