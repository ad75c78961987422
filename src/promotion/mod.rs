//! The promotion history of a pipeline: events, and the state they fold into.

mod approval;
mod event;
mod rollback;
mod stage;
mod state;
mod stint;

pub use approval::{Ballot, Discount, count};
pub use event::{Actor, Approval, Entry, Event, HoldKind, Lane, Outcome, Why};
pub use rollback::{TargetError, names, target};
pub use stage::StageState;
pub use state::{Hold, IllegalEvent, MergeIntent, Proposal, Reply, Request, State, Veto};
pub use stint::{End, Origin, Stint, Stints};

#[cfg(test)]
mod tests;
