//! Who is told of every write that lasts, and of every question to a registry.
//!
//! The owners of what lasts (store, mirror, local forge) tell a [`Witness`] right after each write, so that no caller can
//! forget it. The server counts the writes. A test stops the world there: its witness never answers, and what waits for
//! it is dropped, as a killed process drops it. What is not written leaves no trace, so the moments right after each
//! write are all the moments at which a stop can make a difference.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// A write, named after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Write {
    /// The store holds it.
    Store,
    /// The git host moved refs.
    Push,
    /// The forge holds it.
    Forge,
    /// A registry has the tag.
    Registry,
}

/// What is known of the images that are live or would be gone back to, over all pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Probes {
    /// Images that are there.
    pub available: usize,
    /// Images that the registry says it does not have.
    pub missing: usize,
    /// Images whose registry gives no answer.
    pub unknown: usize,
    /// Images that were not asked for yet.
    pub unprobed: usize,
}

/// How the work on a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// All is recorded.
    Recorded,
    /// It could not be finished, and is due again later.
    Released,
    /// Somebody else has the key, or the store did not take the end: it is due when the lease runs out.
    Lost,
}

/// A request to a registry, named before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// How it wants to be spoken to.
    Ping,
    /// Its token server, for leave.
    Token,
    /// A page of tags.
    Tags,
    /// A manifest or index, or whether it is there.
    Manifest,
    /// A configuration or the like, or whether it is there.
    Blob,
    /// What refers to a digest.
    Referrers,
    /// To set or remove a tag.
    Write,
}

/// Is told of every write right after it.
#[async_trait]
pub trait Witness: Send + Sync + fmt::Debug {
    /// A write was done.
    async fn wrote(&self, _write: Write) {}

    /// A key was worked on for this long, and ended so.
    fn worked(&self, _outcome: Worked, _took: Duration) {}

    /// The registry at this host is asked.
    fn asked(&self, _host: &str, _what: Asked) {}

    /// So much is known of what is looked for in registries.
    fn probed(&self, _known: Probes) {}

    /// So many tags could not be set when they were tried last.
    fn untaggable(&self, _count: usize) {}

    /// The repository of this name was read well.
    fn read(&self, _repository: &str, _at: Timestamp) {}
}

/// Nobody is told.
#[derive(Debug)]
struct Nobody;

impl Witness for Nobody {}

/// For those who open a part by itself.
#[must_use]
pub fn nobody() -> Arc<dyn Witness> {
    Arc::new(Nobody)
}

impl Write {
    /// The name, as a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Push => "push",
            Self::Forge => "forge",
            Self::Registry => "registry",
        }
    }
}

impl Asked {
    /// The name, as a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Token => "token",
            Self::Tags => "tags",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Referrers => "referrers",
            Self::Write => "write",
        }
    }
}

impl Worked {
    /// The name, as a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}
