//! Our own format, for build jobs, scripts and registries that send nothing usable.
//!
//! ```json
//! {"id": "run-4711", "image": "registry.example.com/shop/web", "tag": "1.4.2", "digest": "sha256:…"}
//! ```
//!
//! `tag` or `digest` has to be there. `id` tells a delivery from one that is repeated; without it each counts. Further
//! fields, such as `source`, are allowed and not read.

use serde::Deserialize;

use super::{Id, ParseError, Parsed, RegistryEvent, read, repository_path, shown};
use crate::image::{Digest, Repository, Tag};

#[derive(Deserialize)]
struct Push {
    id: Option<String>,
    image: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// The push that this body tells of.
///
/// # Errors
/// [`ParseError`] if a field is missing or cannot be what it says: the sender is a script of the user's, so that a
/// mistake is worth naming.
pub fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let push: Push = read(body)?;
    let image: Repository =
        push.image.to_ascii_lowercase().parse().map_err(|_| field("image", &push.image))?;
    let tag = push.tag.map(|tag| tag.parse::<Tag>().map_err(|_| field("tag", &tag))).transpose()?;
    let digest = push.digest.map(|digest| digest.parse::<Digest>().map_err(|_| field("digest", &digest)));
    let digest = digest.transpose()?;
    if tag.is_none() && digest.is_none() {
        return Err(field("tag", "nothing, and neither is there a `digest`"));
    }
    let canonical = image.canonical();
    let (registry, path) = canonical.split_once('/').ok_or_else(|| field("image", &push.image))?;
    let repository = repository_path(path).ok_or_else(|| field("image", &push.image))?;
    let tags = tag.into_iter().map(|tag| tag.to_string()).collect();
    let event = RegistryEvent { repository, registry: Some(registry.to_owned()), tags, digest };
    let id = push.id.map_or(Id::Moment, |id| Id::Sent(Some(id)));
    Ok(Parsed { id, events: vec![event] })
}

fn field(field: &'static str, found: &str) -> ParseError {
    ParseError::Field { field, found: shown(found) }
}
