//! The client that the product uses reads what the fake sends.

use octocrab::models;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::github::Verdict;
use crate::place::Place;

fn read<T: DeserializeOwned>(what: &str, body: &Value) {
    serde_json::from_value::<T>(body.clone()).unwrap_or_else(|error| panic!("{what}: {error}\n{body:#}"));
}

#[tokio::test]
async fn octocrab_reads_every_kind_of_thing() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let head = place.fake.head("a").unwrap();
    let comment = place.fake.comment("ada", number, "text");
    place.fake.review("grace", number, Verdict::Approved);
    place.fake.check("ci", "build", &head, "success");
    place.fake.set_team("release", "grace", Some(crate::github::Membership::Active));
    let get = async |path: &str| app.of(path).await.body;
    let pull = format!("/pulls/{number}");
    read::<models::pulls::PullRequest>("pull request", &get(&pull).await);
    read::<Vec<models::pulls::PullRequest>>("pull requests", &get("/pulls").await);
    read::<Vec<models::pulls::Review>>("reviews", &get(&format!("{pull}/reviews")).await);
    read::<Vec<models::repos::DiffEntry>>("files", &get(&format!("{pull}/files")).await);
    read::<Vec<models::repos::RepoCommit>>("commits", &get(&format!("{pull}/commits")).await);
    read::<Vec<models::issues::Issue>>("issues", &get("/issues").await);
    read::<models::issues::Comment>("comment", &get(&format!("/issues/comments/{comment}")).await);
    read::<models::checks::ListCheckRuns>("check runs", &get(&format!("/commits/{head}/check-runs")).await);
    read::<models::repos::Ref>("reference", &get("/git/ref/heads/main").await);
    read::<models::Repository>("repository", &get("").await);
    read::<models::commits::CommitComparison>("comparison", &get("/compare/main...a").await);
    read::<models::UserProfile>("user", &app.get("/user/1").await.body);
    let path = format!("/issues/comments/{comment}/reactions");
    read::<models::reactions::Reaction>(
        "reaction",
        &app.call("POST", &path, json!({"content": "eyes"})).await.body,
    );
    let check = json!({"name": "lockkeeper", "head_sha": head, "conclusion": "success"});
    read::<models::checks::CheckRun>("check run", &app.call("POST", "/check-runs", check).await.body);
    let merge = app.call("PUT", &format!("{pull}/merge"), json!({})).await;
    read::<models::pulls::Merge>("merge", &merge.body);
    for webhook in place.fake.take_webhooks() {
        let event =
            models::webhook_events::WebhookEvent::try_from_header_and_body(&webhook.event, &webhook.body);
        event.unwrap_or_else(|error| panic!("{}: {error}", webhook.event));
    }
    place.no_violations();
}
