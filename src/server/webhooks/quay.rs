//! Pushes to Quay.
//!
//! Source: `endpoints/v2/manifest.py` and `notifications/notificationmethod.py` of quay/quay. There is no digest, and
//! nothing is sent for the children of an index.

use serde::Deserialize;

use super::list::First;
use super::{Id, ParseError, Parsed, pushed, read, split_host};

#[derive(Deserialize)]
struct Push {
    repository: String,
    docker_url: Option<String>,
    updated_tags: First<String>,
}

/// The push that this body tells of.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let push: Push = read(body)?;
    let host = push.docker_url.as_deref().and_then(split_host).map(|(host, _)| host);
    let push = pushed(host, &push.repository, push.updated_tags.items, None);
    Ok(Parsed { id: Id::Moment, events: push.into_iter().collect() })
}
