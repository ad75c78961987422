//! Scenarios as files: what is given, what happens, what is expected. `tests/scenarios/README.md` has the words.
//!
//! Everything but the registry is real: git over `file://`, the local forge, the store. The clock is the story's.

mod cast;
mod environment;
mod expect;
mod images;
mod people;
mod portrait;
mod running;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::Verdict;
use lockkeeper::forge::local::{Activity, LocalForge};
use lockkeeper::reconcile::{Stopped, Witness, World, Write};
use lockkeeper::repository::Mirror;

use super::away_forge::AwayForge;
use super::fake_registry::FakeRegistry;
use cast::repository;

/// When every story begins.
const BEGIN: &str = "2026-03-02T09:00:00Z";
/// The rules of a story that names none.
const STANDARD_RULES: &str = include_str!("../../scenarios/standard.lockkeeper.yaml");

/// A story in a folder of its own, with the world as it stands.
pub struct Story {
    folder: tempfile::TempDir,
    files: BTreeMap<String, Vec<u8>>,
    clock: Arc<AtomicI64>,
    registry: Arc<FakeRegistry>,
    activities: Arc<Mutex<Vec<Activity>>>,
    stop: Arc<StopAt>,
    running: Option<Running>,
    remembered: BTreeMap<String, CommitId>,
    last_comment: Option<u64>,
    proposed: Option<u64>,
    deliveries: usize,
    is_forge_away: Arc<AtomicBool>,
}

struct Running {
    world: Arc<World>,
    forge: Arc<LocalForge>,
    mirror: Mirror,
}

/// Stops the world at the k-th write, once.
#[derive(Default)]
pub struct StopAt {
    count: AtomicUsize,
    at: AtomicUsize,
}

impl Witness for StopAt {
    fn wrote(&self, _: Write) -> Result<(), Stopped> {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.at.load(Ordering::SeqCst) { Err(Stopped) } else { Ok(()) }
    }
}

/// A failed expectation: the line and what was found.
pub type Checked = Result<(), String>;

impl Story {
    pub fn new() -> Self {
        let begin: Timestamp = BEGIN.parse().unwrap();
        let mut story = Self {
            folder: tempfile::tempdir().unwrap(),
            files: BTreeMap::new(),
            clock: Arc::new(AtomicI64::new(begin.as_microsecond())),
            registry: Arc::new(FakeRegistry::default()),
            activities: Arc::default(),
            stop: Arc::default(),
            running: None,
            remembered: BTreeMap::new(),
            last_comment: None,
            proposed: None,
            deliveries: 0,
            is_forge_away: Arc::default(),
        };
        story.files.insert("lockkeeper.yaml".to_owned(), STANDARD_RULES.as_bytes().to_vec());
        story
    }

    /// Runs a whole file; the error names the line.
    pub async fn tell(&mut self, text: &str) -> Checked {
        let lines: Vec<&str> = text.lines().collect();
        let mut index = 0;
        while let Some(line) = lines.get(index) {
            let number = index + 1;
            index += 1;
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut block = String::new();
            if line.ends_with(':') {
                while let Some(inner) =
                    lines.get(index).filter(|inner| inner.is_empty() || inner.starts_with("  "))
                {
                    block.push_str(inner.strip_prefix("  ").unwrap_or(inner));
                    block.push('\n');
                    index += 1;
                }
            }
            self.line(line, &block).await.map_err(|error| format!("line {number}: {line}\n  {error}"))?;
        }
        Ok(())
    }

    /// Stops the world right after its k-th write from now on; the next line starts it anew.
    pub fn stop_after(&self, writes: usize) {
        self.stop.at.store(self.stop.count.load(Ordering::SeqCst) + writes, Ordering::SeqCst);
    }

    /// How many writes there were.
    pub fn writes(&self) -> usize {
        self.stop.count.load(Ordering::SeqCst)
    }

    async fn line(&mut self, line: &str, block: &str) -> Checked {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["rules:"] => self.change_file("lockkeeper.yaml", block.as_bytes().to_vec()).await,
            ["file", path] => self.change_file(path.trim_end_matches(':'), block.as_bytes().to_vec()).await,
            ["pin", stage, image, tag, rest @ ..] => self.pin(stage, image, tag, rest).await,
            ["push", image, tag, rest @ ..] => self.push(image, tag, rest).await,
            ["remove", image, tag] => {
                self.registry.remove(FakeRegistry::digest(&repository(image), tag));
                Ok(())
            }
            ["start"] => self.start().await,
            ["restart"] => self.restart().await,
            ["lose", "store"] => self.lose_store().await,
            ["wait", duration] => self.wait(duration).await,
            ["registry", "away"] => {
                self.registry.set_away(true);
                Ok(())
            }
            ["registry", "back"] => {
                self.registry.set_away(false);
                Ok(())
            }
            ["git", "refuses", word] => self.git_refuses(word),
            ["git", "accepts"] => std::fs::remove_file(self.bare().join("hooks/update")).map_err(text),
            ["forge", "away"] => {
                self.is_forge_away.store(true, Ordering::SeqCst);
                Ok(())
            }
            ["forge", "back"] => {
                self.is_forge_away.store(false, Ordering::SeqCst);
                Ok(())
            }
            ["approve", stage, "by", person, rest @ ..] => {
                self.review(stage, person, Verdict::Approved, rest).await
            }
            ["request-changes", stage, "by", person] => {
                self.review(stage, person, Verdict::ChangesRequested, &[]).await
            }
            ["dismiss", stage, "by", person] => self.review(stage, person, Verdict::Dismissed, &[]).await,
            ["remember", "head", stage] => self.remember(stage).await,
            ["close", stage, "by", person] => self.close(stage, person).await,
            ["check", name, status, "on", stage] => self.check(name, status, stage).await,
            ["edit", "last", "comment", rest @ ..] => self.edit_comment(&rest.join(" ")).await,
            ["deliver", "last", "comment", "again"] => self.deliver_comment_again().await,
            ["person", "proposes", path] => self.person_proposes(path.trim_end_matches(':'), block).await,
            ["person", "edits", stage, image] => self.person_edits(stage, image).await,
            ["person", "pushes", "on", stage] => self.person_pushes(stage).await,
            ["person", "merges", stage, "by", person] => self.person_merges(stage, person).await,
            ["comment", rest @ ..] => self.comment(&rest.join(" ")).await,
            ["forged", "delivery", image, tag] => self.deliver(image, tag).await,
            ["expect", rest @ ..] => self.expect(rest, block).await,
            _ => Err("not a word of the story language".to_owned()),
        }
    }

    /// Where everything is kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
