//! Check runs, commit statuses and deployments.

use serde_json::{Value, json};

use crate::place::Place;

#[tokio::test]
async fn check_runs_belong_to_their_app_and_the_latest_counts() {
    let place = Place::new().await;
    let (head, app) = (place.push("a", "a.yaml", "a"), place.app());
    let new = json!({"name": "lockkeeper", "head_sha": head, "status": "in_progress", "output": {"title": "Wait", "summary": "soaks"}});
    let ours = app.call("POST", "/check-runs", new).await;
    assert_eq!(
        (ours.status, &ours.body["app"]["id"], &ours.body["status"]),
        (201, &json!(77), &json!("in_progress"))
    );
    let path = format!("/check-runs/{}", ours.body["id"]);
    let done = app.call("PATCH", &path, json!({"conclusion": "success"})).await.body;
    assert_eq!((&done["status"], &done["output"]["summary"]), (&json!("completed"), &json!("soaks")));
    let theirs = place.fake.check("ci", "build", &head, "failure");
    place.fake.check("ci", "build", &head, "success");
    let names = |body: &Value| {
        let runs = body["check_runs"].as_array().unwrap().clone();
        runs.iter()
            .map(|run| format!("{} {}", run["app"]["slug"], run["conclusion"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (query, wanted) in [
        ("", "\"ci\" \"success\", \"lockkeeper\" \"success\""),
        ("?check_name=lockkeeper", "\"lockkeeper\" \"success\""),
        ("?app_id=77&filter=latest", "\"lockkeeper\" \"success\""),
        ("?filter=all&check_name=build", "\"ci\" \"success\", \"ci\" \"failure\""),
    ] {
        let found = app.of(&format!("/commits/{head}/check-runs{query}")).await;
        assert_eq!(names(&found.body), wanted, "{query}");
    }
    let refused = [
        app.call("PATCH", &format!("/check-runs/{theirs}"), json!({"conclusion": "success"})).await.message(),
        app.call("POST", "/check-runs", json!({"name": "a", "head_sha": "0".repeat(40)})).await.message(),
        app.call("POST", "/check-runs", json!({"name": "a", "head_sha": head, "status": "completed"}))
            .await
            .message(),
        place
            .client("ada")
            .call("POST", "/check-runs", json!({"name": "a", "head_sha": head}))
            .await
            .message(),
    ];
    let no_commit = format!("422 No commit found for SHA: {}", "0".repeat(40));
    assert_eq!(
        refused,
        ["404 Not Found", &no_commit, "422 Validation Failed", "403 You must authenticate via a GitHub App."]
    );
    place.no_violations();
}

#[tokio::test]
async fn statuses_are_one_for_each_context_together_and_all_apart() {
    let place = Place::new().await;
    let (head, app) = (place.push("a", "a.yaml", "a"), place.app());
    let state = async || app.of("/commits/a/status").await.body["state"].clone();
    assert_eq!(state().await, "pending");
    place.fake.set_status("grace", &head, "build", "failure");
    assert_eq!(state().await, "failure");
    place.fake.set_status("grace", &head, "build", "success");
    assert_eq!(state().await, "success");
    place.fake.set_status("linus", &head, "scan", "pending");
    assert_eq!(state().await, "pending");
    assert_eq!(app.of(&format!("/commits/{head}/statuses")).await.body.as_array().unwrap().len(), 3);
    place.no_violations();
}

#[tokio::test]
async fn deployments_have_the_traps_of_their_defaults() {
    let place = Place::new().await;
    let app = place.app();
    place.push("a", "a.yaml", "a");
    let main = place.push("main", "b.yaml", "b");
    let merged = app.call("POST", "/deployments", json!({"ref": "a"})).await;
    assert_eq!(merged.message(), "202 Auto-merged main into a on deployment.");
    assert_eq!(place.git.show("a").parents.len(), 2);
    place.fake.check("ci", "build", &main, "failure");
    let red = app.call("POST", "/deployments", json!({"ref": main, "auto_merge": false})).await;
    assert!(red.message().starts_with("409 Conflict: Commit status checks failed"), "{}", red.message());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let new = json!({"ref": main, "auto_merge": false, "required_contexts": [], "environment": "dev", "payload": {"digest": "x"}});
        let made = app.call("POST", "/deployments", new).await;
        assert_eq!((made.status, &made.body["payload"]["digest"]), (201, &json!("x")));
        let path = format!("/deployments/{}/statuses", made.body["id"]);
        assert_eq!(
            app.call("POST", &path, json!({"state": "success", "description": "live"})).await.status,
            201
        );
        ids.push(path);
    }
    assert_eq!(app.of(&ids[0]).await.body[0]["state"], "inactive");
    assert_eq!(app.of(&ids[1]).await.body[0]["state"], "success");
    assert_eq!(app.of("/deployments?environment=dev").await.body.as_array().unwrap().len(), 2);
    assert_eq!(app.of("/deployments?environment=prod").await.body, json!([]));
    place.no_violations();
}
