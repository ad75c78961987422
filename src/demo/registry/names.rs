//! What a path of the registry's API names.

use super::store::Refusal;
use crate::image::{Digest, Repository, Tag};

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// `/v2/`: is this a registry?
    Base,
    /// `/v2/<name>/tags/list`
    Tags { name: String },
    /// `/v2/<name>/blobs/<digest>`
    Blob { name: String, digest: Digest },
    /// `/v2/<name>/blobs/uploads/`
    Uploads { name: String },
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload { name: String, id: String },
    /// `/v2/<name>/manifests/<reference>`
    Manifest { name: String, reference: ManifestReference },
    /// `/v2/<name>/referrers/<digest>`, which is not kept here: clients fall back to a tag.
    Referrers,
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ManifestReference {
    Tag(Tag),
    Digest(Digest),
}

/// Reads a path; nothing where it names nothing of the API.
///
/// Source: OCI distribution specification 1.1, section "Endpoints".
pub(super) fn resource(path: &str) -> Result<Option<Resource>, Refusal> {
    let Some(rest) = path.strip_prefix("/v2") else { return Ok(None) };
    if rest.is_empty() || rest == "/" {
        return Ok(Some(Resource::Base));
    }
    let Some(rest) = rest.strip_prefix('/') else { return Ok(None) };
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Ok(Some(Resource::Tags { name: check_name(name)? }));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
        return Ok(Some(Resource::Uploads { name: check_name(name)? }));
    }
    let Some((rest, last)) = rest.rsplit_once('/') else { return Ok(None) };
    let Some((name, kind)) = rest.rsplit_once('/') else { return Ok(None) };
    match kind {
        "manifests" => Ok(Some(Resource::Manifest { name: check_name(name)?, reference: reference(last)? })),
        "blobs" => Ok(Some(Resource::Blob { name: check_name(name)?, digest: digest(last)? })),
        "referrers" => Ok(Some(Resource::Referrers)),
        "uploads" => name.strip_suffix("/blobs").map(|name| upload(name, last)).transpose(),
        _ => Ok(None),
    }
}

/// Checks a repository's path.
pub(super) fn check_name(name: &str) -> Result<String, Refusal> {
    // With a host before it, no part of the path can be taken for one.
    format!("localhost/{name}").parse::<Repository>().map_err(|_| Refusal::NameInvalid)?;
    Ok(name.to_owned())
}

pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|_| Refusal::DigestInvalid)
}

fn upload(name: &str, id: &str) -> Result<Resource, Refusal> {
    Ok(Resource::Upload { name: check_name(name)?, id: id.to_owned() })
}

fn reference(text: &str) -> Result<ManifestReference, Refusal> {
    if text.contains(':') {
        return digest(text).map(ManifestReference::Digest);
    }
    text.parse().map(ManifestReference::Tag).map_err(|_| Refusal::TagInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, want: &str) {
        let found = match resource(path) {
            Ok(Some(Resource::Base)) => "base".to_owned(),
            Ok(Some(Resource::Tags { name })) => format!("tags of {name}"),
            Ok(Some(Resource::Blob { name, digest })) => format!("blob {} of {name}", digest.short()),
            Ok(Some(Resource::Uploads { name })) => format!("uploads of {name}"),
            Ok(Some(Resource::Upload { name, id })) => format!("upload {id} of {name}"),
            Ok(Some(Resource::Manifest { name, reference: ManifestReference::Tag(tag) })) => {
                format!("manifest {tag} of {name}")
            }
            Ok(Some(Resource::Manifest { name, reference: ManifestReference::Digest(digest) })) => {
                format!("manifest {} of {name}", digest.short())
            }
            Ok(Some(Resource::Referrers)) => "referrers".to_owned(),
            Ok(None) => "nothing".to_owned(),
            Err(refusal) => refusal.code().to_owned(),
        };
        assert_eq!(found, want, "{path}");
    }

    #[test]
    fn paths_name_resources() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        check("/v2/", "base");
        check("/v2", "base");
        check("/v2/shop/web/tags/list", "tags of shop/web");
        check(&format!("/v2/a/b/c/blobs/{digest}"), "blob 0a0a0a0a0a0a of a/b/c");
        check("/v2/web/blobs/uploads/", "uploads of web");
        check("/v2/shop/web/blobs/uploads/4f", "upload 4f of shop/web");
        check("/v2/shop/web/manifests/1.4.2", "manifest 1.4.2 of shop/web");
        check(&format!("/v2/shop/web/manifests/{digest}"), "manifest 0a0a0a0a0a0a of shop/web");
        check(&format!("/v2/shop/web/referrers/{digest}"), "referrers");
        for nothing in
            ["/", "/v1/", "/v22/", "/v2/web", "/v2/_catalog", "/v2/shop/web/uploads/4f", "/v2/a/b/x/c"]
        {
            check(nothing, "nothing");
        }
        check("/v2/Shop/tags/list", "NAME_INVALID");
        check("/v2/../etc/tags/list", "NAME_INVALID");
        check("/v2/shop/web/manifests/-x", "TAG_INVALID");
        check("/v2/shop/web/manifests/sha256:0a", "DIGEST_INVALID");
        check("/v2/shop/web/blobs/latest", "DIGEST_INVALID");
    }
}
