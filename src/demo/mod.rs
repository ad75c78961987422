//! `lockkeeper demo`: the whole story in one process, offline.
//!
//! A registry, an environment repository with five stages, the repository of the source, a forge with people, a deployer
//! that reports and the server with its pages are real and stand in one folder. [`story`] then does what people and their CI do (push,
//! approve, comment) and waits until the server has done its part: it looks at the forge and at the board, as people
//! do, and never tells the server anything but by the registry's webhook, the deployer's reports and the forge.

pub mod registry;
mod cast;
mod deployer;
mod folder;
mod running;
mod sample;
mod source;
mod wait;
mod story;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use self::running::Demo;
pub use self::story::{Step, tell};

/// What a caller may choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Where everything is kept; none: a temporary folder, removed in the end.
    pub folder: Option<PathBuf>,
    /// The port of the pages on 127.0.0.1; none: 8080 where it is free, else any.
    pub port: Option<u16>,
}

/// Whatever a part of the demo says.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Why the demo does not run, or its story does not come true.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Name another folder.
    #[error("folder {}: {source}", path.display())]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Name another port.
    #[error("port {port} of 127.0.0.1 cannot be listened on: {source}")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A part does not start, or refuses what the story asks of it.
    #[error("{part}: {source}")]
    Part {
        /// Which.
        part: &'static str,
        /// Why.
        source: AnyError,
    },
    /// The story went another way.
    #[error("waited {} s for this: {wanted}; found: {found}", waited.as_secs())]
    Waited {
        /// What was to come true.
        wanted: String,
        /// For how long it was waited for.
        waited: Duration,
        /// What was there at the end.
        found: String,
    },
}

impl DemoError {
    /// For `map_err`: this part said no.
    fn part<E: Into<AnyError>>(part: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::Part { part, source: source.into() }
    }
}
