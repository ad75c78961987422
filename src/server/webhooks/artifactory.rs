//! JFrog Artifactory.
//!
//! Source: JFrog's "Domain: Docker" of its webhook events, and `pkg/webhook/external/artifactory.go` of akuity/kargo.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, RegistryEvent, pushed, read};

#[derive(Deserialize)]
struct Event {
    domain: String,
    #[serde(rename = "event_type")]
    kind: String,
    data: Data,
    jpd_origin: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    repo_key: Option<String>,
    path: Option<String>,
    image_name: Option<String>,
    tag: Option<String>,
    sha256: Option<String>,
}

/// The push that this event tells of. It names the registry by host and repository of Artifactory,
/// `artifactory.example.com/docker-local`; not at all where no base URL is configured there.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let event: Event = read(body)?;
    Ok(Parsed { id: Id::Moment, events: push(event).into_iter().collect() })
}

fn push(event: Event) -> Option<RegistryEvent> {
    let data = (event.domain == "docker" && event.kind == "pushed").then_some(event.data)?;
    let host = event.jpd_origin.as_deref().and_then(host);
    let registry = host.zip(data.repo_key).map(|(host, key)| format!("{host}/{key}"));
    // `shop/web/1.4.2/list.manifest.json`; the name alone may lack its folders.
    let path = data.path.as_deref().and_then(|path| path.rsplitn(3, '/').nth(2));
    let digest = data.sha256.map(|hex| format!("sha256:{hex}"));
    pushed(registry.as_deref(), path.or(data.image_name.as_deref())?, data.tag, digest.as_deref())
}

/// `https://artifactory.example.com/` → `artifactory.example.com`.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split('/').next().filter(|host| !host.is_empty())
}
