//! The one style sheet, embedded, at a path that changes with it.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::header;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

const STYLE: &str = include_str!("../../../../templates/forge/style.css");

static NAME: LazyLock<String> = LazyLock::new(|| {
    let hash = hex::encode(Sha256::digest(STYLE.as_bytes()));
    format!("style-{}.css", hash.get(..12).unwrap_or_default())
});

/// Where it is, below the prefix.
pub(super) fn path() -> String {
    format!("/{}", *NAME)
}

/// Whether this path may be the style sheet's; it needs no sign-in.
pub(super) fn is_style(path: &str) -> bool {
    path.starts_with("/style-")
}

pub(super) async fn show(Path(name): Path<String>) -> Result<Response, Problem> {
    if name != *NAME {
        return Err(Problem::not_found("such page"));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, STYLE).into_response())
}
