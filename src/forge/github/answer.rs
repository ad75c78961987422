//! What GitHub's answer means: the bytes, or one of our errors.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::forge::ForgeError;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// GitHub's errors. `errors` has objects or texts, by endpoint.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

/// There is a next page, and its address does not tell which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoPage;

/// How much of what GitHub says is passed on, in characters.
const REASON_CHARACTERS_MAX: usize = 300;
/// How long to wait where GitHub says to slow down and not for how long.
///
/// Source: GitHub's documentation, "Best practices for using the REST API": at least one minute.
pub(super) const REST_DEFAULT: Duration = Duration::from_mins(1);
/// The longest wait taken from an answer; the primary limit is reset once an hour.
const REST_MAX: Duration = Duration::from_hours(1);

impl Answer {
    /// The body.
    ///
    /// # Errors
    /// [`ForgeError`], by status; [`ForgeError::Unavailable`] where the body has another shape.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, ForgeError> {
        self.good(what)?;
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| unavailable(format!("answer for {what} cannot be read: {error}")))
    }

    /// Nothing, where the answer is a good one.
    pub(super) fn good(&self, what: &str) -> Result<(), ForgeError> {
        if self.status.is_success() { Ok(()) } else { Err(self.error(what)) }
    }

    /// What a status other than success means.
    fn error(&self, what: &str) -> ForgeError {
        let (what, reason) = (what.to_owned(), self.reason());
        if let Some(rest) = self.rest() {
            return ForgeError::Unavailable { reason, retry_after: Some(rest) };
        }
        match self.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => ForgeError::NotFound { what },
            StatusCode::CONFLICT => ForgeError::Moved { what, reason },
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                ForgeError::Unavailable { reason, retry_after: retry_after(&self.headers) }
            }
            _ => ForgeError::Refused { what, reason },
        }
    }

    /// How long GitHub wants not to be asked, where it says so.
    ///
    /// Source: GitHub's documentation, "Rate limits for the REST API": `retry-after`, else `x-ratelimit-reset` where
    /// nothing remains, else a minute.
    pub(super) fn rest(&self) -> Option<Duration> {
        if !matches!(self.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
            return None;
        }
        let until_reset = || {
            let seconds = self.number("x-ratelimit-reset")? - Timestamp::now().as_second();
            Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0) + 1))
        };
        let is_secondary = self.problem().message.contains("secondary rate limit");
        let rest = match retry_after(&self.headers) {
            Some(rest) => rest,
            None if self.is_spent() => until_reset().unwrap_or(REST_DEFAULT),
            None if is_secondary || self.status == StatusCode::TOO_MANY_REQUESTS => REST_DEFAULT,
            None => return None,
        };
        Some(rest.min(REST_MAX))
    }

    /// Whether none of the hour's requests are left.
    pub(super) fn is_spent(&self) -> bool {
        self.number("x-ratelimit-remaining") == Some(0)
    }

    fn number(&self, header: &str) -> Option<i64> {
        self.headers.get(header)?.to_str().ok()?.parse().ok()
    }

    fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What GitHub said, in one line: the message, and what its errors add.
    pub(super) fn reason(&self) -> String {
        let problem = self.problem();
        let said = problem.errors.iter().filter_map(|error| {
            error.as_str().or_else(|| error.get("message").or_else(|| error.get("code"))?.as_str())
        });
        let parts: Vec<&str> =
            std::iter::once(problem.message.as_str()).chain(said).filter(|part| !part.is_empty()).collect();
        let text = if parts.is_empty() { self.status.to_string() } else { parts.join(": ") };
        bounded(&text)
    }

    /// The number of the next page, where there is one. Only the number: an address of another host would get our token.
    ///
    /// # Errors
    /// [`NoPage`] where there is a next page without a number.
    pub(super) fn next_page(&self) -> Result<Option<u32>, NoPage> {
        let page = self.next_in("page")?;
        page.map(|page| page.parse().map_err(|_| NoPage)).transpose()
    }

    /// What this parameter is in the address of the next page, where there is one.
    ///
    /// # Errors
    /// [`NoPage`] where there is a next page and its address has no such parameter.
    pub(super) fn next_in(&self, parameter: &str) -> Result<Option<String>, NoPage> {
        let link =
            self.headers.get(http::header::LINK).and_then(|link| link.to_str().ok()).unwrap_or_default();
        let Some(next) = link.split(',').find(|part| part.contains("rel=\"next\"")) else { return Ok(None) };
        let address = next.trim().strip_prefix('<').and_then(|rest| rest.split('>').next());
        let query = address.and_then(|address| address.split_once('?')).map_or("", |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(name, _)| *name == parameter);
        found.map(|(_, value)| Some(value.to_owned())).ok_or(NoPage)
    }
}

/// What GitHub says, as one line of bounded length.
pub(super) fn bounded(text: &str) -> String {
    let characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    characters.take(REASON_CHARACTERS_MAX).collect()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(REST_MAX))
}

pub(super) fn unavailable(reason: impl Into<String>) -> ForgeError {
    ForgeError::Unavailable { reason: reason.into(), retry_after: None }
}

/// For messages: `GET /repos/acme/environments/pulls/7`.
pub(super) fn named(method: &Method, path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    format!("{method} {path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn kind(answer: &Answer) -> &'static str {
        match answer.good("it").unwrap_err() {
            ForgeError::Unavailable { .. } => "unavailable",
            ForgeError::NotFound { .. } => "not found",
            ForgeError::Moved { .. } => "moved",
            ForgeError::Refused { .. } => "refused",
        }
    }

    #[test]
    fn statuses_are_read_as_github_means_them() {
        for (status, want) in [
            (401, "refused"),
            (403, "refused"),
            (404, "not found"),
            (405, "refused"),
            (409, "moved"),
            (410, "not found"),
            (422, "refused"),
            (429, "unavailable"),
            (500, "unavailable"),
            (502, "unavailable"),
        ] {
            assert_eq!(kind(&answer(status, &[], "")), want, "{status}");
        }
    }

    #[test]
    fn limits_say_how_long_to_rest() {
        let rest = |status, headers: &[(&'static str, &str)], body| answer(status, headers, body).rest();
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(rest(403, &[("retry-after", "7")], secondary), Some(Duration::from_secs(7)));
        assert_eq!(rest(403, &[], secondary), Some(Duration::from_mins(1)));
        assert_eq!(rest(403, &[("x-ratelimit-remaining", "17")], "{}"), None);
        let reset = (Timestamp::now().as_second() + 30).to_string();
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
        let found = rest(403, &spent, "{}").unwrap();
        assert!((29..=31).contains(&found.as_secs()), "{found:?}");
        assert_eq!(rest(429, &[("retry-after", "999999")], ""), Some(Duration::from_hours(1)));
        assert_eq!(rest(404, &[("retry-after", "7")], ""), None);
    }

    #[test]
    fn what_github_says_is_one_line() {
        let body = r#"{"message":"Validation Failed","errors":[{"message":"A pull request\nalready exists"},"x",{"code":"invalid"}]}"#;
        assert_eq!(
            answer(422, &[], body).reason(),
            "Validation Failed: A pull request already exists: x: invalid"
        );
        assert_eq!(answer(502, &[], "<html>").reason(), "502 Bad Gateway");
    }

    #[test]
    fn the_next_page_is_a_number() {
        let link = |value: &str| answer(200, &[("link", value)], "").next_page();
        let both =
            "<https://evil.example/x?per_page=100&page=3>; rel=\"next\", <https://h/x?page=9>; rel=\"last\"";
        assert_eq!(link(both), Ok(Some(3)));
        assert_eq!(link("<https://h/x?page=1>; rel=\"prev\""), Ok(None));
        for nameless in ["<https://h/x?page=x>", "<https://h/x?after=7>", "<https://h/x>", ""] {
            assert_eq!(link(&format!("{nameless}; rel=\"next\"")), Err(NoPage), "{nameless}");
        }
    }
}
