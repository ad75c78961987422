//! The registry: where tags move and digests do not.

mod program;
pub mod credentials;
pub mod oci;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use crate::image::Image;
use crate::image::{Digest, Platform, Repository, Tag};
use crate::signature::{ClaimError, Signers, Verified};

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

/// Most tags that are asked whether they name a digest, a request each: the two spellings of its version, the shorter
/// ones, its commit, and one that moves.
pub const TAGS_ASKED_MAX: usize = 6;

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
    /// It has none that cosign counts as one of these identities.
    #[error("cosign finds no keyless signature that counts: {reason}")]
    NotKeyless {
        /// What it says, shortened.
        reason: String,
    },
    /// cosign cannot be asked, or says nothing to go by: whether there is a good one is not known.
    #[error("keyless signatures cannot be verified: {reason}")]
    NoCosign {
        /// What is in the way.
        reason: String,
    },
    /// The registry could not be asked, or what it has cannot be read: whether there is a good one is not known.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl SignatureError {
    /// Whether there is none that counts; otherwise it is not known.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Missing | Self::NoneCounts { .. } | Self::NotKeyless { .. } => true,
            Self::NoCosign { .. } | Self::Registry(_) => false,
        }
    }
}

/// Whether a tag that names another digest is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is: a channel follows what its stage pins.
    Moved,
    /// It is left as it is.
    Left,
}

/// Why a tag does not name a digest.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// Nothing is written there until somebody names who writes.
    #[error("nothing is written to the registry of {what}: the settings have no retag identity for it")]
    NoIdentity {
        /// The tag.
        what: String,
    },
    /// The registry refuses, until somebody changes what it says.
    #[error("the registry refuses to set {what} ({reason}); {fix}")]
    Refused {
        /// The tag.
        what: String,
        /// What the registry said, shortened.
        reason: String,
        /// What is to be done.
        fix: &'static str,
    },
    /// It names another digest, and was to be left then.
    #[error("{what} names {found} already, and is left so")]
    Taken {
        /// The tag.
        what: String,
        /// What it names.
        found: Digest,
    },
    /// The registry gave no answer to go by.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// How the removal of an anchor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untagged {
    /// It is not there any more.
    Gone,
    /// It stays; why. This is an answer, and not asked for again.
    Kept(String),
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

    /// Those of `expected` that name this digest, at most [`TAGS_ASKED_MAX`] of them asked for, and once: it may be told
    /// from memory, and is where `expected` is empty. There may be others, for no registry tells all tags of a digest.
    async fn tags_on(
        &self,
        repository: &Repository,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError>;

    /// Whether the manifest of this digest, and the manifest and configuration of each of its platforms, is there.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] names what is missing; every other error means "unknown".
    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError>;

    /// A signature of this digest by one of these: by a key, verified here, or by an identity, verified by cosign. A good
    /// one is good for ever and may be told from memory; where there was none, it is asked for again.
    ///
    /// # Errors
    /// [`SignatureError`]: no signature counts, for whatever reason.
    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        signers: &Signers,
    ) -> Result<Verified, SignatureError>;

    /// Whether somebody is named who may set tags at the registry of this repository: reading and writing are done by
    /// identities of their own.
    ///
    /// # Errors
    /// [`RegistryError`] if it is not known who that is.
    async fn may_tag(&self, _repository: &Repository) -> Result<bool, RegistryError> {
        Ok(false)
    }

    /// Sets a tag, by writing the bytes of the digest's manifest under it, and reads it back. Returns what it named before;
    /// where that was the digest, nothing is written.
    ///
    /// # Errors
    /// [`TagError`] by what has to happen before it can be tried again.
    async fn tag(
        &self,
        repository: &Repository,
        _digest: Digest,
        tag: &Tag,
        _taken: Taken,
    ) -> Result<Option<Digest>, TagError> {
        Err(TagError::NoIdentity { what: format!("{repository}:{tag}") })
    }

    /// Removes the anchor of a digest, and no other tag; never a manifest.
    ///
    /// # Errors
    /// [`RegistryError`] where it is not known whether it is there.
    async fn untag(&self, _repository: &Repository, _digest: Digest) -> Result<Untagged, RegistryError> {
        Ok(Untagged::Kept("nobody may write there".to_owned()))
    }
}
