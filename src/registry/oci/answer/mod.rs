//! What a registry's answer means: the bytes, or one of our errors.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oci_client::errors::OciEnvelope;
use reqwest::Response;

use super::challenge::Challenge;
use super::session::Wrote;
use crate::image::Digest;
use crate::registry::RegistryError;
use crate::registry::credentials::CredentialsError;

/// A good answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// How much of an error's body is read: codes and messages stand within the first lines.
const ERROR_BYTES_MAX: usize = 16 * 1024;
/// How much of what a registry says is passed on, in characters.
const REASON_CHARACTERS_MAX: usize = 200;
/// The longest wait taken from a `Retry-After`, in seconds: a proxy that asks for days must not silence a registry.
const RETRY_AFTER_SECONDS_MAX: u64 = 3600;

/// Reads an answer of at most `bytes_max` bytes, or says what it means that there is none.
///
/// # Errors
/// [`RegistryError`], by status and error code.
pub(super) async fn read(response: Response, bytes_max: usize, what: &str) -> Result<Answer, RegistryError> {
    let status = response.status();
    if status == StatusCode::OK {
        let headers = response.headers().clone();
        return match body(response, bytes_max).await.map_err(|error| unavailable(&error, what))? {
            (body, Extent::Whole) => Ok(Answer { headers, body }),
            (_, Extent::Cut) => Err(untrusted(what, format!("it is longer than {bytes_max} bytes"))),
        };
    }
    let retry_after = retry_after(response.headers());
    let (text, _) = body(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    Err(refusal(status, &text, retry_after, what))
}

/// What the registry wants to be told before it answers, by its answer to `GET /v2/`.
///
/// # Errors
/// [`RegistryError::Unavailable`] where it gave no answer that says so.
pub(super) async fn challenge(ping: Response, what: &str) -> Result<Challenge, RegistryError> {
    let (status, headers) = (ping.status(), ping.headers().clone());
    let (text, _) = body(ping, ERROR_BYTES_MAX).await.unwrap_or_default();
    match status {
        status if status.is_success() => Ok(Challenge::None),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Ok(Challenge::of(&headers))
        }
        status => Err(refusal(status, &text, retry_after(&headers), what)),
    }
}

/// How a write ended.
///
/// # Errors
/// [`RegistryError::Unavailable`] where it may be tried again.
pub(super) async fn wrote(response: Response, what: &str) -> Result<Wrote, RegistryError> {
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    if status.is_success() {
        return Ok(Wrote::Done);
    }
    let (text, _) = body(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    match refusal(status, &text, retry_after, what) {
        error @ RegistryError::Unavailable { .. } => Err(error),
        RegistryError::Denied { reason, .. } | RegistryError::Untrusted { reason, .. } => {
            Ok(Wrote::Refused { status, reason })
        }
        RegistryError::NotFound { what } => {
            Ok(Wrote::Refused { status, reason: format!("it does not know {what}") })
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Extent {
    #[default]
    Whole,
    Cut,
}

/// The first `bytes_max` bytes of the body. The announced length is not trusted, nor waited for.
async fn body(mut response: Response, bytes_max: usize) -> Result<(Bytes, Extent), reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let rest = bytes_max.saturating_sub(bytes.len());
        bytes.extend_from_slice(chunk.get(..rest).unwrap_or(&chunk));
        if chunk.len() > rest {
            return Ok((bytes.into(), Extent::Cut));
        }
    }
    Ok((bytes.into(), Extent::Whole))
}

/// What a status other than 200 means.
///
/// Source: OCI distribution specification 1.1, section "Error Codes". A 404 counts as "not there" only in the
/// specification's form: a proxy's or a login page's 404 says nothing about the image.
fn refusal(status: StatusCode, body: &[u8], retry_after: Option<Duration>, what: &str) -> RegistryError {
    let envelope: Option<OciEnvelope> = serde_json::from_slice(body).ok();
    let is_oci_error = envelope.as_ref().is_some_and(|envelope| !envelope.errors.is_empty());
    let reason = match envelope.as_ref().and_then(|envelope| envelope.errors.first()) {
        Some(error) => shortened(&format!("{status}, {}", error.message)),
        None if body.is_empty() => status.to_string(),
        None => shortened(&format!("{status}, {}", String::from_utf8_lossy(body))),
    };
    let what = what.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied { what, reason },
        StatusCode::NOT_FOUND if is_oci_error => RegistryError::NotFound { what },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            RegistryError::Unavailable { what, reason, retry_after }
        }
        status if status.is_server_error() => RegistryError::Unavailable { what, reason, retry_after },
        _ => RegistryError::Untrusted { what, reason },
    }
}

/// No answer at all: the connection, TLS or the transfer failed.
pub(super) fn unavailable(error: &reqwest::Error, what: &str) -> RegistryError {
    // The outer error repeats the address; the innermost says what happened.
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let reason = cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    RegistryError::Unavailable { what: what.to_owned(), reason: shortened(&reason), retry_after: None }
}

/// The reason may quote what a stranger sent, of whatever length.
pub(super) fn untrusted(what: &str, reason: impl AsRef<str>) -> RegistryError {
    RegistryError::Untrusted { what: what.to_owned(), reason: shortened(reason.as_ref()) }
}

pub(super) fn denied(what: &str, reason: String) -> RegistryError {
    RegistryError::Denied { what: what.to_owned(), reason }
}

/// The wait of a `Retry-After` (RFC 9110, section 10.2.3), at most an hour. A date is read against that of the answer, so
/// that no two clocks are compared.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().or_else(|| {
        let seconds = date(text)?.as_second() - date(headers.get(DATE)?.to_str().ok()?)?.as_second();
        u64::try_from(seconds).ok()
    })?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_SECONDS_MAX)))
}

/// Source: RFC 9110, section 5.6.7; `IMF-fixdate` is a form of RFC 2822's.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|date| date.timestamp())
}

/// The digest that the registry says this is, where it says so with our algorithm.
pub(super) fn claimed_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("Docker-Content-Digest")?.to_str().ok()?.parse().ok()
}

/// Without the credentials nothing is asked: an anonymous answer could read as "not there".
pub(super) fn no_credential(error: &CredentialsError, what: &str) -> RegistryError {
    let reason = error.to_string();
    match error {
        CredentialsError::File { .. } | CredentialsError::Helper { .. } => denied(what, reason),
        CredentialsError::Slow { .. } => {
            RegistryError::Unavailable { what: what.to_owned(), reason, retry_after: None }
        }
    }
}

/// One line of printable text.
fn shortened(text: &str) -> String {
    let printable = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(REASON_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
