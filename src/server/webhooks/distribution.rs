//! Notifications of CNCF Distribution (versions 2 and 3) and of registries built on it.
//!
//! Source: distribution's `notifications` documentation and bodies captured from 2.8.2 and 3.1.1
//! (`tests/fixtures/webhooks/distribution`). Every field may be missing: a deleted tag has no digest, an untagged push
//! no tag.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{EVENTS_MAX, ParseError, RegistryEvent, form, id_or_hash, repository_path};
use crate::image::Tag;

#[derive(Deserialize)]
struct Envelope {
    events: Events,
}

/// What is kept of the list: a body of 1 MiB could hold 350,000 empty events, which would take 60 MB.
#[derive(Default)]
struct Events {
    first_id: Option<String>,
    /// The first ones.
    pushes: Vec<RegistryEvent>,
    pushes_found: usize,
}

#[derive(Deserialize)]
struct Event {
    id: Option<String>,
    action: Option<String>,
    target: Option<Target>,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    media_type: Option<String>,
    digest: Option<String>,
    repository: Option<String>,
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    host: Option<String>,
}

/// The media types of what can be deployed; blobs and the like are noise.
const IMAGE_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Longest host name kept: 253 characters and a port.
const HOST_BYTES_MAX: usize = 259;

/// The pushes of tagged manifests and indexes in this body. Everything else in it is ignored: pulls, deletions,
/// blobs, the untagged children of an index, and the tags under which signatures are kept.
///
/// # Errors
/// [`ParseError`] if it is no list of events, or too long a one.
pub fn parse(body: &[u8]) -> Result<Vec<RegistryEvent>, ParseError> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| form(&error))?;
    let Events { pushes, pushes_found, .. } = envelope.events;
    if pushes_found > EVENTS_MAX {
        return Err(ParseError::TooManyEvents { found: pushes_found });
    }
    Ok(pushes)
}

/// The id of the first event, which a repeated delivery keeps, else the hash of the body.
#[must_use]
pub fn delivery_id(body: &[u8]) -> String {
    let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
    id_or_hash(envelope.and_then(|envelope| envelope.events.first_id).as_deref(), body)
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventsVisitor)
    }
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Events;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Events, A::Error> {
        let mut events = Events::default();
        let mut is_first = true;
        while let Some(mut event) = list.next_element::<Event>()? {
            if std::mem::take(&mut is_first) {
                events.first_id = event.id.take();
            }
            if let Some(push) = push(event) {
                events.pushes_found += 1;
                if events.pushes.len() < EVENTS_MAX {
                    events.pushes.push(push);
                }
            }
        }
        Ok(events)
    }
}

fn push(event: Event) -> Option<RegistryEvent> {
    let target = event.target.filter(|_| event.action.as_deref() == Some("push"))?;
    let media_type = target.media_type?;
    let tag: Tag = target.tag?.parse().ok()?;
    if !IMAGE_TYPES.contains(&media_type.as_str()) || is_signature(tag.as_str()) {
        return None;
    }
    let host = event.request.and_then(|request| request.host);
    Some(RegistryEvent {
        repository: repository_path(&target.repository?)?,
        registry: host.filter(|host| (1..=HOST_BYTES_MAX).contains(&host.len())),
        tags: vec![tag.to_string()],
        digest: target.digest.and_then(|digest| digest.parse().ok()),
    })
}

/// Whether this is a tag under which signatures, attestations or referrers of a digest are kept:
/// `sha256-<64 hex>`, perhaps with `.sig`, `.att` or `.sbom`.
///
/// Source: cosign's signature specification; OCI distribution specification 1.1, section "Referrers Tag Schema".
pub(super) fn is_signature(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    let (hex, suffix) = rest.split_once('.').map_or((rest, None), |(hex, suffix)| (hex, Some(suffix)));
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex && matches!(suffix, None | Some("sig" | "att" | "sbom"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_signatures_are_told_from_others() {
        let hex = "0a".repeat(32);
        for tag in ["", ".sig", ".att", ".sbom"] {
            assert!(is_signature(&format!("sha256-{hex}{tag}")), "{tag}");
        }
        let others = [
            format!("sha256-{hex}.sigs"),
            format!("sha256-{hex}0"),
            format!("sha256-{}", &hex[1..]),
            format!("sha256-{}", hex.to_uppercase()),
            format!("sha512-{hex}"),
            "sha256-".to_owned(),
            "1.4.2".to_owned(),
        ];
        for tag in others {
            assert!(!is_signature(&tag), "{tag}");
        }
    }
}
