//! What an image is, beyond its digest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{Digest, Platform};

/// How far ahead of ours the clock of whoever built an image may be.
const CREATED_AHEAD_SECONDS_MAX: i64 = 24 * 60 * 60;

/// When an image was built, unless it says a time that is yet to come: that is as good as none.
#[must_use]
pub fn credibly_created(created: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let last = now.as_second().saturating_add(CREATED_AHEAD_SECONDS_MAX);
    created.filter(|created| created.as_second() <= last)
}

/// Whether this is the whole id of a commit, by SHA-1 or SHA-256: what is shorter, a branch or a tag may mean another one by
/// now.
#[must_use]
pub fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What one manifest or index holds, read by digest and therefore the same for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of the bytes, hashed here.
    pub digest: Digest,
    /// The media type of the manifest.
    pub media_type: String,
    /// The platforms it runs on, sorted; attestation children (`unknown/unknown`) are no platforms.
    pub platforms: Vec<Platform>,
    /// Annotations and labels, the index before the manifest before the config. They are claims of whoever built it.
    pub labels: BTreeMap<String, String>,
    /// When the image was built, where the config says so credibly (not before 2000).
    pub created: Option<Timestamp>,
    /// The manifest of each platform, in the order of [`Image::platforms`]. An image that names no platform has none.
    pub parts: Vec<Part>,
    /// Platforms that the index names, and whose manifests the registry said it did not have.
    pub missing: Vec<Platform>,
}

/// The manifest of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The platform.
    pub platform: Platform,
    /// The digest of its manifest: that of the image itself where there is no index.
    pub manifest: Digest,
    /// What it is made of; none: not read, or not told in a way that can be counted.
    pub content: Option<Content>,
}

/// What a manifest is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// The digest of the image configuration.
    pub config: Digest,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// One layer as it is transferred, mostly compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// The digest.
    pub digest: Digest,
    /// How many bytes are transferred for it.
    pub bytes: u64,
}

/// How the content of one platform differs from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes before, of all layers.
    pub before: u64,
    /// Bytes after, of all layers.
    pub after: u64,
    /// Layers that both have.
    pub shared: usize,
    /// Layers that only the new one has.
    pub new: usize,
}

/// The annotations and labels that the image specification names begin with this.
pub const LABEL_PREFIX: &str = "org.opencontainers.image.";

impl Image {
    /// The label that the image specification names so, where it is not empty.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.get(&format!("{LABEL_PREFIX}{name}"));
        found.map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The commit it says that it was built from: 7 to 64 hex digits. A branch or a tag of the source says nothing, since
    /// it may have moved.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        let is_commit =
            |text: &&str| (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.label("revision").filter(is_commit)
    }

    /// The part for this platform.
    #[must_use]
    pub fn part(&self, platform: &Platform) -> Option<&Part> {
        self.parts.iter().find(|part| part.platform == *platform)
    }

    /// How each platform that both have differs from what it was in `before`: like is compared with like.
    pub fn growth<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a Platform, Growth)> {
        self.parts.iter().filter_map(|part| {
            let old = before.part(&part.platform)?.content.as_ref()?;
            Some((&part.platform, part.content.as_ref()?.growth(old)))
        })
    }
}

impl Content {
    /// Bytes of all layers.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.bytes))
    }

    fn growth(&self, before: &Self) -> Growth {
        let old: BTreeSet<Digest> = before.layers.iter().map(|layer| layer.digest).collect();
        let new: BTreeSet<Digest> = self.layers.iter().map(|layer| layer.digest).collect();
        Growth {
            before: before.bytes(),
            after: self.bytes(),
            shared: new.intersection(&old).count(),
            new: new.difference(&old).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(layers: &[(&str, u64)]) -> Content {
        let layer =
            |(name, bytes): &(&str, u64)| Layer { digest: Digest::of(name.as_bytes()), bytes: *bytes };
        Content { config: Digest::of(b"config"), layers: layers.iter().map(layer).collect() }
    }

    #[test]
    fn a_layer_counts_as_shared_by_its_digest_and_once() {
        for (before, after, want) in [
            (&[("a", 5)][..], &[("a", 5)][..], (5, 5, 1, 0)),
            (&[("a", 5)], &[("b", 7)], (5, 7, 0, 1)),
            (&[("a", 5), ("b", 1)], &[("a", 5), ("c", 3), ("c", 3)], (6, 11, 1, 1)),
            (&[], &[("a", u64::MAX), ("b", 1)], (0, u64::MAX, 0, 2)),
        ] {
            let growth = content(after).growth(&content(before));
            assert_eq!(
                (growth.before, growth.after, growth.shared, growth.new),
                want,
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn only_hex_digits_are_a_commit() {
        for (text, want) in [
            ("4f0c7f1a", true),
            ("4f0c7f", false),
            ("main", false),
            ("1.4.2", false),
            (&"a".repeat(40), true),
            (&"a".repeat(65), false),
            ("", false),
        ] {
            let labels = BTreeMap::from([(format!("{LABEL_PREFIX}revision"), text.to_owned())]);
            let image = Image {
                digest: Digest::of(b"x"),
                media_type: String::new(),
                platforms: Vec::new(),
                labels,
                created: None,
                parts: Vec::new(),
                missing: Vec::new(),
            };
            assert_eq!(image.commit().is_some(), want, "{text}");
        }
    }
}
