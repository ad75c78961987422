//! Events of Zot, which are CloudEvents in binary or structured mode.
//!
//! Source: `pkg/extensions/events` of project-zot/zot 2.1.20. There is one for each tag that changed, and none where a tag
//! is pushed again as it is.

use serde::Deserialize;

use super::cloud_event::CloudEvent;
use super::{Id, ParseError, Parsed, Sent, pushed};

#[derive(Deserialize)]
struct Data {
    name: Option<String>,
    reference: Option<String>,
    digest: Option<String>,
}

/// What its type ends with; the operator may choose what stands before.
const PUSH: &str = ".image.updated";

/// The push that this event tells of. Its reference is the digest where it was pushed without a tag.
pub(super) fn parse(sent: &Sent<'_>) -> Result<Parsed, ParseError> {
    let mut event = CloudEvent::<Data>::parse(sent)?;
    let id = event.id.take().map_or(Id::Moment, |id| Id::Sent(Some(id)));
    let data = event.data.filter(|_| event.kind.is_some_and(|kind| kind.ends_with(PUSH)));
    let push = data.and_then(|data| pushed(None, &data.name?, data.reference, data.digest.as_deref()));
    Ok(Parsed { id, events: push.into_iter().collect() })
}
