//! Webhooks: what is told, how it is signed, and how it comes again.

use serde_json::json;

use crate::github::{Setting, Verdict, sign};
use crate::place::{Client, Place};

fn names(place: &Place) -> Vec<String> {
    let name = |webhook: &crate::github::Webhook| {
        let payload = webhook.payload();
        let sender = payload["sender"]["login"].as_str().unwrap_or("").to_owned();
        format!("{} {} by {sender}", webhook.event, payload["action"].as_str().unwrap_or("-"))
    };
    place.fake.take_webhooks().iter().map(name).collect()
}

#[tokio::test]
async fn every_act_is_told() {
    let place = Place::new().await;
    let app = place.app();
    place.push("a", "a.yaml", "a");
    assert_eq!(names(&place), ["push - by ada"]);
    place.fake.set_pusher("grace");
    let number = place.fake.open_by("ada", "a", "main", "Promote");
    let head = place.push("a", "a.yaml", "more");
    assert_eq!(
        names(&place),
        ["pull_request opened by ada", "push - by grace", "pull_request synchronize by grace"]
    );
    let comment = place.fake.comment("linus", number, "text");
    place.fake.edit_comment("grace", comment, "other");
    place.fake.delete_comment("ada", comment);
    assert_eq!(
        names(&place),
        ["issue_comment created by linus", "issue_comment edited by grace", "issue_comment deleted by ada"]
    );
    let review = place.fake.review("grace", number, Verdict::Approved);
    place.fake.dismiss("ada", review);
    assert_eq!(
        names(&place),
        ["pull_request_review submitted by grace", "pull_request_review dismissed by ada"]
    );
    let check = place.fake.check("lockkeeper", "lockkeeper", &head, "success");
    place.fake.rerequest("grace", check);
    place.fake.press("grace", check, "retry");
    place.fake.set_status("grace", &head, "build", "success");
    let wanted = [
        "check_run created by lockkeeper[bot]",
        "check_run completed by lockkeeper[bot]",
        "check_suite completed by lockkeeper[bot]",
        "check_run rerequested by grace",
        "check_run requested_action by grace",
        "status - by grace",
    ];
    assert_eq!(names(&place), wanted);
    app.call("PATCH", &format!("/pulls/{number}"), json!({"title": "New", "state": "closed"})).await;
    place.fake.reopen("ada", number);
    app.call("POST", &format!("/issues/{number}/labels"), json!({"labels": ["promotion"]})).await;
    place.fake.merge_by("ada", number);
    let wanted = [
        "pull_request edited by lockkeeper[bot]",
        "pull_request closed by lockkeeper[bot]",
        "pull_request reopened by ada",
        "pull_request labeled by lockkeeper[bot]",
        "push - by ada",
        "pull_request closed by ada",
    ];
    assert_eq!(names(&place), wanted);
    place.no_violations();
}

#[tokio::test]
async fn a_delivery_stands_in_the_list_and_comes_again_with_its_guid() {
    let place = Place::with(Setting { app_id: 78, ..crate::place::setting() }).await;
    place.pull("a", "a.yaml");
    let number = place.fake.pull_requests()[0].number;
    place.fake.comment("ada", number, "text");
    let webhooks = place.fake.take_webhooks();
    let (lost, last) = (&webhooks[1], &webhooks[2]);
    place.fake.answered(&last.guid, 202);
    let app = Client { base: place.fake.url(), token: crate::tokens::unchecked_jwt(78) };
    let listed = app.get("/app/hook/deliveries?per_page=2").await;
    assert_eq!((&listed.body[0]["guid"], &listed.body[0]["status"]), (&json!(last.guid), &json!("OK")));
    assert_eq!((&listed.body[1]["guid"], &listed.body[1]["status_code"]), (&json!(lost.guid), &json!(0)));
    let next = listed.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(app.get(&next).await.body[0]["guid"], webhooks[0].guid.as_str());
    assert_eq!(app.get("/app/hook/deliveries?status=failure").await.body.as_array().unwrap().len(), 2);
    let path = format!("/app/hook/deliveries/{}/attempts", listed.body[1]["id"]);
    assert_eq!(app.send("POST", &path, None, &[]).await.unwrap().status, 202);
    let again = place.fake.take_webhooks();
    assert_eq!(&again[..], std::slice::from_ref(lost), "byte for byte");
    assert_eq!(app.get("/app/hook/deliveries").await.body[0]["redelivery"], true);
    assert_eq!(app.get("/app/hook/config").await.body["content_type"], "json");
    place.no_violations();
}

#[tokio::test]
async fn anything_else_can_be_told() {
    let place = Place::new().await;
    let package = json!({"registry_package": {"name": "shop", "package_type": "CONTAINER"}});
    place.fake.tell("ada", "registry_package", Some("published"), package);
    place.fake.tell(
        "ada",
        "installation",
        Some("suspend"),
        json!({"installation": {"id": 7_001, "suspended_at": "2026-01-01T00:00:00Z"}}),
    );
    place.fake.tell("ada", "ping", None, json!({"zen": "Keep it logically awesome."}));
    assert_eq!(
        names(&place),
        ["registry_package published by ada", "installation suspend by ada", "ping - by ada"]
    );
    place.no_violations();
    place.fake.tell("ada", "ping", None, json!({"zen": 7}));
    assert_eq!(place.fake.violations().len(), 1);
}

#[test]
fn a_signature_is_that_of_githubs_documentation() {
    let wanted = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(sign("It's a Secret to Everybody", b"Hello, World!"), wanted);
}
