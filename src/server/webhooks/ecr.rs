//! Amazon ECR, through an API destination of EventBridge.
//!
//! Source: Amazon's "Amazon ECR events and EventBridge". An input transformer must leave the event as it is.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, RegistryEvent, pushed, read};

#[derive(Deserialize)]
struct Event {
    id: Option<String>,
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    account: Option<String>,
    region: Option<String>,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    result: Option<String>,
    action_type: Option<String>,
    repository_name: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

/// The push that this event tells of. It names the registry by account and region, `123456789012.eu-west-1`.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let mut event: Event = read(body)?;
    let id = Id::Sent(event.id.take());
    Ok(Parsed { id, events: push(event).into_iter().collect() })
}

fn push(event: Event) -> Option<RegistryEvent> {
    let detail = event.detail.filter(|_| event.source == "aws.ecr" && event.kind == "ECR Image Action")?;
    if detail.result.as_deref() != Some("SUCCESS") || detail.action_type.as_deref() != Some("PUSH") {
        return None;
    }
    let registry = event.account.zip(event.region).map(|(account, region)| format!("{account}.{region}"));
    pushed(registry.as_deref(), &detail.repository_name?, detail.image_tag, detail.image_digest.as_deref())
}
