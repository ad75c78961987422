//! What goes wrong, on demand.

use std::time::Duration;

use serde_json::json;

use crate::github::Fault;
use crate::github::contract::Contract;
use crate::place::{BEGIN, Place};

#[tokio::test]
async fn limits_are_told_as_github_does() {
    let place = Place::new().await;
    let app = place.app();
    place.fake.next("GET /repos/acme/environments/pulls", Fault::Secondary(60));
    let limited = app.of("/pulls").await;
    assert_eq!((limited.status, limited.header("retry-after")), (403, "60"));
    assert!(limited.message().contains("secondary rate limit"), "{}", limited.message());
    for status in [403, 429] {
        place.fake.next("/repos/{owner}/{repo}/pulls", Fault::Primary(status, 90));
        let limited = app.of("/pulls").await;
        let reset = limited.header("x-ratelimit-reset").parse::<i64>().unwrap();
        assert_eq!(
            (limited.status, limited.header("x-ratelimit-remaining"), reset),
            (status, "0", BEGIN + 90)
        );
    }
    let well = app.of("/pulls").await;
    assert_eq!((well.status, well.header("x-ratelimit-limit")), (200, "5000"));
    assert_eq!(place.fake.calls()["GET /repos/{owner}/{repo}/pulls"], 4);
    place.no_violations();
}

#[tokio::test]
async fn an_act_is_done_or_not_whatever_the_answer_says() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let path = format!("/repos/acme/environments/issues/{number}/comments");
    let comment = async || app.send("POST", &path, Some(json!({"body": "text"})), &[]).await;
    let count = || place.fake.comments(number).len();
    let mut done = 0;
    for (fault, status, is_done) in [
        (Fault::Before(502), Some(502), 0),
        (Fault::After(502), Some(502), 1),
        (Fault::Cut, None, 0),
        (Fault::LoseAnswer, None, 1),
        (Fault::Pass, Some(201), 1),
    ] {
        place.fake.next("POST", fault);
        assert_eq!(comment().await.ok().map(|answered| answered.status), status, "{fault:?}");
        done += is_done;
        assert_eq!(count(), done, "{fault:?}");
    }
    for (fault, is_done) in [(Fault::Hang, 0), (Fault::HangAfter, 1)] {
        place.fake.next("POST", fault);
        assert!(tokio::time::timeout(Duration::from_millis(700), comment()).await.is_err(), "{fault:?}");
        done += is_done;
        assert_eq!(count(), done, "{fault:?}");
    }
    place.no_violations();
}

#[tokio::test]
async fn what_is_not_as_github_describes_it_is_told() {
    let place = Place::new().await;
    let app = place.app();
    let wrong =
        app.call("POST", "/pulls", json!({"title": "a", "head": "b", "base": "main", "bodi": "c"})).await;
    assert!(
        wrong.message().starts_with("500 POST /repos/{owner}/{repo}/pulls: body: there is no field `bodi`")
    );
    assert_eq!(app.of("/pull/1").await.status, 500);
    let violations = place.fake.violations();
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert!(violations[1].ends_with("GET /repos/acme/environments/pull/1 is no operation of the slice"));
}

#[tokio::test]
async fn the_fake_itself_is_held_to_the_description() {
    let place = Place::new().await;
    let (number, app) = (place.pull("a", "a.yaml"), place.app());
    let comment = place.fake.comment("ada", number, "text");
    let path = format!("/issues/comments/{comment}/reactions");
    app.call("POST", &path, json!({"content": "eyes"})).await;
    place.no_violations();
    place.fake.restore(&place.fake.save().replace("\"eyes\"", "\"sparkle\""));
    let wrong = app.of(&path).await.message();
    let wanted =
        "500 GET /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions answered 200: at `/0/content`";
    assert!(wrong.starts_with(wanted), "{wrong}");
    assert_eq!(place.fake.violations().len(), 1);
}

#[tokio::test]
async fn every_operation_of_the_slice_is_answered() {
    let place = Place::new().await;
    let (number, app) = (place.pull("a", "a.yaml"), place.app());
    let comment = place.fake.comment("ada", number, "text");
    for id in Contract::operations() {
        let (method, path) = id.split_once(' ').unwrap();
        if method != "GET" || path.starts_with("/app") || path.ends_with("/installation") {
            continue;
        }
        let path =
            path.replace("{owner}", "acme").replace("{repo}", "environments").replace("{branch}", "main");
        let path = path.replace("{ref}", if path.contains("/git/") { "heads/main" } else { "main" });
        let path =
            path.replace("{basehead}", "main...a").replace("{username}", "ada").replace("{org}", "acme");
        let path = path.replace("{comment_id}", &comment.to_string()).replace("{team_slug}", "release");
        let path = ["{pull_number}", "{issue_number}", "{account_id}", "{deployment_id}", "{ruleset_id}"]
            .iter()
            .fold(path, |path, name| path.replace(name, &number.to_string()));
        let status = app.get(&path).await.status;
        assert!([200, 403, 404].contains(&status), "{id}: {status}");
    }
    place.no_violations();
}

#[tokio::test]
async fn what_is_saved_can_be_put_back() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    place.fake.comment("ada", number, "before");
    let (saved, waiting) = (place.fake.save(), 3);
    place.fake.comment("ada", number, "after");
    place.fake.close("ada", number);
    place.fake.restore(&saved);
    assert_eq!(place.fake.save(), saved);
    assert_eq!(place.fake.take_webhooks().len(), waiting, "a push, an opening and a comment");
    assert_eq!(place.fake.comments(number).len(), 1);
    assert_eq!(app.of(&format!("/pulls/{number}")).await.body["state"], "open");
}
