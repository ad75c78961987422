use super::*;
use crate::pipeline::{parse, parse_calendar};

const NOW: &str = "2026-03-02T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A pipeline `shop` with the stages `dev`, `eu` and `us`, the last two in the group `prod`, under these freezes.
fn shop(freezes: &str) -> Pipeline {
    let text = format!(
        "version: 1\nfreezes: {freezes}\npipelines:\n  - name: shop\n    images: [{{ repository: r/a, follow: {{ tag: m }} }}]\n    \
         stages:\n      - {{ name: dev, pins: [a] }}\n      - {{ name: eu, group: prod, pins: [b] }}\n      - {{ name: us, group: prod, after: dev, pins: [c] }}\n  \
         - name: other\n    images: [{{ repository: r/b, follow: {{ tag: m }} }}]\n    stages: [{{ name: dev, pins: [d] }}]\n"
    );
    parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:?}")).pipelines.remove(0)
}

fn freeze(keys: &str) -> String {
    format!(
        "[{{ name: x, from: 2026-03-01T00:00:00Z, until: 2026-03-03T00:00:00Z, reason: r, owner: \"user:o\", {keys} }}]"
    )
}

fn freezes(pipeline: &Pipeline) -> &[Freeze] {
    let Calendar::Known(freezes) = &pipeline.freezes else { panic!("{:?}", pipeline.freezes) };
    freezes
}

#[test]
fn a_freeze_is_in_force_from_its_first_second_to_the_one_before_its_end() {
    let shop = shop(&freeze(""));
    let [freeze] = freezes(&shop) else { panic!() };
    for (now, want) in [
        ("2026-02-28T23:59:59Z", false),
        ("2026-03-01T00:00:00Z", true),
        ("2026-03-02T23:59:59Z", true),
        ("2026-03-03T00:00:00Z", false),
    ] {
        assert_eq!(freeze.is_in_force(at(now)), want, "{now}");
    }
}

#[test]
fn a_freeze_concerns_what_it_names() {
    for (keys, want) in [
        ("", "dev eu us"),
        ("stages: [prod]", "eu us"),
        ("stages: eu", "eu"),
        ("stages: [dev, us]", "dev us"),
        ("pipelines: [shop]", "dev eu us"),
        ("pipelines: [other]", ""),
        ("pipelines: [other, shop], stages: [us]", "us"),
    ] {
        let shop = shop(&freeze(keys));
        let is_frozen =
            |stage: &&Stage| freezes(&shop).iter().any(|freeze| freeze.concerns(&shop.name, stage));
        let found: Vec<&str> =
            shop.stages.iter().filter(is_frozen).map(|stage| stage.name.as_str()).collect();
        assert_eq!(found.join(" "), want, "{keys}");
    }
}

#[test]
fn an_exception_is_for_its_lane_its_stage_and_its_time() {
    let with = |keys: &str| {
        let exception = format!(
            "{{ pipeline: shop, owner: \"user:p\", reason: q, until: 2026-03-02T12:00:01Z, {keys} }}"
        );
        shop(&freeze(&format!("exceptions: [{exception}]")))
    };
    let (hotfix, normal) = (ExceptionLane::Hotfix, ExceptionLane::Normal);
    for (keys, stage, lane, now, want) in [
        ("", "eu", hotfix, NOW, true),
        ("", "eu", hotfix, "2026-03-02T12:00:01Z", false),
        ("", "eu", normal, NOW, false),
        ("lane: normal", "eu", normal, NOW, true),
        ("lane: normal", "eu", hotfix, NOW, false),
        ("lane: hotfix, stage: prod", "us", hotfix, NOW, true),
        ("stage: eu", "us", hotfix, NOW, false),
    ] {
        let shop = with(keys);
        let stage = shop.stages.iter().find(|found| found.name.as_str() == stage).unwrap();
        let found = freezes(&shop)[0].exception(&shop.name, stage, lane, at(now));
        assert_eq!(found.is_some(), want, "{keys} {stage:?} {lane:?} {now}");
    }
}

#[test]
fn times_are_local_where_a_zone_says_so() {
    let bounds = |from: &str, until: &str, zone: &str| {
        let text = format!(
            "freezes: [{{ name: x, from: {from}, until: {until}, {zone} reason: r, owner: \"user:o\" }}]"
        );
        let found = parse_calendar(text.as_bytes()).unwrap_or_else(|errors| panic!("{text} {errors:?}"));
        (found[0].from.to_string(), found[0].until.to_string())
    };
    let berlin = "zone: Europe/Berlin,";
    for (from, until, zone, want) in [
        (
            "2026-12-18T18:00:00+01:00",
            "2027-01-04T00:00:00Z",
            "",
            ("2026-12-18T17:00:00Z", "2027-01-04T00:00:00Z"),
        ),
        ("2026-12-18", "2027-01-04", berlin, ("2026-12-17T23:00:00Z", "2027-01-03T23:00:00Z")),
        ("2026-12-18 18:00", "2026-12-19T07:30:00", berlin, ("2026-12-18T17:00:00Z", "2026-12-19T06:30:00Z")),
        // What is in the hour that comes twice, or is left out, is frozen for the longest that may be meant.
        ("2026-10-25 02:30", "2026-10-25 02:30:01", berlin, ("2026-10-25T00:30:00Z", "2026-10-25T01:30:01Z")),
        ("2026-03-29 02:30", "2026-03-29 02:31", berlin, ("2026-03-29T00:30:00Z", "2026-03-29T01:31:00Z")),
    ] {
        let found = bounds(from, until, zone);
        assert_eq!((found.0.as_str(), found.1.as_str()), want, "{from} {until}");
    }
}

#[test]
fn what_a_calendar_stops_less_of_is_named() {
    let until = |until: &str, keys: &str| {
        format!(
            "[{{ name: x, from: 2026-03-01T00:00:00Z, until: {until}, reason: r, owner: \"user:o\", {keys} }}]"
        )
    };
    let exception = |keys: &str| {
        freeze(&format!(
            "exceptions: [{{ pipeline: shop, owner: \"user:p\", reason: q, until: 2026-03-02T18:00:00Z, {keys} }}]"
        ))
    };
    let added = "exception of `hotfix` to freeze `x` by `user:p` until 2026-03-02 18:00:00 UTC";
    for (before, after, want) in [
        (freeze(""), freeze(""), ""),
        (freeze(""), "[]".to_owned(), "freeze `x` removed"),
        ("[]".to_owned(), freeze(""), ""),
        (
            freeze(""),
            until("2026-03-02T23:59:59Z", ""),
            "freeze `x` shortened to 2026-03-01 00:00:00 UTC until 2026-03-02 23:59:59 UTC",
        ),
        (freeze(""), until("2026-03-04T00:00:00Z", ""), ""),
        (freeze(""), freeze("stages: [dev]"), "freeze `x` removed"),
        (freeze("stages: [dev]"), "[]".to_owned(), ""),
        (until("2026-03-02T12:00:00Z", ""), "[]".to_owned(), ""),
        (freeze(""), exception(""), added),
        (freeze(""), exception("stage: dev"), ""),
        (exception(""), freeze(""), ""),
        (exception("stage: eu"), exception(""), ""),
        ("cal.yaml".to_owned(), freeze(""), ""),
        (freeze(""), "cal.yaml".to_owned(), ""),
    ] {
        let (before, after) = (shop(&before), shop(&after));
        let stage = after.stages.iter().find(|stage| stage.name.as_str() == "eu").unwrap();
        let found = loosened_freezes(&before, &after, stage, at(NOW));
        let want: Vec<&str> = Some(want).filter(|want| !want.is_empty()).into_iter().collect();
        assert_eq!(found, want, "{:?} → {:?}", before.freezes, after.freezes);
    }
    // Two that come one after the other are told apart.
    let both = exception("").replace(
        "exceptions: [",
        "exceptions: [{ pipeline: shop, owner: \"user:p\", reason: q, until: 2026-03-02T20:00:00Z }, ",
    );
    let (before, after) = (shop(&freeze("")), shop(&both));
    let found = loosened_freezes(&before, &after, &after.stages[0], at(NOW));
    assert_eq!(found, [added.replace("18:00", "20:00"), added.to_owned()]);
    let mut broken = shop("[]");
    broken.freezes = Calendar::Unusable { file: "cal.yaml".to_owned(), reason: "gone".to_owned() };
    let mended = shop("[]");
    let found = loosened_freezes(&broken, &mended, &mended.stages[0], at(NOW));
    assert_eq!(found, ["calendar `cal.yaml` could not be used and stops less now"]);
    let mended = shop(&freeze(""));
    let found = loosened_freezes(&broken, &mended, &mended.stages[0], at(NOW));
    assert!(
        found[0].starts_with("calendar `cal.yaml` could not be used and stops less now; `x` from "),
        "{found:?}"
    );
}
