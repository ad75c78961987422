//! Scenarios as files: what is given, what happens, what is expected. `tests/scenarios/README.md` has the words.
//!
//! Everything but the registry is real: git over `file://`, the local forge, the store. The clock is the story's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::local::{Activity, AppEntry, LocalForge, People, PeopleFile, PersonEntry};
use lockkeeper::forge::{
    Check, CheckStatus, Forge, ForgeError, NewPullRequest, Permission, Person, PullRequest, PullRequestState,
    Verdict,
};
use lockkeeper::image::Repository;
use lockkeeper::pipeline::{PipelineName, parse_duration};
use lockkeeper::plan::view::PipelineView as View;
use lockkeeper::promotion::{Entry, Event};
use lockkeeper::pull_request::MergeMethod;
use lockkeeper::reconcile::{
    EnvironmentRepository, Stopped, Witness, World, WorldSettings, Write, note_activity, run_one, start,
};
use lockkeeper::repository::{Credentials, Edit, Location, Mirror, RefUpdate, Signature, create_bare};
use lockkeeper::store::{Delivery, Hint, Key, Store};

use super::away_forge::AwayForge;
use super::fake_registry::FakeRegistry;

/// The host of the story's registry.
const HOST: &str = "registry.test/shop";
/// When every story begins.
const BEGIN: &str = "2026-03-02T09:00:00Z";
/// The rules of a story that names none.
const STANDARD_RULES: &str = include_str!("../scenarios/standard.lockkeeper.yaml");

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
    is_forge_away: Arc<std::sync::atomic::AtomicBool>,
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
            ["clock", direction, duration] => self.set_clock(direction, duration).await,
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

    // What is given, and what others do to the repository.

    async fn change_file(&mut self, path: &str, bytes: Vec<u8>) -> Checked {
        let before = self.files.insert(path.to_owned(), bytes.clone());
        let Some(running) = &self.running else { return Ok(()) };
        let mirror = running.mirror.clone();
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let before = mirror.read(base, path).await.map_err(text)?.or(before.filter(|_| false));
        let edit = Edit { path: path.to_owned(), before, after: bytes };
        let commit =
            mirror.commit(base, vec![edit], "a person's commit\n", &self.somebody()).await.map_err(text)?;
        let update = RefUpdate { name: "refs/heads/main".to_owned(), old: Some(base), new: Some(commit) };
        mirror.push(vec![update]).await.map_err(text)?;
        self.look().await
    }

    async fn pin(&mut self, stage: &str, image: &str, tag: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let reference = match rest {
            ["tag-only"] => format!("{name}:{tag}"),
            [] => format!("{name}:{tag}@{}", FakeRegistry::digest(&name, tag)),
            _ => return Err("pin STAGE IMAGE TAG [tag-only]".to_owned()),
        };
        let path = format!("env/{stage}/{image}.yaml");
        self.change_file(&path, manifest(image, &reference).into_bytes()).await
    }

    fn somebody(&self) -> Signature {
        Signature { name: "somebody".to_owned(), email: "somebody@example.com".to_owned(), at: self.now() }
    }

    // The registry.

    async fn push(&mut self, image: &str, tag: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let mut platforms = vec!["linux/amd64", "linux/arm64"];
        let mut bytes = tag;
        let mut is_quiet = false;
        let mut revision = tag;
        let mut rest = rest;
        loop {
            rest = match rest {
                [] => break,
                ["as", other, tail @ ..] => {
                    bytes = other;
                    tail
                }
                ["only", platform, tail @ ..] => {
                    platforms = vec![platform];
                    tail
                }
                ["quietly", tail @ ..] => {
                    is_quiet = true;
                    tail
                }
                ["revision", commit, tail @ ..] => {
                    revision = commit;
                    tail
                }
                _ => return Err("push IMAGE TAG [as NAME] [only PLATFORM] [revision R] [quietly]".to_owned()),
            };
        }
        let labels = [("revision", revision), ("source", "https://git.test/shop/web")];
        self.registry.push(&name, tag, bytes, &platforms, &labels);
        if is_quiet || self.running.is_none() {
            return Ok(());
        }
        self.deliver(image, tag).await
    }

    async fn deliver(&mut self, image: &str, tag: &str) -> Checked {
        self.deliveries += 1;
        let delivery = Delivery {
            id: format!("push-{}", self.deliveries),
            source: "registry".to_owned(),
            received_at: self.now(),
            hints: vec![Hint::Image {
                repository: image.to_owned(),
                registry: None,
                tags: vec![tag.to_owned()],
            }],
        };
        let image: Repository = repository(image).parse().unwrap();
        let store = self.running()?.world.store.clone();
        let keys = store.watchers(&image.canonical()).await.map_err(text)?;
        store.put(&delivery, &keys).await.map_err(text)?;
        // A repeat is a no-op, so every delivery of every story comes twice.
        store.put(&delivery, &keys).await.map_err(text)?;
        self.settle().await
    }

    // Starting, stopping, time.

    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    fn running(&self) -> Result<&Running, String> {
        self.running.as_ref().ok_or_else(|| "the story has not started: `start`".to_owned())
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("env.git")
    }

    async fn start(&mut self) -> Checked {
        let files: Vec<(String, Vec<u8>)> = self.files.clone().into_iter().collect();
        create_bare(&self.bare(), "main", &files, "the environment\n", &self.somebody())
            .await
            .map_err(text)?;
        self.boot().await?;
        self.settle().await
    }

    /// The git host refuses every ref whose name has this word.
    fn git_refuses(&self, word: &str) -> Checked {
        use std::os::unix::fs::PermissionsExt as _;
        let hooks = self.bare().join("hooks");
        std::fs::create_dir_all(&hooks).map_err(text)?;
        let script =
            format!("#!/bin/sh\ncase \"$1\" in *{word}*) echo 'not in these days' >&2; exit 1;; esac\n");
        std::fs::write(hooks.join("update"), script).map_err(text)?;
        std::fs::set_permissions(hooks.join("update"), std::fs::Permissions::from_mode(0o755)).map_err(text)
    }

    async fn boot(&mut self) -> Checked {
        let clock = self.clock.clone();
        let now: Arc<dyn Fn() -> Timestamp + Send + Sync> =
            Arc::new(move || Timestamp::from_microsecond(clock.load(Ordering::SeqCst)).unwrap());
        let location = Location::File(self.bare());
        let mirror = Mirror::open(location, &self.folder.path().join("mirror"), Credentials::default())
            .await
            .map_err(text)?;
        let activities = self.activities.clone();
        let people = People::fixed(people());
        let url = "http://127.0.0.1:1/forge/env".to_owned();
        let forge =
            LocalForge::open(&self.folder.path().join("forge"), mirror.clone(), people, url, now.clone())
                .await
                .map_err(text)?
                .with_sources(self.sources())
                .with_listener(Arc::new(move |activity| activities.lock().unwrap().push(activity)));
        let forge = Arc::new(forge);
        let repository = EnvironmentRepository {
            name: "env".to_owned(),
            base: "main".to_owned(),
            mirror: mirror.clone(),
            forge: Arc::new(AwayForge::new(forge.clone(), self.is_forge_away.clone())),
            merge_method: MergeMethod::Merge,
            poll_interval: Duration::from_mins(1),
            url_prefix: "http://127.0.0.1:1/forge/env/pulls/".to_owned(),
        };
        let world = World {
            store: Store::open(&self.folder.path().join("store.db")).await.map_err(text)?,
            registry: self.registry.clone(),
            repositories: BTreeMap::from([("env".to_owned(), repository)]),
            now,
            witness: self.stop.clone(),
            settings: WorldSettings {
                lease: Duration::from_mins(1),
                poll_interval: Duration::from_mins(5),
                hurried_timeout: Duration::from_millis(1_500),
                command_age_max: Duration::from_mins(15),
                author: ("lockkeeper".to_owned(), "lockkeeper@localhost".to_owned()),
            },
            rules: lockkeeper::reconcile::RulesCache::default(),
        };
        world.store.end_leases(self.now()).await.map_err(text)?;
        start(&world).await.map_err(text)?;
        self.running = Some(Running { world: Arc::new(world), forge, mirror });
        Ok(())
    }

    fn sources(&self) -> BTreeMap<String, PathBuf> {
        let source = self.folder.path().join("source.git");
        BTreeMap::from([("https://git.test/shop/web".to_owned(), source)])
    }

    async fn restart(&mut self) -> Checked {
        self.close_store().await;
        self.boot().await?;
        self.settle().await
    }

    async fn close_store(&mut self) {
        if let Some(running) = self.running.take() {
            running.world.store.close().await;
        }
    }

    async fn lose_store(&mut self) -> Checked {
        self.close_store().await;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("store.db{end}")));
        }
        self.boot().await?;
        self.settle().await
    }

    async fn wait(&mut self, duration: &str) -> Checked {
        let duration = parse_duration(duration).map_err(text)?;
        self.clock.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
        self.look().await
    }

    /// Sets the clock, which the workers notice.
    async fn set_clock(&mut self, direction: &str, duration: &str) -> Checked {
        let duration = parse_duration(duration).map_err(text)?;
        let micros = i64::try_from(duration.as_micros()).unwrap();
        let micros = match direction {
            "back" => -micros,
            "forward" => micros,
            _ => return Err("clock back/forward DURATION".to_owned()),
        };
        self.clock.fetch_add(micros, Ordering::SeqCst);
        start(&self.running()?.world).await.map_err(text)?;
        self.settle().await
    }

    /// Makes the repository due, as its timer would, and settles.
    async fn look(&mut self) -> Checked {
        let now = self.now();
        self.running()?.world.store.mark(&[Key::repository("env")], now).await.map_err(text)?;
        self.settle().await
    }

    /// Works until nothing is due any more; starts anew where the world was stopped.
    pub async fn settle(&mut self) -> Checked {
        for _ in 0..200 {
            let before = self.writes();
            let world = self.running()?.world.clone();
            let activities = std::mem::take(&mut *self.activities.lock().unwrap());
            for activity in activities {
                note_activity(&world, "env", activity)
                    .await
                    .map_err(text)
                    .or_else(|error| self.if_away(error))?;
            }
            let has_worked = run_one(&world).await.map_err(text)?;
            let stop_at = self.stop.at.load(Ordering::SeqCst);
            if stop_at > before && self.writes() >= stop_at {
                self.close_store().await;
                self.boot().await?;
                continue;
            }
            if !has_worked && self.activities.lock().unwrap().is_empty() {
                return Ok(());
            }
        }
        Err("the world does not settle".to_owned())
    }

    fn if_away(&self, error: String) -> Checked {
        if self.is_forge_away.load(Ordering::SeqCst) { Ok(()) } else { Err(error) }
    }

    // People.

    async fn open_pull_request(&self, stage: &str) -> Result<PullRequest, String> {
        let found = self.open_pull_requests(stage).await?;
        found.into_iter().next().ok_or_else(|| format!("no pull request is open for {stage}"))
    }

    async fn open_pull_requests(&self, stage: &str) -> Result<Vec<PullRequest>, String> {
        let open = self.running()?.forge.open_pull_requests("main").await.map_err(text)?;
        let part = format!("/{stage}/");
        Ok(open
            .into_iter()
            .filter(|found| found.branch.starts_with("lockkeeper/") && found.branch.contains(&part))
            .collect())
    }

    async fn remember(&mut self, stage: &str) -> Checked {
        let head = self.open_pull_request(stage).await?.head;
        self.remembered.insert(stage.to_owned(), head);
        Ok(())
    }

    async fn review(&mut self, stage: &str, name: &str, verdict: Verdict, rest: &[&str]) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let forge = self.running()?.forge.clone();
        match rest {
            [] => forge
                .review(&person(name), pull_request.number, pull_request.head, verdict)
                .await
                .map(|_| ())
                .map_err(text)?,
            ["at", "remembered", "head", "is", "refused"] => {
                let head = self.remembered.get(stage).copied().ok_or("nothing remembered")?;
                match forge.review(&person(name), pull_request.number, head, verdict).await {
                    Err(ForgeError::Moved { .. }) => {}
                    other => return Err(format!("expected a refusal, found {other:?}")),
                }
            }
            _ => return Err("approve STAGE by PERSON [at remembered head is refused]".to_owned()),
        }
        self.settle().await
    }

    async fn close(&mut self, stage: &str, name: &str) -> Checked {
        let number = self.open_pull_request(stage).await?.number;
        self.running()?.forge.close_by(&person(name), number).await.map_err(text)?;
        self.settle().await
    }

    /// A person's own pull request, which gives a file these contents.
    async fn person_proposes(&mut self, path: &str, block: &str) -> Checked {
        self.deliveries += 1;
        let mirror = self.running()?.mirror.clone();
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let before = mirror.read(base, path).await.map_err(text)?;
        let edit = Edit { path: path.to_owned(), before, after: block.as_bytes().to_vec() };
        let head =
            mirror.commit(base, vec![edit], "a person's change\n", &self.somebody()).await.map_err(text)?;
        let branch = format!("person/{}", self.deliveries);
        let name = format!("refs/heads/{branch}");
        mirror.push(vec![RefUpdate { name, old: None, new: Some(head) }]).await.map_err(text)?;
        let (title, body) = ("a person's change".to_owned(), String::new());
        let new = NewPullRequest { title, body, branch, base: "main".to_owned(), labels: Vec::new() };
        let opened = self.running()?.forge.open_by(&person("li"), new).await.map_err(text)?;
        self.proposed = Some(opened.number);
        self.settle().await
    }

    async fn expect_proposed(&self, status: &str, want: &str) -> Checked {
        let number = self.proposed.ok_or("nobody has proposed anything")?;
        let found = self.running()?.forge.pull_request(number).await.map_err(text)?;
        let check = found.checks.iter().find(|check| check.name == "lockkeeper").ok_or("no check of ours")?;
        contains(&format!("{:?}", check.status).to_lowercase(), status)?;
        contains(&check.summary, want)
    }

    /// A person rewrites the comment on the line of the pin: the pin stays, the line is another.
    async fn person_edits(&mut self, stage: &str, image: &str) -> Checked {
        let path = format!("env/{stage}/{image}.yaml");
        let edited = self.read(&path).await?.replace("# the pin", "# the pin, and a word");
        self.change_file(&path, edited.into_bytes()).await
    }

    async fn person_merges(&mut self, stage: &str, name: &str) -> Checked {
        let found = self.open_pull_request(stage).await?;
        match self.running()?.forge.merge_by(&person(name), found.number, found.head).await {
            Err(ForgeError::Refused { .. }) => self.settle().await,
            other => Err(format!("expected a refusal, found {other:?}")),
        }
    }

    async fn check(&mut self, name: &str, status: &str, stage: &str) -> Checked {
        let head = self.open_pull_request(stage).await?.head;
        let status = match status {
            "passes" => CheckStatus::Passed,
            "fails" => CheckStatus::Failed,
            "runs" => CheckStatus::Pending,
            _ => return Err("passes, fails or runs".to_owned()),
        };
        let check = Check {
            name: name.to_owned(),
            app: String::new(),
            status,
            summary: "as told".to_owned(),
            text: String::new(),
        };
        self.running()?.forge.report_check(&person("ci"), head, check).await.map_err(text)?;
        self.settle().await
    }

    /// `comment PLACE by PERSON: TEXT`; PLACE is a stage, `operations`, or `merged STAGE`. `\n` begins a new line.
    async fn comment(&mut self, rest: &str) -> Checked {
        let (place, rest) = rest.split_once(" by ").ok_or("comment PLACE by PERSON: TEXT")?;
        let (name, body) = rest.split_once(": ").ok_or("comment PLACE by PERSON: TEXT")?;
        let thread = self.thread(place).await?;
        let body = body.replace("\\n", "\n");
        let id = self.running()?.forge.write_comment(&person(name), thread, &body).await.map_err(text)?;
        self.last_comment = Some(id);
        if place.ends_with("late") {
            self.clock.fetch_add(16 * 60 * 1_000_000, Ordering::SeqCst);
        }
        self.settle().await
    }

    async fn thread(&self, place: &str) -> Result<u64, String> {
        let place = place.trim_end_matches(" late");
        if place == "operations" {
            return self
                .events()
                .await?
                .iter()
                .find_map(|entry| match entry.event {
                    Event::IssueOpened { number } => Some(number),
                    _ => None,
                })
                .ok_or_else(|| "no operations issue".to_owned());
        }
        if let Some(number) = place.strip_prefix("number ") {
            return number.parse().map_err(text);
        }
        match place.strip_prefix("merged ") {
            Some(stage) => self.last_merged(stage).await,
            None => Ok(self.open_pull_request(place).await?.number),
        }
    }

    async fn last_merged(&self, stage: &str) -> Result<u64, String> {
        let events = self.events().await?;
        let merged = events.iter().rev().find_map(|entry| match &entry.event {
            Event::Merged { stage: of, number, .. } if of.as_str() == stage => *number,
            _ => None,
        });
        merged.ok_or_else(|| format!("nothing was merged into {stage}"))
    }

    async fn edit_comment(&mut self, rest: &str) -> Checked {
        let (name, body) = rest
            .strip_prefix("by ")
            .and_then(|rest| rest.split_once(": "))
            .ok_or("edit last comment by PERSON: TEXT")?;
        let id = self.last_comment.ok_or("no comment yet")?;
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
        self.running()?.forge.edit_comment(&person(name), id, body).await.map_err(text)?;
        self.settle().await
    }

    async fn deliver_comment_again(&mut self) -> Checked {
        let id = self.last_comment.ok_or("no comment yet")?;
        let thread = self.running()?.forge.comment(id).await.map_err(text)?.thread;
        self.activities.lock().unwrap().push(Activity::Comment(id, thread));
        self.settle().await
    }

    async fn person_pushes(&mut self, stage: &str) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let mirror = self.running()?.mirror.clone();
        let edit = Edit { path: "notes.txt".to_owned(), before: None, after: b"hello\n".to_vec() };
        let head = mirror
            .commit(pull_request.head, vec![edit], "sneak in\n", &self.somebody())
            .await
            .map_err(text)?;
        let name = format!("refs/heads/{}", pull_request.branch);
        mirror
            .push(vec![RefUpdate { name, old: Some(pull_request.head), new: Some(head) }])
            .await
            .map_err(text)?;
        self.activities.lock().unwrap().push(Activity::Opened(pull_request.number));
        self.settle().await
    }

    // What is expected.

    async fn expect(&mut self, words: &[&str], block: &str) -> Checked {
        match words {
            [stage, "pins", image, tag] => self.expect_pins(stage, image, tag).await,
            [stage, "open", version] => self.expect_open(stage, version).await,
            [stage, "none", "open"] => match self.open_pull_requests(stage).await?.as_slice() {
                [] => Ok(()),
                open => Err(format!("{} is open", open[0].title)),
            },
            [stage, "hold", rest @ ..] => self.expect_hold(stage, &rest.join(" ")).await,
            [stage, "no", "hold"] => self.expect_no_hold(stage).await,
            [stage, "state", word] => {
                let found = self.stage_view(stage).await?.state.label();
                if found == *word { Ok(()) } else { Err(format!("state is {found}")) }
            }
            ["reply", rest @ ..] => self.expect_reply(&rest.join(" ")).await,
            ["no", "reply"] => self.expect_no_reply().await,
            ["proposed", "check", status, rest @ ..] => self.expect_proposed(status, &rest.join(" ")).await,
            [stage, "first", "screen", "fits"] => first_screen(&self.open_pull_request(stage).await?.body),
            [stage, "body", rest @ ..] => {
                contains(&self.open_pull_request(stage).await?.body, &rest.join(" "))
            }
            [stage, "check", status, rest @ ..] => self.expect_check(stage, status, &rest.join(" ")).await,
            ["merges", stage, count] => self.expect_merges(stage, count.parse().map_err(text)?).await,
            ["merge", "of", stage, "says", rest @ ..] => {
                self.expect_merge_message(stage, &rest.join(" ")).await
            }
            ["file", path] => self.expect_file(path.trim_end_matches(':'), block).await,
            ["error", rest @ ..] => self.expect_error(&rest.join(" ")).await,
            ["closed", stage, "says", rest @ ..] => {
                self.expect_said(&format!("closed {stage}"), &rest.join(" ")).await
            }
            ["operations", "says", rest @ ..] => self.expect_said("operations", &rest.join(" ")).await,
            [stage, "says", rest @ ..] => self.expect_said(stage, &rest.join(" ")).await,
            _ => Err("not an expectation of the story language".to_owned()),
        }
    }

    async fn read(&self, path: &str) -> Result<String, String> {
        let mirror = &self.running()?.mirror;
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let bytes = mirror.read(base, path).await.map_err(text)?.ok_or_else(|| format!("no {path}"))?;
        String::from_utf8(bytes).map_err(text)
    }

    async fn expect_pins(&self, stage: &str, image: &str, tag: &str) -> Checked {
        let name = repository(image);
        let (tag, bytes) = tag.split_once('/').unwrap_or((tag, tag));
        let want = manifest(image, &format!("{name}:{tag}@{}", FakeRegistry::digest(&name, bytes)));
        let found = self.read(&format!("env/{stage}/{image}.yaml")).await?;
        if found == want { Ok(()) } else { Err(format!("found\n{found}")) }
    }

    async fn expect_file(&self, path: &str, block: &str) -> Checked {
        let found = self.read(path).await?;
        if found == block { Ok(()) } else { Err(format!("found\n{found}")) }
    }

    async fn expect_open(&self, stage: &str, version: &str) -> Checked {
        let open = self.open_pull_requests(stage).await?;
        let [found] = open.as_slice() else {
            let hold = self.stage_view(stage).await?.holds.join("; ");
            return Err(format!("{} open; holds: {hold}", open.len()));
        };
        contains(&found.title, &format!("→ {version} "))
    }

    async fn stage_view(&self, stage: &str) -> Result<lockkeeper::plan::view::StageView, String> {
        let mut seen = Vec::new();
        for (_, view) in self.running()?.world.store.views().await.map_err(text)? {
            let Ok(view) = serde_json::from_value::<View>(view) else { continue };
            for found in view.stages {
                if found.name == stage {
                    return Ok(found);
                }
                seen.push(found.name);
            }
        }
        Err(format!("no stage {stage} on the board, only {}", seen.join(", ")))
    }

    async fn expect_hold(&self, stage: &str, want: &str) -> Checked {
        contains(&self.stage_view(stage).await?.holds.join("\n"), want)
    }

    async fn expect_no_hold(&self, stage: &str) -> Checked {
        let found = self.stage_view(stage).await?.holds;
        if found.is_empty() { Ok(()) } else { Err(format!("held: {}", found.join("; "))) }
    }

    async fn expect_error(&self, want: &str) -> Checked {
        let views = self.running()?.world.store.views().await.map_err(text)?;
        let errors: Vec<String> = views
            .into_iter()
            .filter_map(|(_, view)| serde_json::from_value::<View>(view).ok()?.error)
            .collect();
        contains(&errors.join("\n"), want)
    }

    async fn events(&self) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for key in self.running()?.world.store.keys("env").await.map_err(text)? {
            let found = self.running()?.world.store.entries(&key, 0, 10_000).await.map_err(text)?;
            entries.extend(found.into_iter().map(|(_, entry)| entry));
        }
        Ok(entries)
    }

    async fn comments(&self, thread: u64) -> Result<Vec<lockkeeper::forge::Comment>, String> {
        let all = self.running()?.forge.comments_after(0, 10_000).await.map_err(text)?;
        Ok(all.into_iter().filter(|comment| comment.thread == thread).collect())
    }

    async fn reply(&self) -> Result<Option<String>, String> {
        let id = self.last_comment.ok_or("no comment yet")?;
        let thread = self.running()?.forge.comment(id).await.map_err(text)?.thread;
        let marker = format!("lockkeeper:reply:{id} ");
        let replies: Vec<String> = self
            .comments(thread)
            .await?
            .into_iter()
            .map(|comment| comment.body)
            .filter(|body| body.contains(&marker))
            .collect();
        match replies.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            _ => Err(format!("{} replies to one comment", replies.len())),
        }
    }

    async fn expect_reply(&self, want: &str) -> Checked {
        contains(&self.reply().await?.ok_or("no reply")?, want)
    }

    async fn expect_no_reply(&self) -> Checked {
        match self.reply().await? {
            None => Ok(()),
            Some(found) => Err(format!("reply: {found}")),
        }
    }

    async fn expect_said(&self, place: &str, want: &str) -> Checked {
        let thread = match place.strip_prefix("closed ") {
            Some(stage) => self.last_closed(stage).await?,
            None => self.thread(place).await?,
        };
        let said: Vec<String> =
            self.comments(thread).await?.into_iter().map(|comment| comment.body).collect();
        contains(&said.join("\n"), want)
    }

    async fn last_closed(&self, stage: &str) -> Result<u64, String> {
        let events = self.events().await?;
        let closed = events.iter().rev().find_map(|entry| match &entry.event {
            Event::Closed { stage: of, number, .. } if of.as_str() == stage => Some(*number),
            _ => None,
        });
        closed.ok_or_else(|| format!("nothing was closed for {stage}"))
    }

    async fn expect_check(&self, stage: &str, status: &str, want: &str) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let check =
            pull_request.checks.iter().find(|check| check.name == "lockkeeper").ok_or("no check of ours")?;
        contains(&format!("{:?}", check.status).to_lowercase(), status)?;
        contains(&check.summary, want)
    }

    async fn expect_merges(&self, stage: &str, want: usize) -> Checked {
        let events = self.events().await?;
        let is_it =
            |entry: &&Entry| matches!(&entry.event, Event::Merged { stage: of, .. } if of.as_str() == stage);
        let found = events.iter().filter(is_it).count();
        if found == want { Ok(()) } else { Err(format!("{found} merges")) }
    }

    async fn expect_merge_message(&self, stage: &str, want: &str) -> Checked {
        let mirror = &self.running()?.mirror;
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let commits = mirror.first_parents(base, 100).await.map_err(text)?;
        let trailer = format!("Lockkeeper-Stage: {stage}\n");
        let message =
            commits.into_iter().map(|commit| commit.message).find(|message| message.contains(&trailer));
        contains(&message.ok_or("no merge commit for the stage")?, want)
    }

    /// The world in a form in which two runs can be compared: files, pull requests, what was recorded and said. Times
    /// and ids are left out.
    pub async fn portrait(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        for path in self.files.keys() {
            lines.push(format!("{path}\n{}", self.read(path).await?));
        }
        let forge = &self.running()?.forge;
        for number in 1.. {
            let Ok(found) = forge.pull_request(number).await else {
                if number > 40 {
                    break;
                }
                continue;
            };
            let state = match found.state {
                PullRequestState::Open => "open",
                PullRequestState::Merged { .. } => "merged",
                PullRequestState::Closed { .. } => "closed",
            };
            lines.push(format!("{} {state} {}", found.title, found.branch));
        }
        lines.sort();
        for entry in self.events().await? {
            if matches!(
                entry.event,
                Event::Merged { .. } | Event::Held { .. } | Event::Vetoed { .. } | Event::Answered { .. }
            ) {
                lines.push(entry.event.name().to_owned());
            }
        }
        let said = forge.comments_after(0, 10_000).await.map_err(text)?;
        let mut markers: Vec<String> = said
            .iter()
            .filter_map(|comment| comment.body.lines().next())
            .map(|line| line.split(':').take(2).collect())
            .collect();
        markers.sort();
        lines.extend(markers);
        Ok(lines.join("\n"))
    }

    /// Where everything is kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What a person sees without unfolding: at most 25 lines and 250 words, with the four answers.
fn first_screen(body: &str) -> Checked {
    let screen = body.split("<details>").next().unwrap_or_default();
    let lines = screen.lines().filter(|line| !line.trim().is_empty()).count();
    let words = screen.split_whitespace().count();
    for answer in ["What changes:", "Why it is safe:", "If it goes wrong:", "Gates"] {
        contains(screen, answer)?;
    }
    if lines <= 25 && words <= 250 { Ok(()) } else { Err(format!("{lines} lines, {words} words:\n{screen}")) }
}

fn contains(found: &str, want: &str) -> Checked {
    if found.contains(want) { Ok(()) } else { Err(format!("wanted `{want}`, found: {found}")) }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn repository(image: &str) -> String {
    format!("{HOST}/{image}")
}

fn manifest(image: &str, reference: &str) -> String {
    format!(
        "# kept as it is\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {image}\nspec:\n  template:\n    spec:\n      containers:\n        - name: {image}\n          image: {reference}   # the pin\n          env: [{{ name: A, value: \"1\" }}]\n"
    )
}

fn entry(id: u64, name: &str, permission: Permission, teams: &[&str]) -> PersonEntry {
    PersonEntry {
        id,
        name: name.to_owned(),
        permission,
        teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        emails: [format!("{name}@example.com")].into(),
        token_sha256: None,
    }
}

fn people() -> PeopleFile {
    PeopleFile {
        people: vec![
            entry(11, "li", Permission::Write, &["acme/sre"]),
            entry(12, "kim", Permission::Write, &["acme/sre"]),
            entry(13, "maria", Permission::Write, &["acme/owners", "acme/sre"]),
            entry(14, "sam", Permission::Write, &["acme/oncall"]),
            entry(15, "rob", Permission::Read, &[]),
            entry(16, "ana", Permission::Admin, &[]),
            entry(17, "tom", Permission::Write, &[]),
        ],
        apps: vec![AppEntry { id: 90, name: "ci".to_owned(), token_sha256: None }],
    }
}

fn person(name: &str) -> Person {
    let people = people();
    let found = people.people.iter().find(|entry| entry.name == name);
    let app = people.apps.iter().find(|entry| entry.name == name);
    let id = found.map(|entry| entry.id).or(app.map(|entry| entry.id)).unwrap_or(0);
    Person { id, name: name.to_owned(), bot: app.is_some() }
}

/// The key of a pipeline of the story.
pub fn key(pipeline: &str) -> Key {
    Key::pipeline("env", pipeline.parse::<PipelineName>().unwrap())
}
