//! What every request passes: the host, the visitor, the headers of the answer.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::problem::Problem;
use super::session::SessionId;
use super::visitor::Visitor;
use super::{App, Site, sign_in, style};
use crate::forge::Permission;

/// No script at all, no picture or style from elsewhere, no frame around us, forms only to us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a request says before its body.
struct Asked<'request> {
    method: &'request Method,
    uri: &'request Uri,
    headers: &'request HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
}

/// Guards all pages.
pub(super) async fn guard(State(site): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().copied();
    let asked = Asked { method: request.method(), uri: request.uri(), headers: request.headers(), peer };
    let visitor = match site.admit(asked).await {
        Ok(visitor) => visitor,
        Err(problem) => return finish(&site, &path, None, problem.into_response()),
    };
    request.extensions_mut().insert(visitor.clone());
    let response = next.run(request).await;
    finish(&site, &path, Some(&visitor), response)
}

impl Site {
    async fn admit(&self, asked: Asked<'_>) -> Result<Visitor, Problem> {
        self.is_our_host(asked.headers, asked.uri)?;
        let path = asked.uri.path();
        if is_api(path) || style::is_style(path) {
            return Ok(Visitor { known: None, session: None, is_new: false });
        }
        let mut visitor = self.visitor(asked.headers, asked.peer).await?;
        if visitor.session.is_none() && visitor.known.is_some() {
            // Named by the proxy: a session is needed only to tie forms to the browser.
            (visitor.session, visitor.is_new) = (Some(SessionId::random()), true);
        }
        if path == "/sign-in" || path == "/sign-out" {
            return Ok(visitor);
        }
        if visitor.permission(self.options.sign_in) >= Permission::Read {
            return Ok(visitor);
        }
        match visitor.known {
            Some((known, _)) => {
                Err(Problem::refused(format!("{} has no permission to read here", known.person.name)))
            }
            None if asked.method == Method::GET && !is_json(path) => {
                Err(sign_in::detour(self, asked.headers, asked.uri))
            }
            None => {
                Err(Problem::new(StatusCode::UNAUTHORIZED, "Not signed in", "Sign in first, then try again."))
            }
        }
    }

    /// Refuses a request for another host: a name that somebody else's DNS points at us.
    fn is_our_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().and_then(name_of),
            _ => None,
        };
        let named = uri.host().map(str::to_ascii_lowercase);
        let is_ours = |host: &String| self.options.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host));
        if host.as_ref().is_some_and(is_ours) && named.as_ref().is_none_or(is_ours) {
            return Ok(());
        }
        let text = "This server is not meant to be reached under that host name. Whoever runs it can add the name to \
                    the list of hosts in its settings.";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "Not our host", text))
    }

    /// Whether an `Origin` names one of our hosts.
    pub(super) fn is_our_origin(&self, origin: &HeaderValue) -> bool {
        let host = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .and_then(|(_, host)| name_of(host));
        host.is_some_and(|host| self.options.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(&host)))
    }
}

/// The host without its port, lower case.
fn name_of(authority: &str) -> Option<String> {
    let authority: http::uri::Authority = authority.parse().ok()?;
    (!authority.as_str().contains('@')).then(|| authority.host().to_ascii_lowercase())
}

/// Whether programs ask here, which want JSON and send no cookie.
pub(super) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Whether the answer is for programs.
fn is_json(path: &str) -> bool {
    is_api(path) || path.strip_suffix(".json").is_some()
}

fn finish(site: &Site, path: &str, visitor: Option<&Visitor>, mut response: Response) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(site, visitor, is_json(path));
    }
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let new = visitor.filter(|visitor| visitor.is_new).and_then(|visitor| visitor.session.as_ref());
    if let Some(Ok(value)) = new.map(|id| HeaderValue::from_str(&site.set_cookie(id))) {
        headers.insert(header::SET_COOKIE, value);
    }
    response
}
