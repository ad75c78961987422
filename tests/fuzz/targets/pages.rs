//! Addresses that people and strangers ask for: the board, and the pages of the embedded forge.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderValue, Request, Uri, header};
use jiff::Timestamp;
use lockkeeper::forge::local::pages::{self, PageOptions, SignIn};
use lockkeeper::forge::local::{LocalForge, People, PeopleFile};
use lockkeeper::forge::{Forge as _, NewPullRequest, Priority, Reviewers};
use lockkeeper::repository::{Credentials, Edit, Location, Mirror, RefUpdate, Signature, create_bare};
use lockkeeper::server::{App, Clock, Health, router};
use lockkeeper::settings;
use lockkeeper::store::{Key, Store};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const HOST: &str = "127.0.0.1:8080";
const BODY_BYTES_MAX: usize = 4 << 20;
/// Stands for markup that a stranger brings along; nothing of ours is called so.
const MARKUP: [&str; 2] = ["<zz", "\"zz"];
/// Requests of one input.
const REQUESTS_MAX: usize = 5;

struct Site {
    runtime: Runtime,
    router: Router,
    _folder: tempfile::TempDir,
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let router = runtime.block_on(site(folder.path()));
    Site { runtime, router, _folder: folder }
});

/// Each line is asked for: no answer is our own failure, each is guarded, markup of the address comes back escaped.
pub fn pages(data: &[u8]) {
    let site = &*SITE;
    let text = String::from_utf8_lossy(data);
    for line in text.lines().filter(|line| line.starts_with('/')).take(REQUESTS_MAX) {
        let Ok(uri) = line.parse::<Uri>() else { continue };
        site.runtime.block_on(check(&site.router, uri));
    }
}

async fn check(router: &Router, uri: Uri) {
    let request = Request::builder().uri(uri.clone()).header(header::HOST, HOST).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    assert!(!status.is_server_error(), "{status} for {uri}");
    let policy =
        response.headers().get(header::CONTENT_SECURITY_POLICY).and_then(|value| value.to_str().ok());
    assert!(policy.is_some_and(|policy| policy.starts_with("default-src 'none'")), "{policy:?} for {uri}");
    let to = response.headers().get(header::LOCATION).map_or(&b"/"[..], HeaderValue::as_bytes);
    assert!(to.starts_with(b"/") && !to.starts_with(b"//") && !to.starts_with(b"/\\"), "{to:?} for {uri}");
    let is_html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let body = to_bytes(response.into_body(), BODY_BYTES_MAX).await.expect("a page is bounded");
    let body = String::from_utf8_lossy(&body);
    let found = MARKUP.into_iter().find(|markup| is_html && body.contains(markup));
    assert!(found.is_none(), "{found:?} came through for {uri}: {body}");
}

/// Everything that is served, over a repository with a pull request and an issue.
async fn site(folder: &Path) -> Router {
    let forge = Arc::new(forge(folder).await);
    let store = Store::open(&folder.join("store.db")).await.unwrap();
    show_pipeline(&store).await;
    let settings = settings::Server {
        listen: HOST.parse().unwrap(),
        url: format!("http://{HOST}"),
        hosts: vec![],
        body_bytes_max: 1_000_000,
        requests_max: 10,
        timeout: Duration::from_secs(20),
        stop_timeout: Duration::from_secs(1),
    };
    let app = App {
        settings: Arc::new(settings),
        receivers: Arc::default(),
        observers: Arc::default(),
        repositories: Arc::default(),
        github: None,
        store,
        metrics: Arc::default(),
        health: Arc::new(Health::new([])),
        clock: Clock::default(),
    };
    let options = PageOptions {
        title: "shop".to_owned(),
        hosts: ["127.0.0.1".to_owned()].into(),
        sign_in: SignIn::ChooseName,
        proxy_header: None,
    };
    let pages = pages::router(forge, options);
    router(app, vec![Router::new().nest("/forge/shop", pages)])
}

async fn forge(folder: &Path) -> LocalForge {
    let at = Timestamp::UNIX_EPOCH;
    let author = Signature { name: "li".to_owned(), email: "li@example.com".to_owned(), at };
    let files = [("a.yaml".to_owned(), b"image: a:1\n".to_vec())];
    let main = create_bare(&folder.join("env.git"), "main", &files, "first", &author).await.unwrap();
    let location = Location::File(folder.join("env.git"));
    let mirror = Mirror::open(location, &folder.join("mirror"), Credentials::default()).await.unwrap();
    let (before, after) = (Some(b"image: a:1\n".to_vec()), b"image: a:2\n".to_vec());
    let edit = Edit { path: "a.yaml".to_owned(), before, after };
    let commit =
        mirror.commit(main, vec![edit], "second\n\nLockkeeper-Lane: normal\n", &author).await.unwrap();
    let update = RefUpdate { name: "refs/heads/b".to_owned(), old: None, new: Some(commit) };
    mirror.push(vec![update]).await.unwrap();
    let url = format!("http://{HOST}/forge/shop");
    let people = People::fixed(PeopleFile { people: vec![], apps: vec![] });
    let forge =
        LocalForge::open(&folder.join("forge"), mirror, people, url, Arc::new(Timestamp::now)).await.unwrap();
    let pull = NewPullRequest {
        priority: Priority::Act,
        title: "promote".to_owned(),
        body: "<zz> [a](b)".to_owned(),
        branch: "b".to_owned(),
        base: "main".to_owned(),
        labels: vec!["<zz>".to_owned()],
        reviewers: Reviewers::default(),
    };
    forge.open(&pull).await.unwrap();
    forge
}

/// A view as it stands in the store, with hostile text in each field.
async fn show_pipeline(store: &Store) {
    let key = Key::pipeline("shop", "web".parse().unwrap());
    let now = Timestamp::now();
    store.mark(std::slice::from_ref(&key), now, lockkeeper::store::Urgency::Time).await.unwrap();
    let lease = store.claim(now, Duration::from_mins(1)).await.unwrap().unwrap();
    let view = serde_json::json!({ "repository": "shop", "pipeline": "web", "updated_at": now, "stages": [],
        "owner": "<zz>", "issue_url": "javascript:zz", "error": "`<zz>` <zz>",
        "history": [{ "at": now, "text": "<zz> `<zz>`", "url": "\"zz" }] });
    store.record(lease, &[], &[], None, &view, None).await.unwrap();
}
