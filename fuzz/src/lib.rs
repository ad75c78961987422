//! The targets of `tests/fuzz`, compiled once for all programs that search.
#![forbid(unsafe_code)]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

pub use targets::*;
