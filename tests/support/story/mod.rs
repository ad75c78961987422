//! Scenarios as files: what is given, what happens, what is expected. `tests/scenarios/README.md` has the words.
//!
//! Everything but the registry is real: git over `file://`, the forge, the store. The clock is the story's. The forge is
//! our own, or our client of GitHub over HTTP to the tests' own GitHub, which is held to GitHub's description of its API.

mod audit;
mod cast;
mod environment;
mod expect;
pub mod github;
mod host;
mod images;
mod local;
mod observing;
mod people;
pub mod portrait;
mod running;
pub mod saved;
pub mod script;
pub mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::{Forge, Verdict};
use lockkeeper::reconcile::{Told, World};
use lockkeeper::repository::Mirror;

use super::fake_registry::{FakeRegistry, Mood};
use super::faults::Faults;
use super::faulty_forge::{Connection, FaultyForge};
use super::signing;
use cast::repository;
use github::GitHub;
use host::Host;
use script::Line;

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
    side: Side,
    pub faults: Arc<Faults>,
    running: Option<Running>,
    remembered: BTreeMap<String, CommitId>,
    last_comment: Option<u64>,
    proposed: Option<u64>,
    /// Branches that people took, whose names look like ours.
    taken: BTreeSet<String>,
    /// The commits of the source repository, by the names that the story gives them.
    revisions: BTreeMap<String, CommitId>,
    deliveries: usize,
    look_max: Duration,
    probe_interval: Duration,
    connection: Arc<Connection>,
    /// What the cluster `here` says.
    cluster: Arc<observing::FakeCluster>,
    /// What it said to a process that is taken up again.
    told: Told,
}

/// Where the pull requests of a story live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Local,
    GitHub,
}

enum Side {
    Local,
    GitHub(Box<GitHub>),
}

struct Running {
    world: Arc<World>,
    /// As lockkeeper has it, on a connection that never fails.
    forge: Arc<dyn Forge>,
    host: Arc<dyn Host>,
    mirror: Mirror,
}

/// A failed expectation: the line and what was found.
pub type Checked = Result<(), String>;

impl Story {
    pub fn new(at: At) -> Self {
        let faults = Arc::<Faults>::default();
        let begin: Timestamp = BEGIN.parse().unwrap();
        let mut story = Self {
            folder: folder(),
            files: BTreeMap::new(),
            clock: Arc::new(AtomicI64::new(begin.as_microsecond())),
            registry: Arc::new(FakeRegistry::new(faults.clone())),
            side: match at {
                At::Local => Side::Local,
                At::GitHub => Side::GitHub(Box::new(GitHub::new())),
            },
            faults,
            running: None,
            remembered: BTreeMap::new(),
            last_comment: None,
            proposed: None,
            taken: BTreeSet::new(),
            revisions: BTreeMap::new(),
            deliveries: 0,
            look_max: Duration::from_mins(1),
            // Longer than any story: where nothing is said of probes, none is made.
            probe_interval: Duration::from_hours(24 * 365),
            connection: Arc::default(),
            cluster: Arc::default(),
            told: Told::default(),
        };
        story.files.insert("lockkeeper.yaml".to_owned(), STANDARD_RULES.as_bytes().to_vec());
        story
    }

    /// Tells one line; the error names it.
    pub async fn tell(&mut self, line: &Line) -> Checked {
        let told = self.line(&line.text, &line.block).await;
        told.map_err(|error| format!("line {}: {}\n  {error}", line.number, line.text))
    }

    async fn line(&mut self, line: &str, block: &str) -> Checked {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["rules:"] => self.change_file("lockkeeper.yaml", with_keys(block).into_bytes()).await,
            ["file", path] => self.change_file(path.trim_end_matches(':'), block.as_bytes().to_vec()).await,
            ["pin", stage, image, tag, rest @ ..] => self.pin(stage, image, tag, rest).await,
            ["push", image, tag, rest @ ..] => self.push(image, tag, rest).await,
            ["sign", image, tag, "by", key, rest @ ..] => self.sign(image, tag, key, rest),
            ["cosign", rest @ ..] => self.cosign_is(rest),
            ["remove", image, tag] => {
                self.registry.remove(FakeRegistry::digest(&repository(image), tag));
                Ok(())
            }
            ["untag", image, tag] => {
                self.registry.untag(&repository(image), tag);
                Ok(())
            }
            ["start"] => self.start().await,
            ["restart"] => self.restart().await,
            ["lose", "store"] => self.lose_store().await,
            ["wait", duration] => self.wait(duration).await,
            ["clock", direction, duration] => self.set_clock(direction, duration).await,
            ["somebody", "tags", image, tag, "as", name, rest @ ..] => {
                self.somebody_tags(image, tag, name, rest).await
            }
            ["probes", "every", duration] => {
                self.probe_interval = lockkeeper::pipeline::parse_duration(duration).map_err(text)?;
                Ok(())
            }
            ["registry", rest @ ..] => self.registry_is(rest),
            ["git", "refuses", word] => self.git_refuses(word),
            ["git", "accepts"] => std::fs::remove_file(self.bare().join("hooks/update")).map_err(text),
            ["forge", "fails", count, "calls"] => {
                self.connection.failures.store(count.parse().map_err(text)?, Ordering::SeqCst);
                Ok(())
            }
            ["forge", how] => self.forge_is(how),
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
            ["looks", "are", "short"] => {
                self.look_max = Duration::ZERO;
                Ok(())
            }
            ["source", name, "by", person] => self.source(name, person).await,
            ["person", "takes", "branch", name] => self.person_takes(name).await,
            ["person", "edits", stage, image] => self.person_edits(stage, image).await,
            ["person", "pushes", "on", stage] => self.person_pushes(stage).await,
            ["person", "merges", stage, "by", person] => self.person_merges(stage, person).await,
            ["comment", rest @ ..] => self.comment(&rest.join(" ")).await,
            ["order", rest @ ..] => self.order(&rest.join(" ")).await,
            ["forged", "delivery", image, tag] => self.deliver(image, tag).await,
            ["cluster", rest @ ..] => self.cluster_is(rest).await,
            ["observe", stage, rest @ ..] => self.observe(stage, rest).await,
            ["expect", rest @ ..] => self.expect(rest, block).await,
            _ => Err("not a word of the story language".to_owned()),
        }
    }
}

/// `KEY(name)` stands for the public key of that name.
fn with_keys(rules: &str) -> String {
    let mut text = rules.to_owned();
    while let Some((before, rest)) = text.split_once("KEY(") {
        let (name, after) = rest.split_once(')').unwrap();
        text = format!("{before}{:?}{after}", signing::pair(name).public);
    }
    text
}

/// A temporary folder; in memory where the machine has such a place, for a story writes thousands of files.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
