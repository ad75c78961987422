//! The release: images pinned together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Digest, Reference, Repository, Tag};

/// What one image is pinned to: the digest decides, the tag is for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pinned {
    /// The tag, where the pin has one.
    pub tag: Option<Tag>,
    /// The digest of the manifest or index.
    pub digest: Digest,
}

impl Pinned {
    /// What people call it: the tag, or the short digest where there is none.
    #[must_use]
    pub fn version(&self) -> String {
        self.tag.as_ref().map_or_else(|| self.digest.short(), ToString::to_string)
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            Some(tag) => write!(formatter, "{tag}@{}", self.digest),
            None => write!(formatter, "{}", self.digest),
        }
    }
}

/// A set of image → (tag, digest) that is pinned together. Never empty where it comes from a valid pipeline.
///
/// Two releases with the same digests are the same release, whatever their tags: compare with [`Release::id`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Release {
    images: BTreeMap<Repository, Pinned>,
}

/// The identity of a release: the first 12 hex digits of SHA-256 over its sorted `repository@digest` lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(String);

impl Release {
    /// The images and what each is pinned to, by repository.
    pub fn images(&self) -> impl Iterator<Item = (&Repository, &Pinned)> {
        self.images.iter()
    }

    /// What this repository is pinned to.
    #[must_use]
    pub fn get(&self, repository: &Repository) -> Option<&Pinned> {
        self.images.get(repository)
    }

    /// Adds or replaces one image.
    pub fn insert(&mut self, repository: Repository, pinned: Pinned) {
        self.images.insert(repository, pinned);
    }

    /// Whether no image is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// How many images are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// All digests.
    #[must_use]
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.images.values().map(|pinned| pinned.digest).collect()
    }

    /// The identity: equal where all digests are equal.
    #[must_use]
    pub fn id(&self) -> ReleaseId {
        let lines: String = self
            .images
            .iter()
            .flat_map(|(name, pinned)| [name.to_string(), format!("@{}\n", pinned.digest)])
            .collect();
        let mut hex = hex::encode(Sha256::digest(lines));
        hex.truncate(12);
        ReleaseId(hex)
    }

    /// Whether both pin the same digests.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let digests = |release| Self::images(release).map(|(name, pinned)| (name, pinned.digest));
        digests(self).eq(digests(other))
    }

    /// What people call it: the one tag all images share, else each image's.
    #[must_use]
    pub fn version(&self) -> String {
        let versions: BTreeSet<String> = self.images.values().map(Pinned::version).collect();
        if versions.len() == 1 {
            versions.into_iter().collect()
        } else {
            let named = self
                .images
                .iter()
                .map(|(name, pinned)| format!("{} {}", name.short_name(), pinned.version()));
            named.collect::<Vec<_>>().join(", ")
        }
    }

    /// The short digest of a release of one image, else the id.
    #[must_use]
    pub fn short(&self) -> String {
        match self.images.values().next() {
            Some(pinned) if self.images.len() == 1 => pinned.digest.short(),
            _ => self.id().to_string(),
        }
    }

    /// The references, in canonical form `repository:tag@digest`.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        self.images.iter().map(|(repository, pinned)| Reference {
            repository: repository.clone(),
            tag: pinned.tag.clone(),
            digest: Some(pinned.digest),
        })
    }
}

impl FromIterator<(Repository, Pinned)> for Release {
    fn from_iter<I: IntoIterator<Item = (Repository, Pinned)>>(images: I) -> Self {
        Self { images: images.into_iter().collect() }
    }
}

impl ReleaseId {
    /// The 12 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
