//! Channels: whose they are, and what they may be called.

use super::{check_error, parsed, prod, with_stage, with_stages};

/// A pipeline whose one image is followed so, and whose stage `prod` has these keys.
fn followed(follow: &str, keys: &str) -> String {
    with_stage(keys).replace("follow: { tag: main }", &format!("follow: {follow}"))
}

#[test]
fn a_stage_has_channels_where_it_names_them() {
    assert_eq!(prod("").channels().count(), 0);
    let stage = prod("channel: prod, rollback_channel: prod-rollback");
    let names: Vec<&str> = stage.channels().map(crate::image::Tag::as_str).collect();
    assert_eq!(names, ["prod-rollback", "prod"], "the way back first");
}

#[test]
fn names_of_channels_are_checked() {
    let hex = "0f".repeat(32);
    for (name, reason) in [
        ("\"a b\"", "is not 1 to 128 characters"),
        ("lockkeeper-0123456789abcdef", "of the form of anchors or signatures"),
        (&format!("sha256-{hex}.sig"), "of the form of anchors or signatures"),
        ("7", "put it in quotes"),
    ] {
        for key in ["channel", "rollback_channel"] {
            check_error(
                &with_stage(&format!("{key}: {name}")),
                &format!("pipelines[0].stages[1].{key}"),
                reason,
            );
        }
    }
}

#[test]
fn a_channel_is_no_tag_that_is_followed() {
    let key = "pipelines[0].stages[1].channel";
    for (follow, name) in [
        ("{ tag: main }", "main"),
        ("{ semver: \"1.x\" }", "1.0.0"),
        ("{ lexical: true }", "prod"),
        ("{ newest: true }", "prod"),
        ("{ numeric: true }", "\"17\""),
    ] {
        check_error(
            &followed(follow, &format!("channel: {name}")),
            key,
            "that `follow` of r.example/shop picks",
        );
    }
    for (follow, name) in [
        ("{ tag: main }", "prod"),
        ("{ semver: \"1.x\" }", "prod"),
        ("{ semver: \"1.x\" }", "2.0.0"),
        ("{ newest: true, ignore: ^prod$ }", "prod"),
        ("{ lexical: true, allow: ^v }", "prod"),
    ] {
        parsed(&followed(follow, &format!("channel: {name}")));
    }
}

#[test]
fn a_channel_of_an_image_belongs_to_one_stage() {
    let key = "pipelines[0].stages[1].rollback_channel";
    check_error(&with_stage("channel: prod, rollback_channel: prod"), key, "belongs to stage `prod`");
    let stage = |name: &str| format!("      - {{ name: {name}, pins: [{name}.yaml], channel: live }}\n");
    let both = with_stages(&format!("{}{}", stage("dev"), stage("prod")));
    check_error(&both, "pipelines[0].stages[1].channel", "`live` of r.example/shop belongs to stage `dev`");
    let other = with_stages(&stage("dev")).split_once("  - name: shop").unwrap().1.to_owned();
    let second = |image: &str| {
        let second = other.replace("dev", "prod").replace("r.example/shop", image);
        format!("{}  - name: other{second}", with_stages(&stage("dev")))
    };
    check_error(&second("r.example/shop"), "pipelines[1].stages[0].channel", "of pipeline `shop` (line");
    parsed(&second("r.example/other"));
}
