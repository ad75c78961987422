//! The proof: a reader that shares no code with the parser of the spans reads the document before and after, and finds
//! the one value changed and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::edit::{Change, Effect};
use super::tree::{Id, Tree};
use super::{Refusal, entangle};

/// Proves that `after` reads as the document of `tree` with just these changes.
pub(super) fn prove(tree: &Tree<'_>, after: &str, changes: &[Change]) -> Result<(), Refusal> {
    let line = changes.first().map_or(tree.document.line, |change| tree.node(change.node).line);
    let refuse = |reason: String| Refusal { line, reason: format!("cannot prove the change: {reason}") };
    let read =
        |text: &str, when: &str| Reading::of(text).map_err(|error| refuse(format!("{when} it, {error}")));
    // First, for it refuses what aliases blow up; the reader would fill the memory.
    let nodes: BTreeSet<Id> = changes.iter().map(|change| change.node).collect();
    let places = entangle::written(tree, &nodes)?;
    let (before, after) = (read(tree.document.text, "before")?, read(after, "after")?);
    let expected = expected(&places, &before, changes)
        .ok_or_else(|| refuse("both parsers read another tree".to_owned()))?;
    match difference(&before, &after, &expected) {
        None => Ok(()),
        Some(difference) => Err(refuse(difference)),
    }
}

/// Most bytes of text of one reading: four times the largest file. Aliases repeat text, so a file of 1 MB could read as
/// terabytes.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// A document in the order of its nodes.
#[derive(Debug, Default)]
struct Reading {
    tokens: Vec<Token>,
    text: String,
}

/// One step of a [`Reading`].
#[derive(Debug, Clone, Copy)]
enum Token {
    Null,
    Bool(bool),
    Integer(i128),
    /// The bits of a float.
    Float(u64),
    /// A range of the reading's text.
    Text {
        start: usize,
        end: usize,
    },
    /// The tag of the next value, a range of the text.
    Tag {
        start: usize,
        end: usize,
    },
    /// A list up to the `End` token at this number.
    Sequence {
        end: usize,
    },
    /// A map up to the `End` token at this number.
    Mapping {
        end: usize,
    },
    End,
}

/// What is to be found in the reading after the change.
#[derive(Debug, Default)]
struct Expected<'c> {
    /// By the number of the token before: what its value becomes.
    values: BTreeMap<usize, &'c str>,
    /// By the number of the token it is put before: a key and its value.
    keys: BTreeMap<usize, (&'static str, &'c str)>,
}

/// Where the changes show in the reading before; none where it has no such place.
fn expected<'c>(
    places: &[(Id, Vec<usize>)],
    before: &Reading,
    changes: &'c [Change],
) -> Option<Expected<'c>> {
    let mut expected = Expected::default();
    for change in changes {
        for (_, steps) in places.iter().filter(|(node, _)| *node == change.node) {
            let at = before.locate(steps)?;
            match &change.effect {
                Effect::Value(value) => {
                    expected.values.insert(at, value);
                }
                Effect::Key { name, value, after } => {
                    let entry = before.child(at, *after)?;
                    expected.keys.insert(before.next(entry), (name, value));
                }
            }
        }
    }
    Some(expected)
}

/// The first thing that is not as expected.
fn difference(before: &Reading, after: &Reading, expected: &Expected<'_>) -> Option<String> {
    let mut at = 0;
    for (number, token) in before.tokens.iter().enumerate() {
        if let Some((key, value)) = expected.keys.get(&number) {
            if after.text_at(at) != Some(key) || after.text_at(at + 1) != Some(value) {
                return Some(format!("`{key}` does not read as added"));
            }
            at += 2;
        }
        let is_equal = match expected.values.get(&number) {
            Some(value) => after.text_at(at) == Some(value),
            None => after.tokens.get(at).is_some_and(|other| is_same(before, *token, after, *other)),
        };
        if !is_equal {
            return Some(match expected.values.get(&number) {
                Some(value) => format!("the place does not read as `{value}` afterwards"),
                None => "something else changes with it".to_owned(),
            });
        }
        at += 1;
    }
    (at != after.tokens.len()).then(|| "something is added to the document".to_owned())
}

fn is_same(before: &Reading, token: Token, after: &Reading, other: Token) -> bool {
    match (token, other) {
        (Token::Null, Token::Null)
        | (Token::End, Token::End)
        | (Token::Sequence { .. }, Token::Sequence { .. })
        | (Token::Mapping { .. }, Token::Mapping { .. }) => true,
        (Token::Bool(one), Token::Bool(two)) => one == two,
        (Token::Integer(one), Token::Integer(two)) => one == two,
        (Token::Float(one), Token::Float(two)) => one == two,
        (Token::Text { start, end }, Token::Text { start: from, end: to })
        | (Token::Tag { start, end }, Token::Tag { start: from, end: to }) => {
            before.text.get(start..end) == after.text.get(from..to)
        }
        _ => false,
    }
}

impl Reading {
    fn of(text: &str) -> Result<Self, serde_yaml::Error> {
        let mut reading = Self::default();
        // The reader counts a byte order mark as a column and then misses the `---` behind it. Both texts have the same.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // As many bytes as the text at most, but for aliases; a token for every eight bytes is usual.
        reading.text.reserve(text.len());
        reading.tokens.reserve(text.len() / 8);
        reading.read(serde_yaml::Deserializer::from_str(text))?;
        Ok(reading)
    }

    fn read<'de, D: serde::Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Reader(self))
    }

    fn push_text<E: Error>(&mut self, text: &str) -> Result<(usize, usize), E> {
        let start = self.text.len();
        if start + text.len() > TEXT_BYTES_MAX {
            return Err(E::custom(format!("aliases make more than {TEXT_BYTES_MAX} bytes of text")));
        }
        self.text.push_str(text);
        Ok((start, self.text.len()))
    }

    /// The number of the token after a whole value.
    fn next(&self, at: usize) -> usize {
        match self.tokens.get(at) {
            Some(Token::Sequence { end } | Token::Mapping { end }) => end + 1,
            Some(Token::Tag { .. }) => self.next(at + 1),
            _ => at + 1,
        }
    }

    /// The value of this number in a list or map.
    fn child(&self, at: usize, number: usize) -> Option<usize> {
        let (end, values_each) = match self.tokens.get(at)? {
            Token::Tag { .. } => return self.child(at + 1, number),
            Token::Sequence { end } => (*end, 1),
            Token::Mapping { end } => (*end, 2),
            Token::Null
            | Token::Bool(_)
            | Token::Integer(_)
            | Token::Float(_)
            | Token::Text { .. }
            | Token::End => {
                return None;
            }
        };
        let mut child = at + 1;
        for _ in 0..number * values_each + (values_each - 1) {
            child = self.next(child);
        }
        (child < end).then_some(child)
    }

    /// The value at the end of these steps, behind its tag if it has one.
    fn locate(&self, steps: &[usize]) -> Option<usize> {
        let mut at = steps.iter().try_fold(0, |at, step| self.child(at, *step))?;
        while let Some(Token::Tag { .. }) = self.tokens.get(at) {
            at += 1;
        }
        Some(at)
    }

    fn text_at(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at)? {
            Token::Text { start, end } => self.text.get(*start..*end),
            Token::Null
            | Token::Bool(_)
            | Token::Integer(_)
            | Token::Float(_)
            | Token::Tag { .. }
            | Token::Sequence { .. }
            | Token::Mapping { .. }
            | Token::End => None,
        }
    }
}

/// Writes what is read into a [`Reading`].
struct Reader<'r>(&'r mut Reading);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.read(deserializer)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.tokens.push(Token::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.0.tokens.push(Token::Integer(value));
        Ok(())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        // Above the range of i128 it is told apart by its digits.
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.tokens.push(Token::Float(value.to_bits()));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let (start, end) = self.0.push_text(value)?;
        self.0.tokens.push(Token::Text { start, end });
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.tokens.push(Token::Null);
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let at = self.0.tokens.len();
        self.0.tokens.push(Token::End);
        while items.next_element_seed(Reader(self.0))?.is_some() {}
        let end = self.0.tokens.len();
        self.0.tokens.push(Token::End);
        if let Some(token) = self.0.tokens.get_mut(at) {
            *token = Token::Sequence { end };
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let at = self.0.tokens.len();
        self.0.tokens.push(Token::End);
        while entries.next_key_seed(Reader(self.0))?.is_some() {
            entries.next_value_seed(Reader(self.0))?;
        }
        let end = self.0.tokens.len();
        self.0.tokens.push(Token::End);
        if let Some(token) = self.0.tokens.get_mut(at) {
            *token = Token::Mapping { end };
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        let (start, end) = self.0.push_text(&tag)?;
        self.0.tokens.push(Token::Tag { start, end });
        content.newtype_variant_seed(Reader(self.0))
    }
}
