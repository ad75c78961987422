//! Ages, times and addresses as the pages write them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Minutes, hours or days, whole, the largest that is not nothing: `now`, `12m`, `3h`, `21d`.
pub(super) fn age(now: Timestamp, since: Timestamp) -> String {
    let minutes = now.duration_since(since).as_secs() / 60;
    match minutes {
        i64::MIN..=0 => "now".to_owned(),
        1..=59 => format!("{minutes}m"),
        60..=1439 => format!("{}h", minutes / 60),
        1440.. => format!("{}d", minutes / 1440),
    }
}

/// `2026-11-20T12:05Z`, for machines.
pub(super) fn machine(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// `2026-11-20 12:05`, for people who know that it is UTC.
pub(super) fn people(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The address if a link may go there: our own pages, or http(s). Views are not trusted with schemes.
pub(super) fn link(url: &str) -> Option<&str> {
    let is_ours = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
    (is_ours || url.starts_with("https://") || url.starts_with("http://")).then_some(url)
}

/// The text in parts, those between backticks marked as code; an odd backtick is a character like others.
pub(super) fn parts(text: &str) -> Vec<(bool, String)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, (code, after))) =
        rest.split_once('`').and_then(|(before, from)| Some((before, from.split_once('`')?)))
    {
        parts.extend([(false, before.to_owned()), (true, code.to_owned())]);
        rest = after;
    }
    parts.push((false, rest.to_owned()));
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_whole_and_never_negative() {
        let since = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, want) in [
            (-100, "now"),
            (59, "now"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (86_400 * 400, "400d"),
        ] {
            assert_eq!(age(Timestamp::from_second(1_800_000_000 + seconds).unwrap(), since), want);
        }
        assert_eq!(machine(since), "2027-01-15T08:00Z");
        assert_eq!(people(since), "2027-01-15 08:00");
    }

    #[test]
    fn backticks_mark_code() {
        for (text, want) in [
            ("", &[][..]),
            ("plain", &[(false, "plain")]),
            ("`/resume a` lifts it", &[(true, "/resume a"), (false, " lifts it")]),
            ("a `b` c `d", &[(false, "a "), (true, "b"), (false, " c `d")]),
        ] {
            let found = parts(text);
            let found: Vec<_> = found.iter().map(|(is_code, part)| (*is_code, part.as_str())).collect();
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn links_go_to_pages_only() {
        for good in ["/p/a/b", "https://x.example/1", "http://x.example"] {
            assert_eq!(link(good), Some(good));
        }
        for bad in ["javascript:alert(1)", "//evil.example", "/\\evil.example", "data:x", "", "x"] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
