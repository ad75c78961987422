//! Signatures of images, as cosign writes them: by public keys, which are verified here, and by certificates, which cosign
//! verifies.
//!
//! Only bytes are looked at here; where they are kept is the registry's affair. A signature counts for one digest: that
//! of the index or manifest that is pinned. One on an index covers its platforms, one on a platform covers no index.

mod claim;
mod key;
mod keyless;

pub use claim::{Claim, ClaimError};
pub use key::{PublicKey, PublicKeyError};
pub use keyless::{Keyless, KeylessError, told};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// Who may sign an image; one of them is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signers {
    /// Public keys.
    pub keys: Vec<PublicKey>,
    /// Identities in certificates.
    pub keyless: Vec<Keyless>,
}

/// Who signed an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// A key; verified here.
    Key(Signed),
    /// Who holds a certificate with this identity; cosign says so.
    Keyless(Keyless),
}

impl Signers {
    /// Holders of these keys alone.
    #[must_use]
    pub fn of_keys(keys: &[PublicKey]) -> Self {
        Self { keys: keys.to_vec(), keyless: Vec::new() }
    }

    /// Whether what was verified was made by one of them.
    #[must_use]
    pub fn have(&self, verified: &Verified) -> bool {
        match verified {
            Verified::Key(signed) => self.keys.iter().any(|key| key.id() == signed.key),
            Verified::Keyless(keyless) => self.keyless.contains(keyless),
        }
    }
}

/// A signature by a key that was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The id of the key that made it.
    pub key: Digest,
    /// The form in which it is kept.
    pub scheme: Scheme,
}

/// The form in which a signature is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// A layer of the tag `sha256-<hex>.sig`, with a payload of simple signing.
    Tag,
    /// A sigstore bundle that refers to the image, with an in-toto statement.
    Bundle,
}

impl fmt::Display for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tag => "tag",
            Self::Bundle => "bundle",
        })
    }
}

#[cfg(test)]
mod tests;
