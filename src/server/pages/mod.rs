//! The pages for people, and the same as JSON. They only read.

mod board;
mod pipeline;
mod text;

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::board::{Board, Filter};
use self::pipeline::PipelinePage;
use super::App;
use crate::plan::view::PipelineView;
use crate::store::{Key, StoreError};

/// The style sheet, in the program.
const STYLE: &str = include_str!("../../../templates/board/style.css");
/// Its address, which changes with it: browsers may keep it for ever.
static STYLE_PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/board-{}.css", short_hash(STYLE)));

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(board))
        .route("/board.json", get(board_json))
        .route("/p/{repository}/{pipeline}", get(pipeline))
        .route(&STYLE_PATH, get(style))
}

/// Why there is no page.
#[derive(Debug)]
enum PageError {
    Store(StoreError),
    Render(askama::Error),
    NotFound,
}

async fn board(
    State(app): State<Arc<App>>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let views = views(&app).await?;
    let page = Board::new(&views, &filter, &STYLE_PATH, Timestamp::now()).render()?;
    Ok(tagged(&headers, "text/html; charset=utf-8", page))
}

async fn board_json(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    let mut pipelines = views(&app).await?;
    for view in &mut pipelines {
        view.history.clear();
    }
    Ok(json(&headers, &serde_json::json!({ "pipelines": pipelines })))
}

/// The page, or with `.json` at the end of the address the document; names of pipelines have no dots.
async fn pipeline(
    State(app): State<Arc<App>>,
    Path((repository, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (name, is_json) = match name.strip_suffix(".json") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let key = Key::pipeline(repository, name.parse().map_err(|_| PageError::NotFound)?);
    let document = app.store.view(&key).await?.ok_or(PageError::NotFound)?;
    let view = read(&key, document);
    if is_json {
        return Ok(json(&headers, &view));
    }
    let page = PipelinePage::new(view, &STYLE_PATH, Timestamp::now()).render()?;
    Ok(tagged(&headers, "text/html; charset=utf-8", page))
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, STYLE).into_response()
}

async fn views(app: &App) -> Result<Vec<PipelineView>, StoreError> {
    let stored = app.store.views().await?;
    // Nothing to show is stored as null: of a repository whose rules are valid, its pipelines say everything.
    let shown = stored.into_iter().filter(|(_, document)| !document.is_null());
    Ok(shown.map(|(key, document)| read(&key, document)).collect())
}

/// A document that this program cannot read, of another version say, is shown as such until it is written anew.
fn read(key: &Key, document: Value) -> PipelineView {
    serde_json::from_value(document).unwrap_or_else(|error| PipelineView {
        repository: key.repository.clone(),
        pipeline: key.pipeline.as_ref().map(ToString::to_string),
        owner: None,
        issue_url: None,
        stages: Vec::new(),
        error: Some(format!("what is stored for this page cannot be read: {error}")),
        history: Vec::new(),
        updated_at: Timestamp::UNIX_EPOCH,
    })
}

fn json(headers: &HeaderMap, document: &impl Serialize) -> Response {
    match serde_json::to_string(document) {
        Ok(text) => tagged(headers, "application/json", text),
        Err(error) => {
            tracing::error!(%error, "a document for a page cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The body with its tag, or only "not modified" to a browser that has it.
fn tagged(headers: &HeaderMap, content_type: &'static str, body: String) -> Response {
    let tag = format!("\"{}\"", short_hash(&body));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// 16 hex digits: enough to tell versions of one page apart.
fn short_hash(text: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(text.as_bytes()));
    hash.truncate(16);
    hash
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Render(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Store(error) => {
                tracing::error!(%error, "a page cannot be read from the store");
                (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; try again\n").into_response()
            }
            Self::Render(error) => {
                tracing::error!(%error, "a page cannot be rendered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "no such page; the board is at /\n").into_response(),
        }
    }
}

#[cfg(test)]
mod tests;
