//! The embedded forge, over a real bare repository, and its pages over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::panic, reason = "a test stops at the first surprise")]

mod support;
mod browser;
mod semantics;
mod merging;
mod pages;
