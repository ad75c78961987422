//! The rules: `lockkeeper.yaml` at a commit, parsed once for the same file, and what they concern.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::observe::pin_files;
use super::world::EnvironmentRepository;
use crate::commit::CommitId;
use crate::pipeline::{Calendar, FILE_NAME, FileError, Pipeline, PipelineName, Pipelines, parse};
use crate::repository::{FileId, RepositoryError};
use crate::store::Store;

/// What a file declares, or what is wrong with it.
pub(super) type Parsed = Result<Arc<Declared>, Arc<Vec<FileError>>>;

/// Files kept of each repository: that of the tip, and those at the base of pull requests under way.
const FILES_MAX: usize = 4;
/// Commits looked through for the last valid file.
pub const LAST_VALID_COMMITS_MAX: usize = 200;

/// The pipelines of a valid file, and the ways to one of them without looking at all.
#[derive(Debug)]
pub(super) struct Declared {
    pipelines: Vec<Pipeline>,
    by_name: HashMap<PipelineName, usize>,
    by_file: HashMap<String, Vec<usize>>,
}

impl Declared {
    fn new(Pipelines { pipelines, .. }: Pipelines) -> Self {
        let mut by_name = HashMap::new();
        let mut by_file: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, pipeline) in pipelines.iter().enumerate() {
            by_name.insert(pipeline.name.clone(), index);
            for file in pin_files(pipeline) {
                by_file.entry(file).or_default().push(index);
            }
        }
        Self { pipelines, by_name, by_file }
    }

    /// All, in the order of the file.
    pub(super) fn pipelines(&self) -> &[Pipeline] {
        &self.pipelines
    }

    /// The one of this name.
    pub(super) fn named(&self, name: &PipelineName) -> Option<&Pipeline> {
        self.pipelines.get(*self.by_name.get(name)?)
    }

    /// Whether every pipeline has to look when this file changes: the rules, and the calendar that they name.
    pub(super) fn concerns_all(&self, path: &str) -> bool {
        let is_calendar =
            |pipeline: &Pipeline| matches!(&pipeline.freezes, Calendar::File(file) if file == path);
        path == FILE_NAME || self.pipelines.first().is_some_and(is_calendar)
    }

    /// Whether a pipeline has pins in this file.
    pub(super) fn has_pins_in(&self, path: &str) -> bool {
        self.by_file.contains_key(path)
    }

    /// Those with pins in one of these files, in the order of the file.
    pub(super) fn pinning<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Vec<&Pipeline> {
        let found: BTreeSet<usize> =
            paths.into_iter().filter_map(|path| self.by_file.get(path)).flatten().copied().collect();
        found.into_iter().filter_map(|index| self.pipelines.get(index)).collect()
    }
}

/// Parsed files of each repository, the one that was used last in front.
#[derive(Debug, Default)]
pub struct RulesCache {
    parsed: Mutex<HashMap<String, VecDeque<(FileId, Parsed)>>>,
}

impl RulesCache {
    fn get(&self, repository: &str, id: FileId) -> Option<Parsed> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let files = parsed.get_mut(repository)?;
        let place = files.iter().position(|(known, _)| *known == id)?;
        let found = files.remove(place)?;
        files.push_front(found.clone());
        Some(found.1)
    }

    fn put(&self, repository: &str, id: FileId, found: Parsed) {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let files = parsed.entry(repository.to_owned()).or_default();
        // Another worker may have read it meanwhile.
        files.retain(|(known, _)| *known != id);
        files.push_front((id, found));
        files.truncate(FILES_MAX);
    }

    /// The file at a commit. No file is an error as well: then nothing is declared.
    pub(super) async fn at(
        &self,
        repository: &EnvironmentRepository,
        commit: CommitId,
    ) -> Result<Parsed, RepositoryError> {
        let Some(id) = repository.mirror.file_id(commit, FILE_NAME).await? else {
            return Ok(Err(missing(repository)));
        };
        if let Some(found) = self.get(&repository.name, id) {
            return Ok(found);
        }
        let Some(bytes) = repository.mirror.read(commit, FILE_NAME).await? else {
            return Ok(Err(missing(repository)));
        };
        let found = parse(&bytes).map(|pipelines| Arc::new(Declared::new(pipelines))).map_err(Arc::new);
        self.put(&repository.name, id, found.clone());
        Ok(found)
    }

    /// The last commit of the base whose file is valid, and that file: the newest in history, and where that is too far
    /// back, the one that the store remembers.
    pub(super) async fn last_valid(
        &self,
        repository: &EnvironmentRepository,
        store: &Store,
        tip: CommitId,
    ) -> Result<Option<(CommitId, Arc<Declared>)>, RepositoryError> {
        for commit in repository.mirror.first_parents(tip, LAST_VALID_COMMITS_MAX).await? {
            if let Ok(declared) = self.at(repository, commit.id).await? {
                return Ok(Some((commit.id, declared)));
            }
        }
        if let Ok(Some(known)) = store.cursor(&cursor_name(repository)).await
            && let Ok(commit) = known.parse::<CommitId>()
            && let Ok(Ok(declared)) = self.at(repository, commit).await
        {
            return Ok(Some((commit, declared)));
        }
        Ok(None)
    }
}

fn missing(repository: &EnvironmentRepository) -> Arc<Vec<FileError>> {
    let reason = format!("there is no {FILE_NAME} on branch {}", repository.base);
    Arc::new(vec![FileError { line: 1, key: "version".to_owned(), reason }])
}

/// Where the store remembers the last commit with a valid file.
pub(super) fn cursor_name(repository: &EnvironmentRepository) -> String {
    format!("rules:{}", repository.name)
}
