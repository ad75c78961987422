//! As much of a forge's API as the peer calls on its way to a pull request, over a bare repository.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct Gitea {
    pub address: SocketAddr,
    repository: String,
    pull_requests: Arc<Mutex<Vec<Value>>>,
}

impl Gitea {
    pub async fn start(bare: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let repository = format!("file://{}", bare.display());
        let gitea = Self { address, repository, pull_requests: Arc::default() };
        let router = Router::new().fallback(answer).with_state(gitea.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        gitea
    }

    pub fn pull_requests(&self) -> usize {
        self.pull_requests.lock().unwrap().len()
    }

    fn repository(&self) -> Value {
        json!({
            "id": 1, "name": "env", "full_name": "org/env", "owner": user(), "default_branch": "main",
            "clone_url": self.repository, "ssh_url": self.repository, "archived": false, "mirror": false,
            "empty": false, "private": false, "has_issues": true, "has_pull_requests": true,
            "allow_merge_commits": true, "allow_rebase": true, "allow_rebase_explicit": true,
            "allow_squash_merge": true, "default_merge_style": "merge", "external_tracker": null,
            "permissions": { "admin": true, "push": true, "pull": true },
        })
    }

    fn open(&self, asked: &Value) -> Value {
        let mut all = self.pull_requests.lock().unwrap();
        let (none, time) = ("0".repeat(40), "2026-01-01T00:00:00Z");
        let number = all.len() + 1;
        all.push(json!({
            "number": number, "state": "open", "title": asked["title"], "body": asked["body"],
            "mergeable": true, "created_at": time, "updated_at": time, "closed_at": null,
            "diff_url": "http://127.0.0.1/", "labels": [], "assignees": [], "user": user(), "draft": false,
            "base": { "ref": asked["base"], "label": asked["base"], "sha": none },
            "head": { "ref": asked["head"], "label": asked["head"], "sha": none, "repo": self.repository() },
        }));
        all[all.len() - 1].clone()
    }
}

fn user() -> Value {
    json!({ "id": 1, "username": "bot", "login": "bot", "full_name": "Bot", "email": "bot@example.com" })
}

async fn answer(
    State(gitea): State<Gitea>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path();
    let is_list =
        ["/labels", "/issues", "/comments", "/statuses", "/status"].iter().any(|end| path.contains(end));
    let (status, value) = match method {
        Method::GET if path.ends_with("/version") => (StatusCode::OK, json!({ "version": "1.22.0" })),
        Method::GET if path.ends_with("/api/v1/user") => (StatusCode::OK, user()),
        Method::GET if path.ends_with("/repos/org/env") => (StatusCode::OK, gitea.repository()),
        Method::GET if path.ends_with("/pulls") => {
            (StatusCode::OK, Value::Array(gitea.pull_requests.lock().unwrap().clone()))
        }
        Method::POST if path.ends_with("/pulls") => (StatusCode::CREATED, gitea.open(&asked)),
        Method::GET | Method::PATCH if path.contains("/pulls/") => {
            let all = gitea.pull_requests.lock().unwrap();
            (StatusCode::OK, all.last().cloned().unwrap_or_default())
        }
        Method::POST if is_list => (StatusCode::CREATED, json!({})),
        _ if is_list => (StatusCode::OK, json!([])),
        _ => (StatusCode::NOT_FOUND, json!({ "message": "not found" })),
    };
    (status, Json(value))
}
