//! The YAML test suite: what is valid is read as it says, and every scalar of it can be changed alone; what is not valid is
//! refused with a line. The data and its licence are in `tests/fixtures/yaml-test-suite`.

use std::collections::BTreeMap;

use granit_parser::ScalarStyle;

use super::super::document::{Document, documents};
use super::super::site::{DigestField, Field, Shape, Site, TagField};
use super::super::tree::{Id, Kind, Tree};
use super::super::*;

/// Valid cases that are refused by design, and why: readers differ on which of two equal keys counts.
const REFUSED: [(&str, &str); 1] = [("2JQS", "stands twice")];
/// Cases that are not valid and pass. The first is a flow list that is not indented: real files do that, every reader
/// in use takes it, and an edit is proved by one. The others are directives without a document, so nothing is read.
const PASSED: [&str; 3] = ["9C9N", "9MMA", "B63P"];

/// Scalars of the suite that are changed; the others are keys, blocks of several lines, left out, read elsewhere too, or
/// stand in a document that the reader of the proof does not take.
const EXACT_MIN: i32 = 300;

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    fail: bool,
    yaml: String,
    events: Vec<String>,
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/yaml-test-suite/cases.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 402);
    cases
}

/// What a tree says, in the words of the suite, without anchors and tags.
fn events(tree: &Tree<'_>) -> Vec<String> {
    let mut events = Vec::new();
    if let Some(root) = tree.root {
        push_events(tree, root, &mut events);
    }
    events
}

fn push_events(tree: &Tree<'_>, id: Id, events: &mut Vec<String>) {
    match &tree.node(id).kind {
        Kind::Scalar { text, style } => {
            let mark = match style {
                ScalarStyle::Plain => ':',
                ScalarStyle::SingleQuoted => '\'',
                ScalarStyle::DoubleQuoted => '"',
                ScalarStyle::Literal => '|',
                ScalarStyle::Folded => '>',
            };
            events.push(format!("=VAL {mark}{text}"));
        }
        Kind::Sequence { .. } => {
            events.push("+SEQ".to_owned());
            tree.items(id).for_each(|item| push_events(tree, item, events));
            events.push("-SEQ".to_owned());
        }
        Kind::Mapping { .. } => {
            events.push("+MAP".to_owned());
            for (key, value) in tree.keys_and_values(id) {
                push_events(tree, key, events);
                push_events(tree, value, events);
            }
            events.push("-MAP".to_owned());
        }
        Kind::Alias { .. } => events.push("=ALI".to_owned()),
    }
}

/// The events of the suite in the same words, by document.
fn wanted(events: &[String]) -> Vec<Vec<String>> {
    let mut documents = Vec::new();
    for event in events {
        let kind = event.get(..4).unwrap_or_default();
        match kind {
            "+DOC" => documents.push(Vec::new()),
            "+STR" | "-STR" | "-DOC" => {}
            "=VAL" => {
                let mut rest = event[5..].trim_start();
                while rest.starts_with(['&', '<']) {
                    rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
                }
                let text = rest.replace("\\\\", "\u{1}").replace("\\n", "\n").replace("\\t", "\t");
                let text = text.replace("\\b", "\u{8}").replace("\\r", "\r").replace('\u{1}', "\\");
                documents.last_mut().unwrap().push(format!("=VAL {text}"));
            }
            kind => documents.last_mut().unwrap().push(kind.to_owned()),
        }
    }
    documents
}

#[test]
fn what_is_valid_is_read_as_the_suite_says() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| !case.fail) {
        let refused = REFUSED.iter().find(|(id, _)| *id == case.id);
        let documents = documents(&case.yaml);
        let read: Result<Vec<_>, _> =
            documents.iter().map(|document| Tree::parse(document).map(|tree| events(&tree))).collect();
        match (read, refused) {
            (Ok(read), None) if read == wanted(&case.events) => {}
            (Err(error), Some((_, why))) if error.reason.contains(why) => {}
            (read, _) => wrong.push(format!("{}: {read:?}\nwanted {:?}", case.id, wanted(&case.events))),
        }
        let _ = find(case.yaml.as_bytes(), &["a", "[0]"]);
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_not_valid_is_refused_with_a_line() {
    let mut passed = Vec::new();
    for case in cases().iter().filter(|case| case.fail) {
        let _ = find(case.yaml.as_bytes(), &["a", "[0]"]);
        let errors: Vec<ReadError> =
            documents(&case.yaml).iter().filter_map(|document| Tree::parse(document).err()).collect();
        let lines = case.yaml.lines().count();
        assert!(errors.iter().all(|error| (1..=lines + 1).contains(&error.line)), "{}: {errors:?}", case.id);
        if errors.is_empty() {
            passed.push(case.id.clone());
        }
    }
    assert_eq!(passed, PASSED);
}

/// What came of changing a scalar.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Exact,
    Refused(String),
    Wrong(String),
}

#[test]
fn every_scalar_can_be_changed_alone() {
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for case in cases().iter().filter(|case| !case.fail) {
        for document in documents(&case.yaml) {
            let Ok(tree) = Tree::parse(&document) else { continue };
            for number in 0..tree.nodes.len() {
                let id = Id(u32::try_from(number).unwrap());
                let Kind::Scalar { style, .. } = &tree.node(id).kind else { continue };
                let outcome = change(&tree, id);
                if let Outcome::Wrong(why) = &outcome {
                    wrong.push(format!("{} at byte {}: {why}\n{}", case.id, tree.node(id).start, case.yaml));
                }
                *counts.entry((format!("{style:?}"), outcome)).or_insert(0) += 1;
            }
        }
    }
    for ((style, outcome), count) in &counts {
        println!("{count:5} {style} {outcome:?}");
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    let exact: i32 =
        counts.iter().filter(|((_, outcome), _)| *outcome == Outcome::Exact).map(|(_, count)| count).sum();
    assert!(exact > EXACT_MIN, "only {exact} scalars were changed");
}

fn change(tree: &Tree<'_>, id: Id) -> Outcome {
    let Some(path) = path_of(tree, tree.root.unwrap(), id, String::new()) else {
        return Outcome::Refused("a key".to_owned());
    };
    let to = Pinned { tag: None, digest: format!("sha256:{}", "7".repeat(64)).parse().unwrap() };
    let value = to.digest.to_string();
    let site = site(tree, Field { node: id, path, key: key_of(tree, id) });
    let edited = edit::changes(tree, &site, &to).and_then(|mut changes| {
        entangle::check(tree, &changes)?;
        let edited = edit::splice(tree, &mut changes)?;
        Ok((prove::prove(tree, &edited, &changes), edited))
    });
    let (proved, edited) = match edited {
        Ok(edited) => edited,
        Err(refusal) => return Outcome::Refused(refusal.reason),
    };
    let document = Document { index: 0, text: &edited, start: 0, line: 1 };
    let is_exact = Tree::parse(&document).is_ok_and(|after| {
        let same = |number: usize| {
            let (before, after) = (tree.nodes[number].clone(), after.nodes[number].clone());
            match (&before.kind, &after.kind) {
                (Kind::Scalar { .. }, Kind::Scalar { text, .. }) if number == id.0 as usize => *text == value,
                (one, other) => one == other,
            }
        };
        tree.nodes.len() == after.nodes.len() && (0..tree.nodes.len()).all(same)
    });
    match (is_exact, proved) {
        (false, _) => Outcome::Wrong(edited),
        (true, Ok(())) => Outcome::Exact,
        (true, Err(refusal)) => Outcome::Refused(refusal.reason.split(':').take(2).collect()),
    }
}

/// A site that is this one field.
fn site(tree: &Tree<'_>, field: Field) -> Site {
    let pin = Pin {
        line: tree.node(field.node).line,
        document: 0,
        path: field.path.clone(),
        form: Form::Marked,
        repository: "r/app".parse().unwrap(),
        tag: None,
        digest: None,
        span: 0..0,
        beside: super::Beside::Nothing,
    };
    Site { pin, shape: Shape::Parts { tag: TagField::Absent, digest: DigestField::Present(field) } }
}

/// The key that a value stands behind.
fn key_of(tree: &Tree<'_>, value: Id) -> Option<Id> {
    (0..tree.nodes.len()).map(|number| Id(u32::try_from(number).unwrap())).find_map(|id| {
        let is_mapping = matches!(tree.node(id).kind, Kind::Mapping { .. });
        tree.keys_and_values(id).filter(|_| is_mapping).find(|(_, other)| *other == value).map(|(key, _)| key)
    })
}

/// Where a node stands as a value, as the kernel spells it; none for keys and what stands in them.
fn path_of(tree: &Tree<'_>, id: Id, node: Id, path: String) -> Option<String> {
    if id == node {
        return Some(path);
    }
    match &tree.node(id).kind {
        Kind::Sequence { .. } => tree
            .items(id)
            .enumerate()
            .find_map(|(number, item)| path_of(tree, item, node, format!("{path}[{number}]"))),
        Kind::Mapping { .. } => tree.keys_and_values(id).find_map(|(key, value)| {
            let Kind::Scalar { text, .. } = &tree.node(key).kind else { return None };
            let root = path::Path::Root;
            let step = root.key(text).to_string();
            let dot = if path.is_empty() { "" } else { "." };
            path_of(tree, value, node, format!("{path}{dot}{step}"))
        }),
        Kind::Scalar { .. } | Kind::Alias { .. } => None,
    }
}
