//! The kernel on files: what others break stays whole.
//!
//! A case is a folder in `tests/fixtures/manifests`: `before.yaml`, and `after.yaml` or `refused.txt` (the line and how
//! the reason begins). A file `case` names another `image`, `to` or `only`, one a line. `pins.txt` holds what `find` sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "manifests/generate.rs"]
mod generate;
#[path = "manifests/properties.rs"]
mod properties;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lockkeeper::image::{Pinned, Repository, Tag};
use lockkeeper::manifest::{find, repin};

struct Case {
    name: String,
    folder: PathBuf,
    before: Vec<u8>,
    image: Repository,
    to: Pinned,
    only: Option<String>,
}

fn pinned(text: &str) -> Pinned {
    match text.split_once('@') {
        Some((tag, digest)) => Pinned { tag: Some(tag.parse().unwrap()), digest: digest.parse().unwrap() },
        None => Pinned { tag: None, digest: text.parse().unwrap() },
    }
}

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut cases: Vec<Case> = folders.map(case).collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

fn case(folder: PathBuf) -> Case {
    let words = fs::read_to_string(folder.join("case")).unwrap_or_default();
    let word = |name: &str| {
        let line = words.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(ToOwned::to_owned)
    };
    Case {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        before: fs::read(folder.join("before.yaml")).unwrap(),
        image: word("image").as_deref().unwrap_or("r.example/app").parse().unwrap(),
        to: pinned(&word("to").unwrap_or_else(|| format!("1.4.2@{}", digest('2')))),
        only: word("only"),
        folder,
    }
}

/// What `find` sees, one line each.
fn listing(before: &[u8]) -> String {
    let found = match find(before, &[]) {
        Ok(found) => found,
        Err(error) => return format!("{error}\n"),
    };
    let mut text = String::new();
    for pin in &found.pins {
        let form = format!("{:?}", pin.form);
        let tag = pin.tag.as_ref().map_or("-", Tag::as_str);
        let digest = pin.digest.map_or_else(|| "-".to_owned(), |digest| digest.short());
        let path = &pin.path;
        writeln!(text, "{}:{} {path} {form} {} {tag} {digest}", pin.document, pin.line, pin.repository)
            .unwrap();
    }
    for place in &found.unreadable {
        writeln!(text, "unreadable {} {} {}", place.line, place.path, place.reason).unwrap();
    }
    text
}

#[test]
fn every_case_is_exact_or_refused() {
    let cases = cases();
    assert!(cases.len() > 220, "only {} cases are there", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let got = repin(&case.before, &case.image, &case.to, case.only.as_deref());
        match (fs::read(case.folder.join("after.yaml")), got) {
            (Ok(want), Ok(got)) => {
                if want != got {
                    wrong.push(format!("{}: wanted\n{}\ngot\n{}", case.name, show(&want), show(&got)));
                }
                let again = repin(&got, &case.image, &case.to, case.only.as_deref());
                assert_eq!(again, Ok(got), "{}: a second time is no no-op", case.name);
            }
            (Err(_), Err(refusal)) => {
                let want = fs::read_to_string(case.folder.join("refused.txt")).unwrap();
                if !refusal.to_string().starts_with(want.trim_end_matches('\n')) {
                    wrong.push(format!("{}: wanted refusal {want:?}, got {refusal}", case.name));
                }
            }
            (Ok(_), Err(refusal)) => wrong.push(format!("{}: refused: {refusal}", case.name)),
            (Err(_), Ok(got)) => wrong.push(format!("{}: not refused but\n{}", case.name, show(&got))),
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn every_case_lists_the_pins_it_names() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (path, got) = (case.folder.join("pins.txt"), listing(&case.before));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(&path, &got).unwrap();
        }
        let want = fs::read_to_string(&path).unwrap_or_default();
        if want != got {
            wrong.push(format!("{}: wanted\n{want}got\n{got}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "␍")
}
