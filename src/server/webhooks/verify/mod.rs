//! Who may tell us things: secrets, compared in constant time over the raw bytes, and signed tokens.

mod token;

use std::fmt;

use hmac::{Hmac, Mac as _};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::Sent;
pub use crate::settings::SignatureForm;
use crate::settings::TokenRules;

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
    /// A header holds the HMAC of the body in hex.
    Hmac {
        /// The header's name, such as `X-Signature`.
        header: HeaderName,
        /// How it is made and written.
        form: SignatureForm,
        /// The keys.
        secrets: Vec<Secret>,
    },
    /// The last part of the address is one of the secrets, for senders that can show nothing else.
    Address {
        /// The secrets.
        secrets: Vec<Secret>,
    },
    /// A bearer token of an identity service, signed by one of its keys.
    Token(TokenRules),
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
    /// Whether a delivery may be accepted, by all of it but its body: others are not read.
    #[must_use]
    pub fn may_accept(&self, head: &Sent<'_>) -> bool {
        match self {
            Self::Header { .. } | Self::Address { .. } => self.accepts(head),
            Self::Hmac { header, form, .. } => {
                only(head.headers, header).is_some_and(|value| signature(*form, value).is_some())
            }
            // The whole check reads a file and verifies a signature, once.
            Self::Token(_) => only(head.headers, &AUTHORIZATION).is_some(),
        }
    }

    /// Whether a delivery with these headers and this body comes from somebody who knows a secret.
    ///
    /// The header has to be there exactly once: a second one would be somebody else's addition. Every secret is
    /// compared, so that the time taken says nothing of which one, or how much of it, was right.
    #[must_use]
    pub fn accepts(&self, sent: &Sent<'_>) -> bool {
        let is_one_of =
            |secrets: &[Secret], found: &[u8]| any(secrets, |secret| is_equal(secret.bytes(), found));
        match self {
            Self::Header { name, values } => {
                only(sent.headers, name).is_some_and(|found| is_one_of(values, found))
            }
            Self::Hmac { header, form, secrets } => {
                let signature = only(sent.headers, header).and_then(|value| signature(*form, value));
                signature.is_some_and(|found| {
                    any(secrets, |secret| is_signature(*form, secret, sent.body, &found))
                })
            }
            Self::Address { secrets } => {
                sent.address_secret.is_some_and(|found| is_one_of(secrets, found.as_bytes()))
            }
            Self::Token(rules) => token::is_right(rules, sent),
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

fn signature(form: SignatureForm, value: &[u8]) -> Option<Vec<u8>> {
    let hex = match form {
        SignatureForm::NamedSha256 => value.strip_prefix(SIGNATURE_PREFIX.as_bytes())?,
        SignatureForm::Sha256 | SignatureForm::Sha1 => value,
    };
    hex::decode(hex).ok()
}

/// One of another length is none.
fn is_signature(form: SignatureForm, secret: &Secret, body: &[u8], found: &[u8]) -> Choice {
    // HMAC takes keys of any length, so the error case does not occur; it refuses.
    let is_right = match form {
        SignatureForm::NamedSha256 | SignatureForm::Sha256 => Hmac::<Sha256>::new_from_slice(secret.bytes())
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(found).is_ok()),
        SignatureForm::Sha1 => Hmac::<Sha1>::new_from_slice(secret.bytes())
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(found).is_ok()),
    };
    Choice::from(u8::from(is_right))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

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
        let arrived = Sent::new(&headers, body, Timestamp::UNIX_EPOCH);
        assert_eq!(authentication.accepts(&arrived), want, "{sent:?}");
    }

    fn hmac(form: SignatureForm, keys: &[&str]) -> Authentication {
        Authentication::Hmac { header: HeaderName::from_static("x-signature"), form, secrets: secrets(keys) }
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
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let signed = format!("sha256={hex}");
        for keys in [&["Jefe"][..], &["other", "Jefe"], &["Jefe", "other"]] {
            let hmac = hmac(SignatureForm::NamedSha256, keys);
            check(&hmac, &[("x-signature", &signed)], body, true);
            check(&hmac, &[("x-signature", &signed)], b"what do ya want for nothing? ", false);
        }
        check(&hmac(SignatureForm::NamedSha256, &["other"]), &[("x-signature", &signed)], body, false);
        let hmac = hmac(SignatureForm::NamedSha256, &["Jefe"]);
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

    /// The values are those of RFC 2202 and RFC 4231, test case 2 of each.
    #[test]
    fn each_form_of_a_signature_is_that_form_alone() {
        let body = b"what do ya want for nothing?";
        let long = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let short = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        let named = format!("sha256={long}");
        for (form, right) in [
            (SignatureForm::NamedSha256, named.as_str()),
            (SignatureForm::Sha256, long),
            (SignatureForm::Sha1, short),
        ] {
            for sent in [&named, long, short, &format!("sha1={short}"), "Jefe", "", &long[..40]] {
                check(&hmac(form, &["other", "Jefe"]), &[("x-signature", sent)], body, sent == right);
            }
        }
    }

    #[test]
    fn an_address_has_to_end_in_one_of_the_secrets() {
        let both = Authentication::Address { secrets: secrets(&["old", "new"]) };
        let headers = HeaderMap::new();
        for (address_secret, want) in
            [(Some("old"), true), (Some("new"), true), (Some("ol"), false), (Some(""), false), (None, false)]
        {
            let sent = Sent { address_secret, ..Sent::new(&headers, b"", Timestamp::UNIX_EPOCH) };
            assert_eq!(both.accepts(&sent), want, "{address_secret:?}");
        }
    }
}
