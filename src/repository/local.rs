//! Repositories on this machine: making a bare one, reading a tree of any.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use git2::{Oid, Repository, RepositoryInitOptions};

use super::database::Database;
use super::error::{Fault, not_found};
use super::{CommitId, Edit, RepositoryError, Signature, edit, history, name, objects};

/// Creates a bare repository with one commit of these files on `branch`.
///
/// # Errors
/// [`RepositoryError::Edit`] for a bad path, [`RepositoryError::Mirror`] where `folder` is a repository already
/// or cannot be written.
pub async fn create_bare(
    folder: &Path,
    branch: &str,
    files: &[(String, Vec<u8>)],
    message: &str,
    author: &Signature,
) -> Result<CommitId, RepositoryError> {
    let branch = name::branch(branch)?;
    let edit =
        |(path, after): &(String, Vec<u8>)| Edit { path: path.clone(), before: None, after: after.clone() };
    let edits: Vec<Edit> = files.iter().map(edit).collect();
    let (message, author) = (message.to_owned(), author.clone());
    blocking(folder, move |folder| {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false).initial_head(&branch);
        let repository = Database::new(Repository::init_opts(folder, &options)?);
        let id = edit::commit(&repository, None, &edits, &message, &author)?;
        repository.reference(&branch, id.oid()?, false, "create")?;
        Ok(id)
    })
    .await
}

/// What `read` makes of each regular file that ends in `.yaml` or `.yml` under a path (`""` for all) of a repository on
/// this machine (bare or not), as it is at a revision; sorted by path.
///
/// Files are read on as many threads as the machine has cores, at most eight (`THREADS_MAX`), and each is let go of
/// when `read` is done with it.
///
/// # Errors
/// [`RepositoryError::NotFound`] where `rev` names no commit or `under` nothing in it, [`RepositoryError::Edit`] where a
/// file has more than 16 MiB, [`RepositoryError::Mirror`] where `dir` is no readable repository.
pub async fn read_tree<T: Send + 'static>(
    dir: &Path,
    rev: &str,
    under: &str,
    read: impl Fn(&str, Vec<u8>) -> T + Sync + Send + 'static,
) -> Result<Vec<(String, T)>, RepositoryError> {
    let (rev, under) = (rev.to_owned(), under.to_owned());
    blocking(dir, move |folder| {
        let (name, steps) = name::revision(&rev)?;
        let repository = Database::new(Repository::open(folder)?);
        let id = history::commit_of(&repository, &format!("{name}{steps}"), &rev)?;
        let tree = objects::commit(&repository, id)?.tree_id();
        let mut files = objects::files(&repository, tree, &under)?;
        if files.is_empty() && !objects::is_there(&repository, tree, &under)? {
            return Err(not_found(format!("path {under} of {rev}")).into());
        }
        files.retain(|(path, _)| is_yaml(path));
        read_files(folder, &files, &read)
    })
    .await
}

/// Most threads that read: libgit2's handle is one thread's, and more of them wait for each other.
const THREADS_MAX: usize = 8;
/// Files that a thread has to be worth: opening the repository once more costs as much as reading some ten.
const FILES_OF_A_THREAD_MIN: usize = 100;

fn read_files<T: Send>(
    folder: &Path,
    files: &[(String, Oid)],
    read: &(impl Fn(&str, Vec<u8>) -> T + Sync),
) -> Result<Vec<(String, T)>, Fault> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(THREADS_MAX).min(files.len() / FILES_OF_A_THREAD_MIN + 1);
    let share = files.len().div_ceil(threads).max(1);
    let read_share = |share: &[(String, Oid)]| {
        let repository = Repository::open(folder)?;
        let one = |(path, id): &(String, Oid)| {
            Ok((path.clone(), read(path, objects::blob(&repository, *id, path)?)))
        };
        share.iter().map(one).collect::<Result<Vec<_>, Fault>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            files.chunks(share).map(|share| scope.spawn(move || read_share(share))).collect();
        let mut all = Vec::with_capacity(files.len());
        for thread in threads {
            all.extend(thread.join().map_err(|_| Fault::System("a thread that read stopped".to_owned()))??);
        }
        Ok(all)
    })
}

fn is_yaml(path: &str) -> bool {
    let extension = Path::new(path).extension();
    extension.is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Runs a job that blocks on a thread for such jobs.
pub(super) async fn blocking<T: Send + 'static>(
    folder: &Path,
    job: impl FnOnce(&PathBuf) -> Result<T, Fault> + Send + 'static,
) -> Result<T, RepositoryError> {
    let folder = folder.to_owned();
    let shown = folder.clone();
    let done = tokio::task::spawn_blocking(move || job(&folder)).await;
    let outcome = done.unwrap_or_else(|error| Err(Fault::System(error.to_string())));
    outcome.map_err(|fault| fault.into_error(&shown))
}
