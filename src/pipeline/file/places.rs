//! Where each value of the file stands, and the refusal of what a rule file must not use.
//!
//! The values are read by `serde_yaml`, which tells no lines; the lines come from `granit-parser`, whose spans are
//! exact. Its pass comes first and keeps out what would let a small file grow (anchors, aliases), hide a rule (keys
//! written twice, merge keys, several documents) or mean one thing to one reader and another to the next (tags).

use std::borrow::Cow;
use std::collections::BTreeSet;

use granit_parser::{Event, Parser, Span};

/// Deepest nesting. The deepest place that means something is `pipelines[].stages[].gates.approvals.from[]`, at 8.
const DEPTH_MAX: usize = 16;
/// Most values in a file: 1 MiB holds 131,072 at 8 bytes each, and 1,000 pipelines of 4 stages have about 80,000.
const VALUES_MAX: usize = 200_000;

/// One value: its line, how it is spelled if it is one word, and what is in it.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The line of the value, from 1; of a value under a key, the line of the key.
    pub(super) line: usize,
    /// The text of a scalar, before it is taken for a number or anything else.
    pub(super) spelled: Option<String>,
    keys: Vec<String>,
    values: Vec<Place>,
}

/// Why the file is refused before any of its values is looked at.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) line: usize,
    pub(super) reason: String,
}

impl Place {
    /// The place of the value under this key.
    pub(super) fn of_key(&self, key: &str) -> Option<&Self> {
        let index = self.keys.iter().position(|known| known == key)?;
        self.values.get(index)
    }

    /// The place of the item at this index, from 0.
    pub(super) fn of_item(&self, index: usize) -> Option<&Self> {
        self.values.get(index)
    }
}

/// Finds all places of the one document of the file; none for an empty file.
pub(super) fn places(text: &str) -> Result<Option<Place>, Refused> {
    let mut builder = Builder::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Refused {
            line: error.marker().line().max(1),
            reason: format!("this is no YAML: {}", error.info()),
        })?;
        builder.take(event, &span)?;
    }
    Ok(builder.root)
}

/// A list or map that is still open.
struct Open {
    place: Place,
    /// None of a list; of a map the keys seen.
    seen: Option<BTreeSet<String>>,
    /// The key whose value comes next, and its line.
    key: Option<(String, usize)>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Place>,
    documents: usize,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Refused> {
        let line = span.start.line().max(1);
        let refused = |reason: &str| Refused { line, reason: reason.to_owned() };
        if event.tag().is_some() {
            return Err(refused("wanted plain values, found a tag (`!…`)"));
        }
        if event.anchor_id().is_some() {
            return Err(refused("wanted the values written out, found an anchor (`&…`)"));
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                match self.documents {
                    1 => Ok(()),
                    _ => Err(refused("wanted one document, found a second one (`---`)")),
                }
            }
            Event::Scalar(text, ..) => self.scalar(text, line),
            Event::SequenceStart(..) => self.start(line, None),
            Event::MappingStart(..) => self.start(line, Some(BTreeSet::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.put(open.place),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err(refused("wanted the values written out, found an alias (`*…`)"))
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::Comment(..) => Ok(()),
            _ => Err(refused("wanted plain values, found a form of YAML that is not known here")),
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, line: usize) -> Result<(), Refused> {
        let Some(Open { seen: Some(seen), key: key @ None, .. }) = self.open.last_mut() else {
            let spelled = Some(text.into_owned());
            return self.put(Place { line, spelled, ..Place::default() });
        };
        if text == "<<" {
            let reason = "wanted the values written out, found a merge key (`<<`)".to_owned();
            return Err(Refused { line, reason });
        }
        let text = text.into_owned();
        if !seen.insert(text.clone()) {
            return Err(Refused {
                line,
                reason: format!("key `{}` is written twice", super::node::shown(&text)),
            });
        }
        *key = Some((text, line));
        Ok(())
    }

    fn start(&mut self, line: usize, seen: Option<BTreeSet<String>>) -> Result<(), Refused> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Refused { line, reason: format!("wanted at most {DEPTH_MAX} levels, found more") });
        }
        if let Some(Open { seen: Some(_), key: None, .. }) = self.open.last() {
            return Err(Refused { line, reason: "wanted a word as key, found a list or map".to_owned() });
        }
        self.open.push(Open { place: Place { line, ..Place::default() }, seen, key: None });
        Ok(())
    }

    /// Puts a finished value where it belongs: under the key before it, at the end of the list, or as the root.
    fn put(&mut self, mut place: Place) -> Result<(), Refused> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(Refused {
                line: place.line,
                reason: format!("wanted at most {VALUES_MAX} values, found more"),
            });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(place);
            return Ok(());
        };
        if let Some((key, line)) = open.key.take() {
            place.line = line;
            open.place.keys.push(key);
        }
        open.place.values.push(place);
        Ok(())
    }
}
