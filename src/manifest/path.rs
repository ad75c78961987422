//! Places in a document, and how they are spelled: `spec.containers[0].image`, `metadata."a.b/c"`.

use std::fmt;

/// One step down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

/// A place, linked upwards: going down costs nothing, only what is found is spelled out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Below { parent: &'p Self, step: Step<'p> },
}

impl<'p> Path<'p> {
    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Path::Below { parent: self, step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> Self {
        Path::Below { parent: self, step: Step::Index(index) }
    }

    /// How many steps down it is.
    pub(super) fn depth(&self) -> usize {
        let mut depth = 0;
        let mut path = self;
        while let Path::Below { parent, .. } = path {
            (depth, path) = (depth + 1, *parent);
        }
        depth
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Path::Below { parent, step } = self else { return Ok(()) };
        fmt::Display::fmt(parent, formatter)?;
        let dot = if matches!(parent, Path::Root) { "" } else { "." };
        match step {
            Step::Index(index) => write!(formatter, "[{index}]"),
            Step::Key(key) if is_word(key) => write!(formatter, "{dot}{key}"),
            Step::Key(key) => {
                write!(formatter, "{dot}\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
            }
        }
    }
}

/// A step of a path that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnedStep {
    Key(String),
    Index(usize),
}

/// Reads a path as it is spelled here; none where the spelling is off.
pub(super) fn parse(text: &str) -> Option<Vec<OwnedStep>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']')?;
            steps.push(OwnedStep::Index(index.parse().ok()?));
            rest = after;
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.')?;
        }
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_key(quoted)?,
            None => bare_key(rest)?,
        };
        steps.push(OwnedStep::Key(key));
        rest = after;
    }
    (!steps.is_empty()).then_some(steps)
}

fn bare_key(text: &str) -> Option<(String, &str)> {
    let (key, after) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    is_word(key).then(|| (key.to_owned(), after))
}

/// The key up to the closing quote, and what follows it.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((key, text.get(at + 1..)?)),
            '\\' => key.push(chars.next()?.1),
            other => key.push(other),
        }
    }
    None
}

/// Whether a key needs no quotes.
fn is_word(key: &str) -> bool {
    !key.is_empty()
        && !key.contains(|c: char| {
            matches!(c, '.' | '[' | ']' | '"' | '\\') || c.is_whitespace() || c.is_control()
        })
}
