//! What the tests stand on.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::wildcard_enum_match_arm,
    reason = "test support: a failure is a panic"
)]

pub mod docker_registry;
pub mod fake_registry;
pub mod faults;
pub mod faulty_forge;
pub mod git_http;
pub mod github;
pub mod parts;
pub mod secrets;
pub mod signing;
pub mod story;
pub mod strict_registry;
pub mod sweep;
