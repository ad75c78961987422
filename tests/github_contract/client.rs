//! The client that the product uses reads what the fake sends.

use octocrab::models;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::github::Verdict;
use crate::place::{BEGIN, Place};

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

#[tokio::test]
async fn octocrab_asks_as_github_describes_it() {
    let Some(_) = crate::parts::part("openssl") else { return };
    let (private, public) = crate::tokens::key_pair();
    let setting = crate::github::Setting { public_key: Some(public), ..crate::place::setting() };
    let place = Place::with(setting).await;
    // The client takes the end of a token for past or not by the real clock.
    place.pass(jiff::Timestamp::now().as_second() - BEGIN);
    let number = place.pull("a", "a.yaml");
    let key = octocrab::jsonwebtoken::EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
    for (base, words) in [(place.fake.url(), "one"), (place.fake.enterprise_url(), "two")] {
        let app = octocrab::Octocrab::builder()
            .base_uri(base)
            .unwrap()
            .app(77.into(), key.clone())
            .build()
            .unwrap();
        let found = app.apps().get_repository_installation("acme", "environments").await.unwrap();
        let client = app.installation(found.id).unwrap();
        let pulls = client.pulls("acme", "environments");
        assert_eq!(pulls.list().per_page(100).send().await.unwrap().items.len(), 1);
        assert_eq!(pulls.get(number).await.unwrap().number, number);
        let issues = client.issues("acme", "environments");
        let comment = issues.create_comment(number, words).await.unwrap();
        assert_eq!(issues.get_comment(comment.id).await.unwrap().body.as_deref(), Some(words));
        issues.add_labels(number, &["promotion".to_owned()]).await.unwrap();
        let head = place.fake.head("a").unwrap();
        client.checks("acme", "environments").create_check_run("lockkeeper", head).send().await.unwrap();
    }
    assert_eq!(place.fake.comments(number).len(), 2);
    let calls = place.fake.calls();
    assert_eq!(calls["POST /app/installations/{installation_id}/access_tokens"], 2);
    place.no_violations();
}
