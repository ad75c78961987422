//! Azure Container Registry through Event Grid, in its own schema or as CloudEvents.
//!
//! Source: Microsoft's "Azure Container Registry as an Event Grid source" and "Webhook event delivery". The data of each
//! event is what the registry's own webhook sends ([`acr`](super::acr)).

use serde::Deserialize;

use super::cloud_event::CloudEvent;
use super::distribution::Event;
use super::list::{Entry, First, Pushes};
use super::{Id, ParseError, Parsed, RegistryEvent, read};

const PUSH: &str = "Microsoft.ContainerRegistry.ImagePushed";
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";
/// Longest code that is said back; Event Grid's have 36 characters.
const CODE_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
struct Validation {
    #[serde(rename = "validationCode")]
    code: Option<String>,
}

/// The code that Event Grid wants to hear back before it sends anything. Its `validationUrl` is never called: whoever
/// sends the body chooses it.
pub(super) fn handshake(body: &[u8]) -> Option<String> {
    let events: First<CloudEvent<Validation>> = read(body).ok()?;
    let data = events.items.into_iter().next()?.data_of(&[VALIDATION])?;
    data.code.filter(|code| code.len() <= CODE_BYTES_MAX)
}

/// The pushes in this body: a list of events, or one.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    if body.trim_ascii_start().starts_with(b"[") {
        let mut pushes: Pushes<CloudEvent<Event>> = read(body)?;
        let id = pushes.id();
        return Ok(Parsed { id, events: pushes.all()? });
    }
    let mut event: CloudEvent<Event> = read(body)?;
    let id = Id::Sent(event.take_id());
    Ok(Parsed { id, events: event.push().into_iter().collect() })
}

impl Entry for CloudEvent<Event> {
    fn take_id(&mut self) -> Option<String> {
        self.id.take()
    }

    fn push(self) -> Option<RegistryEvent> {
        self.data_of(&[PUSH])?.push()
    }
}
