//! Our registry tells of a push as a real one does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use lockkeeper::demo::registry::{DemoRegistry, Endpoint};
use lockkeeper::registry::Registry as _;
use lockkeeper::server::webhooks::verify::{Authentication, Secret};
use lockkeeper::server::webhooks::{Kind, ReceiveError, Received, Sent, receive};
use tokio::net::TcpListener;

use super::oci_layout::Layout;
use super::support::docker_registry::{DockerRegistry, HTPASSWD, Options, PASSWORD, USER};
use super::{anonymous, copy_all, repository, skopeo, spec, tag};

const SECRET: &str = "Bearer hook-token";

/// What came in, and how many deliveries are still refused.
#[derive(Default)]
struct Inbox {
    refusals_left: usize,
    received: Vec<Result<Received, ReceiveError>>,
    ids: Vec<String>,
}

/// Listens for deliveries, refuses the first few, and returns its address.
async fn listen(refusals: usize) -> (String, Arc<Mutex<Inbox>>) {
    let inbox = Arc::new(Mutex::new(Inbox { refusals_left: refusals, ..Inbox::default() }));
    let router = Router::new().route("/hooks", post(take)).with_state(Arc::clone(&inbox));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, inbox)
}

async fn take(State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let authentication = Authentication::Header {
        name: HeaderName::from_static("authorization"),
        values: vec![Secret::new(SECRET).unwrap()],
    };
    let sent = Sent::new(&headers, &body, Timestamp::now());
    let received = receive(Kind::Distribution, &authentication, &sent);
    let mut inbox = inbox.lock().unwrap();
    inbox.ids.extend(received.iter().map(|received| received.delivery_id.clone()));
    if inbox.refusals_left > 0 {
        inbox.refusals_left -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    inbox.received.push(received);
    StatusCode::OK
}

/// Waits until the inbox has an event with this tag, and returns all events with one, as text.
async fn events(inbox: &Mutex<Inbox>, last: &str) -> Vec<String> {
    for _ in 0..500 {
        let texts: Vec<String> = {
            let inbox = inbox.lock().unwrap();
            let received = inbox.received.iter().flat_map(|received| &received.as_ref().unwrap().events);
            received
                .map(|event| {
                    format!("{}:{}@{}", event.repository, event.tags.join(","), event.digest.unwrap())
                })
                .collect()
        };
        if texts.iter().any(|text| text.contains(&format!(":{last}@"))) {
            return texts;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no event with the tag {last}")
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { url: url.to_owned(), authorization: Some(SECRET.to_owned()) }
}

#[tokio::test]
async fn the_demo_registry_repeats_what_is_refused_and_keeps_the_order() {
    let (url, inbox) = listen(2).await;
    let demo = DemoRegistry::start(vec![endpoint(&url)]).await.unwrap();
    let one = demo.push_image("shop/web", &tag("1.4.1"), &spec("1.4.1")).unwrap();
    let two = demo.push_image("shop/web", &tag("1.4.2"), &spec("1.4.2")).unwrap();
    let want = [format!("shop/web:1.4.1@{one}"), format!("shop/web:1.4.2@{two}")];
    assert_eq!(events(&inbox, "1.4.2").await, want);
    let inbox = inbox.lock().unwrap();
    // Two children and the index of each; the first of all was sent three times, under one id.
    assert_eq!(inbox.received.len(), 6);
    assert_eq!(inbox.ids.len(), 8);
    assert!(inbox.ids[0] == inbox.ids[1] && inbox.ids[1] == inbox.ids[2] && inbox.ids[2] != inbox.ids[3]);
    assert!(!format!("{:?}", endpoint(&url)).contains("hook-token"));
}

/// skopeo copies the same image to both; both tell the same.
#[tokio::test]
async fn the_demo_registry_tells_what_a_real_one_tells() {
    let (real_url, real_inbox) = listen(0).await;
    let (demo_url, demo_inbox) = listen(0).await;
    let options = Options { notify: Some((real_url, SECRET.to_owned())), ..Options::default() };
    let Some(real) = DockerRegistry::start(&options) else { return };
    let demo = DemoRegistry::start(vec![endpoint(&demo_url)]).await.unwrap();
    let source = DemoRegistry::start(Vec::new()).await.unwrap();
    source.push_image("shop/web", &tag("1.4.2"), &spec("1.4.2")).unwrap();
    let from = format!("{}/shop/web:1.4.2", source.address());
    for address in [real.address(), demo.address()] {
        let Some(()) = copy_all(&from, &format!("{address}/shop/web:1.4.2")).await else { return };
    }
    let told = events(&real_inbox, "1.4.2").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told, events(&demo_inbox, "1.4.2").await);
}

/// An index of two platforms and a single image, as skopeo reads them, and their digests.
fn images(folder: &tempfile::TempDir) -> [(String, String); 2] {
    let mut layout = Layout::new(folder.path().join("layout"));
    let (index, single) = (layout.index("index", &["amd64", "arm64"]), layout.single("single"));
    [(layout.reference("index"), index), (layout.reference("single"), single)]
}

/// Pushes, a tag more, other bytes under a tag, a deletion: each push is told once, by its tag and the digest of what was
/// pushed; children and deletions are not.
#[tokio::test]
async fn a_real_registry_tells_of_each_push_by_tag_and_of_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let [(index, index_digest), (single, single_digest)] = images(&folder);
    for htpasswd in [None, Some(HTPASSWD.to_owned())] {
        let (url, inbox) = listen(0).await;
        let options = Options { htpasswd: htpasswd.clone(), notify: Some((url, SECRET.to_owned())) };
        let Some(real) = DockerRegistry::start(&options) else { return };
        let login = |option: &str| htpasswd.as_ref().map(|_| format!("--{option}={USER}:{PASSWORD}"));
        let to = |tag: &str| format!("docker://{}/shop/web:{tag}", real.address());
        let plain = ["--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", "--all"];
        let copy = async |from: &str, tag: &str| {
            let is_ours = from.starts_with("docker:");
            let logins = [login("dest-creds"), login("src-creds").filter(|_| is_ours)];
            let logins: Vec<&str> = logins.iter().flatten().map(String::as_str).collect();
            skopeo(&[&["copy"][..], &plain, &logins, &[from, &to(tag)]].concat()).await
        };
        let again = to("1");
        for (from, tag) in [(&index, "1"), (&single, "2"), (&again, "prod"), (&single, "1"), (&single, "1")] {
            let Some(_) = copy(from, tag).await else { return };
        }
        let (prod, logins) = (to("prod"), login("creds"));
        let words = ["delete", "--tls-verify=false"].into_iter().chain(logins.as_deref());
        skopeo(&words.chain([prod.as_str()]).collect::<Vec<_>>()).await.unwrap();
        copy(&single, "end").await.unwrap();
        let want = [
            ("1", &index_digest),
            ("2", &single_digest),
            ("prod", &index_digest),
            ("1", &single_digest),
            ("1", &single_digest),
            ("end", &single_digest),
        ];
        let want = want.map(|(tag, digest)| format!("shop/web:{tag}@{digest}"));
        assert_eq!(events(&inbox, "end").await, want, "{htpasswd:?}");
    }
}

/// Its queue is in memory: what it was refused before it was started anew is never told again, and a look finds it.
#[tokio::test]
async fn what_a_real_registry_forgets_in_mid_retry_is_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let [(index, _), (single, single_digest)] = images(&folder);
    let (url, inbox) = listen(usize::MAX).await;
    let options = Options { notify: Some((url, SECRET.to_owned())), ..Options::default() };
    let Some(mut real) = DockerRegistry::start(&options) else { return };
    let address = real.address();
    let push = async |from: &str, tag: &str| {
        let to = format!("docker://{address}/shop/web:{tag}");
        skopeo(&["copy", "--all", "--dest-tls-verify=false", from, &to]).await
    };
    let Some(_) = push(&index, "1").await else { return };
    for _ in 0..500 {
        if inbox.lock().unwrap().ids.len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    {
        let ids = &inbox.lock().unwrap().ids;
        assert!(ids.len() > 1 && ids.iter().all(|id| *id == ids[0]), "one is tried again and again: {ids:?}");
    }
    real.restart();
    inbox.lock().unwrap().refusals_left = 0;
    push(&single, "2").await.unwrap();
    assert_eq!(events(&inbox, "2").await, [format!("shop/web:2@{single_digest}")]);
    let web = repository(address, "shop/web");
    let tags = anonymous().tags(&web).await.unwrap();
    let found: Vec<String> = tags.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["1", "2"]);
}
