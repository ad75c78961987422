//! Comments, reactions, issues and labels; pages and what is known already.

use serde_json::{Value, json};

use crate::place::Place;

#[tokio::test]
async fn comments_are_written_edited_and_listed_by_all_ways() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let hers = place.fake.comment("grace", number, "/status");
    place.pass(10);
    let ours = app.call("POST", &format!("/issues/{number}/comments"), json!({"body": "Fine."})).await;
    assert_eq!((ours.status, &ours.body["performed_via_github_app"]["slug"]), (201, &json!("lockkeeper")));
    let id = ours.body["id"].clone();
    place.pass(10);
    place.fake.edit_comment("ada", hers, "/promote");
    let found = app.of(&format!("/issues/comments/{hers}")).await.body;
    assert_eq!((&found["user"]["login"], &found["body"]), (&json!("grace"), &json!("/promote")));
    assert_eq!(
        (&found["created_at"], &found["updated_at"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:00:20Z"))
    );
    let edited = app.call("PATCH", &format!("/issues/comments/{id}"), json!({"body": "Better."})).await;
    assert_eq!((edited.status, &edited.body["body"]), (200, &json!("Better.")));
    let ids = |list: &Value| {
        list.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let id = id.as_u64().unwrap();
    for (path, wanted) in [
        (format!("/issues/{number}/comments"), vec![hers, id]),
        ("/issues/comments".to_owned(), vec![hers, id]),
        ("/issues/comments?sort=created&direction=desc".to_owned(), vec![id, hers]),
        ("/issues/comments?since=2026-01-01T00:00:20Z".to_owned(), vec![hers, id]),
        ("/issues/comments?since=2026-01-01T00:00:21Z".to_owned(), vec![]),
    ] {
        assert_eq!(ids(&app.of(&path).await.body), wanted, "{path}");
    }
    place.fake.delete_comment("grace", hers);
    assert_eq!(app.of(&format!("/issues/comments/{hers}")).await.status, 404);
    let empty = app.call("POST", &format!("/issues/{number}/comments"), json!({"body": " "})).await;
    assert_eq!(empty.message(), "422 Validation Failed");
    let long = json!({"body": "x".repeat(65_537)});
    let long = app.call("POST", &format!("/issues/{number}/comments"), long).await;
    assert_eq!(long.message(), "422 Validation Failed body is too long (maximum is 65536 characters)");
    place.no_violations();
}

#[tokio::test]
async fn a_reaction_is_there_once() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let comment = place.fake.comment("grace", number, "/status");
    let path = format!("/issues/comments/{comment}/reactions");
    let first = app.call("POST", &path, json!({"content": "eyes"})).await;
    let again = app.call("POST", &path, json!({"content": "eyes"})).await;
    assert_eq!((first.status, again.status, &first.body["id"]), (201, 200, &again.body["id"]));
    assert_eq!(app.of(&format!("{path}?content=eyes")).await.body.as_array().unwrap().len(), 1);
    let gone = app.call("DELETE", &format!("{path}/{}", first.body["id"]), Value::Null).await;
    assert_eq!((gone.status, app.of(&path).await.body), (204, json!([])));
    place.no_violations();
}

#[tokio::test]
async fn issues_and_pull_requests_share_their_numbers() {
    let place = Place::new().await;
    let app = place.app();
    let new = json!({"title": "Frozen", "body": "<!-- key -->", "labels": ["lockkeeper"]});
    assert_eq!(app.call("POST", "/issues", new).await.body["number"], 1);
    assert_eq!(place.pull("a", "a.yaml"), 2);
    let labels = app.call("POST", "/issues/2/labels", json!({"labels": ["promotion"]})).await;
    assert_eq!((labels.status, &labels.body[0]["name"]), (200, &json!("promotion")));
    let issues = app.of("/issues?labels=lockkeeper&creator=lockkeeper%5Bbot%5D").await.body;
    assert_eq!((&issues[0]["number"], issues.as_array().unwrap().len()), (&json!(1), 1));
    let all = app.of("/issues?state=all").await.body;
    assert!(all[0]["pull_request"]["url"].is_string() && all[1]["pull_request"].is_null());
    let closed = app.call("PATCH", "/issues/1", json!({"state": "closed", "title": "Thawed"})).await.body;
    assert_eq!(
        (&closed["state"], &closed["title"], &closed["state_reason"]),
        (&json!("closed"), &json!("Thawed"), &json!("completed"))
    );
    assert_eq!(app.of("/issues/1").await.body["closed_by"]["login"], "lockkeeper[bot]");
    assert_eq!(app.of("/issues/9").await.message(), "404 Not Found");
    place.no_violations();
}

#[tokio::test]
async fn pages_are_linked_on_the_host_that_was_asked() {
    let place = Place::new().await;
    let mut app = place.app();
    let number = place.pull("a", "a.yaml");
    for index in 0..5 {
        place.fake.comment("grace", number, &format!("comment {index}"));
    }
    for base in [place.fake.url(), place.fake.enterprise_url()] {
        app.base.clone_from(&base);
        let mut path = format!("/repos/acme/environments/issues/{number}/comments?per_page=2");
        let mut found = 0;
        loop {
            let page = app.get(&path).await;
            found += page.body.as_array().unwrap().len();
            let link = page.header("link").to_owned();
            let Some(next) = link.split(", ").find_map(|part| part.strip_suffix(">; rel=\"next\"")) else {
                break;
            };
            path = next.trim_start_matches('<').to_owned();
            assert!(path.starts_with(&base), "{path}");
        }
        assert_eq!(found, 5);
        let first = &app.get("/repos/acme/environments/issues/comments").await.body[0];
        assert!(first["url"].as_str().unwrap().starts_with(&format!("{base}/repos/")));
    }
    place.no_violations();
}

#[tokio::test]
async fn what_the_client_has_already_is_not_sent_again() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let path = format!("/repos/acme/environments/issues/{number}/comments");
    let first = app.get(&path).await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    let known = [("if-none-match", etag.as_str())];
    let used =
        |answered: &crate::place::Answered| answered.header("x-ratelimit-used").parse::<u64>().unwrap();
    let second = app.send("GET", &path, None, &known).await.unwrap();
    assert_eq!((second.status, used(&second)), (304, used(&first)), "it costs nothing");
    place.fake.comment("grace", number, "new");
    let third = app.send("GET", &path, None, &known).await.unwrap();
    assert_eq!((third.status, used(&third)), (200, used(&first) + 1));
    place.no_violations();
}
