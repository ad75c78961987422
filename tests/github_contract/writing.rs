//! Branches and commits made through the API.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::place::{Answered, Client, Place};

const MUTATION: &str = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }";

fn input(branch: &str, head: &str, files: &[(&str, &str)], gone: &[&str]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let additions: Vec<Value> =
        files.iter().map(|(path, text)| json!({"path": path, "contents": encode(text)})).collect();
    let deletions: Vec<Value> = gone.iter().map(|path| json!({ "path": path })).collect();
    json!({
        "branch": {"repositoryNameWithOwner": "acme/environments", "branchName": branch},
        "message": {"headline": "Pin", "body": "Because."}, "expectedHeadOid": head,
        "fileChanges": {"additions": additions, "deletions": deletions},
    })
}

async fn commit(client: &Client, input: Value) -> Answered {
    let path = if client.base.ends_with("/api/v3") { "/api/graphql" } else { "/graphql" };
    let host = client.base.trim_end_matches("/api/v3");
    let body = json!({"query": MUTATION, "variables": {"input": input}});
    client.send("POST", &format!("{host}{path}"), Some(body), &[]).await.unwrap()
}

#[tokio::test]
async fn a_commit_of_several_files_compares_and_swaps() {
    let place = Place::new().await;
    let mut app = place.app();
    let main = place.push("main", "old.yaml", "old");
    let made = app.call("POST", "/git/refs", json!({"ref": "refs/heads/promo/dev", "sha": main})).await;
    assert_eq!((made.status, &made.body["object"]["sha"]), (201, &json!(main)));
    let twice = app.call("POST", "/git/refs", json!({"ref": "refs/heads/promo/dev", "sha": main})).await;
    assert_eq!(twice.message(), "422 Reference already exists");
    let files = [("apps/a.yaml", "a: 1\n"), ("apps/ü b.yaml", "b: 2\n")];
    let done = commit(&app, input("promo/dev", &main, &files, &["old.yaml"])).await.body;
    let head = done["data"]["createCommitOnBranch"]["commit"]["oid"].as_str().unwrap().to_owned();
    let found = place.git.show("promo/dev");
    assert_eq!(
        (found.id.as_str(), found.message.as_str(), found.parents),
        (head.as_str(), "Pin\n\nBecause.", vec![main.clone()])
    );
    assert_eq!(found.author.email, "9001+lockkeeper[bot]@users.noreply.github.com");
    let changed: Vec<_> =
        place.git.changed(&main, &head).into_iter().map(|file| (file.name, file.status)).collect();
    let wanted = [("apps/a.yaml", "added"), ("apps/ü b.yaml", "added"), ("old.yaml", "removed")];
    assert_eq!(changed, wanted.map(|(name, status)| (name.to_owned(), status)));
    app.base = place.fake.enterprise_url();
    let stale = commit(&app, input("promo/dev", &main, &files, &[])).await.body;
    assert_eq!(stale["errors"][0]["type"], "STALE_DATA");
    let nowhere = commit(&app, input("gone", &main, &files, &[])).await.body;
    assert_eq!(nowhere["errors"][0]["type"], "NOT_FOUND");
    place.no_violations();
    let mut wrong = input("promo/dev", &head, &files, &[]);
    wrong["expectedHeadOID"] = json!("x");
    assert_eq!(
        commit(&app, wrong).await.message(),
        "500 graphql: CreateCommitOnBranchInput: there is no field `expectedHeadOID`"
    );
    assert_eq!(place.fake.violations().len(), 1);
}

#[tokio::test]
async fn a_reference_moves_forward_unless_forced() {
    let place = Place::new().await;
    let app = place.app();
    let main = place.fake.head("main").unwrap();
    let ahead = place.push("a", "a.yaml", "a");
    let aside = place.push("b", "b.yaml", "b");
    let set = async |id: &str, force: bool| {
        app.call("PATCH", "/git/refs/heads/a", json!({"sha": id, "force": force})).await.message()
    };
    assert_eq!(set(&aside, false).await, "422 Update is not a fast forward");
    assert_eq!(set(&aside, true).await, "200");
    assert_eq!(app.of("/git/ref/heads/a").await.body["object"]["sha"], aside.as_str());
    assert_eq!(set(&main, false).await, "422 Update is not a fast forward");
    assert_eq!(set(&"0".repeat(40), true).await, "422 Object does not exist");
    assert_ne!(ahead, aside);
    assert_eq!(app.of("/git/ref/heads/gone").await.status, 404);
    place.no_violations();
}
