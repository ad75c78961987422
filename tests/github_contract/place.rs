//! A fake over a real repository, and a client that knows nothing but HTTP.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::github::git::{Git, Signature};
use crate::github::{Fake, Role, Setting};

pub(crate) const BEGIN: i64 = 1_767_225_600;

/// A repository with one commit on `main`, people, and a fake over it.
pub(crate) struct Place {
    pub(crate) fake: Fake,
    pub(crate) git: Git,
    seconds: Arc<AtomicI64>,
    folder: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The message of the answer, and of its first error.
    pub(crate) fn message(&self) -> String {
        let error = self.body["errors"][0]["message"].as_str().unwrap_or("");
        format!("{} {} {error}", self.status, self.body["message"].as_str().unwrap_or("")).trim().to_owned()
    }
}

pub(crate) fn setting() -> Setting {
    Setting::new(&[(1, "ada", Role::Admin), (2, "grace", Role::Write), (3, "linus", Role::Read)])
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(setting()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (git, path) = repository(&folder, "environments.git");
        let seconds = Arc::new(AtomicI64::new(BEGIN));
        let clock = Arc::clone(&seconds);
        let now = move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap();
        let fake = Fake::start(setting, &path, now).await;
        Self { fake, git, seconds, folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The clock of this GitHub, in seconds.
    pub(crate) fn clock(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.seconds)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Pushes a commit with one file to a branch, which begins at `main`.
    pub(crate) fn push(&self, branch: &str, file: &str, content: &str) -> String {
        commit(&self.git, branch, file, content, "2+grace@users.noreply.github.com")
    }

    /// Ada's open pull request from this branch, with one file in it.
    pub(crate) fn pull(&self, branch: &str, file: &str) -> u64 {
        self.push(branch, file, branch);
        self.fake.open_by("ada", branch, "main", &format!("Promote {branch}"))
    }

    /// The App's client.
    pub(crate) fn app(&self) -> Client {
        let token = self.fake.installation_token();
        Client { base: self.fake.url(), token }
    }

    pub(crate) fn client(&self, login: &str) -> Client {
        Client { base: self.fake.url(), token: self.fake.token(login) }
    }

    pub(crate) fn no_violations(&self) {
        assert_eq!(self.fake.violations(), Vec::<String>::new());
    }
}

pub(crate) fn repository(folder: &TempDir, name: &str) -> (Git, PathBuf) {
    let path = folder.path().join(name);
    let words = ["init", "--quiet", "--bare", "--initial-branch=main"];
    assert!(Command::new("git").args(words).arg(&path).status().unwrap().success());
    let git = Git::new(&path);
    // The empty tree, which every repository knows.
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let first = git.write_commit(tree, &[], "Begin", &signature("1+ada@users.noreply.github.com"));
    git.update("refs/heads/main", &first, "").unwrap();
    (git, path)
}

pub(crate) fn commit(git: &Git, branch: &str, file: &str, content: &str, email: &str) -> String {
    let name = format!("refs/heads/{branch}");
    let old = git.commit(&name);
    let parent = old.clone().or(git.commit("refs/heads/main")).unwrap();
    let tree = git.write_tree(&parent, &[(file.to_owned(), Some(content.as_bytes().to_vec()))]).unwrap();
    let commit = git.write_commit(&tree, &[&parent], &format!("Write {file}"), &signature(email));
    git.update(&name, &commit, &old.unwrap_or_default()).unwrap();
    commit
}

fn signature(email: &str) -> Signature {
    Signature {
        name: "somebody".to_owned(),
        email: email.to_owned(),
        at: Timestamp::from_second(BEGIN).unwrap(),
    }
}

/// Speaks HTTP with a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send("GET", path, None, &[]).await.unwrap()
    }

    /// `path` below the repository.
    pub(crate) async fn of(&self, path: &str) -> Answered {
        self.get(&format!("/repos/acme/environments{path}")).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Answered {
        self.send(method, &format!("/repos/acme/environments{path}"), Some(body), &[]).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answered, reqwest::Error> {
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        // Without the system's certificates, which take longer to read than the test.
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let mut request = client.request(method.parse().unwrap(), address);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body.filter(|body| !body.is_null()) {
            request = request.body(body.to_string());
        }
        let response = request.timeout(std::time::Duration::from_secs(5)).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Ok(Answered { status, headers, body })
    }
}
