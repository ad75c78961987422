//! Whether everything that a digest needs to run is there.
//!
//! What that is does not change, and is read once. After that each part costs one `HEAD`, which no registry counts as a
//! pull.

use std::sync::Arc;

use super::document::{ACCEPT_MANIFESTS, Kind};
use super::session::Ask;
use super::{CONFIG_BYTES_MAX, MANIFEST_BYTES_MAX, Name, OciRegistry};
use crate::image::{Digest, Platform};
use crate::registry::RegistryError;

/// One thing that has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    digest: Digest,
    kind: PartKind,
    /// For which platform; none for the index, and where a configuration names none.
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Manifest,
    Config,
}

/// Asks for the manifest or index, and for the manifest and configuration of each platform.
///
/// # Errors
/// [`RegistryError::NotFound`] names the part that the registry says it does not have.
pub(super) async fn probe(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
) -> Result<Vec<Platform>, RegistryError> {
    let parts = if let Some(parts) = registry.parts.get(&name.canonical, digest) {
        for part in parts.iter() {
            check(registry, name, digest, part).await?;
        }
        parts
    } else {
        let parts = Arc::new(read(registry, name, digest).await?);
        registry.parts.put(&name.canonical, digest, Arc::clone(&parts));
        parts
    };
    let mut platforms: Vec<Platform> = parts
        .iter()
        .filter(|part| part.kind == PartKind::Config)
        .filter_map(|part| part.platform.clone())
        .collect();
    platforms.sort();
    platforms.dedup();
    Ok(platforms)
}

/// Reads everything once, and so knows that it is there.
async fn read(registry: &OciRegistry, name: &Name, digest: Digest) -> Result<Vec<Part>, RegistryError> {
    let what = format!("{}@{digest}", name.canonical);
    let mut parts = vec![Part { digest, kind: PartKind::Manifest, platform: None }];
    match registry.document_of(name, digest, &what).await?.kind {
        Kind::Index(children) => {
            for child in &children {
                let (document, _) = registry.child(name, child).await?;
                let platform = Some(child.platform.clone());
                parts.push(Part {
                    digest: child.digest,
                    kind: PartKind::Manifest,
                    platform: platform.clone(),
                });
                if let Kind::Manifest { config, .. } = document.kind {
                    parts.push(Part { digest: config, kind: PartKind::Config, platform });
                }
            }
        }
        Kind::Manifest { config, .. } => {
            let read = registry.config(name, config, &format!("configuration {config} of {what}")).await?;
            parts.push(Part { digest: config, kind: PartKind::Config, platform: read.platform });
        }
    }
    Ok(parts)
}

/// Asks for one part by `HEAD`, and where that does not affirm it by `GET`, whose answer decides.
async fn check(registry: &OciRegistry, name: &Name, of: Digest, part: &Part) -> Result<(), RegistryError> {
    let what = part.name(name, of);
    let session = registry.session(name).await?;
    let (folder, accept, bytes_max) = match part.kind {
        PartKind::Manifest => ("manifests", ACCEPT_MANIFESTS, MANIFEST_BYTES_MAX),
        PartKind::Config => ("blobs", "*/*", CONFIG_BYTES_MAX),
    };
    let url = session.url(&format!("/v2/{}/{folder}/{}", name.path, part.digest))?;
    let ask = Ask { url: &url, accept, bytes_max };
    let asked = session.head(&name.path, &ask, &what).await;
    if asked.inspect_err(|error| registry.forget_refused(name, error))?.is_some() {
        return Ok(());
    }
    match part.kind {
        PartKind::Manifest => registry.document_of(name, part.digest, &what).await.map(|_| ()),
        PartKind::Config => registry.config(name, part.digest, &what).await.map(|_| ()),
    }
}

impl Part {
    /// What is asked for, for people.
    fn name(&self, name: &Name, of: Digest) -> String {
        let whole = format!("{}@{of}", name.canonical);
        let platform = self.platform.as_ref().map_or_else(String::new, |platform| format!(" ({platform})"));
        match self.kind {
            PartKind::Manifest if self.digest == of => whole,
            PartKind::Manifest => format!("{}@{}{platform}", name.canonical, self.digest),
            PartKind::Config => format!("configuration {} of {whole}{platform}", self.digest),
        }
    }
}
