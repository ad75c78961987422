//! Notifications, in the form and order of CNCF Distribution.
//!
//! Like Distribution, each endpoint has a queue of its own, in memory; an event that is not taken is sent again until
//! it is, and later events wait. Blobs and pulls are not told of, as Distribution is told to with
//! `ignoredmediatypes` and `ignore.actions`.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::Timestamp;
use rand::RngCore as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::store::{Deleted, Pushed};
use crate::image::Tag;

/// Who is told of pushes.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address that events are posted to.
    pub url: String,
    /// The whole `Authorization` header, `Bearer …` for instance; never printed.
    pub authorization: Option<String>,
}

/// The request that an event came from.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) address: String,
    pub(super) host: String,
    pub(super) method: String,
    pub(super) user_agent: String,
}

/// Sends events to all endpoints.
pub(super) struct Notifier {
    address: SocketAddr,
    instance: String,
    queues: Vec<mpsc::Sender<String>>,
    deliveries: Vec<JoinHandle<()>>,
}

const EVENTS_TYPE: &str = "application/vnd.docker.distribution.events.v1+json";
/// Most events that wait for one endpoint: 1,000 of 1 kB. What comes after is lost, and said so in the log.
const QUEUE_EVENTS_MAX: usize = 1000;
/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after the first refusal; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Notifier {
    pub(super) fn start(address: SocketAddr, endpoints: Vec<Endpoint>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let mut notifier =
            Self { address, instance: random_id(), queues: Vec::new(), deliveries: Vec::new() };
        for endpoint in endpoints {
            let (queue, events) = mpsc::channel(QUEUE_EVENTS_MAX);
            notifier.queues.push(queue);
            notifier.deliveries.push(tokio::spawn(deliver_all(client.clone(), endpoint, events)));
        }
        Ok(notifier)
    }

    /// Tells of a manifest that was pushed, with or without a tag.
    pub(super) fn pushed(&self, repository: &str, tag: Option<&Tag>, pushed: &Pushed, request: &Request) {
        let (digest, length) = (pushed.digest, pushed.manifest.bytes.len());
        let mut target = json!({
            "mediaType": pushed.manifest.media_type,
            "size": length,
            "digest": digest,
            "length": length,
            "repository": repository,
            "url": format!("http://{}/v2/{repository}/manifests/{digest}", request.host),
        });
        if let (Some(tag), Some(target)) = (tag, target.as_object_mut()) {
            target.insert("tag".to_owned(), json!(tag));
        }
        self.tell("push", &target, request);
    }

    /// Tells of a deletion: first the manifest, then each tag that is gone with it.
    pub(super) fn deleted(&self, repository: &str, deleted: &Deleted, request: &Request) {
        if let Some(digest) = deleted.manifest {
            self.tell("delete", &json!({ "digest": digest, "repository": repository }), request);
        }
        for tag in &deleted.tags {
            self.tell("delete", &json!({ "repository": repository, "tag": tag }), request);
        }
    }

    /// Ends all deliveries.
    pub(super) fn stop(&self) {
        self.deliveries.iter().for_each(JoinHandle::abort);
    }

    fn tell(&self, action: &str, target: &Value, request: &Request) {
        if self.queues.is_empty() {
            return;
        }
        let event = json!({
            "id": random_id(),
            "timestamp": Timestamp::now(),
            "action": action,
            "target": target,
            "request": {
                "id": random_id(),
                "addr": request.address,
                "host": request.host,
                "method": request.method,
                "useragent": request.user_agent,
            },
            "actor": {},
            "source": { "addr": self.address, "instanceID": self.instance },
        });
        let body = json!({ "events": [event] }).to_string();
        for queue in &self.queues {
            if queue.try_send(body.clone()).is_err() {
                tracing::warn!(action, "an endpoint's queue is full or closed, the event is lost");
            }
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

async fn deliver_all(client: reqwest::Client, endpoint: Endpoint, mut events: mpsc::Receiver<String>) {
    while let Some(event) = events.recv().await {
        let mut pause = PAUSE_MIN;
        while !is_taken(&client, &endpoint, &event).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Whether the endpoint took the event; a redirect counts, as it does for Distribution.
async fn is_taken(client: &reqwest::Client, endpoint: &Endpoint, event: &str) -> bool {
    let mut request = client.post(&endpoint.url).header(CONTENT_TYPE, EVENTS_TYPE).body(event.to_owned());
    if let Some(authorization) = &endpoint.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    match request.send().await {
        Ok(response) => response.status().is_success() || response.status().is_redirection(),
        Err(_) => false,
    }
}

/// A random id in the form of a UUID of version 4 (RFC 9562, section 5.4).
pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let parts =
        [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(start, end)| hex.get(start..end).unwrap_or(""));
    parts.join("-")
}
