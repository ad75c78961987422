//! The registry: where tags move and digests do not.

pub mod credentials;
pub mod oci;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use crate::image::Image;
use crate::image::{Digest, Platform, Repository, Tag};
use crate::signature::{ClaimError, PublicKey, Signed};

/// Why the registry gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry says that it has no such repository, tag or digest.
    #[error("{what} is not in the registry")]
    NotFound {
        /// The reference asked for.
        what: String,
    },
    /// The credentials are missing, wrong, or do not reach this repository.
    #[error("registry denies access to {what}: {reason}")]
    Denied {
        /// The repository asked for.
        what: String,
        /// What the registry said, shortened.
        reason: String,
    },
    /// Ask again later.
    #[error("registry does not answer for {what}: {reason}")]
    Unavailable {
        /// The reference asked for.
        what: String,
        /// What went wrong, shortened.
        reason: String,
        /// When the registry wants to be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// The answer cannot be trusted: wrong digest, wrong media type, too large, malformed.
    #[error("registry answers for {what} cannot be trusted: {reason}")]
    Untrusted {
        /// The reference asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a tag named once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstNamed {
    /// The digest.
    pub digest: Digest,
    /// When the image was built, where it says so credibly.
    pub created: Option<Timestamp>,
}

/// Why no signature of a digest counts.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The registry has none.
    #[error("the registry has no signature of it")]
    Missing,
    /// It has some, of which none counts.
    #[error("none of {count} signature(s) in the registry counts: {reason}")]
    NoneCounts {
        /// How many were looked at.
        count: usize,
        /// Why the newest one does not.
        reason: ClaimError,
    },
    /// The registry could not be asked, or what it has cannot be read: whether there is a good one is not known.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What lockkeeper asks of a registry. Every answer is checked: digests are computed from the bytes received.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The digest that the tag has now: the manifest is fetched and hashed, or the registry says that it is what was
    /// hashed before.
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError>;

    /// All tags of the repository, sorted by bytes; at most `TAGS_MAX`.
    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError>;

    /// What the manifest or index of this digest holds.
    async fn image(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError>;

    /// What the tag named when it was asked for first, for tags that do not move: it may be told from memory.
    async fn first_named(&self, repository: &Repository, tag: &Tag) -> Result<FirstNamed, RegistryError> {
        let digest = self.resolve(repository, tag).await?;
        Ok(FirstNamed { digest, created: self.image(repository, digest).await?.created })
    }

    /// Whether the manifest of this digest, and that of each of its platforms, is there.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] names what is missing; every other error means "unknown".
    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError>;

    /// A signature of this digest by one of these keys, verified here. A good one is good for ever and may be told from
    /// memory; where there was none, the registry is asked again.
    ///
    /// # Errors
    /// [`SignatureError`]: no signature counts, for whatever reason.
    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        keys: &[PublicKey],
    ) -> Result<Signed, SignatureError>;
}
