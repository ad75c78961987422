//! Moves one reference and judges the bytes by means that the kernel does not have.

use std::fmt::Write as _;

use lockkeeper::image::{Pinned, Reference};
use lockkeeper::manifest::{Form, Found, Pin, Refusal, repin};
use serde_yaml::Value;

use crate::crude;

/// How refusals begin where the form has no place for a digest, without their backticks: split values have no field for
/// one, and kustomize has one image for a suffix or for a digest.
pub(crate) const NOT_PINNABLE: [&str; 3] = [
    "there is no digest beside",
    "entangled: the value has no tag, and",
    "entangled: a digest would undo tagSuffix",
];

/// What came of moving a reference.
pub(crate) enum Verdict {
    Exact { class: &'static str },
    Refused(Refusal),
    Wrong(String),
}

fn target(tag: &str, digit: char) -> Pinned {
    let digest = format!("sha256:{}", digit.to_string().repeat(64)).parse().unwrap();
    Pinned { tag: Some(tag.parse().unwrap()), digest }
}

/// Moves the pin away, further and back.
pub(crate) fn judge(before: &[u8], found: &Found, pin: &Pin) -> Verdict {
    let (away, further) = (target("v9.9.9-away", '7'), target("v8.8.8-further", '8'));
    let put = |bytes: &[u8], to: &Pinned| repin(bytes, &pin.repository, to, Some(&pin.path));
    let after = match put(before, &away) {
        Ok(after) => after,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let twins = found
        .pins
        .iter()
        .filter(|other| other.path == pin.path && other.repository.is_same(&pin.repository))
        .collect::<Vec<_>>();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (old, new) = (text(before), text(&after));
    if let Some(why) = wrong_lines(&old, &new, &twins, &away).or_else(|| wrong_values(&old, &new, &twins)) {
        return Verdict::Wrong(why);
    }
    let again = put(&after, &further).and_then(|bytes| put(&bytes, &away));
    if again.as_ref() != Ok(&after) {
        return Verdict::Wrong("the way back from a second move differs".to_owned());
    }
    let Some(digest) = pin.digest.filter(|_| twins.len() == 1) else {
        let class = if twins.len() > 1 { "at one path of several documents" } else { "not pinned before" };
        return Verdict::Exact { class };
    };
    match put(&after, &Pinned { tag: pin.tag.clone(), digest }) {
        Ok(back) if back == before => {
            Verdict::Exact { class: "pinned, and the way back has the first bytes" }
        }
        Ok(back) if unquoted(&back) == unquoted(before) => {
            Verdict::Exact { class: "pinned, and the way back adds quotes to a number" }
        }
        // The place had a field for a tag, and it was empty.
        Err(_) if pin.tag.is_none() => Verdict::Exact { class: "pinned without a tag, which it has now" },
        Ok(_) => Verdict::Wrong("the way back has other bytes".to_owned()),
        Err(refusal) => Verdict::Wrong(format!("no way back: {refusal}")),
    }
}

fn unquoted(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\'')).collect()
}

/// Compares the lines as text: a changed line has one word changed, a new line is a digest.
fn wrong_lines(before: &str, after: &str, pins: &[&Pin], to: &Pinned) -> Option<String> {
    let words = pins.iter().flat_map(|pin| words(pin, to)).collect::<Vec<_>>();
    let (mut old, mut changed) = (before.split_inclusive('\n').peekable(), 0);
    for new in after.split_inclusive('\n') {
        if old.peek() == Some(&new) {
            old.next();
            continue;
        }
        changed += 1;
        let is_digest_line = new.trim() == format!("digest: {}", to.digest);
        let is_moved = old.peek().is_some_and(|old| is_word_moved(old, new, &words));
        // The last line may get a line break before a new one.
        let is_ended = old.peek().is_some_and(|old| *old == new.trim_end_matches(['\n', '\r']));
        match (is_moved || is_ended, is_digest_line) {
            (true, _) => drop(old.next()),
            (false, true) => {}
            (false, false) => return Some("a line changed in another way".to_owned()),
        }
    }
    if old.next().is_some() {
        return Some("a line is gone".to_owned());
    }
    (changed == 0 || changed > 2 * pins.len() + 1).then(|| "the number of changed lines is off".to_owned())
}

/// What may stand for what.
fn words(pin: &Pin, to: &Pinned) -> Vec<(String, String)> {
    let name = pin.repository.to_string();
    let old = Reference { repository: pin.repository.clone(), tag: pin.tag.clone(), digest: pin.digest };
    let new = Reference { repository: pin.repository.clone(), tag: to.tag.clone(), digest: Some(to.digest) };
    let mut words = vec![(old.to_string(), new.to_string()), (name, new.to_string())];
    let new_tag = to.tag.as_ref().unwrap().to_string();
    if let Some(tag) = &pin.tag {
        words.push((tag.to_string(), new_tag.clone()));
        if let Some(digest) = pin.digest {
            words.push((format!("{tag}@{digest}"), format!("{new_tag}@{}", to.digest)));
        }
    }
    match pin.digest {
        Some(digest) => words.push((digest.to_string(), to.digest.to_string())),
        None => words.push(("\"\"".to_owned(), format!("\"{}\"", to.digest))),
    }
    words.push(("''".to_owned(), format!("'{}'", to.digest)));
    words.push((String::new(), format!(" {}", to.digest)));
    words.push((String::new(), format!(" {new_tag}")));
    words.push((String::new(), format!(", digest: {}", to.digest)));
    words.push(("\"\"".to_owned(), format!("\"{new_tag}\"")));
    words.push(("null".to_owned(), to.digest.to_string()));
    words.push(("null".to_owned(), new_tag));
    words
}

/// Whether the new line is the old one with one of these words moved, or two (of a flow mapping).
fn is_word_moved(old: &str, new: &str, words: &[(String, String)]) -> bool {
    let moved = |line: &str| {
        let line = line.to_owned();
        words
            .iter()
            .flat_map(move |(from, to)| {
                let places: Vec<usize> = line.match_indices(from.as_str()).map(|(at, _)| at).collect();
                let line = line.clone();
                places.into_iter().map(move |at| format!("{}{to}{}", &line[..at], &line[at + from.len()..]))
            })
            .collect::<Vec<String>>()
    };
    let once = moved(old);
    once.iter().any(|line| line == new) || once.iter().any(|line| moved(line).iter().any(|line| line == new))
}

/// Compares the values as `serde_yaml` reads all documents: what differs stands at the pins.
fn wrong_values(before: &str, after: &str, pins: &[&Pin]) -> Option<String> {
    // A neighbour that is a template keeps nobody from changing a document that is none; the lines are judged anyway.
    let (Some(old), Some(new)) = (crude::documents(before), crude::documents(after)) else { return None };
    if old.len() != new.len() {
        return Some("the number of documents changed".to_owned());
    }
    let mut differing = Vec::new();
    for (number, (old, new)) in old.iter().zip(&new).enumerate() {
        differences(old, new, &mut String::new(), &mut |path| differing.push((number, path.to_owned())));
    }
    let is_meant = |path: &str| pins.iter().any(|pin| is_of(path, pin));
    match differing.iter().find(|(_, path)| !is_meant(path)) {
        Some(_) => Some("a value elsewhere changed".to_owned()),
        None if differing.is_empty() => Some("no value changed".to_owned()),
        None => None,
    }
}

/// Whether this value belongs to the pin: it stands there, below, or (a parameter) in the same list.
fn is_of(path: &str, pin: &Pin) -> bool {
    let list = pin.path.rsplit_once("parameters[").map(|(list, _)| format!("{list}parameters["));
    path == pin.path
        || path
            .strip_prefix(pin.path.as_str())
            .is_some_and(|rest| pin.path.is_empty() || rest.starts_with('.'))
        || (pin.form == Form::HelmParameter && list.is_some_and(|list| path.starts_with(&list)))
}

fn differences(old: &Value, new: &Value, path: &mut String, differ: &mut impl FnMut(&str)) {
    let length = path.len();
    match (old, new) {
        (Value::Sequence(old), Value::Sequence(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                write!(path, "[{number}]").unwrap();
                differences(old, new, path, differ);
                path.truncate(length);
            }
        }
        (Value::Mapping(old), Value::Mapping(new)) => {
            for (key, new) in new {
                crude::push_key(path, key);
                match old.get(key) {
                    Some(old) => differences(old, new, path, differ),
                    None => differ(path),
                }
                path.truncate(length);
            }
            if old.keys().any(|key| !new.contains_key(key)) {
                differ(path);
            }
        }
        _ if old == new => {}
        _ => differ(path),
    }
}
