//! Packages of Gitea and Forgejo.
//!
//! Source: `modules/structs/package.go` and `services/webhook/deliver.go` of go-gitea/gitea. A tag that is pushed again is
//! made anew, with another id. Tags come in lower case, whatever was pushed; so only the repository counts.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, pushed, read};

#[derive(Deserialize)]
struct Event {
    action: Option<String>,
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: Option<String>,
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
}

/// The push that this event tells of. Its version is the digest where it was pushed without a tag.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let event: Event = read(body)?;
    let is_push = event.action.as_deref() == Some("created");
    let package = event.package.filter(|package| is_push && package.kind == "container");
    let push = package.and_then(|package| {
        let path = format!("{}/{}", package.owner?.login, package.name);
        pushed(None, &path, package.version, None)
    });
    Ok(Parsed { id: Id::Bytes, events: push.into_iter().collect() })
}
