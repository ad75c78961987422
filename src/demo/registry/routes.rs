//! The registry's API over HTTP.
//!
//! Source: OCI distribution specification 1.1, section "Endpoints".

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, LINK, LOCATION, RANGE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde_json::json;

use super::Shared;
use super::names::{ManifestReference, Resource, digest, resource};
use super::notify::{Request, random_id};
use super::store::{BLOB_BYTES_MAX, MANIFEST_BYTES_MAX, Manifest, Pushed, Refusal};

const DIGEST_HEADER: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_HEADER: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// A request, read whole.
struct Call {
    method: Method,
    headers: HeaderMap,
    query: BTreeMap<String, String>,
    body: Bytes,
    peer: SocketAddr,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    // Names contain slashes, so that paths are taken apart from their end, by hand.
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    query: Query<BTreeMap<String, String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let found = match resource(uri.path()) {
        Ok(Some(found)) => found,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(refusal) => return refuse(&refusal),
    };
    let is_manifest = matches!(found, Resource::Manifest { .. });
    let bytes_max = if is_manifest { MANIFEST_BYTES_MAX } else { BLOB_BYTES_MAX };
    let Ok(body) = to_bytes(body, bytes_max).await else { return refuse(&Refusal::TooLarge) };
    let is_head = method == Method::HEAD;
    let call = Call { method, headers, query: query.0, body, peer };
    let response = serve(&shared, found, call).unwrap_or_else(|refusal| refuse(&refusal));
    if is_head { without_body(response) } else { response }
}

fn serve(shared: &Shared, resource: Resource, call: Call) -> Result<Response, Refusal> {
    let is_read = call.method == Method::GET || call.method == Method::HEAD;
    match resource {
        Resource::Base if is_read => Ok((StatusCode::OK, "{}").into_response()),
        Resource::Tags { name } if is_read => tags(shared, &name, &call),
        Resource::Blob { name, digest } if is_read => {
            let content = shared.store().blob(&name, digest)?;
            Ok(content_of(&digest.to_string(), "application/octet-stream", content))
        }
        Resource::Uploads { name } if call.method == Method::POST => open_upload(shared, &name, &call),
        Resource::Upload { name, id } if call.method == Method::PATCH => append(shared, &name, &id, &call),
        Resource::Upload { name, id } if call.method == Method::PUT => {
            close_upload(shared, &name, &id, &call)
        }
        Resource::Manifest { name, reference } if is_read => {
            let Pushed { digest, manifest } = shared.store().manifest(&name, &reference)?;
            Ok(content_of(&digest.to_string(), &manifest.media_type, manifest.bytes))
        }
        Resource::Manifest { name, reference } if call.method == Method::PUT => {
            put_manifest(shared, &name, reference, call)
        }
        Resource::Manifest { name, reference } if call.method == Method::DELETE => {
            let mut store = shared.store();
            let deleted = store.delete(&name, &reference)?;
            shared.notifier.deleted(&name, &deleted, &call.request(shared));
            Ok(StatusCode::ACCEPTED.into_response())
        }
        Resource::Referrers => Ok(StatusCode::NOT_FOUND.into_response()),
        Resource::Base
        | Resource::Tags { .. }
        | Resource::Blob { .. }
        | Resource::Uploads { .. }
        | Resource::Upload { .. }
        | Resource::Manifest { .. } => Err(Refusal::Unsupported),
    }
}

fn tags(shared: &Shared, name: &str, call: &Call) -> Result<Response, Refusal> {
    let mut tags = shared.store().tags(name, call.query.get("last").map(String::as_str))?;
    let count = call.query.get("n").and_then(|n| n.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let is_more = tags.len() > count;
    tags.truncate(count);
    let mut response = axum::Json(json!({ "name": name, "tags": tags })).into_response();
    if let (true, Some(last)) = (is_more, tags.last()) {
        let link = format!("</v2/{name}/tags/list?n={count}&last={last}>; rel=\"next\"");
        insert(&mut response, LINK, &link);
    }
    Ok(response)
}

/// Opens an upload; takes the blob at once where the request brings it, or mounts it from another repository.
fn open_upload(shared: &Shared, name: &str, call: &Call) -> Result<Response, Refusal> {
    if let (Some(mounted), Some(from)) = (call.query.get("mount"), call.query.get("from")) {
        let found = shared.store().blob(from, digest(mounted)?);
        if let Ok(content) = found {
            let digest = shared.store().put_blob(name, content)?;
            return Ok(created(&format!("/v2/{name}/blobs/{digest}"), &digest.to_string()));
        }
    }
    let id = random_id();
    shared.store().open_upload(name, &id)?;
    if call.query.contains_key("digest") {
        return close_upload(shared, name, &id, call);
    }
    Ok(uploading(name, &id, 0))
}

fn append(shared: &Shared, name: &str, id: &str, call: &Call) -> Result<Response, Refusal> {
    let length = shared.store().append(name, id, call.range_start()?, &call.body)?;
    Ok(uploading(name, id, length))
}

fn close_upload(shared: &Shared, name: &str, id: &str, call: &Call) -> Result<Response, Refusal> {
    let digest = digest(call.query.get("digest").ok_or(Refusal::DigestInvalid)?)?;
    let mut store = shared.store();
    store.append(name, id, call.range_start()?, &call.body)?;
    store.close_upload(name, id, digest)?;
    Ok(created(&format!("/v2/{name}/blobs/{digest}"), &digest.to_string()))
}

fn put_manifest(
    shared: &Shared,
    name: &str,
    reference: ManifestReference,
    call: Call,
) -> Result<Response, Refusal> {
    let request = call.request(shared);
    let media_type = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.ok_or(Refusal::ManifestInvalid)?.to_owned();
    let tag = match reference {
        ManifestReference::Tag(tag) => Some(tag),
        ManifestReference::Digest(digest) if digest == crate::image::Digest::of(&call.body) => None,
        ManifestReference::Digest(_) => return Err(Refusal::DigestInvalid),
    };
    let manifest = Manifest { media_type, bytes: call.body };
    let digest = shared.put_manifest(name, tag.as_ref(), manifest, &request)?.digest;
    Ok(created(&format!("/v2/{name}/manifests/{digest}"), &digest.to_string()))
}

impl Call {
    /// Where the part begins, by `Content-Range: <start>-<end>`.
    fn range_start(&self) -> Result<Option<usize>, Refusal> {
        let Some(range) = self.headers.get(CONTENT_RANGE) else { return Ok(None) };
        let text = range.to_str().map_err(|_| Refusal::RangeInvalid)?;
        let start = text.trim_start_matches("bytes ").split('-').next().unwrap_or_default();
        start.parse().map(Some).map_err(|_| Refusal::RangeInvalid)
    }

    fn request(&self, shared: &Shared) -> Request {
        let text = |name| self.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Request {
            address: self.peer.to_string(),
            host: text(HOST).map_or_else(|| shared.address.to_string(), ToOwned::to_owned),
            method: self.method.to_string(),
            user_agent: text(USER_AGENT).unwrap_or_default().to_owned(),
        }
    }
}

fn content_of(digest: &str, media_type: &str, content: Bytes) -> Response {
    let mut response = content.into_response();
    insert(&mut response, CONTENT_TYPE, media_type);
    insert(&mut response, DIGEST_HEADER, digest);
    insert(&mut response, ACCEPT_RANGES, "none");
    response
}

fn created(location: &str, digest: &str) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    insert(&mut response, LOCATION, location);
    insert(&mut response, DIGEST_HEADER, digest);
    response
}

fn uploading(name: &str, id: &str, length: usize) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    insert(&mut response, LOCATION, &format!("/v2/{name}/blobs/uploads/{id}"));
    insert(&mut response, RANGE, &format!("0-{}", length.saturating_sub(1)));
    insert(&mut response, UPLOAD_HEADER, id);
    response
}

fn refuse(refusal: &Refusal) -> Response {
    let message = format!("refused by the demo registry: {refusal}");
    let body = json!({ "errors": [{ "code": refusal.code(), "message": message, "detail": null }] });
    (refusal.status(), axum::Json(body)).into_response()
}

/// The answer to `HEAD`: the length stays, the body goes.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = http_body_length(&body)
        && !parts.headers.contains_key(CONTENT_LENGTH)
    {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}

fn http_body_length(body: &Body) -> Option<u64> {
    axum::body::HttpBody::size_hint(body).exact()
}

/// Sets a header; a value that fits into no header is left out.
fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
