use proptest::prelude::*;

use super::*;

fn window(days: &str, hours: &str, zone: &str) -> Window {
    Window { days: days.parse().unwrap(), hours: hours.parse().unwrap(), zone: zone.parse().unwrap() }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Checks that the window opens and shuts at exactly these times, in turns, from `now` on: open at each opening and shut
/// one second before, shut at each shutting and open one second before.
fn check(window: &Window, now: &str, turns: &[&str]) {
    let windows = std::slice::from_ref(window);
    let mut now = at(now);
    let mut is_open = is_open(windows, now);
    for want in turns {
        let next = if is_open { shuts_at(windows, now) } else { opens_at(windows, now) };
        assert_eq!(next, Some(at(want)), "{window} from {now}");
        let (next, before) = (at(want), at(want) - 1.second());
        assert_eq!(super::is_open(windows, next), !is_open, "{window} at {want}");
        assert_eq!(super::is_open(windows, before), is_open, "{window} a second before {want}");
        (now, is_open) = (next, !is_open);
    }
}

#[test]
fn a_window_opens_and_shuts_to_the_second() {
    let office = window("mon-thu", "09:00-16:00", "Europe/Berlin");
    check(
        &office,
        "2026-03-04T23:00:00Z",
        &[
            "2026-03-05T08:00:00Z",
            "2026-03-05T15:00:00Z",
            "2026-03-09T08:00:00Z",
            "2026-03-09T15:00:00Z",
            "2026-03-10T08:00:00Z",
        ],
    );
    check(
        &window("sat", "00:00-24:00", "UTC"),
        "2026-03-01T12:00:00Z",
        &["2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"],
    );
    // Across midnight it belongs to the day it starts on.
    check(
        &window("fri", "22:00-02:00", "UTC"),
        "2026-03-05T23:00:00Z",
        &["2026-03-06T22:00:00Z", "2026-03-07T02:00:00Z", "2026-03-13T22:00:00Z"],
    );
    check(
        &window("sun", "22:00-24:00", "UTC"),
        "2026-03-01T00:00:00Z",
        &["2026-03-01T22:00:00Z", "2026-03-02T00:00:00Z"],
    );
    assert_eq!(
        shuts_at(&[window("mon-sun", "00:00-24:00", "Europe/Berlin")], at("2026-03-28T00:00:00Z")),
        None
    );
    assert!(is_open(&[], at("2026-03-01T00:00:00Z")));
    assert_eq!(opens_at(&[office], at("2026-03-05T08:00:00.5Z")), Some(at("2026-03-05T08:00:00.5Z")));
}

#[test]
fn clocks_that_are_set_forward_leave_an_hour_out() {
    // Berlin: 02:00 CET becomes 03:00 CEST on 2026-03-29, at 01:00 UTC.
    let zone = "Europe/Berlin";
    check(
        &window("sat-sun", "09:00-10:00", zone),
        "2026-03-28T00:00:00Z",
        &["2026-03-28T08:00:00Z", "2026-03-28T09:00:00Z", "2026-03-29T07:00:00Z", "2026-03-29T08:00:00Z"],
    );
    check(
        &window("sun", "02:30-04:00", zone),
        "2026-03-28T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
    );
    check(
        &window("sun", "01:00-02:30", zone),
        "2026-03-28T00:00:00Z",
        &["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"],
    );
    // Wholly within: a week later.
    check(
        &window("sun", "02:15-02:45", zone),
        "2026-03-28T00:00:00Z",
        &["2026-04-05T00:15:00Z", "2026-04-05T00:45:00Z"],
    );
    check(
        &window("sat", "23:00-02:30", zone),
        "2026-03-28T12:00:00Z",
        &["2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"],
    );
    // New York: 2026-03-08 at 07:00 UTC.
    check(
        &window("sun", "02:30-03:30", "America/New_York"),
        "2026-03-08T00:00:00Z",
        &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"],
    );
    // Lord Howe: half an hour, 02:00 becomes 02:30 on 2026-10-04, at 2026-10-03 15:30 UTC.
    let zone = "Australia/Lord_Howe";
    check(
        &window("sun", "02:10-03:00", zone),
        "2026-10-03T12:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"],
    );
    check(
        &window("sun", "02:00-02:20", zone),
        "2026-10-03T12:00:00Z",
        &["2026-10-10T15:00:00Z", "2026-10-10T15:20:00Z"],
    );
}

#[test]
fn clocks_that_are_set_back_show_an_hour_twice() {
    // Berlin: 03:00 CEST becomes 02:00 CET on 2026-10-25, at 01:00 UTC.
    let zone = "Europe/Berlin";
    check(
        &window("sun", "02:00-03:00", zone),
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
    );
    check(
        &window("sun", "01:00-02:30", zone),
        "2026-10-24T12:00:00Z",
        &["2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
    );
    check(
        &window("sun", "02:30-04:00", zone),
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"],
    );
    check(
        &window("sat-sun", "09:00-10:00", zone),
        "2026-10-24T00:00:00Z",
        &["2026-10-24T07:00:00Z", "2026-10-24T08:00:00Z", "2026-10-25T08:00:00Z"],
    );
    // New York: 2026-11-01 at 06:00 UTC, 02:00 becomes 01:00.
    check(
        &window("sun", "00:30-01:30", "America/New_York"),
        "2026-11-01T00:00:00Z",
        &["2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"],
    );
    // Lord Howe: 02:00 becomes 01:30 on 2026-04-05, at 2026-04-04 15:00 UTC.
    check(
        &window("sun", "01:00-01:45", "Australia/Lord_Howe"),
        "2026-04-04T12:00:00Z",
        &["2026-04-04T14:00:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z"],
    );
}

#[test]
fn several_windows_are_open_where_one_is() {
    let windows = [
        window("mon", "09:00-12:00", "UTC"),
        window("mon", "11:00-13:00", "UTC"),
        window("tue", "09:00-10:00", "UTC"),
    ];
    assert_eq!(opens_at(&windows, at("2026-03-02T00:00:00Z")), Some(at("2026-03-02T09:00:00Z")));
    assert_eq!(shuts_at(&windows, at("2026-03-02T09:30:00Z")), Some(at("2026-03-02T13:00:00Z")));
    assert_eq!(opens_at(&windows, at("2026-03-02T13:00:00Z")), Some(at("2026-03-03T09:00:00Z")));
}

#[test]
fn what_opens_more_is_wider() {
    let of = |days: &str, hours: &str| vec![window(days, hours, "UTC")];
    let berlin = vec![window("mon", "09:00-16:00", "Europe/Berlin")];
    for (before, after, want) in [
        (of("mon", "09:00-16:00"), of("mon", "09:00-16:00"), false),
        (of("mon", "09:00-16:00"), of("mon", "09:01-16:00"), false),
        (of("mon", "09:00-16:00"), of("mon", "08:59-16:00"), true),
        (of("mon", "09:00-16:00"), of("mon-tue", "09:00-16:00"), true),
        (of("mon-tue", "00:00-24:00"), of("mon", "22:00-02:00"), false),
        (of("sun", "22:00-02:00"), of("mon", "01:00-02:00"), false),
        (of("sun", "22:00-02:00"), of("mon", "01:00-02:01"), true),
        (of("mon", "09:00-16:00"), Vec::new(), true),
        (Vec::new(), of("mon", "09:00-16:00"), false),
        (of("mon", "09:00-16:00"), berlin, true),
    ] {
        assert_eq!(is_wider(&before, &after), want, "{before:?} → {after:?}");
    }
}

#[test]
fn days_and_hours_print_as_they_are_read() {
    for (text, want) in [
        ("mon-thu", "mon-thu"),
        ("mon-thu, sat", "mon-thu, sat"),
        ("sat,mon", "mon, sat"),
        ("sat-mon", "mon, sat-sun"),
        ("mon-sun", "mon-sun"),
        ("tue - wed", "tue-wed"),
        ("wed-tue", "mon-sun"),
    ] {
        assert_eq!(text.parse::<Days>().unwrap().to_string(), want);
    }
    for text in ["", "Mon", "monday", "mon-", "mon-thu-fri", "mon;tue", "mon,,tue", "1-5"] {
        assert!(text.parse::<Days>().is_err(), "{text}");
    }
    for text in ["09:00-16:00", "22:00-02:00", "00:00-24:00", "23:59-00:00"] {
        assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "9:00-16:00",
        "09:00",
        "09:00-09:00",
        "24:00-02:00",
        "09:60-10:00",
        "09:00-24:01",
        "09.00-10.00",
        "+9:00-10:00",
        "09:00-16:00 CET",
    ] {
        assert!(text.parse::<Hours>().is_err(), "{text}");
    }
    for text in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"] {
        assert_eq!(text.parse::<Zone>().unwrap().to_string(), text);
    }
    for text in ["", "CEST", "Berlin", "Europe/Berlin2", "+01:00", "Etc/Unknown", "../etc/passwd"] {
        assert!(text.parse::<Zone>().is_err(), "{text}");
    }
    let zone: Zone = "Europe/Berlin".parse().unwrap();
    assert_eq!(zone.text(at("2026-07-01T07:00:00Z")), "Wed 2026-07-01 09:00 CEST");
}

proptest! {
    /// When it opens is the first minute at which a clock on the wall, looked at minute by minute, shows a time within.
    #[test]
    fn it_opens_at_the_first_minute_at_which_it_is_open(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
        days in prop::collection::btree_set(0..7_usize, 1..4),
        (from, until) in (0..1440_u16, 1..=1440_u16).prop_filter("all day is 00:00-24:00", |(from, until)| from != until),
        begin in prop::sample::select(vec!["2026-03-08T00:00:00Z", "2026-03-28T20:00:00Z", "2026-04-04T10:00:00Z", "2026-10-03T10:00:00Z", "2026-10-24T20:00:00Z", "2026-11-01T00:00:00Z", "2026-06-15T00:00:00Z"]),
        minutes in 0..2880_i64,
    ) {
        let names: Vec<&str> = days.iter().map(|day| DAYS[*day].0).collect();
        let hours = Hours { from, until };
        let window = Window { days: names.join(",").parse().unwrap(), hours, zone: zone.parse().unwrap() };
        let windows = std::slice::from_ref(&window);
        let now = at(begin) + minutes.minutes();
        let scan = |wanted: bool| (0..16 * 1440_i64).map(|minute| now + minute.minutes()).find(|at| shown(&window, *at) == wanted);
        prop_assert_eq!(opens_at(windows, now), scan(true).or_else(|| opens_at(windows, now)));
        prop_assert!(opens_at(windows, now).is_some());
        prop_assert_eq!(shuts_at(windows, now), scan(false));
        let text = window.hours.to_string();
        prop_assert_eq!(text.parse::<Hours>(), Ok(hours));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9:, /+-]{0,24}") {
        let _ = (text.parse::<Days>(), text.parse::<Hours>(), text.parse::<Zone>());
    }
}

/// What the clock on the wall shows, told by its words alone.
fn shown(window: &Window, at: Timestamp) -> bool {
    let text = window.zone.text(at);
    let words: Vec<&str> = text.split(' ').collect();
    let (day, time) = (words[0].to_lowercase(), minutes(words[2]).unwrap());
    let days = window.days.to_string().parse::<Days>().unwrap();
    let place = DAYS.iter().position(|(name, _)| *name == day).unwrap();
    let (today, yesterday) = (days.0[place], days.0[(place + 6) % 7]);
    let Hours { from, until } = window.hours;
    if from < until {
        today && from <= time && time < until
    } else {
        today && time >= from || yesterday && time < until
    }
}
