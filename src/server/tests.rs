//! The server over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::settings::{Secret, Webhook, WebhookKind};
use crate::store::{Key, Urgency};

const PUSH: &[u8] =
    include_bytes!("../../tests/fixtures/webhooks/distribution/v2-push-single-by-tag.body.json");
const TIMEOUT: Duration = Duration::from_millis(400);

struct Running {
    address: SocketAddr,
    app: App,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<Result<(), ServeError>>,
    client: Client,
    _folder: TempDir,
}

async fn run(routers: Vec<Router>) -> Running {
    run_with(routers, TIMEOUT).await
}

async fn run_with(routers: Vec<Router>, timeout: Duration) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let webhook = Webhook {
        kind: WebhookKind::Distribution,
        path: "main".into(),
        header: None,
        secrets: vec![Secret::new("hunter2").unwrap()],
        token: None,
        registry: Some("registry.example.com".into()),
        aliases: std::collections::BTreeMap::new(),
    };
    // Neither it nor the settings say where the images are.
    let nameless = Webhook { kind: WebhookKind::Zot, path: "zot".into(), registry: None, ..webhook.clone() };
    let settings = settings::Server {
        listen: address,
        url: format!("http://{address}"),
        hosts: vec!["locks.example.com".into()],
        body_bytes_max: 1_500_000,
        requests_max: 2,
        timeout,
        stop_timeout: TIMEOUT,
    };
    let app = App {
        settings: Arc::new(settings),
        receivers: Arc::new([&webhook, &nameless].map(|webhook| Receiver::new(webhook).unwrap()).into()),
        observers: Arc::default(),
        repositories: Arc::default(),
        github: None,
        store: Store::open(&folder.path().join("store.db")).await.unwrap(),
        metrics: Arc::default(),
        health: Arc::new(Health::new(["shop".to_owned()])),
        clock: Clock::default(),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let done = tokio::spawn(serve(listener, app.clone(), routers, shutdown));
    let client = Client::builder().no_proxy().build().unwrap();
    Running { address, app, stop: Some(stop), done, client, _folder: folder }
}

impl Running {
    async fn get(&self, path: &str, host: &str) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).header("host", host).send().await.unwrap()
    }

    async fn status(&self, path: &str, host: &str) -> u16 {
        self.get(path, host).await.status().as_u16()
    }

    async fn post(&self, name: &str, secret: Option<&str>, body: impl Into<reqwest::Body>) -> u16 {
        let request = self.client.post(format!("http://{}/webhooks/{name}", self.address)).body(body);
        let request =
            secret.into_iter().fold(request, |request, secret| request.header("authorization", secret));
        request.send().await.unwrap().status().as_u16()
    }

    /// Sends raw bytes, and returns what comes until the server closes, and after how long that was.
    async fn raw(&self, bytes: &[u8]) -> (String, Duration) {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
    }
}

fn key() -> Key {
    Key::pipeline("shop", "web".parse().unwrap())
}

/// The repository that the push names, as pipelines watch it.
fn pushed_repository() -> String {
    let push: Value = serde_json::from_slice(PUSH).unwrap();
    format!("registry.example.com/{}", push["events"][0]["target"]["repository"].as_str().unwrap())
}

#[tokio::test]
async fn a_webhook_is_verified_stored_and_answered() {
    let server = run(vec![]).await;
    let store = &server.app.store;
    store.set_watches(&key(), &[pushed_repository()]).await.unwrap();
    for (secret, body, want) in [
        (None, PUSH, 401),
        (Some("Bearer wrong"), PUSH, 401),
        (Some("Bearer hunter2"), PUSH, 202),
        (Some("hunter2"), PUSH, 202),
        (Some("hunter2"), b"no json".as_slice(), 202),
        (Some("wrong"), b"no json", 401),
    ] {
        assert_eq!(server.post("main", secret, body).await, want, "{secret:?}");
    }
    assert_eq!(server.post("other", Some("hunter2"), PUSH).await, 404);
    assert_eq!(server.post("main", Some("hunter2"), vec![b'x'; 1_500_001]).await, 413);
    let now = Timestamp::now();
    let lease = store.claim(now, Duration::from_mins(1)).await.unwrap().unwrap();
    assert_eq!((lease.key.clone(), lease.deliveries.len()), (key(), 1));
    assert!(lease.deliveries[0].id.starts_with("main:"));
    assert_eq!(store.claim(now, Duration::from_mins(1)).await.unwrap(), None, "nobody else is concerned");
    store.close().await;
    assert_eq!(
        server.post("main", Some("hunter2"), r#"{"events":[]}"#).await,
        503,
        "not stored, not accepted"
    );
    let figures = server.app.metrics.render();
    for (outcome, count) in [
        ("accepted", 1),
        ("repeat", 1),
        ("unparsable", 1),
        ("unauthorized", 3),
        ("too_large", 1),
        ("unavailable", 1),
    ] {
        let line = format!("lockkeeper_deliveries_total{{webhook=\"main\",outcome=\"{outcome}\"}} {count}");
        assert!(figures.lines().any(|found| found == line), "{line}\n{figures}");
    }
}

#[tokio::test]
async fn what_names_no_registry_counts_as_unwatched() {
    let server = run(vec![]).await;
    let push = include_bytes!("../../tests/fixtures/webhooks/zot/push.cloudevent.json").as_slice();
    assert_eq!(server.post("zot", Some("hunter2"), push).await, 202);
    let figures = server.app.metrics.render();
    let line = "lockkeeper_deliveries_total{webhook=\"zot\",outcome=\"unwatched\"} 1";
    assert!(figures.lines().any(|found| found == line), "{figures}");
}

#[tokio::test]
async fn only_known_hosts_are_answered_and_every_answer_is_guarded() {
    let server = run(vec![]).await;
    for (path, host, want) in [
        ("/", "locks.example.com", 200),
        ("/", "127.0.0.1:1", 200),
        ("/", "evil.example", 421),
        ("/board", "evil.example", 421),
        // Senders have names of their own for us, and show a secret.
        ("/webhooks/main", "lockkeeper.ns.svc", 405),
        ("/nowhere", "locks.example.com", 404),
        ("/healthz", "evil.example", 200),
        ("/metrics", "evil.example", 200),
        ("/p/shop/web", "locks.example.com", 404),
        ("/p/shop/Not-A-Name", "locks.example.com", 404),
        ("/?state=nonsense", "locks.example.com", 400),
    ] {
        let response = server.get(path, host).await;
        assert_eq!(response.status().as_u16(), want, "{path} {host}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
    let (answer, _) = server.raw(b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 421"), "{answer}");
    let in_line =
        b"GET http://evil.example/ HTTP/1.1\r\nhost: locks.example.com\r\nconnection: close\r\n\r\n";
    assert!(server.raw(in_line).await.0.starts_with("HTTP/1.1 421"));
}

#[tokio::test]
async fn ready_means_writable_and_every_repository_read_once() {
    let server = run(vec![]).await;
    assert_eq!(server.status("/readyz", "x").await, 503);
    server.app.health.repository_read("shop", Timestamp::now());
    assert_eq!(server.status("/readyz", "x").await, 200);
    let figures = server.get("/metrics", "x").await.text().await.unwrap();
    assert!(figures.contains("lockkeeper_keys 0\n") && figures.contains("repository=\"shop\""), "{figures}");
}

#[tokio::test]
async fn a_page_is_sent_once_and_the_document_stands_beside_it() {
    let server = run(vec![]).await;
    let store = &server.app.store;
    let now = Timestamp::now();
    store.mark(&[key()], now, Urgency::Time).await.unwrap();
    let lease = store.claim(now, Duration::from_mins(1)).await.unwrap().unwrap();
    let view = json!({ "repository": "shop", "pipeline": "web", "updated_at": now, "stages": [],
        "history": [{ "at": now, "text": "adopted" }] });
    store.record(lease, &[], &[], None, &view, None).await.unwrap();
    // The repository itself has nothing to say, and stands on no page.
    store.mark(&[Key::repository("shop")], now, Urgency::Time).await.unwrap();
    let lease = store.claim(now, Duration::from_mins(1)).await.unwrap().unwrap();
    store.record(lease, &[], &[], None, &Value::Null, None).await.unwrap();
    let page = server.get("/p/shop/web", "localhost").await;
    let tag = page.headers()["etag"].clone();
    assert!(page.text().await.unwrap().contains("adopted"));
    let url = format!("http://{}/p/shop/web", server.address);
    let again = server.client.get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let document: Value =
        serde_json::from_str(&server.get("/p/shop/web.json", "localhost").await.text().await.unwrap())
            .unwrap();
    assert_eq!(document["history"][0]["text"], "adopted");
    let board: Value =
        serde_json::from_str(&server.get("/board.json", "localhost").await.text().await.unwrap()).unwrap();
    assert_eq!(board["pipelines"].as_array().unwrap().len(), 1);
    assert_eq!(board["pipelines"][0]["pipeline"], "web");
    assert_eq!(board["pipelines"][0]["history"], Value::Null, "the board is about now");
    let html = server.get("/", "localhost").await.text().await.unwrap();
    let (_, from) = html.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = server.get(from.split_once('"').unwrap().0, "localhost").await;
    assert!(style.headers()["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn slow_senders_are_cut_off_wherever_they_stop() {
    let server = run(vec![]).await;
    let head = "POST /webhooks/main HTTP/1.1\r\nhost: localhost\r\nauthorization: hunter2\r\ncontent-length: 50\r\n\r\nsome";
    for (sent, want) in [
        ("", ""),
        ("GET / HTTP/1.1\r\nhost: loc", ""),
        (head, "HTTP/1.1 408"),
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 200"),
    ] {
        let (answer, took) = server.raw(sent.as_bytes()).await;
        assert!(answer.starts_with(want) && answer.is_empty() == want.is_empty(), "{sent:?}: {answer:?}");
        assert!(took >= TIMEOUT && took < TIMEOUT * 10, "{sent:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_body_without_a_secret_is_not_waited_for() {
    let server = run(vec![]).await;
    let head = b"POST /webhooks/main HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 50\r\n\r\nsome";
    let (answer, took) = server.raw(head).await;
    assert!(answer.starts_with("HTTP/1.1 401") && took < TIMEOUT, "{took:?} {answer}");
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_too() {
    let server = run(vec![]).await;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-drip: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(TIMEOUT / 8).await;
        assert!(begun.elapsed() < TIMEOUT * 12, "still open");
    }
}

#[tokio::test]
async fn requests_beyond_the_places_are_turned_away_at_once() {
    let server = run(vec![]).await;
    let head = b"POST /webhooks/main HTTP/1.1\r\nhost: localhost\r\nauthorization: hunter2\r\ncontent-length: 50\r\n\r\nsome";
    let slow = futures::future::join(server.raw(head), server.raw(head));
    let refused = async {
        tokio::time::sleep(TIMEOUT / 4).await;
        server.status("/", "localhost").await
    };
    let (_, status) = futures::future::join(slow, refused).await;
    assert_eq!(status, 503);
    assert_eq!(server.status("/", "localhost").await, 200, "the places are free again");
}

#[tokio::test]
async fn heads_are_bounded_and_each_request_has_its_own() {
    let server = run(vec![]).await;
    let head = |headers: &str| {
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n")
    };
    for (headers, want) in [
        (String::new(), "HTTP/1.1 200"),
        (format!("x: {}\r\n", "x".repeat(60_000)), "HTTP/1.1 200"),
        (format!("x: {}\r\n", "x".repeat(70_000)), ""),
        ("x: y\r\n".repeat(98), "HTTP/1.1 200"),
        ("x: y\r\n".repeat(99), "HTTP/1.1 431"),
        (format!("{}: y\r\n", "x".repeat(60_000)), "HTTP/1.1 200"),
    ] {
        let (answer, _) = server.raw(head(&headers).as_bytes()).await;
        let shown = &headers[..headers.len().min(20)];
        assert!(answer.starts_with(want) && answer.is_empty() == want.is_empty(), "{shown}: {answer:?}");
    }
    // One connection, 100 kB of heads.
    for _ in 0..100 {
        let url = format!("http://{}/healthz", server.address);
        let answer = server.client.get(url).header("x", "x".repeat(1_000)).send().await.unwrap();
        assert_eq!(
            answer.text().await.unwrap(),
            server.get("/healthz", "localhost").await.text().await.unwrap()
        );
    }
}

#[tokio::test]
async fn connections_beyond_the_room_wait_until_others_are_gone() {
    let server = run(vec![]).await;
    let begun = Instant::now();
    let room = server.app.settings.requests_max * 4;
    let mut idle = Vec::new();
    for _ in 0..room {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    // The last of these is accepted before the idle ones time out: there is room for it.
    tokio::time::sleep(TIMEOUT / 8).await;
    assert_eq!(server.status("/healthz", "localhost").await, 200);
    assert!(begun.elapsed() >= TIMEOUT * 3 / 4, "it waited for an idle one to be cut off");
}

#[tokio::test]
async fn ten_thousand_events_in_one_delivery_are_acted_on() {
    let server = run_with(vec![], Duration::from_mins(1)).await;
    let store = &server.app.store;
    store.set_watches(&key(), &["registry.example.com/last".to_owned()]).await.unwrap();
    let push = |repository: &str, tag: usize| {
        format!(
            r#"{{"action":"push","target":{{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"{repository}","tag":"{tag}"}}}}"#
        )
    };
    let body = |count: usize| {
        let pushes = (1..count).map(|number| push(&format!("r{}", number % 50), number));
        let pushes: Vec<String> = pushes.chain([push("last", 1)]).collect();
        format!(r#"{{"events":[{}]}}"#, pushes.join(","))
    };
    assert_eq!(server.post("main", Some("hunter2"), body(10_001)).await, 202, "kept, and not read");
    assert_eq!(store.claim(Timestamp::now(), Duration::from_mins(1)).await.unwrap(), None);
    assert_eq!(server.post("main", Some("hunter2"), body(10_000)).await, 202);
    let lease = store.claim(Timestamp::now(), Duration::from_mins(1)).await.unwrap().unwrap();
    assert_eq!((lease.key, lease.deliveries.len()), (key(), 1));
    assert!(lease.deliveries[0].hints.len() <= 64);
}

async fn answer_after(wait: Duration) -> &'static str {
    tokio::time::sleep(wait).await;
    "finished"
}

#[tokio::test]
async fn stopping_lets_requests_finish_but_not_for_ever() {
    let soon = Router::new().route("/soon", get(|| answer_after(TIMEOUT / 2)));
    for (path, want) in [("/soon", Some("finished")), ("/hang", None)] {
        let mut server = run(vec![soon.clone()]).await;
        let request = match path {
            "/soon" => b"GET /soon HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
            _ => {
                b"POST /webhooks/main HTTP/1.1\r\nhost: localhost\r\nauthorization: hunter2\r\ncontent-length: 50\r\n\r\nsome".to_vec()
            }
        };
        let stop = server.stop.take().unwrap();
        let stopping = async {
            tokio::time::sleep(TIMEOUT / 8).await;
            stop.send(()).unwrap();
        };
        let ((answer, _), ()) = futures::future::join(server.raw(&request), stopping).await;
        assert!(want.is_none_or(|want| answer.ends_with(want)), "{path}: {answer}");
        tokio::time::timeout(TIMEOUT * 10, &mut server.done).await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(server.address).await.is_err(), "{path}: nobody listens any more");
    }
}

#[tokio::test]
async fn mounted_routers_stand_behind_the_guards_and_know_the_other_end() {
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
    let server = run(vec![Router::new().route("/forge/whoami", get(peer))]).await;
    assert_eq!(server.status("/forge/whoami", "evil.example").await, 421);
    assert_eq!(server.get("/forge/whoami", "localhost").await.text().await.unwrap(), "127.0.0.1");
}
