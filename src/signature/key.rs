//! Public keys, as cosign makes them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::image::Digest;

/// An ECDSA key on the curve P-256: what `cosign generate-key-pair` makes.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: Digest,
    point: Vec<u8>,
}

/// The text is no key that can be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// It is not one block of PEM with a public key.
    #[error("wanted a public key in PEM (`{BEGIN}`), found {found}")]
    NoPem {
        /// What it is instead.
        found: &'static str,
    },
    /// It is a key of another kind.
    #[error("wanted an ECDSA key on the curve P-256, as cosign makes it, found {found}")]
    Algorithm {
        /// Which.
        found: &'static str,
    },
    /// Its numbers are no point of the curve.
    #[error("wanted an ECDSA key on the curve P-256, found one whose point is not on it")]
    Point,
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// What stands before the 65 bytes of an uncompressed point on P-256.
///
/// Source: RFC 5480, sections 2.1.1 and 2.2: a `SubjectPublicKeyInfo` with `id-ecPublicKey` and `secp256r1`.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Object identifiers in DER by which other kinds of keys are told, so that people read what they have.
///
/// Source: RFC 8017 (RSA), RFC 8410 (Ed25519), RFC 5480 (the curves).
const OTHERS: [(&[u8], &str); 5] = [
    (&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "an RSA key"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], "an Ed25519 key"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], "one on the curve P-384"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], "one on the curve P-521"),
    (&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "one with a compressed point"),
];

impl PublicKey {
    /// The SHA-256 of the key's DER bytes: what `openssl pkey -pubin -outform DER | sha256sum` prints.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Whether this key made the signature (ASN.1, over the SHA-256 of the message).
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point).verify(message, signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let inner = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let inner = inner.ok_or_else(|| PublicKeyError::NoPem { found: found(text) })?;
        let base64: String = inner.split_ascii_whitespace().collect();
        let der =
            STANDARD.decode(base64).map_err(|_| PublicKeyError::NoPem { found: "a block without base64" })?;
        let point = match der.strip_prefix(&P256_PREFIX) {
            Some(point) if point.len() == 65 => point,
            _ => return Err(PublicKeyError::Algorithm { found: other(&der) }),
        };
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| PublicKeyError::Point)?;
        Ok(Self { id: Digest::of(&der), point: point.to_owned() })
    }
}

/// What stands there instead of a public key. Nothing of it is repeated: it may be a secret.
fn found(text: &str) -> &'static str {
    if text.contains("PRIVATE KEY-----") {
        "a private key: whoever can read this can sign now, so make a new pair"
    } else if text.contains("-----BEGIN CERTIFICATE-----") {
        "a certificate"
    } else if text.contains("-----BEGIN ") {
        "another kind of PEM, or more than one block"
    } else {
        "a text that is no PEM"
    }
}

fn other(der: &[u8]) -> &'static str {
    let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    OTHERS.iter().find(|(oid, _)| has(oid)).map_or("another kind", |(_, name)| name)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PublicKey").field(&self.id).finish()
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}
