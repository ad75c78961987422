//! A value of the file together with its key path and line, and the report that collects what is wrong.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::FileError;
use super::places::Place;
use crate::pipeline::{Pattern, is_hidden, nearest};

/// Most errors returned: one screen, after which the rest is better seen in the next run.
const ERRORS_MAX: usize = 50;
/// Most characters of the file that an error repeats.
const SHOWN_CHARS_MAX: usize = 100;
/// The key path of what concerns the whole file.
const WHOLE_FILE: &str = "(file)";
const PATTERN_WANTED: &str = "a regular expression";
/// Most edits between a mistyped word and the one meant.
const TYPO_EDITS_MAX: usize = 2;

/// Keys that people look for in another place: the map where they stand, the key, and where it belongs.
const ELSEWHERE: [(&str, &str, &str); 7] = [
    ("gates", "signed", "images[].signed_by"),
    ("gates", "signed_by", "images[].signed_by"),
    ("gates", "platforms", "images[].platforms"),
    ("gates", "minimum_age", "images[].minimum_age"),
    ("stages", "signed_by", "images[].signed_by"),
    ("stages", "healthy", "stages[].gates.healthy"),
    ("images", "provenance", "stages[].gates.provenance"),
];

/// Most different expressions in a file: one for each of 1,000 pipelines, at about 24 KiB (measured) 24 MiB.
const PATTERNS_MAX: usize = 1_000;

/// What is wrong in the file so far, and the expressions in it.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<FileError>,
    /// By their text: each is compiled once.
    patterns: BTreeMap<String, Pattern>,
}

/// A value, its key path and its line.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) key: String,
    pub(super) line: usize,
    value: &'a Value,
    place: Option<&'a Place>,
}

/// The names that a map takes: those of this version, and those that a later version brings.
pub(super) struct Names {
    pub(super) known: &'static [&'static str],
    pub(super) later: &'static [&'static str],
}

impl Report {
    pub(super) fn add(&mut self, node: &Node<'_>, reason: impl Into<String>) {
        self.add_at(&node.key, node.line, reason);
    }

    pub(super) fn add_at(&mut self, key: &str, line: usize, reason: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            let key = if key.is_empty() { WHOLE_FILE } else { key };
            self.errors.push(FileError { line, key: key.to_owned(), reason: reason.into() });
        }
    }

    /// The expression that stands here.
    pub(super) fn pattern(&mut self, node: &Node<'_>) -> Option<Pattern> {
        let text = node.text(PATTERN_WANTED, self)?;
        if let Some(known) = self.patterns.get(text) {
            return Some(known.clone());
        }
        if self.patterns.len() >= PATTERNS_MAX {
            self.add(node, format!("wanted at most {PATTERNS_MAX} different expressions in a file"));
            return None;
        }
        let pattern: Pattern = node.parsed(PATTERN_WANTED, str::parse, self)?;
        self.patterns.insert(text.to_owned(), pattern.clone());
        Some(pattern)
    }

    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    /// The errors in the order of the file.
    pub(super) fn into_errors(mut self) -> Vec<FileError> {
        self.errors.sort_by_key(|error| error.line);
        self.errors
    }
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value, place: &'a Place) -> Self {
        Self { key: String::new(), line: place.line, value, place: Some(place) }
    }

    /// The value under this key; it must exist, or the report says so.
    pub(super) fn required(&self, name: &str, report: &mut Report) -> Option<Self> {
        let found = self.get(name);
        if found.is_none() && self.value.is_mapping() {
            report.add(self, format!("wanted the key `{name}`, which is missing"));
        }
        found
    }

    /// The value under this key, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?;
        let place = self.place.and_then(|place| place.of_key(name));
        let key = if self.key.is_empty() { shown(name) } else { format!("{}.{}", self.key, shown(name)) };
        Some(Self { key, line: place.map_or(self.line, |place| place.line), value, place })
    }

    /// Checks that this is a map of these names only; says each that it does not know.
    pub(super) fn is_map_of(&self, names: &Names, report: &mut Report) -> bool {
        let Value::Mapping(map) = self.value else {
            report.add(self, format!("wanted a map with {}, found {}", list_of(names.known), self.found()));
            return false;
        };
        for name in map.keys() {
            let Some(name) = name.as_str() else {
                report.add(self, format!("wanted words as keys, found {}", kind(name)));
                continue;
            };
            if report.is_full() {
                break;
            }
            if !names.known.contains(&name) {
                let line =
                    self.place.and_then(|place| place.of_key(name)).map_or(self.line, |place| place.line);
                let key =
                    if self.key.is_empty() { shown(name) } else { format!("{}.{}", self.key, shown(name)) };
                let reason = elsewhere(&self.key, name).unwrap_or_else(|| unknown_name(name, names));
                report.add_at(&key, line, reason);
            }
        }
        true
    }

    /// The items of a list with at most `items_max`.
    pub(super) fn items(&self, items_max: usize, report: &mut Report) -> Option<Vec<Self>> {
        let Value::Sequence(items) = self.value else {
            report.add(self, format!("wanted a list, found {}", self.found()));
            return None;
        };
        if items.len() > items_max {
            report.add(self, format!("wanted at most {items_max} items, found {}", items.len()));
            return None;
        }
        let node = |(index, value): (usize, &'a Value)| {
            let place = self.place.and_then(|place| place.of_item(index));
            let line = place.map_or(self.line, |place| place.line);
            Self { key: format!("{}[{index}]", self.key), line, value, place }
        };
        Some(items.iter().enumerate().map(node).collect())
    }

    /// The entries of a map of at most `entries_max`, whose keys are words.
    pub(super) fn entries(&self, entries_max: usize, report: &mut Report) -> Option<Vec<(&'a str, Self)>> {
        let Value::Mapping(map) = self.value else {
            report.add(self, format!("wanted a map, found {}", self.found()));
            return None;
        };
        if map.len() > entries_max {
            report.add(self, format!("wanted at most {entries_max} entries, found {}", map.len()));
            return None;
        }
        let mut entries = Vec::new();
        for name in map.keys() {
            match name.as_str() {
                Some(text) => entries.extend(self.get(text).map(|value| (text, value))),
                None => report.add(self, format!("wanted words as keys, found {}", kind(name))),
            }
        }
        Some(entries)
    }

    /// The items of a list, or the one word alone.
    pub(super) fn items_or_one(&self, items_max: usize, report: &mut Report) -> Option<Vec<Self>> {
        match self.value {
            Value::String(_) => Some(vec![self.clone()]),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Sequence(_)
            | Value::Mapping(_)
            | Value::Tagged(_) => self.items(items_max, report),
        }
    }

    pub(super) fn is_map(&self) -> bool {
        self.value.is_mapping()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_sequence()
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_string()
    }

    pub(super) fn text(&self, wanted: &str, report: &mut Report) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            Value::Number(_) | Value::Bool(_) => {
                report.add(self, format!("wanted {wanted}, found {}; put it in quotes", self.found()));
                None
            }
            Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
                report.add(self, format!("wanted {wanted}, found {}", self.found()));
                None
            }
        }
    }

    /// A text that `parse` reads; its error is a fragment with the value wanted and the value found.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &self,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        report: &mut Report,
    ) -> Option<T> {
        self.checked(self.text(wanted, report)?, parse, report)
    }

    /// What `parse` makes of a text that stands here.
    pub(super) fn checked<T, E: std::fmt::Display>(
        &self,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        report: &mut Report,
    ) -> Option<T> {
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                report.add(self, shown_reason(&error.to_string()));
                None
            }
        }
    }

    pub(super) fn number(&self, wanted: &str, report: &mut Report) -> Option<u64> {
        let number = self.value.as_u64();
        if number.is_none() {
            report.add(self, format!("wanted {wanted}, found {}", self.found()));
        }
        number
    }

    pub(super) fn truth(&self, report: &mut Report) -> Option<bool> {
        let truth = self.value.as_bool();
        if truth.is_none() {
            report.add(self, format!("wanted `true` or `false`, found {}", self.found()));
        }
        truth
    }

    /// One of these words; `later` are those that a later version brings.
    pub(super) fn one_of<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        later: &[&str],
        report: &mut Report,
    ) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let text = self.text(&list_of(&names), report)?;
        if let Some((_, meant)) = words.iter().find(|(name, _)| *name == text) {
            return Some(*meant);
        }
        if later.contains(&text) {
            report
                .add(self, format!("`{text}` is not supported by this version; wanted {}", list_of(&names)));
        } else {
            let hint = did_you_mean(text, &names);
            report.add(self, format!("wanted {}, found `{}`{hint}", list_of(&names), shown(text)));
        }
        None
    }

    /// What stands here, for people.
    pub(super) fn found(&self) -> String {
        let spelled = self.place.and_then(|place| place.spelled.as_deref()).unwrap_or_default();
        match self.value {
            Value::String(_) => format!("the text `{}`", shown(spelled)),
            Value::Number(_) => format!("the number `{}`", shown(spelled)),
            Value::Bool(_) => format!("`{}`", shown(spelled)),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
                kind(self.value).to_owned()
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
        Value::Tagged(_) => "a tag",
    }
}

/// Where a key belongs that stands in the wrong map.
fn elsewhere(parent: &str, name: &str) -> Option<String> {
    let map = parent.rsplit('.').next()?.split('[').next()?;
    let found = ELSEWHERE.iter().find(|(of, key, _)| *of == map && *key == name);
    found.map(|(_, _, place)| format!("it stands elsewhere: `{place}`"))
}

fn unknown_name(name: &str, names: &Names) -> String {
    if names.later.contains(&name) {
        return "not supported by this version".to_owned();
    }
    let hint = did_you_mean(name, names.known);
    format!("unknown key; wanted {}{hint}", list_of(names.known))
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied(), TYPO_EDITS_MAX) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => String::new(),
    }
}

/// `a`, `b` or `c`.
fn list_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Text of the file as an error may repeat it: short, and without characters that act on a terminal or page.
pub(super) fn shown(text: &str) -> String {
    shown_reason(&text.chars().take(SHOWN_CHARS_MAX).collect::<String>())
}

pub(super) fn shown_reason(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
