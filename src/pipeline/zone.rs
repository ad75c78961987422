//! A time zone, by its name in the IANA database.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _};
use serde::{Serialize, Serializer};

/// Longest name; the longest in the database has 32 bytes.
const NAME_BYTES_MAX: usize = 64;

/// A time zone. Its rules are those that came with the program, so that they are the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted a time zone by its IANA name, such as `Europe/Berlin` or `UTC`, found `{found}`")]
pub struct ZoneError {
    found: String,
}

impl Zone {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What a clock on the wall there shows.
    pub(super) fn wall(&self, at: Timestamp) -> DateTime {
        self.0.to_datetime(at)
    }

    /// The times at which a clock on the wall there shows this: none, one, or, when it is set back, two.
    pub(super) fn times(&self, wall: DateTime) -> impl Iterator<Item = Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(wall);
        let found = [ambiguous.earlier(), ambiguous.later()];
        found.into_iter().flatten().filter(move |at| self.wall(*at) == wall)
    }

    /// The first and the last time that may be meant by this; the same but where a clock is set.
    pub(super) fn bounds(&self, wall: DateTime) -> Option<(Timestamp, Timestamp)> {
        let ambiguous = self.0.to_ambiguous_timestamp(wall);
        Some((ambiguous.earlier().ok()?, ambiguous.later().ok()?))
    }

    /// When a clock on the wall there is set after `from`, until so many days later.
    pub(super) fn changes(&self, from: Timestamp, days: i64) -> impl Iterator<Item = Timestamp> {
        let until = from.checked_add((24 * days).hours()).unwrap_or(Timestamp::MAX);
        self.0.following(from).map(|change| change.timestamp()).take_while(move |at| *at <= until)
    }

    /// A time as people there write it: `Tue 2026-03-03 09:00 CET`.
    #[must_use]
    pub fn text(&self, at: Timestamp) -> String {
        at.to_zoned(self.0.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let known = (text.len() <= NAME_BYTES_MAX).then(|| TimeZoneDatabase::bundled().get(text));
        match known {
            Some(Ok(zone)) if zone.iana_name().is_some() => Ok(Self(zone)),
            Some(Ok(_) | Err(_)) | None => {
                Err(ZoneError { found: text.chars().take(NAME_BYTES_MAX).collect() })
            }
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
