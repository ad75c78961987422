//! A signature as a registry keeps it: bytes of strangers, until a key proves them.
//!
//! First the signature is verified, over the bytes as they are; only what it covers is read then.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::{PublicKey, Scheme, Signed};
use crate::image::Digest;

/// What may be a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A payload of simple signing and the signature beside it.
    ///
    /// Source: cosign's signature specification (`SIGNATURE_SPEC.md`), sections "Payload" and "Storage".
    Simple {
        /// The payload's bytes, JSON.
        payload: Vec<u8>,
        /// The signature over them, base64.
        signature: String,
    },
    /// A sigstore bundle, JSON, with a DSSE envelope.
    ///
    /// Source: cosign's bundle specification (`BUNDLE_SPEC.md`), version 0.3; DSSE, protocol version 1.0.2.
    Bundle(Vec<u8>),
}

/// Why a claim counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// It cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The keys asked for did not make it.
    #[error("none of these keys made it")]
    OtherKey,
    /// It was made for another digest.
    #[error("it was made for another digest")]
    OtherDigest,
    /// It says something about the image, and is no signature of it.
    #[error("it is an attestation and no signature")]
    Attestation,
}

/// Most signatures of one envelope: cosign writes one.
const ENVELOPE_SIGNATURES_MAX: usize = 8;
/// What a payload of simple signing says that it is.
pub(super) const SIMPLE_TYPE: &str = "cosign container image signature";
const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate of a plain signature; others are attestations, by which the same key says other things.
pub(super) const SIGNATURE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
pub(super) struct Payload {
    pub(super) critical: Critical,
}

/// The name in it (`identity.docker-reference`) is not looked at: images are copied and keep their signatures.
#[derive(Deserialize)]
pub(super) struct Critical {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) image: Subject,
}

#[derive(Deserialize)]
pub(super) struct Subject {
    #[serde(rename = "docker-manifest-digest")]
    pub(super) digest: String,
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "dsseEnvelope")]
    envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
    subject: Vec<StatementSubject>,
}

#[derive(Deserialize)]
struct StatementSubject {
    digest: BTreeMap<String, String>,
}

impl Claim {
    /// Verifies it as a signature of this digest by one of these keys.
    ///
    /// # Errors
    /// Why it counts for nothing.
    pub fn check(&self, digest: Digest, keys: &[PublicKey]) -> Result<Signed, ClaimError> {
        match self {
            Self::Simple { payload, signature } => simple(payload, signature, digest, keys),
            Self::Bundle(bytes) => bundle(bytes, digest, keys),
        }
    }
}

fn simple(payload: &[u8], signature: &str, digest: Digest, keys: &[PublicKey]) -> Result<Signed, ClaimError> {
    let signature =
        decoded(signature.trim()).ok_or(ClaimError::Malformed("its signature is not in base64"))?;
    let key = signer(payload, &[signature], keys)?;
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|_| ClaimError::Malformed("its payload is none of simple signing"))?;
    if payload.critical.kind != SIMPLE_TYPE {
        return Err(ClaimError::Malformed("its payload is none of cosign's"));
    }
    if payload.critical.image.digest != digest.to_string() {
        return Err(ClaimError::OtherDigest);
    }
    Ok(Signed { key, scheme: Scheme::Tag })
}

fn bundle(bytes: &[u8], digest: Digest, keys: &[PublicKey]) -> Result<Signed, ClaimError> {
    let bundle: Bundle =
        serde_json::from_slice(bytes).map_err(|_| ClaimError::Malformed("it is no bundle"))?;
    let envelope = bundle.envelope.ok_or(ClaimError::Malformed("its bundle has no envelope"))?;
    if envelope.payload_type != STATEMENT_PAYLOAD_TYPE {
        return Err(ClaimError::Malformed(
            "its payload is of another type than `application/vnd.in-toto+json`",
        ));
    }
    let payload = decoded(&envelope.payload).ok_or(ClaimError::Malformed("its payload is not in base64"))?;
    let signatures = envelope.signatures.iter().take(ENVELOPE_SIGNATURES_MAX);
    let signatures: Vec<Vec<u8>> = signatures.filter_map(|signature| decoded(&signature.sig)).collect();
    let key = signer(&authenticated(&envelope.payload_type, &payload), &signatures, keys)?;
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|_| ClaimError::Malformed("its payload is no statement"))?;
    if statement.kind != STATEMENT_TYPE {
        return Err(ClaimError::Malformed("its statement is of another type than in-toto's version 1"));
    }
    if statement.predicate_type != SIGNATURE_PREDICATE {
        return Err(ClaimError::Attestation);
    }
    let hex = digest.hex();
    let is_it = |subject: &StatementSubject| subject.digest.get("sha256") == Some(&hex);
    if !statement.subject.iter().any(is_it) {
        return Err(ClaimError::OtherDigest);
    }
    Ok(Signed { key, scheme: Scheme::Bundle })
}

/// The first of the keys that made one of the signatures.
fn signer(message: &[u8], signatures: &[Vec<u8>], keys: &[PublicKey]) -> Result<Digest, ClaimError> {
    let has_signed = |key: &&PublicKey| signatures.iter().any(|signature| key.has_signed(message, signature));
    keys.iter().find(has_signed).map(PublicKey::id).ok_or(ClaimError::OtherKey)
}

/// What an envelope's signature covers.
///
/// Source: DSSE, protocol version 1.0.2, section "Signature Definition": the pre-authentication encoding.
fn authenticated(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The bytes of base64, in either alphabet, with or without its end (DSSE demands that readers take both).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let by = |alphabet: &Alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    by(&STANDARD).or_else(|| by(&URL_SAFE))
}
