//! Words by their place.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::image::{Digest, Pinned};

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "the tables hold options")]
fn version(text: &str) -> Option<Target> {
    Some(Target::Version(text.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "the tables hold options")]
fn digest(text: &str) -> Option<Target> {
    Some(Target::Digest(text.to_owned()))
}

#[test]
fn stage_then_target_then_reason() {
    for (arguments, stage, to, reason) in [
        ("", "", None, ""),
        ("prod", "prod", None, ""),
        ("PROD", "prod", None, ""),
        ("prod INC-2041 p99 too high", "prod", None, "INC-2041 p99 too high"),
        ("p99 too  high in prod", "", None, "p99 too high in prod"),
        ("to 1.4.1", "", version("1.4.1"), ""),
        ("prod to v1.4.1 INC-1", "prod", version("v1.4.1"), "INC-1"),
        ("prod TO stable", "prod", version("stable"), ""),
        ("prod to 9f2c41a", "prod", digest("9f2c41a"), ""),
        ("prod to sha256:9F2C41A", "prod", digest("9f2c41a"), ""),
        ("prod to 20260105123000", "prod", version("20260105123000"), ""),
        ("prod to 9f2c41", "prod", version("9f2c41"), ""),
        ("errors go up to 5 percent", "", None, "errors go up to 5 percent"),
        ("\tprod\tx ", "prod", None, "x"),
        ("prod lane=hotfix", "prod", None, "lane=hotfix"),
    ] {
        let want = Command::Rollback { stage: text(stage), to, reason: text(reason) };
        assert_eq!(one(&format!("/rollback {arguments}")), want);
        assert_eq!(one(&format!("@lockkeeper rollback {arguments}")), want);
        assert_eq!(one(&format!("@LockKeeper[bot] Rollback {arguments}")), want);
    }
    let promote =
        |lane| Command::Promote { stage: text("qa"), to: version("1.5.0"), lane, reason: text("please") };
    assert_eq!(one("/promote qa to 1.5.0 please"), promote(AskedLane::Normal));
    assert_eq!(one("/promote qa to 1.5.0 lane=normal please"), promote(AskedLane::Normal));
    assert_eq!(one("/promote qa to 1.5.0 lane=hotfix please"), promote(AskedLane::Hotfix));
    assert_eq!(one("/promote qa to 1.5.0 please lane=hotfix"), promote(AskedLane::Hotfix));
    for lane in [
        "lane=fast",
        "lane=",
        "lane=Hotfix",
        "lane=rollback",
        "lane=normal lane=hotfix",
        "lane=hotfix lane=hotfix",
    ] {
        check_error(
            &format!("/promote qa to 1.5.0 {lane}"),
            1,
            "wanted `lane=hotfix` or `lane=normal`, once",
        );
    }
}

#[test]
fn freezes_take_all() {
    let at: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    for (arguments, stage, until, reason) in [
        ("", "", None, ""),
        ("all", "all", None, ""),
        ("ALL until 2h quarter end", "all", Some(Until::After(Duration::from_hours(2))), "quarter end"),
        ("prod until 2026-11-20T16:00:00Z", "prod", Some(Until::At(at)), ""),
        ("quarter end of all", "", None, "quarter end of all"),
    ] {
        let want = Command::Freeze { stage: text(stage), until, reason: text(reason) };
        assert_eq!(one(&format!("/freeze {arguments}")), want);
    }
    for (arguments, stage, reason) in [("", "", ""), ("all done", "all", "done"), ("prod", "prod", "")] {
        assert_eq!(
            one(&format!("/unfreeze {arguments}")),
            Command::Unfreeze { stage: text(stage), reason: text(reason) }
        );
    }
    check_error("/freeze live until 2h", 1, "no stage or group `live` here");
    check_error("/freeze prdo", 1, "did you mean `prod`?");
    check_error("/freeze all until monday", 1, "wanted a time");
    check_error("/unfreeze all until 2h", 1, "`/unfreeze` lifts at once, and `/freeze` takes a time");
    // No other command takes `all`.
    assert_eq!(one("/hold all").reason(), Some("all"));
}

#[test]
fn a_name_that_is_almost_one_is_refused() {
    check_error("/rollback prdo", 1, "no stage or group `prdo` here, did you mean `prod`?");
    check_error("/rollback prod: too slow", 1, "did you mean `prod`?");
    check_error("/rollback live to 1.4.1", 1, "no stage or group `live` here");
    check_error("/rollback live to 9f2c41aa7b03", 1, "no stage or group `live` here");
    check_error("/hold live until 2h", 1, "no stage or group `live` here");
    assert_eq!(one("/rollback new errors").reason(), Some("new errors"));
    assert_eq!(one("/rollback deb package broken").reason(), Some("deb package broken"));
    assert_eq!(one("/rollback back to the old one").reason(), Some("back to the old one"));
}

#[test]
fn what_follows_to_is_a_release() {
    for arguments in [
        "to",
        "prod to",
        "to `1.4.1`",
        "to sha256:",
        "to sha256:9f2c41",
        "to sha256:xyz41aa",
        "to -1",
        "to a/b",
        "to <b>",
    ] {
        check_error(&format!("/rollback {arguments}"), 1, "wanted a version (`1.4.2`) or a digest");
    }
    let long = "0a".repeat(32);
    assert_eq!(
        one(&format!("/promote to sha256:{long}")),
        Command::Promote { stage: None, to: digest(&long), lane: AskedLane::Normal, reason: None }
    );
    check_error(&format!("/promote to sha256:{long}0"), 1, "wanted a version");
}

#[test]
fn holds_have_an_end() {
    let at: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    for (arguments, stage, until, reason) in [
        ("", "", None, ""),
        ("prod migration runs", "prod", None, "migration runs"),
        ("prod until 2h migration", "prod", Some(Until::After(Duration::from_hours(2))), "migration"),
        ("until 1d", "", Some(Until::After(Duration::from_hours(24))), ""),
        ("until 2026-11-20T16:00:00Z x", "", Some(Until::At(at)), "x"),
        ("until 2026-11-20T17:00:00+01:00", "", Some(Until::At(at)), ""),
        ("waiting until the end", "", None, "waiting until the end"),
    ] {
        let want = Command::Hold { stage: text(stage), until, reason: text(reason) };
        assert_eq!(one(&format!("/hold {arguments}")), want);
    }
    for time in
        ["", "monday", "2026-11-20", "2026-11-20T16:00:00", "91d", "16:00", "2026-11-20T16:00:00Z[UTC]", "T"]
    {
        check_error(&format!("/hold until {time}"), 1, "wanted a time");
    }
    assert_eq!(
        one("/resume prod-eu fixed in 1.4.3"),
        Command::Resume { stage: text("prod-eu"), reason: text("fixed in 1.4.3") }
    );
    check_error("/resume prod until 2h", 1, "`/resume` lifts at once");
    assert_eq!(Until::After(Duration::from_hours(2)).at(at).to_string(), "2026-11-20T18:00:00Z");
    assert_eq!(Until::At(at).at(Timestamp::MIN), at);
    assert_eq!(Until::After(Duration::from_hours(2)).at(Timestamp::MAX), Timestamp::MAX);
}

#[test]
fn a_veto_takes_a_word_like_a_release() {
    for (arguments, target, reason) in [
        ("", None, ""),
        ("1.4.2 latency", version("1.4.2"), "latency"),
        ("v1.4.2-rc.1", version("v1.4.2-rc.1"), ""),
        ("9f2c41aa7b03 latency", digest("9f2c41aa7b03"), "latency"),
        ("sha256:9f2c41a", digest("9f2c41a"), ""),
        ("202601051230", version("202601051230"), ""),
        ("latency is up", None, "latency is up"),
        ("3 errors a second", None, "3 errors a second"),
        ("99.9% is gone", None, "99.9% is gone"),
        ("defaced page", None, "defaced page"),
        ("2041234 is the ticket", None, "2041234 is the ticket"),
        ("prod is slow", None, "prod is slow"),
    ] {
        assert_eq!(
            one(&format!("/veto {arguments}")),
            Command::Veto { target: target.clone(), reason: text(reason) }
        );
        assert_eq!(one(&format!("/unveto {arguments}")), Command::Unveto { target, reason: text(reason) });
    }
    check_error("/veto sha256:short", 1, "wanted a version");
}

#[test]
fn questions_take_a_stage() {
    assert_eq!(one("/status"), Command::Status { stage: None });
    assert_eq!(one("/status prod please"), Command::Status { stage: text("prod") });
    assert_eq!(one("/explain qa"), Command::Explain { stage: text("qa") });
    assert_eq!(one("/history prod"), Command::History { stage: text("prod") });
    assert_eq!(one("/help me"), Command::Help);
    assert_eq!(one("/retry now"), Command::Retry);
    check_error("/status live", 1, "no stage or group `live` here");
    check_error("/history to", 1, "no stage or group `to` here");
}

#[test]
fn unknown_words_are_answered_only_where_they_are_meant_for_us() {
    check_error("/rolback prod", 1, "no command `/rolback`, did you mean `/rollback`?");
    check_error("/Deploy prod", 1, "no command `/deploy`; `/help` lists all");
    check_error("@lockkeeper deploy", 1, "no command `/deploy`");
    check_error("/approve", 1, "an approval is a review");
    check_error("/freez all", 1, "did you mean `/freeze`?");
    check_error("/rollback, please", 1, "wanted a blank after `/rollback`, found `rollback,`");
    for body in [
        "/usr/bin/env",
        "/etc is full",
        "/etc",
        "/var",
        "/api/v1 answers 500",
        "/v2",
        "//",
        "/",
        "/ rollback",
        "/-",
        "/rollback/prod",
        "/rôllback",
        "@lockkeeper",
        "@lockkeeper 👍",
        "@lockkeeper: hello",
        "@lockkeepers rollback",
        "@someone rollback",
        "@ rollback",
        "x /rollback",
        " /rollback",
        "thanks @lockkeeper rollback",
        "",
        "\n\n",
        "/s/foo/bar",
        "/thanks! great",
    ] {
        check_none(body);
    }
    assert_eq!(parse("@ rollback", "", &known()), Ok(vec![]));
    assert_eq!(parse("@deploy-bot help", "deploy-bot[bot]", &known()), Ok(vec![Command::Help]));
}

#[test]
fn all_or_none_and_at_most_five() {
    let lines = |count: usize| vec!["/status"; count].join("\n");
    assert_eq!(parsed(&lines(5)).unwrap().len(), 5);
    check_error(&lines(6), 6, "at most 5 commands in a comment, found 6");
    check_error("/rollback prod\n\ntext\n/hold until x", 4, "wanted a time");
    assert_eq!(parsed("/hold prod\r\n/veto 1.4.2\r\n").unwrap().len(), 2);
    check_error("/hold\r\n\r\n/holf", 3, "did you mean `/hold`?");
}

#[test]
fn texts_are_bounded_and_visible() {
    assert_eq!(one(&format!("/hold {}", "é".repeat(1000))).reason().unwrap().chars().count(), 1000);
    check_error(
        &format!("/hold {}", "é".repeat(1001)),
        1,
        "at most 1000 characters after the command, found 1001",
    );
    let padded = |bytes: usize| format!("{}\n\n/hold", "x".repeat(bytes - 7));
    assert_eq!(one(&padded(1 << 16)), Command::Hold { stage: None, until: None, reason: None });
    check_error(&padded((1 << 16) + 1), 3, "at most 65536 bytes, found 65537");
    check_none(&"x".repeat(1 << 17));
    check_error("/hold a\u{202e}b", 1, "found U+202E");
    check_error("/hold a\u{1b}[31mb", 1, "found U+001B");
    check_error("/hold a\u{0}b", 1, "found U+");
    assert_eq!(one("/hold 👩‍🚒 fire").reason(), Some("👩‍🚒 fire"));
    let error = parsed(&format!("/rollback to {}", "`/x`".repeat(100))).unwrap_err().to_string();
    assert!(error.len() < 250 && !error.contains("``"), "{error}");
}

#[test]
fn a_target_names_what_is_pinned() {
    let pinned = |tag: &str| Pinned { tag: tag.parse().ok(), digest: Digest::of(b"") };
    for (target, tag, want) in [
        (version("1.4.2"), "1.4.2", true),
        (version("v1.4.2"), "1.4.2", true),
        (version("1.4.2"), "v1.4.2", true),
        (version("1.4"), "1.4.2", false),
        (version("main"), "main", true),
        (version("main"), "", false),
        (digest("e3b0c44"), "1.4.2", true),
        (digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "", true),
        (digest("e3b0c45"), "", false),
        (digest("a1b2c3d"), "a1b2c3d", true),
    ] {
        assert_eq!(target.clone().unwrap().matches(&pinned(tag)), want, "{target:?} {tag}");
    }
    assert_eq!(digest("e3b0c44").unwrap().to_string(), "sha256:e3b0c44");
    assert_eq!(version("1.4.2").unwrap().to_string(), "1.4.2");
}

proptest! {
    #[test]
    fn any_comment_is_read_or_refused(body in "\\PC{0,80}", lines in prop::collection::vec("[/@`<>*#|a-z \\[\\]()-]{0,20}", 0..8)) {
        let _ = parsed(&body);
        let _ = parsed(&lines.join("\n"));
    }

    #[test]
    fn any_arguments_are_read_or_refused_and_no_answer_is_a_command(verb in 0..13_usize, arguments in "(prod |all |to |until |1\\.2 |lane=|sha256:|\\PC){0,12}") {
        let body = format!("/{} {arguments}", Verb::ALL[verb].name());
        if let Err(error) = parsed(&body) {
            prop_assert_eq!(parsed(&error.to_string()), Ok(vec![]));
        }
    }
}
