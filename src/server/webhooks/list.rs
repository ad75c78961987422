//! Lists of senders, read entry by entry, so that no body grows into more than was sent.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{EVENTS_MAX, Id, ParseError, RegistryEvent, form};

/// Most entries that are read of a list about one thing. Images get one tag at a time, checks belong to one or two pull
/// requests, and an App that was given more repositories at once has all of ours looked at.
pub const LIST_MAX: usize = 64;

/// One of the events in a body.
pub(super) trait Entry {
    /// The id, by which a repeat is known.
    fn take_id(&mut self) -> Option<String>;

    /// The push that it tells of, if it does.
    fn push(self) -> Option<RegistryEvent>;
}

/// The pushes in a list of events. Of the others nothing is kept: a body of 1 MiB could hold 350,000 empty events, which
/// would take 60 MB. One that cannot be read costs the others nothing.
pub(super) struct Pushes<T> {
    ids: Ids,
    /// The first ones.
    kept: Vec<RegistryEvent>,
    found: usize,
    /// Why the first of those that cannot be read cannot.
    unreadable: Option<ParseError>,
    entries: PhantomData<T>,
}

/// The ids of all entries: a sender that repeats an event beside new ones has sent something new.
#[derive(Default)]
enum Ids {
    #[default]
    None,
    One(String),
    Many(Sha256),
    /// An entry has none.
    Missing,
}

/// The first entries of a list: a body of 25 MiB could hold eight million empty ones.
pub(super) struct First<T> {
    pub(super) items: Vec<T>,
    /// Whether there were more.
    pub(super) is_cut: bool,
}

impl<T> Pushes<T> {
    /// By what the delivery is known.
    pub(super) fn id(&mut self) -> Id {
        match std::mem::take(&mut self.ids) {
            Ids::One(id) => Id::Sent(Some(id)),
            Ids::Many(hash) => Id::Sent(Some(hex::encode(hash.finalize()))),
            Ids::None | Ids::Missing => Id::Bytes,
        }
    }

    /// All of them.
    pub(super) fn all(self) -> Result<Vec<RegistryEvent>, ParseError> {
        match self.unreadable {
            _ if self.found > EVENTS_MAX => Err(ParseError::TooManyEvents { found: self.found }),
            Some(reason) if self.kept.is_empty() => Err(reason),
            Some(reason) => {
                tracing::warn!(%reason, "part of a delivery cannot be read");
                Ok(self.kept)
            }
            None => Ok(self.kept),
        }
    }

    fn add(&mut self, raw: &RawValue)
    where
        T: Entry + DeserializeOwned,
    {
        match serde_json::from_str::<T>(raw.get()) {
            Err(error) => {
                self.ids.add(None);
                self.unreadable.get_or_insert_with(|| form(&error));
            }
            Ok(mut entry) => {
                self.ids.add(entry.take_id());
                if let Some(push) = entry.push() {
                    self.found += 1;
                    if self.kept.len() < EVENTS_MAX {
                        self.kept.push(push);
                    }
                }
            }
        }
    }
}

impl Ids {
    fn add(&mut self, id: Option<String>) {
        *self = match (std::mem::take(self), id) {
            (Self::Missing, _) | (_, None) => Self::Missing,
            (Self::None, Some(id)) => Self::One(id),
            (Self::One(first), Some(id)) => Self::Many(hashed(hashed(Sha256::new(), &first), &id)),
            (Self::Many(hash), Some(id)) => Self::Many(hashed(hash, &id)),
        };
    }
}

/// With the length before it, so that no two lists of ids make the same text.
fn hashed(hash: Sha256, id: &str) -> Sha256 {
    hash.chain_update(id.len().to_le_bytes()).chain_update(id)
}

impl<'de, T: Entry + DeserializeOwned> Deserialize<'de> for Pushes<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PushesVisitor(PhantomData))
    }
}

struct PushesVisitor<T>(PhantomData<T>);

impl<'de, T: Entry + DeserializeOwned> Visitor<'de> for PushesVisitor<T> {
    type Value = Pushes<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pushes<T>, A::Error> {
        let mut pushes =
            Pushes { ids: Ids::None, kept: Vec::new(), found: 0, unreadable: None, entries: PhantomData };
        while let Some(raw) = list.next_element::<&RawValue>()? {
            pushes.add(raw);
        }
        Ok(pushes)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FirstVisitor(PhantomData))
    }
}

struct FirstVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
    type Value = First<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
        let mut items = Vec::new();
        while items.len() < LIST_MAX {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(First { items, is_cut: false }),
            }
        }
        let mut is_cut = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(First { items, is_cut })
    }
}
