//! The program as people run it: words, exit codes, and the commands with and without a server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/kubernetes/mod.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "shared with other tests"
)]
mod kubernetes;
#[path = "support/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use kubernetes::{FakeApi, NAMESPACE, golden};
use lockkeeper::demo::registry::{DemoRegistry, Endpoint, ImageSpec};
use lockkeeper::forge::local::token_hash;
use lockkeeper::repository::{Signature, create_bare};
use process::{Ended, Place, command, end};
use serde_json::Value;

const NOW: &str = "2026-03-02T09:00:00Z";
const WEBHOOK_SECRET: &str = "hook-secret";

/// A registry, an environment repository, people, and settings for all of them.
struct Shop {
    registry: DemoRegistry,
    place: Place,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let place = Place::new(&root, &settings(&root));
        let hook = Endpoint {
            url: format!("http://{}/webhooks/demo", place.address),
            authorization: Some(format!("Bearer {WEBHOOK_SECRET}")),
        };
        let registry = DemoRegistry::start(vec![hook]).await.unwrap();
        let shop = Self { registry, place, folder };
        let first = shop.push("1.0.0");
        let image = shop.image();
        let files = vec![
            ("lockkeeper.yaml".to_owned(), rules(&image).into_bytes()),
            ("env/dev.yaml".to_owned(), manifest(&format!("{image}:1.0.0@{first}")).into_bytes()),
            ("env/prod.yaml".to_owned(), manifest(&format!("{image}:1.0.0@{first}")).into_bytes()),
        ];
        let author = Signature {
            name: "somebody".to_owned(),
            email: "somebody@example.com".to_owned(),
            at: NOW.parse().unwrap(),
        };
        create_bare(&root.join("env.git"), "main", &files, "the environment\n", &author).await.unwrap();
        shop
    }

    fn image(&self) -> String {
        format!("{}/shop/web", self.registry.address())
    }

    /// Pushes an image, which the registry tells of.
    fn push(&self, version: &str) -> String {
        let source = "https://git.example.com/shop/web";
        let spec = ImageSpec::new(version, version, source, NOW.parse().unwrap());
        self.registry.push_image("shop/web", &version.parse().unwrap(), &spec).unwrap().to_string()
    }

    fn run(&self, words: &[&str]) -> Ended {
        self.place.run(words)
    }

    fn run_as(&self, person: &str, words: &[&str]) -> Ended {
        self.place.run_as(&format!("token-of-{person}"), words)
    }

    /// The stages as JSON, by name.
    fn stage(&self, name: &str) -> Value {
        let ended = self.run(&["status", "web", "-o", "json"]);
        let status: Value = serde_json::from_str(&ended.out).unwrap_or_default();
        let stages = status["pipelines"][0]["stages"].as_array().cloned().unwrap_or_default();
        stages.into_iter().find(|stage| stage["name"] == name).unwrap_or_default()
    }

    /// Waits until the stage has this version and is in this state.
    fn wait_for(&self, name: &str, version: &str, state: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let stage = self.stage(name);
            if stage["version"] == version && stage["state"] == state {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{name} is {stage}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn file(&self, path: &str) -> String {
        let git = self.folder.path().join("env.git");
        let output = std::process::Command::new("git")
            .args(["--git-dir", git.to_str().unwrap(), "show", &format!("main:{path}")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The branches of the repository, and how many events there are: what a dry run must not change.
    fn traces(&self) -> (Vec<u8>, usize) {
        let git = self.folder.path().join("env.git");
        let refs = std::process::Command::new("git")
            .args(["--git-dir", git.to_str().unwrap(), "for-each-ref"])
            .output()
            .unwrap();
        let history = self.run(&["history", "--all", "-n", "1000", "-o", "json"]);
        let history: Value = serde_json::from_str(&history.out).unwrap_or_default();
        (refs.stdout, history["events"].as_array().map_or(0, Vec::len))
    }
}

fn settings(root: &Path) -> String {
    let (people, secret) = (root.join("people.json"), root.join("hook-secret"));
    fs::write(&people, people_file()).unwrap();
    fs::write(&secret, WEBHOOK_SECRET).unwrap();
    let root = root.display();
    format!(
        "[[webhooks]]\nkind = \"distribution\"\npath = \"demo\"\nsecret_files = [\"{}\"]\n\
         [[repositories]]\nname = \"env\"\nlocation = \"{root}/env.git\"\npoll_interval = \"5s\"\n\
         [repositories.local]\nfolder = \"{root}/forge\"\npeople = \"{}\"\n",
        secret.display(),
        people.display()
    )
}

fn people_file() -> String {
    let person = |id: u32, name: &str, permission: &str, team: &str| {
        let hash = token_hash(&format!("token-of-{name}"));
        format!(
            "{{\"id\":{id},\"name\":\"{name}\",\"permission\":\"{permission}\",\"teams\":[\"{team}\"],\"token_sha256\":\"{hash}\"}}"
        )
    };
    format!(
        "{{\"people\":[{},{},{}],\"apps\":[{{\"id\":90,\"name\":\"ci\",\"token_sha256\":\"{}\"}}]}}",
        person(11, "maria", "write", "acme/owners"),
        person(12, "sam", "write", "acme/oncall"),
        person(13, "rob", "read", "acme/readers"),
        token_hash("token-of-ci"),
    )
}

fn rules(image: &str) -> String {
    format!(
        "version: 1\npipelines:\n  - name: web\n    owner: team:acme/owners\n    start: now\n    images:\n      - repository: {image}\n        follow: {{ semver: \">=1.0\" }}\n    stages:\n      - name: dev\n        pins: [env/dev.yaml]\n        merge: automatic\n        rollback: {{ by: [\"team:acme/oncall\"] }}\n      - name: prod\n        pins: [env/prod.yaml]\n        gates:\n          approvals: {{ min: 1, independent: false }}\n        rollback: {{ by: [\"team:acme/oncall\"] }}\n"
    )
}

fn manifest(reference: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          image: {reference}\n"
    )
}

/// Fails with everything that was printed.
#[track_caller]
fn expect(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, code, "{ended:#?}");
    for text in texts {
        let found = ended.out.contains(text) || ended.err.contains(text);
        assert!(found, "{text:?} is not in {ended:#?}");
    }
}

#[test]
fn words_that_are_off_end_with_2_and_help_ends_with_0() {
    for (words, code, text) in [
        (&["--version"][..], 0, "lockkeeper 0."),
        (&["--help"], 0, "rollback"),
        (&["help"], 0, "exit-codes"),
        (&["help", "rollback"], 0, "Examples:"),
        (&["help", "settings"], 0, "body_bytes_max"),
        (&["help", "drift"], 0, "A rollout that goes on is no drift"),
        (&["observe", "web", "prod"], 2, "--running"),
        (&["help", "nothing"], 2, "there is no help about"),
        (&["help", "exit-codes"], 0, "  6  refused as things stand"),
        (&[], 2, "Usage:"),
        (&["stat"], 2, "status"),
        (&["rollback", "web"], 2, "<STAGE>"),
        (&["status", "--output", "xml"], 2, "possible values"),
        (&["completions", "bash"], 0, "_lockkeeper"),
        (&["completions", "tcsh"], 2, "possible values"),
        (&["hold", "web", "prod", "--reason", "two\nlines"], 2, "more than one line"),
        (&["rollback", "web", "prod", "--reason", "to be sure"], 2, "to be"),
        (&["freeze"], 2, "<PIPELINE>"),
        (&["freeze", "web", "--everything"], 2, "cannot be used with"),
        (&["unfreeze", "web", "--reason", "until monday"], 2, "lifts at once"),
        (&["promote", "web", "prod", "--lane", "rollback"], 2, "possible values"),
        (&["promote", "web", "prod", "--reason", "lane=hotfix"], 2, "reads as something else"),
        (&["rollback", "web", "prod", "--to", "not a version"], 2, "`/rollback prod to not a version`"),
    ] {
        expect(&end(command(words)), code, &[text]);
    }
}

#[test]
fn settings_that_are_off_end_with_3_and_name_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path(), "[work]\nwokers = 3\n");
    for words in [&["serve"][..], &["status"], &["plan", "web"], &["history"]] {
        expect(&place.run(words), 3, &["error: ", "work.wokers", "lockkeeper.toml", "next: "]);
    }
    let missing = end(command(&["serve", "--config", "/nonexistent/lockkeeper.toml"]));
    expect(&missing, 3, &["/nonexistent/lockkeeper.toml", "LOCKKEEPER_CONFIG"]);
    expect(&end(command(&["serve"])), 3, &["[[repositories]]", "lockkeeper help settings"]);
    let doctor = place.run(&["doctor", "-o", "json"]);
    assert_eq!(doctor.code, 1);
    let found: Value = serde_json::from_str(&doctor.out).unwrap();
    assert_eq!(
        (&found["findings"][0]["verdict"], &found["apiVersion"]),
        (&"bad".into(), &"lockkeeper/v1".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_a_token_of_a_person() {
    let shop = Shop::new().await;
    let words = ["hold", "web", "prod"];
    expect(&shop.run(&words), 4, &["nobody is named", "--token-file", "LOCKKEEPER_TOKEN"]);
    expect(&shop.run_as("nobody", &words), 4, &["does not know this token"]);
    expect(&shop.run_as("ci", &words), 4, &["an app cannot give commands"]);
    let file = shop.folder.path().join("my-token");
    let with_file = ["hold", "web", "prod", "--token-file", file.to_str().unwrap()];
    expect(&shop.run(&with_file), 4, &["my-token cannot be read"]);
    fs::write(&file, "token-of-sam\n").unwrap();
    let ended = shop.run(&with_file);
    expect(&ended, 0, &["prod"]);
    assert!(!format!("{ended:?}").contains("token-of-sam"));
}

#[tokio::test(flavor = "multi_thread")]
async fn freezes_and_hotfixes_are_ordered_like_the_rest() {
    let shop = Shop::new().await;
    expect(&shop.run_as("sam", &["freeze", "web"]), 4, &["needs one of: owner (`team:acme/owners`)"]);
    let rehearsed = shop.run_as("maria", &["freeze", "--everything", "--dry-run", "--reason", "quarter end"]);
    expect(&rehearsed, 0, &["env/web: /freeze all quarter end"]);
    let frozen =
        shop.run_as("maria", &["freeze", "--everything", "--until", "2h", "--reason", "quarter end"]);
    expect(&frozen, 0, &["env/web: `dev` is frozen until", "`prod` is frozen until", "that are added later"]);
    expect(&shop.run(&["status"]), 0, &["⏸ frozen", "frozen by maria"]);
    expect(&shop.run(&["history", "web", "prod"]), 0, &["frozen until ", "maria (cli ", "quarter end"]);
    expect(
        &shop.run_as("maria", &["unfreeze", "web", "prod"]),
        0,
        &["`prod` is no longer frozen by command"],
    );
    expect(&shop.run_as("maria", &["unfreeze", "web", "nowhere"]), 5, &["there are dev, prod"]);
    expect(
        &shop.run_as("maria", &["unfreeze", "--everything"]),
        0,
        &["`dev` is no longer frozen by command"],
    );
    expect(&shop.run_as("maria", &["unfreeze", "--everything"]), 6, &["not frozen by command"]);
    // A repository that is not there keeps no other from it.
    let root = shop.folder.path().display();
    let gone = format!(
        "[[repositories]]\nname = \"gone\"\nlocation = \"http://127.0.0.1:9/gone.git\"\n\
         [repositories.local]\nfolder = \"{root}/forge-of-gone\"\npeople = \"{root}/people.json\"\n"
    );
    let settings = fs::read_to_string(&shop.place.settings).unwrap();
    fs::write(&shop.place.settings, format!("{settings}{gone}")).unwrap();
    let frozen = shop.run_as("maria", &["freeze", "--everything", "--reason", "INC-2041"]);
    assert_ne!(frozen.code, 0, "{frozen:#?}");
    expect(&frozen, frozen.code, &["gone: NOT done for every pipeline", "env/web: `dev` is frozen"]);
    fs::write(&shop.place.settings, settings).unwrap();
    expect(
        &shop.run_as("maria", &["unfreeze", "--everything"]),
        0,
        &["`dev` is no longer frozen by command"],
    );
    shop.push("1.1.0");
    let hotfix = ["promote", "web", "prod", "--to", "1.1.0", "--lane", "hotfix", "--reason", "INC-1"];
    expect(&shop.run_as("sam", &hotfix), 4, &["`hotfix: { by: [...] }`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_carried_out_without_a_server() {
    let shop = Shop::new().await;
    expect(&shop.run(&["status"]), 5, &["there is no store", "next: lockkeeper serve"]);
    expect(&shop.run(&["plan", "wep"]), 5, &["perhaps web is meant"]);
    shop.push("1.1.0");
    // dev could be promoted; prod has nothing to wait for yet.
    let plan = shop.run(&["plan", "web"]);
    expect(
        &plan,
        0,
        &["→ open a pull request: promote(dev): web 1.0.0 → 1.1.0", "+          image: ", "    | "],
    );
    expect(&shop.run(&["plan", "web", "nowhere"]), 5, &["there are dev, prod"]);
    let before = shop.traces();
    let rehearsed = shop.run_as("sam", &["hold", "web", "prod", "--dry-run", "--reason", "quarter end"]);
    expect(&rehearsed, 0, &["record: prod: held, by sam", "quarter end", "reply, done:"]);
    assert_eq!(shop.traces(), before);

    let held = shop.run_as("sam", &["hold", "web", "prod", "--until", "2h", "--reason", "quarter end"]);
    expect(&held, 0, &["prod: 1.0.0", "held"]);
    // Carrying the command out brought everything else up to date as well.
    assert_eq!(shop.stage("dev")["version"], "1.1.0");
    assert!(shop.file("env/dev.yaml").contains("/shop/web:1.1.0@sha256:"));
    expect(&shop.run(&["plan", "web"]), 1, &["▲ prod: hold: ", "can act: "]);
    expect(&shop.run(&["plan", "web", "dev"]), 0, &["nothing to do"]);
    expect(&shop.run(&["status"]), 0, &["env/web", "⏸ held", "● live", "waits: env/web/prod: "]);
    expect(&shop.run(&["history", "web", "prod"]), 0, &["held until ", "sam (cli ", "quarter end"]);
    expect(&shop.run(&["history", "web", "nowhere"]), 5, &["nothing is recorded"]);
    keeps(&shop);
    expect(&shop.run(&["status", "other/web"]), 5, &["there is no pipeline"]);
    expect(&shop.run(&["status", "env/web", "--color", "always"]), 0, &["\u{1b}[33m⏸ held"]);

    expect(
        &shop.run_as("rob", &["resume", "web", "prod"]),
        4,
        &["the command is denied", "write permission"],
    );
    expect(&shop.run_as("sam", &["resume", "web", "prod"]), 0, &["prod: 1.0.0"]);
    // The candidate has been live upstream by now: its pull request waits for an approval.
    expect(&shop.run(&["status", "web"]), 0, &["▲ approve", "/forge/env/pulls/"]);
    expect(&shop.run_as("sam", &["rollback", "web", "prod"]), 6, &["the command is refused"]);
    expect(&shop.run_as("sam", &["rollback", "web", "nowhere"]), 5, &["there are dev, prod"]);
}

/// A call of git in this folder, as nobody in particular.
fn git(folder: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"];
    let mut command = std::process::Command::new("git");
    let done = command.arg("-C").arg(folder).args(identity).args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_gets_its_tags_from_its_version_file_and_git() {
    let registry = DemoRegistry::start(Vec::new()).await.unwrap();
    let image = format!("{}/shop/web", registry.address());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let tags = |words: &[&str]| {
        let mut command = command(&[&["tags", path.to_str().unwrap()][..], words].concat());
        command.env("HOME", path);
        end(command)
    };
    expect(&tags(&[]), 5, &["nothing tells what is built here", "--release"]);
    expect(&tags(&["--release", "1.4"]), 3, &["a version is like 1.4.2"]);
    fs::write(path.join("version.json"), r#"{"version": "1.4.2"}"#).unwrap();
    expect(&tags(&[]), 0, &["1.4.2\n1.4\n1\n"]);

    git(path, &["init", "--quiet", "--initial-branch=main"]);
    expect(&tags(&[]), 5, &["a commit that HEAD names"]);
    git(path, &["add", "version.json"]);
    git(path, &["commit", "--quiet", "--message=1.4.2"]);
    git(path, &["tag", "--annotate", "--message=1.4.2", "v1.4.2"]);
    expect(&tags(&["--build", "7"]), 0, &["1.4.2\ngit-", "\nbuild-7\n1.4.2-build7-", "\n1.4\n1\n"]);
    expect(&tags(&["--image", &image, "--unused"]), 0, &[&format!("{image}:1.4.2\n")]);
    let spec = ImageSpec::new("1.4.2", "r", "https://git.example.com/shop/web", NOW.parse().unwrap());
    registry.push_image("shop/web", &"1.4.2".parse().unwrap(), &spec).unwrap();
    expect(
        &tags(&["--image", &image, "--unused"]),
        6,
        &["1.4.2 is in the registry already", "raise the version"],
    );

    git(path, &["commit", "--quiet", "--allow-empty", "--message=more"]);
    expect(&tags(&[]), 6, &["1.4.2 is the version of another commit", "--no-version"]);
    expect(&tags(&["--no-version"]), 0, &["git-"]);
    fs::write(path.join("version.json"), r#"{"version": "1.4.3"}"#).unwrap();
    expect(&tags(&[]), 6, &["version.json differs from the commit"]);
    expect(&tags(&["--allow-dirty"]), 0, &["-dirty\n"]);
}

/// Both stages are live, and `dev` has an earlier release to go back to.
fn keeps(shop: &Shop) {
    expect(&shop.run(&["keep-list"]), 0, &["1.0.0", "1.1.0", "env/web/dev live", "env/web/dev earlier"]);
    expect(&shop.run(&["keep-list", "-o", "regex"]), 0, &[r"/shop/web: ^(1\.0\.0|1\.1\.0|lockkeeper-"]);
    expect(&shop.run(&["keep-list", "-o", "acr-purge"]), 0, &["not at Azure, and left out"]);
    let script = |name: &str, text: &str| {
        let path = shop.place.folder.join(name);
        fs::write(&path, text).unwrap();
        shop.run(&["doctor", "--script", path.to_str().unwrap()])
    };
    let purged = script("purge.sh", "#!/bin/sh\nacr purge --filter '.*:.*' --untagged --ago 7d\n");
    expect(
        &purged,
        1,
        &["purge.sh:2", "takes what has to stay", "/shop/web:1.0.0 (env/web/", "manifests without a tag"],
    );
    let kept = script("kept.sh", "acr purge --filter 'shop/web:^(?!(1\\.0\\.0|1\\.1\\.0)$).*' --ago 7d\n");
    assert!(kept.out.contains("takes no tag of what has to stay"), "{}", kept.out);
    let unclear = script(
        "unclear.sh",
        "TAG=1.0.0\nskopeo delete docker://$REG/shop/web:$TAG\nacr purge --filter \"$R:.*\"\n",
    );
    for line in ["▲ clean-up", "unclear.sh:2", "unclear.sh:3", "cannot be judged here"] {
        assert!(unclear.out.contains(line), "{line}: {}", unclear.out);
    }
    assert!(
        !unclear.out.contains("takes no tag") && !unclear.out.contains("has no command"),
        "{}",
        unclear.out
    );
    let whole = shop.run(&["keep-list", "--earlier", "0", "-o", "json"]);
    let whole: Value = serde_json::from_str(&whole.out).unwrap();
    let images = whole["images"].as_array().unwrap();
    assert!(images.iter().all(|image| image["digest"].as_str().unwrap().starts_with("sha256:")), "{whole}");
    let tags = images.iter().flat_map(|image| image["tags"].as_array().unwrap());
    let kept: BTreeSet<&str> = tags.map(|tag| tag.as_str().unwrap()).collect();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), ["1.0.0", "1.1.0"], "live in prod and in dev");
    assert_eq!(whole["complete"], true, "{whole}");
    assert!(images.iter().all(|image| !image["platforms"].as_array().unwrap().is_empty()), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_taken_up_by_the_server_that_runs() {
    let shop = Shop::new().await;
    let server = shop.place.serve();
    shop.wait_for("prod", "1.0.0", "live");
    expect(&shop.run(&["serve"]), 3, &["cannot listen on"]);
    let mut second = shop.place.command(&["serve"]);
    second.env("LOCKKEEPER__SERVER__LISTEN", "127.0.0.1:0");
    expect(&end(second), 6, &["another server works on store"]);

    shop.push("1.1.0");
    let promoted = shop.wait_for("dev", "1.1.0", "live");
    shop.wait_for("prod", "1.0.0", "person");
    let rehearsed = shop.run_as("sam", &["rollback", "web", "dev", "--dry-run"]);
    expect(&rehearsed, 0, &["→ open a pull request: rollback(dev): web 1.1.0 → 1.0.0", "reply, done:"]);
    assert_eq!(shop.stage("dev")["version"], "1.1.0");
    let begun = Instant::now();
    let back = shop.run_as("sam", &["rollback", "web", "dev", "--reason", "INC-1 it burns"]);
    let rolled_back = begun.elapsed();
    expect(&back, 0, &["dev: 1.0.0", "held"]);
    assert!(shop.file("env/dev.yaml").contains("/shop/web:1.0.0@sha256:"));
    println!("MEASURED push to merged in dev: {promoted:?}; rollback by command line: {rolled_back:?}");
    expect(&shop.run_as("maria", &["promote", "web", "dev"]), 6, &["refused"]);
    expect(&shop.run_as("sam", &["promote", "web", "dev"]), 4, &["team:acme/owners"]);
    expect(&shop.run(&["history", "web", "dev"]), 0, &["rolled back: 1.1.0", "INC-1 it burns"]);
    expect(&shop.run(&["doctor"]), 0, &["one works on this store", "✓ pins of env/web/dev: 1.0.0"]);

    let log = server.log();
    assert_eq!(server.stop(), 0, "{log}");
    assert!(log.contains("\"listening\"") && !log.contains("token-of-"), "{log}");
}

/// What the server answers to a report over HTTP, as `status text`.
async fn report(shop: &Shop, observer: &str, token: &str, body: String) -> String {
    let address = format!("http://{}/observations/{observer}", shop.place.address);
    let sent = reqwest::Client::new().post(address).bearer_auth(token).body(body).send().await.unwrap();
    let status = sent.status().as_u16();
    format!("{status} {}", sent.text().await.unwrap().trim())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_reported_and_drift_is_found() {
    let shop = Shop::new().await;
    let (root, settings) = (shop.folder.path(), &shop.place.settings);
    let token = root.join("observer-token");
    fs::write(&token, "report-secret\n").unwrap();
    let observer = format!(
        "[[observers]]\nname = \"argo\"\ntoken_files = [\"{}\"]\nstages = [\"env/web/dev\", \"env/*/prod\"]\n",
        token.display()
    );
    let server = format!("[server]\nurl = \"http://{}\"\n", shop.place.address);
    let good = fs::read_to_string(settings).unwrap();
    fs::write(settings, format!("{}{observer}", good.replacen("[server]\n", &server, 1))).unwrap();
    let observed = "      - name: dev\n        live: observed\n        counts_for: 1h\n";
    let clone = root.join("clone");
    git(root, &["clone", "--quiet", "env.git", "clone"]);
    let rules = rules(&shop.image()).replace("      - name: dev\n", observed);
    fs::write(clone.join("lockkeeper.yaml"), rules).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message=observed"]);
    git(&clone, &["push", "--quiet"]);
    let pinned = shop.push("1.0.0");
    let other = format!("sha256:{}", "0123456789abcdef".repeat(4));
    expect(&shop.run(&["drift"]), 5, &["there is no store"]);

    let server = shop.place.serve();
    shop.wait_for("dev", "1.0.0", "waiting");
    let unknown = shop.run(&["drift"]);
    expect(&unknown, 0, &["not known: env/web/dev: nothing is reported yet", "nothing that is known drifts"]);

    let of = |stage: &str, more: &str| format!("{{\"pipeline\":\"web\",\"stage\":\"{stage}\",{more}}}");
    let runs = format!("\"digest\":\"{pinned}\",\"running\":\"2/2\",\"id\":\"run-1\"");
    for (name, token, body, answer) in [
        ("argo", "wrong", of("dev", &runs), "401 the token is missing or wrong"),
        ("nobody", "report-secret", of("dev", &runs), "404 no observer of this name"),
        ("argo", "report-secret", "nonsense".to_owned(), "400 no JSON of the expected form"),
        ("argo", "report-secret", of("dev", "\"running\":\"many\""), "400 `running` is `many`"),
        (
            "argo",
            "report-secret",
            of("dev", "\"digest\":\"latest\",\"running\":\"1/1\""),
            "400 `digest` is `latest`",
        ),
        ("argo", "report-secret", of("other", &runs), "403 observer argo may not report env/web/other"),
        ("argo", "report-secret", of("prod", &runs), "409 stage prod of env/web takes no reports"),
        (
            "argo",
            "report-secret",
            of("dev", &format!("\"repository\":\"shop\",{runs}")),
            "404 no repository \"shop\"",
        ),
        ("argo", "report-secret", of("dev", &runs), "202"),
        ("argo", "report-secret", of("dev", &runs), "202"),
    ] {
        let answered = report(&shop, name, token, body.clone()).await;
        assert!(answered.starts_with(answer), "{body}: {answered}, not {answer}");
    }
    shop.wait_for("dev", "1.0.0", "live");

    let report =
        |words: &[&str]| shop.place.run_as("report-secret", &[&["observe", "web"][..], words].concat());
    expect(
        &shop.run(&["observe", "web", "dev", "--running", "0/2"]),
        4,
        &["no token of an observer", "[[observers]]"],
    );
    expect(
        &shop.run_as("wrong", &["observe", "web", "dev", "--running", "0/2"]),
        4,
        &["the token is missing or wrong"],
    );
    expect(&report(&["prod", &pinned, "--running", "2/2"]), 6, &["`live: merged` there"]);
    expect(&report(&["dev", &pinned, "--running", "two"]), 2, &["`running` is `two`"]);
    expect(&report(&["dev", "latest", "--running", "2/2"]), 2, &["latest"]);
    expect(&report(&["dev", &other, "--running", "2/2", "--url", "https://argo.example.com/web"]), 0, &[]);
    shop.wait_for("dev", "1.0.0", "drift");
    let drifts = shop.run(&["drift"]);
    expect(&drifts, 1, &["env/web", "dev", "0123456789ab runs, and 1.0.0 is pinned"]);
    let json = shop.run(&["drift", "web", "-o", "json"]);
    let found: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, &found["drift"][0]["stage"], &found["unknown"]),
        (1, &"dev".into(), &serde_json::json!([]))
    );
    expect(&shop.run(&["status"]), 0, &["≠ other runs", "drift: env/web/dev: 0123456789ab runs"]);

    let told =
        report(&["dev", &pinned, "--running", "2/2", "--server", &format!("http://{}", shop.place.address)]);
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (0, "", ""));
    shop.wait_for("dev", "1.0.0", "live");
    assert_eq!(shop.stage("dev")["word"], "live 2/2");
    expect(&shop.run(&["drift"]), 0, &["nothing that is known drifts"]);
    expect(&report(&["dev", &pinned, "--running", "1/2", "--degraded", "crash loop"]), 0, &[]);
    shop.wait_for("dev", "1.0.0", "failed");
    expect(&shop.run(&["status"]), 0, &["✖ degraded 1/2", "crash loop"]);
    // It is what is pinned that fails.
    expect(&shop.run(&["drift"]), 0, &["nothing that is known drifts"]);

    let newer = shop.push("1.1.0");
    // What was reported of the release before says nothing of this one.
    shop.wait_for("dev", "1.1.0", "waiting");
    git(&clone, &["pull", "--quiet", "--rebase"]);
    let by_hand = manifest(&format!("{}:1.1.0@{newer}", shop.image()));
    fs::write(clone.join("env/prod.yaml"), by_hand).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message=by hand"]);
    git(&clone, &["push", "--quiet"]);
    shop.wait_for("prod", "1.1.0", "held");
    expect(&shop.run(&["drift"]), 1, &["prod", "held, changed out of band", "`/resume prod` lifts it"]);
    let log = server.log();
    assert_eq!(server.stop(), 0, "{log}");
    assert!(!log.contains("report-secret"), "{log}");
}

/// The pods of the shop as a real server told of them, running this image.
fn pods(api: &FakeApi, image: &str, digest: &str) {
    let golden = golden("pods-list-running.json");
    let told = golden["items"][0]["spec"]["containers"][0]["image"].as_str().unwrap();
    let (name, running) = told.split_once('@').unwrap();
    let (repository, _) = name.rsplit_once(':').unwrap();
    for pod in golden["items"].as_array().unwrap() {
        let pod = pod.to_string().replace(running, digest).replace(repository, image);
        api.put("pods", &serde_json::from_str(&pod).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_a_cluster_is_on_the_board_soon() {
    let shop = Shop::new().await;
    let (root, settings) = (shop.folder.path(), &shop.place.settings);
    let api = FakeApi::start().await;
    let pinned = shop.push("1.0.0");
    api.put("deployments", &golden("deployment-available.json"));
    pods(&api, &shop.image(), &pinned);
    let kubeconfig = api.kubeconfig();
    let cluster = format!("[clusters.here]\nkubeconfig = \"{}\"\n", kubeconfig.display());
    fs::write(settings, format!("{}{cluster}", fs::read_to_string(settings).unwrap())).unwrap();
    let live = format!("live: {{ cluster: here, namespace: {NAMESPACE}, selector: app=checkout }}");
    let clone = root.join("clone");
    git(root, &["clone", "--quiet", "env.git", "clone"]);
    let rules =
        rules(&shop.image()).replace("      - name: dev\n", &format!("      - name: dev\n        {live}\n"));
    fs::write(clone.join("lockkeeper.yaml"), rules).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message=observed"]);
    git(&clone, &["push", "--quiet"]);

    let server = shop.place.serve();
    shop.wait_for("dev", "1.0.0", "live");
    assert_eq!(shop.stage("dev")["word"], "live 2/2");
    let other = format!("sha256:{}", "0123456789abcdef".repeat(4));
    pods(&api, &shop.image(), &other);
    shop.wait_for("dev", "1.0.0", "drift");
    expect(&shop.run(&["drift"]), 1, &["dev", "0123456789ab runs, and 1.0.0 is pinned"]);
    pods(&api, &shop.image(), &pinned);
    shop.wait_for("dev", "1.0.0", "live");
    let log = server.log();
    assert_eq!(server.stop(), 0, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_and_the_fix() {
    let shop = Shop::new().await;
    let root = shop.folder.path();
    expect(&shop.run(&["doctor"]), 0, &["▲ store", "✓ lockkeeper.yaml of env", "✓ image", "1.0.0 is "]);
    let file = shop.place.settings.clone();
    let good = fs::read_to_string(&file).unwrap();
    let token = root.join("git-token");
    fs::write(&token, "x").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let token_line =
        format!("location = \"{}/env.git\"\ntoken_file = \"{}\"", root.display(), token.display());
    let location = format!("location = \"{}/env.git\"", root.display());
    for (from, to, texts) in [
        (location.as_str(), token_line.as_str(), &["✖ token of env", "chmod o= "][..]),
        ("poll_interval = \"5s\"", "poll_interval = \"5s\"\nbase = \"trunk\"", &["has no branch trunk"]),
        ("people.json", "nobody.json", &["✖ people of env"]),
        ("env.git", "gone.git", &["✖ repository env"]),
        ("store.db", "gone/store.db", &["✖ store", "mkdir -p "]),
    ] {
        fs::write(&file, good.replace(from, to)).unwrap();
        expect(&shop.run(&["doctor"]), 1, texts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_who_verifies_and_who_may_write() {
    let shop = Shop::new().await;
    let root = shop.folder.path();
    let clone = root.join("clone");
    git(root, &["clone", "--quiet", "env.git", "clone"]);
    let signed = "        signed_by: { keyless: { identity: kim@example.com, issuer: \"https://issuer.example\" } }\n    stages:\n";
    fs::write(clone.join("lockkeeper.yaml"), rules(&shop.image()).replace("    stages:\n", signed)).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message=keyless"]);
    git(&clone, &["push", "--quiet"]);
    let cosign = root.join("cosign");
    let stands_for = |script: &str| {
        fs::write(&cosign, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&cosign, fs::Permissions::from_mode(0o755)).unwrap();
    };
    stands_for(
        "case $1 in version) echo; echo 'GitVersion: v3.0.1';; *) echo 'no signatures found' >&2; exit 10;; esac",
    );
    let file = shop.place.settings.clone();
    let good = fs::read_to_string(&file).unwrap();
    let host = shop.registry.address();
    let writers = root.join("writers.json");
    fs::write(&writers, format!(r#"{{"auths":{{"{host}":{{"auth":"dzp3"}}}}}}"#)).unwrap();
    let program = format!("cosign_program = \"{}\"\n", cosign.display());
    let locks = format!("lock_hosts = [\"{host}\"]\n");
    let retag = format!("retag_docker_config = \"{}\"\n", writers.display());
    for (registry, code, texts) in [
        (String::new(), 1, &["✖ program cosign", "needs a keyless signature", "✖ image"][..]),
        (program, 0, &["GitVersion: v3.0.1", "is not signed by any of `signed_by`", "no signatures found"]),
        (
            locks.clone(),
            1,
            &["▲ `lock_hosts`: ", "no registry of Azure's", "nobody is named who writes there"],
        ),
        (format!("{retag}{locks}"), 1, &["somebody is named who writes there"]),
    ] {
        fs::write(&file, format!("[registry]\n{registry}{good}")).unwrap();
        expect(&shop.run(&["doctor"]), code, texts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_sends_a_test_only_where_it_is_asked_to() {
    let shop = Shop::new().await;
    let good = fs::read_to_string(&shop.place.settings).unwrap();
    // Nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = format!(
        "[[notify]]\nname = \"oncall\"\nform = \"slack\"\nurl = \"http://{nobody}/x\"\nstages = [\"prod\", \"pord\"]\n"
    );
    fs::write(&shop.place.settings, format!("{target}{good}")).unwrap();
    let looked = shop.run(&["doctor"]);
    expect(&looked, 0, &["▲ notify oncall: is told of nothing in `pord`"]);
    assert!(
        !looked.out.contains("nothing in `prod`") && !looked.out.contains("test of notify"),
        "{looked:?}"
    );
    expect(&shop.run(&["doctor", "--tell", "oncall"]), 1, &["✖ test of notify oncall", "did not take it: "]);
    expect(&shop.run(&["doctor", "--tell", "nobody"]), 1, &["there is no such target; there are oncall"]);
}
