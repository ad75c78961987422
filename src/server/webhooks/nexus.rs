//! Sonatype Nexus: the capability "Webhook: Repository" with the event `component`.
//!
//! Source: a body kept by fluxcd/flux-recv (`test/fixtures/nexus_payload`). There is neither a digest nor the registry,
//! which listens on a port of its own.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, pushed, read};

#[derive(Deserialize)]
struct Event {
    action: String,
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    format: String,
    name: String,
    version: Option<String>,
}

const ACTIONS: [&str; 2] = ["CREATED", "UPDATED"];

/// The push that this event tells of.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let event: Event = read(body)?;
    let is_push = ACTIONS.contains(&event.action.as_str());
    let component = event.component.filter(|component| is_push && component.format == "docker");
    let push = component.and_then(|component| pushed(None, &component.name, component.version, None));
    // `timestamp` tells two pushes apart.
    Ok(Parsed { id: Id::Bytes, events: push.into_iter().collect() })
}
