//! What the benchmarks measure with: processes and code by wall time, CPU time and memory, printed as tables.
#![allow(dead_code, reason = "no benchmark uses all of it")]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark fails where it stands"
)]

pub mod change;
pub mod corpus;
pub mod distribution;
pub mod fleet;
pub mod gitea;
pub mod measure;
pub mod server;
pub mod table;
pub mod thread;
