//! Google Artifact Registry, through a push subscription of Pub/Sub, wrapped or not.
//!
//! Source: Google's "Configure Pub/Sub notifications" of Artifact Registry and "Push subscriptions" of Pub/Sub.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Id, ParseError, Parsed, RegistryEvent, Sent, pushed, read, shown, split_host};
use crate::image::{Reference, ReferenceError};

#[derive(Deserialize)]
struct Envelope {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    data: String,
    #[serde(rename = "messageId")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Change {
    action: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The push that this message tells of: an image that was inserted under a tag.
pub(super) fn parse(sent: &Sent<'_>) -> Result<Parsed, ParseError> {
    let envelope: Envelope = read(sent.body)?;
    let (id, change): (Option<String>, Change) = match envelope.message {
        Some(message) => {
            let data = STANDARD.decode(&message.data);
            let data = data.map_err(|_| field("message.data", &message.data))?;
            (message.id, read(&data)?)
        }
        // Where the subscription writes metadata, too.
        None => (sent.header("x-goog-pubsub-message-id").map(str::to_owned), read(sent.body)?),
    };
    let id = id.map_or(Id::Moment, |id| Id::Sent(Some(id)));
    let tag = change.tag.as_deref().filter(|_| change.action == "INSERT");
    let push = tag.map(|tag| push(tag, change.digest.as_deref())).transpose()?;
    Ok(Parsed { id, events: push.flatten().into_iter().collect() })
}

/// Tag and digest are whole references.
fn push(tag: &str, digest: Option<&str>) -> Result<Option<RegistryEvent>, ParseError> {
    let wrong = |_: ReferenceError| field("tag", tag);
    let reference: Reference = tag.parse().map_err(wrong)?;
    let (host, path) = split_host(reference.repository.as_str()).ok_or_else(|| field("tag", tag))?;
    let digest = digest.and_then(|digest| digest.split_once('@')).map(|(_, digest)| digest);
    Ok(pushed(Some(host), path, reference.tag.map(|tag| tag.to_string()), digest))
}

fn field(field: &'static str, found: &str) -> ParseError {
    ParseError::Field { field, found: shown(found) }
}
