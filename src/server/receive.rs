//! Webhooks: verified over the raw bytes, stored, answered. Nothing else happens here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::webhooks::verify::{Authentication, EmptySecret, Secret};
use super::webhooks::{self, Kind, ParseError, ReceiveError, Received, RegistryEvent, Sent};
use crate::image::Repository;
use crate::settings::{self, Proof};
use crate::store::{Delivery, Hint, Put, StoreError};
use crate::telemetry::DELIVERIES;

/// Most hints kept of one delivery. A registry sends one event each time, rarely some dozens; beyond this the keys are
/// made due all the same, and look at all of their images.
const HINTS_MAX: usize = 64;
/// Most tags kept of one delivery, by the same reasoning: hints stay below 40 kB.
const TAGS_MAX: usize = 256;
/// Bytes kept of a body that cannot be read: events have 1 to 2 kB, and the first of them shows what is wrong.
const UNPARSABLE_BYTES_MAX: usize = 16 * 1024;
/// What CloudEvents asks with before it sends anything, and how it is told that it may.
///
/// Source: CloudEvents 1.0, HTTP 1.1 Web Hooks, section "Abuse Protection".
const ASKED_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
/// When a sender should try again after the store took nothing.
const RETRY_AFTER_SECONDS: &str = "10";

/// A webhook that is listened to.
#[derive(Debug, Clone)]
pub struct Receiver {
    name: String,
    kind: Kind,
    authentication: Authentication,
    /// The registry as manifests name it, in place of what the sender calls itself.
    registry: Option<String>,
    /// The same for single names of the sender's.
    aliases: BTreeMap<String, String>,
    /// Whether it was said that its events are about images at no registry that is known.
    is_nameless_said: Arc<AtomicBool>,
}

/// What the address names.
#[derive(Deserialize)]
pub(super) struct Address {
    name: String,
    secret: Option<String>,
}

/// How a delivery ended; each is counted.
pub(super) enum Outcome {
    Accepted,
    /// It is about images that nothing here watches.
    Unwatched,
    /// Nothing is told of yet: the sender wants to hear this code first.
    Handshake(String),
    Repeat,
    Unparsable,
    Unauthorized,
    TooLarge,
    Unavailable,
}

impl Receiver {
    /// The receiver that the settings describe.
    ///
    /// # Errors
    /// [`EmptySecret`] if one is.
    pub fn new(webhook: &settings::Webhook) -> Result<Self, EmptySecret> {
        Ok(Self {
            name: webhook.path.clone(),
            kind: webhook.kind,
            authentication: authentication(webhook)?,
            registry: webhook.registry.clone(),
            aliases: webhook.aliases.clone(),
            is_nameless_said: Arc::default(),
        })
    }

    /// The registry from which images are pulled of which the sender tells.
    fn registry<'a>(&'a self, event: &'a RegistryEvent) -> Option<&'a String> {
        let alias = event.registry.as_ref().and_then(|named| self.aliases.get(named));
        alias.or(self.registry.as_ref()).or(event.registry.as_ref())
    }

    /// Says once that what comes names no registry.
    fn say_nameless(&self) {
        if !self.is_nameless_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                webhook = %self.name,
                "what it tells of is at no registry that is known: set `registry` of this webhook; said once"
            );
        }
    }

    /// The repository in the spelling by which pipelines watch it; none where the sender does not say at which
    /// registry, and neither do the settings.
    fn canonical(&self, event: &RegistryEvent) -> Option<String> {
        let registry = self.registry(event)?;
        let repository: Repository = format!("{registry}/{}", event.repository).parse().ok()?;
        Some(repository.canonical())
    }
}

/// A secret for the `Authorization` header counts alone and after `Bearer `, unless it names a scheme itself.
fn authentication(webhook: &settings::Webhook) -> Result<Authentication, EmptySecret> {
    let texts = webhook.secrets.iter().map(settings::Secret::expose);
    let secrets: Vec<Secret> = texts.clone().map(Secret::new).collect::<Result<_, _>>()?;
    let named = |usual: HeaderName| webhook.header.clone().unwrap_or(usual);
    Ok(match (webhook.proof(), &webhook.token) {
        (Proof::Header(usual), _) => {
            let name = named(usual);
            let bearer = |text: &str| (name == header::AUTHORIZATION).then(|| format!("Bearer {text}"));
            let values = texts.flat_map(|text| [Some(text.to_owned()), bearer(text)]).flatten();
            let values = values.map(Secret::new).collect::<Result<_, _>>()?;
            Authentication::Header { name, values }
        }
        (Proof::Signature(usual, form), _) => Authentication::Hmac { header: named(usual), form, secrets },
        (Proof::Token, Some(rules)) => Authentication::Token(rules.clone()),
        // Without rules there are no secrets either, and nobody is accepted.
        (Proof::Address | Proof::Token, _) => Authentication::Address { secrets },
    })
}

/// `POST /webhooks/{name}`, and `/webhooks/{name}/{secret}` where the sender has nothing else to show. Nothing here
/// says the secret again.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    address: Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(receiver) = app.receivers.iter().find(|receiver| receiver.name == address.name) else {
        return nobody();
    };
    let head =
        Sent { address_secret: address.secret.as_deref(), ..Sent::new(&headers, b"", app.clock.now()) };
    let outcome = if receiver.authentication.may_accept(&head) {
        match to_bytes(body, app.settings.body_bytes_max).await {
            Ok(bytes) => take(&app, receiver, &Sent { body: &bytes, at: app.clock.now(), ..head }).await,
            // Also a body that broke off, whose sender does not read the answer.
            Err(_) => Outcome::TooLarge,
        }
    } else {
        unauthorized(receiver)
    };
    app.metrics.add(&DELIVERIES, &[("webhook", &receiver.name), ("outcome", outcome.name())], 1);
    outcome.into_response()
}

/// `OPTIONS`: tells a sender of CloudEvents who knows the secret that it may send here.
pub(super) async fn allow(
    State(app): State<Arc<App>>,
    address: Path<Address>,
    headers: HeaderMap,
) -> Response {
    let is_meant = |receiver: &&Receiver| receiver.name == address.name && receiver.kind == Kind::EventGrid;
    let Some(receiver) = app.receivers.iter().find(is_meant) else { return nobody() };
    let address_secret = address.secret.as_deref();
    let sent = Sent { address_secret, ..Sent::new(&headers, b"", app.clock.now()) };
    match headers.get(ASKED_ORIGIN) {
        _ if !receiver.authentication.accepts(&sent) => Outcome::Unauthorized.into_response(),
        Some(origin) => [(ALLOWED_ORIGIN, HeaderValue::clone(origin))].into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn nobody() -> Response {
    (StatusCode::NOT_FOUND, "no webhook of this name\n").into_response()
}

fn unauthorized(webhook: &Receiver) -> Outcome {
    tracing::warn!(webhook = %webhook.name, "delivery without a right secret");
    Outcome::Unauthorized
}

async fn take(app: &App, webhook: &Receiver, sent: &Sent<'_>) -> Outcome {
    let mut is_nameless = false;
    let (id, hints, images) = match webhooks::receive(webhook.kind, &webhook.authentication, sent) {
        Ok(Received { handshake: Some(code), .. }) => return Outcome::Handshake(code),
        Ok(received) => {
            let (hints, images) = concerned(webhook, &received.events);
            if hints.is_empty() && !received.events.is_empty() {
                is_nameless = true;
                webhook.say_nameless();
            }
            (received.delivery_id, hints, images)
        }
        Err(ReceiveError::Unauthorized) => return unauthorized(webhook),
        Err(ReceiveError::TooLarge { .. }) => return Outcome::TooLarge,
        Err(ReceiveError::Unparsable { delivery_id, reason }) => {
            tracing::warn!(webhook = %webhook.name, delivery = %delivery_id, %reason, "delivery cannot be read");
            (delivery_id, vec![unparsable(&reason, sent.body)], Vec::new())
        }
    };
    // Ids are the senders' own; those of one webhook must not hide those of another.
    let id = format!("{}:{id}", webhook.name);
    let delivery = Delivery { id, source: webhook.name.clone(), received_at: sent.at, hints };
    let put = app.store.put_for_watchers(&delivery, images).await;
    let outcome = ended(app, &delivery, put);
    if is_nameless && matches!(outcome, Outcome::Accepted) { Outcome::Unwatched } else { outcome }
}

/// What is kept of a delivery that cannot be read: enough of it to see what its sender changed.
pub(super) fn unparsable(reason: &ParseError, body: &[u8]) -> Hint {
    let kept = body.get(..UNPARSABLE_BYTES_MAX).unwrap_or(body);
    Hint::Unparsable { reason: reason.to_string(), body: String::from_utf8_lossy(kept).into_owned() }
}

/// How a delivery ended that was put into the store.
pub(super) fn ended(app: &App, delivery: &Delivery, put: Result<(Put, usize), StoreError>) -> Outcome {
    let is_unparsable = matches!(delivery.hints.first(), Some(Hint::Unparsable { .. }));
    match &put {
        Ok((Put::New, _)) => app.health.store_answered(true),
        Ok((Put::Repeat, _)) => {}
        Err(_) => app.health.store_answered(false),
    }
    match put {
        Ok((Put::Repeat, _)) => Outcome::Repeat,
        Ok((Put::New, _)) if is_unparsable => Outcome::Unparsable,
        Ok((Put::New, pipelines)) => {
            tracing::info!(delivery = %delivery.id, pipelines, "delivery accepted");
            let is_about_images = delivery.hints.iter().any(|hint| matches!(hint, Hint::Image { .. }));
            if pipelines == 0 && is_about_images { Outcome::Unwatched } else { Outcome::Accepted }
        }
        Err(error) => unavailable(&error),
    }
}

/// The hints, and the image repositories that they are about, in the spelling by which pipelines watch them.
fn concerned(receiver: &Receiver, events: &[RegistryEvent]) -> (Vec<Hint>, Vec<String>) {
    let (mut hints, mut images, mut tags_left) = (Vec::new(), BTreeSet::new(), TAGS_MAX);
    for event in events {
        let Some(canonical) = receiver.canonical(event) else { continue };
        images.insert(canonical);
        if hints.len() < HINTS_MAX {
            let tags: Vec<_> = event.tags.iter().take(tags_left).cloned().collect();
            tags_left -= tags.len();
            hints.push(Hint::Image {
                repository: event.repository.clone(),
                registry: receiver.registry(event).cloned(),
                tags,
                digest: event.digest,
            });
        }
    }
    (hints, images.into_iter().collect())
}

pub(super) fn unavailable(error: &StoreError) -> Outcome {
    tracing::error!(%error, "delivery not stored; its sender is told to try again");
    Outcome::Unavailable
}

impl Outcome {
    /// Whether it is in the store, and known when it comes again.
    pub(super) fn is_stored(&self) -> bool {
        match self {
            Self::Accepted | Self::Unwatched | Self::Repeat | Self::Unparsable => true,
            Self::Handshake(_) | Self::Unauthorized | Self::TooLarge | Self::Unavailable => false,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unwatched => "unwatched",
            Self::Handshake(_) => "handshake",
            Self::Repeat => "repeat",
            Self::Unparsable => "unparsable",
            Self::Unauthorized => "unauthorized",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        match self {
            // What cannot be read is accepted too: registries repeat what is refused, and hold back all behind it.
            Self::Accepted | Self::Unwatched | Self::Repeat | Self::Unparsable => {
                StatusCode::ACCEPTED.into_response()
            }
            Self::Handshake(code) => Json(json!({ "validationResponse": code })).into_response(),
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "the secret is missing or wrong\n").into_response()
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n").into_response(),
            Self::Unavailable => {
                let again = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
                (StatusCode::SERVICE_UNAVAILABLE, again, "not stored; send it again\n").into_response()
            }
        }
    }
}
