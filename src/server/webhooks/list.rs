//! Lists of senders, read entry by entry, so that no body grows into more than was sent.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{EVENTS_MAX, ParseError, RegistryEvent};

/// Most entries that are read of a list about one thing. Images get one tag at a time, checks belong to one or two pull
/// requests, and an App that was given more repositories at once has all of ours looked at.
pub const LIST_MAX: usize = 64;

/// One of the events in a body.
pub(super) trait Entry {
    /// The id, of which that of the first entry is asked for.
    fn take_id(&mut self) -> Option<String>;

    /// The push that it tells of, if it does.
    fn push(self) -> Option<RegistryEvent>;
}

/// The pushes in a list of events. Of the others nothing is kept: a body of 1 MiB could hold 350,000 empty events, which
/// would take 60 MB.
pub(super) struct Pushes<T> {
    pub(super) first_id: Option<String>,
    /// The first ones.
    kept: Vec<RegistryEvent>,
    found: usize,
    entries: PhantomData<T>,
}

/// The first entries of a list: a body of 25 MiB could hold eight million empty ones.
pub(super) struct First<T> {
    pub(super) items: Vec<T>,
    /// Whether there were more.
    pub(super) is_cut: bool,
}

impl<T> Pushes<T> {
    /// All of them.
    pub(super) fn all(self) -> Result<Vec<RegistryEvent>, ParseError> {
        if self.found > EVENTS_MAX {
            Err(ParseError::TooManyEvents { found: self.found })
        } else {
            Ok(self.kept)
        }
    }
}

impl<'de, T: Entry + Deserialize<'de>> Deserialize<'de> for Pushes<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PushesVisitor(PhantomData))
    }
}

struct PushesVisitor<T>(PhantomData<T>);

impl<'de, T: Entry + Deserialize<'de>> Visitor<'de> for PushesVisitor<T> {
    type Value = Pushes<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pushes<T>, A::Error> {
        let mut pushes = Pushes { first_id: None, kept: Vec::new(), found: 0, entries: PhantomData };
        let mut is_first = true;
        while let Some(mut entry) = list.next_element::<T>()? {
            if std::mem::take(&mut is_first) {
                pushes.first_id = entry.take_id();
            }
            if let Some(push) = entry.push() {
                pushes.found += 1;
                if pushes.kept.len() < EVENTS_MAX {
                    pushes.kept.push(push);
                }
            }
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
