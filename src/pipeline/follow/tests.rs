use proptest::prelude::*;

use super::*;
use crate::pipeline::Prereleases;

/// Reads `semver >=1`, `calver YYYY.0M.0D`, `numeric`, `tag main` and the like, then ` | allow P`, ` | extract P`, …
fn follow(text: &str) -> Follow {
    let mut parts = text.split(" | ");
    let rule = parts.next().unwrap();
    let mut follow = Follow::from(match rule.split_once(' ').unwrap_or((rule, "")) {
        ("semver", range) => Rule::Semver(range.parse().unwrap()),
        ("all", range) => {
            let range: VersionRange = range.parse().unwrap();
            Rule::Semver(range.with_prereleases(Prereleases::All))
        }
        ("calver", format) => Rule::Calver(format.parse().unwrap()),
        ("numeric", "") => Rule::Numeric,
        ("lexical", "") => Rule::Lexical,
        ("newest", "") => Rule::Newest,
        ("tag", tag) => Rule::Tag(tag.parse().unwrap()),
        ("exact", tag) => Rule::Exact(tag.parse().unwrap()),
        other => panic!("{other:?}"),
    });
    for part in parts {
        match part.split_once(' ').unwrap() {
            ("allow", pattern) => follow.filter.allow = Some(pattern.parse().unwrap()),
            ("ignore", pattern) => follow.filter.ignore = Some(pattern.parse().unwrap()),
            ("extract", pattern) => follow.filter.extract = Some(pattern.parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    follow
}

fn tags(text: &str) -> Vec<Tag> {
    text.split_whitespace().map(|tag| tag.parse().unwrap()).collect()
}

/// What is picked, in words: the tags, `-` for nothing, `? …` for those whose creation is asked, `! …` for a refusal.
fn words(picked: &Picked<'_>) -> String {
    let list = |tags: &[&Tag]| tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(" ");
    match picked {
        Picked::Tags(tags) => list(tags),
        Picked::Created(tags) => format!("? {}", list(tags)),
        Picked::Nothing => "-".to_owned(),
        Picked::Refused(reason) => format!("! {reason}"),
    }
}

fn check(rule: &str, listed: &str, want: &str) {
    let mut tags = tags(listed);
    for _ in 0..2 {
        let found = words(&follow(rule).pick(&tags));
        let is_wanted = if want.starts_with('!') { found.starts_with(want) } else { found == want };
        assert!(is_wanted, "{rule} of {listed}: wanted {want}, found {found}");
        tags.reverse();
    }
}

#[test]
fn the_highest_version_in_the_range_is_picked() {
    check("semver >=1.4, <2", "1.3.9 1.4.0 1.10.0 1.9.0 2.0.0", "1.10.0");
    check("semver >=1.4, <2", "1.3.9 2.0.0 latest main 1 1.4", "-");
    check("semver *", "", "-");
    check("semver *", "1.0.0 1.1.0-rc.1", "1.0.0");
    check("semver >=1.1.0-0", "1.0.0 1.1.0-rc.1 1.1.0-rc.10 1.1.0-rc.9", "1.1.0-rc.10");
    check("all ^1", "1.0.0 1.1.0-rc.1 2.0.0-rc.1", "1.1.0-rc.1");
    check("semver *", "1.2.2 v1.2.3", "v1.2.3");
}

#[test]
fn tags_of_one_key_are_picked_together_and_few_of_them() {
    check("semver *", "1.2.3 v1.2.3 1.2.2", "1.2.3 v1.2.3");
    check("calver YYYY.MM.DD", "2026.1.5 2026.01.05 2026.01.04", "2026.01.05 2026.1.5");
    check(
        r"semver * | extract ^v(?<key>\d+\.\d+\.\d+)",
        "v1.2.0-b9 v1.2.0-b10 v1.1.0",
        "v1.2.0-b10 v1.2.0-b9",
    );
    let key = r"numeric | extract ^(?<key>\d+)";
    check(key, "7-a 7-b 7-c 7-d 6-e", "7-a 7-b 7-c 7-d");
    check(key, "7-a 7-b 7-c 7-d 7-e", "! 5 tags have one key (`7-a`, `7-b`, …)");
}

/// The ways of tagging that teams write down for themselves, with what a rule makes of them.
#[test]
fn tags_as_people_give_them() {
    let stable = "1 1.0 1.0.0 1.0.1 1.1 1.1.0 2 2.0 2.0.0 latest";
    check("semver ^1", stable, "1.1.0");
    check("semver *", stable, "2.0.0");
    check("tag 1", stable, "1");
    check("exact 1.0.1", stable, "1.0.1");
    let with_commits = "1.4.2 1.4 1 2.3.1 2.3 2 git-a1b2c3d git-abc1234 dev staging prod latest";
    check("semver *", with_commits, "2.3.1");
    check("newest | allow ^git-", with_commits, "? git-a1b2c3d git-abc1234");
    let builds = "build-99 build-4567 build-4566 latest";
    check(r"numeric | extract ^build-(?<key>\d+)$", builds, "build-4567");
    check("numeric", builds, "-");
    let times = "20260102-143022 20260102-091500 20251231-235959 latest";
    check("calver YYYYMMDD-hhmmss", times, "20260102-143022");
    check(r"lexical | allow ^\d{8}-\d{6}$", times, "20260102-143022");
    let releases = "release-2026-05-12 release-2026-11-02 1.4.0 latest";
    check("calver YYYY-0M-0D | extract ^release-(?<key>.*)$", releases, "release-2026-11-02");
    check("lexical | allow ^release-", releases, "release-2026-11-02");
    let combined = "v1.2.0-build4567-abc123f v1.2.0-build4568-9f2c41a v1.10.0-build4400-0a1b2c3 v1.2.0";
    check(
        r"semver <1.10 | extract ^v(?<key>[0-9.]+)-build(?<build>\d+)-",
        combined,
        "v1.2.0-build4568-9f2c41a",
    );
    check(r"semver * | extract ^v(?<key>[0-9.]+)-build", combined, "v1.10.0-build4400-0a1b2c3");
    check(r"numeric | extract -build(?<key>\d+)-", combined, "v1.2.0-build4568-9f2c41a");
    check("all *", "1.2.0-rc.1.abc123f 1.2.0-rc.1.9f2c41a", "1.2.0-rc.1.9f2c41a 1.2.0-rc.1.abc123f");
    let calendar = "2026.01.0 2026.01.1 2026.1.2 2025.12.9 26.2.0";
    check("calver YYYY.0M.MICRO", calendar, "2026.01.1");
    check("calver YYYY.MM.MICRO", calendar, "2026.1.2");
    check("calver YY.MM.MICRO", calendar, "26.2.0");
}

#[test]
fn commits_are_never_put_in_order() {
    let commits = "abc123f 9f2c41a 1234567 0a1b2c3";
    for rule in ["semver *", "calver YYYY.0M.0D", "lexical | allow ^[0-9a-z]+$"] {
        check(rule, "abc123f 9f2c41a", "! tag `9f2c41a` names a commit");
    }
    check("numeric", commits, "! tag `1234567` names a commit");
    check("lexical | allow ^[0-9a-f]+$", "1234567 9f2c41a", "! tag `1234567` names a commit");
    check("lexical | allow ^git-", "git-abc123f git-9f2c41a", "git-9f2c41a git-abc123f");
    check("numeric", "1234567 1234566", "1234567");
    check("numeric", "1234567 9f2c41ab", "1234567");
    check("lexical | allow ^2026", "20260102-abc123f 20260102-9f2c41a", "20260102-9f2c41a 20260102-abc123f");
    check("lexical | allow ^2026", "20260102-1234567 20260102-9f2c41a", "! tag `20260102-1234567` names");
    check("newest", "abc123f 9f2c41a", "? 9f2c41a abc123f");
    // One hash in 25 has no letter: it decides no more than the others.
    check("all *", "1.4.0-dev.9f2c41a 1.4.0-dev.1234567", "! tag `1.4.0-dev.1234567` names a commit");
    check("all *", "1.4.0-dev.9f2c41a 1.4.0-dev.1234567 1.4.0", "1.4.0");
    check("all *", "1.4.0-dev.1234566 1.4.0-dev.1234567", "1.4.0-dev.1234567");
    // As `git describe` writes them: how many commits after the tag, then the commit.
    check("all *", "1.4.0-5-g9f2c41a 1.4.0-12-g0a1b2c3 1.4.0-7-g1234567", "1.4.0-12-g0a1b2c3");
    check("lexical | allow ^main", "main-5-g9f2c41a main-5-g1234567", "main-5-g1234567 main-5-g9f2c41a");
    check(
        "lexical | extract ^main-(?<key>.*)$",
        "main-g9f2c41a main-g1234567",
        "! tag `main-g1234567` names",
    );
}

#[test]
fn filters_choose_and_signatures_and_latest_are_never_picked() {
    check("semver * | ignore -rc", "1.0.0 1.1.0", "1.1.0");
    check("semver * | allow ^v", "v1.0.0 1.1.0", "v1.0.0");
    check("semver * | allow ^v | ignore 1$", "v1.0.0 v1.0.1 1.1.0", "v1.0.0");
    check("lexical | allow .", "latest a", "a");
    check("newest", "latest", "-");
    check("tag latest", "latest", "latest");
    let hex = "0f".repeat(32);
    let anchor = "lockkeeper-0123456789abcdef".to_owned();
    for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("sha512-{hex}"), anchor] {
        check(&format!("tag {tag}"), &format!("{tag} 1.0.0"), "-");
        check("semver *", &format!("{tag} 1.0.0"), "1.0.0");
        check("lexical | allow .", &format!("{tag} 1.0.0"), "1.0.0");
        check("newest", &format!("{tag} 1.0.0"), "? 1.0.0");
    }
    check("tag sha256-abc", "sha256-abc", "sha256-abc");
    check("tag main", "dev main 1.0.0", "main");
    check("tag main", "dev", "-");
    check("exact 1.0.0", "1.0.1", "-");
}

#[test]
fn newest_reads_a_bounded_number_of_images() {
    let list = |count: usize| (0..count).map(|n| format!("t{n:03}")).collect::<Vec<_>>().join(" ");
    assert!(matches!(follow("newest").pick(&tags(&list(64))), Picked::Created(tags) if tags.len() == 64));
    check("newest", &list(65), "! 65 tags fit, and `newest` reads");
    check("newest | allow ^t00[12]", &list(200), "? t001 t002");
}

#[test]
fn the_image_that_was_created_last_is_the_newest() {
    let time = |second: i64| (second > 0).then(|| Timestamp::from_second(second).unwrap());
    for (images, want) in [
        ("a:1:10 b:2:30 c:3:20", Ok(Some("b"))),
        ("", Ok(None)),
        ("1:1:10 1.2:1:10 1.2.0:1:10 main:1:10", Ok(Some("1.2.0"))),
        ("b:1:10 a:1:10", Ok(Some("a"))),
        ("a:1:10 b:2:10", Err("`a` and `b` were created in one second")),
        ("a:1:10 b:2:86440", Ok(Some("b"))),
        (
            "a:1:10 b:2:86441",
            Err("tag `b` says that it was created at 1970-01-02T00:00:41Z, which is yet to come"),
        ),
        ("a:1:10 b:2:0", Err("tag `b` does not say when it was created")),
    ] {
        let tags: Vec<(Tag, Digest, Option<Timestamp>)> = images
            .split_whitespace()
            .map(|image| {
                let mut parts = image.split(':');
                let mut next = || parts.next().unwrap();
                (next().parse().unwrap(), Digest::of(next().as_bytes()), time(next().parse().unwrap()))
            })
            .collect();
        let mut listed: Vec<_> = tags.iter().map(|(tag, digest, at)| (tag, *digest, *at)).collect();
        for _ in 0..2 {
            match (Follow::newest(&listed, Timestamp::from_second(40).unwrap()), want) {
                (Ok(found), Ok(want)) => assert_eq!(found.map(Tag::as_str), want, "{images}"),
                (Err(found), Err(want)) => assert!(found.contains(want), "{images}: {found}"),
                (found, want) => panic!("{images}: {found:?}, wanted {want:?}"),
            }
            listed.reverse();
        }
    }
}

#[test]
fn tags_compare_by_the_rule() {
    let semver = "semver >=1.4 <2";
    let builds = r"semver * | extract ^v(?<key>[0-9.]+)-b(?<build>\d+)$";
    for (rule, one, other, want) in [
        (semver, "1.4.0", "1.4.1", Order::Older),
        (semver, "1.10.0", "1.9.0", Order::Newer),
        (semver, "v1.4.0", "1.4.0", Order::Same),
        (semver, "0.1.0", "3.0.0", Order::Older),
        (semver, "1.4.0-rc.1", "1.4.0", Order::Older),
        (semver, "main", "1.4.0", Order::Unknown),
        (semver, "main", "main", Order::Unknown),
        (semver, "", "1.4.0", Order::Unknown),
        (semver, "1.4.0", "", Order::Unknown),
        (builds, "v1.0.0-b9", "v1.0.0-b10", Order::Older),
        (builds, "v1.1.0-b9", "v1.0.0-b10", Order::Newer),
        (builds, "v1.0.0-b9", "v1.0.0-b09", Order::Same),
        (builds, "1.0.0", "v1.0.0-b09", Order::Unknown),
        ("calver YYYY.MM.DD | allow ^2026", "2025.12.31", "2026.1.1", Order::Older),
        ("calver YYYY.MM.DD", "2026.1.1", "2026.01.01", Order::Same),
        ("calver YYYY.MM.DD", "1.0.0", "2026.01.01", Order::Unknown),
        ("numeric", "9", "10", Order::Older),
        ("numeric", "010", "10", Order::Same),
        ("lexical | allow x", "9", "10", Order::Newer),
        ("lexical | allow x", "20260102-abc123f", "20260102-9f2c41a", Order::Same),
        ("newest", "a", "a", Order::Same),
        ("newest", "a", "b", Order::Unknown),
        ("exact 1.0.0", "1.0.0", "1.0.0", Order::Same),
        ("exact 1.0.0", "1.0.0", "2.0.0", Order::Unknown),
        ("tag main", "main", "main", Order::Same),
        ("tag main", "main", "1.0.0", Order::Unknown),
        ("tag main", "dev", "dev", Order::Unknown),
        ("tag main", "", "", Order::Unknown),
    ] {
        let tag = |text: &str| text.parse::<Tag>().ok();
        assert_eq!(
            follow(rule).compare(tag(one).as_ref(), tag(other).as_ref()),
            want,
            "{rule}: {one} {other}"
        );
    }
}

#[test]
fn images_of_one_release_share_the_key() {
    let shared = |rule: &str, tag: &str| follow(rule).shared(&tag.parse().unwrap());
    assert_eq!(shared("semver *", "v1.2.0"), shared("semver *", "1.2.0"));
    let extract = r"semver * | extract ^v(?<key>[0-9.]+)-build(?<build>\d+)-";
    assert_eq!(shared(extract, "v1.2.0-build7-abc123f"), shared(extract, "v1.2.0-build7-9f2c41a"));
    assert_ne!(shared(extract, "v1.2.0-build7-abc123f"), shared(extract, "v1.2.0-build8-abc123f"));
    assert_eq!(shared(r"semver * | extract ^v(?<key>[0-9.]+)-", "v1.2.0-web"), shared("tag 1.2.0", "1.2.0"));
    let lexical = "lexical | allow x";
    assert_ne!(shared(lexical, "20260102-abc123f"), shared(lexical, "20260102-9f2c41a"));
    assert_ne!(shared("all *", "1.4.0-dev.abc123f"), shared("all *", "1.4.0-dev.9f2c41a"));
    assert_eq!(shared("all *", "v1.4.0-dev.abc123f"), shared("all *", "1.4.0-dev.abc123f"));
    assert_eq!(shared("all *", "v1.4.0-abc123f"), shared("semver *", "1.4.0-abc123f"));
}

const ORDERS: [&str; 6] = [
    "all *",
    r"semver >=0.0.0-0 | extract ^v?(?<key>[0-9.]+)(-b(?<build>\d+))?",
    "calver YYYY.MM.DD",
    "numeric",
    r"numeric | extract -(?<key>\d+)$",
    "lexical | allow .",
];
const TEXTS: &str = "v?[0-9]{1,2}\\.[0-9]\\.[0-9](-rc\\.[0-9]|-b[0-9]{1,2})?|20[0-9]{2}\\.[01]?[0-9]\\.[0-3]?[0-9]|[0-9]{1,8}|x-[0-9]{1,3}|[0-9a-f]{7}|[a-z0-9._-]{1,12}";

proptest! {
    /// For every rule: each pair has two sides, three tags agree, the pick is not older than any that fits, and neither
    /// the order of the list nor what is said twice changes it.
    #[test]
    fn the_order_is_total_and_the_pick_stands_at_its_top(
        texts in prop::collection::vec(TEXTS, 0..8),
        seed in any::<prop::sample::Index>(),
        rule in prop::sample::select(&ORDERS[..]),
    ) {
        let rule = follow(rule);
        let tags: Vec<Tag> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        let compare = |one: &Tag, other: &Tag| rule.compare(Some(one), Some(other));
        for one in &tags {
            for other in &tags {
                let back = match compare(other, one) {
                    Order::Older => Order::Newer,
                    Order::Newer => Order::Older,
                    same @ (Order::Same | Order::Unknown) => same,
                };
                prop_assert_eq!(compare(one, other), back);
                for third in &tags {
                    if compare(one, other) == Order::Older && compare(other, third) == Order::Older {
                        prop_assert_eq!(compare(one, third), Order::Older);
                    }
                    if compare(one, other) == Order::Same && compare(other, third) == Order::Same {
                        prop_assert_eq!(compare(one, third), Order::Same);
                    }
                }
            }
        }
        let picked = rule.pick(&tags);
        if let Picked::Tags(top) = &picked {
            prop_assert!(!top.is_empty() && top.is_sorted());
            for tag in tags.iter().filter(|tag| rule.key(tag).is_some_and(|key| rule.rule.takes(&key.main))) {
                prop_assert_ne!(compare(top[0], tag), Order::Older);
                prop_assert_eq!(compare(top[0], tag) == Order::Same, top.contains(&tag));
            }
        }
        let mut turned = tags.clone();
        turned.extend(tags.first().cloned());
        let middle = seed.index(turned.len().max(1)).min(turned.len());
        turned.rotate_left(middle);
        prop_assert_eq!(words(&rule.pick(&turned)), words(&picked));
    }

    /// A registry that loses tags never makes a rule pick what is newer than before; one that gains any, never older.
    #[test]
    fn fewer_tags_never_pick_newer_ones(
        texts in prop::collection::vec(TEXTS, 1..8),
        lost in any::<prop::sample::Index>(),
        rule in prop::sample::select(&ORDERS[..]),
    ) {
        let rule = follow(rule);
        let tags: Vec<Tag> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        let mut fewer = tags.clone();
        if !fewer.is_empty() {
            fewer.remove(lost.index(fewer.len()));
        }
        if let (Picked::Tags(before), Picked::Tags(after)) = (rule.pick(&tags), rule.pick(&fewer)) {
            prop_assert!(matches!(rule.compare(Some(after[0]), Some(before[0])), Order::Older | Order::Same));
        }
    }
}
