//! Pull requests from opening to merge.

use serde_json::{Value, json};

use crate::github::{Membership, Setting, Verdict};
use crate::place::{Place, setting};

#[tokio::test]
async fn mergeable_is_known_at_the_second_look_after_each_change() {
    let place = Place::new().await;
    let (number, app) = (place.pull("promo/dev", "dev.yaml"), place.app());
    let path = format!("/pulls/{number}");
    let look = async || app.of(&path).await.body["mergeable"].clone();
    for wanted in [json!(null), json!(true), json!(true)] {
        assert_eq!(look().await, wanted);
    }
    place.push("promo/dev", "dev.yaml", "more");
    for wanted in [json!(null), json!(true)] {
        assert_eq!(look().await, wanted, "after a push to the head");
    }
    place.push("main", "dev.yaml", "other");
    for wanted in [json!(null), json!(false)] {
        assert_eq!(look().await, wanted, "after a push to the base");
    }
    let refused = app.call("PUT", &format!("{path}/merge"), json!({})).await;
    assert_eq!(refused.message(), "405 Pull Request is not mergeable");
    place.no_violations();
}

#[tokio::test]
async fn a_merge_is_a_commit_on_the_base_with_our_words() {
    let place = Place::new().await;
    let app = place.app();
    for (branch, method, parents) in [("a", "merge", 2), ("b", "squash", 1)] {
        let number = place.pull(branch, &format!("{branch}.yaml"));
        let (head, base) = (place.fake.head(branch).unwrap(), place.fake.head("main").unwrap());
        let words = json!({"commit_title": "Promote", "commit_message": "Why: 1\nBy: 2", "sha": head, "merge_method": method});
        let merged = app.call("PUT", &format!("/pulls/{number}/merge"), words).await;
        assert_eq!((merged.status, &merged.body["merged"]), (200, &json!(true)));
        let commit = place.git.show("refs/heads/main");
        assert_eq!(merged.body["sha"], commit.id.as_str());
        assert_eq!(commit.message, "Promote\n\nWhy: 1\nBy: 2");
        assert_eq!((commit.parents.len(), &commit.parents[0]), (parents, &base));
        let pull = app.of(&format!("/pulls/{number}")).await.body;
        assert_eq!((&pull["state"], &pull["merged"]), (&json!("closed"), &json!(true)));
        assert_eq!(pull["merge_commit_sha"], commit.id.as_str());
        assert_eq!(pull["merged_by"]["login"], "lockkeeper[bot]");
        assert_eq!(pull["merged_at"], "2026-01-01T00:00:00Z");
        let again = app.call("PUT", &format!("/pulls/{number}/merge"), json!({})).await;
        assert_eq!(again.message(), "405 Pull Request is not mergeable");
    }
    place.no_violations();
}

#[tokio::test]
async fn what_github_does_not_merge() {
    let place = Place::with(Setting { required_check: Some("lockkeeper".to_owned()), ..setting() }).await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let merge = async |body: Value| app.call("PUT", &format!("/pulls/{number}/merge"), body).await.message();
    let old = place.fake.head("a").unwrap();
    let head = place.push("a", "a.yaml", "more");
    assert_eq!(
        merge(json!({"sha": old})).await,
        "409 Head branch was modified. Review and try the merge again."
    );
    let expected = "405 Required status check \"lockkeeper\" is expected.";
    assert_eq!(merge(json!({"sha": head})).await, expected);
    place.fake.check("impostor", "lockkeeper", &head, "success");
    assert_eq!(merge(json!({})).await, expected, "of another app");
    place.fake.check("lockkeeper", "lockkeeper", &old, "success");
    assert_eq!(merge(json!({})).await, expected, "on an older head");
    place.fake.check("lockkeeper", "lockkeeper", &head, "success");
    place.fake.check("lockkeeper", "lockkeeper", &head, "failure");
    assert_eq!(merge(json!({})).await, expected, "the latest counts");
    place.fake.check("lockkeeper", "lockkeeper", &head, "success");
    assert_eq!(
        merge(json!({"sha": head, "merge_method": "rebase"})).await,
        "405 Rebase merges are not allowed on this repository."
    );
    assert_eq!(merge(json!({"sha": head})).await, "200 Pull Request successfully merged");
    let branch = place.push("b", "b.yaml", "b");
    let draft = place.fake.open_draft_by("ada", "b", "main", "Later");
    place.fake.check("lockkeeper", "lockkeeper", &branch, "success");
    let path = format!("/pulls/{draft}/merge");
    assert_eq!(app.call("PUT", &path, json!({})).await.message(), "405 Pull Request is still a draft");
    place.fake.ready("ada", draft);
    place.fake.close("ada", draft);
    assert_eq!(app.call("PUT", &path, json!({})).await.message(), "405 Pull Request is not mergeable");
    assert_eq!(app.call("PUT", "/pulls/99/merge", json!({})).await.message(), "404 Not Found");
    let rules = app.of("/rules/branches/main").await.body;
    assert_eq!(
        rules[0]["parameters"]["required_status_checks"][0],
        json!({"context": "lockkeeper", "integration_id": 77})
    );
    assert_eq!(app.of("/branches/main").await.body["protected"], true);
    let protection = app.of("/branches/main/protection").await.body;
    assert_eq!(protection["required_status_checks"]["checks"][0]["app_id"], 77);
    assert_eq!(app.of("/branches/a/protection").await.message(), "404 Branch not protected");
    place.no_violations();
}

#[tokio::test]
async fn a_pull_request_is_opened_once_edited_and_closed() {
    let place = Place::new().await;
    let app = place.app();
    let head = place.push("promo/dev", "dev.yaml", "1");
    let new = json!({"title": "Promote", "head": "promo/dev", "base": "main", "body": "Text"});
    let opened = app.call("POST", "/pulls", new.clone()).await;
    assert_eq!(
        (opened.status, &opened.body["number"], &opened.body["head"]["sha"]),
        (201, &json!(1), &json!(head))
    );
    assert_eq!(opened.body["user"]["id"], app.get("/user/9001").await.body["id"]);
    for (body, wanted) in [
        (new.clone(), "422 Validation Failed A pull request already exists for acme:promo/dev."),
        (
            json!({"title": "a", "head": "main", "base": "main"}),
            "422 Validation Failed No commits between main and main",
        ),
        (json!({"title": "a", "head": "gone", "base": "main"}), "422 Validation Failed"),
        (json!({"title": "a", "head": "promo/dev", "base": "gone"}), "422 Validation Failed"),
    ] {
        assert_eq!(app.call("POST", "/pulls", body).await.message(), wanted);
    }
    place.pass(60);
    let edited = app.call("PATCH", "/pulls/1", json!({"body": "Other"})).await.body;
    assert_eq!((&edited["body"], &edited["updated_at"]), (&json!("Other"), &json!("2026-01-01T00:01:00Z")));
    place.pass(60);
    let same = app.call("PATCH", "/pulls/1", json!({"body": "Other"})).await.body;
    assert_eq!(same["updated_at"], "2026-01-01T00:01:00Z");
    let closed = app.call("PATCH", "/pulls/1", json!({"state": "closed"})).await.body;
    assert_eq!((&closed["state"], &closed["merged"]), (&json!("closed"), &json!(false)));
    assert_eq!(
        app.call("POST", "/pulls", new).await.body["number"],
        2,
        "a closed one stands in nobody's way"
    );
    let listed = app.of("/pulls?state=all&head=acme:promo/dev&sort=created&direction=asc").await.body;
    assert_eq!(
        (&listed[0]["number"], &listed[1]["number"], listed.as_array().unwrap().len()),
        (&json!(1), &json!(2), 2)
    );
    assert_eq!(app.of("/pulls?base=other").await.body, json!([]));
    place.no_violations();
}

#[tokio::test]
async fn heads_are_those_of_git() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let path = format!("/pulls/{number}");
    let head = place.push("a", "b.yaml", "b");
    assert_eq!(app.of(&path).await.body["head"]["sha"], head.as_str());
    assert_eq!(app.of(&format!("{path}/commits")).await.body.as_array().unwrap().len(), 2);
    let files = app.of(&format!("{path}/files")).await.body;
    assert_eq!(
        (&files[1]["filename"], &files[1]["status"], &files[1]["additions"]),
        (&json!("b.yaml"), &json!("added"), &json!(1))
    );
    assert_eq!(app.call("DELETE", "/git/refs/heads/a", Value::Null).await.status, 204);
    let closed = app.of(&path).await.body;
    assert_eq!((&closed["state"], &closed["merged"]), (&json!("closed"), &json!(false)));
    assert_eq!(
        app.call("DELETE", "/git/refs/heads/a", Value::Null).await.message(),
        "422 Reference does not exist"
    );
    let number = place.pull("c", "c.yaml");
    let by_hand = place.git.commit("c").unwrap();
    place.git.update("refs/heads/main", &by_hand, &place.fake.head("main").unwrap()).unwrap();
    let merged = app.of(&format!("/pulls/{number}")).await.body;
    assert_eq!((&merged["merged"], &merged["merged_by"]["login"]), (&json!(true), &json!("ada")));
    place.no_violations();
}

#[tokio::test]
async fn reviews_are_of_the_head_at_their_time() {
    let place = Place::new().await;
    let app = place.app();
    let number = place.pull("a", "a.yaml");
    let old = place.fake.head("a").unwrap();
    place.fake.set_team("release", "grace", Some(Membership::Active));
    let asked = json!({"reviewers": ["grace"], "team_reviewers": ["release"]});
    let path = format!("/pulls/{number}");
    let requested = app.call("POST", &format!("{path}/requested_reviewers"), asked).await;
    assert_eq!((requested.status, &requested.body["requested_reviewers"][0]["id"]), (201, &json!(2)));
    for login in ["ada", "nobody"] {
        let refused =
            app.call("POST", &format!("{path}/requested_reviewers"), json!({"reviewers": [login]})).await;
        assert_eq!(refused.status, 422, "{login}");
    }
    let review = place.fake.review("grace", number, Verdict::Approved);
    place.push("a", "a.yaml", "more");
    place.fake.review_with("linus", number, Verdict::ChangesRequested, "no");
    place.fake.dismiss("ada", review);
    let reviews = app.of(&format!("{path}/reviews")).await.body;
    let short = |at: usize| (reviews[at]["state"].clone(), reviews[at]["commit_id"] == old.as_str());
    assert_eq!(short(0), (json!("DISMISSED"), true));
    assert_eq!(short(1), (json!("CHANGES_REQUESTED"), false));
    assert_eq!(app.of(&path).await.body["requested_reviewers"], json!([]));
    place.no_violations();
}
