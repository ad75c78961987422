//! One question to an API server, bounded in time and size.
//!
//! Source: Kubernetes 1.36, "API Concepts" (chunks, watches, bookmarks, 410 Gone).

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Request as Path;
use kube::core::params::{ListParams, WatchParams};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::connect::safe;
use super::judge::one_line;
use super::object::Object;

/// Objects of a page. Pods have 5 to 20 kB, so a page has some megabytes.
const PAGE_OBJECTS: u32 = 250;
/// Largest page: 250 objects of 128 kB.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest event: one object, which etcd keeps below 1.5 MiB, and its frame.
const EVENT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest text of an error that is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long a page may take, or the start of a watch.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No connection, no time, no sense: ask again.
    Broken(String),
    /// The credentials do not count.
    Unauthorized(String),
    /// They do, and do not reach this.
    Forbidden {
        /// `list` or `watch`.
        verb: &'static str,
    },
    /// There is no such resource.
    Absent,
    /// The place in the history is too old: list anew.
    Expired,
    /// More than is read or kept.
    TooLarge(String),
}

/// A part of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) metadata: PageMetadata,
    pub(super) items: Option<Vec<Object>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageMetadata {
    pub(super) resource_version: Option<String>,
    #[serde(rename = "continue")]
    pub(super) token: Option<String>,
}

/// What a watch tells.
#[derive(Debug)]
pub(super) enum Event {
    /// It is there, and so.
    Applied(Box<Object>),
    /// It is not there any more.
    Deleted(Box<Object>),
    /// Nothing else happened up to this place.
    Bookmark(Box<Object>),
}

#[derive(Deserialize)]
struct WrittenEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// A watch that stands.
pub(super) struct Watch {
    body: Body,
    read: BytesMut,
    is_ended: bool,
}

/// The version of the API server, as `v1.36.2`.
pub(super) async fn version(client: &Client) -> Result<String, Refusal> {
    let request =
        Request::get("/version").body(Vec::new()).map_err(|error| Refusal::Broken(error.to_string()))?;
    let bytes = whole(send(client, request, "get").await?, ERROR_BYTES_MAX).await?;
    let version: Version = parse(&bytes)?;
    Ok(one_line(&version.git_version))
}

/// A page of the list, from the start or where the one before ended; of `limit` objects at most.
pub(super) async fn page(
    client: &Client,
    path: &str,
    token: Option<&str>,
    limit: Option<u32>,
) -> Result<Page, Refusal> {
    let mut parameters = ListParams::default().limit(limit.unwrap_or(PAGE_OBJECTS));
    parameters.continue_token = token.map(str::to_owned);
    let request = Path::new(path).list(&parameters).map_err(|error| Refusal::Broken(error.to_string()))?;
    let bytes = whole(send(client, request, "list").await?, PAGE_BYTES_MAX).await?;
    parse(&bytes)
}

/// Starts to watch from a place in the history on, for at most this time.
pub(super) async fn watch(
    client: &Client,
    path: &str,
    resource_version: &str,
    longest: Duration,
) -> Result<Watch, Refusal> {
    let seconds = u32::try_from(longest.as_secs()).unwrap_or(1).max(1);
    let parameters = WatchParams { bookmarks: true, ..WatchParams::default() }.timeout(seconds);
    let request = Path::new(path).watch(&parameters, resource_version);
    let request = request.map_err(|error| Refusal::Broken(error.to_string()))?;
    let response = send(client, request, "watch").await?;
    Ok(Watch { body: response.into_body(), read: BytesMut::new(), is_ended: false })
}

impl Watch {
    /// The next event; none where the server ended the watch in good order.
    pub(super) async fn next(&mut self, longest: Duration) -> Result<Option<Event>, Refusal> {
        let late = |_| Refusal::Broken(format!("its watch said nothing for {} s", longest.as_secs()));
        loop {
            if let Some(line) = self.line()? {
                return event(&line).map(Some);
            }
            if self.is_ended {
                return Ok(None);
            }
            let frame = timeout(longest, quietly(self.body.frame())).await.map_err(late)?;
            match frame {
                Some(Ok(frame)) => self.read.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(Refusal::Broken(safe(&error))),
                None => self.is_ended = true,
            }
        }
    }

    fn line(&mut self) -> Result<Option<Bytes>, Refusal> {
        while let Some(end) = memchr::memchr(b'\n', &self.read) {
            let line = self.read.split_to(end + 1).freeze();
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
        if self.read.len() > EVENT_BYTES_MAX {
            return Err(Refusal::TooLarge(format!("{EVENT_BYTES_MAX} bytes in one event")));
        }
        // What stands without an end of line was cut off.
        if self.is_ended && !self.read.is_empty() {
            return Err(Refusal::Broken("its watch ended within an event".to_owned()));
        }
        Ok(None)
    }
}

fn event(line: &[u8]) -> Result<Event, Refusal> {
    let written: WrittenEvent<'_> = parse(line)?;
    let object = || parse::<Box<Object>>(written.object.get().as_bytes());
    match written.kind {
        "ADDED" | "MODIFIED" => object().map(Event::Applied),
        "DELETED" => object().map(Event::Deleted),
        "BOOKMARK" => object().map(Event::Bookmark),
        "ERROR" => {
            let status: Status = parse(written.object.get().as_bytes())?;
            match StatusCode::from_u16(status.code) {
                Ok(StatusCode::GONE) => Err(Refusal::Expired),
                Ok(_) | Err(_) => Err(Refusal::Broken(one_line(&status.message))),
            }
        }
        other => {
            Err(Refusal::Broken(format!("its watch tells of {}, which means nothing here", one_line(other))))
        }
    }
}

async fn send(
    client: &Client,
    request: Request<Vec<u8>>,
    verb: &'static str,
) -> Result<Response<Body>, Refusal> {
    let late = |_| Refusal::Broken(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
    let sent = timeout(ANSWER_TIMEOUT, quietly(client.send(request.map(Body::from)))).await.map_err(late)?;
    let response = sent.map_err(|error| Refusal::Broken(safe(&error)))?;
    let code = response.status();
    if code.is_success() {
        return Ok(response);
    }
    let bytes = whole(response, ERROR_BYTES_MAX).await.unwrap_or_default();
    // A path that a server does not know is answered in plain text.
    let message = serde_json::from_slice::<Status>(&bytes)
        .map_or_else(|_| String::from_utf8_lossy(&bytes).into_owned(), |status| status.message);
    let message = one_line(&message);
    Err(match code {
        StatusCode::UNAUTHORIZED => Refusal::Unauthorized(message),
        StatusCode::FORBIDDEN => Refusal::Forbidden { verb },
        StatusCode::NOT_FOUND => Refusal::Absent,
        StatusCode::GONE => Refusal::Expired,
        code => Refusal::Broken(format!("status {}: {message}", code.as_u16())),
    })
}

async fn whole(response: Response<Body>, bytes_max: usize) -> Result<Bytes, Refusal> {
    let late = |_| Refusal::Broken(format!("its answer took more than {} s", ANSWER_TIMEOUT.as_secs()));
    let body = Limited::new(response.into_body(), bytes_max);
    match timeout(ANSWER_TIMEOUT, quietly(body.collect())).await.map_err(late)? {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::TooLarge(format!("{bytes_max} bytes in one answer")))
        }
        Err(error) => Err(Refusal::Broken(one_line(&error.to_string()))),
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    // What the error quotes is of a field that is read here: no environment, and no argument.
    serde_json::from_slice(bytes).map_err(|error| {
        Refusal::Broken(format!("its answer cannot be read: {}", one_line(&error.to_string())))
    })
}

/// The library logs each failed request as an error by itself; what is to be known of it is said here, once.
fn quietly<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_subscriber(NoSubscriber::new())
}
