//! Ten thousand tags in Debian's docker-registry, and what a decision costs there.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, LOCATION};
use jiff::Timestamp;
use lockkeeper::image::{Digest, expected_tags};
use lockkeeper::pipeline::{self, ImageRule};
use lockkeeper::plan::Pick;
use lockkeeper::reconcile::pick;
use lockkeeper::registry::TAGS_ASKED_MAX;
use tokio::net::TcpListener;

use super::support::docker_registry::{DockerRegistry, Options};
use super::{anonymous, tag};

const TAGS: usize = 10_000;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Hands everything on to a registry, and counts it.
struct Counter {
    to: SocketAddr,
    count: AtomicUsize,
    unchanged: AtomicUsize,
}

async fn count(to: SocketAddr) -> (SocketAddr, Arc<Counter>) {
    let counter = Arc::new(Counter { to, count: AtomicUsize::new(0), unchanged: AtomicUsize::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(hand_on).with_state(Arc::clone(&counter));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, counter)
}

async fn hand_on(State(counter): State<Arc<Counter>>, request: Request) -> Response {
    counter.count.fetch_add(1, Ordering::SeqCst);
    let url = format!("http://{}{}", counter.to, request.uri());
    let mut asked = reqwest::Client::new().request(request.method().clone(), url);
    for name in [ACCEPT, IF_NONE_MATCH] {
        if let Some(value) = request.headers().get(&name) {
            asked = asked.header(name, value);
        }
    }
    let answer = asked.send().await.unwrap();
    if answer.status() == StatusCode::NOT_MODIFIED {
        counter.unchanged.fetch_add(1, Ordering::SeqCst);
    }
    let mut response = Response::builder().status(answer.status());
    for name in [CONTENT_TYPE, ETAG, LINK] {
        if let Some(value) = answer.headers().get(&name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// Pushes an image that says that it was created then.
async fn push(registry: SocketAddr, name: &str, created: &str) -> Digest {
    let client = reqwest::Client::new();
    let base = format!("http://{registry}/v2/shop/web");
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"{created}","rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    );
    let blob = Digest::of(config.as_bytes());
    let begun = client.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
    let place = begun.headers()[LOCATION].to_str().unwrap().to_owned();
    let put = client.put(format!("{place}&digest={blob}")).body(config.clone()).send().await.unwrap();
    assert!(put.status().is_success(), "{put:?}");
    let (size, kind) = (config.len(), "application/vnd.oci.image");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"{kind}.config.v1+json","size":{size},"digest":"{blob}"}},"layers":[{{"mediaType":"{kind}.layer.v1.tar","size":{size},"digest":"{blob}"}}]}}"#
    );
    let put = client.put(format!("{base}/manifests/{name}")).header(CONTENT_TYPE, MANIFEST);
    let answer = put.body(manifest.clone()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    Digest::of(manifest.as_bytes())
}

/// Gives an image thousands of tags in the registry's own files: to push each would take a minute.
fn tag_often(registry: &DockerRegistry, digest: Digest) {
    let tags = registry.data().join("docker/registry/v2/repositories/shop/web/_manifests/tags");
    for number in 1..TAGS {
        let current = tags.join(format!("1.{}.{}", number / 100, number % 100)).join("current");
        fs::create_dir_all(&current).unwrap();
        fs::write(current.join("link"), digest.to_string()).unwrap();
    }
}

fn rule(registry: SocketAddr, follow: &str) -> ImageRule {
    let text = format!(
        "version: 1\npipelines:\n  - name: web\n    images: [{{ repository: {registry}/shop/web, follow: {{ {follow} }} }}]\n    \
         stages: [{{ name: dev, pins: [a] }}]\n"
    );
    let mut parsed = pipeline::parse(text.as_bytes()).unwrap();
    parsed.pipelines.remove(0).images.remove(0)
}

fn now() -> Timestamp {
    "2026-02-01T00:00:00Z".parse().unwrap()
}

/// A decision costs a list and a manifest, however many tags there are; what `newest` reads of a tag, it reads once.
#[tokio::test]
async fn ten_thousand_tags_cost_a_list_and_a_manifest() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let digest = push(real.address(), "1.0.0", "2026-01-01T00:00:00Z").await;
    tag_often(&real, digest);
    let (address, counter) = count(real.address()).await;
    let registry = anonymous();
    let costs = async |follow: &str, want: Pick, requests: usize| {
        let before = counter.count.load(Ordering::SeqCst);
        assert_eq!(pick(&registry, &rule(address, follow), now()).await.unwrap(), want, "{follow}");
        assert_eq!(counter.count.load(Ordering::SeqCst) - before, requests, "{follow}");
    };
    let found = |name: &str, digest| Pick::Found { tag: tag(name), digest };
    let all = rule(address, "semver: '*'");
    assert_eq!(registry_tags(&registry, &all).await, TAGS);
    // The registry has been asked how it wants to be spoken to.
    costs("semver: '*'", found("1.99.99", digest), 2).await;
    assert_eq!(counter.unchanged.load(Ordering::SeqCst), 0);
    costs("semver: '>=1'", found("1.99.99", digest), 2).await;
    assert_eq!(counter.unchanged.load(Ordering::SeqCst), 1, "a poll that finds nothing new gets no manifest");
    costs("semver: '<1.50'", found("1.49.99", digest), 2).await;
    costs("calver: YYYY.MM.DD", Pick::Nothing, 1).await;
    costs("numeric: true, extract: '^1[.]7[.](?<key>[0-9]+)$'", found("1.7.99", digest), 2).await;
    costs("lexical: true, allow: '^1[.]2'", found("1.29.99", digest), 2).await;
    costs("exact: 1.3.3", found("1.3.3", digest), 1).await;
    costs("tag: 1.3.3", found("1.3.3", digest), 1).await;
    let is_refused = pick(&registry, &rule(address, "newest: true"), now()).await.unwrap();
    assert!(
        matches!(&is_refused, Pick::Refused(reason) if reason.starts_with("10000 tags fit")),
        "{is_refused:?}"
    );

    let mut newest = digest;
    for number in 0..10 {
        let pushed = push(
            real.address(),
            &format!("git-abc000{number}"),
            &format!("2026-01-02T00:00:0{}Z", 9 - number),
        )
        .await;
        newest = if number == 0 { pushed } else { newest };
    }
    let follow = "newest: true, allow: '^git-'";
    costs(follow, found("git-abc0000", newest), 1 + 10 * 2 + 1).await;
    costs(follow, found("git-abc0000", newest), 2).await;
    let newer = push(real.address(), "git-fff0000", "2026-01-03T00:00:00Z").await;
    costs(follow, found("git-fff0000", newer), 1 + 2 + 1).await;
    push(real.address(), "git-fff0000", "2026-01-04T00:00:00Z").await;
    let moved = pick(&registry, &rule(address, follow), now()).await.unwrap();
    assert!(
        matches!(&moved, Pick::Refused(reason) if reason.starts_with("tag `git-fff0000` moved")),
        "{moved:?}"
    );
}

/// Of tags that could be on a digest, those are asked that were listed, each once, and mostly answered without a body.
#[tokio::test]
async fn among_ten_thousand_tags_a_handful_is_asked_for_a_digest() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let digest = push(real.address(), "1.99.99", old).await;
    tag_often(&real, digest);
    let (address, counter) = count(real.address()).await;
    let all = rule(address, "semver: '*'");
    let found = async |registry: &dyn lockkeeper::registry::Registry, listed: bool| {
        if listed {
            assert!(registry_tags(registry, &all).await >= TAGS - 1);
        }
        let image = registry.image(&all.repository, digest).await.unwrap();
        let expected = expected_tags(&image, Some(&tag("1.99.99")), None);
        let before = counter.count.load(Ordering::SeqCst);
        let found = registry.tags_on(&all.repository, digest, &expected).await.unwrap();
        (found, counter.count.load(Ordering::SeqCst) - before)
    };
    assert_eq!(found(&anonymous(), true).await, (vec![], 0), "what is not listed is not asked for");
    assert_eq!(found(&anonymous(), false).await, (vec![], TAGS_ASKED_MAX), "without a list six are asked");
    assert_eq!(push(real.address(), "latest", old).await, digest);
    assert_eq!(push(real.address(), "1.99", old).await, digest);
    push(real.address(), "stable", new).await;
    let registry = anonymous();
    let unchanged = counter.unchanged.load(Ordering::SeqCst);
    assert_eq!(found(&registry, true).await, (vec![tag("1.99"), tag("latest")], 3));
    assert_eq!(counter.unchanged.load(Ordering::SeqCst) - unchanged, 2, "no body for what is the same");
    assert_eq!(found(&registry, true).await.1, 0, "once");
}

async fn registry_tags(registry: &dyn lockkeeper::registry::Registry, rule: &ImageRule) -> usize {
    registry.tags(&rule.repository).await.unwrap().len()
}

/// What a build keeps beside the images (the cache of `docker buildx` is such an index) is said by name, whatever else is there.
#[tokio::test]
async fn newest_says_which_tag_is_no_image() {
    const CACHE: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}]}"#;
    const IMAGE: &str = r#"{"schemaVersion":2,"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}"#;
    let routes = Router::new()
        .route("/v2/shop/web/tags/list", get(|| async { r#"{"tags":["buildcache","1.0.0"]}"# }))
        .route("/v2/shop/web/manifests/buildcache", get(|| async { CACHE }))
        .route("/v2/shop/web/manifests/{reference}", get(|| async { IMAGE }))
        .route("/v2/shop/web/blobs/{digest}", get(|| async { "{}" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let ask = async |follow: &str| match pick(&anonymous(), &rule(address, follow), now()).await.unwrap() {
        Pick::Refused(reason) => reason,
        other @ (Pick::Found { .. } | Pick::Nothing | Pick::Failed(_)) => panic!("{other:?}"),
    };
    let reason = ask("newest: true").await;
    assert!(
        reason.starts_with("tag `buildcache` is no image that can be read (")
            && reason.ends_with("by `ignore`")
    );
    assert!(
        ask("newest: true, ignore: cache").await.contains("tag `1.0.0` does not say when it was created")
    );
}
