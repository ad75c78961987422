//! Servers that lie, stall, refuse and overflow.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use bytes::Bytes;
use http::{StatusCode, header};
use lockkeeper::image::Digest;
use lockkeeper::plan::Pick;
use lockkeeper::reconcile::pick;
use lockkeeper::registry::credentials::Credentials;
use lockkeeper::registry::{Registry as _, RegistryError};
use tokio::net::TcpListener;

use super::{anonymous, client, kind, repository, tag};

const MANIFEST: &str = r#"{"schemaVersion":2,"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;

type Behaviour = fn(&State_, &Request) -> Response;

/// A server that answers everything by one function, and writes down what it was asked.
struct State_ {
    address: SocketAddr,
    behaviour: Behaviour,
    asked: Mutex<Vec<String>>,
    tokens: AtomicUsize,
}

async fn serve(behaviour: Behaviour) -> Arc<State_> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(State_ { address, behaviour, asked: Mutex::default(), tokens: AtomicUsize::new(0) });
    let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    state
}

async fn answer(State(state): State<Arc<State_>>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.map_or("", |value| value.to_str().unwrap());
    let line = format!("{} {} {authorization}", request.method(), request.uri());
    state.asked.lock().unwrap().push(line);
    if request.uri().path() == "/hang" || request.uri().path().ends_with("/manifests/hang") {
        std::future::pending::<()>().await;
    }
    (state.behaviour)(&state, &request)
}

/// Whether it is asked for the version of the API, before anything else.
fn is_ping(request: &Request) -> bool {
    request.uri().path() == "/v2/"
}

async fn check(behaviour: Behaviour, tag_text: &str, want: &str) -> RegistryError {
    let server = serve(behaviour).await;
    let error =
        anonymous().resolve(&repository(server.address, "shop/web"), &tag(tag_text)).await.unwrap_err();
    assert_eq!(kind(&error), want, "{error}");
    error
}

#[tokio::test]
async fn a_wrong_digest_is_not_believed() {
    let lie: Behaviour = |_, _| {
        let digest = Digest::of(b"something else").to_string();
        ([("Docker-Content-Digest", digest)], MANIFEST).into_response()
    };
    check(lie, "1", "untrusted").await;
    let server = serve(|_, _| MANIFEST.into_response()).await;
    let web = repository(server.address, "shop/web");
    assert_eq!(anonymous().resolve(&web, &tag("1")).await.unwrap(), Digest::of(MANIFEST.as_bytes()));
    // By digest, other bytes than those asked for; and a configuration whose bytes are not its digest's.
    let error = anonymous().image(&web, Digest::of(b"other")).await.unwrap_err();
    assert_eq!(kind(&error), "untrusted", "{error}");
    let error = anonymous().image(&web, Digest::of(MANIFEST.as_bytes())).await.unwrap_err();
    assert_eq!(kind(&error), "untrusted", "{error}");
    assert!(error.to_string().contains("configuration"), "{error}");
}

#[tokio::test]
async fn what_is_no_manifest_is_not_resolved() {
    check(|_, _| "<html>please sign in</html>".into_response(), "1", "untrusted").await;
    check(|_, _| "{}".into_response(), "1", "untrusted").await;
    check(|_, _| (StatusCode::NOT_FOUND, "<html>no such page</html>").into_response(), "1", "untrusted")
        .await;
    check(|_, _| (StatusCode::NO_CONTENT, "").into_response(), "1", "untrusted").await;
}

#[tokio::test]
async fn too_much_is_cut_off() {
    let body = |size: usize| {
        let mut bytes = MANIFEST.as_bytes().to_vec();
        bytes.resize(size, b' ');
        Bytes::from(bytes)
    };
    let largest = 4 * 1024 * 1024;
    let server = serve(|_, request| {
        let size: usize = request.uri().path().rsplit('/').next().unwrap().parse().unwrap_or(0);
        let mut bytes = MANIFEST.as_bytes().to_vec();
        bytes.resize(size.max(bytes.len()), b' ');
        bytes.into_response()
    })
    .await;
    let web = repository(server.address, "shop/web");
    let resolve = |size: usize| {
        let web = web.clone();
        async move { anonymous().resolve(&web, &tag(&size.to_string())).await }
    };
    assert_eq!(resolve(largest).await.unwrap(), Digest::of(&body(largest)));
    assert_eq!(kind(&resolve(largest + 1).await.unwrap_err()), "untrusted");
    // A body without an end, and one of an error, do not fill the memory either.
    let endless: Behaviour = |_, request| {
        let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65536])));
        let status = if is_ping(request) { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        let body = if is_ping(request) { Body::empty() } else { Body::from_stream(chunks) };
        (status, body).into_response()
    };
    check(endless, "1", "unavailable").await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let started = Instant::now();
    check(|_, _| "{}".into_response(), "hang", "unavailable").await;
    assert!(started.elapsed() < Duration::from_secs(4));
    let stalls: Behaviour = |_, request| {
        let stalled = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        if is_ping(request) { "{}".into_response() } else { Body::from_stream(stalled).into_response() }
    };
    check(stalls, "1", "unavailable").await;
}

#[tokio::test]
async fn refusals_say_when_to_come_back() {
    let limited: Behaviour = |_, request| {
        if is_ping(request) {
            return "{}".into_response();
        }
        (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "17")], "You have reached your limit")
            .into_response()
    };
    let RegistryError::Unavailable { retry_after, reason, .. } = check(limited, "1", "unavailable").await
    else {
        panic!("not unavailable")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(17)));
    assert!(reason.contains("You have reached your limit"), "{reason}");
    check(|_, _| StatusCode::SERVICE_UNAVAILABLE.into_response(), "1", "unavailable").await;
    check(|_, _| StatusCode::FORBIDDEN.into_response(), "1", "denied").await;
}

/// Who is told to come back later does not come back before, for whatever repository of the host.
#[tokio::test]
async fn a_registry_that_asks_for_rest_has_it() {
    let tired: Behaviour = |_, request| {
        if is_ping(request) {
            return "{}".into_response();
        }
        (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", "1")], "later").into_response()
    };
    let server = serve(tired).await;
    let registry = anonymous();
    let asked = || server.asked.lock().unwrap().len();
    let [web, api] = ["shop/web", "shop/api"].map(|path| repository(server.address, path));
    assert_eq!(kind(&registry.resolve(&web, &tag("1")).await.unwrap_err()), "unavailable");
    let before = asked();
    for _ in 0..3 {
        let error = registry.tags(&api).await.unwrap_err();
        assert!(matches!(&error, RegistryError::Unavailable { retry_after: Some(_), .. }), "{error}");
        assert_eq!(kind(&registry.image(&web, Digest::of(b"x")).await.unwrap_err()), "unavailable");
    }
    assert_eq!(asked(), before, "it was asked while it rests");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(kind(&registry.resolve(&web, &tag("1")).await.unwrap_err()), "unavailable");
    assert!(asked() > before, "it is asked again after its rest");
}

/// Bytes that come in a way of their own: the answer is written by hand, and the connection is then closed.
async fn check_raw(answer: &'static [u8], want: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = connection.read(&mut request).await.unwrap();
            let is_ping = request[..length].starts_with(b"GET /v2/ ");
            let ping: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            // Who listens no longer is told nothing.
            let _ = connection.write_all(if is_ping { ping } else { answer }).await;
            let _ = connection.shutdown().await;
        }
    });
    let web = repository(address, "shop/web");
    let error = anonymous().resolve(&web, &tag("1")).await.unwrap_err();
    assert_eq!(kind(&error), want, "{error}");
    let error = anonymous().tags(&web).await.unwrap_err();
    assert_eq!(kind(&error), want, "{error}");
    server.abort();
}

/// Cut off, longer or shorter than announced, or no HTTP at all: never an answer, and never "not there".
#[tokio::test]
async fn an_answer_that_ends_early_is_none() {
    for (answer, want) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"schemaVersion\":2,"[..], "unavailable"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"tags\":[\"1\"],", "unavailable"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "unavailable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"tags\":[\"1\"],\"layers\":[]}", "untrusted"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}", "unavailable"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 900\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\"",
            "untrusted",
        ),
        (b"HTTP/1.1 2", "unavailable"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unavailable"),
        (b"", "unavailable"),
    ] {
        check_raw(answer, want).await;
    }
}

/// The bytes decide, not what the header calls them.
#[tokio::test]
async fn a_wrong_content_type_changes_nothing() {
    let server = serve(|_, request| {
        if is_ping(request) || request.uri().path().contains("/blobs/") {
            return "{}".into_response();
        }
        ([("Content-Type", "text/html")], MANIFEST).into_response()
    })
    .await;
    let web = repository(server.address, "shop/web");
    let digest = Digest::of(MANIFEST.as_bytes());
    assert_eq!(anonymous().resolve(&web, &tag("1")).await.unwrap(), digest);
    assert_eq!(anonymous().probe(&web, digest).await.unwrap(), []);
    // And a page of HTML under the name of a manifest stays a page of HTML.
    let page: Behaviour = |_, _| {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        ([("Content-Type", kind)], "<html>{}</html>").into_response()
    };
    check(page, "1", "untrusted").await;
}

/// A redirect is followed without the password, a few times, and to a good end only.
#[tokio::test]
async fn redirects_carry_no_password_and_end() {
    let mirror = serve(|_, _| MANIFEST.into_response()).await;
    let elsewhere = mirror.address;
    let behaviour: Behaviour = |_, request| {
        let authorization = request.headers().contains_key(header::AUTHORIZATION);
        let to = match request.uri().path() {
            "/v2/" => {
                let basic = [(header::WWW_AUTHENTICATE, "Basic realm=\"shop\"")];
                return (StatusCode::UNAUTHORIZED, basic).into_response();
            }
            _ if !authorization => return StatusCode::FORBIDDEN.into_response(),
            path if path.ends_with("/manifests/round") => path.to_owned(),
            // The address of the other server is handed over in the tag.
            path => {
                let port = path.rsplit_once("/at-").map_or("1", |(_, port)| port);
                format!("http://localhost:{port}/v2/x/manifests/1")
            }
        };
        (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
    };
    let server = serve(behaviour).await;
    let folder = tempfile::tempdir().unwrap();
    let registry = client(credentials(&folder, server.address));
    let web = repository(server.address, "shop/web");
    let found = registry.resolve(&web, &tag(&format!("at-{}", elsewhere.port()))).await.unwrap();
    assert_eq!(found, Digest::of(MANIFEST.as_bytes()));
    let asked = mirror.asked.lock().unwrap().join("\n");
    assert!(asked.starts_with("GET ") && !asked.contains("Basic"), "{asked}");
    let error = registry.resolve(&web, &tag("round")).await.unwrap_err();
    assert_eq!(kind(&error), "unavailable", "{error}");
    assert!(server.asked.lock().unwrap().len() < 12, "a circle of redirects is left soon");
}

#[tokio::test]
async fn tags_that_never_end_do_end() {
    let server = serve(|_, request| {
        let page = request.uri().query().unwrap_or("");
        let path = request.uri().path();
        let to = |page: &str| format!("<{path}?{page}>; rel=\"next\"");
        // A registry that sends the same page for ever, one that leads to an empty page, one that leads over a page without
        // tags, one that has no pages, and one that leads elsewhere.
        let (tags, next) = match path {
            path if path.contains("/same/") => (r#"["b","a","no tag"]"#, to(page)),
            path if path.contains("/last/") && page == "last=b" => ("[]", to(page)),
            path if path.contains("/last/") => (r#"["b","a"]"#, to("last=b")),
            path if path.contains("/odd/") && page == "last=b" => (r#"["no tag"]"#, to("last=c")),
            path if path.contains("/odd/") && page == "last=c" => (r#"["b","c"]"#, String::new()),
            path if path.contains("/odd/") => (r#"["b","a"]"#, to("last=b")),
            path if path.contains("/whole/") => (r#"["b","a"]"#, String::new()),
            _ => ("[]", "<https://evil.example/v2/x>; rel=\"next\"".to_owned()),
        };
        ([("Link", next)], format!(r#"{{"name":"x","tags":{tags}}}"#)).into_response()
    })
    .await;
    let tags = async |path: &str| anonymous().tags(&repository(server.address, path)).await;
    let error = tags("shop/same/web").await.unwrap_err();
    assert_eq!(kind(&error), "untrusted", "{error}");
    assert_eq!(server.asked.lock().unwrap().len(), 3, "one sign-in and two pages");
    for (path, want) in [
        ("shop/last/web", vec!["a", "b"]),
        ("shop/odd/web", vec!["a", "b", "c"]),
        ("shop/whole/web", vec!["a", "b"]),
    ] {
        let want: Vec<_> = want.into_iter().map(tag).collect();
        assert_eq!(tags(path).await.unwrap(), want, "{path}");
    }
    let error = tags("shop/other").await.unwrap_err();
    assert_eq!(kind(&error), "untrusted", "{error}");
    let server = serve(|_, _| r#"{"name":"x","tags":null}"#.into_response()).await;
    assert_eq!(anonymous().tags(&repository(server.address, "shop/empty")).await.unwrap(), []);
}

/// What is listed and not there is passed over by `newest`; so is what was there when it was asked for first.
#[tokio::test]
async fn a_tag_that_is_listed_and_not_there_is_not_the_newest() {
    const CONFIGS: [(&str, &str); 3] = [
        ("a", r#"{"created":"2026-01-01T00:00:00Z"}"#),
        ("b", r#"{"created":"2026-01-02T00:00:00Z"}"#),
        ("far", r#"{"created":"2026-02-03T00:00:00Z"}"#),
    ];
    fn manifest(config: &str) -> String {
        let digest = Digest::of(config.as_bytes());
        format!(r#"{{"schemaVersion":2,"config":{{"digest":"{digest}"}},"layers":[]}}"#)
    }
    let server = serve(|state, request| {
        let path = request.uri().path();
        let unknown =
            || (StatusCode::NOT_FOUND, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#).into_response();
        let Some((_, name)) = path.rsplit_once('/') else { return unknown() };
        let is_asked = |(tag, config): &&(&str, &str)| {
            [
                *tag,
                &Digest::of(config.as_bytes()).to_string(),
                &Digest::of(manifest(config).as_bytes()).to_string(),
            ]
            .contains(&name)
        };
        match CONFIGS.iter().find(is_asked) {
            _ if is_ping(request) => "{}".into_response(),
            _ if name == "list" => r#"{"name":"x","tags":["a","b","c","far"]}"#.into_response(),
            // It is withdrawn after it was looked at.
            Some(("b", _)) if name == "b" && state.tokens.load(Ordering::SeqCst) > 0 => unknown(),
            Some((_, config)) if path.contains("/blobs/") => (*config).into_response(),
            Some((_, config)) => manifest(config).into_response(),
            None => unknown(),
        }
    })
    .await;
    let rule = |ignored: &str| {
        let text = format!(
            "version: 1\npipelines:\n  - name: web\n    images: [{{ repository: {}/shop/web, follow: {{ newest: true, ignore: '{ignored}' }} }}]\n    \
             stages: [{{ name: dev, pins: [a] }}]\n",
            server.address
        );
        let mut parsed = lockkeeper::pipeline::parse(text.as_bytes()).unwrap();
        parsed.pipelines.remove(0).images.remove(0)
    };
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    let registry = anonymous();
    let found = |name: &str| {
        let (_, config) = CONFIGS.iter().find(|(tag, _)| *tag == name).unwrap();
        Pick::Found { tag: tag(name), digest: Digest::of(manifest(config).as_bytes()) }
    };
    assert_eq!(pick(&registry, &rule("^far$"), now).await.unwrap(), found("b"));
    server.tokens.store(1, Ordering::SeqCst);
    assert_eq!(pick(&registry, &rule("^far$"), now).await.unwrap(), found("a"));
    let refused = pick(&registry, &rule("^none$"), now).await.unwrap();
    let Pick::Refused(reason) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("tag `far` says") && reason.contains("yet to come"), "{reason}");
}

/// A registry behind a token server. Each token is good for the manifests until the next one is given out.
fn token_registry(state: &State_, request: &Request) -> Response {
    let authorization =
        request.headers().get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    if request.uri().path() == "/token" {
        if !authorization.starts_with("Basic ") {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let number = state.tokens.fetch_add(1, Ordering::SeqCst) + 1;
        return format!(r#"{{"token":"t{number}","expires_in":300}}"#).into_response();
    }
    if authorization != format!("Bearer t{}", state.tokens.load(Ordering::SeqCst)) {
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"shop\"", state.address);
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, realm)]).into_response();
    }
    let is_blob = request.uri().path().contains("/blobs/");
    if is_blob { "{}".into_response() } else { MANIFEST.into_response() }
}

fn credentials(folder: &tempfile::TempDir, address: SocketAddr) -> Credentials {
    let pair = base64::engine::general_purpose::STANDARD.encode("ci:s3cret");
    let path = folder.path().join("config.json");
    std::fs::write(&path, format!(r#"{{"auths":{{"{address}":{{"auth":"{pair}"}}}}}}"#)).unwrap();
    Credentials::from_file(path)
}

#[tokio::test]
async fn tokens_are_asked_for_once_and_renewed_when_refused() {
    let server = serve(token_registry).await;
    let folder = tempfile::tempdir().unwrap();
    let registry = client(credentials(&folder, server.address));
    let web = repository(server.address, "shop/web");
    for _ in 0..3 {
        registry.resolve(&web, &tag("1")).await.unwrap();
    }
    let asked =
        |needle: &str| server.asked.lock().unwrap().iter().filter(|line| line.contains(needle)).count();
    assert_eq!(
        (asked("/token?scope=repository%3Ashop%2Fweb%3Apull&service=shop Basic"), asked("Bearer t1")),
        (1, 3)
    );
    // The token is withdrawn before its time: one renewal, unseen.
    server.tokens.store(7, Ordering::SeqCst);
    registry.resolve(&web, &tag("1")).await.unwrap();
    assert_eq!((asked("/token"), asked("Bearer t8")), (2, 1));
    // The configuration is a blob, which is fetched with the same token.
    let image = registry.image(&web, Digest::of(MANIFEST.as_bytes())).await.unwrap();
    assert_eq!((image.platforms, asked("/token"), asked("Bearer t8")), (Vec::new(), 2, 2));
    let error = anonymous().resolve(&web, &tag("1")).await.unwrap_err();
    assert_eq!(kind(&error), "denied", "{error}");
}

/// The password goes to no server that the registry names on another host.
#[tokio::test]
async fn a_foreign_token_server_gets_nothing() {
    let realm: Behaviour = |_, _| {
        let realm = "Bearer realm=\"http://localhost:1/token\"";
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, realm)]).into_response()
    };
    let server = serve(realm).await;
    let folder = tempfile::tempdir().unwrap();
    let registry = client(credentials(&folder, server.address));
    let error = registry.resolve(&repository(server.address, "shop/web"), &tag("1")).await.unwrap_err();
    assert_eq!(kind(&error), "denied");
    assert!(error.to_string().contains("localhost:1") && error.to_string().contains("realm"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}

/// A token server that knows nothing says nothing about the image.
#[tokio::test]
async fn a_missing_token_server_is_no_missing_image() {
    let missing: Behaviour = |state, request| {
        let realm = format!("Bearer realm=\"http://{}/token\"", state.address);
        let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"?"}]}"#;
        let status = if is_ping(request) { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
        (status, [(header::WWW_AUTHENTICATE, realm)], body).into_response()
    };
    check(missing, "1", "denied").await;
}

/// An empty image configuration, whose digest `MANIFEST` names.
const CONFIG: &str = "{}";

fn answered(request: &Request) -> Response {
    let body = if request.uri().path().contains("/blobs/") { CONFIG } else { MANIFEST };
    body.into_response()
}

/// A host is asked once what it wants, a tag is one question, and what it named is not asked for again.
#[tokio::test]
async fn nothing_is_asked_twice() {
    let server = serve(|_, request| answered(request)).await;
    let registry = anonymous();
    for path in ["shop/web", "shop/api"] {
        let repository = repository(server.address, path);
        let digest = registry.resolve(&repository, &tag("1")).await.unwrap();
        registry.image(&repository, digest).await.unwrap();
        registry.image(&repository, digest).await.unwrap();
    }
    let asked = server.asked.lock().unwrap();
    let count = |part: &str| asked.iter().filter(|line| line.contains(part)).count();
    assert_eq!((count("/manifests/"), count("/blobs/")), (2, 2), "{asked:?}");
    // One before the first question.
    assert_eq!(asked.len() - 4, 1, "{asked:?}");
}

/// What was hashed before is asked for by its `ETag`; one that moves is hashed anew, and nothing is taken for unchanged that
/// was not asked for so.
#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let tagging: Behaviour = |state, request| {
        let version = state.tokens.load(Ordering::SeqCst);
        let etag = format!("\"{version}\"");
        let is_known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| *known == etag);
        if is_known || version > 1 {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let body = format!("{MANIFEST}{}", " ".repeat(version));
        ([(header::ETAG, etag)], body).into_response()
    };
    let server = serve(tagging).await;
    let (registry, web) = (anonymous(), repository(server.address, "shop/web"));
    let first = Digest::of(MANIFEST.as_bytes());
    for _ in 0..3 {
        assert_eq!(registry.resolve(&web, &tag("1")).await.unwrap(), first);
    }
    server.tokens.store(1, Ordering::SeqCst);
    let second = registry.resolve(&web, &tag("1")).await.unwrap();
    assert_eq!(second, Digest::of(format!("{MANIFEST} ").as_bytes()));
    server.tokens.store(2, Ordering::SeqCst);
    let api = repository(server.address, "shop/api");
    let errors = [
        registry.resolve(&api, &tag("1")).await.unwrap_err(),
        registry.tags(&api).await.unwrap_err(),
        registry.image(&api, first).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| kind(error) == "untrusted"), "{errors:?}");
}

/// A registry that was open and is open no more is asked anew what it wants.
#[tokio::test]
async fn a_registry_may_begin_to_ask_for_a_password() {
    let closing: Behaviour = |state, request| {
        let is_open = state.asked.lock().unwrap().len() <= 2;
        if is_open || request.headers().contains_key(header::AUTHORIZATION) {
            return answered(request);
        }
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"r\"")]).into_response()
    };
    let server = serve(closing).await;
    let folder = tempfile::tempdir().unwrap();
    let registry = client(credentials(&folder, server.address));
    let web = repository(server.address, "shop/web");
    for _ in 0..3 {
        registry.resolve(&web, &tag("1")).await.unwrap();
    }
}

/// A token server that is gone is asked for once more at the registry, as soon as a token is needed.
#[tokio::test]
async fn a_token_server_may_move() {
    let moving: Behaviour = |state, request| {
        let count =
            |part: &str| state.asked.lock().unwrap().iter().filter(|line| line.contains(part)).count();
        let answer = |body: &'static str| body.into_response();
        match request.uri().path() {
            // It has moved once the first token was given, which is spent at once.
            "/old" if count("/old") > 1 => StatusCode::BAD_GATEWAY.into_response(),
            "/old" => answer(r#"{"token":"t","expires_in":0}"#),
            "/new" => answer(r#"{"token":"t"}"#),
            _ if request.headers().contains_key(header::AUTHORIZATION) => answered(request),
            _ => {
                let place = if count("/old") == 0 { "old" } else { "new" };
                let realm = format!("Bearer realm=\"http://{}/{place}\"", state.address);
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, realm)]).into_response()
            }
        }
    };
    let server = serve(moving).await;
    let (registry, web) = (anonymous(), repository(server.address, "shop/web"));
    registry.resolve(&web, &tag("1")).await.unwrap();
    assert_eq!(kind(&registry.resolve(&web, &tag("1")).await.unwrap_err()), "unavailable");
    registry.resolve(&web, &tag("1")).await.unwrap();
}
