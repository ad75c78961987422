//! The way of a request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Asked, NAMESPACE, Shared, World, schema, type_of};

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let delay = shared.world.lock().unwrap().delay;
    sleep(delay).await;
    let is_known = {
        let world = shared.world.lock().unwrap();
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
            == Some(format!("Bearer {}", world.token).as_str())
    };
    if !is_known {
        return status(401, "Unauthorized", "Unauthorized", None);
    }
    if uri.path() == "/version" {
        let version = super::golden("version.json");
        schema::hold("io.k8s.apimachinery.pkg.version.Info", &version);
        return axum::Json(version).into_response();
    }
    let Some((group, plural)) = resource(uri.path()) else {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    };
    let is_watch = query.get("watch").is_some_and(|word| word == "true" || word == "1");
    let verb = if is_watch { "watch" } else { "list" };
    {
        let mut world = shared.world.lock().unwrap();
        world.asked.push(Asked {
            verb,
            plural: plural.to_owned(),
            resource_version: query.get("resourceVersion").cloned(),
            limit: query.get("limit").map(|limit| limit.parse().unwrap()),
            is_continued: query.contains_key("continue"),
        });
        if world.forbidden.iter().any(|(no, what)| *no == verb && *what == plural) {
            return forbidden(verb, group, plural);
        }
    }
    if is_watch {
        start_watch(shared, plural, &query)
    } else {
        list(&mut shared.world.lock().unwrap(), plural, &query)
    }
}

/// The group and plural of a path that this server knows.
fn resource(path: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (version, namespace, plural) = match parts.as_slice() {
        ["api", version, "namespaces", namespace, plural] => ((*version).to_owned(), *namespace, *plural),
        ["apis", group, version, "namespaces", namespace, plural] => {
            (format!("{group}/{version}"), *namespace, *plural)
        }
        _ => return None,
    };
    let (_, known, _) = type_of(plural)?;
    (known == version && namespace == NAMESPACE)
        .then(|| (if parts.len() == 5 { "" } else { parts[1] }, plural))
}

fn status(code: u16, reason: &str, message: &str, details: Option<Value>) -> Response {
    let mut body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason });
    if let Some(details) = details {
        body["details"] = details;
    }
    body["code"] = json!(code);
    schema::hold(STATUS, &body);
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

fn forbidden(verb: &str, group: &str, plural: &str) -> Response {
    let named = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
    let message = format!(
        "{named} is forbidden: User \"nobody\" cannot {verb} resource \"{plural}\" in API group \"{group}\" in the namespace \"{NAMESPACE}\""
    );
    let details =
        if group.is_empty() { json!({ "kind": plural }) } else { json!({ "group": group, "kind": plural }) };
    status(403, "Forbidden", &message, Some(details))
}

fn list(world: &mut World, plural: &str, query: &BTreeMap<String, String>) -> Response {
    let (name, api_version, kind) = type_of(plural).unwrap();
    let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let (version, start) = if let Some(token) = query.get("continue") {
        let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        (token["rv"].as_u64().unwrap(), usize::try_from(token["start"].as_u64().unwrap()).unwrap())
    } else {
        let all: Vec<Value> =
            world.objects.get(plural).into_iter().flat_map(BTreeMap::values).cloned().collect();
        // Pages are of one moment.
        let version = world.newest;
        world.pages.insert((plural.to_owned(), version), Arc::new(all));
        (version, 0)
    };
    let Some(all) = world.pages.get(&(plural.to_owned(), version)).cloned() else {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
        return status(410, "Expired", message, None);
    };
    let items: Vec<&Value> = all.iter().skip(start).take(limit).collect();
    let left = all.len() - start - items.len();
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if left > 0 {
        let token = json!({ "v": "meta.k8s.io/v1", "rv": version, "start": start + items.len() });
        metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(token.to_string()));
        metadata["remainingItemCount"] = json!(left);
    }
    let mut body = json!({ "kind": format!("{kind}List"), "apiVersion": api_version, "metadata": metadata, "items": [] });
    // The objects were held to it when they came.
    schema::hold(&format!("{name}List"), &body);
    body["items"] = json!(items);
    axum::Json(body).into_response()
}

/// A watch that is answered.
struct Stream {
    shared: Arc<Shared>,
    plural: String,
    from: u64,
    deadline: Instant,
    has_bookmarks: bool,
    newest: watch::Receiver<u64>,
    cuts: watch::Receiver<u64>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut world = self.shared.world.lock().unwrap();
        world.watches_open = world.watches_open.saturating_sub(1);
    }
}

fn start_watch(shared: Arc<Shared>, plural: &str, query: &BTreeMap<String, String>) -> Response {
    let from: u64 = query["resourceVersion"].parse().unwrap();
    let mut world = shared.world.lock().unwrap();
    if from < world.oldest {
        let message = format!("too old resource version: {from} ({})", world.oldest);
        if !world.is_gone_by_event {
            return status(410, "Expired", &message, None);
        }
        let object = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": "Expired", "code": 410 });
        schema::hold(STATUS, &object);
        let line = line("ERROR", &object);
        return Body::from_stream(stream::iter([Ok::<_, Infallible>(line)])).into_response();
    }
    world.watches_open += 1;
    drop(world);
    let seconds = query.get("timeoutSeconds").map_or(300, |seconds| seconds.parse().unwrap());
    let state = Stream {
        plural: plural.to_owned(),
        from,
        deadline: Instant::now() + Duration::from_secs(seconds),
        has_bookmarks: query.get("allowWatchBookmarks").is_some_and(|word| word == "true"),
        newest: shared.newest.subscribe(),
        cuts: shared.cuts.subscribe(),
        shared,
    };
    let lines =
        stream::unfold(state, |mut state| async move { state.next().await.map(|line| (line, state)) });
    let mut response = Body::from_stream(lines).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

impl Stream {
    async fn next(&mut self) -> Option<io::Result<String>> {
        loop {
            let (change, is_silent, bookmark_interval) = {
                let world = self.shared.world.lock().unwrap();
                let is_next =
                    |change: &&super::Change| change.version > self.from && change.plural == self.plural;
                let change = world.history.iter().find(is_next).filter(|_| !world.is_silent).cloned();
                (change, world.is_silent, world.bookmark_interval)
            };
            if let Some(change) = change {
                self.from = change.version;
                return Some(Ok(self.event(change.kind, change.object)));
            }
            let bookmark = Instant::now() + bookmark_interval;
            let wake = if is_silent { bookmark } else { bookmark.min(self.deadline) };
            tokio::select! {
                _ = self.cuts.changed() => return Some(Err(io::Error::other("cut"))),
                _ = self.newest.changed() => {}
                () = sleep_until(wake) => {
                    let world = self.shared.world.lock().unwrap();
                    if world.is_silent {
                        continue;
                    }
                    if Instant::now() >= self.deadline {
                        return None;
                    }
                    let newest = world.newest;
                    drop(world);
                    if self.has_bookmarks {
                        let object = json!({ "metadata": { "resourceVersion": newest.to_string() } });
                        return Some(Ok(self.event("BOOKMARK", object)));
                    }
                }
            }
        }
    }

    /// Unlike those of a list, the objects of events say their kind.
    fn event(&self, kind: &str, mut object: Value) -> String {
        let (_, api_version, of) = type_of(&self.plural).unwrap();
        object["kind"] = json!(of);
        object["apiVersion"] = json!(api_version);
        line(kind, &object)
    }
}

fn line(kind: &str, object: &Value) -> String {
    let event = json!({ "type": kind, "object": object });
    schema::hold("io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent", &event);
    format!("{event}\n")
}
