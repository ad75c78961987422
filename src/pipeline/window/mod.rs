//! When a stage may change: days and hours on a clock on the wall.
//!
//! A window is open while the clock on the wall of its zone shows a time within it. So an hour that is left out when
//! clocks are set forward is in no window, and one that comes twice when they are set back is in it twice. Hours that
//! cross midnight belong to the day on which they begin.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::{Timestamp, ToSpan as _};
use serde::{Serialize, Serializer};

use super::zone::Zone;

/// The days as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];
/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// Days in which a window opens or shuts, if it ever does: a week, and two more where a clock that is set leaves out the
/// only hours of one.
const HORIZON_DAYS: i64 = 22;

/// Days of the week and hours of the day, in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The days on which it begins.
    pub days: Days,
    /// From when until when.
    pub hours: Hours,
    /// Whose clock counts.
    pub zone: Zone,
}

/// Days of the week, from Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days([bool; 7]);

/// Hours of a day, to the minute; where the end is not after the beginning, it is on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes since midnight, below 1,440.
    from: u16,
    /// Minutes since midnight, at most 1,440; not the same as `from`.
    until: u16,
}

/// The text is no part of a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It names no days.
    #[error("wanted days such as `mon-thu` or `mon, wed-fri`, found `{found}`")]
    Days {
        /// The text found.
        found: String,
    },
    /// It names no hours.
    #[error("wanted hours such as `09:00-16:00`, `22:00-02:00` or `00:00-24:00`, found `{found}`")]
    Hours {
        /// The text found.
        found: String,
    },
}

/// Whether one of the windows is open; without any, there is nothing that could be shut.
#[must_use]
pub fn is_open(windows: &[Window], at: Timestamp) -> bool {
    windows.is_empty() || windows.iter().any(|window| window.is_open(at))
}

/// The first time at or after `now` at which one of the windows is open; none if that is weeks away.
#[must_use]
pub fn opens_at(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    first(windows, now, |at| is_open(windows, at))
}

/// The first time at or after `now` at which all windows are shut; none if that is weeks away, or never.
#[must_use]
pub fn shuts_at(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    first(windows, now, |at| !is_open(windows, at))
}

/// Whether `after` is open at a time of the week at which `before` is shut. Of different zones nothing is compared: they
/// drift apart within the year.
#[must_use]
pub fn is_wider(before: &[Window], after: &[Window]) -> bool {
    if before.is_empty() || before == after {
        return false;
    }
    let zones: Vec<&Zone> = before.iter().chain(after).map(|window| &window.zone).collect();
    let is_one_zone = zones.windows(2).all(|pair| pair.first() == pair.last());
    let minutes = |windows: &[Window]| windows.iter().flat_map(Window::minutes).collect::<BTreeSet<u16>>();
    after.is_empty() || !is_one_zone || !minutes(after).is_subset(&minutes(before))
}

fn first(windows: &[Window], now: Timestamp, is_it: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
    let edges: BTreeSet<Timestamp> = windows.iter().flat_map(|window| window.edges(now)).collect();
    std::iter::once(now).chain(edges).find(|at| is_it(*at))
}

impl Window {
    fn is_open(&self, at: Timestamp) -> bool {
        let wall = self.zone.wall(at);
        let minute = minute_of(wall.time());
        let has = |day: DateTime| self.days.has(day.weekday());
        let yesterday = wall.checked_sub(1.day()).is_ok_and(has);
        if self.hours.crosses_midnight() {
            (has(wall) && minute >= self.hours.from) || (yesterday && minute < self.hours.until)
        } else {
            has(wall) && (self.hours.from..self.hours.until).contains(&minute)
        }
    }

    /// The times after `now` at which it may open or shut: when the clock on the wall shows its bounds, and when that
    /// clock is set.
    fn edges(&self, now: Timestamp) -> Vec<Timestamp> {
        let midnight = self.zone.wall(now).date().to_datetime(Time::midnight());
        let walls = (-1..=HORIZON_DAYS).flat_map(|day| {
            let minutes = [self.hours.from, self.hours.until];
            minutes.map(|minute| midnight.checked_add(day.days().minutes(minute)))
        });
        let shown = walls.flatten().flat_map(|wall| self.zone.times(wall).collect::<Vec<_>>());
        shown.chain(self.zone.changes(now, HORIZON_DAYS)).filter(|at| *at > now).collect()
    }

    /// The minutes of the week, from Monday, at which it is open.
    fn minutes(&self) -> Vec<u16> {
        let Hours { from, until } = self.hours;
        let length = if self.hours.crosses_midnight() { DAY_MINUTES - from + until } else { until - from };
        let starts = (0..7_u16).filter(|day| self.days.0.get(usize::from(*day)) == Some(&true));
        starts
            .flat_map(|day| {
                (0..length).map(move |minute| (day * DAY_MINUTES + from + minute) % (7 * DAY_MINUTES))
            })
            .collect()
    }
}

fn minute_of(time: Time) -> u16 {
    u16::try_from(time.hour()).unwrap_or(0) * 60 + u16::try_from(time.minute()).unwrap_or(0)
}

impl Days {
    fn has(self, day: Weekday) -> bool {
        let place = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
        self.0.get(place).copied().unwrap_or(false)
    }
}

impl FromStr for Days {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let error = || WindowError::Days { found: text.chars().take(60).collect() };
        let place = |word: &str| DAYS.iter().position(|(name, _)| *name == word.trim()).ok_or_else(error);
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (place(first)?, place(last)?);
            // From Saturday to Monday is over the end of the week.
            let count = (last + 7 - first) % 7;
            for place in (first..=first + count).map(|place| place % 7) {
                if let Some(day) = days.get_mut(place) {
                    *day = true;
                }
            }
        }
        Ok(Self(days))
    }
}

impl Hours {
    fn crosses_midnight(self) -> bool {
        self.until <= self.from
    }
}

impl FromStr for Hours {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let error = || WindowError::Hours { found: text.chars().take(60).collect() };
        let (from, until) = text.split_once('-').ok_or_else(error)?;
        let (from, until) = (minutes(from).ok_or_else(error)?, minutes(until).ok_or_else(error)?);
        let is_good = from < DAY_MINUTES && from != until;
        if is_good { Ok(Self { from, until }) } else { Err(error()) }
    }
}

/// `HH:MM` in minutes, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let found = hours * 60 + minutes;
    (minutes < 60 && found <= DAY_MINUTES).then_some(found)
}

impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for place in (0..7).filter(|place| self.0.get(*place) == Some(&true)) {
            match parts.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => parts.push((place, place)),
            }
        }
        let name = |place: usize| DAYS.get(place).map_or("", |(name, _)| *name);
        let part = |(first, last): &(usize, usize)| match last - first {
            0 => name(*first).to_owned(),
            _ => format!("{}-{}", name(*first), name(*last)),
        };
        formatter.write_str(&parts.iter().map(part).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.days, self.hours, self.zone)
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
