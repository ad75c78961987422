//! A registry in memory that can be moved, emptied and taken away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use lockkeeper::image::{Content, Digest, Image, LABEL_PREFIX, Layer, Part, Platform, Repository, Tag};
use lockkeeper::registry::{
    Registry, RegistryError, SignatureError, TAGS_ASKED_MAX, TagError, Taken, Untagged,
};
use lockkeeper::signature::{Claim, Keyless, Signers, Verified};

use super::faults::{Fault, Faults};

#[derive(Default)]
pub struct FakeRegistry {
    world: Mutex<World>,
    faults: Arc<Faults>,
}

/// What it has and how it is.
#[derive(Debug, Clone, Default)]
pub struct World {
    tags: BTreeMap<(String, String), Digest>,
    images: BTreeMap<Digest, Image>,
    mood: Mood,
    /// What the client has read of images: what has a digest does not change, so it asks once.
    read: BTreeMap<Digest, Image>,
    /// What may be a signature, by the digest that it is kept for; the newest last.
    claims: BTreeMap<Digest, Vec<Claim>>,
    /// Good signatures, which the client remembers.
    verified: BTreeMap<Digest, Verified>,
    /// Who signed without a key.
    keyless: BTreeMap<Digest, Vec<String>>,
    /// Why cosign cannot be asked.
    no_cosign: Option<String>,
    /// Tags found on digests, which it remembers as well.
    tagged: BTreeMap<Digest, Vec<Tag>>,
    /// Whether our client may set tags.
    takes_tags: bool,
    /// A tag that it does not let us move.
    kept: Option<String>,
    /// The tags that were written, in order.
    writes: Vec<String>,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// Not at all: the connection is refused.
    Away,
    /// Not at all: the connection stays open.
    Hangs,
    /// With what cannot be believed.
    Lies,
    /// It does not know us any more.
    Denies,
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
        created: Option<Timestamp>,
    ) -> Digest {
        let digest = Self::digest(repository, name);
        let mut world = self.world.lock().unwrap();
        world.tags.insert((repository.to_owned(), tag.to_owned()), digest);
        let platforms: Vec<Platform> = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
        let image = Image {
            digest,
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            parts: platforms.iter().map(|platform| part(repository, name, platform)).collect(),
            platforms,
            missing: Vec::new(),
            labels: labels
                .iter()
                .map(|(key, value)| (format!("{LABEL_PREFIX}{key}"), (*value).to_owned()))
                .collect(),
            created,
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

    /// Removes a tag; the image stays.
    pub fn untag(&self, repository: &str, tag: &str) {
        self.world.lock().unwrap().tags.remove(&(repository.to_owned(), tag.to_owned()));
    }

    /// From now on our client may set tags.
    pub fn take_tags(&self) {
        self.world.lock().unwrap().takes_tags = true;
    }

    /// The tag that is not let moved.
    pub fn keep(&self, tag: Option<&str>) {
        self.world.lock().unwrap().kept = tag.map(str::to_owned);
    }

    /// Lets a tag name this.
    pub fn set_tag(&self, repository: &str, tag: &str, digest: Digest) {
        self.world.lock().unwrap().tags.insert((repository.to_owned(), tag.to_owned()), digest);
    }

    /// What a tag names.
    pub fn tagged(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.world.lock().unwrap().tags.get(&(repository.to_owned(), tag.to_owned())).copied()
    }

    /// The tags that our client has written since the last time, anchors as `anchor`.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.world.lock().unwrap().writes)
    }

    /// Keeps what may be a signature for this digest.
    pub fn sign(&self, digest: Digest, claim: Claim) {
        self.world.lock().unwrap().claims.entry(digest).or_default().push(claim);
    }

    pub fn set_mood(&self, mood: Mood) {
        self.world.lock().unwrap().mood = mood;
    }

    /// A registry that is disturbed by these faults.
    pub fn new(faults: Arc<Faults>) -> Self {
        Self { world: Mutex::default(), faults }
    }

    /// What it has now.
    pub fn world(&self) -> World {
        self.world.lock().unwrap().clone()
    }

    /// Puts it back to what it had.
    pub fn set_world(&self, world: World) {
        *self.world.lock().unwrap() = world;
    }

    async fn ask<T>(&self, what: &str, answer: impl FnOnce(&World) -> Option<T>) -> Result<T, RegistryError> {
        let (what, world) = (what.to_owned(), self.world());
        let unavailable = |reason: &str| RegistryError::Unavailable {
            what: what.clone(),
            reason: reason.to_owned(),
            retry_after: None,
        };
        if self.faults.is_now(Fault::RegistryFails) {
            return Err(unavailable("bad gateway"));
        }
        match world.mood {
            Mood::Well => answer(&world).ok_or(RegistryError::NotFound { what }),
            Mood::Away => Err(unavailable("connection refused")),
            Mood::Hangs => std::future::pending().await,
            Mood::Lies => {
                Err(RegistryError::Untrusted { what, reason: "its bytes hash to something else".to_owned() })
            }
            Mood::Denies => Err(RegistryError::Denied { what, reason: "no such user".to_owned() }),
        }
    }
}

/// A platform of two layers: one that all images share, and one of its own, larger by the length of its name.
fn part(repository: &str, name: &str, platform: &Platform) -> Part {
    let digest = |what: &str| Digest::of(format!("{repository}:{name}:{platform}:{what}").as_bytes());
    let base = Layer { digest: Digest::of(platform.to_string().as_bytes()), bytes: 30_000_000 };
    let own = Layer { digest: digest("layer"), bytes: 1_000_000 + 100_000 * name.len() as u64 };
    let content = Content { config: digest("config"), layers: vec![base, own] };
    Part { platform: platform.clone(), manifest: digest("manifest"), content: Some(content) }
}

#[async_trait]
impl Registry for FakeRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        let key = (repository.to_string(), tag.to_string());
        self.ask(&format!("{repository}:{tag}"), |world| world.tags.get(&key).copied()).await
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        self.ask(repository.as_str(), |world| {
            let of_it = world.tags.keys().filter(|(name, _)| name == repository.as_str());
            Some(of_it.map(|(_, tag)| tag.parse().unwrap()).collect())
        })
        .await
    }

    async fn image(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        let known = self.world().read.get(&digest).cloned();
        match known {
            Some(image) => Ok(image),
            None => self.fetch(repository, digest).await,
        }
    }

    async fn tags_on(
        &self,
        repository: &Repository,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError> {
        if let Some(known) = self.world().tagged.get(&digest) {
            return Ok(known.clone());
        }
        let what = format!("the tags on {repository}@{digest}");
        let found = self.ask(&what, |world| {
            let names = |tag: &&Tag| {
                world
                    .tags
                    .get(&(repository.to_string(), tag.to_string()))
                    .is_some_and(|found| *found == digest)
            };
            Some(expected.iter().take(TAGS_ASKED_MAX).filter(names).cloned().collect::<Vec<Tag>>())
        });
        if expected.is_empty() {
            return Ok(Vec::new());
        }
        let found = found.await?;
        self.world.lock().unwrap().tagged.insert(digest, found.clone());
        Ok(found)
    }

    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError> {
        self.fetch(repository, digest).await.map(|image| image.platforms)
    }

    async fn may_tag(&self, _: &Repository) -> Result<bool, RegistryError> {
        Ok(self.world().takes_tags)
    }

    async fn tag(
        &self,
        repository: &Repository,
        digest: Digest,
        tag: &Tag,
        taken: Taken,
    ) -> Result<Option<Digest>, TagError> {
        let what = format!("{repository}:{tag}");
        let key = (repository.to_string(), tag.to_string());
        let before = self.ask(&what, |world| Some(world.tags.get(&key).copied())).await?;
        match before {
            Some(found) if found == digest => return Ok(before),
            Some(found) if taken == Taken::Left => return Err(TagError::Taken { what, found }),
            Some(_) | None => {}
        }
        self.ask(&format!("{repository}@{digest}"), |world| world.images.get(&digest).cloned()).await?;
        let mut world = self.world.lock().unwrap();
        if world.kept.as_deref() == Some(tag.as_str()) {
            let reason = "412 Precondition Failed, immutable".to_owned();
            return Err(TagError::Refused { what, reason, fix: "let it move" });
        }
        world.tags.insert(key, digest);
        world.writes.push(if tag.is_anchor() { "anchor".to_owned() } else { tag.to_string() });
        Ok(before)
    }

    async fn untag(&self, repository: &Repository, digest: Digest) -> Result<Untagged, RegistryError> {
        let tag = Tag::anchor(digest);
        self.ask(&format!("{repository}:{tag}"), |_| Some(())).await?;
        self.untag(repository.as_str(), tag.as_str());
        Ok(Untagged::Gone)
    }

    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        signers: &Signers,
    ) -> Result<Verified, SignatureError> {
        let known = self.world().verified.get(&digest).cloned();
        if let Some(verified) = known.filter(|verified| signers.have(verified)) {
            return Ok(verified);
        }
        let what = format!("the signatures of {repository}@{digest}");
        let claims =
            self.ask(&what, |world| Some(world.claims.get(&digest).cloned().unwrap_or_default())).await?;
        let mut refused = None;
        for claim in claims.iter().rev() {
            match claim.check(digest, &signers.keys) {
                Ok(signed) => {
                    self.world.lock().unwrap().verified.insert(digest, Verified::Key(signed));
                    return Ok(Verified::Key(signed));
                }
                Err(reason) => {
                    refused.get_or_insert(reason);
                }
            }
        }
        if !signers.keyless.is_empty() {
            return self.keyless(digest, &signers.keyless);
        }
        Err(refused.map_or(SignatureError::Missing, |reason| SignatureError::NoneCounts {
            count: claims.len(),
            reason,
        }))
    }
}

impl FakeRegistry {
    /// What cosign would say.
    fn keyless(&self, digest: Digest, wanted: &[Keyless]) -> Result<Verified, SignatureError> {
        let mut world = self.world.lock().unwrap();
        if let Some(reason) = world.no_cosign.clone() {
            return Err(SignatureError::NoCosign { reason });
        }
        let signers = world.keyless.get(&digest).cloned().unwrap_or_default();
        let fits = |keyless: &&Keyless| {
            signers.iter().any(|found| match keyless.stem() {
                Some(stem) => found.starts_with(stem),
                None => found == keyless.identity(),
            })
        };
        let Some(found) = wanted.iter().find(fits).cloned() else {
            return Err(SignatureError::NotKeyless { reason: "no matching signatures".to_owned() });
        };
        world.verified.insert(digest, Verified::Keyless(found.clone()));
        Ok(Verified::Keyless(found))
    }

    /// Somebody signs without a key.
    pub fn sign_keyless(&self, digest: Digest, identity: &str) {
        self.world.lock().unwrap().keyless.entry(digest).or_default().push(identity.to_owned());
    }

    /// Why cosign cannot be asked from now on.
    pub fn set_no_cosign(&self, reason: Option<&str>) {
        self.world.lock().unwrap().no_cosign = reason.map(str::to_owned);
    }

    async fn fetch(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        let image =
            self.ask(&format!("{repository}@{digest}"), |world| world.images.get(&digest).cloned()).await?;
        self.world.lock().unwrap().read.insert(digest, image.clone());
        Ok(image)
    }

    /// The client is another one: it has read nothing yet.
    pub fn forget(&self) {
        let mut world = self.world.lock().unwrap();
        world.read.clear();
        world.verified.clear();
        world.tagged.clear();
    }
}
