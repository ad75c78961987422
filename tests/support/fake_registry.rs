//! A registry in memory that can be moved, emptied and taken away.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use lockkeeper::image::{Digest, Image, Platform, Repository, Tag};
use lockkeeper::registry::{Registry, RegistryError};

#[derive(Default)]
pub struct FakeRegistry {
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    tags: BTreeMap<(String, String), Digest>,
    images: BTreeMap<Digest, Image>,
    is_away: bool,
}

impl FakeRegistry {
    /// The digest that this repository has under this name for ever.
    pub fn digest(repository: &str, name: &str) -> Digest {
        Digest::of(format!("{repository}:{name}").as_bytes())
    }

    /// Puts an image there; a tag may move by another `name`.
    pub fn push(
        &self,
        repository: &str,
        tag: &str,
        name: &str,
        platforms: &[&str],
        labels: &[(&str, &str)],
    ) -> Digest {
        let digest = Self::digest(repository, name);
        let mut world = self.world.lock().unwrap();
        world.tags.insert((repository.to_owned(), tag.to_owned()), digest);
        let image = Image {
            digest,
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            platforms: platforms.iter().map(|platform| platform.parse::<Platform>().unwrap()).collect(),
            labels: labels
                .iter()
                .map(|(key, value)| (format!("org.opencontainers.image.{key}"), (*value).to_owned()))
                .collect(),
            created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        };
        world.images.insert(digest, image);
        digest
    }

    /// Removes an image by digest, and its tags with it.
    pub fn remove(&self, digest: Digest) {
        let mut world = self.world.lock().unwrap();
        world.images.remove(&digest);
        world.tags.retain(|_, found| *found != digest);
    }

    pub fn set_away(&self, is_away: bool) {
        self.world.lock().unwrap().is_away = is_away;
    }

    fn ask<T>(&self, what: &str, answer: impl FnOnce(&World) -> Option<T>) -> Result<T, RegistryError> {
        let world = self.world.lock().unwrap();
        let what = what.to_owned();
        if world.is_away {
            return Err(RegistryError::Unavailable {
                what,
                reason: "connection refused".to_owned(),
                retry_after: None,
            });
        }
        answer(&world).ok_or(RegistryError::NotFound { what })
    }
}

#[async_trait]
impl Registry for FakeRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        let key = (repository.to_string(), tag.to_string());
        self.ask(&format!("{repository}:{tag}"), |world| world.tags.get(&key).copied())
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        self.ask(repository.as_str(), |world| {
            let of_it = world.tags.keys().filter(|(name, _)| name == repository.as_str());
            Some(of_it.map(|(_, tag)| tag.parse().unwrap()).collect())
        })
    }

    async fn image(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        self.ask(&format!("{repository}@{digest}"), |world| world.images.get(&digest).cloned())
    }

    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError> {
        self.image(repository, digest).await.map(|image| image.platforms)
    }
}
