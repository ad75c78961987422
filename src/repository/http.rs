//! Smart HTTP over our own client, so that there is one TLS stack and every wait ends.
//!
//! Source: git documentation, gitprotocol-http.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use super::advertisement::Advertisement;
use super::error::{not_found, unavailable};
use super::transport::{Packets, Service, Source, is_v2};
use super::{Credentials, Options, RepositoryError, text};

/// Hosts tell git from a browser by this start (libgit2 does the same).
const USER_AGENT: &str = concat!("git/2.0 (lockkeeper/", env!("CARGO_PKG_VERSION"), ")");
/// Redirects within one host, for a renamed repository.
const REDIRECTS_MAX: usize = 3;
/// The slowest upload that is waited for, in bytes a second.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 64 * 1_024;

/// The client of one repository.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    address: String,
    credentials: Credentials,
    idle: Duration,
    /// What the host said first about fetching, so that a look at a tip is one request.
    known: Mutex<Option<(String, Advertisement)>>,
}

impl Http {
    pub(super) fn new(
        address: &str,
        credentials: Credentials,
        options: &Options,
    ) -> Result<Self, RepositoryError> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(options.connect_timeout)
            .redirect(Policy::custom(follow))
            .referer(false)
            .build()
            .map_err(|error| unavailable(format!("HTTP client cannot be built: {}", causes(&error))))?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { client, address, credentials, idle: options.idle_timeout, known: Mutex::new(None) })
    }

    /// What the host says first, and the address that answered (after redirects).
    pub(super) async fn greeting(
        &self,
        service: Service,
    ) -> Result<(String, Advertisement), RepositoryError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(known), Service::UploadPack) = (known, service) {
            return Ok(known);
        }
        let tail = format!("/info/refs?service=git-{}", service.name());
        let request = self.client.get(format!("{}{tail}", self.address));
        let kind = format!("application/x-git-{}-advertisement", service.name());
        let response = self.send(request, service, &kind, 0).await?;
        let base = response.url().as_str().strip_suffix(&tail).unwrap_or(&self.address).to_owned();
        let advertisement = Packets::new(Source::Http(response), self.idle).advertisement().await?;
        if is_v2(&advertisement) {
            let known = Some((base.clone(), advertisement.clone()));
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok((base, advertisement))
    }

    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sends one request of a service.
    pub(super) async fn ask(
        &self,
        service: Service,
        base: &str,
        body: Vec<u8>,
    ) -> Result<Packets, RepositoryError> {
        let name = service.name();
        let bytes = body.len() as u64;
        let request = self
            .client
            .post(format!("{base}/git-{name}"))
            .header(CONTENT_TYPE, format!("application/x-git-{name}-request"))
            .body(body);
        let response =
            self.send(request, service, &format!("application/x-git-{name}-result"), bytes).await?;
        Ok(Packets::new(Source::Http(response), self.idle))
    }

    async fn send(
        &self,
        request: RequestBuilder,
        service: Service,
        kind: &str,
        bytes: u64,
    ) -> Result<Response, RepositoryError> {
        let mut request = request.header(ACCEPT, kind);
        if let Some(protocol) = service.protocol() {
            request = request.header("git-protocol", protocol);
        }
        if let Some(authorization) = self.credentials.authorization().await? {
            request = request.header(AUTHORIZATION, authorization);
        }
        let wait = self.idle + Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND_MIN);
        let response = tokio::time::timeout(wait, request.send())
            .await
            .map_err(|_| unavailable(format!("no answer within {wait:?}")))?
            .map_err(|error| unanswered(&error))?;
        self.check(response, kind).await
    }

    /// Only a success of the right kind is an answer; a page of a proxy is none.
    async fn check(&self, response: Response, kind: &str) -> Result<Response, RepositoryError> {
        let status = response.status();
        let found =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        if status == StatusCode::OK && found == kind {
            return Ok(response);
        }
        if status == StatusCode::OK {
            return Err(unavailable(format!("answer is {}, wanted {kind}", text::line(found.as_bytes()))));
        }
        if status.is_redirection() {
            let to = response.headers().get("location").map(|value| text::line(value.as_bytes()));
            let to = to.unwrap_or_default();
            return Err(unavailable(format!(
                "redirected to another host or too often, name it as the location: {to}"
            )));
        }
        let words = tokio::time::timeout(self.idle, words(response)).await.unwrap_or_default();
        Err(refusal(status, &words, &self.address))
    }
}

/// Follows within one origin only: credentials never reach another host, nor a plain connection.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}

/// The first chunk of the body of a refusal: what hosts say to people stands there.
async fn words(mut response: Response) -> String {
    let is_text = |value: &http::HeaderValue| value.as_bytes().starts_with(b"text/plain");
    if !response.headers().get(CONTENT_TYPE).is_some_and(is_text) {
        return String::new();
    }
    let chunk = response.chunk().await.ok().flatten().unwrap_or_default();
    text::line(&chunk)
}

fn refusal(status: StatusCode, words: &str, address: &str) -> RepositoryError {
    let reason = if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RepositoryError::Denied { reason },
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            not_found(format!("{address} is not there, or not for these credentials ({reason}): it"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            RepositoryError::Unavailable { reason }
        }
        status if status.is_client_error() => {
            RepositoryError::Refused { name: "the request".to_owned(), reason }
        }
        _ => RepositoryError::Unavailable { reason },
    }
}

/// Trouble with the connection, without the address.
pub(super) fn unanswered(error: &reqwest::Error) -> RepositoryError {
    unavailable(causes(error))
}

/// The chain of causes below the client's own text, which would repeat the address.
fn causes(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() { "connection failed".to_owned() } else { text::line(words.join(": ").as_bytes()) }
}
