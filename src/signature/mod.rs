//! Signatures of images by public keys, as cosign writes them: what is verified, and what of it has to be true.
//!
//! Only bytes are looked at here; where they are kept is the registry's affair. A signature counts for one digest: that
//! of the index or manifest that is pinned. One on an index covers its platforms, one on a platform covers no index.

mod claim;
mod key;

pub use claim::{Claim, ClaimError};
pub use key::{PublicKey, PublicKeyError};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// A signature that was verified.
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
