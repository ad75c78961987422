//! Signatures of openssl, in both of cosign's forms: at Debian's docker-registry, and at servers of our own for what that
//! one does not have or do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use lockkeeper::image::Digest;
use lockkeeper::registry::oci::OciRegistry;
use lockkeeper::registry::{Registry as _, SignatureError};
use lockkeeper::signature::{PublicKey, Signers, Verified};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::docker_registry::{DockerRegistry, Options};
use super::support::parts::part;
use super::support::signing::{Pair, pair};
use super::{anonymous, repository};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const NAME: &str = "shop/web";

/// A layer of simple signing.
fn layer((payload, signature): &(Vec<u8>, String)) -> Value {
    json!({
        "mediaType": PAYLOAD, "digest": Digest::of(payload).to_string(), "size": payload.len(),
        "annotations": { "dev.cosignproject.cosign/signature": signature },
    })
}

/// A manifest of these layers; what it refers to is the image, or nothing.
fn carrier(layers: &[Value], subject: Option<Digest>) -> Vec<u8> {
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}").to_string(), "size": 2 },
        "layers": layers,
    });
    if let Some(subject) = subject {
        manifest["subject"] = json!({ "mediaType": INDEX, "digest": subject.to_string(), "size": 1 });
    }
    manifest.to_string().into_bytes()
}

fn bundled(bundle: &[u8], image: Digest) -> Vec<u8> {
    let layer =
        json!({ "mediaType": BUNDLE, "digest": Digest::of(bundle).to_string(), "size": bundle.len() });
    carrier(&[layer], Some(image))
}

fn listing(manifests: &[(&[u8], &str)]) -> Vec<u8> {
    let entry = |(manifest, kind): &(&[u8], &str)| json!({ "mediaType": MANIFEST, "digest": Digest::of(manifest).to_string(), "size": manifest.len(), "artifactType": kind });
    let manifests: Vec<Value> = manifests.iter().map(entry).collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string().into_bytes()
}

/// What came of it, in words.
fn word(found: &Result<Verified, SignatureError>) -> String {
    match found {
        Ok(Verified::Key(signed)) => signed.scheme.to_string(),
        Ok(Verified::Keyless(keyless)) => keyless.identity().to_owned(),
        Err(error @ (SignatureError::NotKeyless { .. } | SignatureError::NoCosign { .. })) => {
            error.to_string()
        }
        Err(SignatureError::Missing) => "missing".to_owned(),
        Err(SignatureError::NoneCounts { count, reason }) => format!("{count}: {reason}"),
        Err(SignatureError::Registry(error)) => super::kind(error).to_owned(),
    }
}

/// Pushes as a client does.
struct Pusher {
    client: reqwest::Client,
    base: String,
}

impl Pusher {
    fn new(address: SocketAddr) -> Self {
        Self { client: reqwest::Client::new(), base: format!("http://{address}/v2/{NAME}") }
    }

    async fn blob(&self, bytes: &[u8]) {
        let begun = self.client.post(format!("{}/blobs/uploads/", self.base)).send().await.unwrap();
        let place = begun.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let digest = Digest::of(bytes).to_string();
        let put = self.client.put(place).query(&[("digest", &digest)]).body(bytes.to_vec());
        assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    }

    async fn manifest(&self, reference: &str, kind: &str, bytes: Vec<u8>) {
        let put = self.client.put(format!("{}/manifests/{reference}", self.base));
        let put = put.header(header::CONTENT_TYPE, kind).body(bytes).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED, "{}", put.text().await.unwrap());
    }

    /// As cosign 2 does.
    async fn simple(&self, image: Digest, claims: &[(Vec<u8>, String)]) {
        for (payload, _) in claims {
            self.blob(payload).await;
        }
        let layers: Vec<Value> = claims.iter().map(layer).collect();
        self.manifest(&format!("sha256-{}.sig", image.hex()), MANIFEST, carrier(&layers, None)).await;
    }

    /// As cosign 3 does where the registry has no referrers endpoint.
    async fn bundle(&self, image: Digest, bundle: &[u8]) {
        self.blob(bundle).await;
        let manifest = bundled(bundle, image);
        self.manifest(&Digest::of(&manifest).to_string(), MANIFEST, manifest.clone()).await;
        let list = listing(&[(&manifest, BUNDLE)]);
        self.manifest(&format!("sha256-{}", image.hex()), INDEX, list).await;
    }
}

/// Pushes every kind of signature; returns each image and what is expected of it.
async fn push_all(pusher: &Pusher, right: &Pair, wrong: &Pair) -> Vec<(Digest, &'static str)> {
    let image = |name: &str| Digest::of(name.as_bytes());
    pusher.blob(b"{}").await;
    pusher.simple(image("simple"), &[right.simple(image("simple"))]).await;
    pusher.bundle(image("bundle"), &right.bundle(image("bundle"))).await;
    pusher.simple(image("both"), &[right.simple(image("both"))]).await;
    pusher.bundle(image("both"), &right.bundle(image("both"))).await;
    pusher.simple(image("mixed"), &[wrong.simple(image("mixed"))]).await;
    pusher.bundle(image("mixed"), &right.bundle(image("mixed"))).await;
    let several = [right.simple(image("several")), wrong.simple(image("several"))];
    pusher.simple(image("several"), &several).await;
    pusher.simple(image("stranger"), &[wrong.simple(image("stranger"))]).await;
    pusher.bundle(image("stranger"), &wrong.bundle(image("stranger"))).await;
    pusher.simple(image("moved"), &[right.simple(image("simple"))]).await;
    pusher.bundle(image("moved bundle"), &right.bundle(image("bundle"))).await;
    let (payload, signature) = right.simple(image("tampered"));
    let tampered = String::from_utf8(payload).unwrap().replace("elsewhere", "somewhere").into_bytes();
    pusher.simple(image("tampered"), &[(tampered, signature.clone())]).await;
    let (payload, signature) = right.simple(image("truncated"));
    pusher.simple(image("truncated"), &[(payload, signature[..40].to_owned())]).await;
    vec![
        (image("simple"), "tag"),
        (image("bundle"), "bundle"),
        (image("both"), "tag"),
        (image("mixed"), "bundle"),
        (image("several"), "tag"),
        (image("none"), "missing"),
        (image("stranger"), "2: none of these keys made it"),
        (image("moved"), "1: it was made for another digest"),
        (image("moved bundle"), "1: it was made for another digest"),
        (image("tampered"), "1: none of these keys made it"),
        (image("truncated"), "1: none of these keys made it"),
    ]
}

#[tokio::test]
async fn a_real_registry_keeps_signatures_in_both_forms() {
    let Some(_) = part("openssl") else { return };
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let (right, wrong) = (pair("release"), pair("stranger"));
    let all = push_all(&Pusher::new(real.address()), &right, &wrong).await;
    let (registry, web) = (anonymous(), repository(real.address(), NAME));
    let keys = [right.key()];
    for (image, want) in &all {
        let found = registry.signature(&web, *image, &Signers::of_keys(&keys)).await;
        assert_eq!(word(&found), *want, "{image}");
        assert!(found.ok().is_none_or(|verified| Signers::of_keys(&keys).have(&verified)));
    }
    // Any of several keys.
    let found = registry
        .signature(&web, Digest::of(b"stranger"), &Signers::of_keys(&[right.key(), wrong.key()]))
        .await;
    assert!(Signers::of_keys(&[wrong.key()]).have(&found.unwrap()));
    drop(real);
    // Without the registry, what was good stays so for the key that made it; nothing else does.
    for (image, want) in &all {
        let found = word(&registry.signature(&web, *image, &Signers::of_keys(&keys)).await);
        let is_good = matches!(*want, "tag" | "bundle");
        assert_eq!(found, if is_good { want } else { "unavailable" }, "{image}");
    }
    let found = registry.signature(&web, Digest::of(b"simple"), &Signers::of_keys(&[wrong.key()])).await;
    assert_eq!(word(&found), "unavailable");
    let found = anonymous().signature(&web, Digest::of(b"simple"), &Signers::of_keys(&keys)).await;
    assert_eq!(word(&found), "unavailable");
}

/// A registry that has what it was given, by path.
struct Shelf {
    address: SocketAddr,
    pages: Mutex<BTreeMap<String, Page>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Page {
    status: StatusCode,
    body: Vec<u8>,
    link: Option<String>,
}

impl Shelf {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Self { address, pages: Mutex::default(), asked: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(shelf.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        shelf
    }

    fn page(&self, path: &str, status: StatusCode, body: &[u8], link: Option<&str>) {
        let page = Page { status, body: body.to_vec(), link: link.map(str::to_owned) };
        self.pages.lock().unwrap().insert(format!("/v2/{NAME}/{path}"), page);
    }

    fn put(&self, path: &str, body: &[u8]) {
        self.page(path, StatusCode::OK, body, None);
    }

    fn blob(&self, bytes: &[u8]) {
        self.put(&format!("blobs/{}", Digest::of(bytes)), bytes);
    }

    /// A manifest with a bundle, by its digest.
    fn bundle(&self, image: Digest, bundle: &[u8]) -> Vec<u8> {
        self.blob(bundle);
        let manifest = bundled(bundle, image);
        self.put(&format!("manifests/{}", Digest::of(&manifest)), &manifest);
        manifest
    }

    fn simple(&self, image: Digest, claims: &[(Vec<u8>, String)]) {
        for (payload, _) in claims {
            self.blob(payload);
        }
        let layers: Vec<Value> = claims.iter().map(layer).collect();
        self.put(&format!("manifests/sha256-{}.sig", image.hex()), &carrier(&layers, None));
    }

    async fn check(&self, registry: &OciRegistry, image: Digest, keys: &[PublicKey], want: &str) -> usize {
        self.asked.lock().unwrap().clear();
        let found = registry.signature(&repository(self.address, NAME), image, &Signers::of_keys(keys)).await;
        let asked = self.asked.lock().unwrap().clone();
        assert_eq!(word(&found), want, "{asked:?}");
        asked.len()
    }
}

async fn serve(State(shelf): State<Arc<Shelf>>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    if path == "/v2/" {
        return "{}".into_response();
    }
    shelf.asked.lock().unwrap().push(path.clone());
    let Some(page) = shelf.pages.lock().unwrap().get(&path).cloned() else {
        let kind = if path.contains("/blobs/") { "BLOB" } else { "MANIFEST" };
        let error = json!({ "errors": [{ "code": format!("{kind}_UNKNOWN"), "message": "unknown" }] });
        return (StatusCode::NOT_FOUND, error.to_string()).into_response();
    };
    let mut response = (page.status, page.body).into_response();
    if let Some(link) = page.link {
        response.headers_mut().insert(header::LINK, link.parse().unwrap());
    }
    response
}

fn image() -> Digest {
    Digest::of(b"image")
}

#[tokio::test]
async fn the_referrers_endpoint_is_read_page_by_page_whatever_types_it_tells() {
    let Some(_) = part("openssl") else { return };
    let (right, wrong) = (pair("release"), pair("stranger"));
    let keys = [right.key()];
    let shelf = Shelf::start().await;
    let (good, bad) =
        (shelf.bundle(image(), &right.bundle(image())), shelf.bundle(image(), &wrong.bundle(image())));
    let first = format!("referrers/{}", image());
    let next = format!("</v2/{NAME}/{first}?next=1>; rel=\"next\"");
    let sbom = listing(&[(b"sbom", "application/spdx+json"), (&bad, BUNDLE)]);
    shelf.page(&first, StatusCode::OK, &sbom, Some(&next));
    shelf.put(&format!("{first}?next=1"), &listing(&[(&good, "application/vnd.oci.empty.v1+json")]));
    let registry = anonymous();
    // The tag, two pages, and a manifest with its bundle: the newest counts first.
    assert_eq!(shelf.check(&registry, image(), &keys, "bundle").await, 5);
    assert_eq!(shelf.check(&registry, image(), &keys, "bundle").await, 0, "a good one is remembered");
    shelf.put(&format!("{first}?next=1"), &listing(&[]));
    shelf.check(&anonymous(), image(), &keys, "1: none of these keys made it").await;
    // A list without an end.
    shelf.page(&first, StatusCode::OK, &listing(&[]), Some(&next.replace("?next=1", "")));
    assert_eq!(shelf.check(&anonymous(), image(), &keys, "untrusted").await, 1 + 8 + 1);
    // What was listed before a page that cannot be read counts, and no such page is taken for the end of the list.
    let second = format!("{first}?next=1");
    for (status, body, want) in [
        (StatusCode::NOT_FOUND, "<html>", "untrusted"),
        (StatusCode::OK, "<html>", "untrusted"),
        (StatusCode::BAD_GATEWAY, "", "unavailable"),
        (StatusCode::FORBIDDEN, "", "denied"),
    ] {
        shelf.page(&second, status, body.as_bytes(), None);
        shelf.page(&first, StatusCode::OK, &listing(&[]), Some(&next));
        shelf.check(&anonymous(), image(), &keys, want).await;
        shelf.page(&first, StatusCode::OK, &listing(&[(&good, BUNDLE)]), Some(&next));
        shelf.check(&anonymous(), image(), &keys, "bundle").await;
    }
    // A page that is none says nothing of signatures; an endpoint that is not there does, in whatever words.
    shelf.put(&first, b"<html>welcome</html>");
    shelf.check(&anonymous(), image(), &keys, "untrusted").await;
    shelf.page(&first, StatusCode::NOT_FOUND, b"404 page not found", None);
    shelf.check(&anonymous(), image(), &keys, "missing").await;
    // One of another image among them is none of this one.
    let foreign = shelf.bundle(Digest::of(b"other"), &right.bundle(image()));
    shelf.put(&first, &listing(&[(&foreign, BUNDLE)]));
    shelf.check(&anonymous(), image(), &keys, "missing").await;
    // An endpoint that answers something else, and the fallback tag.
    shelf.put(&first, b"<html>welcome</html>");
    shelf.put(&format!("manifests/sha256-{}", image().hex()), &listing(&[(&good, BUNDLE)]));
    shelf.check(&anonymous(), image(), &keys, "bundle").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_no_signature_and_hides_no_good_one() {
    let Some(_) = part("openssl") else { return };
    let (right, wrong) = (pair("release"), pair("stranger"));
    let keys = [right.key()];
    let shelf = Shelf::start().await;
    let tag = format!("manifests/sha256-{}.sig", image().hex());
    for (status, body, want) in [
        (StatusCode::SERVICE_UNAVAILABLE, "", "unavailable"),
        (StatusCode::TOO_MANY_REQUESTS, "", "unavailable"),
        (StatusCode::FORBIDDEN, "", "denied"),
        (StatusCode::NOT_FOUND, "<html>", "untrusted"),
        (StatusCode::OK, "<html>", "untrusted"),
        (StatusCode::OK, "{\"layers\":7}", "untrusted"),
        (StatusCode::OK, "{\"layers\":[]}", "missing"),
    ] {
        shelf.page(&tag, status, body.as_bytes(), None);
        shelf.check(&anonymous(), image(), &keys, want).await;
    }
    // A payload that is away, another's bytes, too long; a layer without a signature.
    let claim = right.simple(image());
    shelf.put(&tag, &carrier(&[layer(&claim)], None));
    shelf.check(&anonymous(), image(), &keys, "not found").await;
    let blob = format!("blobs/{}", Digest::of(&claim.0));
    shelf.put(&blob, b"other bytes");
    shelf.check(&anonymous(), image(), &keys, "untrusted").await;
    shelf.put(&blob, &vec![b' '; 256 * 1024 + 1]);
    shelf.check(&anonymous(), image(), &keys, "untrusted").await;
    shelf.put(&tag, &carrier(&[json!({ "mediaType": PAYLOAD, "digest": "sha256:0" })], None));
    shelf.check(&anonymous(), image(), &keys, "1: its layer has no signature beside it").await;
    // Of very many the newest are looked at, and what is left out is said.
    let mut claims = vec![right.simple(image())];
    claims.extend((0..32).map(|_| (claims[0].0.clone(), wrong.sign(&claims[0].0))).collect::<Vec<_>>());
    shelf.simple(image(), &claims);
    shelf.check(&anonymous(), image(), &keys, "untrusted").await;
    claims.swap(0, 1);
    shelf.simple(image(), &claims);
    shelf.check(&anonymous(), image(), &keys, "tag").await;
    // A good bundle beside a tag that cannot be read.
    shelf.page(&tag, StatusCode::BAD_GATEWAY, b"", None);
    let good = shelf.bundle(image(), &right.bundle(image()));
    shelf.put(&format!("manifests/sha256-{}", image().hex()), &listing(&[(&good, BUNDLE)]));
    shelf.check(&anonymous(), image(), &keys, "bundle").await;
}
