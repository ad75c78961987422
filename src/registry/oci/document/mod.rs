//! Manifests, indexes and image configurations, read from bytes that were already checked against their digest.
//!
//! Source: OCI image specification 1.1 (image index, image manifest, image configuration, annotations) and Docker's
//! schema 2, which has the same shape.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::image::{Content, Digest, LABEL_PREFIX, Layer, Platform};

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) media_type: String,
    /// Those that are kept of an image's labels.
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) kind: Kind,
}

/// Which of the two it is, by its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// One manifest for each platform, in the order of the index; attestations left out.
    Index(Vec<Child>),
    /// The manifest of one platform, which its configuration names.
    Manifest {
        /// The digest of the configuration.
        config: Digest,
        /// That and the layers, where all of them can be counted.
        content: Option<Content>,
    },
}

/// One platform of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) digest: Digest,
    pub(super) platform: Platform,
}

/// What an image configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ImageConfig {
    pub(super) platform: Option<Platform>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) created: Option<Timestamp>,
}

/// Most platforms of one index: the widest official images have about 20; each costs two requests to probe.
pub(super) const PLATFORMS_MAX: usize = 64;
/// Most layers of one manifest: file systems of layers take 128, and each is 40 bytes here.
const LAYERS_MAX: usize = 256;
/// The label that says when the image was built.
const CREATED_LABEL: &str = "org.opencontainers.image.created";
/// Longest label kept; a longer one is left out, since half an address would be a wrong one.
const LABEL_BYTES_MAX: usize = 1024;
/// Most labels kept; the specification names 14, and those come first. Of others, files may name the ones that tell of
/// the build.
const LABELS_MAX: usize = 64;
/// Longest label kept that the specification does not name: build tools put whole documents there.
const OTHER_LABEL_BYTES_MAX: usize = 256;
/// 2000-01-01T00:00:00Z: builds that are reproducible write 0001, 1970 or 1980, and mean "not said".
const CREATED_SECOND_MIN: i64 = 946_684_800;

const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// The `Accept` header for manifests: every type in use, so that no registry converts or hides one.
pub(super) const ACCEPT_MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<RawDescriptor>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawLayer>>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    digest: String,
    platform: Option<RawPlatform>,
}

/// Foreign layers may have digests of other algorithms: then the content is not counted, and the image is read.
#[derive(Deserialize)]
struct RawLayer {
    digest: Option<String>,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

#[derive(Deserialize)]
struct RawConfig {
    created: Option<String>,
    config: Option<RawLabels>,
    #[serde(flatten)]
    platform: RawPlatform,
}

#[derive(Deserialize)]
struct RawLabels {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a manifest or index.
    ///
    /// # Errors
    /// Why these bytes are neither. A document that is both is refused, for two readers could each see another
    /// image in it (OCI distribution specification, GHSA-mc8v-mgrf-8f4m).
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawDocument =
            serde_json::from_slice(bytes).map_err(|error| format!("no manifest: {error}"))?;
        if raw.schema_version != 2 {
            return Err(format!("the manifest has schema version {}, expected 2", raw.schema_version));
        }
        let (kind, types) = match (raw.manifests, raw.config, raw.layers) {
            (Some(children), None, None) => (Kind::Index(platforms(children)?), INDEX_TYPES),
            (None, Some(config), Some(layers)) => {
                let config = digest(&config)?;
                (Kind::Manifest { config, content: content(config, &layers) }, MANIFEST_TYPES)
            }
            (Some(_), _, _) => return Err("it is an index and a manifest at once".to_owned()),
            (None, _, _) => return Err("it has neither `manifests` nor `config` and `layers`".to_owned()),
        };
        let [default, _] = types;
        let media_type = raw.media_type.unwrap_or_else(|| default.to_owned());
        if !types.contains(&media_type.as_str()) {
            return Err(format!(
                "its media type `{media_type:.100}` does not fit its shape, expected `{default}`"
            ));
        }
        let annotations = merged([&raw.annotations.unwrap_or_default()]);
        Ok(Self { media_type, annotations, kind })
    }
}

impl ImageConfig {
    /// Reads an image configuration. What an artifact has in its place (an empty object, say) says nothing.
    ///
    /// # Errors
    /// Why these bytes are none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawConfig =
            serde_json::from_slice(bytes).map_err(|error| format!("no image configuration: {error}"))?;
        let labels = raw.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(Self {
            platform: raw.platform.read()?,
            labels,
            created: raw.created.as_deref().and_then(credible),
        })
    }
}

impl RawPlatform {
    /// The platform; nothing where none is named, or where it is the `unknown/unknown` of an attestation.
    fn read(self) -> Result<Option<Platform>, String> {
        let (Some(os), Some(architecture)) = (self.os, self.architecture) else { return Ok(None) };
        if os.is_empty() || architecture.is_empty() || (os == "unknown" && architecture == "unknown") {
            return Ok(None);
        }
        let variant = self.variant.filter(|variant| !variant.is_empty());
        let text =
            [Some(os), Some(architecture), variant].into_iter().flatten().collect::<Vec<_>>().join("/");
        text.parse().map(Some).map_err(|error: crate::image::PlatformError| error.to_string())
    }
}

fn digest(descriptor: &RawDescriptor) -> Result<Digest, String> {
    descriptor.digest.parse().map_err(|error: crate::image::DigestError| error.to_string())
}

/// What a manifest is made of; nothing where a layer does not say what it is.
fn content(config: Digest, layers: &[RawLayer]) -> Option<Content> {
    let layer = |raw: &RawLayer| Some(Layer { digest: raw.digest.as_ref()?.parse().ok()?, bytes: raw.size? });
    if layers.len() > LAYERS_MAX {
        return None;
    }
    Some(Content { config, layers: layers.iter().map(layer).collect::<Option<_>>()? })
}

/// The children that are platforms.
fn platforms(descriptors: Vec<RawDescriptor>) -> Result<Vec<Child>, String> {
    let mut children = Vec::new();
    for descriptor in descriptors {
        let digest = digest(&descriptor)?;
        let platform = descriptor.platform.map(RawPlatform::read).transpose()?.flatten();
        children.extend(platform.map(|platform| Child { digest, platform }));
    }
    match children.len() {
        0 => Err("the index names no platform".to_owned()),
        1..=PLATFORMS_MAX => Ok(children),
        found => Err(format!("the index has {found} platforms, at most {PLATFORMS_MAX} are read")),
    }
}

/// These children by platform, sorted, the first of each.
pub(super) fn sorted(children: &[Child]) -> Vec<&Child> {
    let mut sorted: BTreeMap<&Platform, &Child> = BTreeMap::new();
    for child in children {
        sorted.entry(&child.platform).or_insert(child);
    }
    sorted.into_values().collect()
}

/// The child whose configuration speaks for the image: `linux/amd64`, else the first.
pub(super) fn speaker(children: &[Child]) -> Option<&Child> {
    let is_amd64 = |child: &&Child| child.platform.os == "linux" && child.platform.architecture == "amd64";
    children.iter().find(is_amd64).or_else(|| children.first())
}

/// The labels that are kept, the first of `sources` before the later ones, and those of the specification before others.
pub(super) fn merged<const N: usize>(sources: [&BTreeMap<String, String>; N]) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let is_named = |key: &str| key.starts_with(LABEL_PREFIX);
    let all = || sources.iter().copied().flatten();
    let named = all().filter(|(key, _)| is_named(key)).map(|label| (label, LABEL_BYTES_MAX));
    let others = all().filter(|(key, _)| !is_named(key)).map(|label| (label, OTHER_LABEL_BYTES_MAX));
    for ((key, value), bytes_max) in named.chain(others) {
        if key.len() <= bytes_max && value.len() <= bytes_max && labels.len() < LABELS_MAX {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    labels
}

/// When the image was built, where the labels say so credibly.
pub(super) fn created(labels: &BTreeMap<String, String>) -> Option<Timestamp> {
    labels.get(CREATED_LABEL).and_then(|text| credible(text))
}

fn credible(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|time: &Timestamp| time.as_second() >= CREATED_SECOND_MIN)
}

#[cfg(test)]
mod tests;
