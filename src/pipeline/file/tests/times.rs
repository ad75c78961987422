//! Windows, freezes and calendars.

use super::{check_error, parse, parsed, prod, with_stage};
use crate::pipeline::{Calendar, ExceptionLane, parse_calendar};

#[test]
fn windows_are_read_one_or_several() {
    let windows = |keys: &str| {
        let windows = prod(&format!("gates: {{ window: {keys} }}")).gates.windows;
        windows.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let office = "{ days: mon-thu, hours: \"09:00-16:00\", zone: Europe/Berlin }";
    assert_eq!(windows(office), ["mon-thu 09:00-16:00 Europe/Berlin"]);
    assert_eq!(
        windows(&format!("[{office}, {{ days: [sat, mon-tue], hours: \"22:00-02:00\", zone: UTC }}]")),
        ["mon-thu 09:00-16:00 Europe/Berlin", "mon-tue, sat 22:00-02:00 UTC"]
    );
    assert_eq!(prod("").gates.windows, []);
}

#[test]
fn windows_are_checked() {
    let window = "pipelines[0].stages[1].gates.window";
    for (keys, key, reason) in [
        ("office", "", "wanted a map with `days`, `hours` or `zone`"),
        ("[]", "", "wanted at least one window"),
        ("{}", "", "wanted the key `days`"),
        ("{ days: mon }", "", "wanted the key `hours`"),
        ("{ days: mon, hours: \"09:00-16:00\" }", "", "wanted the key `zone`"),
        ("{ days: monday, hours: \"09:00-16:00\", zone: UTC }", ".days", "wanted days such as"),
        ("{ days: [1], hours: \"09:00-16:00\", zone: UTC }", ".days[0]", "put it in quotes"),
        ("{ days: mon, hours: \"9-16\", zone: UTC }", ".hours", "wanted hours such as"),
        ("{ days: mon, hours: \"09:00-09:00\", zone: UTC }", ".hours", "wanted hours such as"),
        ("{ days: mon, hours: \"09:00-16:00\", zone: CEST }", ".zone", "IANA name"),
        ("{ day: mon, hours: \"09:00-16:00\", zone: UTC }", ".day", "did you mean `days`?"),
        ("[{ days: mon, hours: \"09:00-16:00\", zone: Berlin }]", "[0].zone", "IANA name"),
    ] {
        check_error(&with_stage(&format!("gates: {{ window: {keys} }}")), &format!("{window}{key}"), reason);
    }
}

#[test]
fn who_may_send_a_hotfix_is_named() {
    assert_eq!(prod("").hotfix_by, []);
    assert_eq!(prod("hotfix: { by: [\"team:a/b\", \"user:c\"] }").hotfix_by.len(), 2);
    let key = "pipelines[0].stages[1].hotfix";
    check_error(&with_stage("hotfix: {}"), key, "wanted the key `by`");
    check_error(&with_stage("hotfix: { by: [] }"), &format!("{key}.by"), "empty list");
    check_error(&with_stage("hotfix: { from: [\"user:c\"] }"), &format!("{key}.from"), "unknown key");
}

/// A file with these freezes, of the pipeline `shop` with the stages `dev` and `prod`.
fn file(freezes: &str) -> String {
    with_stage("").replacen("version: 1\n", &format!("version: 1\nfreezes: {freezes}\n"), 1)
}

/// A freeze with these keys beside a name, an owner and a reason.
fn freeze(keys: &str) -> String {
    format!("[{{ name: year-end, owner: \"team:a/b\", reason: books, {keys} }}]")
}

const TIMES: &str = "from: 2026-12-18T00:00:00Z, until: 2027-01-04T00:00:00Z";

#[test]
fn freezes_stand_in_the_file_or_in_a_calendar() {
    let exceptions =
        "exceptions: [{ pipeline: shop, owner: \"user:x\", reason: y, until: 2026-12-19T00:00:00Z }]";
    let text = freeze(&format!("{TIMES}, stages: prod, pipelines: [shop], {exceptions}"));
    let Calendar::Known(found) = parsed(&file(&text)).pipelines.remove(0).freezes else { panic!() };
    assert_eq!((found[0].name.as_str(), found[0].exceptions.len()), ("year-end", 1));
    assert_eq!(found[0].exceptions[0].lane, ExceptionLane::Hotfix);
    assert_eq!(parse_calendar(format!("freezes: {text}\n").as_bytes()), Ok(found));
    let calendar = parsed(&file("ops/freezes.yaml")).pipelines.remove(0).freezes;
    assert_eq!(calendar, Calendar::File("ops/freezes.yaml".to_owned()));
    assert_eq!(parsed(&with_stage("")).pipelines.remove(0).freezes, Calendar::Known(Vec::new()));
}

#[test]
fn freezes_are_checked() {
    for (freezes, key, reason) in [
        ("../freezes.yaml".to_owned(), "", "without `\\`, `.`, `..`"),
        ("lockkeeper.yaml".to_owned(), "", "the file of the rules"),
        ("{}".to_owned(), "", "wanted a list"),
        ("[{}]".to_owned(), "[0]", "wanted the key `name`"),
        (freeze("until: 2027-01-04T00:00:00Z"), "[0]", "wanted the key `from`"),
        (freeze("from: 2026-12-18, until: 2027-01-04"), "[0].from", "wanted `zone`"),
        (freeze("from: tomorrow, until: 2027-01-04T00:00:00Z"), "[0].from", "wanted a time such as"),
        (freeze("from: 2026-12-18T00:00:00Z, until: 2026-12-18T00:00:00Z"), "[0].until", "after `from`"),
        (
            freeze("from: \"2026-12-18T00:00:00Z[UTC]\", until: 2027-01-04T00:00:00Z"),
            "[0].from",
            "wanted a time",
        ),
        (freeze(&format!("{TIMES}, zone: Berlin")), "[0].zone", "IANA name"),
        (freeze(&format!("{TIMES}, stages: []")), "[0].stages", "at least one name"),
        (freeze(&format!("{TIMES}, stages: [prod, prod]")), "[0].stages[1]", "listed twice"),
        (freeze(&format!("{TIMES}, stages: [live]")), "", "`live`, which is no stage or group"),
        (freeze(&format!("{TIMES}, pipelines: [shp]")), "", "`shp`, which is no pipeline"),
        (
            freeze(&format!("{TIMES}, exceptions: [{{ pipeline: shop }}]")),
            "[0].exceptions[0]",
            "wanted the key `owner`",
        ),
        (
            freeze(&format!("{TIMES}, exceptions: [{{ pipeline: shop, lane: rollback }}]")),
            "[0].exceptions[0].lane",
            "wanted `hotfix` or `normal`",
        ),
        (
            format!("[{0}, {0}]", freeze(TIMES).trim_matches(['[', ']'])),
            "[1]",
            "taken by the freeze in line 2",
        ),
    ] {
        check_error(&file(&freezes), &format!("freezes{key}"), reason);
    }
    for (text, reason) in [
        ("", "an empty file"),
        ("- a\n", "wanted a map with `freezes`"),
        ("freeze: []\n", "did you mean `freezes`?"),
        ("freezes: other.yaml\n", "wanted a list"),
        ("freezes: [\n", "this is no YAML"),
    ] {
        let errors = parse_calendar(text.as_bytes()).unwrap_err();
        assert!(errors.iter().any(|error| error.reason.contains(reason)), "{text}: {errors:?}");
    }
    assert!(parse(file(&freeze(TIMES)).as_bytes()).is_ok());
}
