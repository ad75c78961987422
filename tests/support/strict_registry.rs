//! A registry that keeps one tag as its vendor would, and writes down who asked for what.
//!
//! The answers are those of Harbor (`src/server/middleware/immutable/pushmf.go`: 412 `PRECONDITION`), of Amazon ECR over the
//! registry API (moby/buildkit#3776), and of Azure for a tag that is locked; each also where the digest is the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use lockkeeper::image::Digest;
use tokio::net::TcpListener;

/// How it answers a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// It takes it.
    Open,
    /// It says that it took it, and did not.
    Liar,
    /// A tag that is there is immutable.
    Harbor,
    Ecr,
    /// It is locked.
    Acr,
    AcrConflict,
    /// Whoever asks has no right to.
    Denies,
    /// It is broken.
    Fails,
    /// It asks for rest.
    Tired,
}

pub(crate) struct StrictRegistry {
    pub(crate) address: SocketAddr,
    vendor: Mutex<Vendor>,
    /// By tag or digest.
    manifests: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
    /// What Azure keeps of a manifest, by its digest: whether it may be deleted, and written.
    locks: Mutex<BTreeMap<String, (bool, bool)>>,
}

const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "{}";

impl StrictRegistry {
    pub(crate) async fn start(vendor: Vendor) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            vendor: Mutex::new(vendor),
            manifests: Mutex::default(),
            asked: Mutex::default(),
            locks: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&registry));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        registry
    }

    /// An image of this name, under a tag of this name.
    pub(crate) fn push(&self, name: &str) -> Digest {
        let config = Digest::of(EMPTY.as_bytes());
        let text = format!(
            r#"{{ "schemaVersion": 2, "config": {{"digest":"{config}"}}, "layers": [], "annotations": {{"name":"{name}"}} }}"#
        );
        let digest = Digest::of(text.as_bytes());
        let mut manifests = self.manifests.lock().unwrap();
        manifests.insert(name.to_owned(), text.clone().into_bytes());
        manifests.insert(digest.to_string(), text.into_bytes());
        digest
    }

    /// Whether this may be deleted, and written.
    pub(crate) fn attributes(&self, digest: Digest) -> (bool, bool) {
        self.locks.lock().unwrap().get(&digest.to_string()).copied().unwrap_or((true, true))
    }

    pub(crate) fn set_attributes(&self, digest: Digest, attributes: (bool, bool)) {
        self.locks.lock().unwrap().insert(digest.to_string(), attributes);
    }

    pub(crate) fn turn(&self, vendor: Vendor) {
        *self.vendor.lock().unwrap() = vendor;
    }

    /// What was asked since the last time: method, last part of the path, user.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn answer(State(registry): State<Arc<StrictRegistry>>, request: Request) -> Response {
    let user = request.headers().get(header::AUTHORIZATION).map_or("nobody", |given| user(given.as_bytes()));
    let last = request.uri().path().rsplit('/').next().unwrap().to_owned();
    registry.asked.lock().unwrap().push(format!("{} {last} {user}", request.method()));
    if user == "nobody" {
        let wanted = [(header::WWW_AUTHENTICATE, "Basic realm=\"r\"")];
        return (StatusCode::UNAUTHORIZED, wanted).into_response();
    }
    if request.uri().path().starts_with("/acr/v1/") {
        return attributes(&registry, &last, request).await;
    }
    let is_blob = request.uri().path().contains("/blobs/");
    match *request.method() {
        _ if last.is_empty() || is_blob => EMPTY.into_response(),
        Method::GET | Method::HEAD => match registry.manifests.lock().unwrap().get(&last) {
            Some(bytes) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], bytes.clone()).into_response(),
            None => refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        },
        Method::PUT | Method::DELETE => {
            let vendor = *registry.vendor.lock().unwrap();
            write(&registry, vendor, &last, request).await
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// Source: azure-rest-api-specs, data plane 2021-07-01, `GetManifestAttributes` and `UpdateManifestAttributes`.
async fn attributes(registry: &StrictRegistry, digest: &str, request: Request) -> Response {
    assert_eq!(request.uri().query(), Some("api-version=2021-07-01"));
    assert_eq!(request.uri().path(), format!("/acr/v1/shop/web/_manifests/{digest}"), "never a tag");
    if !registry.manifests.lock().unwrap().contains_key(digest) {
        return refuse(404, "MANIFEST_UNKNOWN", &format!("manifest {digest} is not found"));
    }
    let vendor = *registry.vendor.lock().unwrap();
    let digest: Digest = digest.parse().unwrap();
    if request.method() == Method::PATCH {
        match vendor {
            Vendor::Denies => return refuse(401, "UNAUTHORIZED", "authentication required"),
            Vendor::Fails => return refuse(500, "UNKNOWN", "unknown error"),
            _ => {}
        }
        assert_eq!(request.headers().get(header::CONTENT_TYPE).unwrap(), "application/json");
        let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let wanted: BTreeMap<String, bool> = serde_json::from_slice(&body).unwrap();
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["deleteEnabled"], "nothing else is changed");
        if vendor != Vendor::Liar {
            registry.set_attributes(digest, (wanted["deleteEnabled"], registry.attributes(digest).1));
        }
    }
    let (delete, write) = registry.attributes(digest);
    let attributes = serde_json::json!({
        "deleteEnabled": delete, "writeEnabled": write, "readEnabled": true, "listEnabled": true,
    });
    let manifest =
        serde_json::json!({ "digest": digest, "imageSize": 1, "changeableAttributes": attributes });
    let answer =
        serde_json::json!({ "registry": "r.example", "imageName": "shop/web", "manifest": manifest });
    ([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

fn user(given: &[u8]) -> &'static str {
    match given {
        b"Basic cmVhZGVyOnM=" => "reader",
        b"Basic d3JpdGVyOnM=" => "writer",
        _ => "somebody",
    }
}

async fn write(registry: &StrictRegistry, vendor: Vendor, tag: &str, request: Request) -> Response {
    let is_there = registry.manifests.lock().unwrap().contains_key(tag);
    match vendor {
        Vendor::Harbor if is_there => refuse(
            412,
            "PRECONDITION",
            &format!("Failed to process request due to '{tag}' configured as immutable."),
        ),
        Vendor::Ecr if is_there => refuse(
            400,
            "TAG_INVALID",
            &format!(
                "The image tag '{tag}' already exists in the 'shop/web' repository and cannot be overwritten because the repository is immutable."
            ),
        ),
        Vendor::Acr => refuse(405, "UNSUPPORTED", "The operation is unsupported."),
        Vendor::AcrConflict => {
            refuse(409, "DENIED", "The operation is disallowed on this registry: the tag is locked.")
        }
        Vendor::Denies => refuse(403, "DENIED", "requested access to the resource is denied"),
        Vendor::Fails => refuse(500, "UNKNOWN", "unknown error"),
        Vendor::Tired => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "7")], "").into_response(),
        Vendor::Liar => StatusCode::CREATED.into_response(),
        Vendor::Open | Vendor::Harbor | Vendor::Ecr if request.method() == Method::DELETE => {
            registry.manifests.lock().unwrap().remove(tag);
            StatusCode::ACCEPTED.into_response()
        }
        Vendor::Open | Vendor::Harbor | Vendor::Ecr => {
            assert_eq!(request.headers().get(header::CONTENT_TYPE).unwrap(), MEDIA_TYPE);
            let bytes = to_bytes(request.into_body(), 1 << 20).await.unwrap().to_vec();
            registry.manifests.lock().unwrap().insert(tag.to_owned(), bytes);
            StatusCode::CREATED.into_response()
        }
    }
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}
