//! How long to wait for the git host, and which programs speak for us.

use std::path::PathBuf;
use std::time::Duration;

/// Waits and programs; the defaults suit a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// To connect, the TLS handshake included. Default 10 s.
    pub connect_timeout: Duration,
    /// Between two reads from the git host. Default 60 s: hosts send a sign of life every 5 s while hooks run.
    pub idle_timeout: Duration,
    /// For one whole exchange: the refs, one fetch, one push. Default 15 min, for the first clone of a large
    /// repository.
    pub total_timeout: Duration,
    /// For another process that fetches into the same mirror. Default 5 min.
    pub lock_timeout: Duration,
    /// Between two rebuilds of a damaged mirror; a second damage within is an error. Default 1 min.
    pub rebuild_interval: Duration,
    /// The `git` program, for `file://`.
    pub git_program: PathBuf,
    /// The `ssh` program, for `ssh://`.
    pub ssh_program: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(15),
            lock_timeout: Duration::from_mins(5),
            rebuild_interval: Duration::from_mins(1),
            git_program: PathBuf::from("git"),
            ssh_program: PathBuf::from("ssh"),
        }
    }
}
