//! Everything of the test, started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use jiff::Timestamp;
use lockkeeper::forge::local::token_hash;
use lockkeeper::repository::{Signature, create_bare};
use serde_json::Value;

use super::docker_registry::{DockerRegistry, HTPASSWD, Options, PASSWORD, USER};
use super::files::{self, Pinned, STAGES};
use super::git_http::GitHost;
use super::oci_layout::Layout;
use super::parts::part;
use super::process::{Place, Server, free_address};
use super::receiver::Receiver;
use super::visitor::Visitor;

pub(crate) const HOOK_SECRET: &str = "hook-5e1f0c";
/// The last part of an address.
pub(crate) const ADDRESS_SECRET: &str = "hub-7b20c94e61d84f0f9a3d5e8c1b6a7f2e";
/// What messages are signed with, and the last part of the address they go to.
pub(crate) const TOLD_SECRET: &str = "told-c41f7e";
pub(crate) const TOLD_ADDRESS_SECRET: &str = "T0LD-8c2b5a";
pub(crate) const GIT_TOKEN: &str = "bot-9d3a71";
/// Longest wait for anything: the stages take about a second each.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The parts, and the digests of each version.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) place: Place,
    pub(crate) server: Option<Server>,
    registry: DockerRegistry,
    receiver: Receiver,
    _host: GitHost,
    layout: Layout,
    digests: BTreeMap<String, (String, String)>,
    pub(crate) visitors: BTreeMap<String, Visitor>,
    /// What servers logged that ended, and what they kept in the dark of the people who were signed in.
    pub(crate) past: Vec<String>,
    pub(crate) sessions: Vec<String>,
}

impl World {
    /// Starts everything, with 1.0.0 in all stages; nothing where a part is missing.
    pub(crate) async fn start() -> Option<Self> {
        part("git")?;
        part("skopeo")?;
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let hook = format!("http://{address}/webhooks/registry");
        let notify = Some((hook, format!("Bearer {HOOK_SECRET}")));
        let options = Options { notify, htpasswd: Some(HTPASSWD.to_owned()) };
        let registry = DockerRegistry::start(&options)?;
        let host = GitHost::start(folder.path().to_owned(), &[(GIT_TOKEN, "lockkeeper")]).await;
        let receiver = Receiver::start().await;
        let settings = settings(&folder, &host, &registry, &receiver);
        let place = Place::at(address, folder.path(), &settings);
        let layout = Layout::new(folder.path().join("images"));
        let mut world = Self {
            folder,
            place,
            server: None,
            registry,
            receiver,
            _host: host,
            layout,
            digests: BTreeMap::new(),
            visitors: BTreeMap::new(),
            past: Vec::new(),
            sessions: Vec::new(),
        };
        world.push("1.0.0");
        world.create_repository().await;
        world.server = Some(world.place.serve());
        Some(world)
    }

    async fn create_repository(&self) {
        let host = self.registry.address().to_string();
        let mut contents = vec![("lockkeeper.yaml".to_owned(), files::rules(&host).into_bytes())];
        for stage in STAGES {
            contents.push((files::path(stage), self.text(stage, "1.0.0").into_bytes()));
        }
        let author = Signature {
            name: "somebody".to_owned(),
            email: "somebody@example.com".to_owned(),
            at: "2026-03-02T09:00:00Z".parse().unwrap(),
        };
        create_bare(&self.bare(), "main", &contents, "the environment\n", &author).await.unwrap();
        let hook = self.bare().join("hooks/pre-receive");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        let refusal = self.refusal();
        let refusal = refusal.display();
        fs::write(
            &hook,
            format!("#!/bin/sh\ncat >/dev/null\nif [ -e {refusal} ]; then cat {refusal} >&2; exit 1; fi\n"),
        )
        .unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("env.git")
    }

    fn refusal(&self) -> PathBuf {
        self.folder.path().join("refusal")
    }

    /// What the file of a stage holds when it pins this version.
    fn text(&self, stage: &str, version: &str) -> String {
        let host = self.registry.address().to_string();
        let (web, worker) = &self.digests[version];
        files::text(stage, &Pinned { host: &host, version, web, worker })
    }

    /// Pushes both images of a version: an index of two platforms, then a single image.
    pub(crate) fn push(&mut self, version: &str) {
        let web = self.layout.index(&format!("web-{version}"), &["amd64", "arm64"]);
        let worker = self.layout.single(&format!("worker-{version}"));
        for image in ["web", "worker"] {
            let from = self.layout.reference(&format!("{image}-{version}"));
            let to = format!("docker://{}/shop/{image}:{version}", self.registry.address());
            let creds = format!("--dest-creds={USER}:{PASSWORD}");
            let words =
                ["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &creds, &from, &to];
            self.skopeo(&words);
        }
        self.digests.insert(version.to_owned(), (web, worker));
    }

    fn skopeo(&self, words: &[&str]) -> Vec<u8> {
        let policy = self.folder.path().join("policy.json");
        fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
        let mut command = Command::new("skopeo");
        command.arg("--policy").arg(&policy).args(words).env("HOME", self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "skopeo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git").arg("--git-dir").arg(self.bare()).args(words).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// From now on the git host refuses every push with these words.
    pub(crate) fn refuse(&self, words: &str) {
        fs::write(self.refusal(), format!("{words}\n")).unwrap();
    }

    /// From now on it takes pushes again.
    pub(crate) fn accept(&self) {
        fs::remove_file(self.refusal()).unwrap();
    }

    // What people do.

    pub(crate) async fn approve(&mut self, person: &str, number: u64) {
        self.visitor(person).await.approve(number).await;
    }

    pub(crate) async fn comment(&mut self, person: &str, thread: &str, text: &str) {
        self.visitor(person).await.comment(thread, text).await;
    }

    async fn visitor(&mut self, person: &str) -> &mut Visitor {
        if !self.visitors.contains_key(person) {
            let base = format!("http://{}/forge/env", self.place.address);
            let visitor = Visitor::sign_in(&base, &format!("token-of-{person}")).await;
            self.visitors.insert(person.to_owned(), visitor);
        }
        self.visitors.get_mut(person).unwrap()
    }

    // What there is to see.

    /// The board's own answer for machines and people.
    pub(crate) async fn board(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/p/env/shop", self.place.address);
        client.get(url).send().await.unwrap().text().await.unwrap()
    }

    fn view(&self) -> Value {
        let ended = self.place.run(&["status", "shop", "-o", "json"]);
        let status: Value = serde_json::from_str(&ended.out).unwrap_or_default();
        status.pointer("/pipelines/0").cloned().unwrap_or_default()
    }

    /// A stage as `lockkeeper status` has it.
    pub(crate) fn stage(&self, name: &str) -> Value {
        let view = self.view();
        let stages = view["stages"].as_array().cloned().unwrap_or_default();
        stages.into_iter().find(|stage| stage["name"] == name).unwrap_or_default()
    }

    /// The operations issue, as pages name it.
    pub(crate) fn issue(&self) -> String {
        let view = self.view();
        let number = view["issue_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        format!("issues/{number}")
    }

    /// Waits until this holds.
    pub(crate) async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + WAIT_MAX;
        while !holds(self) {
            let log = || self.server.as_ref().map(Server::log).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "not within {WAIT_MAX:?}: {what}\n{:#}\n{}",
                self.view(),
                log()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) async fn wait_for(&self, stage: &str, version: &str, state: &str) {
        let what = format!("{stage} has {version} and is {state}");
        self.wait_until(&what, |world| {
            let found = world.stage(stage);
            found["version"] == version && found["state"] == state
        })
        .await;
    }

    /// Waits for the open pull request of a stage for this version, which wants a person.
    pub(crate) async fn wait_for_approval(&self, stage: &str, version: &str) -> u64 {
        let is_open = |found: &Value| {
            let title = found["pull_request"]["title"].as_str().unwrap_or_default().to_owned();
            found["state"] == "person" && title.contains(&format!("→ {version} "))
        };
        self.wait_until(&format!("{stage} waits for approval of {version}"), |world| {
            is_open(&world.stage(stage))
        })
        .await;
        self.stage(stage)["pull_request"]["number"].as_u64().unwrap()
    }

    /// The pull request that brought what a stage has now.
    pub(crate) fn last_pull_request(&self, stage: &str) -> u64 {
        let ended = self.place.run(&["history", "shop", stage, "-o", "json"]);
        let history: Value = serde_json::from_str(&ended.out).unwrap();
        let events = history["events"].as_array().unwrap();
        let merged = events.iter().find(|event| event["entry"]["event"] == "merged").unwrap();
        merged["entry"]["number"].as_u64().unwrap()
    }

    /// How many promotions and rollbacks stand on main.
    pub(crate) fn merges(&self) -> usize {
        self.git(&["rev-list", "--count", "--first-parent", "main"]).trim().parse().unwrap()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "main"])
    }

    /// From the notification that completed the first release to the pull request for it, by the server's log.
    pub(crate) fn proposal_time(&self) -> Duration {
        let log = self.server.as_ref().unwrap().log();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let opened = lines.iter().position(|line| line["message"] == "opened").unwrap();
        let accepted = lines[..opened].iter().rfind(|line| line["message"] == "delivery accepted").unwrap();
        let at = |line: &Value| line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
        Duration::try_from(at(&lines[opened]).duration_since(at(accepted))).unwrap()
    }

    // What must hold.

    /// Every byte of these stages' files but the pins is as it was written, and the pins are of this version.
    pub(crate) fn check_pins(&self, version: &str, stages: &[&str]) {
        for stage in stages {
            let path = files::path(stage);
            let found = self.git(&["show", &format!("main:{path}")]);
            let (first, pinned) = (self.text(stage, "1.0.0"), self.text(stage, version));
            let want: Vec<&str> = first
                .split_inclusive('\n')
                .zip(pinned.split_inclusive('\n'))
                .map(|(before, after)| if files::is_pin(before) { after } else { before })
                .collect();
            assert_eq!(found, want.concat(), "{path}");
        }
    }

    /// git log and skopeo agree on what is in production and how it got there.
    pub(crate) fn check_record(&self) {
        self.git(&["fsck", "--strict"]);
        let log = self.git(&["log", "--first-parent", "--format=%B%x00", "main"]);
        let messages: Vec<&str> = log.split('\0').map(str::trim).filter(|text| !text.is_empty()).collect();
        // The first commit, two releases into four stages, two rollbacks.
        assert_eq!(messages.len(), 1 + 2 * 4 + 2);
        for (message, stage) in messages.iter().zip(["prod-us", "prod-eu"]) {
            let other = if stage == "prod-us" { "prod-eu" } else { "prod-us" };
            let has = |line: &str| message.lines().any(|found| found == line);
            assert!(
                has("Lockkeeper-Lane: rollback") && has("Lockkeeper-Reason: INC-7 p99 is too high"),
                "{message}"
            );
            assert!(has(&format!("Lockkeeper-Stage: {stage}")) || has(&format!("Lockkeeper-Stage: {other}")));
            assert!(message.contains("Lockkeeper-Requested-By: sam 12 comment "), "{message}");
        }
        let approved =
            messages.iter().filter(|message| message.contains("Lockkeeper-Approved-By: kim 11 review-"));
        assert_eq!(approved.count(), 4);
        for (image, digest) in [("web", &self.digests["1.1.0"].0), ("worker", &self.digests["1.1.0"].1)] {
            let reference = format!("docker://{}/shop/{image}:1.1.0", self.registry.address());
            let creds = format!("--creds={USER}:{PASSWORD}");
            let raw = self.skopeo(&["inspect", "--raw", "--tls-verify=false", &creds, &reference]);
            assert_eq!(lockkeeper::image::Digest::of(&raw).to_string(), *digest);
            assert!(self.git(&["show", "main:apps/prod-eu/all.yaml"]).contains(digest.as_str()));
            assert!(messages[0].contains(&format!("/shop/{image} 1.1.0@{digest} was 1.2.0@")));
        }
    }

    /// So many were told of each type, in the order of the history.
    pub(crate) async fn check_told(&self, want: &[(&str, usize)]) {
        let told = self.receiver.wait_for(want.iter().map(|(_, count)| count).sum()).await;
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for told in &told {
            assert!(told.head.contains(TOLD_ADDRESS_SECRET), "{}", told.head);
            assert!(told.header(lockkeeper::notify::SIGNATURE_HEADER).is_some(), "{}", told.head);
            let kind = told.json()["type"].as_str().unwrap().replace("dev.lockkeeper.", "");
            *found.entry(kind).or_default() += 1;
        }
        let want = want.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        assert_eq!(found, want);
        let sequence = |told: &super::receiver::Told| told.id().rsplit('/').nth(1).unwrap().parse::<u64>();
        let sequences: Vec<u64> = told.iter().map(|told| sequence(told).unwrap()).collect();
        assert!(sequences.is_sorted(), "{sequences:?}");
        let waits = told.iter().map(|told| told.json()["data"]["waits_for"].clone());
        assert_eq!(waits.filter(|waits| *waits == "1 approval by `team:acme/sre`").count(), 4);
    }

    /// Nothing was told twice, whatever was stopped meanwhile.
    pub(crate) fn check_told_once(&self) {
        let ids: Vec<String> = self.receiver.told().iter().map(super::receiver::Told::id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    /// Stops the server as an init system does, and starts it again, with all of its log.
    pub(crate) fn restart(&mut self) {
        let server = self.server.take().unwrap();
        let log = server.log();
        assert_eq!(server.stop(), 0, "{log}");
        self.past.push(log);
        let visitors = std::mem::take(&mut self.visitors);
        self.sessions.extend(visitors.values().flat_map(Visitor::secrets));
        let settings = fs::read_to_string(&self.place.settings).unwrap();
        fs::write(&self.place.settings, settings.replace("filter = \"debug\"", "filter = \"trace\""))
            .unwrap();
        self.server = Some(self.place.serve());
    }
}

fn settings(
    folder: &tempfile::TempDir,
    host: &GitHost,
    registry: &DockerRegistry,
    receiver: &Receiver,
) -> String {
    let root = folder.path();
    let write = |name: &str, text: &str| {
        let file = root.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file.display().to_string()
    };
    let hook = write("hook-secret", HOOK_SECRET);
    let hub = write("hub-secret", ADDRESS_SECRET);
    let token = write("git-token", GIT_TOKEN);
    let told = write("told-secret", TOLD_SECRET);
    let told_url = write("told-url", &format!("{}/{TOLD_ADDRESS_SECRET}", receiver.url()));
    let people = write("people.json", &people());
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let auths = serde_json::json!({ "auths": { registry.address().to_string(): { "auth": pair } } });
    let docker = write("docker.json", &auths.to_string());
    format!(
        "[log]\nfilter = \"debug\"\n[registry]\npoll_interval = \"10m\"\ndocker_config = \"{docker}\"\n[[webhooks]]\nkind = \"distribution\"\npath = \"registry\"\nsecret_files = [\"{hook}\"]\nregistry = \"{}\"\n[[webhooks]]\nkind = \"dockerhub\"\npath = \"hub\"\nsecret_files = [\"{hub}\"]\n[[notify]]\nname = \"events\"\nform = \"cloudevents\"\nurl_file = \"{told_url}\"\nsecret_file = \"{told}\"\n[[repositories]]\nname = \"env\"\nlocation = \"{}\"\ntoken_file = \"{token}\"\npoll_interval = \"10m\"\n[repositories.local]\nfolder = \"{}/forge\"\npeople = \"{people}\"\n",
        registry.address(),
        host.url("env.git"),
        root.display(),
    )
}

fn people() -> String {
    let person = |id: u32, name: &str, team: &str| {
        let hash = token_hash(&format!("token-of-{name}"));
        serde_json::json!({ "id": id, "name": name, "permission": "write", "teams": [team], "token_sha256": hash })
    };
    let people =
        [person(11, "kim", "acme/sre"), person(12, "sam", "acme/oncall"), person(13, "maria", "acme/owners")];
    serde_json::json!({ "people": people }).to_string()
}
