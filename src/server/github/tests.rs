//! What a delivery makes due, over the real router and store.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::server::run::Tally;
use crate::server::webhooks::github::{DELIVERY_HEADER, EVENT_HEADER};
use crate::store::Store;

const SETTINGS: &str = "
[github]
token_file = 'SECRET'
webhook_secret_files = ['SECRET']

[[repositories]]
name = 'env'
forge = 'github'
base = 'deploy'
github = { repository = 'acme/environments' }

[[repositories]]
name = 'other'
forge = 'github'
github = { repository = 'acme/other' }

[[repositories]]
name = 'here'
location = '/x'
local = { folder = '/x', people = '/y' }
";

struct Place {
    app: App,
    _folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        Self::with(SETTINGS).await
    }

    async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings.replace("SECRET", &secret.display().to_string())).unwrap();
        let settings = Settings::load_from(Some(&file), []).unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        store.set_cursor("thread:env:12", "web").await.unwrap();
        let app = Tally::new(&settings).app(&settings, store).unwrap();
        Self { app, _folder: folder }
    }

    async fn send(&self, event: &str, guid: &str, body: impl Into<Vec<u8>>) -> StatusCode {
        let body = body.into();
        let mac = Hmac::<Sha256>::new_from_slice(b"hunter2").unwrap().chain_update(&body).finalize();
        self.send_signed(event, guid, body, &format!("sha256={}", hex::encode(mac.into_bytes()))).await
    }

    async fn send_signed(&self, event: &str, guid: &str, body: Vec<u8>, signature: &str) -> StatusCode {
        let request = Request::post("/webhooks/github")
            .header(header::HOST, "localhost")
            .header(SIGNATURE_HEADER, signature)
            .header(EVENT_HEADER, event)
            .header(DELIVERY_HEADER, guid)
            .body(Body::from(body))
            .unwrap();
        super::super::router(self.app.clone(), vec![]).oneshot(request).await.unwrap().status()
    }

    /// Every key that is due, each with the ids of its deliveries and what they ask for.
    async fn due(&self) -> Vec<String> {
        let mut due = Vec::new();
        while let Some(lease) = self.app.store.claim(Timestamp::now(), Duration::from_mins(1)).await.unwrap()
        {
            let told = lease.deliveries.iter().map(|delivery| {
                let hints: Vec<String> = delivery.hints.iter().map(said).collect();
                format!("{} {}", delivery.id, hints.join("+"))
            });
            due.push(format!("{}: {}", lease.key, told.collect::<Vec<_>>().join(", ")));
        }
        due.sort();
        due
    }
}

fn said(hint: &Hint) -> String {
    match hint {
        Hint::Comment { id, thread, .. } => format!("comment {id} at {thread}"),
        Hint::PullRequest { number } => format!("pull {number}"),
        Hint::Push => "push".to_owned(),
        Hint::Image { repository, registry, tags, .. } => format!("{registry:?} {repository} {tags:?}"),
        other @ (Hint::Command { .. } | Hint::Sighting { .. } | Hint::Unparsable { .. }) => {
            format!("{other:?}")
        }
    }
}

fn payload(repository: &str, fields: Value) -> String {
    let mut payload = json!({ "sender": { "login": "octocat", "id": 1, "type": "User" },
        "repository": { "id": 10, "full_name": repository } });
    let Value::Object(fields) = fields else { panic!("an object") };
    payload.as_object_mut().unwrap().extend(fields);
    payload.to_string()
}

/// In a fresh place, where pull request 12 is known as that of pipeline `web`.
async fn check(event: &str, body: &str, want: &[&str]) {
    let place = Place::new().await;
    let web = Key::pipeline("env", "web".parse().unwrap());
    let later = Timestamp::now() + Duration::from_hours(24);
    place.app.store.mark(&[web], later, crate::store::Urgency::Time).await.unwrap();
    assert_eq!(place.send(event, "g", body).await, StatusCode::ACCEPTED, "{event} {body}");
    assert_eq!(place.due().await, want, "{event} {body}");
    assert_eq!(place.send(event, "g", body).await, StatusCode::ACCEPTED);
    assert_eq!(place.due().await, Vec::<String>::new(), "a repeat is a no-op");
}

fn comment(thread: u64) -> String {
    let comment = json!({ "id": 99, "user": { "id": 1, "type": "User" } });
    let fields = json!({ "action": "created", "issue": { "number": thread }, "comment": comment });
    payload("Acme/Environments", fields)
}

#[tokio::test]
async fn comments_concern_the_pipeline_of_their_thread_or_the_sweep() {
    check("issue_comment", &comment(12), &["env/web: comment:env:99 comment 99 at 12"]).await;
    check("issue_comment", &comment(13), &["env: github:g comment 99 at 13"]).await;
}

#[tokio::test]
async fn pull_requests_and_checks_concern_their_pipeline() {
    let pull = |number: u64| {
        payload("acme/environments", json!({ "action": "closed", "pull_request": { "number": number } }))
    };
    check("pull_request", &pull(12), &["env/web: github:g pull 12"]).await;
    check("pull_request", &pull(13), &["env: github:g pull 13"]).await;
    let checked = |numbers: Value| {
        payload(
            "acme/environments",
            json!({ "action": "completed", "check_suite": { "app": { "id": 3 }, "pull_requests": numbers } }),
        )
    };
    let both = json!([{ "number": 12 }, { "number": 13 }]);
    let want = ["env/web: github:g pull 12+pull 13", "env: github:g pull 12+pull 13"];
    check("check_suite", &checked(both), &want).await;
    check("check_suite", &checked(json!([])), &["env: github:g push"]).await;
    let status = |branch: &str| payload("acme/environments", json!({ "branches": [{ "name": branch }] }));
    let branch = "lockkeeper/normal/prod/web/0123456789ab-1";
    check("status", &status(branch), &["env/web: github:g push", "env: github:g push"]).await;
    check("status", &status("lockkeeper/normal/prod/nobody/0123456789ab-1"), &["env: github:g push"]).await;
    check("status", &status("main"), &["env: github:g push"]).await;
}

#[tokio::test]
async fn pushes_to_the_base_and_to_our_branches_concern_the_repository() {
    let push = |branch: &str| payload("acme/environments", json!({ "ref": format!("refs/heads/{branch}") }));
    check("push", &push("deploy"), &["env: github:g push"]).await;
    check("push", &push("lockkeeper/x"), &["env: github:g push"]).await;
    check("push", &push("main"), &[]).await;
    let elsewhere = payload("acme/nobody", json!({ "ref": "refs/heads/deploy" }));
    check("push", &elsewhere, &[]).await;
    check(
        "installation",
        &payload("x", json!({ "action": "created" })),
        &["env: github:g push", "other: github:g push"],
    )
    .await;
    let added = json!({ "repositories_added": [{ "full_name": "acme/OTHER" }] });
    check("installation_repositories", &payload("x", added), &["other: github:g push"]).await;
}

#[tokio::test]
async fn images_concern_whoever_watches_them_in_any_repository() {
    let place = Place::new().await;
    let key = Key::pipeline("here", "web".parse().unwrap());
    place.app.store.set_watches(&key, &["ghcr.io/acme/web".to_owned()]).await.unwrap();
    let package = |name: &str| {
        let version = json!({ "container_metadata": { "tag": { "name": "1.4.2" } } });
        let package = json!({ "name": name, "namespace": "Acme", "package_type": "CONTAINER", "package_version": version });
        payload("somebody/else", json!({ "action": "published", "package": package }))
    };
    assert_eq!(place.send("package", "a", package("api")).await, StatusCode::ACCEPTED);
    assert_eq!(place.due().await, Vec::<String>::new());
    assert_eq!(place.send("package", "b", package("web")).await, StatusCode::ACCEPTED);
    assert_eq!(place.due().await, ["here/web: github:b Some(\"ghcr.io\") acme/web [\"1.4.2\"]"]);
}

#[tokio::test]
async fn each_end_is_counted() {
    let place = Place::new().await;
    let push = payload("acme/environments", json!({ "ref": "refs/heads/deploy" }));
    for (guid, body, want) in
        [("a", push.as_str(), 202), ("a", push.as_str(), 202), ("b", "no JSON", 202), ("c", "no JSON", 202)]
    {
        assert_eq!(place.send("push", guid, body).await.as_u16(), want, "{guid}");
    }
    assert_eq!(place.send("ping", "d", "{}").await.as_u16(), 202);
    let unsigned = place.send_signed("push", "e", push.clone().into_bytes(), "sha256=00").await;
    assert_eq!(unsigned.as_u16(), 401);
    assert_eq!(place.send("push", "f", vec![b' '; BODY_BYTES_MAX + 1]).await.as_u16(), 413);
    assert_eq!(place.due().await, ["env: github:a push"]);
    place.app.store.close().await;
    assert_eq!(place.send("push", "g", push).await.as_u16(), 503);
    let figures = place.app.metrics.render();
    for (outcome, count) in [
        ("accepted", 2),
        ("repeat", 1),
        ("unparsable", 2),
        ("unauthorized", 1),
        ("too_large", 1),
        ("unavailable", 1),
    ] {
        let line = format!("lockkeeper_deliveries_total{{webhook=\"github\",outcome=\"{outcome}\"}} {count}");
        assert!(figures.lines().any(|found| found == line), "{line}\n{figures}");
    }
}

#[tokio::test]
async fn large_bodies_take_a_place_and_small_ones_none() {
    let place = Place::new().await;
    let receiver = place.app.github.clone().unwrap();
    let small = place.app.settings.body_bytes_max;
    let taken = receiver.large_bodies.try_acquire_many(u32::try_from(LARGE_BODIES_MAX).unwrap()).unwrap();
    assert_eq!(place.send("ping", "a", vec![b' '; small]).await.as_u16(), 202);
    assert_eq!(place.send("ping", "b", vec![b' '; small + 1]).await.as_u16(), 503);
    drop(taken);
    assert_eq!(place.send("ping", "b", vec![b' '; BODY_BYTES_MAX]).await.as_u16(), 202);
    assert_eq!(receiver.large_bodies.available_permits(), LARGE_BODIES_MAX);
}

#[tokio::test]
async fn without_github_or_a_secret_there_is_no_such_address() {
    let no_secret = SETTINGS.replace("webhook_secret_files = ['SECRET']\n", "");
    let (_, local) = SETTINGS.rsplit_once("\n\n").unwrap();
    for settings in [no_secret.as_str(), local] {
        let place = Place::with(settings).await;
        assert_eq!(place.send("ping", "a", "{}").await, StatusCode::NOT_FOUND, "{settings}");
    }
}
