//! What every request passes: a place, a known host, a deadline; and the headers of every answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;

use super::App;
use super::listener::{Busy, Connection};
use crate::settings;
use crate::telemetry::{REQUEST_SECONDS, REQUESTS};

/// What is sent there shows a secret, which no page elsewhere has; and registries call us by names of their own, such as
/// that of a service in the cluster. So do those who report what runs.
const CALLED: [&str; 2] = ["/webhooks/", "/observations/"];
/// Asked by machines that know us by addresses and names of their own; they tell nothing that a host would protect.
const OPEN_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Headers of every answer that has not set its own. Pages have no script, and nothing may frame them.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The guards of all routes: one layer, as each costs some boxes for every request.
pub(super) struct Guards {
    app: Arc<App>,
    places: Semaphore,
}

impl Guards {
    pub(super) fn new(app: Arc<App>) -> Arc<Self> {
        let places = Semaphore::new(app.settings.requests_max);
        Arc::new(Self { app, places })
    }
}

/// Counts the request, and turns it away where too many are in work: a queue would only hide it.
pub(super) async fn pass(State(guards): State<Arc<Guards>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let _busy = enter(&mut request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let mut response = if let Ok(_place) = guards.places.try_acquire() {
        within(&guards.app.settings, request, next).await
    } else {
        let again = [(header::RETRY_AFTER, "5")];
        (StatusCode::SERVICE_UNAVAILABLE, again, "too many requests in work\n").into_response()
    };
    let metrics = &guards.app.metrics;
    metrics.add(&REQUESTS, &[("route", route), ("status", response.status().as_str())], 1);
    metrics.observe(&REQUEST_SECONDS, &[("route", route)], begun.elapsed().as_secs_f64());
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Passes a request for a host of ours on, and ends it where it takes too long, its body included. The sender may try
/// again.
async fn within(settings: &settings::Server, request: Request, next: Next) -> Response {
    if let Err(named) = known_host(&settings.hosts, &request) {
        tracing::warn!(host = %named, "request for an unknown host; see `hosts` of `[server]`");
        return (StatusCode::MISDIRECTED_REQUEST, "this host is not in `hosts` of `[server]`\n")
            .into_response();
    }
    let answer = tokio::time::timeout(settings.timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| {
        let close = [(header::CONNECTION, "close")];
        (StatusCode::REQUEST_TIMEOUT, close, "the request took too long\n").into_response()
    })
}

/// Tells the connection, and gives handlers the address of the other end in the usual way.
fn enter(request: &mut Request) -> Option<Busy> {
    let ConnectInfo(connection) = request.extensions().get::<ConnectInfo<Connection>>()?.clone();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(connection.peer));
    Some(Busy::begin(&connection.work))
}

/// The name of a host that is not ours: a foreign name that was made to resolve to this machine, by which a page
/// elsewhere would read ours.
fn known_host(hosts: &[String], request: &Request) -> Result<(), String> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // An address in the request line counts before the header (RFC 9112, section 3.2.2); both must be known.
    let in_line = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let is_known = |host: &str| is_known(hosts, host);
    let path = request.uri().path();
    if OPEN_PATHS.contains(&path)
        || CALLED.iter().any(|called| path.starts_with(called))
        || named.is_some_and(is_known) && in_line.is_none_or(is_known)
    {
        return Ok(());
    }
    Err(named.unwrap_or_default().chars().take(100).collect())
}

/// Whether the host is listed, with this port or without any; addresses and `localhost` always are, for no name service
/// can be made to point them elsewhere.
fn is_known(hosts: &[String], host: &str) -> bool {
    let host = host.to_lowercase();
    let name = settings::host_name(&host);
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address || name == "localhost" || hosts.iter().any(|known| *known == host || known == name)
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn hosts_are_compared_with_and_without_port() {
        let hosts = ["locks.example.com".to_owned(), "other.example:8080".to_owned()];
        for good in [
            "locks.example.com",
            "LOCKS.example.com:443",
            "other.example:8080",
            "127.0.0.1:9",
            "[::1]:9",
            "localhost:1",
        ] {
            assert!(is_known(&hosts, good), "{good}");
        }
        for bad in
            ["", "evil.example", "other.example", "other.example:80", "localhost.evil", "xlocks.example.com"]
        {
            assert!(!is_known(&hosts, bad), "{bad}");
        }
    }
}
