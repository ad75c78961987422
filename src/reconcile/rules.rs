//! The rules: `lockkeeper.yaml` at a commit, parsed once for the same bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::world::EnvironmentRepository;
use crate::commit::CommitId;
use crate::image::Digest;
use crate::pipeline::{FILE_NAME, FileError, Pipelines, parse};
use crate::repository::RepositoryError;
use crate::store::Store;

/// A parsed file, or what is wrong with it.
pub(super) type Parsed = Result<Arc<Pipelines>, Arc<Vec<FileError>>>;

/// Parsed files kept: some per repository, at most 1 MiB of text each before parsing.
const PARSED_MAX: usize = 64;
/// Commits looked through for the last valid file.
const LAST_VALID_COMMITS_MAX: usize = 200;

/// Parsed files by the digest of their bytes.
#[derive(Debug, Default)]
pub struct RulesCache {
    parsed: Mutex<HashMap<Digest, Parsed>>,
}

impl RulesCache {
    fn parse(&self, bytes: &[u8]) -> Parsed {
        let digest = Digest::of(bytes);
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = parsed.get(&digest) {
            return found.clone();
        }
        let found = parse(bytes).map(Arc::new).map_err(Arc::new);
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(digest, found.clone());
        found
    }

    /// The file at a commit. No file is an error as well: then nothing is declared.
    pub(super) async fn at(
        &self,
        repository: &EnvironmentRepository,
        commit: CommitId,
    ) -> Result<Parsed, RepositoryError> {
        if let Some(bytes) = repository.mirror.read(commit, FILE_NAME).await? {
            Ok(self.parse(&bytes))
        } else {
            let reason = format!("there is no {FILE_NAME} on branch {}", repository.base);
            Ok(Err(Arc::new(vec![FileError { line: 1, key: "version".to_owned(), reason }])))
        }
    }

    /// The last commit of the base whose file is valid, and that file: the newest in history, and where that is too far
    /// back, the one that the store remembers.
    pub(super) async fn last_valid(
        &self,
        repository: &EnvironmentRepository,
        store: &Store,
        tip: CommitId,
    ) -> Result<Option<(CommitId, Arc<Pipelines>)>, RepositoryError> {
        for commit in repository.mirror.first_parents(tip, LAST_VALID_COMMITS_MAX).await? {
            if let Ok(pipelines) = self.at(repository, commit.id).await? {
                return Ok(Some((commit.id, pipelines)));
            }
        }
        if let Ok(Some(known)) = store.cursor(&cursor_name(repository)).await
            && let Ok(commit) = known.parse::<CommitId>()
            && let Ok(Ok(pipelines)) = self.at(repository, commit).await
        {
            return Ok(Some((commit, pipelines)));
        }
        Ok(None)
    }
}

/// Where the store remembers the last commit with a valid file.
pub(super) fn cursor_name(repository: &EnvironmentRepository) -> String {
    format!("rules:{}", repository.name)
}
