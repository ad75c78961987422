//! Bearer tokens of an identity service.

use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Sent, only};
use crate::settings::{KeySet, TokenRules};

/// What a token says.
///
/// Source: OpenID Connect Core 1.0, sections 2 and 5.1; Google's "Authenticate push subscriptions" of Pub/Sub.
#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(rename = "aud")]
    audience: String,
    /// The second from which it does not count any more, since 1970 in UTC.
    #[serde(rename = "exp")]
    expires_at: i64,
    email: String,
    email_verified: bool,
}

/// Longest token; those of Google have about a kilobyte.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Whether a token was sent that is signed, still counts, and says what it has to.
pub(super) fn is_right(rules: &TokenRules, sent: &Sent<'_>) -> bool {
    let claims = bearer(sent.headers).and_then(|token| signed_claims(rules, token));
    claims.is_some_and(|claims| {
        claims.issuer == rules.issuer
            && claims.audience == rules.audience
            && claims.email == rules.email
            && claims.email_verified
            && claims.expires_at > sent.at.as_second()
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = std::str::from_utf8(only(headers, &header::AUTHORIZATION)?).ok()?;
    value.strip_prefix("Bearer ").filter(|token| token.len() <= TOKEN_BYTES_MAX)
}

/// What a token says that one of the keys signed by RS256. The file of the keys is read for each: services change their
/// keys every few days, and whatever renews the file is not to know us.
fn signed_claims(rules: &TokenRules, token: &str) -> Option<Claims> {
    let named = decode_header(token).ok().filter(|found| found.alg == Algorithm::RS256)?.kid?;
    let keys = KeySet::read(&rules.keys_file);
    let keys =
        keys.inspect_err(|reason| tracing::error!(%reason, "no keys, so that no token counts")).ok()?;
    let key = keys.find(&named)?;
    let key = DecodingKey::from_rsa_components(&key.modulus, &key.exponent).ok()?;
    let mut signature = Validation::new(Algorithm::RS256);
    // The claims are compared above, by our clock.
    signature.required_spec_claims.clear();
    (signature.validate_exp, signature.validate_aud) = (false, false);
    decode::<Claims>(token, &key, &signature).ok().map(|token| token.claims)
}
