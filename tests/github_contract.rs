//! GitHub's own description of its API as a judge: good ones pass, bad ones are told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/github/mod.rs"]
mod github;

#[path = "support/parts.rs"]
mod parts;

#[path = "github_contract/client.rs"]
mod client;
#[path = "github_contract/commands.rs"]
mod commands;
#[path = "github_contract/deployments.rs"]
mod deployments;
#[path = "github_contract/doctor.rs"]
mod doctor;
#[path = "github_contract/engine.rs"]
mod engine;
#[path = "github_contract/events.rs"]
mod events;
#[path = "github_contract/failures.rs"]
mod failures;
#[path = "support/fake_registry.rs"]
#[allow(dead_code, unreachable_pub, clippy::missing_panics_doc, reason = "shared with other tests")]
mod fake_registry;
#[path = "support/faults.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod faults;
#[path = "github_contract/forge.rs"]
mod forge;
#[path = "github_contract/meddling.rs"]
mod meddling;
#[path = "github_contract/merging.rs"]
mod merging;
#[path = "github_contract/missed.rs"]
mod missed;
#[path = "github_contract/people.rs"]
mod people;
#[path = "github_contract/place.rs"]
mod place;
#[path = "support/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod process;
#[path = "github_contract/promotion.rs"]
mod promotion;
#[path = "github_contract/reporting.rs"]
mod reporting;
#[path = "github_contract/reviewing.rs"]
mod reviewing;
#[path = "github_contract/signing.rs"]
mod signing;
#[path = "github_contract/talking.rs"]
mod talking;
#[path = "github_contract/tokens.rs"]
mod tokens;
#[path = "github_contract/writing.rs"]
mod writing;

use github::contract::{Contract, Documented};
use github::fill;
use serde_json::{Value, json};

const PULLS: &str = "/repos/acme/shop/pulls";

fn request(method: &str, target: &str, body: &Value) -> Result<(), String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Contract::request(method, path, query, Some(body)).map(drop)
}

#[test]
fn requests_are_matched_and_checked() {
    let pull = json!({"title": "a", "head": "b", "base": "main"});
    for (method, target, body, wanted) in [
        ("POST", PULLS, pull, ""),
        (
            "POST",
            PULLS,
            json!({"title": "a", "head": "b", "base": "main", "bodi": "c"}),
            "there is no field `bodi`",
        ),
        ("POST", PULLS, json!({"title": "a", "head": "b"}), "\"base\" is a required property"),
        ("POST", PULLS, json!({"title": "a", "head": 1, "base": "main"}), "is not of type \"string\""),
        ("POST", PULLS, Value::Null, "it is required"),
        ("GET", "/repos/acme/shop/pulls?state=open&per_page=100&page=2", Value::Null, ""),
        ("GET", "/repos/acme/shop/pulls?states=open", Value::Null, "`states`: not declared in the query"),
        ("GET", "/repos/acme/shop/pulls?state=opened", Value::Null, "is not one of"),
        ("GET", "/repos/acme/shop/pulls?per_page=many", Value::Null, "is not of type \"integer\""),
        ("GET", "/repos/acme/shop/pulls/one", Value::Null, "`pull_number`"),
        ("GET", PULLS, json!({"state": "open"}), "there must be none"),
        ("GET", "/repos/acme/shop/git/ref/heads/promo/dev%2Fshop", Value::Null, ""),
        ("GET", "/repos/acme/shop/issues/comments/7", Value::Null, ""),
        ("GET", "/repos/acme/shop/branches/feature/x/protection", Value::Null, ""),
        (
            "PUT",
            "/repos/acme/shop/pulls/1/merge",
            json!({"sha": "a", "merge_method": "fast"}),
            "is not one of",
        ),
        (
            "POST",
            "/repos/acme/shop/check-runs",
            json!({"name": "lockkeeper", "head_sha": "a", "conclusions": 1}),
            "no field `conclusions`",
        ),
        ("GET", "/repos/acme/shop/pull", Value::Null, "is no operation of the slice"),
        ("DELETE", PULLS, Value::Null, "is no operation of the slice"),
    ] {
        let found = request(method, target, &body).err().unwrap_or_default();
        assert!(
            found.contains(wanted) && found.is_empty() == wanted.is_empty(),
            "{method} {target} {body}: {found}"
        );
    }
}

#[test]
fn the_most_literal_operation_is_found_and_its_parameters_are_decoded() {
    for (path, id, name, value) in [
        ("/issues/comments", "GET /repos/{owner}/{repo}/issues/comments", "owner", "acme"),
        ("/issues/12", "GET /repos/{owner}/{repo}/issues/{issue_number}", "issue_number", "12"),
        ("/git/ref/heads/a/b%20c", "GET /repos/{owner}/{repo}/git/ref/{ref}", "ref", "heads/a/b c"),
        (
            "/branches/a/b/protection",
            "GET /repos/{owner}/{repo}/branches/{branch}/protection",
            "branch",
            "a/b",
        ),
        ("/commits/a/b/check-runs", "GET /repos/{owner}/{repo}/commits/{ref}/check-runs", "ref", "a/b"),
        ("/compare/v1...v2", "GET /repos/{owner}/{repo}/compare/{basehead}", "basehead", "v1...v2"),
    ] {
        let found = Contract::find("GET", &format!("/repos/acme/shop{path}")).unwrap();
        assert_eq!((found.id.as_str(), found.parameters[name].as_str()), (id, value));
    }
}

#[test]
fn responses_are_checked() {
    let pulls = Contract::find("GET", PULLS).unwrap();
    let refs = Contract::find("DELETE", "/repos/acme/shop/git/refs/heads/a").unwrap();
    let whole = |value| match pulls.documented(200) {
        Documented::Body(place) => fill::whole(&place, value, "http://localhost"),
        found @ (Documented::Not | Documented::Empty) => panic!("{found:?}"),
    };
    for (operation, status, body, wanted) in [
        (&pulls, 200, json!([]), ""),
        (&pulls, 200, whole(json!([{"number": 7}])), ""),
        (&pulls, 200, whole(json!([{"number": "7"}])), "\"7\" is not of type \"integer\""),
        (&pulls, 200, whole(json!([{"created_at": "today"}])), "is not a \"date-time\""),
        (&pulls, 200, json!([{"number": 7}]), "is a required property"),
        (&pulls, 201, json!([]), "that status is not documented"),
        (&pulls, 304, Value::Null, ""),
        (&pulls, 403, json!({"message": "no"}), ""),
        (&pulls, 403, json!({"massage": "no"}), "needs a `message`"),
        (&pulls, 418, json!({"message": "no"}), "that status is not documented"),
        (&refs, 204, Value::Null, ""),
        (&refs, 204, json!({}), "where none is documented"),
    ] {
        let found = operation.response(status, &body).err().unwrap_or_default();
        assert!(found.contains(wanted) && found.is_empty() == wanted.is_empty(), "{status}: {found}");
    }
}

#[test]
fn every_documented_answer_can_be_made_whole() {
    for id in Contract::operations() {
        let (method, path) = id.split_once(' ').unwrap();
        let operation = Contract::find(method, path).unwrap();
        for status in [200, 201, 202] {
            let Documented::Body(place) = operation.documented(status) else { continue };
            let shape = github::schema::at(&place).0;
            let seed = if shape["type"] == "array" { json!([{}]) } else { json!({}) };
            let body = fill::whole(&place, seed, "http://localhost");
            operation.response(status, &body).unwrap_or_else(|reason| panic!("{reason}\n{body:#}"));
        }
    }
}

#[test]
fn webhooks_are_checked() {
    for name in github::schema::SLICE["x-webhooks"].as_object().unwrap().keys() {
        let event = github::schema::SLICE["x-webhooks"][name]["event"].as_str().unwrap();
        let prefix = event.replace('_', "-");
        let action = name.strip_prefix(&format!("{prefix}-")).map(|action| action.replace('-', "_"));
        let place =
            Contract::webhook_place(event, action.as_deref()).unwrap_or_else(|reason| panic!("{reason}"));
        // An event about an issue is always somebody's; the issue itself need not be.
        let author = json!({"email": "octocat@example.com", "date": "2026-01-01T00:00:00Z"});
        let mut seed = json!({
            "issue": {"user": {"login": "octocat"}}, "commit": {"commit": {"author": author, "committer": author}}
        });
        if let Some(action) = &action {
            seed["action"] = json!(action);
        }
        let mut payload = fill::whole(&place, seed, "http://localhost");
        Contract::webhook(event, &payload).unwrap_or_else(|reason| panic!("{reason}\n{payload:#}"));
        payload["repository"] = json!({"id": "seven"});
        let found = Contract::webhook(event, &payload);
        assert!(found.is_err(), "{name}");
    }
    let unknown = Contract::webhook("pull_request", &json!({"action": "admired"})).unwrap_err();
    assert!(unknown.contains("`pull-request-admired` is not in the slice"), "{unknown}");
}
