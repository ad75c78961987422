//! What people and the App do, whichever way they do it.

mod checks;
mod merges;
mod pulls;
mod talk;

pub use checks::Report;
pub use merges::MergeRequest;
