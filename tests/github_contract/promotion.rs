//! The real server on a repository at GitHub: from a push to the registry to production, and back by a comment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lockkeeper::demo::registry::{DemoRegistry, ImageSpec};
use lockkeeper::image::Digest;

use crate::github::{Fault, Membership, Role, Setting, Verdict as Said};
use crate::place::{BEGIN, Place};
use crate::process;

const SECRET: &str = "github-hook-secret";
const WAIT_MAX: Duration = Duration::from_secs(30);

pub(crate) const RULES: &str = "version: 1
pipelines:
  - name: web
    owner: team:acme/owners
    start: now
    images:
      - repository: REGISTRY/shop/web
        follow: { semver: \">=1\" }
    stages:
      - { name: dev, pins: [dev/web.yaml], merge: automatic }
      - name: prod
        pins: [prod/web.yaml]
        gates: { approvals: { min: 1, from: [\"team:acme/sre\"], independent: false } }
        rollback: { by: [\"team:acme/on-call\"] }
";

pub(crate) struct World {
    pub(crate) github: Place,
    registry: DemoRegistry,
    pub(crate) place: process::Place,
    pub(crate) server: Option<process::Server>,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl World {
    /// A server on a repository at GitHub, with 1.0.0 in both stages; nothing where no key can be made.
    async fn new() -> Option<Self> {
        Self::with(RULES, |_| ()).await
    }

    /// The same by these rules; `prepare` is done before the server looks for the first time.
    pub(crate) async fn with(rules: &str, prepare: impl FnOnce(&Self)) -> Option<Self> {
        crate::parts::part("openssl")?;
        let (private, public) = crate::tokens::key_pair();
        let people = [(1, "ada", Role::Admin), (2, "grace", Role::Write), (3, "linus", Role::Read)];
        let setting = Setting { public_key: Some(public), ..Setting::new(&people) };
        let github = Place::with(setting).await;
        github.pass(jiff::Timestamp::now().as_second() - BEGIN);
        github.fake.set_team("sre", "grace", Some(Membership::Active));
        github.fake.set_team("on-call", "ada", Some(Membership::Active));
        github.fake.require_check(Some("lockkeeper"));
        let registry = DemoRegistry::start(vec![]).await.unwrap();
        let host = registry.address().to_string();
        let folder = tempfile::tempdir().unwrap();
        let (root, path) = (folder.path().display(), |name: &str| folder.path().join(name));
        std::fs::write(path("app.pem"), private).unwrap();
        std::fs::write(path("hook"), SECRET).unwrap();
        std::fs::write(path("docker.json"), "{}").unwrap();
        let lines = format!(
            "[registry]\npoll_interval = \"10s\"\ndocker_config = \"{root}/docker.json\"\nplain_http_hosts = [\"{host}\"]\n\
             [github]\napi_url = \"{}\"\napp_id = 77\nprivate_key_file = \"{root}/app.pem\"\nwebhook_secret_files = [\"{root}/hook\"]\n\
             [[repositories]]\nname = \"env\"\nforge = \"github\"\nlocation = \"{}\"\npoll_interval = \"5s\"\n\
             [repositories.github]\nrepository = \"acme/environments\"\n",
            github.fake.enterprise_url(),
            github.path().display(),
        );
        let place = process::Place::new(folder.path(), &lines);
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let mut world = Self { github, registry, place, server: None, client, _folder: folder };
        let digest = world.release("1.0.0");
        for stage in ["dev", "prod"] {
            world.github.push("main", &format!("{stage}/web.yaml"), &world.manifest("1.0.0", digest));
        }
        world.github.push("main", "lockkeeper.yaml", &rules.replace("REGISTRY", &host));
        prepare(&world);
        world.github.fake.take_webhooks();
        world.server = Some(world.place.serve());
        Some(world)
    }

    pub(crate) fn release(&self, version: &str) -> Digest {
        let at = "2026-03-02T09:00:00Z".parse().unwrap();
        let spec = ImageSpec::new(version, &"1".repeat(40), "https://git.example.com/web", at);
        self.registry.push_image("shop/web", &version.parse().unwrap(), &spec).unwrap()
    }

    fn manifest(&self, version: &str, digest: Digest) -> String {
        let image = format!("{}/shop/web:{version}@{digest}", self.registry.address());
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: web }} # kept\nspec:\n  containers:\n    - name: web\n      image: {image}\n"
        )
    }

    /// Delivers what GitHub tells, each twice, until this is true.
    pub(crate) async fn until(&self, what: &str, is_true: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_true() {
            assert!(begun.elapsed() < WAIT_MAX, "never {what}; {}", self.story());
            self.deliver().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn deliver(&self) {
        for webhook in self.github.fake.take_webhooks() {
            for _ in 0..2 {
                let url = format!("http://{}/webhooks/github", self.place.address);
                let mut request = self.client.post(url).body(webhook.body.clone());
                for (name, value) in webhook.headers(SECRET) {
                    request = request.header(name, value);
                }
                let status = request.send().await.unwrap().status();
                assert_eq!(status, 202, "{}", webhook.event);
            }
        }
    }

    /// Kills the server where it stands, and starts another one.
    pub(crate) fn restart(&mut self) {
        drop(self.server.take());
        self.server = Some(self.place.serve());
    }

    /// How often this operation was called.
    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.github.fake.calls().get(operation).copied().unwrap_or(0)
    }

    /// Prints how often each operation was called since then; returns how often all of them.
    fn print_calls_since(&self, before: &BTreeMap<String, u64>) -> u64 {
        let mut sum = 0;
        for (operation, count) in self.github.fake.calls() {
            let more = count - before.get(&operation).copied().unwrap_or(0);
            if more > 0 {
                println!("{more:4} {operation}");
            }
            sum += more;
        }
        sum
    }

    /// What GitHub shows, for a failure.
    pub(crate) fn story(&self) -> String {
        let mut lines = Vec::new();
        for thread in self.github.fake.pull_requests().into_iter().chain(self.github.fake.issues()) {
            let state = if thread.closed.is_some() { "closed" } else { "open" };
            lines.push(format!("#{} {state}: {}", thread.number, thread.title));
            let comments = self.github.fake.comments(thread.number);
            lines.extend(
                comments.into_iter().map(|comment| format!("  {}: {}", comment.author, comment.body)),
            );
            if let Some(pull) = thread.pull {
                let checks = self.github.fake.check_runs(&pull.head);
                let checks = checks
                    .into_iter()
                    .map(|check| format!("  check {:?} {:?}", check.conclusion, check.title));
                lines.extend(checks);
            }
        }
        let log = self.server.as_ref().map(process::Server::log).unwrap_or_default();
        let log: Vec<&str> = log.lines().rev().take(20).collect();
        format!("{}\n{}\n{:?}", lines.join("\n"), log.join("\n"), self.github.fake.violations())
    }

    /// The open pull request for a stage.
    pub(crate) fn open(&self, stage: &str) -> Option<(u64, String)> {
        let found = self
            .github
            .fake
            .pull_requests()
            .into_iter()
            .find(|thread| thread.closed.is_none() && thread.title.contains(&format!("({stage})")));
        found.map(|thread| (thread.number, thread.pull.unwrap().head))
    }

    pub(crate) fn pinned(&self, stage: &str, version: &str) -> bool {
        let file = self.github.file("main", &format!("{stage}/web.yaml"));
        file.contains(&format!("/shop/web:{version}@sha256:"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_registry_to_production_and_back_by_a_comment() {
    let Some(mut world) = World::new().await else { return };
    let fake = &world.github.fake.clone();
    let digest = world.release("1.1.0");
    world.until("dev at 1.1.0", || world.pinned("dev", "1.1.0")).await;
    assert_eq!(
        world.github.file("main", "dev/web.yaml"),
        world.manifest("1.1.0", digest),
        "only the pin changes"
    );
    world.until("a pull request for prod", || world.open("prod").is_some()).await;
    let (number, head) = world.open("prod").unwrap();
    world
        .until("the gates on the pull request", || {
            let checks = fake.check_runs(&head);
            checks.last().is_some_and(|check| {
                check.conclusion.is_none()
                    && check.title.as_deref().is_some_and(|title| title.contains("approval 0 of 1"))
            })
        })
        .await;
    assert!(fake.thread(number).body.unwrap().contains("Decision needed"));
    foreign_pull_request(&world).await;
    // Who is in no team that may approve does not count; a call that fails under way changes nothing.
    fake.review("ada", number, Said::Approved);
    fake.next("PUT /repos/acme/environments/pulls", Fault::LoseAnswer);
    fake.review("grace", number, Said::Approved);
    world.until("prod at 1.1.0", || world.pinned("prod", "1.1.0")).await;
    let merged = fake.thread(number).pull.unwrap().merged.unwrap();
    let message = world.github.git.show(&merged.commit).message;
    for line in ["Lockkeeper-Stage: prod", "Lockkeeper-Lane: normal", "Lockkeeper-Approved-By: grace 2 "] {
        assert!(message.contains(line), "{message}");
    }
    world
        .until("the branch gone", || fake.head(&fake.thread(number).pull.unwrap().head_branch).is_none())
        .await;
    let said = || fake.comments(number).iter().any(|comment| comment.body.contains("1.1.0"));
    world.until("the word of it", said).await;

    // Nobody may go back who is not on call; nor does an edited comment count.
    let asked = fake.comment("linus", number, "/rollback prod");
    world
        .until("an answer to linus", || fake.reactions(asked).iter().any(|found| found.content == "-1"))
        .await;
    let (calls, begun) = (fake.calls(), Instant::now());
    let asked = fake.comment("ada", number, "/rollback prod INC-1 errors everywhere");
    world.until("prod back at 1.0.0", || world.pinned("prod", "1.0.0")).await;
    let took = begun.elapsed();
    println!("comment → merged: {took:?}, {} calls to GitHub", world.print_calls_since(&calls));
    world.until("the rocket", || fake.reactions(asked).iter().any(|found| found.content == "rocket")).await;
    let replies = || {
        fake.comments(number).into_iter().filter(|comment| comment.body.contains(&format!("reply:{asked} ")))
    };
    assert_eq!(replies().count(), 1, "{}", world.story());
    // It stays rolled back.
    world.release("1.1.1");
    world.until("dev at 1.1.1", || world.pinned("dev", "1.1.1")).await;
    assert!(world.pinned("prod", "1.0.0") && world.open("prod").is_none());
    missed_while_down(&mut world, number).await;
    world.github.no_violations();
    let doubles = fake.pull_requests().into_iter().map(|thread| thread.title).collect::<Vec<_>>();
    let once: std::collections::BTreeSet<&String> = doubles.iter().collect();
    assert_eq!(once.len(), doubles.len(), "{doubles:?}");
}

/// A person's own pull request is checked as well, and passes where it touches no pin.
async fn foreign_pull_request(world: &World) {
    let fake = &world.github.fake;
    world.github.push("notes", "notes.md", "hello");
    let foreign = fake.open_by("grace", "notes", "main", "notes");
    let foreign_head = fake.head("notes").unwrap();
    world
        .until("a check on a person's pull request", || {
            fake.check_runs(&foreign_head).iter().any(|check| check.conclusion.as_deref() == Some("success"))
        })
        .await;
    assert_eq!(fake.comments(foreign).len(), 0);
}

/// What was written while the server was down is fetched from GitHub's list at the start, and done once.
async fn missed_while_down(world: &mut World, number: u64) {
    let fake = world.github.fake.clone();
    world.deliver().await;
    assert_eq!(world.server.take().unwrap().stop(), 0);
    let asked = fake.comment("ada", number, "/status");
    let lost = fake.take_webhooks();
    world.server = Some(world.place.serve());
    world
        .until("the answer to it", || fake.reactions(asked).iter().any(|found| found.content == "rocket"))
        .await;
    world.until("the list read", || world.server.as_ref().unwrap().log().contains(&lost[0].guid)).await;
    let marker = format!("reply:{asked} ");
    assert_eq!(fake.comments(number).iter().filter(|comment| comment.body.contains(&marker)).count(), 1);
}

impl Place {
    fn path(&self) -> PathBuf {
        self.folder().join("environments.git")
    }

    fn file(&self, branch: &str, path: &str) -> String {
        let mut git = std::process::Command::new("git");
        git.arg("--git-dir").arg(self.path()).args(["show", &format!("{branch}:{path}")]);
        String::from_utf8(git.output().unwrap().stdout).unwrap()
    }
}
