//! What a digest holds: manifest or index, the manifests of its platforms, and one configuration that speaks for all.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::answer::untrusted;
use super::document::{self, Child, Document, ImageConfig, Kind};
use super::{Name, OciRegistry};
use crate::image::{Content, Digest, Image, Part, Platform, Repository, Tag};
use crate::registry::{FirstNamed, Registry, RegistryError};

/// Most platforms of an index whose manifests are read: a request each, once for a digest. Of those beyond, only the
/// digest is known.
const PARTS_READ_MAX: usize = 8;
/// Manifests of one index that are asked for at one time.
const AT_ONCE: usize = 4;

/// How much of an index is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The platform that speaks for it.
    Speaker,
    /// The manifests of its platforms as well, so that one that is missing is found.
    Parts,
}

impl OciRegistry {
    /// The manifests of an index by platform, in its order; none where the digest is that of a manifest itself.
    ///
    /// One request, or none right after [`Registry::resolve`] of a tag that names it.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry says that it has no such digest; every other error means "unknown".
    pub async fn platforms(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Vec<(Platform, Digest)>, RegistryError> {
        let name = Name::of(repository);
        let what = format!("{}@{digest}", name.canonical);
        let document = match self.documents.get(&name.canonical, digest) {
            Some(document) => document,
            None => self.document_of(&name, digest, &what).await?,
        };
        Ok(match document.kind {
            Kind::Index(children) => {
                children.into_iter().map(|child| (child.platform, child.digest)).collect()
            }
            Kind::Manifest { .. } => Vec::new(),
        })
    }

    /// What this digest holds, from memory where it was read whole.
    pub(super) async fn image_once(&self, name: &Name, digest: Digest) -> Result<Image, RegistryError> {
        if let Some(image) = self.images.get(&name.canonical, digest) {
            return Ok(image);
        }
        let image = self.read_image(name, digest, Depth::Parts).await?;
        // What is missing may be pushed yet.
        if image.missing.is_empty() {
            self.images.put(&name.canonical, digest, image.clone());
        }
        Ok(image)
    }

    /// What the tag named when it was asked for first.
    pub(super) async fn first_read(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<FirstNamed, RegistryError> {
        let name = Name::of(repository);
        if let Some(known) = self.named.get(&name.canonical, tag.clone()) {
            return Ok(known);
        }
        let digest = self.resolve(repository, tag).await?;
        let image = match self.images.get(&name.canonical, digest) {
            Some(image) => image,
            None => self.read_image(&name, digest, Depth::Speaker).await?,
        };
        if image.parts.len() <= 1 {
            self.images.put(&name.canonical, digest, image.clone());
        }
        let named = FirstNamed { digest, created: image.created };
        self.named.put(&name.canonical, tag.clone(), named);
        Ok(named)
    }

    /// What this digest holds.
    async fn read_image(&self, name: &Name, digest: Digest, depth: Depth) -> Result<Image, RegistryError> {
        let what = format!("{}@{digest}", name.canonical);
        let document = match self.documents.get(&name.canonical, digest) {
            Some(document) => document,
            None => self.document_of(name, digest, &what).await?,
        };
        let none = BTreeMap::new();
        let (parts, missing, manifest, config) = match &document.kind {
            Kind::Index(children) => {
                let speaker = document::speaker(children);
                let speaker = speaker.ok_or_else(|| untrusted(&what, "it has no platform"))?;
                let (manifest, config) = self.child(name, speaker).await?;
                let (parts, missing) = self.parts(name, children, (speaker, &manifest), depth).await?;
                (parts, missing, manifest.annotations, config)
            }
            Kind::Manifest { config, content } => {
                let config = self.config(name, *config, &format!("configuration {config} of {what}")).await?;
                let part = |platform| Part { platform, manifest: digest, content: content.clone() };
                (config.platform.clone().map(part).into_iter().collect(), Vec::new(), none, config)
            }
        };
        let labels = document::merged([&document.annotations, &manifest, &config.labels]);
        let created = config.created.or_else(|| document::created(&labels));
        let platforms = parts.iter().map(|part| part.platform.clone()).collect();
        Ok(Image { digest, media_type: document.media_type, platforms, labels, created, parts, missing })
    }

    /// The platforms of an index, of which `read` was read already, and those whose manifests are not there.
    async fn parts(
        &self,
        name: &Name,
        children: &[Child],
        read: (&Child, &Document),
        depth: Depth,
    ) -> Result<(Vec<Part>, Vec<Platform>), RegistryError> {
        let mut contents = BTreeMap::from([(read.0.digest, content_of(read.1))]);
        let sorted = document::sorted(children);
        let count = match depth {
            Depth::Speaker => 0,
            Depth::Parts => PARTS_READ_MAX - 1,
        };
        let others: Vec<&&Child> =
            sorted.iter().filter(|child| child.digest != read.0.digest).take(count).collect();
        let mut missing = Vec::new();
        for some in others.chunks(AT_ONCE) {
            let asked = join_all(some.iter().map(|child| self.child_document(name, child))).await;
            for (child, answer) in some.iter().zip(asked) {
                match answer {
                    Ok(document) => {
                        contents.insert(child.digest, content_of(&document));
                    }
                    Err(RegistryError::NotFound { .. }) => missing.push(child.platform.clone()),
                    Err(error) => return Err(error),
                }
            }
        }
        let part = |child: &Child| Part {
            platform: child.platform.clone(),
            manifest: child.digest,
            content: contents.get(&child.digest).cloned().flatten(),
        };
        Ok((sorted.into_iter().map(part).collect(), missing))
    }

    /// The manifest and configuration of one platform of the index.
    pub(super) async fn child(
        &self,
        name: &Name,
        child: &Child,
    ) -> Result<(Document, ImageConfig), RegistryError> {
        let document = self.child_document(name, child).await?;
        let what = format!("{}@{} ({})", name.canonical, child.digest, child.platform);
        let Kind::Manifest { config, .. } = document.kind else { return Err(nested(&what)) };
        let what = format!("configuration {config} of {what}");
        let config = self.config(name, config, &what).await?;
        Ok((document, config))
    }

    /// The manifest of one platform of the index.
    async fn child_document(&self, name: &Name, child: &Child) -> Result<Document, RegistryError> {
        let what = format!("{}@{} ({})", name.canonical, child.digest, child.platform);
        let document = self.document_of(name, child.digest, &what).await?;
        if matches!(document.kind, Kind::Index(_)) { Err(nested(&what)) } else { Ok(document) }
    }
}

/// Runtimes follow an index one step; what stands deeper would never run.
fn nested(what: &str) -> RegistryError {
    untrusted(what, "it is an index within an index")
}

fn content_of(document: &Document) -> Option<Content> {
    match &document.kind {
        Kind::Manifest { content, .. } => content.clone(),
        Kind::Index(_) => None,
    }
}
