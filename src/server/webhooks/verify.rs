//! Who may tell us things: secrets, compared in constant time over the raw bytes.

use std::fmt;

use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// A secret that the sender knows too; never empty, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A secret without a character would accept everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty")]
pub struct EmptySecret;

/// How deliveries are authenticated. Several secrets are accepted at once, so that they can be rotated; without any,
/// nobody is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// A header holds one of the secrets: `Authorization: Bearer …`, for senders that cannot sign.
    Header {
        /// The header's name.
        name: HeaderName,
        /// Whole values, the scheme included.
        values: Vec<Secret>,
    },
    /// A header holds `sha256=` and the HMAC-SHA256 of the body in lower-case hex.
    Hmac {
        /// The header's name, such as `X-Signature`.
        header: HeaderName,
        /// The keys.
        secrets: Vec<Secret>,
    },
}

/// What stands before the hex digits of a signature.
const SIGNATURE_PREFIX: &str = "sha256=";

impl Secret {
    /// Takes a secret as it stands; white space alone counts as empty.
    ///
    /// # Errors
    /// [`EmptySecret`].
    pub fn new(text: impl Into<String>) -> Result<Self, EmptySecret> {
        let text = text.into();
        if text.trim().is_empty() { Err(EmptySecret) } else { Ok(Self(text)) }
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

impl Authentication {
    /// Whether a delivery with these headers and this body comes from somebody who knows a secret.
    ///
    /// The header has to be there exactly once: a second one would be somebody else's addition. Every secret is
    /// compared, so that the time taken says nothing of which one, or how much of it, was right.
    #[must_use]
    pub fn accepts(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        match self {
            Self::Header { name, values } => {
                only(headers, name).is_some_and(|found| any(values, |value| is_equal(value.bytes(), found)))
            }
            Self::Hmac { header, secrets } => {
                let signature = only(headers, header).and_then(signature);
                signature.is_some_and(|found| any(secrets, |secret| is_signature(secret, body, &found)))
            }
        }
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

fn any(secrets: &[Secret], is_right: impl Fn(&Secret) -> Choice) -> bool {
    secrets.iter().fold(Choice::from(0), |found, secret| found | is_right(secret)).into()
}

/// Compares digests of both sides, which have one length whatever the lengths of the texts.
fn is_equal(expected: &[u8], found: &[u8]) -> Choice {
    Sha256::digest(expected).ct_eq(&Sha256::digest(found))
}

fn signature(value: &[u8]) -> Option<[u8; 32]> {
    let hex = value.strip_prefix(SIGNATURE_PREFIX.as_bytes())?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(bytes)
}

fn is_signature(secret: &Secret, body: &[u8], found: &[u8; 32]) -> Choice {
    // HMAC takes keys of any length, so the error case does not occur; it refuses.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.bytes()) else { return Choice::from(0) };
    Choice::from(u8::from(mac.chain_update(body).verify_slice(found).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        texts.iter().map(|text| Secret::new(*text).unwrap()).collect()
    }

    fn check(authentication: &Authentication, sent: &[(&'static str, &str)], body: &[u8], want: bool) {
        let pairs = sent.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(name, value);
        });
        assert_eq!(authentication.accepts(&headers, body), want, "{sent:?}");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        for text in ["", " ", "\n"] {
            assert_eq!(Secret::new(text), Err(EmptySecret));
        }
        assert_eq!(format!("{:?}", Secret::new("s3cret").unwrap()), "Secret(hidden)");
    }

    #[test]
    fn a_header_has_to_hold_one_of_the_secrets() {
        let name = HeaderName::from_static("authorization");
        let both =
            Authentication::Header { name: name.clone(), values: secrets(&["Bearer old", "Bearer new"]) };
        check(&both, &[("authorization", "Bearer old")], b"", true);
        check(&both, &[("authorization", "Bearer new")], b"", true);
        for wrong in ["Bearer ol", "Bearer oldx", "bearer old", "old", ""] {
            check(&both, &[("authorization", wrong)], b"", false);
        }
        check(&both, &[], b"", false);
        check(&both, &[("x-other", "Bearer old")], b"", false);
        check(&both, &[("authorization", "Bearer old"), ("authorization", "Bearer new")], b"", false);
        check(&Authentication::Header { name, values: Vec::new() }, &[("authorization", "")], b"", false);
    }

    /// The HMAC values are those of RFC 4231, test case 2.
    #[test]
    fn a_signature_is_over_the_bytes_as_they_came() {
        let header = HeaderName::from_static("x-signature");
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let signed = format!("sha256={hex}");
        for keys in [&["Jefe"][..], &["other", "Jefe"], &["Jefe", "other"]] {
            let hmac = Authentication::Hmac { header: header.clone(), secrets: secrets(keys) };
            check(&hmac, &[("x-signature", &signed)], body, true);
            check(&hmac, &[("x-signature", &signed)], b"what do ya want for nothing? ", false);
        }
        let rotated_out = Authentication::Hmac { header: header.clone(), secrets: secrets(&["other"]) };
        check(&rotated_out, &[("x-signature", &signed)], body, false);
        let hmac = Authentication::Hmac { header, secrets: secrets(&["Jefe"]) };
        for forged in [
            "",
            "sha256=",
            hex,
            "sha1=5bdc",
            &signed[..70],
            &format!("{signed}00"),
            &signed.replace('5', "6"),
        ] {
            check(&hmac, &[("x-signature", forged)], body, false);
        }
        check(&hmac, &[], body, false);
    }
}
