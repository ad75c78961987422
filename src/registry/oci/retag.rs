//! Setting and removing tags. The bytes that are written are those of the digest, whatever they hold, and what a tag names
//! afterwards is read and hashed: there is no other way to know (OCI distribution specification 1.1, "Pushing Manifests").
//!
//! What registries say who do not let a tag move: Harbor 412, Amazon `ImageTagAlreadyExistsException` or `TAG_INVALID`,
//! Azure 405 or 409 for what is locked. Each says it also where the tag has the digest, so that is asked first.

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Method, StatusCode};

use super::answer::untrusted;
use super::document::Document;
use super::lock::{self, Lock, Locked};
use super::session::{Purpose, Session, Wrote};
use super::settings::has_host;
use super::{Name, OciRegistry};
use crate::image::{Digest, Tag};
use crate::registry::{RegistryError, TagError, Taken, Untagged};

/// Sets a tag, and locks what gets an anchor where that is wanted; returns what the tag named before.
pub(super) async fn tag(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    tag: &Tag,
    taken: Taken,
) -> Result<Option<Digest>, TagError> {
    let before = set(registry, name, digest, tag, taken).await?;
    if tag.is_anchor() {
        lock::set(registry, name, digest).await?;
    }
    Ok(before)
}

async fn set(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    tag: &Tag,
    taken: Taken,
) -> Result<Option<Digest>, TagError> {
    let what = format!("{}:{tag}", name.canonical);
    let session = registry.writing(name, Purpose::Tag).await?;
    let session = session.ok_or_else(|| TagError::NoIdentity { what: what.clone() })?;
    let before = named(registry, name, tag, &what).await?;
    match before {
        Some(found) if found == digest => return Ok(before),
        Some(found) if taken == Taken::Left => return Err(TagError::Taken { what, found }),
        Some(_) | None => {}
    }
    let manifest = manifest(registry, name, digest).await?;
    match put(registry, &session, name, tag, manifest).await? {
        Wrote::Done => {}
        Wrote::Refused { status, reason } => return Err(refused(status, reason, what)),
    }
    match named(registry, name, tag, &what).await? {
        Some(found) if found == digest => Ok(before),
        Some(found) => Err(untrusted(&what, format!("it took {digest} and names {found}")).into()),
        None => Err(untrusted(&what, format!("it took {digest} and names nothing")).into()),
    }
}

/// Unlocks a digest, and removes its anchor, if it is still that.
pub(super) async fn untag(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
) -> Result<Untagged, RegistryError> {
    match lock::turn(registry, name, digest, Lock::Off).await {
        // What is gone is not locked.
        Ok(Locked::Done) | Err(RegistryError::NotFound { .. }) => {}
        Ok(Locked::Kept(why)) => return Ok(Untagged::Kept(format!("it cannot be unlocked: {why}"))),
        Err(error) => return Err(error),
    }
    if !has_host(&registry.settings.untag_hosts, name) {
        return Ok(Untagged::Kept("`untag_hosts` of `[registry]` does not have its host".to_owned()));
    }
    let tag = Tag::anchor(digest);
    let what = format!("{}:{tag}", name.canonical);
    match named(registry, name, &tag, &what).await? {
        None => return Ok(Untagged::Gone),
        Some(found) if found != digest => return Ok(Untagged::Kept(format!("it names {found}"))),
        Some(_) => {}
    }
    let Some(session) = registry.writing(name, Purpose::Untag).await? else {
        return Ok(Untagged::Kept("nobody may write there".to_owned()));
    };
    let url = session.url(&format!("/v2/{}/manifests/{tag}", name.path))?;
    match session.write(&name.path, (Method::DELETE, url), None, &what).await {
        Ok(Wrote::Done) => Ok(Untagged::Gone),
        Ok(Wrote::Refused { reason, .. }) | Err(RegistryError::Denied { reason, .. }) => {
            registry.retag_credentials.forget(&name.host);
            Ok(Untagged::Kept(reason))
        }
        Err(error) => Err(error),
    }
}

/// What the tag names, hashed here; none: the registry says that there is no such tag.
async fn named(
    registry: &OciRegistry,
    name: &Name,
    tag: &Tag,
    what: &str,
) -> Result<Option<Digest>, RegistryError> {
    match registry.manifest(name, tag.as_str(), what).await {
        Ok((digest, _)) => Ok(Some(digest)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of the manifest, and their media type.
async fn manifest(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
) -> Result<(HeaderValue, Bytes), RegistryError> {
    let what = format!("{}@{digest}", name.canonical);
    let (found, bytes) = registry.manifest(name, &digest.to_string(), &what).await?;
    if found != digest {
        return Err(untrusted(&what, format!("its bytes hash to {found}")));
    }
    let document = Document::parse(&bytes).map_err(|reason| untrusted(&what, reason))?;
    let media_type = HeaderValue::from_str(&document.media_type);
    let media_type = media_type.map_err(|_| untrusted(&what, "its media type fits no header"))?;
    Ok((media_type, bytes))
}

async fn put(
    registry: &OciRegistry,
    session: &Session,
    name: &Name,
    tag: &Tag,
    manifest: (HeaderValue, Bytes),
) -> Result<Wrote, TagError> {
    let what = format!("{}:{tag}", name.canonical);
    let url = session.url(&format!("/v2/{}/manifests/{tag}", name.path))?;
    match session.write(&name.path, (Method::PUT, url), Some(manifest), &what).await {
        Ok(Wrote::Refused {
            status: status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            reason,
        }) => {
            registry.retag_credentials.forget(&name.host);
            Ok(Wrote::Refused { status, reason })
        }
        Ok(wrote) => Ok(wrote),
        Err(RegistryError::Denied { reason, .. }) => {
            registry.retag_credentials.forget(&name.host);
            Ok(Wrote::Refused { status: StatusCode::FORBIDDEN, reason })
        }
        Err(error) => Err(error.into()),
    }
}

/// What a refusal means, and what is to be done.
fn refused(status: StatusCode, reason: String, what: String) -> TagError {
    let says = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| says.contains(word));
    let fix = match status {
        StatusCode::PRECONDITION_FAILED => {
            "take the tag out of the project's rules of immutable tags (Harbor: Policy, Tag immutability)"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !has(&["immutable", "locked"]) => {
            "give the retag identity of this host the right to push to the repository"
        }
        StatusCode::CONFLICT | StatusCode::METHOD_NOT_ALLOWED if !has(&["immutable", "already exists"]) => {
            "unlock the tag, or leave it out of what is locked (Azure: az acr repository update --write-enabled true)"
        }
        _ if has(&["immutable", "already exists", "alreadyexists", "overwritten", "locked"]) => {
            "except the tag from the repository's tag immutability (Amazon: IMMUTABLE_WITH_EXCLUSION)"
        }
        StatusCode::NOT_FOUND => "check the name of the repository",
        _ => "look at what the registry says",
    };
    TagError::Refused { what, reason, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_next_step() {
        for (status, says, want) in [
            (412, "412, The tag prod configured as immutable, cannot be updated", "Harbor"),
            (
                400,
                "400, tag invalid: The image tag \'prod\' already exists in the \'web\' repository and cannot be overwritten because the repository is immutable",
                "Amazon",
            ),
            (409, "409, ImageTagAlreadyExistsException: already exists", "Amazon"),
            (405, "405, The operation is not allowed", "Azure"),
            (409, "409, The operation is disallowed: the tag is locked", "Azure"),
            (403, "403, requested access to the resource is denied", "right to push"),
            (401, "401", "right to push"),
            (403, "403, tag is immutable", "Amazon"),
            (404, "it does not know r/web:prod", "name of the repository"),
            (418, "teapot", "look at"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = refused(status, says.to_owned(), "r/web:prod".to_owned()).to_string();
            assert!(error.contains(want) && error.contains(says) && error.contains("r/web:prod"), "{error}");
        }
    }
}
