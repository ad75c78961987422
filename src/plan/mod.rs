//! The one engine: a snapshot of the world goes in, effects and holds come out.
//!
//! [`plan`] is pure. Server, comment, command line and tests ask it alike, and it leaves no choice to those who carry
//! its effects out. It works in layers, and stops at the first that has something to do, since each layer decides on
//! what the one before has settled:
//!
//! 1. **settle** ([`observed`]): what the world shows and the record does not say yet: merged, closed, pushed over,
//!    seen for the first time, changed by somebody else; then what is seen running ([`live`]);
//! 2. **obey** ([`commands`]): what people asked for, by who they are now; then what is watched after a merge ([`watch`]), so that
//!    nobody's word is heard too late;
//! 3. **close** and **merge** ([`step`]), or **open** ([`propose`]), stage by stage, rollbacks first;
//! 4. **protect** ([`readiness`], [`tags`]) what is live and what would be gone back to, and **show** ([`deployments`]) what
//!    happened where the forge has a place for it.
//!
//! What does not happen is a [`HoldReason`]: what it waits for, who can act, when it may open.

mod age;
mod candidate;
mod change;
mod commands;
mod concerned;
mod deployments;
mod earlier;
mod effect;
mod fitness;
mod freeze;
mod gates;
mod healthy;
mod hotfix;
mod live;
pub mod messages;
mod observed;
mod order;
mod pins;
mod policy;
mod presence;
mod quorum;
mod propose;
mod provenance;
mod readiness;
mod reviewers;
mod rollback_ready;
mod snapshot;
mod step;
mod tags;
mod upstream;
pub mod view;
mod watch;
mod window;

pub(crate) use candidate::later;
pub use candidate::{Candidate, candidate};
pub use change::change_class;
pub use commands::{hotfix_targets, rollback_targets};
pub use concerned::{coming, there};
pub use earlier::earlier;
pub use effect::{Close, Effect, Gate, HoldReason, MergeNow, Open, Plan, SetTag};
pub use hotfix::known;
pub use live::{Running, unknown_parts};
pub use order::compare;
pub use pins::{FileEdit, Files, Pins, edits, read_pins};
pub use readiness::questions;
pub use reviewers::{approval_wanted, reviewers};
pub use rollback_ready::unanswered;
pub use snapshot::{
    Answer, Asked, FileState, Linted, Pick, PlanSettings, Presence, Probed, Question, SignatureState,
    Snapshot, Thread, Unread, is,
};
pub use tags::concerned;
pub use view::{PipelineView, view};
pub use watch::is_watching;

use std::time::Duration;

/// Longer than showing history may take.
const SOON: Duration = Duration::from_secs(10);

/// Decides what is to be done now, and says what is not and why.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    observed::settle(snapshot, &mut plan);
    if plan.effects.is_empty() {
        live::record(snapshot, &mut plan);
    }
    if plan.effects.is_empty() {
        commands::obey(snapshot, &mut plan);
    }
    if plan.effects.is_empty() {
        watch::record(snapshot, &mut plan);
    }
    if plan.effects.is_empty() {
        step::all(snapshot, &mut plan);
    }
    plan.holds.extend(plan.unanswered.clone());
    let is_quiet = !is_about_to(snapshot, &plan);
    readiness::holds(snapshot, &mut plan);
    tags::holds(snapshot, &mut plan);
    if plan.effects.is_empty() && is_quiet {
        upkeep(snapshot, &mut plan);
    }
    let opens = plan.holds.iter().filter_map(|hold| hold.opens_at);
    let due = freeze::begins_at(snapshot).into_iter().chain(watch::wake_at(snapshot));
    plan.wake_at = opens.chain(due).chain(step::overtaken_at(snapshot)).min();
    plan
}

/// The last layer: what only protects and shows. Also for a plan of which nothing could be done: a stage that a forge
/// refuses must not leave the others without protection.
pub fn upkeep(snapshot: &Snapshot, plan: &mut Plan) {
    readiness::record(snapshot, plan);
    tags::record(snapshot, plan);
    tags::effects(snapshot, plan);
    deployments::mirror(snapshot, plan);
}

/// Whether a hold opens by itself within seconds: what only shows history does not come in between.
fn is_about_to(snapshot: &Snapshot, plan: &Plan) -> bool {
    let soon = candidate::later(snapshot.now, SOON);
    plan.holds.iter().any(|hold| hold.opens_at.is_some_and(|at| at <= soon))
}

#[cfg(test)]
mod tests;
