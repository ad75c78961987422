//! The pages of the embedded forge, on a router of their own.
//!
//! Rendered by the server, usable without JavaScript. Each request passes [`guard`] first: the host must be on the
//! list, the visitor is identified anew, and every answer carries the headers that keep a browser from running what
//! strangers wrote. A form changes something only with the token of its own session ([`posted`]).

mod acts;
mod api;
mod body;
mod changes;
mod commits;
mod diff;
mod guard;
mod issue;
mod list;
pub mod markdown;
mod moment;
mod posted;
mod problem;
mod pull;
mod session;
mod sign_in;
mod style;
mod talk;
mod visitor;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::HeaderName;

use self::session::Sessions;
use super::LocalForge;

/// The largest form, in bytes: a comment of 20,000 letters where each one takes three characters (`%0A`), or one of
/// 60,000 where few do.
const FORM_BYTES_MAX: usize = 64 << 10;
/// The largest report of a check, in bytes: a text of 64 KiB, and as much for the escapes of JSON.
const CHECK_BYTES_MAX: usize = 128 << 10;

/// How the pages are served.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// The name of the repository, for titles.
    pub title: String,
    /// The host names under which the pages may be asked for, without ports: `lockkeeper.example`, `127.0.0.1`.
    pub hosts: BTreeSet<String>,
    /// How people sign in.
    pub sign_in: SignIn,
    /// The header in which a proxy names the person it has identified.
    pub proxy_header: Option<ProxyHeader>,
}

/// How people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// With a token, whose hash is in the people file. Nothing is shown without.
    Token,
    /// By choosing a name, without any proof; everybody may read. Only for the demo.
    ChooseName,
}

/// The header in which a proxy names the person it has identified.
#[derive(Debug, Clone)]
pub struct ProxyHeader {
    /// The header; its value is a name of the people file.
    pub name: HeaderName,
    /// The addresses of the proxies: from all others the header is not believed. The server must tell them apart, by
    /// `into_make_service_with_connect_info::<SocketAddr>`.
    pub trusted: Vec<IpAddr>,
}

/// What every page needs.
struct Site {
    forge: Arc<LocalForge>,
    options: PageOptions,
    /// The path of the pages as browsers see it, without a slash at the end: `/forge/environments`.
    prefix: String,
    is_https: bool,
    sessions: Sessions,
}

type App = Arc<Site>;

/// The pages of this forge; nest it under the path of its `base_url`.
pub fn router(forge: Arc<LocalForge>, options: PageOptions) -> Router {
    let base_url = forge.base_url().to_owned();
    let after_scheme = base_url.split_once("://").map_or("", |(_, rest)| rest);
    let prefix = after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or_default().to_owned();
    let is_https = base_url.starts_with("https://");
    let site = Arc::new(Site { forge, options, prefix, is_https, sessions: Sessions::new() });
    let api = Router::new()
        .route("/api/checks/{commit}", post(api::report_check))
        .layer(DefaultBodyLimit::max(CHECK_BYTES_MAX));
    Router::new()
        .route("/", get(list::home))
        .route("/pulls", get(list::pulls))
        .route("/pulls/{number}", get(pull::show))
        .route("/pulls/{number}/changes", get(changes::show))
        .route("/pulls/{number}/commits", get(commits::show))
        .route("/pulls/{number}/comment", post(acts::comment))
        .route("/pulls/{number}/review", post(acts::review))
        .route("/pulls/{number}/merge", post(acts::merge))
        .route("/pulls/{number}/close", post(acts::close))
        .route("/issues", get(list::issues))
        .route("/issues/{number}", get(issue::show))
        .route("/issues/{number}/comment", post(acts::comment))
        .route("/issues/{number}/close", post(acts::close))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/{style}", get(style::show))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(api)
        .fallback(problem::no_page)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&site), guard::guard))
        .with_state(site)
}

impl Site {
    /// The path of a page, as browsers see it.
    fn path(&self, page: &str) -> String {
        format!("{}{page}", self.prefix)
    }
}
