//! Durations as people write them: `30s`, `10m`, `2h`, `1d`, and sums such as `1h30m`.

use std::time::Duration;

/// The units, largest first, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Longest duration, in seconds: 90 days. A soak or hold beyond that is a stop, and should be said as one.
const DURATION_SECONDS_MAX: u64 = 90 * 86_400;

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not follow the grammar.
    #[error("wanted a duration such as `30s`, `10m`, `2h`, `1d` or `1h30m`, found `{found}`")]
    Grammar {
        /// The text found.
        found: String,
    },
    /// It is above the bound.
    #[error("wanted at most 90d, found `{found}`")]
    TooLong {
        /// The text found.
        found: String,
    },
}

/// Reads a duration: numbers with the units `d`, `h`, `m`, `s`, each at most once and the largest first.
///
/// # Errors
/// [`DurationError`] if the text does not follow the grammar, or means more than 90 days.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let found = || text.chars().take(40).collect();
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next().and_then(|unit| units.find(|(name, _)| *name == unit));
        let (true, Some((_, unit_seconds))) = ((1..=9).contains(&digits), unit) else {
            return Err(DurationError::Grammar { found: found() });
        };
        let number: u64 = number.parse().map_err(|_| DurationError::Grammar { found: found() })?;
        seconds = seconds.saturating_add(number.saturating_mul(*unit_seconds));
        rest = after.get(1..).unwrap_or_default();
    }
    if text.is_empty() {
        return Err(DurationError::Grammar { found: found() });
    }
    if seconds > DURATION_SECONDS_MAX {
        return Err(DurationError::TooLong { found: found() });
    }
    Ok(Duration::from_secs(seconds))
}

/// Writes a duration as [`parse_duration`] reads it; parts of a second are left out.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let mut seconds = duration.as_secs();
    if seconds == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_seconds) in UNITS {
        if seconds >= unit_seconds {
            text.push_str(&(seconds / unit_seconds).to_string());
            text.push(unit);
            seconds %= unit_seconds;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_up_to_90_days() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("10m", 600),
            ("2h", 7_200),
            ("1d", 86_400),
            ("1h30m", 5_400),
            ("1d1h1m1s", 90_061),
            ("90d", 90 * 86_400),
            ("2160h", 90 * 86_400),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(matches!(parse_duration("90d1s"), Err(DurationError::TooLong { .. })));
        assert!(matches!(parse_duration("999999999d"), Err(DurationError::TooLong { .. })));
        for text in
            ["", "30", "s", "1w", "1.5h", "-1h", "30m1h", "1h1h", "1 h", "1h ", "0000000001s", "1µ", "１s"]
        {
            assert!(matches!(parse_duration(text), Err(DurationError::Grammar { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0..=DURATION_SECONDS_MAX, text in "\\PC{0,12}") {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_duration(&duration_text(duration)), Ok(duration));
            let _ = parse_duration(&text);
        }
    }
}
