//! What programs ask: an app reports a check.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::problem::Problem;
use super::{App, CHECK_BYTES_MAX, Site};
use crate::forge::local::{Actor, Identified};
use crate::forge::{Check, CheckStatus};
use crate::repository::CommitId;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// A check as an app reports it; the app's name comes from its token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reported {
    name: String,
    status: CheckStatus,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    text: String,
}

pub(super) async fn report_check(
    State(site): State<App>,
    Path(commit): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let actor = site.bearer(&headers).await?;
    let commit: CommitId = commit.parse().map_err(|error| Problem::bad(format!("{error}")))?;
    let body = body.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Too long",
            format!("at most {CHECK_BYTES_MAX} bytes are read"),
        )
    })?;
    let json = &mut serde_json::Deserializer::from_slice(&body);
    let reported: Reported = serde_path_to_error::deserialize(json)
        .map_err(|error| Problem::bad(format!("at `{}`: {}", error.path(), error.inner())))?;
    let Reported { name, status, summary, text } = reported;
    let check = Check { name, app: String::new(), status, summary, text };
    site.forge.report_check(&actor, commit, check).await?;
    Ok((StatusCode::OK, axum::Json(json!({ "commit": commit.to_string() }))).into_response())
}

impl Site {
    /// The holder of the token in `Authorization: Bearer`.
    ///
    /// Source: RFC 6750, section 2.1.
    async fn bearer(&self, headers: &HeaderMap) -> Result<Actor, Problem> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
        let known = match token.trim() {
            token if token.is_empty() || token.len() > TOKEN_BYTES_MAX => None,
            _ if !scheme.eq_ignore_ascii_case("bearer") => None,
            token => self.forge.people().holder(token).await?,
        };
        let unknown = || {
            let text = "Send `Authorization: Bearer <token>` with a token whose hash is in the people file.";
            Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", text)
        };
        let known = known.ok_or_else(unknown)?;
        Ok(Actor { person: known.person, identified: Identified::Token })
    }
}
