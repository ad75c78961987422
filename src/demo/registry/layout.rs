//! The registry's content as folders that image tools read without a registry.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::store::{Contents, Manifest, Store};
use crate::image::Digest;

/// The annotation by which tools find an image in a layout.
const NAME_ANNOTATION: &str = "org.opencontainers.image.ref.name";

/// Writes each repository as a layout of its own, in the folder of its name below `folder`. Blobs that are there
/// already stay as they are: their name says what they hold.
///
/// Source: OCI image specification 1.1, "Image Layout Specification".
pub(super) fn write(store: &Store, folder: &Path) -> io::Result<()> {
    for (name, contents) in store.repositories() {
        write_repository(contents, &folder.join(name))?;
    }
    Ok(())
}

fn write_repository(contents: &Contents, folder: &Path) -> io::Result<()> {
    let blobs = folder.join("blobs").join("sha256");
    fs::create_dir_all(&blobs)?;
    let manifests = contents.manifests.iter().map(|(digest, manifest)| (digest, &manifest.bytes));
    for (digest, bytes) in contents.blobs.iter().chain(manifests) {
        let file = blobs.join(digest.hex());
        if !file.exists() {
            fs::write(file, bytes)?;
        }
    }
    let named = contents.tags.iter().filter_map(|(tag, digest)| {
        let manifest = contents.manifests.get(digest)?;
        Some(descriptor(tag.as_str(), *digest, manifest))
    });
    let index = json!({ "schemaVersion": 2, "manifests": named.collect::<Vec<_>>() });
    fs::write(folder.join("index.json"), format!("{index:#}\n"))?;
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}\n")
}

fn descriptor(tag: &str, digest: Digest, manifest: &Manifest) -> Value {
    json!({
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": manifest.bytes.len(),
        "annotations": { NAME_ANNOTATION: tag },
    })
}
