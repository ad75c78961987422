//! What strangers send, each as one function over bytes that holds what must be true of every answer.
//!
//! `tests/fuzz` passes seeds and findings through them on the stable toolchain; `fuzz/` searches for new ones.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "a finding is a panic"
)]

mod bodies;
mod comments;
mod git;
mod lint;
mod manifests;
mod markdown;
mod messages;
mod pages;
mod registries;
mod rules;
mod signatures;
mod values;

pub use bodies::{
    observations, webhook_distribution, webhook_generic, webhook_github, webhook_registries,
    webhook_signature, webhook_token,
};
pub use comments::comments;
pub use git::{git_wire, trailers};
pub use lint::lint;
pub use manifests::{pins, repin};
pub use markdown::markdown;
pub use messages::escape;
pub use pages::pages;
pub use registries::{credentials, registry};
pub use rules::rules;
pub use signatures::signatures;
pub use values::references;

/// A target: panics where something does not hold.
pub type Target = fn(&[u8]);

/// All targets by name; each has a folder of seeds, and may have one of findings.
pub const ALL: [(&str, Target); 21] = [
    ("comments", comments),
    ("credentials", credentials),
    ("escape", escape),
    ("git_wire", git_wire),
    ("lint", lint),
    ("markdown", markdown),
    ("observations", observations),
    ("pages", pages),
    ("pins", pins),
    ("references", references),
    ("registry", registry),
    ("repin", repin),
    ("rules", rules),
    ("signatures", signatures),
    ("trailers", trailers),
    ("webhook_distribution", webhook_distribution),
    ("webhook_generic", webhook_generic),
    ("webhook_github", webhook_github),
    ("webhook_registries", webhook_registries),
    ("webhook_signature", webhook_signature),
    ("webhook_token", webhook_token),
];
