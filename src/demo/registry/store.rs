//! What the registry keeps: blobs, manifests and tags for each repository, and uploads on their way.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde_json::Value;

use super::names::ManifestReference;
use crate::image::{Digest, Tag};

/// All of the registry's content.
#[derive(Debug, Default)]
pub(super) struct Store {
    repositories: BTreeMap<String, Contents>,
    uploads: BTreeMap<String, Upload>,
    bytes: usize,
}

/// What one repository has.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) blobs: BTreeMap<Digest, Bytes>,
    pub(super) manifests: BTreeMap<Digest, Manifest>,
    pub(super) tags: BTreeMap<Tag, Digest>,
}

#[derive(Debug)]
struct Upload {
    repository: String,
    content: BytesMut,
}

/// A manifest or index, byte for byte as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

/// A manifest that was stored.
#[derive(Debug, Clone)]
pub(super) struct Pushed {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
}

/// What a deletion took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    pub(super) manifest: Option<Digest>,
    pub(super) tags: Vec<Tag>,
}

/// Why a request is refused, in the specification's codes.
///
/// Source: OCI distribution specification 1.1, section "Error Codes".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    BlobUnknown,
    UploadUnknown,
    DigestInvalid,
    ManifestInvalid,
    /// The manifest names this blob or manifest, which the repository does not have.
    ManifestBlobUnknown(Digest),
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    RangeInvalid,
    TagInvalid,
    TooLarge,
    Unsupported,
}

/// Largest manifest, as the specification asks of registries.
pub(super) const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest blob: demo images have layers of a few hundred bytes; test images of skopeo stay below.
pub(super) const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;
/// All that is kept in memory.
const STORE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most uploads that are open at once; skopeo opens six.
const UPLOADS_MAX: usize = 64;

impl Store {
    /// All repositories by name.
    pub(super) fn repositories(&self) -> impl Iterator<Item = (&String, &Contents)> {
        self.repositories.iter()
    }

    pub(super) fn blob(&self, repository: &str, digest: Digest) -> Result<Bytes, Refusal> {
        let contents = self.repositories.get(repository).ok_or(Refusal::NameUnknown)?;
        contents.blobs.get(&digest).cloned().ok_or(Refusal::BlobUnknown)
    }

    pub(super) fn put_blob(&mut self, repository: &str, content: Bytes) -> Result<Digest, Refusal> {
        let digest = Digest::of(&content);
        if self.blob(repository, digest).is_err() {
            self.grow(content.len())?;
            self.contents(repository).blobs.insert(digest, content);
        }
        Ok(digest)
    }

    /// Opens an upload under an id that the caller made.
    pub(super) fn open_upload(&mut self, repository: &str, id: &str) -> Result<(), Refusal> {
        if self.uploads.len() >= UPLOADS_MAX {
            return Err(Refusal::TooLarge);
        }
        let upload = Upload { repository: repository.to_owned(), content: BytesMut::new() };
        self.uploads.insert(id.to_owned(), upload);
        Ok(())
    }

    /// Adds a part to an upload and returns how much it has now. `start` is where the client believes it stands.
    pub(super) fn append(
        &mut self,
        repository: &str,
        id: &str,
        start: Option<usize>,
        part: &[u8],
    ) -> Result<usize, Refusal> {
        let upload = self.uploads.get(id).filter(|upload| upload.repository == repository);
        let length = upload.ok_or(Refusal::UploadUnknown)?.content.len();
        if start.is_some_and(|start| start != length) {
            return Err(Refusal::RangeInvalid);
        }
        if length + part.len() > BLOB_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        self.grow(part.len())?;
        let upload = self.uploads.get_mut(id).ok_or(Refusal::UploadUnknown)?;
        upload.content.extend_from_slice(part);
        Ok(length + part.len())
    }

    /// Closes an upload whose content has to have this digest.
    pub(super) fn close_upload(&mut self, repository: &str, id: &str, digest: Digest) -> Result<(), Refusal> {
        let is_here = self.uploads.get(id).is_some_and(|upload| upload.repository == repository);
        let upload = if is_here { self.uploads.remove(id) } else { None };
        let content = upload.ok_or(Refusal::UploadUnknown)?.content.freeze();
        self.bytes = self.bytes.saturating_sub(content.len());
        if Digest::of(&content) != digest {
            return Err(Refusal::DigestInvalid);
        }
        self.put_blob(repository, content).map(|_| ())
    }

    pub(super) fn manifest(
        &self,
        repository: &str,
        reference: &ManifestReference,
    ) -> Result<Pushed, Refusal> {
        let contents = self.repositories.get(repository).ok_or(Refusal::NameUnknown)?;
        let digest = match reference {
            ManifestReference::Tag(tag) => contents.tags.get(tag).copied().ok_or(Refusal::ManifestUnknown)?,
            ManifestReference::Digest(digest) => *digest,
        };
        let manifest = contents.manifests.get(&digest).cloned().ok_or(Refusal::ManifestUnknown)?;
        Ok(Pushed { digest, manifest })
    }

    /// Stores a manifest whose parts are all here, and lets the tag name it.
    pub(super) fn put_manifest(
        &mut self,
        repository: &str,
        tag: Option<&Tag>,
        manifest: Manifest,
    ) -> Result<Pushed, Refusal> {
        let digest = Digest::of(&manifest.bytes);
        let document: Value =
            serde_json::from_slice(&manifest.bytes).map_err(|_| Refusal::ManifestInvalid)?;
        let is_known =
            self.repositories.get(repository).is_some_and(|found| found.manifests.contains_key(&digest));
        if manifest.bytes.len() > MANIFEST_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        self.contents(repository).check_parts(&document)?;
        if !is_known {
            self.grow(manifest.bytes.len())?;
        }
        let contents = self.contents(repository);
        contents.manifests.insert(digest, manifest.clone());
        if let Some(tag) = tag {
            contents.tags.insert(tag.clone(), digest);
        }
        Ok(Pushed { digest, manifest })
    }

    /// Deletes a tag, or a manifest with every tag that names it.
    pub(super) fn delete(
        &mut self,
        repository: &str,
        reference: &ManifestReference,
    ) -> Result<Deleted, Refusal> {
        let contents = self.repositories.get_mut(repository).ok_or(Refusal::NameUnknown)?;
        match reference {
            ManifestReference::Tag(tag) => {
                contents.tags.remove(tag).ok_or(Refusal::ManifestUnknown)?;
                Ok(Deleted { manifest: None, tags: vec![tag.clone()] })
            }
            ManifestReference::Digest(digest) => {
                let manifest = contents.manifests.remove(digest).ok_or(Refusal::ManifestUnknown)?;
                let named = contents.tags.iter().filter(|(_, named)| *named == digest);
                let tags: Vec<Tag> = named.map(|(tag, _)| tag.clone()).collect();
                contents.tags.retain(|_, named| named != digest);
                self.bytes = self.bytes.saturating_sub(manifest.bytes.len());
                Ok(Deleted { manifest: Some(*digest), tags })
            }
        }
    }

    /// The tags after `last`, sorted by bytes.
    pub(super) fn tags(&self, repository: &str, last: Option<&str>) -> Result<Vec<Tag>, Refusal> {
        let contents = self.repositories.get(repository).ok_or(Refusal::NameUnknown)?;
        let later = contents.tags.keys().filter(|tag| last.is_none_or(|last| tag.as_str() > last));
        Ok(later.cloned().collect())
    }

    fn contents(&mut self, repository: &str) -> &mut Contents {
        self.repositories.entry(repository.to_owned()).or_default()
    }

    fn grow(&mut self, by: usize) -> Result<(), Refusal> {
        let bytes = self.bytes.saturating_add(by);
        if bytes > STORE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Contents {
    /// Whether the configuration, layers and children that the document names are here.
    fn check_parts(&self, document: &Value) -> Result<(), Refusal> {
        let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten();
        for part in document.get("config").into_iter().chain(list("layers")) {
            let digest = digest_of(part)?;
            self.blobs.get(&digest).ok_or(Refusal::ManifestBlobUnknown(digest))?;
        }
        for child in list("manifests") {
            let digest = digest_of(child)?;
            self.manifests.get(&digest).ok_or(Refusal::ManifestBlobUnknown(digest))?;
        }
        if document.is_object() { Ok(()) } else { Err(Refusal::ManifestInvalid) }
    }
}

fn digest_of(descriptor: &Value) -> Result<Digest, Refusal> {
    let digest = descriptor.get("digest").and_then(Value::as_str).ok_or(Refusal::ManifestInvalid)?;
    digest.parse().map_err(|_| Refusal::DigestInvalid)
}

impl Refusal {
    /// The specification's code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::UploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestBlobUnknown(_) => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::RangeInvalid => "BLOB_UPLOAD_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooLarge => "SIZE_INVALID",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    /// The status that goes with it.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BlobUnknown | Self::UploadUnknown | Self::ManifestUnknown | Self::NameUnknown => {
                StatusCode::NOT_FOUND
            }
            Self::DigestInvalid
            | Self::ManifestInvalid
            | Self::ManifestBlobUnknown(_)
            | Self::NameInvalid
            | Self::TagInvalid => StatusCode::BAD_REQUEST,
            Self::RangeInvalid => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::ManifestBlobUnknown(digest) = self {
            return write!(formatter, "{}: {digest} is not here", self.code());
        }
        formatter.write_str(self.code())
    }
}
