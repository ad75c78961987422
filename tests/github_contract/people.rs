//! Who may do what, and who wrote what.

use serde_json::json;

use crate::github::{Membership, Role, Setting};
use crate::place::{Place, commit, repository, setting};

#[tokio::test]
async fn roles_have_an_old_word_and_a_new_one() {
    let place = Place::new().await;
    let app = place.app();
    for (role, permission, name) in [
        (Role::Admin, "admin", "admin"),
        (Role::Maintain, "write", "maintain"),
        (Role::Write, "write", "write"),
        (Role::Triage, "read", "triage"),
        (Role::Read, "read", "read"),
        (Role::None, "none", "none"),
    ] {
        place.fake.set_role("grace", role);
        let found = app.of("/collaborators/grace/permission").await.body;
        assert_eq!((&found["permission"], &found["role_name"]), (&json!(permission), &json!(name)));
        assert_eq!(found["user"]["id"], 2);
    }
    assert_eq!(app.of("/collaborators/nobody/permission").await.message(), "404 nobody is not a user");
    place.fake.rename("grace", "hopper");
    assert_eq!(app.get("/user/2").await.body["login"], "hopper");
    assert_eq!(app.get("/users/grace").await.status, 404);
    assert_eq!(app.get("/users/hopper").await.body["id"], 2);
    assert_eq!(app.get("/users/lockkeeper%5Bbot%5D").await.body["type"], "Bot");
    assert_eq!(app.get("/user/99").await.status, 404);
    place.no_violations();
}

#[tokio::test]
async fn a_member_of_a_team_is_active_pending_or_none() {
    let place = Place::new().await;
    let app = place.app();
    let path = "/orgs/acme/teams/release/memberships/grace";
    assert_eq!(app.get(path).await.status, 404);
    for (membership, state) in [(Membership::Pending, "pending"), (Membership::Active, "active")] {
        place.fake.set_team("release", "grace", Some(membership));
        assert_eq!(app.get(path).await.body["state"], state);
    }
    assert_eq!(app.get("/orgs/other/teams/release/memberships/grace").await.status, 404);
    place.fake.set_team("release", "grace", None);
    assert_eq!(app.get(path).await.status, 404);
    place.no_violations();
}

#[tokio::test]
async fn a_token_may_do_what_its_person_may() {
    let place = Place::new().await;
    let number = place.pull("a", "a.yaml");
    let linus = place.client("linus");
    let said = linus.call("POST", &format!("/issues/{number}/comments"), json!({"body": "text"})).await;
    assert_eq!((said.status, &said.body["performed_via_github_app"]), (201, &json!(null)));
    let merge = format!("/pulls/{number}/merge");
    assert_eq!(
        linus.call("PUT", &merge, json!({})).await.message(),
        "403 Must have push access to repository"
    );
    place.fake.set_role("linus", Role::None);
    assert_eq!(linus.of("/pulls").await.status, 404);
    let grace = place.client("grace");
    assert_eq!(grace.call("PUT", &merge, json!({})).await.status, 200);
    let merged = grace.of(&format!("/pulls/{number}")).await.body;
    assert_eq!(merged["merged_by"]["login"], "grace");
    place.no_violations();
}

#[tokio::test]
async fn a_comparison_tells_commits_and_their_authors() {
    let folder = tempfile::tempdir().unwrap();
    let (git, path) = repository(&folder, "shop.git");
    let from = git.commit("main").unwrap();
    for (index, email) in ["2+grace@users.noreply.github.com", "stranger@example.com"].iter().enumerate() {
        commit(&git, "main", "a.txt", &index.to_string(), email);
    }
    let sources = [("acme/shop".to_owned(), path)].into();
    let place = Place::with(Setting { sources, ..setting() }).await;
    let app = place.app();
    let found = app.get(&format!("/repos/acme/shop/compare/{from}...main")).await.body;
    assert_eq!((&found["status"], &found["total_commits"]), (&json!("ahead"), &json!(2)));
    assert_eq!(
        (&found["commits"][0]["author"]["id"], &found["commits"][1]["author"]),
        (&json!(2), &json!(null))
    );
    assert_eq!(found["files"][0]["filename"], "a.txt");
    let paged = app.get(&format!("/repos/acme/shop/compare/{from}...main?per_page=1&page=2")).await;
    assert_eq!((paged.body["commits"].as_array().unwrap().len(), &paged.body["files"]), (1, &json!(null)));
    assert!(paged.header("link").contains("rel=\"prev\""));
    let back = app.get(&format!("/repos/acme/shop/compare/main...{from}")).await.body;
    assert_eq!((&back["status"], &back["behind_by"]), (&json!("behind"), &json!(2)));
    assert_eq!(app.get("/repos/acme/shop/compare/main...gone").await.status, 404);
    assert_eq!(app.get("/repos/acme/shop").await.body["full_name"], "acme/shop");
    assert_eq!(app.get("/repos/acme/other").await.status, 404);
    assert_eq!(app.get("/repos/acme/shop/pulls").await.status, 404);
    place.no_violations();
}
