//! lockkeeper: a `GitOps` promotion bot.
//!
//! It watches registries for new digests and moves each pinned digest through the environments of a git
//! repository, one pull request per stage. The modules stand in reading order: each uses only what stands above it
//! (`tests/architecture.rs` holds that rule).

// The pure core: no async, no I/O, no clock, no random, no log.
pub mod image;
pub mod signature;
pub mod observation;
pub mod pipeline;
pub mod manifest;
pub mod commit;
pub mod pull_request;
pub mod command;
pub mod promotion;
pub mod plan;
pub mod lint;
// The shell: one folder per outside noun, one owner per package.
pub mod bounded;
pub mod settings;
pub mod telemetry;
pub mod witness;
pub mod registry;
pub mod cluster;
pub mod repository;
pub mod forge;
pub mod store;
pub mod reconcile;
pub mod notify;
pub mod server;
pub mod demo;
pub mod cli;
