//! The one thread that holds the mirror's libgit2 handle: it blocks, and it cannot be shared.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::error::Fault;
use super::folder;

/// Jobs that wait; a caller beyond them waits to be let in.
const JOBS_MAX: usize = 64;

type Job = Box<dyn FnOnce(&mut Handle) + Send>;

/// What a job asks of the mirror; it may run twice, the second time on a fresh handle.
pub(super) type Task<T> = Arc<dyn Fn(&Database) -> Result<T, Fault> + Send + Sync>;

/// The way to the thread; it ends when the last way is dropped.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

struct Handle {
    path: PathBuf,
    database: Option<Database>,
}

impl Worker {
    /// Starts the thread for the repository at `path`, which is opened at the first job.
    pub(super) fn start(path: PathBuf) -> Result<Self, Fault> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(JOBS_MAX);
        std::thread::Builder::new().name("mirror".to_owned()).spawn(move || {
            let mut handle = Handle { path, database: None };
            while let Some(job) = waiting.blocking_recv() {
                job(&mut handle);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs a task. Where it finds damage it runs again on a fresh handle: another process may have replaced
    /// the mirror.
    pub(super) async fn run<T: Send + 'static>(&self, task: Task<T>) -> Result<T, Fault> {
        self.ask(move |handle| {
            let outcome = handle.attempt(&task);
            if !matches!(outcome, Err(Fault::Damaged(_))) {
                return outcome;
            }
            handle.database = None;
            handle.attempt(&task)
        })
        .await
    }

    /// Drops the handle, after the mirror was replaced.
    pub(super) async fn close(&self) -> Result<(), Fault> {
        self.ask(|handle| {
            handle.database = None;
            Ok(())
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Handle) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        // A caller that went away wants no reply.
        let job: Job = Box::new(move |handle| drop(reply.send(job(handle))));
        let ended = || Fault::System("its worker has ended".to_owned());
        self.jobs.send(job).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Handle {
    fn attempt<T>(&mut self, task: &Task<T>) -> Result<T, Fault> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::new(folder::open(&self.path)?),
        };
        let outcome = task(self.database.insert(database));
        // Any error may follow from a mirror whose folder is gone.
        match outcome {
            Err(Fault::System(reason)) if !self.path.join("objects").is_dir() => Err(Fault::Damaged(reason)),
            outcome => outcome,
        }
    }
}
