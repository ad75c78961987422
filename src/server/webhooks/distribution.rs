//! Notifications of CNCF Distribution (versions 2 and 3) and of registries built on it.
//!
//! Source: distribution's `notifications` documentation and bodies captured from 2.8.2 and 3.1.1
//! (`tests/fixtures/webhooks/distribution`). Every field may be missing: a deleted tag has no digest, an untagged push
//! no tag.

use serde::Deserialize;

use super::list::{Entry, Pushes};
use super::{ParseError, Parsed, RegistryEvent, pushed, read};

#[derive(Deserialize)]
struct Envelope {
    events: Pushes<Event>,
}

/// One event: also what Azure sends, by itself or within an event of its grid.
#[derive(Deserialize)]
pub(super) struct Event {
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

/// The pushes of tagged manifests and indexes in this body. Everything else in it is ignored: pulls, deletions,
/// blobs, the untagged children of an index, and the tags under which signatures are kept.
///
/// # Errors
/// [`ParseError`] if it is no list of events, or too long a one.
pub fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let mut envelope: Envelope = read(body)?;
    let id = envelope.events.id();
    Ok(Parsed { id, events: envelope.events.all()? })
}

impl Entry for Event {
    fn take_id(&mut self) -> Option<String> {
        self.id.take()
    }

    fn push(self) -> Option<RegistryEvent> {
        let target = self.target.filter(|_| self.action.as_deref() == Some("push"))?;
        if !IMAGE_TYPES.contains(&target.media_type?.as_str()) {
            return None;
        }
        let host = self.request.and_then(|request| request.host);
        pushed(host.as_deref(), &target.repository?, target.tag, target.digest.as_deref())
    }
}
