//! A finder that knows nothing but keys with `image` in them, `repository` beside `tag`, and what looks like a reference.

use std::fmt::Write as _;

use lockkeeper::image::Reference;
use serde::Deserialize;
use serde_yaml::Value;

/// Something that may be an image reference.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) document: usize,
    pub(crate) path: String,
    pub(crate) value: String,
    kind: String,
    why: &'static str,
}

impl Seen {
    /// Whether the pin at this path is this one, or a map that it is part of.
    pub(crate) fn is_in(&self, pin: &str, document: usize) -> bool {
        let is_in_it = self.why == "map" && pin.strip_prefix(&self.path) == Some(".repository");
        document == self.document && (is_in_it || self.is_below(pin))
    }

    pub(crate) fn is_below(&self, place: &str) -> bool {
        self.path
            .strip_prefix(place)
            .is_some_and(|rest| place.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
    }

    /// The kind, and the path without its numbers and upper keys.
    pub(crate) fn class(&self) -> String {
        let mut steps: Vec<&str> = self.path.split('.').map(|step| step.split('[').next().unwrap()).collect();
        let last = steps.split_off(steps.len().saturating_sub(3)).join(".");
        format!("{}: {} …{last}", self.why, self.kind)
    }
}

/// All documents, where all are read; merge keys are applied.
pub(crate) fn documents(text: &str) -> Option<Vec<Value>> {
    let text = text.trim_start_matches('\u{feff}');
    let read = serde_yaml::Deserializer::from_str(text).map(|document| {
        let mut value = Value::deserialize(document).ok()?;
        // A merge that is not allowed leaves the value as it is.
        let _ = value.apply_merge();
        Some(value)
    });
    read.collect()
}

/// What may be a reference, by keys and values alone.
pub(crate) fn references(text: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    for (document, value) in documents(text).unwrap_or_default().iter().enumerate() {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or("-").to_owned();
        let mut search = Search { document, kind, seen: Vec::new() };
        search.value(value, &mut String::new(), "");
        seen.append(&mut search.seen);
    }
    seen
}

/// The lines that say `image:` and something like a reference, by their numbers.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let value = line.trim_start_matches(['-', ' ']).strip_prefix("image:")?.split(" #").next()?;
        let value = value.trim().trim_matches(['"', '\'']);
        value.parse::<Reference>().is_ok().then_some((index + 1, value))
    })
}

struct Search {
    document: usize,
    kind: String,
    seen: Vec<Seen>,
}

impl Search {
    fn value(&mut self, value: &Value, path: &mut String, key: &str) {
        let length = path.len();
        match value {
            Value::String(text) => self.text(text, path, key),
            Value::Sequence(items) => {
                for (number, item) in items.iter().enumerate() {
                    write!(path, "[{number}]").unwrap();
                    self.value(item, path, key);
                    path.truncate(length);
                }
            }
            Value::Mapping(entries) => {
                let has = |name: &str| entries.contains_key(name);
                if has("repository") && (has("tag") || has("digest") || key.to_lowercase().contains("image"))
                {
                    let text = entries.get("repository").and_then(Value::as_str).unwrap_or_default();
                    self.add(path, text, "map");
                } else if has("name") && (has("newTag") || has("newName")) {
                    let text = entries.get("name").and_then(Value::as_str).unwrap_or_default();
                    self.add(path, text, "kustomize");
                }
                for (key, value) in entries {
                    push_key(path, key);
                    self.value(value, path, key.as_str().unwrap_or_default());
                    path.truncate(length);
                }
            }
            Value::Tagged(tagged) => self.value(&tagged.value, path, key),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str, path: &str, key: &str) {
        let is_reference = text.parse::<Reference>().is_ok();
        let is_image_key = key.to_lowercase().contains("image");
        if is_reference && is_image_key {
            self.add(path, text, if text.contains(['/', ':', '@']) { "key" } else { "key, bare word" });
        } else if is_reference && has_host(text) {
            self.add(path, text, "shape");
        } else if is_image_key && key == "image" && !text.is_empty() {
            self.add(path, text, "key, no reference");
        }
    }

    fn add(&mut self, path: &str, value: &str, why: &'static str) {
        let (document, path, value, kind) =
            (self.document, path.to_owned(), value.to_owned(), self.kind.clone());
        self.seen.push(Seen { document, path, value, kind, why });
    }
}

/// `registry.example/name:tag`, or the same with a digest: nothing else looks like that.
fn has_host(text: &str) -> bool {
    let Some((host, name)) = text.split_once('/') else { return false };
    host.contains('.') && !name.is_empty() && (name.contains(':') || name.contains('@'))
}

/// Adds a key as the kernel spells it.
pub(crate) fn push_key(path: &mut String, key: &Value) {
    let key = key.as_str().map_or_else(|| format!("{key:?}"), ToOwned::to_owned);
    let dot = if path.is_empty() { "" } else { "." };
    let is_word =
        !key.is_empty() && !key.contains(|char: char| ".[]\"\\".contains(char) || char.is_whitespace());
    if is_word {
        write!(path, "{dot}{key}").unwrap();
    } else {
        write!(path, "{dot}\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")).unwrap();
    }
}
