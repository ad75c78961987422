//! Upkeep of a mirror, in the background: what single fetches and commits left is gathered into one pack, and
//! refs that are gone at the remote are forgotten.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Fault;
use super::mirror::ALL_REFS;
use super::noted::{self, Seen};
use super::worker::Task;
use super::{Mirror, RepositoryError, gather};

/// Commits between two times: about 200 loose objects, which at 10,000 files in one folder are 25 MB.
const COMMITS_MAX: usize = 64;

/// A mirror that could not be tidied is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

impl Mirror {
    /// Counts a commit that was made in the mirror.
    pub(super) fn made_one(&self) {
        self.inner.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins the upkeep where the mirror is crowded.
    pub(super) fn tidy(&self) {
        if !self.is_crowded() || !self.begins() {
            return;
        }
        let mirror = self.clone();
        tokio::spawn(async move {
            match mirror.gather().await {
                Ok(()) => *mirror.tidy_after() = None,
                Err(error) => tracing::warn!(%error, "crowded mirror was not gathered"),
            }
        });
    }

    /// Whether it may begin now; the next may after a while, or once this one is done.
    fn begins(&self) -> bool {
        let now = Instant::now();
        let mut after = self.tidy_after();
        let is_time = after.is_none_or(|after| after <= now);
        if is_time {
            *after = now.checked_add(AGAIN_AFTER);
        }
        is_time
    }

    fn tidy_after(&self) -> MutexGuard<'_, Option<Instant>> {
        self.inner.tidy_after.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Err(error) = self.forget_gone().await {
            tracing::info!(%error, "refs that are gone at the host stay in the mirror for now");
        }
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
