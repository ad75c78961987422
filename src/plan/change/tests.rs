use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::image::{Digest, LABEL_PREFIX, Tag};
use crate::pipeline;

fn rule(follow: &str) -> ImageRule {
    let text = format!(
        "version: 1\npipelines:\n  - name: web\n    images: [{{ repository: r.example/web, follow: {{ {follow} }} }}]\n    \
         stages: [{{ name: dev, pins: [a] }}]\n"
    );
    pipeline::parse(text.as_bytes()).unwrap().pipelines.remove(0).images.remove(0)
}

/// A tag, and labels after it: `1.4.2 revision=4f0c7f1`.
fn image(text: &str) -> (Pinned, Image) {
    let mut words = text.split(' ');
    let tag: Tag = words.next().unwrap().parse().unwrap();
    let label = |word: &str| {
        word.split_once('=').map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), value.to_owned()))
    };
    let digest = Digest::of(text.as_bytes());
    let image = Image {
        digest,
        media_type: String::new(),
        platforms: Vec::new(),
        labels: words.filter_map(label).collect::<BTreeMap<_, _>>(),
        created: None,
        parts: Vec::new(),
        missing: Vec::new(),
    };
    (Pinned { tag: Some(tag), digest }, image)
}

fn class(follow: &str, old: &str, new: &str) -> ChangeClass {
    let (rule, old, new) = (rule(follow), image(old), image(new));
    of_image(&Side::of(&rule, &old.0, Some(&old.1)), &Side::of(&rule, &new.0, Some(&new.1)))
}

#[test]
fn the_class_of_a_change_by_rule_version_commit_and_base() {
    let (semver, moving) = ("semver: '*'", "tag: main");
    let extract = r"semver: '*', extract: '^v(?<key>[0-9.]+)-build(?<build>\d+)-(?<sha>[0-9a-f]{7})$'";
    let revision = |tag: &str, rest: &str| format!("{tag} revision=4f0c7f1a0b0c {rest}");
    for (follow, old, new, want) in [
        (semver, "1.4.1", "2.0.0", "major"),
        (semver, "1.4.1", "1.5.0", "minor"),
        (semver, "1.4.1", "v1.4.2", "patch"),
        (semver, "1.4.2", "1.4.1", "patch"),
        (semver, "0.4.1", "0.5.0", "minor"),
        (semver, "1.4.0-rc.1", "1.4.0", "patch"),
        (semver, "1.4.0-rc.1", "1.5.0", "minor"),
        (semver, "1.4.1 revision=4f0c7f1a0b0c", "1.4.2 revision=4f0c7f1a0b0c", "patch"),
        (semver, "1.4.2 x=1", "v1.4.2", "rebuild"),
        (semver, "1.4.2 revision=4f0c7f1", "v1.4.2", "rebuild"),
        (semver, "1.4.2 revision=4f0c7f1", "v1.4.2 revision=5f0c7f1", "unknown"),
        (semver, "1.4.2 revision=main", "v1.4.2 revision=other", "rebuild"),
        (extract, "v1.4.2-build7-4f0c7f1", "v1.4.2-build8-4f0c7f1", "rebuild"),
        (extract, "v1.4.2-build7-4f0c7f1", "v1.4.2-build8-5f0c7f1", "unknown"),
        (extract, "v1.4.2-build7-4f0c7f1", "v1.4.3-build8-5f0c7f1", "patch"),
        (moving, "main version=1.4.1", "main version=1.5.0", "minor"),
        (moving, "main version=main", "main version=main x=1", "unknown"),
        (moving, "1.4.1", "main version=1.4.2", "unknown"),
        (moving, &revision("main", ""), &revision("main", "x=1"), "rebuild"),
        (moving, "main revision=4f0c7f1a0b0c", "main revision=4F0C7F1", "rebuild"),
        (moving, "main revision=4f0c7f1", "main revision=5f0c7f1", "unknown"),
        (moving, "main revision=main", "main revision=main x=1", "unknown"),
        (moving, &revision("main", "base.digest=a"), &revision("main", "base.digest=b"), "base-only"),
        (moving, &revision("main", "base.name=a"), &revision("main", "base.name=b"), "base-only"),
        (
            moving,
            &revision("main", "base.name=a base.digest=d"),
            &revision("main", "base.name=b base.digest=d"),
            "rebuild",
        ),
        (moving, &revision("main", "base.digest=a"), &revision("main", "base.name=b"), "rebuild"),
        (moving, "main base.digest=a", "main base.digest=b", "unknown"),
        ("calver: YYYY.MM.DD", "2026.1.5 version=2026.1.5", "2026.2.5 version=2026.2.5", "unknown"),
        ("calver: YYYY.MM.DD", &revision("2026.1.5", ""), &revision("2026.2.5", ""), "rebuild"),
        ("numeric: true", "7 version=1.4.1", "8 version=1.4.2", "patch"),
        ("lexical: true, allow: '^r'", "r1", "r2", "unknown"),
        ("newest: true", "1.4.1", "1.5.0", "minor"),
        ("exact: 1.5.0", "1.4.1", "1.5.0", "minor"),
    ] {
        assert_eq!(class(follow, old, new).word(), want, "{follow}: {old} → {new}");
    }
}

#[test]
fn an_image_of_which_nothing_is_known_has_its_tag_alone() {
    let rule = rule("semver: '*'");
    let (old, new) = (image("1.4.1").0, image("1.4.2").0);
    assert_eq!(of_image(&Side::of(&rule, &old, None), &Side::of(&rule, &new, None)), ChangeClass::Patch);
    let bare = Pinned { tag: None, ..new };
    assert_eq!(of_image(&Side::of(&rule, &old, None), &Side::of(&rule, &bare, None)), ChangeClass::Unknown);
}

fn any_image() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        (0..3u8, 0..3u8, 0..3u8).prop_map(|(a, b, c)| format!("{a}.{b}.{c}")),
        Just("main".to_owned()),
        Just("1.0.0-rc.1".to_owned())
    ];
    let label = prop_oneof![
        Just("revision=4f0c7f1a"),
        Just("revision=5f0c7f1a"),
        Just("version=1.0.1"),
        Just("base.digest=a"),
        Just("base.digest=b"),
        Just("base.name=a"),
    ];
    (tag, proptest::collection::vec(label, 0..4))
        .prop_map(|(tag, labels)| format!("{tag} {}", labels.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The way back has the class of the way there, other labels and the mark of a version change nothing.
    #[test]
    fn a_class_is_stable(old in any_image(), new in any_image()) {
        let follow = "semver: '*'";
        let found = class(follow, &old, &new);
        prop_assert_eq!(class(follow, &new, &old), found);
        prop_assert_eq!(class(follow, &format!("{old} title=x"), &format!("{new} vendor=y")), found);
        let marked = if new.starts_with(|c: char| c.is_ascii_digit()) { format!("v{new}") } else { new };
        prop_assert_eq!(class(follow, &old, &marked), found);
    }
}
