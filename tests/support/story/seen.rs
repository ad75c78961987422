//! What anybody sees of a world: the commits on the base, and the pull requests of ours.

use std::sync::atomic::Ordering;

use lockkeeper::commit::CommitId;
use lockkeeper::promotion::Event;

use super::{Story, text};

/// More commits than one line of a story makes.
const COMMITS_MAX: usize = 100;

/// A commit on the base, with the files that it changed, before and after.
#[derive(Debug)]
pub struct SeenCommit {
    pub message: String,
    pub changed: Vec<(String, String, String)>,
}

/// A pull request of ours, with the file of its stage as the branch has it.
#[derive(Debug)]
pub struct SeenPull {
    pub number: u64,
    pub branch: String,
    pub head: CommitId,
    pub is_open: bool,
    pub file: String,
}

impl Story {
    /// A second goes by, and nobody looks.
    pub fn tick(&self) {
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
    }

    /// The time, in seconds.
    pub fn seconds(&self) -> i64 {
        self.now().as_second()
    }

    /// The tip of the base.
    pub async fn tip(&self) -> Result<CommitId, String> {
        self.running()?.mirror.tip("main").await.map_err(text)?.ok_or_else(|| "no main".to_owned())
    }

    /// The commits after this one, oldest first, and what they changed of these files.
    pub async fn commits_after(&self, since: CommitId, paths: &[String]) -> Result<Vec<SeenCommit>, String> {
        let mirror = &self.running()?.mirror;
        let commits = mirror.first_parents(self.tip().await?, COMMITS_MAX).await.map_err(text)?;
        let mut found = Vec::new();
        for commit in commits.into_iter().take_while(|commit| commit.id != since) {
            let mut changed = Vec::new();
            for path in paths {
                let read = async |id| mirror.read(id, path).await.map_err(text).map(shown);
                let (before, after) = (read(commit.parents[0]).await?, read(commit.id).await?);
                if before != after {
                    changed.push((path.clone(), before, after));
                }
            }
            found.push(SeenCommit { message: commit.message, changed });
        }
        found.reverse();
        Ok(found)
    }

    /// The pull requests of ours that are open, or have a number after this one; `path` gives the file of a stage.
    pub async fn pulls_after(
        &self,
        since: u64,
        path: impl Fn(&str) -> String,
    ) -> Result<Vec<SeenPull>, String> {
        let running = self.running()?;
        let open: Vec<u64> = running.host.open_pulls().await?.into_iter().map(|pull| pull.number).collect();
        let mut found = Vec::new();
        for entry in self.events().await? {
            let Event::Proposed { stage, number, .. } = entry.event else { continue };
            let is_open = open.contains(&number);
            if !is_open && number <= since {
                continue;
            }
            let pull = running.host.pull(number).await?;
            let file = running.mirror.read(pull.head, &path(stage.as_str())).await;
            let file = shown(file.ok().flatten());
            found.push(SeenPull { number, branch: pull.branch, head: pull.head, is_open, file });
        }
        Ok(found)
    }
}

fn shown(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.unwrap_or_default()).unwrap()
}
