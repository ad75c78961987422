use proptest::prelude::*;
use semver::Version;

use super::*;

/// Checks that a range takes the first list of versions and none of the second.
fn check(range: &str, inside: &[&str], outside: &[&str]) {
    let parsed: VersionRange = range.parse().unwrap_or_else(|error| panic!("{error}"));
    for version in inside {
        assert!(parsed.matches(&Version::parse(version).unwrap()), "{version} in {range}");
    }
    for version in outside {
        assert!(!parsed.matches(&Version::parse(version).unwrap()), "{version} not in {range}");
    }
}

#[test]
fn each_form_has_its_bounds() {
    check(">=1.4 <2", &["1.4.0", "1.99.99"], &["1.3.99", "2.0.0", "2.0.0-rc.1"]);
    check(">=1.4, <2", &["1.4.0", "1.99.99"], &["1.3.99", "2.0.0"]);
    check(">= 1.4 , < 2", &["1.4.0", "1.99.99"], &["1.3.99", "2.0.0"]);
    check(">1.4", &["1.5.0"], &["1.4.0", "1.4.9"]);
    check(">1", &["2.0.0"], &["1.0.0", "1.9.9"]);
    check(">1.4.2", &["1.4.3"], &["1.4.2"]);
    check("<1.4", &["1.3.9"], &["1.4.0", "1.4.0-rc.1"]);
    check("<1.4.2", &["1.4.1"], &["1.4.2"]);
    check("<=1.4", &["1.4.9"], &["1.5.0"]);
    check("<=1.4.2", &["1.4.2"], &["1.4.3"]);
    check("^1.4", &["1.4.0", "1.9.9"], &["1.3.9", "2.0.0"]);
    check("^1.4.2", &["1.4.2", "1.9.9"], &["1.4.1", "2.0.0"]);
    check("^1", &["1.0.0", "1.9.9"], &["0.9.9", "2.0.0"]);
    check("^0.4", &["0.4.0", "0.4.9"], &["0.3.9", "0.5.0"]);
    check("^0.0.3", &["0.0.3"], &["0.0.2", "0.0.4"]);
    check("^0.0", &["0.0.0", "0.0.9"], &["0.1.0"]);
    check("^0", &["0.0.0", "0.9.9"], &["1.0.0"]);
    check("~1.4", &["1.4.0", "1.4.9"], &["1.3.9", "1.5.0"]);
    check("~1.4.2", &["1.4.2", "1.4.9"], &["1.4.1", "1.5.0"]);
    check("~1", &["1.0.0", "1.9.9"], &["0.9.9", "2.0.0"]);
    check("1.x || 2.x", &["1.0.0", "2.9.9"], &["0.9.9", "3.0.0"]);
    check("1.2 - 1.4", &["1.2.0", "1.4.9"], &["1.1.9", "1.5.0"]);
    check("1.2.3 - 1.4.5", &["1.2.3", "1.4.5"], &["1.2.2", "1.4.6"]);
    check("=1.2.3", &["1.2.3"], &["1.2.2", "1.2.4"]);
    check("1.2.3", &["1.2.3"], &["1.2.2", "1.2.4", "1.9.0"]);
    check("v1.2.3", &["1.2.3"], &["1.2.4"]);
    check("1.2", &["1.2.0", "1.2.9"], &["1.1.9", "1.3.0"]);
    check("1.2.*", &["1.2.0", "1.2.9"], &["1.3.0"]);
    check("1.x.x", &["1.0.0"], &["2.0.0"]);
    check("1", &["1.0.0", "1.9.9"], &["2.0.0"]);
    check("!=1.2.3", &["1.2.2", "1.2.4"], &["1.2.3"]);
    check(">=1.2 !=1.3", &["1.2.0", "1.4.0"], &["1.3.0", "1.3.9", "1.1.0"]);
    check("*", &["0.0.0", "99.0.0"], &["1.0.0-rc.1"]);
    check(">=v1.4", &["1.4.0"], &["1.3.9"]);
}

#[test]
fn a_pre_release_needs_a_range_that_names_one_of_its_version() {
    check(">=1.4.0-rc.1", &["1.4.0-rc.1", "1.4.0-rc.2", "1.4.0", "1.5.0"], &["1.4.0-beta", "1.5.0-rc.1"]);
    check("=1.4.0-rc.1", &["1.4.0-rc.1"], &["1.4.0-rc.1.0", "1.4.0-rc.2", "1.4.0"]);
    check("^1.4.0-0", &["1.4.0-0", "1.4.0-alpha", "1.9.0"], &["2.0.0-alpha", "1.4.1-alpha"]);
    check("~1.4.2-rc.1 ", &["1.4.2-rc.1", "1.4.9"], &["1.4.3-rc.1", "1.5.0-rc.1"]);
    check(">=2.0.0-rc.1 ^1", &[], &["2.0.0-rc.2", "1.9.0"]);
    check("1.0.0-rc.1 || >=2", &["1.0.0-rc.1", "2.0.0"], &["2.0.0-rc.1", "1.0.0"]);
    check("!=1.4.0-rc.2 >=1.4.0-rc.1", &["1.4.0-rc.1", "1.4.0-rc.3"], &["1.4.0-rc.2"]);
    check(">=1.3 !=1.4.0-rc.2", &["1.3.0", "1.4.0"], &["1.4.0-rc.1", "1.4.0-rc.2", "1.4.0-rc.3"]);
    check(">=1.3.0-rc.1 !=1.3", &["1.4.0"], &["1.3.0-rc.1", "1.3.0"]);
}

#[test]
fn on_request_all_pre_releases_between_the_ends_are_in_a_range() {
    for (range, inside, outside) in [
        (">=1.4 <2", "1.4.0 1.4.1-rc.1 1.5.0-rc.1", "1.4.0-rc.1 1.3.9-rc.1 2.0.0-rc.1 2.0.0"),
        ("*", "0.0.1-alpha 9.0.0-rc.1", ""),
        ("^1.4.0-rc.1", "1.4.0-rc.1 1.4.0 1.9.0-rc.1", "1.4.0-beta 2.0.0-rc.1"),
        ("1.x || 3.x", "1.2.0-rc.1 3.0.1-rc.1", "2.0.0-rc.1 4.0.0-rc.1"),
        ("1.2.3", "1.2.3", "1.2.3-rc.1 1.2.4-rc.1"),
        ("<=1.4", "1.4.9-rc.1", "1.5.0-rc.1"),
        ("<2.0.0-rc.2", "2.0.0-rc.1 1.0.0-rc.1", "2.0.0-rc.2"),
        ("!=1.3", "1.2.9 1.4.0-rc.1 1.4.0", "1.3.0-rc.1 1.3.0 1.3.1-rc.1 1.3.9"),
        ("!=1", "0.9.0-rc.1 2.0.0-rc.1", "1.0.0-0 1.0.0-rc.1 1.9.9"),
        (">=1.2 !=1.3.0", "1.3.0-rc.1 1.3.1-rc.1", "1.3.0"),
        (">=1.3 !=1.4.0-rc.2", "1.4.0-rc.1 1.4.0-rc.3", "1.4.0-rc.2"),
    ] {
        let parsed = range.parse::<VersionRange>().unwrap().with_prereleases(Prereleases::All);
        let is_in = |version: &&str| parsed.matches(&Version::parse(version).unwrap());
        assert!(inside.split_whitespace().all(|version| is_in(&version)), "{inside} in {range}");
        assert!(!outside.split_whitespace().any(|version| is_in(&version)), "{outside} not in {range}");
    }
}

#[test]
fn what_is_no_range_is_refused_with_a_reason() {
    for (range, reason) in [
        ("", "wanted a version on each side"),
        (" ", "wanted a version on each side"),
        ("||", "wanted a version on each side"),
        ("1 ||", "wanted a version on each side"),
        ("1,,2", "wanted a version on each side"),
        (">=", "after each operator"),
        (">= <2", "found `>=<`"),
        (">= < 2", "wanted a version after `>=`, found `<`"),
        ("==1", "found `==`"),
        ("~>1.2", "found `~>`"),
        ("=>1.2", "found `=>`"),
        (">*", "compares with nothing"),
        ("^*", "compares with nothing"),
        ("1.2.3.4", "is no version"),
        ("01.2.3", "is no version"),
        ("1.02", "is no version"),
        ("1.x.3", "is no version"),
        ("1.2-rc.1", "is no version"),
        ("1.2.3+b5", "build metadata"),
        ("latest", "is no version"),
        ("1.2 -", "is no version"),
        ("18446744073709551616", "is no version"),
        ("^18446744073709551615", "too large"),
    ] {
        let error = range.parse::<VersionRange>().unwrap_err().to_string();
        assert!(error.contains(reason), "{range}: {error}");
    }
}

#[test]
fn the_text_is_bounded() {
    let alternatives = |count: usize| vec!["1"; count].join("||");
    assert!(alternatives(16).parse::<VersionRange>().is_ok());
    assert!(alternatives(17).parse::<VersionRange>().is_err());
    let comparators = |count: usize| vec![">1"; count].join(" ");
    assert!(comparators(16).parse::<VersionRange>().is_ok());
    assert!(comparators(17).parse::<VersionRange>().is_err());
    assert!(format!("1{}", " ".repeat(255)).parse::<VersionRange>().is_ok());
    assert!(format!("1{}", " ".repeat(256)).parse::<VersionRange>().is_err());
}

#[test]
fn a_tag_names_a_version_only_in_full() {
    for (tag, version) in
        [("1.4.2", "1.4.2"), ("v1.4.2", "1.4.2"), ("1.4.2-rc.1", "1.4.2-rc.1"), ("2026.1.5", "2026.1.5")]
    {
        assert_eq!(version_of(tag), Some(Version::parse(version).unwrap()), "{tag}");
    }
    let signature = format!("sha256-{}.sig", "0f".repeat(32));
    for tag in [
        "1.4",
        "1",
        "1234567",
        "V1.4.2",
        "vv1.4.2",
        "latest",
        "01.2.3",
        "2026.01.05",
        "1.2.3_b5",
        "1.2.3+b",
        "",
        &signature,
    ] {
        assert_eq!(version_of(tag), None, "{tag}");
    }
}

proptest! {
    /// What `!=` leaves out is out, and nothing else is: it takes nothing in either.
    #[test]
    fn an_exclusion_takes_away_and_adds_nothing(
        rest in prop::sample::select(&[">=0.0.0-0", ">=1.0", "^1", "1.x || 2.x", ">=1.2.0-rc.1 <2"][..]),
        left_out in "[0-2]|[0-2]\\.[0-2]|[0-2]\\.[0-2]\\.[0-2](-rc\\.[0-2])?",
        version in "[0-2]\\.[0-2]\\.[0-2](-rc\\.[0-2]|-0)?",
        prereleases in prop::sample::select(&[Prereleases::Named, Prereleases::All][..]),
    ) {
        let read = |text: String| text.parse::<VersionRange>().unwrap().with_prereleases(prereleases);
        let with: Vec<String> = rest.split("||").map(|part| format!("{part} !={left_out}")).collect();
        let found: Version = version.parse().unwrap();
        let release = version.split('-').next().unwrap();
        let is_exact = left_out.matches('.').count() >= 2;
        let is_out = if is_exact {
            version == left_out
        } else {
            release == left_out || release.starts_with(&format!("{left_out}."))
        };
        let want = read(rest.to_owned()).matches(&found) && !is_out;
        prop_assert_eq!(read(with.join("||")).matches(&found), want);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}", range in "[0-9.x*<>=!^~|, v-]{0,30}") {
        let _ = version_of(&text);
        let _ = text.parse::<VersionRange>();
        if let Ok(parsed) = range.parse::<VersionRange>() {
            let _ = parsed.matches(&Version::new(1, 2, 3));
            prop_assert_eq!(parsed.as_str().parse::<VersionRange>().unwrap(), parsed);
        }
    }
}
