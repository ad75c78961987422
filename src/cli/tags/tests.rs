use std::fs;
use std::path::Path;

use super::build::Build;
use super::print::{Form, text};
use super::set::{Facts, TagSet, page};
use super::{Exit, version};
use crate::repository::Checkout;

const HEAD: &str = "abc123f0aa11bb22cc33dd44ee55ff6677889900";

fn checkout(tags: &[&str], tags_here: &[&str]) -> Checkout {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Checkout {
        head: HEAD.parse().unwrap(),
        committed: "2026-03-02T09:00:00Z".parse().unwrap(),
        changed: None,
        is_shallow: false,
        tags: names(tags),
        tags_here: names(tags_here),
        origin: Some("git@git.example.com:acme/checkout.git".to_owned()),
    }
}

fn facts(version: Option<&str>, tags: &[&str], tags_here: &[&str]) -> Facts {
    Facts {
        checkout: Some(checkout(tags, tags_here)),
        version: version.map(|version| version.parse().unwrap()),
        has_version: true,
        ..Facts::default()
    }
}

/// The tags that stand, a bar, those that move.
fn words(set: &TagSet) -> String {
    let words =
        |tags: &[crate::image::Tag]| tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    format!("{} | {}", words(&set.unique), words(&set.moving))
}

#[test]
fn a_version_gives_its_line_unless_a_later_one_has_it() {
    let commit = "git-abc123f0aa11";
    for (version, known, here, want) in [
        (Some("1.4.2"), &[][..], &[][..], format!("1.4.2 {commit} | 1.4 1")),
        (Some("1.4.2"), &["v1.4.2", "v1.4.1"], &["v1.4.2"], format!("1.4.2 {commit} | 1.4 1")),
        (Some("1.4.2"), &["v1.5.0"], &[], format!("1.4.2 {commit} | 1.4")),
        (Some("1.4.2"), &["1.4.3"], &[], format!("1.4.2 {commit} | ")),
        (Some("1.4.2"), &["v2.0.0", "v1.5.0-rc.1", "nightly"], &[], format!("1.4.2 {commit} | 1.4 1")),
        (Some("0.3.1"), &[], &[], format!("0.3.1 {commit} | 0.3")),
        (Some("2.0.0-rc.1"), &[], &[], format!("2.0.0-rc.1 {commit} | ")),
        (None, &["v1.4.2", "v1.4"], &["v1.4.2"], format!("1.4.2 {commit} | 1.4 1")),
        (None, &["v1.4.2"], &[], format!("{commit} | ")),
    ] {
        let set = TagSet::of(&facts(version, known, here)).unwrap();
        assert_eq!(words(&set), want, "{version:?} {known:?} {here:?}");
    }
}

#[test]
fn a_version_of_another_commit_is_refused_and_a_different_one_is_said() {
    let error = TagSet::of(&facts(Some("1.4.2"), &["v1.4.2"], &[])).unwrap_err();
    assert_eq!(error.exit, Exit::Refused, "{error}");
    assert!(error.to_string().contains("the git tag v1.4.2"), "{error}");
    let commit_alone = Facts { has_version: false, ..facts(Some("1.4.2"), &["v1.4.2"], &[]) };
    assert_eq!(words(&TagSet::of(&commit_alone).unwrap()), "git-abc123f0aa11 | ");
    let set = TagSet::of(&facts(Some("1.4.3"), &["v1.4.2"], &["v1.4.2"])).unwrap();
    assert_eq!(set.notes, ["git calls the commit 1.4.2, the build 1.4.3"]);
}

#[test]
fn a_shallow_clone_moves_nothing() {
    let mut shallow = facts(Some("1.3.9"), &[], &[]);
    shallow.checkout.as_mut().unwrap().is_shallow = true;
    let set = TagSet::of(&shallow).unwrap();
    assert_eq!(words(&set), "1.3.9 git-abc123f0aa11 | ");
    assert!(set.notes[0].contains("fetch-depth: 0"), "{:?}", set.notes);
}

#[test]
fn changed_files_take_the_names_of_the_commit_away() {
    let mut facts = facts(Some("1.4.2"), &[], &[]);
    facts.checkout.as_mut().unwrap().changed = Some("src/main.rs".to_owned());
    let set = TagSet::of(&facts).unwrap();
    assert_eq!(words(&set), " | git-abc123f0aa11-dirty");
    assert_eq!((set.revision, set.labels.get("org.opencontainers.image.revision")), (None, None));
}

#[test]
fn the_build_is_named_as_each_ci_tells_it() {
    for (variables, id, url) in [
        (
            &[
                ("GITHUB_RUN_ID", "77"),
                ("GITHUB_SERVER_URL", "https://git.example"),
                ("GITHUB_REPOSITORY", "a/b"),
            ][..],
            "77",
            Some("https://git.example/a/b/actions/runs/77"),
        ),
        (&[("GITHUB_RUN_ID", "77"), ("GITHUB_RUN_ATTEMPT", "2")], "77.2", None),
        (&[("GITHUB_RUN_ID", "77"), ("GITHUB_RUN_ATTEMPT", "1")], "77", None),
        (&[("CI_JOB_ID", "5"), ("CI_JOB_URL", "https://lab.example/5")], "5", Some("https://lab.example/5")),
        (&[("BUILDKITE_BUILD_NUMBER", "6")], "6", None),
        (&[("CIRCLE_BUILD_NUM", "8")], "8", None),
        (
            &[
                ("BUILD_BUILDID", "9"),
                ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://az.example/o/"),
                ("SYSTEM_TEAMPROJECT", "p"),
            ],
            "9",
            Some("https://az.example/o/p/_build/results?buildId=9"),
        ),
        (&[("JENKINS_URL", "https://j.example"), ("BUILD_NUMBER", "4")], "4", None),
    ] {
        let found = Build::of_ci(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let want = Build { id: id.to_owned(), url: url.map(str::to_owned) };
        assert_eq!(found, Some(want), "{variables:?}");
    }
    assert_eq!(Build::of_ci(|name| (name == "BUILD_NUMBER").then(|| "4".to_owned())), None);
    let build = |id: &str| Facts {
        build: Some(Build { id: id.to_owned(), url: None }),
        ..facts(Some("1.2.0"), &[], &[])
    };
    let set = TagSet::of(&build("4567")).unwrap();
    assert_eq!(words(&set), "1.2.0 git-abc123f0aa11 build-4567 1.2.0-build4567-abc123f | 1.2 1");
    assert_eq!(TagSet::of(&build("a b")).unwrap_err().exit, Exit::Usage);
}

#[test]
fn the_source_is_a_page_without_credentials() {
    for (origin, want) in [
        ("git@git.example.com:acme/web.git", Some("https://git.example.com/acme/web")),
        ("ssh://git@git.example.com:2222/acme/web.git", Some("https://git.example.com/acme/web")),
        (
            "https://bot:s3cret@git.example.com:8443/acme/web.git",
            Some("https://git.example.com:8443/acme/web"),
        ),
        ("http://git.example.com/acme/web/", Some("http://git.example.com/acme/web")),
        ("/srv/git/web.git", None),
        ("file:///srv/git/web.git", None),
        ("C:\\git\\web", None),
        ("https://git.example.com", None),
    ] {
        assert_eq!(page(origin).as_deref(), want, "{origin}");
    }
}

#[test]
fn versions_are_read_from_the_files_of_projects() {
    let folder = tempfile::tempdir().unwrap();
    let found = || version::find(folder.path(), None);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    assert_eq!(found().unwrap(), None);
    for (name, text) in [
        ("pyproject.toml", "[project]\nname = \"x\"\nversion = \"1.0.1\"\n"),
        ("Cargo.toml", "[workspace.package]\nversion = \"1.0.2\"\n[package]\nversion.workspace = true\n"),
        ("package.json", "{\"name\": \"x\", \"version\": \"1.0.3\"}"),
        ("version.txt", "\n1.0.4\n"),
        ("VERSION", "v1.0.5\n"),
        ("version.json", "\u{feff}{\"version\": \"1.0.6\"}"),
    ] {
        write(name, text);
        let want = text.split("1.0.").nth(1).unwrap().chars().next().unwrap();
        assert_eq!(found().unwrap().unwrap().to_string(), format!("1.0.{want}"), "{name}");
    }
    write("version.json", "{\"private\": true}");
    assert_eq!(found().unwrap().unwrap().to_string(), "1.0.5", "a file without a version is passed over");
    for bad in ["{", "{\"version\": \"1.4\"}", "{\"version\": \"1.4.2+b5\"}", "{\"version\": \"\"}"] {
        write("version.json", bad);
        assert_eq!(found().unwrap_err().exit, Exit::Configuration, "{bad}");
    }
    let missing = version::find(folder.path(), Some(Path::new("/nowhere/version.json"))).unwrap_err();
    assert_eq!(missing.exit, Exit::Configuration);
}

#[test]
fn every_form_says_the_same() {
    let set = TagSet::of(&facts(Some("1.4.2"), &[], &[])).unwrap();
    let image = ["registry.example.com/acme/web".parse().unwrap()];
    assert_eq!(text(&set, &[], Form::Lines).unwrap(), "1.4.2\ngit-abc123f0aa11\n1.4\n1\n");
    let shell = text(&set, &image, Form::Shell).unwrap();
    assert!(shell.starts_with(&format!(
        "VERSION='1.4.2'\nREVISION='{HEAD}'\nTAGS='registry.example.com/acme/web:1.4.2 "
    )));
    assert!(shell.contains("BUILD_ARGS='--tag registry.example.com/acme/web:1.4.2 --tag"), "{shell}");
    let github = text(&set, &image, Form::Github).unwrap();
    assert!(github.contains("tags<<end of tags\nregistry.example.com/acme/web:1.4.2\n"), "{github}");
    assert!(github.contains("org.opencontainers.image.created=2026-03-02T09:00:00Z\n"), "{github}");
    let json: serde_json::Value = serde_json::from_str(&text(&set, &image, Form::Json).unwrap()).unwrap();
    assert_eq!(json["moving"], serde_json::json!(["1.4", "1"]));
    assert_eq!(json["labels"]["org.opencontainers.image.source"], "https://git.example.com/acme/checkout");
}
