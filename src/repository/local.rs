//! Repositories on this machine: making a bare one, reading a tree of any.

use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions};

use super::database::Database;
use super::error::{Fault, no_edit};
use super::{CommitId, Edit, RepositoryError, Signature, edit, history, name, objects};

/// Bytes of all files read at once by `read_tree`; the corpus of 34 repositories has 208 MB of YAML.
const TREE_BYTES_MAX: usize = 512 * 1_024 * 1_024;

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

/// All regular files that end in `.yaml` or `.yml` under a path of a repository on this machine (bare or not),
/// as they are at a revision, sorted by path.
///
/// # Errors
/// [`RepositoryError::NotFound`] where `rev` names no commit, [`RepositoryError::Edit`] where a file has more
/// than 16 MiB or all together more than 512 MiB, [`RepositoryError::Mirror`] where `dir` is no readable
/// repository.
pub async fn read_tree(
    dir: &Path,
    rev: &str,
    under: &str,
) -> Result<Vec<(String, Vec<u8>)>, RepositoryError> {
    let (rev, under) = (rev.to_owned(), under.to_owned());
    blocking(dir, move |folder| {
        let (name, steps) = name::revision(&rev)?;
        let repository = Database::new(Repository::open(folder)?);
        let id = history::commit_of(&repository, &format!("{name}{steps}"), &rev)?;
        let tree = objects::commit(&repository, id)?.tree_id();
        let mut files = Vec::new();
        let mut bytes = 0;
        for (path, id) in objects::files(&repository, tree, &under)? {
            if is_yaml(&path) {
                let content = objects::blob(&repository, id, &path)?;
                bytes += content.len();
                if bytes > TREE_BYTES_MAX {
                    return Err(no_edit(&path, format!("files have over {TREE_BYTES_MAX} bytes")).into());
                }
                files.push((path, content));
            }
        }
        Ok(files)
    })
    .await
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
