//! The kernel on files: what others break stays whole.
//!
//! A case is a folder in `tests/fixtures/manifests`: `before.yaml`, and `after.yaml` or `refused.txt` (the line and how
//! the reason begins). A file `case` names another `image`, `to` or `only`, one a line. `pins.txt` holds what `find` sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lockkeeper::image::{Pinned, Repository, Tag};
use lockkeeper::manifest::{Found, find, pins_of, repin, repin_any};
use proptest::prelude::*;

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

/// A line or block between pins; none of them changes.
const NOISE: [&str; 22] = [
    "",
    "# image: r.example/app:1.4.1",
    "   # an odd comment\t",
    "replicas: 3         # keep >= 2",
    "mode: 0644",
    "yes: no",
    "nothing: ~",
    "empty:",
    "float: 1.10",
    "long: 123456789012345678901234567890",
    "text: \"a # b: \\u00e9 \\\" r.example/app:1.4.1\"",
    "single: 'it''s # r.example/app'",
    "名前: 支払い 😀",
    "list: [ ]",
    "flow: { a: 1,b: [x,  y] , \"c\": r.example/app-sidecar:1 }",
    "block: |-\n  image: r.example/app:1.4.1\n  { \n",
    "folded: >+\n  two\n  lines\n\n",
    "plain: of two\n  lines",
    "indented:\n    -   a: b\n        c: d\n    - e",
    "anchor: &noise1 {k: v}\nalias: *noise1",
    "tagged: !!str 12",
    "blanks:   value   ",
];

/// A pin of the repository, `<T>` its tag and `<D>` its digest; `<N>` makes its keys unique.
const PINS: [&str; 12] = [
    "app<N>:\n  image: r.example/app:<T>@<D>",
    "app<N>:\n  image: \"r.example/app:<T>@<D>\" # <- here",
    "app<N>: {name: 'x', image: 'r.example/app:<T>@<D>'}",
    "app<N>:\n  containers:\n  - name: app\n    image: r.example/app:<T>@<D>\t# tab",
    "app<N>:\n  containers:\n    -   image:\n          r.example/app:<T>@<D>\n        name: é",
    "app<N>:\n  image: >-\n    r.example/app:<T>@<D>\n",
    "app<N>:\n  image:\n    repository: r.example/app\n    tag: \"<T>\"\n    digest: <D>",
    "app<N>:\n  image: {registry: r.example, repository: app, digest: '<D>', tag: <T>}",
    "app<N>:\n  image:\n    repository: r.example/app\n    tag: <T>@<D>",
    "app<N>:\n  images:\n  - name: r.example/app\n    newTag: <T>\n    # between\n    digest: <D>",
    "app<N>:\n  images:\n    - digest: <D>\n      newName: r.example/app\n      newTag: '<T>'\n      name: app",
    "app<N>: &anchor<N>\n  image: r.example/app:<T>@<D>\nagain<N>:\n  <<: *anchor<N>",
];

/// Pieces of a document in any order.
fn pieces() -> impl Strategy<Value = Vec<(bool, usize)>> {
    prop::collection::vec((any::<bool>(), 0..NOISE.len() * PINS.len()), 1..12)
}

/// Several documents with `<T>` and `<D>` for the pins, and how many pins there are.
fn file(documents: &[Vec<(bool, usize)>], line_break: &str, is_ended: bool) -> (String, usize) {
    let (mut text, mut pins) = (String::new(), 0);
    for document in documents {
        text.push_str("---\n");
        let mut seen = Vec::new();
        for (number, (is_pin, which)) in document.iter().enumerate() {
            let piece = if *is_pin { PINS[which % PINS.len()] } else { NOISE[which % NOISE.len()] };
            if !is_pin && seen.contains(&piece) {
                continue;
            }
            seen.push(piece);
            pins += usize::from(*is_pin);
            text.push_str(&piece.replace("<N>", &number.to_string()));
            text.push('\n');
        }
    }
    if !is_ended {
        text.truncate(text.trim_end_matches('\n').len());
    }
    (text.replace('\n', line_break), pins)
}

fn tags() -> impl Strategy<Value = String> {
    // Tags that no reader takes for a number, so that no quotes are added and the way back is exact.
    "(v[0-9]{1,3}|[1-9]\\.[0-9]\\.[0-9]{1,2}(-rc\\.[0-9])?|[g-m][a-z0-9_.-]{0,20})"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_pins_differ_and_the_way_back_is_exact(
        documents in prop::collection::vec(pieces(), 1..4),
        line_break in prop::sample::select(vec!["\n", "\r\n"]),
        is_ended in any::<bool>(),
        bom in prop::sample::select(vec!["", "\u{feff}"]),
        (old, new) in (tags(), tags()),
    ) {
        let (template, pins) = file(&documents, line_break, is_ended);
        let template = format!("{bom}{template}");
        let fill = |tag: &str, digit: char| template.replace("<T>", tag).replace("<D>", &digest(digit)).into_bytes();
        let (before, after) = (fill(&old, '1'), fill(&new, '2'));
        let image: Repository = "r.example/app".parse().unwrap();
        let (from, to) = (pinned(&format!("{old}@{}", digest('1'))), pinned(&format!("{new}@{}", digest('2'))));
        if pins == 0 {
            prop_assert_eq!(repin_any(&before, &image, &to, None), Ok(None));
            return Ok(());
        }
        let got = repin(&before, &image, &to, None);
        prop_assert_eq!(got.as_deref().map(String::from_utf8_lossy), Ok(String::from_utf8_lossy(&after)));
        prop_assert_eq!(repin(&after, &image, &from, None), Ok(before.clone()));
        let found: Found = find(&after, &[]).unwrap();
        prop_assert!(pins_of(&found, &image).count() >= pins);
        prop_assert!(pins_of(&found, &image).all(|pin| pin.digest == Some(to.digest) && pin.tag == to.tag));
    }

    #[test]
    fn any_one_pin_can_be_moved_alone(documents in prop::collection::vec(pieces(), 1..3), which in any::<prop::sample::Index>()) {
        let (template, _) = file(&documents, "\n", true);
        let before = template.replace("<T>", "v1").replace("<D>", &digest('1'));
        let image: Repository = "r.example/app".parse().unwrap();
        let to = pinned(&format!("v2@{}", digest('2')));
        let found = find(before.as_bytes(), &[]).unwrap();
        let pins: Vec<_> = pins_of(&found, &image).collect();
        if pins.is_empty() {
            return Ok(());
        }
        let pin = pins[which.index(pins.len())];
        // A value read at two places is refused; everything else moves, and nothing but it.
        match repin(before.as_bytes(), &image, &to, Some(&pin.path)) {
            Err(refusal) => prop_assert!(refusal.reason.starts_with("entangled"), "{}", refusal),
            Ok(after) => {
                let again = find(&after, &[]).unwrap();
                for (one, other) in found.pins.iter().zip(&again.pins) {
                    let want = if one.path == pin.path { Some(to.digest) } else { one.digest };
                    prop_assert_eq!(other.digest, want);
                }
                let lines = before.lines().zip(std::str::from_utf8(&after).unwrap().lines());
                prop_assert!(lines.filter(|(one, other)| one != other).count() <= 2 * documents.len());
            }
        }
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = find(&bytes, &["a.b[0]"]);
    }

    #[test]
    fn nothing_panics_on_what_looks_like_yaml(
        text in "(image|repository|tag|digest|images|newTag|: |:|\n|\n  |\n- |- |\\{|\\}|\\[|\\]|, |&a |\\*a|<<: |\"|'|\\||>-|#|---|\\.\\.\\.|!!str |!x |~|é|\t|\r|%YAML|r/app:1|@sha256:|lockkeeper: pin| # |\u{feff}|\\\\u0041){0,60}",
    ) {
        let image: Repository = "r/app".parse().unwrap();
        let _ = find(text.as_bytes(), &["image", "images[0].tag"]);
        if let Ok(Some(after)) = repin_any(text.as_bytes(), &image, &pinned(&format!("1.20@{}", digest('2'))), None) {
            prop_assert!(find(&after, &[]).is_ok());
        }
    }
}
