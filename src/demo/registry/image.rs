//! Small, real images: one file in one layer for each platform, and an index over them.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::Manifest;
use crate::image::{Digest, Platform};

/// What an image is made of. Equal specifications give equal digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// The version, for `org.opencontainers.image.version` and the file in the layer.
    pub version: String,
    /// The commit, for `org.opencontainers.image.revision`.
    pub revision: String,
    /// The address of the source, for `org.opencontainers.image.source`.
    pub source: String,
    /// When it was built.
    pub created: Timestamp,
    /// What it runs on: one platform gives a single manifest, more give an index.
    pub platforms: Vec<Platform>,
}

/// The parts of an image, in the order in which they have to be stored.
pub(super) struct Built {
    pub(super) blobs: Vec<Bytes>,
    /// The manifests of an index; none where the image is a single one.
    pub(super) children: Vec<Manifest>,
    pub(super) top: Manifest,
}

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The unit in which archives are laid out.
const BLOCK_BYTES: usize = 512;

impl ImageSpec {
    /// An image for `linux/amd64` and `linux/arm64`.
    #[must_use]
    pub fn new(version: &str, revision: &str, source: &str, created: Timestamp) -> Self {
        let linux = |architecture: &str| Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        };
        Self {
            version: version.to_owned(),
            revision: revision.to_owned(),
            source: source.to_owned(),
            created,
            platforms: vec![linux("amd64"), linux("arm64")],
        }
    }

    fn labels(&self) -> Value {
        json!({
            "org.opencontainers.image.created": self.created,
            "org.opencontainers.image.revision": self.revision,
            "org.opencontainers.image.source": self.source,
            "org.opencontainers.image.version": self.version,
        })
    }
}

/// Builds the image.
///
/// Source: OCI image specification 1.1.
pub(super) fn build(spec: &ImageSpec) -> io::Result<Built> {
    let mut blobs = Vec::new();
    let mut manifests = Vec::new();
    for platform in &spec.platforms {
        let content = format!("{} {platform}\n", spec.version);
        let archive = archive("app/version", content.as_bytes());
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&archive)?;
        let layer = Bytes::from(packed.finish()?);
        let config = Bytes::from(config(spec, platform, Digest::of(&archive)).to_string());
        manifests.push((platform, manifest(&config, &layer)));
        blobs.extend([config, layer]);
    }
    if let [(_, single)] = manifests.as_slice() {
        return Ok(Built { blobs, children: Vec::new(), top: single.clone() });
    }
    let top = index(spec, &manifests);
    let children = manifests.into_iter().map(|(_, manifest)| manifest).collect();
    Ok(Built { blobs, children, top })
}

fn config(spec: &ImageSpec, platform: &Platform, layer: Digest) -> Value {
    let mut config = platform_json(platform);
    let rest = json!({
        "created": spec.created,
        "config": { "Cmd": ["/app/version"], "Labels": spec.labels() },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
        "history": [{ "created": spec.created, "created_by": "lockkeeper demo" }],
    });
    if let (Some(config), Value::Object(rest)) = (config.as_object_mut(), rest) {
        config.extend(rest);
    }
    config
}

fn manifest(config: &Bytes, layer: &Bytes) -> Manifest {
    let document = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": [descriptor(LAYER_TYPE, layer)],
    });
    Manifest { media_type: MANIFEST_TYPE.to_owned(), bytes: document.to_string().into() }
}

fn index(spec: &ImageSpec, manifests: &[(&Platform, Manifest)]) -> Manifest {
    let children = manifests.iter().map(|(platform, manifest)| {
        let mut child = descriptor(MANIFEST_TYPE, &manifest.bytes);
        if let Some(child) = child.as_object_mut() {
            child.insert("platform".to_owned(), platform_json(platform));
        }
        child
    });
    let document = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": children.collect::<Vec<_>>(),
        "annotations": spec.labels(),
    });
    Manifest { media_type: INDEX_TYPE.to_owned(), bytes: document.to_string().into() }
}

fn descriptor(media_type: &str, content: &Bytes) -> Value {
    json!({ "mediaType": media_type, "size": content.len(), "digest": Digest::of(content) })
}

fn platform_json(platform: &Platform) -> Value {
    let mut value = json!({ "architecture": platform.architecture, "os": platform.os });
    if let (Some(variant), Some(value)) = (&platform.variant, value.as_object_mut()) {
        value.insert("variant".to_owned(), json!(variant));
    }
    value
}

/// A tar archive of one file, owned by root and as old as 1970, so that equal contents give equal bytes.
///
/// Source: POSIX.1-2017, `pax`, section "ustar Interchange Format".
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let size = format!("{:011o}\0", content.len());
    let fields: [(usize, &[u8]); 9] = [
        (0, name.as_bytes()),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        // The checksum counts its own field as spaces.
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    let mut header = [0_u8; BLOCK_BYTES];
    for (start, field) in fields {
        header.iter_mut().skip(start).zip(field).for_each(|(to, from)| *to = *from);
    }
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    let checksum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(148).zip(checksum.as_bytes()).for_each(|(to, from)| *to = *from);
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK_BYTES) + 2 * BLOCK_BYTES, 0);
    archive
}
