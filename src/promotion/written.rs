//! The tags that we wrote: channels, and the anchors of digests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::image::{Digest, Repository, Tag};

/// The tags of a pipeline that we wrote, by repository. Bounded by the stages: an anchor goes when nothing needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenTags {
    tags: BTreeMap<Repository, BTreeMap<Tag, WrittenTag>>,
}

/// What we know of a tag of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenTag {
    /// What it should name.
    pub digest: Digest,
    /// Since when.
    pub at: Timestamp,
    /// What somebody else made of it.
    pub drift: Option<Drift>,
}

/// What somebody else made of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// It names this.
    Moved(Digest),
    /// It is not there.
    Gone,
}

impl WrittenTags {
    /// What is known of a tag.
    #[must_use]
    pub fn get(&self, repository: &Repository, tag: &Tag) -> Option<&WrittenTag> {
        self.tags.get(repository)?.get(tag)
    }

    /// Whether the digest has its anchor.
    #[must_use]
    pub fn is_anchored(&self, repository: &Repository, digest: Digest) -> bool {
        self.get(repository, &Tag::anchor(digest)).is_some_and(|written| written.digest == digest)
    }

    /// The anchors, with what they name.
    pub fn anchors(&self) -> impl Iterator<Item = (&Repository, &Tag, Digest)> {
        self.tags.iter().flat_map(|(repository, tags)| {
            let anchors = tags.iter().filter(|(tag, _)| tag.is_anchor());
            anchors.map(move |(tag, written)| (repository, tag, written.digest))
        })
    }

    /// Whether one of these is this tag of this repository, however it is spelled.
    #[must_use]
    pub fn has(&self, repository: &Repository, tag: &Tag) -> bool {
        self.tags.iter().any(|(name, tags)| name.is_same(repository) && tags.contains_key(tag))
    }

    /// Folds one event in.
    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) {
        if let Event::Tagged { repository, tag, digest, .. } = event {
            self.put(repository, tag, WrittenTag { digest: *digest, at, drift: None });
        } else if let Event::Drifted { repository, tag, wanted, found, .. } = event {
            let drift = match found {
                Some(found) if found == wanted => None,
                Some(found) => Some(Drift::Moved(*found)),
                None => Some(Drift::Gone),
            };
            self.put(repository, tag, WrittenTag { digest: *wanted, at, drift });
        } else if let Event::Untagged { repository, tag, .. } = event
            && let Some(tags) = self.tags.get_mut(repository)
        {
            tags.remove(tag);
        }
    }

    fn put(&mut self, repository: &Repository, tag: &Tag, written: WrittenTag) {
        self.tags.entry(repository.clone()).or_default().insert(tag.clone(), written);
    }
}
