//! How requests are signed, and for how long.

use std::time::{Duration, Instant};

use http::header::HeaderValue;
use serde::Deserialize;

/// How requests for one repository are signed, and until when.
#[derive(Clone)]
pub(super) struct SignIn {
    pub(super) authorization: Authorization,
    pub(super) until: Instant,
}

#[derive(Clone, PartialEq)]
pub(super) enum Authorization {
    None,
    Basic,
    Bearer(String),
}

/// A token server's answer.
///
/// Source: the distribution project's token authentication specification.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// How long a token lives whose server does not say; the specification's default.
const TOKEN_SECONDS_DEFAULT: u64 = 60;
/// How long a token is used at most.
pub(super) const SIGN_IN_SECONDS_MAX: u64 = 3600;

impl SignIn {
    /// A sign-in that is renewed after four fifths of its life.
    pub(super) fn lasting(authorization: Authorization, seconds: u64) -> Self {
        let life = Duration::from_secs(seconds.min(SIGN_IN_SECONDS_MAX)) * 4 / 5;
        Self { authorization, until: Instant::now() + life }
    }
}

/// The sign-in that a token server's answer is.
///
/// # Errors
/// Why it is none; the text never has the token.
pub(super) fn token_in(body: &[u8]) -> Result<SignIn, String> {
    // Not even the parser's message is passed on: it may quote the token.
    let answer: TokenAnswer =
        serde_json::from_slice(body).map_err(|_| "its token server sent no token".to_owned())?;
    let token = answer.token.or(answer.access_token).ok_or("its token server sent no token")?;
    // Said here, where it does not read as a fault of the network.
    HeaderValue::from_str(&token).map_err(|_| "its token fits into no header".to_owned())?;
    let seconds = answer.expires_in.unwrap_or(TOKEN_SECONDS_DEFAULT);
    Ok(SignIn::lasting(Authorization::Bearer(token), seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_either_field_and_has_to_fit_a_header() {
        for good in [
            r#"{"token":"t"}"#,
            r#"{"access_token":"t"}"#,
            r#"{"token":"t","access_token":"u","expires_in":300}"#,
        ] {
            let Authorization::Bearer(token) = token_in(good.as_bytes()).unwrap().authorization else {
                panic!("{good}")
            };
            assert_eq!(token, "t");
        }
        for bad in
            ["", "{}", r#"{"token":5}"#, r#"{"token":"s3cret\n"}"#, r#"{"token":"s3cret","expires_in":-1}"#]
        {
            let reason = token_in(bad.as_bytes()).err().unwrap();
            assert!(!reason.contains("s3cret"), "{reason}");
        }
    }
}
