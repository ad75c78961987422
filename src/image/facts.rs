//! What an image is, beyond its digest.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Digest, Platform};

/// What one manifest or index holds, read by digest and therefore the same for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of the bytes, hashed here.
    pub digest: Digest,
    /// The media type of the manifest.
    pub media_type: String,
    /// The platforms it runs on, sorted; attestation children (`unknown/unknown`) are no platforms.
    pub platforms: Vec<Platform>,
    /// Annotations and labels under `org.opencontainers.image.`, the index before the manifest before the config.
    pub labels: BTreeMap<String, String>,
    /// When the image was built, where the config says so credibly (not before 2000).
    pub created: Option<Timestamp>,
}
