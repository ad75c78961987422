//! Signatures without a key of one's own: a certificate says who signed. cosign verifies them; what it says is read here.

use serde::{Deserialize, Serialize};

use super::ClaimError;
use super::claim::{Payload, SIGNATURE_PREDICATE, SIMPLE_TYPE};
use crate::image::Digest;

/// Whose certificate has to have signed: the identity in it, and who vouched for that.
///
/// The identity is the whole text. Where it is one of a workflow it may end in `*` behind `@refs/tags/` or `@refs/heads/`,
/// for each tag has an identity of its own. There is no other pattern: one that is not anchored, or in which a dot stands
/// for every letter, lets strangers in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Keyless {
    identity: String,
    issuer: String,
}

/// The texts say of nobody who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeylessError {
    /// The identity is none.
    #[error(
        "wanted the identity in the certificate, 1 to {TEXT_BYTES_MAX} visible ASCII characters without quotes, backslashes \
         and angle brackets"
    )]
    Identity,
    /// There is a `*` where none may be.
    #[error(
        "wanted an exact identity, or one of a workflow that ends in `*` behind `@refs/tags/` or `@refs/heads/`, found `*` \
         elsewhere"
    )]
    Open,
    /// The issuer is none.
    #[error("wanted the issuer as `https://…`, as it stands in the certificate")]
    Issuer,
}

/// Longest identity or issuer: those of workflows have some hundred bytes.
const TEXT_BYTES_MAX: usize = 500;
/// Behind which a reference may be left open.
const OPEN_REFERENCES: [&str; 2] = ["refs/tags/", "refs/heads/"];

impl Keyless {
    /// Takes both as they stand.
    ///
    /// # Errors
    /// [`KeylessError`] says which is none.
    pub fn new(identity: &str, issuer: &str) -> Result<Self, KeylessError> {
        if !is_text(identity) {
            return Err(KeylessError::Identity);
        }
        let stem = identity.strip_suffix('*');
        if stem.unwrap_or(identity).contains('*') || stem.is_some_and(|stem| !is_workflow(stem)) {
            return Err(KeylessError::Open);
        }
        let host = issuer.strip_prefix("https://").filter(|_| is_text(issuer) && !issuer.contains('*'));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(KeylessError::Issuer);
        }
        Ok(Self { identity: identity.to_owned(), issuer: issuer.to_owned() })
    }

    /// The identity, perhaps with `*` at its end.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// With what the identity has to begin, where its end is left open.
    #[must_use]
    pub fn stem(&self) -> Option<&str> {
        self.identity.strip_suffix('*')
    }

    /// Who vouches for the identity, an address.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Whether what `cosign verify --output json` printed holds a signature of this digest: cosign has verified who made each,
/// and prints attestations of the same identity as well, which say something else.
///
/// Source: cosign 2 and 3, `cmd/cosign/cli/verify/verify.go`: a list of payloads of simple signing; of a bundle, `type` is
/// its predicate.
///
/// # Errors
/// [`ClaimError`]: it counts for nothing.
pub fn told(printed: &[u8], digest: Digest) -> Result<(), ClaimError> {
    let payloads: Vec<Payload> = serde_json::from_slice(printed)
        .map_err(|_| ClaimError::Malformed("what cosign printed is no list of payloads"))?;
    let of_it = |payload: &&Payload| payload.critical.image.digest == digest.to_string();
    let is_signature =
        |payload: &Payload| [SIMPLE_TYPE, SIGNATURE_PREDICATE].contains(&payload.critical.kind.as_str());
    match (payloads.iter().filter(of_it).any(is_signature), payloads.iter().any(|payload| of_it(&payload))) {
        (true, _) => Ok(()),
        (false, true) => Err(ClaimError::Attestation),
        (false, false) if payloads.is_empty() => {
            Err(ClaimError::Malformed("what cosign printed is an empty list"))
        }
        (false, false) => Err(ClaimError::OtherDigest),
    }
}

fn is_text(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"`\"\\<>".contains(&byte);
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_fit)
}

/// Whether this is the identity of a workflow up to its branch or tag.
fn is_workflow(stem: &str) -> bool {
    let parts = stem.strip_prefix("https://").and_then(|rest| rest.split_once('@'));
    parts.is_some_and(|(file, reference)| {
        file.contains('/') && OPEN_REFERENCES.iter().any(|open| reference.starts_with(open))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKFLOW: &str = "https://git.example/acme/web/.ci/release.yml@refs/tags/";
    const ISSUER: &str = "https://issuer.example";

    #[test]
    fn an_identity_is_exact_but_for_the_tag_of_a_workflow() {
        for (identity, want) in [
            ("kim@example.com", Ok(None)),
            ("https://git.example/acme/web/.ci/release.yml@refs/heads/main", Ok(None)),
            (&format!("{WORKFLOW}*"), Ok(Some(WORKFLOW))),
            (&format!("{WORKFLOW}v1.*"), Ok(Some(&*format!("{WORKFLOW}v1.")))),
            ("https://git.example/web.yml@refs/heads/*", Ok(Some("https://git.example/web.yml@refs/heads/"))),
            ("*", Err(KeylessError::Open)),
            ("https://git.example/acme/*", Err(KeylessError::Open)),
            ("https://git.example/acme/web.yml@refs/*", Err(KeylessError::Open)),
            ("https://git.example@refs/tags/*", Err(KeylessError::Open)),
            ("http://git.example/web.yml@refs/tags/*", Err(KeylessError::Open)),
            ("https://git.example/*/web.yml@refs/tags/*", Err(KeylessError::Open)),
            ("https://git.example/web.yml@refs/tags/**", Err(KeylessError::Open)),
            ("", Err(KeylessError::Identity)),
            ("kim example", Err(KeylessError::Identity)),
            ("kim`s", Err(KeylessError::Identity)),
            ("kím@example.com", Err(KeylessError::Identity)),
            (&"k".repeat(TEXT_BYTES_MAX), Ok(None)),
            (&"k".repeat(TEXT_BYTES_MAX + 1), Err(KeylessError::Identity)),
        ] {
            let made = Keyless::new(identity, ISSUER);
            assert_eq!(made.as_ref().map(Keyless::stem).map_err(|error| *error), want, "{identity}");
        }
        for issuer in [
            "",
            "https://",
            "https:///x",
            "http://issuer.example",
            "issuer.example",
            "https://a b",
            "https://*",
        ] {
            assert_eq!(Keyless::new("kim@example.com", issuer), Err(KeylessError::Issuer), "{issuer}");
        }
    }

    #[test]
    fn only_a_signature_of_the_digest_counts_of_what_cosign_printed() {
        let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
        let one = |kind: &str, digest: Digest| {
            format!(
                r#"{{"critical":{{"identity":{{"docker-reference":"elsewhere"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":{{"Subject":"kim"}}}}"#
            )
        };
        let (simple, bundle) = (one(SIMPLE_TYPE, image), one(SIGNATURE_PREDICATE, image));
        let provenance = one("https://slsa.dev/provenance/v1", image);
        for (printed, want) in [
            (format!("\n[{simple}]\n"), Ok(())),
            (format!("[{bundle}]"), Ok(())),
            (format!("[{provenance},{},{bundle}]", one(SIMPLE_TYPE, other)), Ok(())),
            (format!("[{provenance}]"), Err(ClaimError::Attestation)),
            (format!("[{}]", one(SIMPLE_TYPE, other)), Err(ClaimError::OtherDigest)),
            (format!("[{}]", simple.replace("sha256:", "SHA256:")), Err(ClaimError::OtherDigest)),
        ] {
            assert_eq!(told(printed.as_bytes(), image), want, "{printed}");
        }
        let odd = format!("[{simple}] x");
        for printed in
            ["", "null", "[]", "{}", "[null]", "[{}]", "Verified OK", simple.as_str(), odd.as_str()]
        {
            assert!(matches!(told(printed.as_bytes(), image), Err(ClaimError::Malformed(_))), "{printed}");
        }
    }
}
