//! What went wrong, as a page or as JSON.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::Site;
use super::body::Frame;
use super::visitor::Visitor;
use crate::forge::ForgeError;

/// What went wrong. As a response it is empty; the guard renders it, as it alone knows the site and the visitor.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    title: String,
    text: String,
    /// Where to go instead, by a redirect or by a page that leads there.
    detour: Option<Detour>,
}

/// How a browser is sent elsewhere.
#[derive(Debug, Clone)]
pub(super) enum Detour {
    /// By a redirect.
    Redirect(String),
    /// By a page that goes on by itself: a browser that comes from another site sends our cookie only then.
    Page(String),
}

#[derive(Template)]
#[template(path = "forge/problem.html")]
struct ProblemPage<'page> {
    frame: Frame,
    title: &'page str,
    text: &'page str,
}

#[derive(Template)]
#[template(path = "forge/detour.html")]
struct DetourPage<'page> {
    to: &'page str,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &str, text: impl Into<String>) -> Self {
        Self { status, title: title.to_owned(), text: text.into(), detour: None }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Refused", text)
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Not understood", text)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", format!("There is no {what} here."))
    }

    pub(super) fn elsewhere(detour: Detour) -> Self {
        Self { detour: Some(detour), ..Self::new(StatusCode::SEE_OTHER, "", "") }
    }

    /// The answer that people or programs see.
    pub(super) fn render(&self, site: &Site, visitor: Option<&Visitor>, as_json: bool) -> Response {
        match &self.detour {
            Some(Detour::Redirect(to)) => return redirect(to),
            Some(Detour::Page(to)) => return page(StatusCode::OK, &DetourPage { to }),
            None => {}
        }
        if as_json {
            let json = serde_json::json!({ "error": self.title, "reason": self.text });
            return (self.status, axum::Json(json)).into_response();
        }
        let frame = Frame::new(site, visitor, &self.title);
        page(self.status, &ProblemPage { frame, title: &self.title, text: &self.text })
    }
}

/// Sends the browser to another page after a form, by GET.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// A rendered page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "page was not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) async fn no_page() -> Problem {
    Problem::not_found("such page")
}

pub(super) async fn no_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Not here",
        "This address does not take that kind of request.",
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ForgeError> for Problem {
    fn from(error: ForgeError) -> Self {
        let text = error.to_string();
        match error {
            ForgeError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "Not found", text),
            ForgeError::Moved { .. } => {
                let text =
                    format!("{text}. Nothing was done. Go back, look at it as it is now, and decide again.");
                Self::new(StatusCode::CONFLICT, "It changed meanwhile", text)
            }
            ForgeError::Refused { .. } => Self::refused(text),
            ForgeError::Unavailable { .. } => {
                tracing::warn!(error = text, "forge page could not be served");
                let text = "The files or the git repository of this forge cannot be reached now. Nothing was done. \
                            Try again in a moment.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available", text)
            }
        }
    }
}
