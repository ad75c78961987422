//! `lockkeeper repin` and `lockkeeper pins` on real files: all or none, and nothing else touched.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command as Process, Output};

use clap::Parser;
use lockkeeper::cli::{Exit, Outcome, pins, repin};

#[derive(Parser)]
enum Command {
    Pins(pins::Args),
    Repin(repin::Args),
}

const POD: &str = "kind: Pod\napiVersion: v1\nspec: {containers: [{image: r/app:1}]}\n";
const SPLIT: &str = "image: {repository: r/app, tag: 1.4.1}\n";
const TEMPLATE: &str = "image: r/app:{{ .Values.tag }}\nname: {{ x }}-app\n";
const TEMPLATE_WITHOUT_PIN: &str = "{{- if .Values.app -}}\nname: app\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn run(words: &[&str]) -> Outcome {
    let command = Command::parse_from(std::iter::once("lockkeeper").chain(words.iter().copied()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        match command {
            Command::Pins(args) => pins::run(args).await,
            Command::Repin(args) => repin::run(args).await,
        }
    })
}

fn repin(path: &Path, more: &[&str]) -> Outcome {
    let to = format!("2@sha256:{}", "2".repeat(64));
    run(&[&["repin", path.to_str().unwrap(), "--image", "r/app", "--to", &to], more].concat())
}

fn text(folder: &tempfile::TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn all_files_with_the_pin_change_and_keep_their_mode() {
    let folder = folder(&[
        ("a.yaml", POD),
        ("deep/b.yml", POD),
        ("c.txt", POD),
        ("chart.yaml", TEMPLATE),
        (".git/x.yaml", POD),
    ]);
    fs::set_permissions(folder.path().join("a.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("../c.txt", folder.path().join("deep/link.yaml")).unwrap();
    assert_eq!(repin(folder.path(), &[]).unwrap(), Exit::Ok);
    let changed = POD.replace("r/app:1", &format!("r/app:2@sha256:{}", "2".repeat(64)));
    for (name, want) in [
        ("a.yaml", changed.as_str()),
        ("deep/b.yml", &changed),
        ("c.txt", POD),
        ("chart.yaml", TEMPLATE),
        (".git/x.yaml", POD),
    ] {
        assert_eq!(text(&folder, name), want, "{name}");
    }
    assert_eq!(fs::metadata(folder.path().join("a.yaml")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "no temporary file is left");
    assert_eq!(repin(folder.path(), &["-o", "json"]).unwrap(), Exit::Ok, "a second time is no error");
}

#[test]
fn a_refusal_leaves_every_file_as_it_was() {
    let folder = folder(&[("a.yaml", POD), ("b.yaml", SPLIT), ("c.yaml", SPLIT), ("d.yaml", SPLIT)]);
    let error = repin(folder.path(), &[]).unwrap_err();
    assert_eq!(error.exit, Exit::Refused);
    assert!(error.what.ends_with("b.yaml:1: not changed, nor 2 more above"), "{error}");
    assert!(error.why.unwrap().contains("add `digest: \"\"`"));
    assert_eq!((text(&folder, "a.yaml").as_str(), text(&folder, "b.yaml").as_str()), (POD, SPLIT));
    assert_eq!(repin(folder.path(), &["--only", "spec.containers[0].image"]).unwrap(), Exit::Ok);
}

#[test]
fn a_write_that_fails_puts_the_others_back() {
    let folder = folder(&[("a/1.yaml", POD), ("b/2.yaml", POD)]);
    // A folder by the name of the temporary file: the second write cannot even begin.
    fs::create_dir(folder.path().join(format!("b/.2.yaml.lockkeeper-{}", std::process::id()))).unwrap();
    let error = repin(folder.path(), &[]).unwrap_err();
    assert_eq!(error.exit, Exit::Permission, "{error}");
    assert_eq!((text(&folder, "a/1.yaml").as_str(), text(&folder, "b/2.yaml").as_str()), (POD, POD));
}

#[test]
fn the_exit_code_says_what_is_missing() {
    let folder = folder(&[("a.yaml", POD), ("chart.yaml", TEMPLATE), ("t.yaml", TEMPLATE_WITHOUT_PIN)]);
    let exit = |outcome: Outcome| outcome.unwrap_or_else(|error| error.exit);
    let path = folder.path().to_str().unwrap();
    let to = format!("sha256:{}", "2".repeat(64));
    assert_eq!(exit(run(&["repin", path, "--image", "r/other", "--to", &to])), Exit::NotFound);
    assert_eq!(exit(repin(&folder.path().join("none.yaml"), &[])), Exit::NotFound);
    assert_eq!(exit(repin(&folder.path().join("chart.yaml"), &[])), Exit::Refused);
    assert_eq!(exit(repin(folder.path(), &["--dry-run"])), Exit::Ok);
    assert_eq!(text(&folder, "a.yaml"), POD, "a dry run writes nothing");
    assert_eq!(exit(run(&["pins", path])), Exit::Ok, "a template stops nothing");
    assert_eq!(exit(run(&["pins", path, "-o", "json"])), Exit::Ok);
    assert_eq!(exit(run(&["pins", "/none/such"])), Exit::NotFound);
}

fn git(folder: &Path, words: &[&str]) {
    let mut git = Process::new("git");
    git.arg("-C").arg(folder).args(["-c", "user.name=jo", "-c", "user.email=jo@example.com"]).args(words);
    assert!(git.output().unwrap().status.success(), "{words:?}");
}

fn program(folder: &Path, words: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_lockkeeper")).current_dir(folder).args(words).output().unwrap()
}

#[test]
fn a_repository_reads_as_its_checkout_does() {
    let mut files =
        vec![("a.yaml", POD), ("deep/b.yml", SPLIT), ("c.txt", POD), ("deep/chart.yaml", TEMPLATE)];
    let many: Vec<String> = (0..250).map(|number| format!("many/{number:03}.yaml")).collect();
    files.extend(many.iter().map(|name| (name.as_str(), POD)));
    let folder = folder(&files);
    std::os::unix::fs::symlink("../a.yaml", folder.path().join("deep/link.yaml")).unwrap();
    let checkout = folder.path();
    git(checkout, &["init", "-q", "-b", "main"]);
    git(checkout, &["add", "."]);
    git(checkout, &["commit", "-q", "-m", "all"]);
    git(checkout, &["clone", "-q", "--bare", ".", "bare.git"]);
    for output in ["table", "json"] {
        let want = program(checkout, &["pins", ".", "-o", output]);
        assert!(want.status.success() && want.stdout.len() > 250 * 20, "{want:?}");
        for repository in [".", "bare.git"] {
            assert_eq!(program(checkout, &["pins", "--git", repository, "-o", output]), want, "{repository}");
        }
    }
    let deep = program(checkout, &["pins", "deep/", "a.yaml", "-o", "json"]);
    assert_eq!(program(checkout, &["pins", "--git", "bare.git", "deep/", "a.yaml", "-o", "json"]), deep);
    // What is not committed is not there.
    fs::write(checkout.join("a.yaml"), POD.replace("app:1", "app:9")).unwrap();
    let read = program(checkout, &["pins", "--git", ".", "a.yaml"]);
    assert!(String::from_utf8(read.stdout).unwrap().contains("r/app       1 "), "the revision counts");
    for (words, code) in [
        (&["--git", "bare.git", "--rev", "none"][..], 5),
        (&["--git", "bare.git", "none"], 5),
        (&["--git", "deep"], 8),
        (&["--rev", "main"], 2),
        (&["--git", "bare.git", "c.txt"], 0),
    ] {
        assert_eq!(program(checkout, &[&["pins"], words].concat()).status.code(), Some(code), "{words:?}");
    }
}
