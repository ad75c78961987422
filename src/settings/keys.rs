//! Public keys of an identity service, in a file.

use std::path::Path;

use serde::Deserialize;

use crate::bounded;

/// The RSA keys of a JWK set.
///
/// Source: RFC 7517, section 5, and RFC 7518, section 6.3. Keys of other types are for others, and left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

/// One RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// By what signatures name it.
    pub id: String,
    /// The modulus, in base64url.
    pub modulus: String,
    /// The exponent, in base64url.
    pub exponent: String,
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<WrittenKey>,
}

#[derive(Deserialize)]
struct WrittenKey {
    #[serde(rename = "kty")]
    kind: String,
    #[serde(rename = "kid")]
    id: Option<String>,
    #[serde(rename = "n")]
    modulus: Option<String>,
    #[serde(rename = "e")]
    exponent: Option<String>,
}

/// Largest file: a service has two to five keys, of half a kilobyte each.
const FILE_BYTES_MAX: u64 = 64 * 1024;

impl KeySet {
    /// The keys in a file.
    ///
    /// # Errors
    /// Why there are none, for people.
    pub fn read(file: &Path) -> Result<Self, String> {
        let named = |reason: String| format!("{}: {reason}", file.display());
        let text = bounded::read(file, FILE_BYTES_MAX).map_err(|error| named(error.to_string()))?;
        Self::parse(&text).map_err(named)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let written: Written =
            serde_json::from_slice(text).map_err(|error| format!("wanted a JWK set, found {error}"))?;
        let keys: Vec<PublicKey> = written.keys.into_iter().filter_map(WrittenKey::into_rsa).collect();
        if keys.is_empty() {
            Err("wanted an RSA key with a `kid`, found none".to_owned())
        } else {
            Ok(Self(keys))
        }
    }

    /// The key of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl WrittenKey {
    fn into_rsa(self) -> Option<PublicKey> {
        let (id, modulus, exponent) = (self.id?, self.modulus?, self.exponent?);
        (self.kind == "RSA").then_some(PublicKey { id, modulus, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_keys_are_found_by_their_ids() {
        let text = r#"{"keys":[{"kty":"EC","kid":"a","crv":"P-256"},{"kty":"RSA","kid":"b","n":"AQ","e":"AQAB","use":"sig"}]}"#;
        let keys = KeySet::parse(text.as_bytes()).unwrap();
        assert_eq!((keys.find("a"), keys.find("b").unwrap().exponent.as_str()), (None, "AQAB"));
        for (wrong, want) in [
            ("", "wanted a JWK set, found EOF"),
            (r#"{"keys":[]}"#, "found none"),
            (r#"{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}"#, "found none"),
            (r#"{"b":"-----BEGIN CERTIFICATE-----"}"#, "missing field `keys`"),
        ] {
            let error = KeySet::parse(wrong.as_bytes()).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
        assert!(KeySet::read(Path::new("/nowhere/keys")).unwrap_err().starts_with("/nowhere/keys: "));
    }
}
