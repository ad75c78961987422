//! The environment repository against git itself: over a folder, smart HTTP and ssh.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

#[path = "../support/git_http.rs"]
mod git_http;
mod packs;
mod world;
mod fetching;
mod pushing;
mod commits;
mod forced;
mod damage;
mod upkeep;
mod processes;
mod host;
mod liars;
mod program;
