//! The real program over real files: what it accepted it acts on, whatever happens to process, disk and clock.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod database;
mod disk;
mod kills;
mod stop;
mod workers;
mod world;

#[path = "../support/parts.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod parts;
#[path = "../support/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod process;
