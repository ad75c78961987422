//! The promotion history of a pipeline: events, and the state they fold into.

mod approval;
mod terms;
mod evidence;
mod event;
mod name;
mod rollback;
mod stage;
mod state;
mod stint;
mod watch;
mod words;
mod written;

pub use approval::{Ballot, Discount, count};
pub use event::{Entry, Event};
pub use evidence::{Evidence, Seen, Sight};
pub use rollback::{TargetError, names, passed_over, target, target_after};
pub use stage::{MissingImage, StageState};
pub use state::{
    CloseIntent, Frozen, Hold, IllegalEvent, MergeIntent, Proposal, Reply, Request, State, Veto, Word,
};
pub use stint::{End, Origin, Stint, Stints};
pub use terms::{Actor, Approval, HoldKind, Lane, Outcome, Signature, Signer, Why};
pub use watch::{Act, Did, Followed, WatchBegan, WatchEnd, WatchEnded, Watched};
pub use written::{Drift, WrittenTag, WrittenTags};

#[cfg(test)]
mod tests;
