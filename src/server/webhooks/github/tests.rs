use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::package::ACTIONS;
use super::*;
use crate::server::webhooks::verify::{Secret, SignatureForm};

const GUID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

fn sender() -> Sender {
    let secrets = ["old", "new"].map(|text| Secret::new(text).unwrap()).to_vec();
    Sender {
        authentication: Authentication::Hmac {
            header: SIGNATURE_HEADER,
            form: SignatureForm::NamedSha256,
            secrets,
        },
        app_id: Some(7),
        app_name: "lockkeeper".to_owned(),
        registry: "ghcr.io".to_owned(),
    }
}

fn received(headers: &HeaderMap, body: &[u8]) -> Result<Received, ReceiveError> {
    receive(&sender(), &Sent::new(headers, body, Timestamp::UNIX_EPOCH))
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

fn headers(event: &str, secret: &str, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, signature(secret, body).parse().unwrap());
    headers.insert(DELIVERY_HEADER, GUID.parse().unwrap());
    headers.insert(EVENT_HEADER, event.parse().unwrap());
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers
}

/// What a body tells of, or why it cannot be read, each as one line.
fn told(event: &str, body: &[u8]) -> String {
    in_words(received(&headers(event, "new", body), body))
}

fn in_words(received: Result<Received, ReceiveError>) -> String {
    match received {
        Ok(received) => {
            assert_eq!(received.delivery_id, GUID);
            line(&received.news)
        }
        Err(ReceiveError::Unparsable { delivery_id, reason }) => {
            assert_eq!(delivery_id, GUID);
            reason.to_string()
        }
        Err(error) => error.to_string(),
    }
}

fn line(news: &News) -> String {
    match news {
        News::Nothing => "nothing".to_owned(),
        News::Comment { repository, id, thread, .. } => format!("comment {id} at {repository}#{thread}"),
        News::PullRequest { repository, number } => format!("{repository}#{number}"),
        News::Checked { repository, numbers, branches } => format!("{repository} {numbers:?} {branches:?}"),
        News::Push { repository, branch } => format!("{repository} {branch}"),
        News::Image(RegistryEvent { repository, registry, tags, digest }) => {
            let digest = digest.as_ref().map_or_else(|| "?".to_owned(), crate::image::Digest::short);
            format!("{}/{repository} {tags:?}@{digest}", registry.as_deref().unwrap_or("?"))
        }
        News::Access { repositories, and_others } => {
            let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
            format!("{names:?} {and_others}")
        }
    }
}

/// A payload with the fields that every one has, and these.
fn payload(fields: Value) -> Value {
    let mut payload = json!({
        "sender": { "login": "octocat", "id": 1, "type": "User" },
        "repository": { "id": 10, "full_name": "acme/env" },
        "installation": { "id": 5 },
    });
    let Value::Object(fields) = fields else { panic!("an object") };
    payload.as_object_mut().unwrap().extend(fields);
    payload
}

fn check(event: &str, fields: Value, want: &str) {
    let payload = payload(fields);
    assert_eq!(told(event, payload.to_string().as_bytes()), want, "{event} {payload}");
    let listed = json!({ "id": 1, "request": { "headers": {}, "payload": payload }, "response": {} });
    assert_eq!(told_by_list(event, listed.to_string().as_bytes()), want, "{event} {payload} in the list");
}

/// The same of an entry of GitHub's list of deliveries.
fn told_by_list(event: &str, listed: &[u8]) -> String {
    in_words(receive_listed(&sender(), GUID, event, listed))
}

#[test]
fn an_entry_of_the_list_without_what_was_sent_is_none() {
    for (listed, want) in [
        ("{\"request\":{\"payload\":null}}", "request.payload"),
        ("{\"request\":{}}", "request.payload"),
        ("{}", "request"),
        ("[]", ""),
    ] {
        let found = told_by_list("push", listed.as_bytes());
        assert!(found.contains(want) && found != "nothing", "{listed}: {found}");
    }
}

fn comment_by(user: &Value) -> Value {
    json!({ "action": "created", "issue": { "number": 12 }, "comment": {
        "id": 99, "user": user, "body": "/status", "performed_via_github_app": null } })
}

#[test]
fn only_new_comments_of_their_own_author_are_read() {
    let octocat = json!({ "login": "octocat", "id": 1, "type": "User" });
    check("issue_comment", comment_by(&octocat), "comment 99 at acme/env#12");
    let other = json!({ "login": "hubot", "id": 2, "type": "User" });
    check("issue_comment", comment_by(&other), "nothing");
    check("issue_comment", comment_by(&Value::Null), "nothing");
    for action in ["edited", "deleted", "pinned", "something_new"] {
        let mut changed = comment_by(&octocat);
        changed["action"] = json!(action);
        check("issue_comment", changed, "nothing");
    }
    let mut by_app = comment_by(&octocat);
    by_app["comment"]["performed_via_github_app"] = json!({ "id": 3, "slug": "other" });
    check("issue_comment", by_app, "nothing");
    let bot = json!({ "login": "other[bot]", "id": 1, "type": "Bot" });
    check("issue_comment", comment_by(&bot), "nothing");
    let mut incomplete = comment_by(&octocat);
    incomplete["comment"]["id"] = Value::Null;
    check("issue_comment", incomplete, "`comment.id` is `nothing`, which it cannot be");
}

#[test]
fn pull_requests_and_reviews_name_their_number() {
    let at = |action: &str| json!({ "action": action, "pull_request": { "number": 4 }, "number": 4 });
    for action in PULL_REQUEST_ACTIONS {
        check("pull_request", at(action), "acme/env#4");
    }
    for action in ["labeled", "assigned", "review_requested", "stacked"] {
        check("pull_request", at(action), "nothing");
    }
    for action in REVIEW_ACTIONS {
        check("pull_request_review", at(action), "acme/env#4");
    }
    check("pull_request_review", at("something_new"), "nothing");
    let none = json!({ "action": "opened" });
    check("pull_request", none, "`pull_request.number` is `nothing`, which it cannot be");
}

#[test]
fn checks_of_others_name_pull_requests_here_or_our_branch() {
    let check_of = |app: Value, pull_requests: Value| json!({ "app": app, "pull_requests": pull_requests, "head_branch": "lockkeeper/normal/prod/web/0a-1" });
    let numbers = json!([
        { "number": 4, "base": { "repo": { "id": 10 } } },
        { "number": 5, "base": { "repo": { "id": 11 } } },
        { "number": 6 },
    ]);
    let other = json!({ "id": 8, "slug": "lockkeeper", "name": "CI" });
    let run = |app: &Value, numbers: &Value| json!({ "action": "completed", "check_run": check_of(app.clone(), numbers.clone()) });
    let suite =
        |app: &Value| json!({ "action": "completed", "check_suite": check_of(app.clone(), numbers.clone()) });
    let want = "acme/env [4, 6] [\"lockkeeper/normal/prod/web/0a-1\"]";
    check("check_run", run(&other, &numbers), want);
    check("check_suite", suite(&other), want);
    check("check_run", run(&other, &json!([])), "acme/env [] [\"lockkeeper/normal/prod/web/0a-1\"]");
    check("check_run", run(&Value::Null, &Value::Null), "acme/env [] [\"lockkeeper/normal/prod/web/0a-1\"]");
    for ours in
        [json!({ "id": 7, "slug": "x" }), json!({ "slug": "Lockkeeper" }), json!({ "name": "lockkeeper" })]
    {
        check("check_run", run(&ours, &numbers), "nothing");
        check("check_suite", suite(&ours), "nothing");
    }
    check("check_run", json!({ "action": "requested_action", "check_run": {} }), "nothing");
    let branches =
        json!({ "state": "success", "branches": [{ "name": "main" }, { "name": "lockkeeper/x" }] });
    check("status", branches, "acme/env [] [\"lockkeeper/x\"]");
    check("status", json!({}), "acme/env [] []");
    let many: Vec<Value> = (0..=LIST_MAX).map(|_| json!({ "name": "lockkeeper/x" })).collect();
    check(
        "status",
        json!({ "branches": many }),
        &format!("acme/env [] {:?}", vec!["lockkeeper/x"; LIST_MAX]),
    );
}

#[test]
fn pushes_name_their_branch() {
    for (reference, want) in [
        ("refs/heads/main", "acme/env main"),
        ("refs/heads/lockkeeper/x", "acme/env lockkeeper/x"),
        ("refs/tags/v1", "nothing"),
        (&format!("refs/heads/{}", "x".repeat(255)), &format!("acme/env {}", "x".repeat(255))),
        (&format!("refs/heads/{}", "x".repeat(256)), "nothing"),
    ] {
        check("push", json!({ "ref": reference }), want);
    }
    check("push", json!({}), "`ref` is `nothing`, which it cannot be");
    let nowhere = json!({ "ref": "refs/heads/main", "repository": null });
    check("push", nowhere, "`repository.full_name` is `nothing`, which it cannot be");
    let odd = json!({ "ref": "refs/heads/main", "repository": { "full_name": "a\u{202e}/../b" } });
    check("push", odd, "`repository.full_name` is `a/../b`, which it cannot be");
}

#[test]
fn images_are_told_from_other_packages() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let package = |tag: Value, kind: &str| {
        json!({
            "name": "Web/api", "namespace": "acme", "package_type": kind, "owner": { "login": "Acme" },
            "package_version": { "version": digest, "package_url": "containers.ghe.example.com/Acme/web/api:1.4.2", "container_metadata": { "tag": { "name": tag, "digest": digest } } },
            "registry": { "url": "https://CONTAINER.pkg.ghe.example.com/acme" },
        })
    };
    let want = "containers.ghe.example.com/acme/web/api [\"1.4.2\"]@0a0a0a0a0a0a";
    for (event, field) in [("package", "package"), ("registry_package", "registry_package")] {
        for action in ACTIONS {
            check(event, json!({ "action": action, field: package(json!("1.4.2"), "CONTAINER") }), want);
        }
        check(event, json!({ "action": "deleted", field: package(json!("1.4.2"), "CONTAINER") }), "nothing");
        check(event, json!({ "action": "published", field: package(json!("1"), "npm") }), "nothing");
    }
    let published = |package: Value| json!({ "action": "published", "package": package });
    let mut bare = package(json!("1"), "container");
    (bare["package_version"]["package_url"], bare["owner"]) = (Value::Null, Value::Null);
    check("package", published(bare), "ghcr.io/acme/web/api [\"1\"]@0a0a0a0a0a0a");
    check("package", published(package(json!(""), "container")), "nothing");
    let signature = package(json!(format!("sha256-{}.sig", "0a".repeat(32))), "container");
    check("package", published(signature), "nothing");
    for odd in ["evil@host/x", "https://ghcr.io/x", "/x:1", "ghcr.io", ""] {
        let mut package = package(json!("1"), "container");
        package["package_version"]["package_url"] = json!(odd);
        check("package", published(package), "ghcr.io/acme/web/api [\"1\"]@0a0a0a0a0a0a");
    }
    for (url, want) in [
        ("ghcr.io/Acme/www:", "ghcr.io/acme/www"),
        ("ghe.example.com:8443/acme/www:1", "ghe.example.com:8443/acme/www"),
        ("ghcr.io/acme/www@sha256:00", "ghcr.io/acme/www"),
    ] {
        let mut package = package(json!("1"), "container");
        package["package_version"]["package_url"] = json!(url);
        check("package", published(package), &format!("{want} [\"1\"]@0a0a0a0a0a0a"));
    }
    let mut odd = package(json!("1"), "container");
    (odd["name"], odd["package_version"]["package_url"]) = (json!("../x"), Value::Null);
    check("package", published(odd), "`package.name` is `Acme/../x`, which it cannot be");
}

#[test]
fn installations_name_repositories_or_mean_all() {
    let added = json!({ "action": "added", "repositories_added": [{ "full_name": "acme/env" }],
        "repositories_removed": [{ "full_name": "acme/old" }, { "full_name": "no name" }] });
    check("installation_repositories", added, "[\"acme/env\", \"acme/old\"] false");
    check("installation", json!({ "action": "created", "repositories": null }), "[] true");
    let named = |count: usize| json!({ "repositories": vec![json!({ "full_name": "a/b" }); count] });
    check("installation", named(LIST_MAX), &format!("{:?} false", vec!["a/b"; LIST_MAX]));
    check("installation", named(LIST_MAX + 1), &format!("{:?} true", vec!["a/b"; LIST_MAX]));
}

#[test]
fn what_is_unknown_or_our_own_is_nothing() {
    for event in ["ping", "star", "workflow_run", "something_new", ""] {
        check(event, json!({ "action": "created" }), "nothing");
        assert_eq!(told(event, b"no JSON at all"), "nothing");
    }
    let ours = json!({ "login": "Lockkeeper[bot]", "id": 3, "type": "Bot" });
    let push = |sender: Value| json!({ "ref": "refs/heads/main", "sender": sender });
    check("push", push(ours.clone()), "nothing");
    check(
        "pull_request",
        json!({ "action": "opened", "pull_request": { "number": 4 }, "sender": ours }),
        "nothing",
    );
    for other in [
        json!({ "login": "lockkeeper[bot]", "type": "User" }),
        json!({ "login": "other[bot]", "type": "Bot" }),
        json!({ "login": "lockkeeper", "type": "Bot" }),
        Value::Null,
    ] {
        check("push", push(other), "acme/env main");
    }
}

#[test]
fn what_cannot_be_read_says_so_in_one_line() {
    for body in ["", "{", "[]", "null", "5", r#"{"ref":5}"#, "payload=%7B%7D"] {
        assert!(told("push", body.as_bytes()).starts_with("no JSON of the expected form: "), "{body}");
    }
}

#[test]
fn only_a_right_signature_is_read() {
    let body = payload(json!({ "ref": "refs/heads/main" })).to_string();
    let receive = |headers: &HeaderMap, body: &str| received(headers, body.as_bytes());
    for secret in ["old", "new"] {
        assert!(receive(&headers("push", secret, body.as_bytes()), &body).is_ok(), "{secret}");
    }
    let unauthorized = Err(ReceiveError::Unauthorized);
    assert_eq!(receive(&headers("push", "other", body.as_bytes()), &body), unauthorized);
    assert_eq!(receive(&headers("push", "new", b"other"), &body), unauthorized);
    let mut without = headers("push", "new", body.as_bytes());
    without.remove(SIGNATURE_HEADER);
    assert_eq!(receive(&without, &body), unauthorized);
    // The old header, of SHA-1, is not looked at.
    without.insert("x-hub-signature", "sha1=0".parse().unwrap());
    assert_eq!(receive(&without, &body), unauthorized);
}

#[test]
fn a_form_is_signed_as_it_came() {
    let form = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22repository%22%3A%7B%22full_name%22%3A%22acme%2Fenv%22%7D%7D";
    let mut headers = headers("push", "new", form.as_bytes());
    headers.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    let received = received(&headers, form.as_bytes()).unwrap();
    assert_eq!(line(&received.news), "acme/env main");
}

#[test]
fn an_id_that_is_none_gives_way_to_the_hash() {
    for (id, is_id) in
        [(GUID, true), ("a b", false), ("", false), (&"x".repeat(128), true), (&"x".repeat(129), false)]
    {
        let mut headers = headers("ping", "new", b"{}");
        headers.insert(DELIVERY_HEADER, id.parse().unwrap());
        let want = if is_id { id.to_owned() } else { hex::encode(Sha256::digest(b"{}")) };
        assert_eq!(received(&headers, b"{}").unwrap().delivery_id, want, "{id}");
    }
}

#[test]
fn bodies_are_bounded() {
    let mut body = payload(json!({ "ref": "refs/heads/main" })).to_string().into_bytes();
    body.resize(BODY_BYTES_MAX, b' ');
    assert_eq!(told("push", &body), "acme/env main");
    body.push(b' ');
    assert_eq!(told("push", &body), "the delivery has 26214401 bytes, at most 26214400 are read");
}
