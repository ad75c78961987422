//! Dates as versions.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::key::Number;

/// Longest format: every part there is, with a separator between each two.
const FORMAT_BYTES_MAX: usize = 64;

/// How a date is written, such as `YYYY.0M.0D` or `YYYYMMDD-hhmmss`.
///
/// | part | is |
/// |---|---|
/// | `YYYY`, `YY`, `0Y` | the year: 2006, 6, 06 |
/// | `MM`, `0M` | the month: 1 or 01; 01 |
/// | `WW`, `0W` | the week of the year |
/// | `DD`, `0D` | the day of the month |
/// | `hh`, `mm`, `ss` | the time, two digits each |
/// | `MAJOR`, `MINOR`, `MICRO` | any number |
/// | `.` `-` `_` `T` `Z` `v` | themselves |
///
/// Parts that touch each other (`YYYYMMDD`) have two digits each, the year four where it is `YYYY`. Source of the words:
/// calver.org; the time of day is ours. Parts compare from the left, so a date begins with its year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalverFormat {
    text: String,
    pieces: Vec<Piece>,
}

/// The text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format `{found}`: {reason}")]
pub struct CalverError {
    found: String,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// This character.
    Mark(char),
    /// A number of so many digits, in these bounds.
    Number(Part, RangeInclusive<usize>),
}

/// The parts of a date, each before those that are finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Major,
    Minor,
    Micro,
}

/// The words, those that begin with others before them; how many digits each has by itself.
const WORDS: [(&str, Part, RangeInclusive<usize>); 15] = [
    ("YYYY", Part::Year, 4..=4),
    ("YY", Part::Year, 1..=3),
    ("0Y", Part::Year, 2..=3),
    ("MAJOR", Part::Major, 1..=20),
    ("MINOR", Part::Minor, 1..=20),
    ("MICRO", Part::Micro, 1..=20),
    ("MM", Part::Month, 1..=2),
    ("0M", Part::Month, 2..=2),
    ("WW", Part::Week, 1..=2),
    ("0W", Part::Week, 2..=2),
    ("DD", Part::Day, 1..=2),
    ("0D", Part::Day, 2..=2),
    ("hh", Part::Hour, 2..=2),
    ("mm", Part::Minute, 2..=2),
    ("ss", Part::Second, 2..=2),
];
const MARKS: [char; 6] = ['.', '-', '_', 'T', 'Z', 'v'];

impl CalverFormat {
    /// The format as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text is a date in this format.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.read(text).is_some()
    }

    /// The numbers of a date in this format, from the left.
    pub(super) fn read(&self, text: &str) -> Option<Vec<Number>> {
        let mut rest = text;
        let mut numbers = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Mark(mark) => rest = rest.strip_prefix(*mark)?,
                Piece::Number(part, digits) => {
                    let found = rest.bytes().take(*digits.end()).take_while(u8::is_ascii_digit).count();
                    let (number, after) = rest.split_at(found);
                    let number = Number::read(number).filter(|_| digits.contains(&found))?;
                    if !part.bounds().is_none_or(|bounds| number.is_in(&bounds)) {
                        return None;
                    }
                    numbers.push(number);
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(numbers)
    }
}

impl Part {
    fn bounds(self) -> Option<RangeInclusive<u64>> {
        match self {
            Self::Month => Some(1..=12),
            Self::Week => Some(1..=53),
            Self::Day => Some(1..=31),
            Self::Hour => Some(0..=23),
            Self::Minute => Some(0..=59),
            // A leap second.
            Self::Second => Some(0..=60),
            Self::Year | Self::Major | Self::Minor | Self::Micro => None,
        }
    }

    fn is_date(self) -> bool {
        self <= Self::Second
    }
}

impl FromStr for CalverFormat {
    type Err = CalverError;

    fn from_str(text: &str) -> Result<Self, CalverError> {
        pieces(text)
            .and_then(|pieces| checked(&pieces).map(|()| pieces))
            .map(|pieces| Self { text: text.to_owned(), pieces })
            .map_err(|reason| CalverError { found: text.chars().take(100).collect(), reason })
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    if text.len() > FORMAT_BYTES_MAX {
        return Err(format!("wanted at most {FORMAT_BYTES_MAX} bytes, found {}", text.len()));
    }
    let mut rest = text;
    let mut pieces: Vec<Piece> = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some((word, part, digits)) = WORDS.iter().find(|(word, ..)| rest.starts_with(word)) {
            rest = &rest[word.len()..];
            let touches = matches!(pieces.last(), Some(Piece::Number(..)))
                || WORDS.iter().any(|(next, ..)| rest.starts_with(next));
            let digits = if touches { fixed(word, digits)? } else { digits.clone() };
            pieces.push(Piece::Number(*part, digits));
        } else if MARKS.contains(&first) {
            pieces.push(Piece::Mark(first));
            rest = &rest[first.len_utf8()..];
        } else {
            return Err(format!(
                "wanted parts such as YYYY, MM, 0D, hh, MICRO with `.`, `-` or `_` between them, found `{}`; `extract` \
                 takes a date out of other text",
                rest.chars().take(20).collect::<String>()
            ));
        }
    }
    Ok(pieces)
}

/// How many digits a part has that touches another.
fn fixed(word: &str, digits: &RangeInclusive<usize>) -> Result<RangeInclusive<usize>, String> {
    match *digits.end() {
        4 => Ok(4..=4),
        2 | 3 => Ok(2..=2),
        _ => Err(format!("`{word}` has no end where another part touches it; put a `.` or `-` between")),
    }
}

fn checked(pieces: &[Piece]) -> Result<(), String> {
    let parts: Vec<Part> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Number(part, _) => Some(*part),
            Piece::Mark(_) => None,
        })
        .collect();
    let dates: Vec<Part> = parts.iter().copied().filter(|part| part.is_date()).collect();
    if dates.first() != Some(&Part::Year) {
        return Err("wanted a date that begins with its year, since it compares from the left".to_owned());
    }
    let is_falling = dates.is_sorted_by(|one, other| one < other);
    let is_by_week_and_month = dates.contains(&Part::Week) && dates.contains(&Part::Month);
    if !is_falling || is_by_week_and_month {
        return Err("wanted each part once, the larger before the smaller, by months or by weeks".to_owned());
    }
    if (1..parts.len()).any(|index| parts[..index].contains(&parts[index])) {
        return Err("wanted each part once".to_owned());
    }
    Ok(())
}

impl fmt::Display for CalverFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for CalverFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, inside: &[&str], outside: &[&str]) {
        let parsed: CalverFormat = format.parse().unwrap_or_else(|error| panic!("{error}"));
        for text in inside {
            assert!(parsed.read(text).is_some(), "{text} in {format}");
        }
        for text in outside {
            assert_eq!(parsed.read(text), None, "{text} not in {format}");
        }
    }

    #[test]
    fn each_part_has_its_digits_and_bounds() {
        check(
            "YYYY.0M.0D",
            &["2026.01.05", "2026.12.31"],
            &[
                "2026.1.05",
                "2026.13.01",
                "2026.00.01",
                "26.01.05",
                "2026.01.32",
                "2026.01.05-1",
                "v2026.01.05",
                "",
            ],
        );
        check("YYYY.MM.DD", &["2026.1.5", "2026.01.05"], &["2026.1", "2026.001.5"]);
        check("vYY.MM.MICRO", &["v26.1.0", "v26.1.123", "v126.1.0"], &["26.1.0", "v2026.1.0"]);
        check("0Y.0W", &["06.53", "26.01"], &["6.53", "26.54"]);
        check(
            "YYYYMMDD-hhmmss",
            &["20260102-143022", "20260102-235960"],
            &["2026012-143022", "20260102-240000", "20260102-146000", "20260102"],
        );
        check("YYYY-0M-0DThhmmssZ", &["2026-01-02T143022Z"], &["2026-01-02T143022"]);
        check("MAJOR.YYYY", &["3.2026"], &["2026"]);
        check("YYYY.MICRO", &["2026.18446744073709551615"], &["2026.123456789012345678901"]);
    }

    #[test]
    fn what_is_no_format_is_refused_with_a_reason() {
        for (format, reason) in [
            ("", "begins with its year"),
            ("MAJOR.MINOR", "begins with its year"),
            ("DD.MM.YYYY", "begins with its year"),
            ("YYYY.DD.MM", "the larger before the smaller"),
            ("YYYY.YYYY", "each part once"),
            ("YYYY.0M.0W", "by months or by weeks"),
            ("YYYY.MICRO.MICRO", "each part once"),
            ("YYYYMICRO", "has no end"),
            ("release-YYYY", "found `release-YYYY`"),
            ("%Y.%m", "found `%Y.%m`"),
            (&"YYYY.".repeat(13), "at most 64 bytes"),
        ] {
            let error = format.parse::<CalverFormat>().unwrap_err().to_string();
            assert!(error.contains(reason), "{format}: {error}");
        }
    }
}
