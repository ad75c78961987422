//! Pushes to Docker Hub.
//!
//! Source: Docker's page "Webhooks" of Docker Hub. There is one body for each tag, without a digest. The `callback_url` in
//! it is never called: whoever sends the body chooses it.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, pushed, read, shown, split_host};
use crate::image::Repository;

#[derive(Deserialize)]
struct Push {
    push_data: PushData,
    repository: Named,
}

#[derive(Deserialize)]
struct PushData {
    tag: String,
}

#[derive(Deserialize)]
struct Named {
    repo_name: String,
}

/// The push that this body tells of. The registry is the one that a reference without a host means.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let push: Push = read(body)?;
    let name = push.repository.repo_name;
    let field = || ParseError::Field { field: "repository.repo_name", found: shown(&name) };
    let image: Repository = name.to_ascii_lowercase().parse().map_err(|_| field())?;
    let canonical = image.canonical();
    let (host, path) = split_host(&canonical).ok_or_else(field)?;
    let push = pushed(Some(host), path, [push.push_data.tag], None);
    // `pushed_at` tells two pushes apart.
    Ok(Parsed { id: Id::Bytes, events: push.into_iter().collect() })
}
