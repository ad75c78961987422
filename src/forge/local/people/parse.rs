//! Reads a people file; every error says the file, the line, the column and the key.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use super::{AppEntry, PEOPLE_BYTES_MAX, PeopleFile, PersonEntry};
use crate::bounded;
use crate::forge::PersonId;
use crate::forge::local::{BOT_ID, BOT_NAME, FORGE_ID, FORGE_NAME};

/// The longest name, in bytes, as at other forges.
const NAME_BYTES_MAX: usize = 39;

/// Why the people file does not count.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// It cannot be read.
    #[error("people file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("people file {}, line {line}, column {column}, at `{key}`: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The key, from the root.
        key: String,
        /// What was wanted, and what was found.
        reason: String,
    },
}

impl PeopleError {
    /// The reading was stopped, as when the process ends.
    pub(super) fn stopped() -> Self {
        Self::Read { path: PathBuf::new(), source: std::io::Error::other("reading was stopped") }
    }
}

/// The bytes of the file, at most [`PEOPLE_BYTES_MAX`].
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, PeopleError> {
    bounded::read(path, PEOPLE_BYTES_MAX)
        .map_err(|source| PeopleError::Read { path: path.to_owned(), source })
}

/// The people that these bytes list; `path` is for the error.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<PeopleFile, PeopleError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let found = Whole.deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    let (people, key) = match found {
        Ok(people) => (json.end().map(|()| people), ".".to_owned()),
        Err(error) => (Err(error), track.path().to_string()),
    };
    people.map_err(|error| wrong(path, &key, &error))
}

fn wrong(path: &Path, key: &str, error: &serde_json::Error) -> PeopleError {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let reason = text.strip_suffix(&position).unwrap_or(&text).to_owned();
    PeopleError::Wrong {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        key: key.to_owned(),
        reason,
    }
}

/// A name: 1 to 39 of `[A-Za-z0-9._-]`, a letter or digit first.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && text.len() <= NAME_BYTES_MAX && text.bytes().all(is_inside) {
        return Ok(text);
    }
    let found: String = text.chars().take(60).collect();
    Err(D::Error::custom(format!(
        "name {found:?} is not 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` or `.`, a letter or digit first"
    )))
}

/// 64 hex digits. The value is not repeated in the error: somebody may have put the token itself there.
pub(super) fn token_sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut hash = [0; 32];
    let wanted = "not the 64 hex digits of a SHA-256: keep only the hash of a token here";
    hex::decode_to_slice(&text, &mut hash).map_err(|_| D::Error::custom(wanted))?;
    Ok(Some(hash))
}

/// What was seen so far; people and apps share their ids, names and tokens.
struct Seen {
    ids: BTreeSet<PersonId>,
    names: BTreeSet<String>,
    tokens: BTreeSet<[u8; 32]>,
}

impl Seen {
    fn new() -> Self {
        let names = [BOT_NAME, FORGE_NAME].map(str::to_owned);
        Self {
            ids: BTreeSet::from([BOT_ID, FORGE_ID]),
            names: BTreeSet::from(names),
            tokens: BTreeSet::new(),
        }
    }

    fn add<E: serde::de::Error>(&mut self, entry: &impl Entry) -> Result<(), E> {
        let (id, name, token) = entry.parts();
        if !self.ids.insert(id) {
            return Err(E::custom(format!("id {id} is taken already")));
        }
        // Names that differ in case alone would be mistaken for each other by people.
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(E::custom(format!("name `{name}` is taken already")));
        }
        if token.is_some_and(|token| !self.tokens.insert(token)) {
            return Err(E::custom(format!("the token of `{name}` is somebody else's already")));
        }
        Ok(())
    }
}

trait Entry: DeserializeOwned {
    fn parts(&self) -> (PersonId, &str, Option<[u8; 32]>);
}

impl Entry for PersonEntry {
    fn parts(&self) -> (PersonId, &str, Option<[u8; 32]>) {
        (self.id, &self.name, self.token_sha256)
    }
}

impl Entry for AppEntry {
    fn parts(&self) -> (PersonId, &str, Option<[u8; 32]>) {
        (self.id, &self.name, self.token_sha256)
    }
}

/// The whole file. Written by hand, as a duplicate must be refused where it stands, across both lists.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = PeopleFile;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PeopleFile, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = PeopleFile;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the lists `people` and `apps`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PeopleFile, A::Error> {
        let seen = RefCell::new(Seen::new());
        let (mut people, mut apps) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            let taken = || A::Error::custom("the key stands there twice");
            match key.as_str() {
                "people" if people.is_some() => return Err(taken()),
                "apps" if apps.is_some() => return Err(taken()),
                "people" => people = Some(map.next_value_seed(List::new(&seen))?),
                "apps" => apps = Some(map.next_value_seed(List::new(&seen))?),
                key => return Err(A::Error::unknown_field(key, &["people", "apps"])),
            }
        }
        Ok(PeopleFile { people: people.unwrap_or_default(), apps: apps.unwrap_or_default() })
    }
}

struct List<'seen, T> {
    seen: &'seen RefCell<Seen>,
    entries: Vec<T>,
}

impl<'seen, T> List<'seen, T> {
    fn new(seen: &'seen RefCell<Seen>) -> Self {
        Self { seen, entries: Vec::new() }
    }
}

impl<'de, T: Entry> DeserializeSeed<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Entry> Visitor<'de> for List<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Vec<T>, A::Error> {
        while let Some(entry) = list.next_element_seed(One::<T> { seen: self.seen, entry: PhantomData })? {
            self.entries.push(entry);
        }
        Ok(self.entries)
    }
}

/// One entry; it is counted as seen inside of the element, so that an error carries the element's position.
struct One<'seen, T> {
    seen: &'seen RefCell<Seen>,
    entry: PhantomData<T>,
}

impl<'de, T: Entry> DeserializeSeed<'de> for One<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let entry = T::deserialize(deserializer)?;
        self.seen.borrow_mut().add(&entry)?;
        Ok(entry)
    }
}
