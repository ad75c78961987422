//! A point in time, for machines and for people, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// For `datetime`: RFC 3339, whole seconds.
    pub(super) machine: String,
    /// For people: `2026-11-20 12:03 UTC`.
    pub(super) shown: String,
}

impl Moment {
    pub(super) fn new(at: Timestamp) -> Self {
        let zoned = at.to_zoned(TimeZone::UTC);
        Self {
            machine: zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            shown: zoned.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

/// How long ago, in the greatest unit that fits: `now`, `5 min ago`, `3 h ago`, `12 d ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.as_second().saturating_sub(at.as_second()) {
        ..60 => "now".to_owned(),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_time() {
        let at: Timestamp = "2026-11-20T12:03:02.5Z".parse().unwrap();
        assert_eq!(Moment::new(at).machine, "2026-11-20T12:03:02Z");
        assert_eq!(Moment::new(at).shown, "2026-11-20 12:03 UTC");
        for (seconds, want) in [
            (-5, "now"),
            (59, "now"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
        ] {
            let now = at + jiff::SignedDuration::from_secs(seconds);
            assert_eq!(ago(at, now), want, "{seconds}");
        }
    }
}
