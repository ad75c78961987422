//! Which tags name a digest. Registries have no such look-up, so a few that can be expected to are asked.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use http::HeaderValue;

use super::{Name, OciRegistry};
use crate::image::{Digest, Tag};
use crate::registry::{RegistryError, TAGS_ASKED_MAX};

/// The tags of a repository as they were listed last, hashed: 200 kB for the 50,000 of [`super::TAGS_MAX`]. Two tags of one
/// hash cost a request that is answered by "no".
#[derive(Debug, Clone)]
pub(super) struct Listed(Arc<[u32]>);

impl Listed {
    pub(super) fn of(tags: &[Tag]) -> Self {
        let mut hashes: Vec<u32> = tags.iter().map(hash).collect();
        hashes.sort_unstable();
        Self(hashes.into())
    }

    fn may_have(&self, tag: &Tag) -> bool {
        self.0.binary_search(&hash(tag)).is_ok()
    }
}

impl OciRegistry {
    /// Tags that name the digest, from memory where they were asked for before.
    pub(super) async fn tags_once(
        &self,
        name: &Name,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError> {
        if let Some(known) = self.tagged.get(&name.canonical, digest) {
            return Ok(known);
        }
        let found = self.ask_tags(name, digest, expected).await?;
        if !expected.is_empty() {
            self.tagged.put(&name.canonical, digest, found.clone());
        }
        Ok(found)
    }

    /// Those of `expected` that name the digest: the first few that the last list of tags has, or where there was no list
    /// the first few.
    async fn ask_tags(
        &self,
        name: &Name,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError> {
        let listed = self.listed.get(&name.canonical, ());
        let may_be = |tag: &&Tag| listed.as_ref().is_none_or(|listed| listed.may_have(tag));
        let mut found = Vec::new();
        for tag in expected.iter().filter(may_be).take(TAGS_ASKED_MAX) {
            match self.names(name, tag, digest).await {
                Ok(true) => found.push(tag.clone()),
                Ok(false) | Err(RegistryError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Whether the tag names the digest now. Most registries have the digest in quotes as `ETag`, and then say so without
    /// a body; the bytes of all others are hashed.
    async fn names(&self, name: &Name, tag: &Tag, digest: Digest) -> Result<bool, RegistryError> {
        let what = format!("{}:{tag}", name.canonical);
        let tagged = HeaderValue::from_str(&format!("\"{digest}\"")).ok();
        let got = self.manifest_unless(name, tag.as_str(), tagged.as_ref(), &what).await?;
        Ok(got.is_none_or(|(found, _)| found == digest))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn hash(tag: &Tag) -> u32 {
    let mut hasher = DefaultHasher::new();
    tag.hash(&mut hasher);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_tags_and_hardly_any_other() {
        let tags: Vec<Tag> = (0..10_000).map(|number| format!("1.0.{number}").parse().unwrap()).collect();
        let listed = Listed::of(&tags);
        assert!(tags.iter().all(|tag| listed.may_have(tag)));
        let others = (0..1000).filter(|number| listed.may_have(&format!("2.0.{number}").parse().unwrap()));
        assert!(others.count() <= 2);
    }
}
