//! The handle to a mirror: when to fetch, when to rebuild, and the contract with the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::MutexGuard;

use super::database::Database;
use super::error::{Fault, unavailable};
use super::folder::{Folder, Lock};
use super::incoming::{self, Origin};
use super::local::blocking;
use super::noted::{self, Seen};
use super::outgoing::{self, Thin};
use super::tips::Tips;
use super::transport::{Service, Transport};
use super::worker::{Task, Worker};
use super::{CommitId, Credentials, Location, Options, RefUpdate, RepositoryError, fetch, name, send};
use crate::witness::{Witness, Write, nobody};

/// What a whole fetch brings: branches, tags, and what `HEAD` names.
pub(super) const ALL_REFS: [&str; 3] = ["refs/heads/", "refs/tags/", "HEAD"];

/// A handle to the mirror of one repository; clones share it.
///
/// The mirror keeps the refs it saw under `refs/mirror/`. It grows by one pack a fetch and about five loose
/// objects a commit, which are gathered into one pack from time to time (`tidy`). Where it is damaged it is
/// fetched anew beside the old one and swapped. A commit that was made before such a rebuild and not pushed is
/// gone after it: its push answers [`RepositoryError::NotFound`], and the caller plans anew.
#[derive(Clone)]
pub struct Mirror {
    pub(super) inner: Arc<Inner>,
    witness: Arc<dyn Witness>,
}

pub(super) struct Inner {
    location: Location,
    pub(super) folder: Folder,
    pub(super) options: Options,
    transport: Transport,
    pub(super) worker: Worker,
    /// Commits made since the mirror was tidied.
    pub(super) made: AtomicUsize,
    /// From when the mirror may be tidied: after a beginning some time passes, so that one that fails is not begun anew
    /// by each fetch.
    pub(super) tidy_after: Mutex<Option<Instant>>,
    tips: Tips,
    /// The turn to fetch, in this process; the lock file is the turn among processes.
    turn: tokio::sync::Mutex<()>,
    rebuilt_at: Mutex<Option<Instant>>,
}

/// The turn to change the mirror, held against this process and others.
pub(super) struct Turn<'m> {
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

    /// The same, but a remote that has to be asked and does not answer is asked again at the first use: who works on several
    /// repositories is not kept from all of them by one host that is away.
    ///
    /// # Errors
    /// As [`Mirror::open`], where the remote answers.
    pub async fn open_or_later(
        location: Location,
        folder: &Path,
        credentials: Credentials,
    ) -> Result<Self, RepositoryError> {
        let mirror = Self::unchecked(location, folder, credentials, Options::default()).await?;
        match mirror.check_or_build().await {
            Err(error @ RepositoryError::Unavailable { .. }) => {
                tracing::warn!(location = %mirror.inner.location, %error, "mirror is fetched at its first use");
            }
            checked => checked?,
        }
        Ok(mirror)
    }

    /// The same as [`Mirror::open`], with other waits and programs.
    ///
    /// # Errors
    /// As [`Mirror::open`].
    pub async fn open_with(
        location: Location,
        folder: &Path,
        credentials: Credentials,
        options: Options,
    ) -> Result<Self, RepositoryError> {
        let mirror = Self::unchecked(location, folder, credentials, options).await?;
        mirror.check_or_build().await?;
        Ok(mirror)
    }

    async fn unchecked(
        location: Location,
        folder: &Path,
        credentials: Credentials,
        options: Options,
    ) -> Result<Self, RepositoryError> {
        let transport = Transport::new(&location, credentials, &options)?;
        let folder = blocking(folder, |path| Folder::create(path)).await?;
        let worker = Worker::start(folder.mirror()).map_err(|fault| fault.into_error(&folder.mirror()))?;
        let (tips, turn) = (Tips::default(), tokio::sync::Mutex::new(()));
        let (rebuilt_at, tidy_after, made) = (Mutex::new(None), Mutex::new(None), AtomicUsize::new(0));
        let inner =
            Inner { location, folder, options, transport, worker, made, tidy_after, tips, turn, rebuilt_at };
        Ok(Self { inner: Arc::new(inner), witness: nobody() })
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
    /// fetched where the tip moved. The host is asked after the call; those who call at one time share its answer.
    ///
    /// # Errors
    /// Where the remote cannot be asked, or the mirror cannot be written.
    pub async fn tip(&self, branch: &str) -> Result<Option<CommitId>, RepositoryError> {
        let name = name::branch(branch)?;
        let ask = async { Ok(self.remote_refs(&[&name]).await?.remove(&name)) };
        let tip = self.inner.tips.of(&name, ask).await?;
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
        self.tidy();
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
        let pack = self.run(move |database| outgoing::pack(database, &new, &there, thin)).await?;
        tracing::debug!(bytes = pack.len(), refs = pending.len(), "push");
        send::send(session, &pending, pack).await
    }

    pub(super) async fn remote_refs(
        &self,
        prefixes: &[&str],
    ) -> Result<BTreeMap<String, CommitId>, RepositoryError> {
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
        let begun = Instant::now();
        let turn = self.turn().await?;
        match self.fetch_lacking(&turn, &seen).await {
            Err(Fault::Damaged(reason)) => {
                self.rebuild(&turn, &reason, begun).await?;
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
            self.receive(&inner.folder.mirror(), &wants, &haves).await?;
        }
        let again = Arc::clone(seen);
        let task: Task<()> = Arc::new(move |database| {
            noted::check_brought(database, &again, &haves)?;
            noted::note(database, &again)
        });
        inner.worker.run(task).await
    }

    /// Fetches a pack and indexes it on a thread of its own, with a handle of its own: reads never wait for it.
    async fn receive(&self, repository: &Path, wants: &[CommitId], haves: &[CommitId]) -> Result<(), Fault> {
        let inner = &self.inner;
        let (folder, incoming) = (inner.folder.clone(), inner.folder.incoming());
        blocking(&incoming, move |_| folder.clear_incoming()).await?;
        self.exchange(fetch::pack(&inner.transport, wants, haves, &incoming)).await?;
        let deadline = Instant::now() + inner.options.total_timeout;
        let (repository, folder) = (repository.to_owned(), inner.folder.clone());
        let done = tokio::task::spawn_blocking(move || {
            let outcome = incoming::index(&repository, &incoming, Origin::Host, deadline);
            // The next fetch would remove it as well; this frees the disk now.
            let _ = folder.clear_incoming();
            outcome.map(drop)
        });
        match done.await.unwrap_or_else(|error| Err(Fault::System(error.to_string()))) {
            // With nothing of ours to build on, it is the pack that is wrong.
            Err(Fault::Damaged(reason)) if haves.is_empty() => {
                Err(unavailable(format!("pack of the git host is not taken: {reason}")).into())
            }
            outcome => outcome,
        }
    }

    pub(super) async fn turn(&self) -> Result<Turn<'_>, RepositoryError> {
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
            let received = self.receive(&inner.folder.next(), &wants, &[]).await;
            received.map_err(|fault| self.error(fault))?;
        }
        let seen = noteworthy(found).collect();
        let folder = inner.folder.clone();
        blocking(&inner.folder.next(), move |next| {
            let repository = super::folder::open(next)?;
            noted::check_brought(&repository, &seen, &[])?;
            noted::note(&repository, &seen)?;
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
        task: impl Fn(&Database) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<T, RepositoryError> {
        let task: Task<T> = Arc::new(task);
        let begun = Instant::now();
        match self.inner.worker.run(Arc::clone(&task)).await {
            Err(Fault::Damaged(reason)) => {
                let turn = self.turn().await?;
                self.rebuild(&turn, &reason, begun).await?;
                drop(turn);
                self.inner.worker.run(task).await.map_err(|fault| self.error(fault))
            }
            outcome => outcome.map_err(|fault| self.error(fault)),
        }
    }

    /// Rebuilds, unless someone did so since `begun`. Damage that comes back at once is not for us to mend.
    pub(super) async fn rebuild(
        &self,
        turn: &Turn<'_>,
        reason: &str,
        begun: Instant,
    ) -> Result<(), RepositoryError> {
        let rebuilt_at = *self.inner.rebuilt_at.lock().unwrap_or_else(PoisonError::into_inner);
        match rebuilt_at {
            Some(at) if at >= begun => Ok(()),
            Some(at) if at.elapsed() < self.inner.options.rebuild_interval => {
                Err(self.error(Fault::Damaged(reason.to_owned())))
            }
            Some(_) | None => self.build(turn, reason).await,
        }
    }

    pub(super) fn error(&self, fault: Fault) -> RepositoryError {
        fault.into_error(&self.inner.folder.mirror())
    }
}

fn noteworthy(found: BTreeMap<String, CommitId>) -> impl Iterator<Item = (String, Option<CommitId>)> {
    found.into_iter().map(|(name, id)| (name, Some(id)))
}
