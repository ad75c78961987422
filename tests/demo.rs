//! `lockkeeper demo` as a person runs it, and what it leaves as git and skopeo see it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/live_demo.rs"]
mod live_demo;
#[path = "support/parts.rs"]
mod parts;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use live_demo::{LiveDemo, STORY_MAX};
use lockkeeper::image::Digest;
use regex::Regex;

/// What idles must stay below this in a release build, in MiB.
const RESIDENT_MIB_MAX: u64 = 50;

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockkeeper")).arg("demo").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What skopeo prints; nothing where the machine has none.
fn skopeo(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(parts::part("skopeo")?).args(arguments).output().unwrap();
    assert!(output.status.success(), "skopeo {arguments:?}: {}", text(&output.stderr));
    Some(output.stdout)
}

/// The merges into a stage as git has them, oldest first: the trailers of each, by name.
fn merges(repository: &Path, stage: &str) -> Vec<String> {
    let log = git(repository, &["log", "--first-parent", "--reverse", "--format=%B%x00", "main"]);
    let wanted = format!("Lockkeeper-Stage: {stage}");
    log.split('\0').filter(|message| message.lines().any(|line| line == wanted)).map(str::to_owned).collect()
}

fn trailer<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Prod's releases in the order in which it got them, each with its lane and who let it through.
fn check_prod(repository: &Path) {
    let found: Vec<String> = merges(repository, "prod")
        .iter()
        .map(|message| {
            let change = trailer(message, "Lockkeeper-Change").unwrap();
            let version = |text: &str| text.split('@').next().unwrap().to_owned();
            let (_, change) = change.split_once(' ').unwrap();
            let (new, old) = change.split_once(" was ").unwrap();
            let by = trailer(message, "Lockkeeper-Approved-By")
                .or(trailer(message, "Lockkeeper-Requested-By"))
                .unwrap()
                .split(' ')
                .next()
                .unwrap();
            let lane = trailer(message, "Lockkeeper-Lane").unwrap();
            format!("{lane} {} → {} by {by}", version(old), version(new))
        })
        .collect();
    let want = [
        "normal 1.4.1 → 1.4.2 by li",
        "hotfix 1.4.2 → 1.4.4 by kim",
        "rollback 1.4.4 → 1.4.2 by sam",
        "normal 1.4.2 → 1.5.1 by li",
    ];
    assert_eq!(found, want);
    let rollback = &merges(repository, "prod")[2];
    assert_eq!(trailer(rollback, "Lockkeeper-Reason"), Some("INC-2041 some are charged twice"));
    for (stage, count) in [("dev", 5), ("staging", 5), ("canary-eu", 3), ("canary-us", 4)] {
        assert_eq!(merges(repository, stage).len(), count, "{stage}");
    }
}

/// Every commit on main after the first differs from the one before in versions and digests alone.
fn check_diffs(repository: &Path) {
    let commits = git(repository, &["rev-list", "--first-parent", "main"]);
    let commits: Vec<&str> = commits.lines().collect();
    assert_eq!(commits.len(), 22, "one of a person, the rest ours");
    let pin = Regex::new(r"1\.[45]\.\d|sha256:[0-9a-f]{64}").unwrap();
    for pair in commits.windows(2) {
        let diff = git(repository, &["diff", "--unified=0", pair[1], pair[0]]);
        let side = |sign: char, header: &str| -> Vec<String> {
            diff.lines()
                .filter(|line| line.starts_with(sign) && !line.starts_with(header))
                .map(|line| pin.replace_all(&line[1..], "PIN").into_owned())
                .collect()
        };
        let (removed, added) = (side('-', "---"), side('+', "+++"));
        assert_eq!(removed, added, "{diff}");
        assert!(!added.is_empty() && added.iter().all(|line| line.contains("PIN")), "{diff}");
    }
}

/// The digest that a file of prod pins, as git has it.
fn pinned(repository: &Path, file: &str) -> Digest {
    let content = git(repository, &["show", &format!("main:apps/checkout/prod/{file}")]);
    let start = content.find("sha256:").unwrap();
    content[start..start + 71].parse().unwrap()
}

#[test]
fn the_story_comes_true_and_other_tools_see_the_same() {
    if parts::part("git").is_none() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("demo");
    let begun = Instant::now();
    let output = demo(&["--once", "--port", "0", "--dir", folder.to_str().unwrap()]);
    let took = begun.elapsed();
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", text(&output.stderr));
    assert!(took < STORY_MAX, "took {took:?}");
    assert_eq!(text(&output.stderr), "", "nothing to warn of");
    eprintln!("the story took {:.1} s", took.as_secs_f64());

    let step = Regex::new(
        r"^ *\d+\.\d s  (shop|git|dev|staging|canary-eu|canary-us|prod|maria|tom|sam) +\S.*  http://\S+$",
    );
    let step = step.unwrap();
    let steps = told.lines().filter(|line| step.is_match(line)).count();
    assert_eq!(steps, 43, "{told}");
    let secret = fs::read_to_string(folder.join("webhook-secret")).unwrap();
    assert!(!told.contains(&secret));

    let repository = folder.join("shop.git");
    check_prod(&repository);
    check_diffs(&repository);
    let digest = pinned(&repository, "eu.yaml");
    assert_eq!(pinned(&repository, "us.yaml"), digest);
    let authors = git(&folder.join("checkout.git"), &["log", "--format=%an", "main"]);
    assert_eq!(authors.lines().collect::<Vec<_>>(), ["maria", "tom", "maria", "tom", "maria", "maria"]);

    check_offline(&repository, outside.path());

    let image = format!("oci:{}:1.5.1", folder.join("registry/shop/checkout").display());
    let Some(index) = skopeo(&["inspect", "--raw", &image]) else { return };
    assert_eq!(Digest::of(&index), digest, "prod pins what was pushed, byte for byte");
    let platforms = text(&index).matches("\"architecture\"").count();
    assert_eq!(platforms, 2);
    let inspected = text(&skopeo(&["inspect", &image]).unwrap());
    let tip = git(&folder.join("checkout.git"), &["rev-parse", "main"]);
    assert!(inspected.contains(tip.trim()), "{inspected}");
}

/// A clone that does not know its base, or lacks some of its history, is not taken for what it is not.
fn check_doubtful_clone(clone: &Path, rollback: &dyn Fn() -> (Option<i32>, String, String)) {
    git(clone, &["remote", "set-head", "origin", "--delete"]);
    let (code, _, error) = rollback();
    assert!(code == Some(6) && error.contains("git remote set-head origin --auto"), "{error}");
    git(clone, &["remote", "set-head", "origin", "--auto"]);
    let tip = git(clone, &["rev-parse", "HEAD"]);
    std::fs::write(clone.join(".git/shallow"), &tip).unwrap();
    let (code, _, error) = rollback();
    assert!(code == Some(6) && error.contains("git fetch --unshallow"), "{error}");
    std::fs::remove_file(clone.join(".git/shallow")).unwrap();
}

/// Nobody answers any more: a clone is enough to go back, to the release that the server would have taken.
fn check_offline(repository: &Path, outside: &Path) {
    let clone = outside.join("clone");
    git(outside, &["clone", "--quiet", repository.to_str().unwrap(), clone.to_str().unwrap()]);
    let rollback = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        let output = command
            .args(["rollback", "checkout"])
            .args(arguments)
            .args(["--offline", "--clone", clone.to_str().unwrap()])
            .env("HOME", outside)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let refs = || git(&clone, &["for-each-ref"]);
    let before = refs();
    let (code, told, error) = rollback(&["prod", "--dry-run"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("prod: 1.5.1 → 1.4.2\n") && told.contains("nothing was written"), "{told}");
    let (code, _, error) = rollback(&["prod"]);
    assert_eq!(code, Some(6), "{error}");
    assert!(error.contains("set user.name and user.email"), "{error}");
    git(&clone, &["config", "user.name", "Sam Smith"]);
    git(&clone, &["config", "user.email", "sam@example.com"]);
    for (arguments, exit, why) in [
        (&["nowhere"][..], 5, "there are dev, staging, canary-eu, canary-us, prod"),
        (&["prod", "--to", "9.9.9"], 6, "no release `9.9.9` was live in this stage; seen here: "),
        (&["prod", "--base", "nowhere"], 5, "nowhere"),
    ] {
        let (code, _, error) = rollback(arguments);
        assert_eq!(code, Some(exit), "{error}");
        assert!(error.contains(why), "{error}");
    }
    check_doubtful_clone(&clone, &|| rollback(&["prod", "--dry-run"]));
    assert_eq!(refs(), before, "nothing was written");

    let (code, told, error) = rollback(&["prod", "--reason", "INC-3000 no bot"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{told}");
    let branch = told.lines().find_map(|line| line.strip_prefix("branch ")?.split(',').next()).unwrap();
    let message = git(&clone, &["log", "-1", "--format=%B", branch]);
    let title = "rollback(prod): checkout 1.5.1 → 1.4.2 (INC-3000)";
    assert_eq!(message.lines().next(), Some(title));
    for (name, value) in [
        ("Lockkeeper-Lane", "rollback"),
        ("Lockkeeper-Stage", "prod"),
        ("Lockkeeper-Requested-By", "sam@example.com 0 offline"),
        ("Lockkeeper-Reason", "INC-3000 no bot"),
    ] {
        assert_eq!(trailer(&message, name), Some(value));
    }
    let files = git(&clone, &["diff", "--name-only", "main", branch]);
    assert_eq!(
        files.lines().collect::<Vec<_>>(),
        ["apps/checkout/prod/eu.yaml", "apps/checkout/prod/us.yaml"]
    );
    let status = git(&clone, &["status", "--porcelain"]);
    assert_eq!(status, "", "what is checked out is left alone");
    // Merged with its message, it is a rollback of the record: there is nothing more to do, and 1.5.1 is bad.
    git(&clone, &["merge", "--quiet", "--ff-only", branch]);
    let (code, _, error) = rollback(&["prod", "--base", "main"]);
    assert_eq!(code, Some(6), "{error}");
    assert!(error.contains("it was rolled back to 1.4.2 already"), "{error}");
    let (code, told, error) = rollback(&["prod", "--base", "main", "--to", "1.4.1", "-n", "-o", "json"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(told.contains(r#""to": "1.4.1""#) && told.contains(r#""branch": null"#), "{told}");
}

#[test]
fn it_stays_up_until_it_is_told_to_end() {
    if parts::part("git").is_none() {
        return;
    }
    let mut live = LiveDemo::start();
    let folder = live.introduced("files").to_owned();
    assert!(Path::new(&folder).is_dir());
    let digest = pinned(&Path::new(&folder).join("shop.git"), "eu.yaml");
    let image = format!("docker://{}:1.5.1", live.introduced("registry"));
    if let Some(index) = skopeo(&["inspect", "--raw", "--tls-verify=false", &image]) {
        assert_eq!(Digest::of(&index), digest);
    }
    if let Some(resident) = live.resident_kib() {
        eprintln!("resident after the story: {} MiB", resident.div_ceil(1024));
        assert!(cfg!(debug_assertions) || resident < RESIDENT_MIB_MAX * 1024, "{resident} KiB");
    }
    assert!(live.interrupt().success());
    assert!(!Path::new(&folder).exists(), "a temporary folder goes");
}

#[test]
fn what_cannot_be_used_is_said_with_the_next_command() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("thesis.txt"), "not to be touched").unwrap();
    let output = demo(&["--once", "--dir", outside.path().to_str().unwrap()]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("it is not empty") && error.contains("next: lockkeeper demo --dir"), "{error}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = demo(&["--once", "--port", &port]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(&port) && error.contains("next: lockkeeper demo --port"), "{error}");
}
