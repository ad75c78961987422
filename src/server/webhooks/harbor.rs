//! Events of Harbor 2, in its own format or as CloudEvents.
//!
//! Source: `src/pkg/notifier/formats` and `src/controller/event/handler/webhook/artifact` of goharbor/harbor, and its page
//! "Configure Webhook Notifications". A tag that was set through Harbor's own interface or pages raises no event.

use serde::Deserialize;

use super::cloud_event::CloudEvent;
use super::list::First;
use super::{Id, ParseError, Parsed, Sent, pushed, split_host};

#[derive(Deserialize)]
struct Data {
    resources: Option<First<Resource>>,
    repository: Option<Named>,
}

#[derive(Deserialize)]
struct Resource {
    tag: Option<String>,
    digest: Option<String>,
    #[serde(rename = "resource_url")]
    url: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    repo_full_name: Option<String>,
}

const PUSHES: [&str; 2] = ["PUSH_ARTIFACT", "harbor.artifact.pushed"];

/// The push that this event tells of. Its one resource has the digest in place of a tag where it was pushed without.
pub(super) fn parse(sent: &Sent<'_>) -> Result<Parsed, ParseError> {
    let mut event = CloudEvent::<Data>::parse(sent)?;
    // Its own format has none, but the second in which it happened.
    let id = event.id.take().map_or(Id::Bytes, |id| Id::Sent(Some(id)));
    let push = event.data_of(&PUSHES).and_then(|data| {
        let mut resources = data.resources?.items;
        let first = resources.first()?;
        let (url, digest) = (first.url.clone(), first.digest.clone());
        let digest = digest.filter(|_| resources.len() == 1);
        let host = url.as_deref().and_then(split_host).map(|(host, _)| host);
        let tags = resources.iter_mut().filter_map(|resource| resource.tag.take());
        pushed(host, &data.repository?.repo_full_name?, tags, digest.as_deref())
    });
    Ok(Parsed { id, events: push.into_iter().collect() })
}
