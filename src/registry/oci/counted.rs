//! The one place from which requests leave for registries, and where each of them is counted.

use std::sync::Arc;

use http::Method;
use http::header::{ACCEPT, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};

use super::answer::unavailable;
use super::session::Ask;
use super::settings::{OciSettings, is_link_local, is_loopback};
use crate::registry::RegistryError;
use crate::witness::{Asked, Witness};

/// Requests to one host, and to the token server that it names.
pub(super) struct Counted {
    host: String,
    client: Client,
    witness: Arc<dyn Witness>,
}

/// Most redirects followed: to a mirror, and from there to its storage. They are not counted.
const REDIRECTS_MAX: usize = 4;
const USER_AGENT: &str = concat!("lockkeeper/", env!("CARGO_PKG_VERSION"));

impl Counted {
    /// Requests to `host`; `witness` is told of each.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] if TLS cannot be set up.
    pub(super) fn new(
        host: &str,
        settings: &OciSettings,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, RegistryError> {
        let mut client = Client::builder()
            .https_only(settings.scheme(host) != "http")
            .connect_timeout(settings.timeout)
            .redirect(redirects(is_loopback(host)))
            .user_agent(USER_AGENT);
        if is_loopback(host) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| unavailable(&error, host))?;
        Ok(Self { host: host.to_owned(), client, witness })
    }

    /// A request that is not sent yet.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// A request for what is asked for, in the form that is wanted.
    pub(super) fn asking(&self, method: Method, ask: &Ask<'_>) -> RequestBuilder {
        self.request(method, ask.url.clone()).header(ACCEPT, HeaderValue::from_static(ask.accept))
    }

    /// Sends a request, and tells of it whatever comes back.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] where nothing comes back; `what` was asked for.
    pub(super) async fn send(&self, request: RequestBuilder, what: &str) -> Result<Response, RegistryError> {
        let request = request.build().map_err(|error| unavailable(&error, what))?;
        self.witness.asked(&self.host, kind(request.method(), request.url().path()));
        self.client.execute(request).await.map_err(|error| unavailable(&error, what))
    }
}

/// Redirects lead to mirrors and storages anywhere, but not from elsewhere to this machine or to what only machines like it
/// can ask, such as a cloud's metadata.
fn redirects(is_local: bool) -> Policy {
    Policy::custom(move |attempt| {
        let host = attempt.url().host_str().unwrap_or_default();
        if attempt.previous().len() > REDIRECTS_MAX {
            attempt.error("too many redirects")
        } else if !is_local && (is_loopback(host) || is_link_local(host)) {
            attempt.error("it leads to an address of this machine's own")
        } else {
            attempt.follow()
        }
    })
}

/// What is asked for, by the paths of the OCI distribution specification 1.1; other paths are those of token servers.
fn kind(method: &Method, path: &str) -> Asked {
    if *method != Method::GET && *method != Method::HEAD {
        return Asked::Write;
    }
    let Some(path) = path.strip_prefix("/v2/") else { return Asked::Token };
    let mut parts = path.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some("list"), Some("tags")) => Asked::Tags,
        (_, Some("manifests")) => Asked::Manifest,
        (_, Some("blobs")) => Asked::Blob,
        (_, Some("referrers")) => Asked::Referrers,
        (Some(""), None) => Asked::Ping,
        _ => Asked::Token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_by_its_path() {
        for (method, path, want) in [
            (Method::GET, "/v2/", "ping"),
            (Method::GET, "/v2/shop/web/tags/list", "tags"),
            (Method::GET, "/v2/shop/web/manifests/1.4.2", "manifest"),
            (Method::HEAD, "/v2/shop/web/manifests/1.4.2", "manifest"),
            (Method::GET, "/v2/manifests/tags/blobs/sha256:00", "blob"),
            (Method::GET, "/v2/shop/web/referrers/sha256:00", "referrers"),
            (Method::PUT, "/v2/shop/web/manifests/1.4.2", "write"),
            (Method::DELETE, "/v2/shop/web/manifests/1.4.2", "write"),
            (Method::GET, "/token", "token"),
            (Method::GET, "/v2/token", "token"),
        ] {
            assert_eq!(kind(&method, path).name(), want, "{method} {path}");
        }
    }
}
