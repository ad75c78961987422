//! The handle to a mirror: when to fetch, when to rebuild, and the contract with the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use git2::Repository;
use tokio::sync::MutexGuard;

use super::error::{Fault, unavailable};
use super::folder::{Folder, Lock};
use super::local::blocking;
use super::noted::{self, Seen};
use super::pack::{self, Thin};
use super::transport::{Service, Transport};
use super::worker::{Task, Worker};
use super::{CommitId, Credentials, Location, Options, RefUpdate, RepositoryError, fetch, name, send};
use crate::witness::{Witness, Write, nobody};

/// What a whole fetch brings: branches, tags, and what `HEAD` names.
const ALL_REFS: [&str; 3] = ["refs/heads/", "refs/tags/", "HEAD"];

/// A handle to the mirror of one repository; clones share it.
///
/// The mirror keeps the refs it saw under `refs/mirror/`. It grows by one pack a fetch and about five loose
/// objects a commit; beyond 300 packs or 10,000 loose objects it is fetched anew beside the old one and
/// swapped. A commit that was made before such a rebuild and not pushed is gone after it: its push answers
/// [`RepositoryError::NotFound`], and the caller plans anew.
#[derive(Clone)]
pub struct Mirror {
    inner: Arc<Inner>,
    witness: Arc<dyn Witness>,
}

struct Inner {
    location: Location,
    folder: Folder,
    options: Options,
    transport: Transport,
    worker: Worker,
    /// The turn to fetch, in this process; the lock file is the turn among processes.
    turn: tokio::sync::Mutex<()>,
    rebuilt_at: Mutex<Option<Instant>>,
}

/// The turn to change the mirror, held against this process and others.
struct Turn<'m> {
    _here: MutexGuard<'m, ()>,
    _everywhere: Lock,
}

impl fmt::Debug for Mirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mirror").field("location", &self.inner.location).finish_non_exhaustive()
    }
}

impl Mirror {
    /// Opens (or creates, or rebuilds where damaged) the mirror in `folder` of the repository at `location`. A
    /// mirror that is there and whole is opened without asking the remote.
    ///
    /// # Errors
    /// Where the mirror has to be fetched and cannot be, or `folder` cannot be written.
    pub async fn open(
        location: Location,
        folder: &Path,
        credentials: Credentials,
    ) -> Result<Self, RepositoryError> {
        Self::open_with(location, folder, credentials, Options::default()).await
    }

    /// The same, with other waits and programs.
    ///
    /// # Errors
    /// As [`Mirror::open`].
    pub async fn open_with(
        location: Location,
        folder: &Path,
        credentials: Credentials,
        options: Options,
    ) -> Result<Self, RepositoryError> {
        let transport = Transport::new(&location, credentials, &options)?;
        let folder = blocking(folder, |path| Folder::create(path)).await?;
        let worker = Worker::start(folder.mirror()).map_err(|fault| fault.into_error(&folder.mirror()))?;
        let turn = tokio::sync::Mutex::new(());
        let rebuilt_at = Mutex::new(None);
        let inner = Inner { location, folder, options, transport, worker, turn, rebuilt_at };
        let mirror = Self { inner: Arc::new(inner), witness: nobody() };
        mirror.check_or_build().await?;
        Ok(mirror)
    }

    /// Tells `witness` of every push through this handle and its clones.
    #[must_use]
    pub fn witnessed(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = witness;
        self
    }

    /// What is mirrored.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// The tip of a branch (without `refs/heads/`, or the full name of any ref) at the remote, its objects
    /// fetched where the tip moved.
    ///
    /// # Errors
    /// Where the remote cannot be asked, or the mirror cannot be written.
    pub async fn tip(&self, branch: &str) -> Result<Option<CommitId>, RepositoryError> {
        let name = name::branch(branch)?;
        let tip = self.remote_refs(&[&name]).await?.remove(&name);
        self.bring(Seen::from([(name, tip)])).await?;
        Ok(tip)
    }

    /// All refs at the remote under this prefix (`refs/heads/lockkeeper/`), without fetching. An annotated tag
    /// has the id of the tag.
    ///
    /// # Errors
    /// Where the remote cannot be asked.
    pub async fn refs(&self, prefix: &str) -> Result<BTreeMap<String, CommitId>, RepositoryError> {
        self.remote_refs(&[name::prefix(prefix)?]).await
    }

    /// Brings all branches and tags of the mirror to what the remote has now; those gone there are gone here.
    ///
    /// # Errors
    /// Where the remote cannot be asked, or the mirror cannot be written.
    pub async fn fetch(&self) -> Result<(), RepositoryError> {
        let found = self.remote_refs(&ALL_REFS).await?;
        let stale = self.run(|repository| noted::names(repository, &["refs/heads/", "refs/tags/"])).await?;
        let mut seen: Seen = stale.into_iter().map(|name| (name, None)).collect();
        seen.extend(noteworthy(found));
        self.bring(seen).await
    }

    /// Pushes all updates or none: `atomic`, each with its expected old value. A ref that has its new value
    /// already is done.
    ///
    /// # Errors
    /// [`RepositoryError::Moved`] where a ref is not at its expected value, [`RepositoryError::Refused`] with
    /// the words of a hook, [`RepositoryError::NotFound`] where a new commit is not in the mirror. After
    /// [`RepositoryError::Unavailable`] the push may have been done or not: the same push again tells.
    pub async fn push(&self, updates: Vec<RefUpdate>) -> Result<(), RepositoryError> {
        send::check(&updates)?;
        let seen: Seen = updates.iter().map(|update| (update.name.clone(), update.new)).collect();
        self.exchange(self.send(updates)).await?;
        self.witness.wrote(Write::Push).await;
        // The push is done; a note that fails costs a fetch, later.
        if let Err(error) = self.run(move |repository| noted::note(repository, &seen)).await {
            tracing::warn!(%error, "pushed refs were not noted in the mirror");
        }
        Ok(())
    }

    async fn send(&self, updates: Vec<RefUpdate>) -> Result<(), RepositoryError> {
        let session = self.inner.transport.open(Service::ReceivePack).await?;
        let pending = send::pending(&session.advertisement, updates)?;
        if pending.is_empty() {
            return Ok(());
        }
        let new: Vec<CommitId> = pending.iter().filter_map(|update| update.new).collect();
        if new.is_empty() {
            return send::send(session, &pending, Vec::new()).await;
        }
        let mut there: Vec<CommitId> = pending.iter().filter_map(|update| update.old).collect();
        there.extend(session.advertisement.refs.values());
        let thin = if session.advertisement.has("no-thin") { Thin::No } else { Thin::Yes };
        let pack = self
            .run(move |repository| pack::build(repository, &new, &noted::known(repository, &there)?, thin))
            .await?;
        tracing::debug!(bytes = pack.len(), refs = pending.len(), "push");
        send::send(session, &pending, pack).await
    }

    async fn remote_refs(&self, prefixes: &[&str]) -> Result<BTreeMap<String, CommitId>, RepositoryError> {
        self.exchange(fetch::refs(&self.inner.transport, prefixes)).await
    }

    /// Bounds an exchange with the host as a whole.
    async fn exchange<T>(
        &self,
        work: impl Future<Output = Result<T, RepositoryError>>,
    ) -> Result<T, RepositoryError> {
        let wait = self.inner.options.total_timeout;
        let late = |_| Err(unavailable(format!("exchange took over {wait:?}")));
        let outcome = tokio::time::timeout(wait, work).await.unwrap_or_else(late);
        if outcome.is_err() {
            self.inner.transport.forget();
        }
        outcome
    }

    /// Fetches what is lacking of the refs seen, and notes them.
    async fn bring(&self, seen: Seen) -> Result<(), RepositoryError> {
        let seen = Arc::new(seen);
        let again = Arc::clone(&seen);
        let complete = self.run(move |repository| {
            let complete = noted::lacking(repository, &again)?.is_empty();
            if complete { noted::note(repository, &again) } else { Ok(()) }.map(|()| complete)
        });
        if complete.await? {
            return Ok(());
        }
        let turn = self.turn().await?;
        match self.fetch_lacking(&turn, &seen).await {
            Err(Fault::Damaged(reason)) => {
                self.build(&turn, &reason).await?;
                self.fetch_lacking(&turn, &seen).await.map_err(|fault| self.error(fault))?;
            }
            outcome => outcome.map_err(|fault| self.error(fault))?,
        }
        drop(turn);
        self.tidy();
        Ok(())
    }

    async fn fetch_lacking(&self, _turn: &Turn<'_>, seen: &Arc<Seen>) -> Result<(), Fault> {
        let inner = &self.inner;
        let again = Arc::clone(seen);
        let task: Task<_> = Arc::new(move |repository| {
            Ok((noted::lacking(repository, &again)?, noted::haves(repository, &again)?))
        });
        let (wants, haves) = inner.worker.run(task).await?;
        if !wants.is_empty() {
            let incoming = inner.folder.incoming();
            self.exchange(fetch::pack(&inner.transport, &wants, &haves, &incoming)).await?;
            index(inner.folder.mirror(), incoming).await?;
        }
        let again = Arc::clone(seen);
        inner.worker.run(Arc::new(move |repository: &Repository| noted::note(repository, &again))).await
    }

    async fn turn(&self) -> Result<Turn<'_>, RepositoryError> {
        let here = self.inner.turn.lock().await;
        let everywhere = self.inner.folder.lock(self.inner.options.lock_timeout).await?;
        Ok(Turn { _here: here, _everywhere: everywhere })
    }

    async fn check_or_build(&self) -> Result<(), RepositoryError> {
        let turn = self.turn().await?;
        let (folder, location) = (self.inner.folder.clone(), self.inner.location.clone());
        let checked = tokio::task::spawn_blocking(move || folder.check(&location)).await;
        match checked.unwrap_or_else(|error| Err(Fault::System(error.to_string()))) {
            Ok(()) => Ok(()),
            Err(Fault::Damaged(reason)) => self.build(&turn, &reason).await,
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// Fetches the whole repository beside the mirror, then puts it into its place.
    async fn build(&self, _turn: &Turn<'_>, reason: &str) -> Result<(), RepositoryError> {
        let inner = &self.inner;
        tracing::info!(location = %inner.location, reason, "mirror is fetched anew");
        let found = self.remote_refs(&ALL_REFS).await?;
        let (folder, location) = (inner.folder.clone(), inner.location.clone());
        blocking(&inner.folder.next(), move |_| folder.begin_next(&location)).await?;
        if !found.is_empty() {
            let wants: BTreeSet<CommitId> = found.values().copied().collect();
            let wants: Vec<CommitId> = wants.into_iter().collect();
            let incoming = inner.folder.incoming();
            self.exchange(fetch::pack(&inner.transport, &wants, &[], &incoming)).await?;
            index(inner.folder.next(), incoming).await.map_err(|fault| self.error(fault))?;
        }
        let seen = noteworthy(found).collect();
        let folder = inner.folder.clone();
        blocking(&inner.folder.next(), move |next| {
            noted::note(&super::folder::open(next)?, &seen)?;
            folder.swap()
        })
        .await?;
        inner.worker.close().await.map_err(|fault| self.error(fault))?;
        *inner.rebuilt_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Runs a task on the worker; where it finds damage the mirror is rebuilt once, and the task run again.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        task: impl Fn(&Repository) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<T, RepositoryError> {
        let task: Task<T> = Arc::new(task);
        let begun = Instant::now();
        match self.inner.worker.run(Arc::clone(&task)).await {
            Err(Fault::Damaged(reason)) => {
                self.rebuild(&reason, begun).await?;
                self.inner.worker.run(task).await.map_err(|fault| self.error(fault))
            }
            outcome => outcome.map_err(|fault| self.error(fault)),
        }
    }

    /// Rebuilds, unless someone did so since `begun`. Damage that comes back at once is not for us to mend.
    async fn rebuild(&self, reason: &str, begun: Instant) -> Result<(), RepositoryError> {
        let turn = self.turn().await?;
        let rebuilt_at = *self.inner.rebuilt_at.lock().unwrap_or_else(PoisonError::into_inner);
        match rebuilt_at {
            Some(at) if at >= begun => Ok(()),
            Some(at) if at.elapsed() < self.inner.options.rebuild_interval => {
                Err(self.error(Fault::Damaged(reason.to_owned())))
            }
            Some(_) | None => self.build(&turn, reason).await,
        }
    }

    /// Fetches a crowded mirror anew, in the background.
    fn tidy(&self) {
        if !self.inner.folder.is_crowded() {
            return;
        }
        let mirror = self.clone();
        tokio::spawn(async move {
            if let Err(error) = mirror.rebuild("it has too many packs or loose objects", Instant::now()).await
            {
                tracing::warn!(%error, "crowded mirror was not fetched anew");
            }
        });
    }

    fn error(&self, fault: Fault) -> RepositoryError {
        fault.into_error(&self.inner.folder.mirror())
    }
}

/// `HEAD` is noted under a name like the others; names that git would not take are left out.
fn noteworthy(found: BTreeMap<String, CommitId>) -> impl Iterator<Item = (String, Option<CommitId>)> {
    let named = found.into_iter().filter(|(name, _)| name == "HEAD" || name::reference(name).is_ok());
    named.map(|(name, id)| (name, Some(id)))
}

/// Indexes on a thread of its own, with a handle of its own: reads never wait for a fetch.
async fn index(repository: std::path::PathBuf, pack: std::path::PathBuf) -> Result<(), Fault> {
    let done = tokio::task::spawn_blocking(move || {
        let outcome = pack::index(&repository, &pack);
        // The next fetch would overwrite it as well; this frees the disk now.
        let _ = std::fs::remove_file(&pack);
        outcome
    });
    done.await.unwrap_or_else(|error| Err(Fault::System(error.to_string())))
}
