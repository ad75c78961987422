//! Upkeep of a mirror, in the background: what single fetches and commits left is gathered into one pack, and
//! refs that are gone at the remote are forgotten.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::error::Fault;
use super::mirror::ALL_REFS;
use super::noted::{self, Seen};
use super::worker::Task;
use super::{Mirror, RepositoryError, gather};

/// Commits between two times: about 200 loose objects, which at 10,000 files in one folder are 25 MB.
const COMMITS_MAX: usize = 64;

impl Mirror {
    /// Counts a commit that was made in the mirror.
    pub(super) fn made_one(&self) {
        self.inner.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins the upkeep where the mirror is crowded.
    pub(super) fn tidy(&self) {
        if !self.is_crowded() {
            return;
        }
        let mirror = self.clone();
        tokio::spawn(async move {
            if let Err(error) = mirror.gather().await {
                tracing::warn!(%error, "crowded mirror was not gathered");
            }
        });
    }

    fn is_crowded(&self) -> bool {
        self.inner.made.load(Ordering::Relaxed) >= COMMITS_MAX || self.inner.folder.is_crowded()
    }

    async fn gather(&self) -> Result<(), RepositoryError> {
        let turn = self.turn().await?;
        // Someone else may have done it while we waited for the turn.
        if !self.is_crowded() {
            return Ok(());
        }
        self.forget_gone().await?;
        let begun = Instant::now();
        let (folder, deadline) = (self.inner.folder.clone(), begun + self.inner.options.total_timeout);
        let done = tokio::task::spawn_blocking(move || {
            let outcome = gather::gather(&folder.mirror(), &folder.incoming(), deadline);
            let _ = folder.clear_incoming();
            outcome
        });
        match done.await.unwrap_or_else(|error| Err(Fault::System(error.to_string()))) {
            Err(Fault::Damaged(reason)) => self.rebuild(&turn, &reason, begun).await?,
            outcome => outcome.map_err(|fault| self.error(fault))?,
        }
        self.inner.made.store(0, Ordering::Relaxed);
        self.inner.worker.close().await.map_err(|fault| self.error(fault))
    }

    /// A branch that the forge deleted is told to nobody: each would stay as a file, and its objects be offered
    /// at every fetch.
    async fn forget_gone(&self) -> Result<(), RepositoryError> {
        let there = self.remote_refs(&ALL_REFS).await?;
        // Not `run`, which takes the turn that the caller holds.
        let task: Task<()> = Arc::new(move |database| {
            let noted = noted::names(database, &["refs/heads/", "refs/tags/"])?;
            let gone: Seen =
                noted.into_iter().filter(|name| !there.contains_key(name)).map(|name| (name, None)).collect();
            noted::note(database, &gone)
        });
        self.inner.worker.run(task).await.map_err(|fault| self.error(fault))
    }
}
