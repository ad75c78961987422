//! What registries, build jobs and GitHub send: authenticated over the raw bytes, then read as hints.
//!
//! An event only says *look at this repository*. Nothing it claims is trusted: the tag is resolved again at the
//! registry, the pull request and the comment are read again. So an event that is lost, doubled, late or forged changes when something happens, never what.

mod acr;
mod artifactory;
mod cloud_event;
pub mod distribution;
mod dockerhub;
mod ecr;
mod eventgrid;
mod gar;
pub mod generic;
mod gitea;
pub mod github;
mod harbor;
mod list;
mod nexus;
mod quay;
mod report;
pub mod verify;
mod zot;

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::report::{DIGESTS_MAX, REPORT_TYPE, Report, parse_report};
use self::verify::Authentication;
use crate::image::{Digest, Repository, Tag};
use crate::pipeline::is_hidden;
pub use crate::settings::{BODY_BYTES_MAX, WebhookKind as Kind};

/// A push that a registry, or somebody on its behalf, tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryEvent {
    /// The path of the repository, in lower case, without the host.
    pub repository: String,
    /// The registry's host (and port, and folder) by which the sender calls it, in lower case; nothing where it does not
    /// say.
    pub registry: Option<String>,
    /// The tags that were pushed; none where the sender names only a digest.
    pub tags: Vec<String>,
    /// The digest, where the sender names one of our algorithm.
    pub digest: Option<Digest>,
}

/// What was sent, and when it came. Nothing prints it, because of the secret.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, as it came.
    pub body: &'a [u8],
    /// The secret in the address, where one stands there.
    pub address_secret: Option<&'a str>,
    /// When it came.
    pub at: Timestamp,
}

/// An authenticated delivery that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Tells a delivery from others, and is the same when it is sent again.
    pub delivery_id: String,
    /// What it tells of; empty where all of it is to be ignored.
    pub events: Vec<RegistryEvent>,
    /// The code that the sender wants to hear back before it sends anything.
    pub handshake: Option<String>,
}

/// What a body tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    id: Id,
    /// The pushes.
    pub events: Vec<RegistryEvent>,
}

/// By what a delivery is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Id {
    /// By the sender's own id, which a repeat keeps; by its bytes where that cannot serve as one.
    Sent(Option<String>),
    /// By its bytes: they hold a time.
    Bytes,
    /// By nothing: a tag that is pushed again, with another image or one from before, gives the same bytes. So each
    /// counts: to look once more does no harm, and a push that passed for a repeat would be lost.
    Moment,
}

/// Why a delivery gives no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// Answer 401 and keep nothing.
    #[error("the delivery does not carry the receiver's secret")]
    Unauthorized,
    /// Answer 413 and keep nothing.
    #[error("the delivery has {found} bytes, at most {most} are read")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
        /// The largest that is read.
        most: usize,
    },
    /// Keep the body and answer 2xx all the same: registries repeat what is refused, for ever and in order, so that
    /// one refusal would block every later event.
    #[error("the delivery {delivery_id} cannot be read: {reason}")]
    Unparsable {
        /// Tells a delivery from others.
        delivery_id: String,
        /// What is wrong with the body.
        reason: ParseError,
    },
}

/// Why a body is not of its sender's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is no JSON of the format.
    #[error("no JSON of the expected form: {reason}")]
    Form {
        /// What the parser says, and where.
        reason: String,
    },
    /// It tells of more than is read at once.
    #[error("{found} pushes of images, at most {EVENTS_MAX} are read")]
    TooManyEvents {
        /// How many it has.
        found: usize,
    },
    /// A field holds what it cannot hold.
    #[error("`{field}` is `{found}`, which it cannot be")]
    Field {
        /// The field.
        field: &'static str,
        /// What it holds, shortened.
        found: String,
    },
}

/// Most pushes of images in one delivery: Distribution sends one, and the largest body holds 1,400 of its 1.5 kB; of the
/// shortest ones it holds 20,000. Events of other kinds are read, counted for nothing and not kept.
pub const EVENTS_MAX: usize = 10_000;
/// Longest host name kept: 253 characters and a port; a folder may stand behind it.
const HOST_BYTES_MAX: usize = 259;
/// Longest delivery id taken from a body; a UUID has 36 characters.
const DELIVERY_ID_BYTES_MAX: usize = 128;
/// Most characters of a body, or of what the parser says of it, that are repeated.
const SHOWN_CHARS_MAX: usize = 200;

/// Authenticates a delivery over its raw bytes and, only then, reads it.
///
/// # Errors
/// [`ReceiveError`], by what to answer.
pub fn receive(
    kind: Kind,
    authentication: &Authentication,
    sent: &Sent<'_>,
) -> Result<Received, ReceiveError> {
    let Sent { body, .. } = sent;
    if body.len() > BODY_BYTES_MAX {
        return Err(ReceiveError::TooLarge { found: body.len(), most: BODY_BYTES_MAX });
    }
    if !authentication.accepts(sent) {
        return Err(ReceiveError::Unauthorized);
    }
    let handshake = if kind == Kind::EventGrid { eventgrid::handshake(body) } else { None };
    match parse(kind, sent) {
        Ok(Parsed { id, events }) => Ok(Received { delivery_id: id.of(sent), events, handshake }),
        Err(reason) => Err(ReceiveError::Unparsable { delivery_id: Id::Bytes.of(sent), reason }),
    }
}

fn parse(kind: Kind, sent: &Sent<'_>) -> Result<Parsed, ParseError> {
    match kind {
        // GitLab's registry is a fork of it.
        Kind::Distribution | Kind::GitLab => distribution::parse(sent.body),
        Kind::Harbor => harbor::parse(sent),
        Kind::DockerHub => dockerhub::parse(sent.body),
        Kind::GitHub => github::parse_package(sent),
        Kind::Quay => quay::parse(sent.body),
        Kind::Acr => acr::parse(sent.body),
        Kind::EventGrid => eventgrid::parse(sent.body),
        Kind::Ecr => ecr::parse(sent.body),
        Kind::Gar => gar::parse(sent),
        Kind::Artifactory => artifactory::parse(sent.body),
        Kind::Nexus => nexus::parse(sent.body),
        Kind::Zot => zot::parse(sent),
        Kind::Gitea => gitea::parse(sent.body),
        Kind::Generic => generic::parse(sent.body),
    }
}

impl<'a> Sent<'a> {
    /// What came to an address without a secret.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, body: &'a [u8], at: Timestamp) -> Self {
        Self { headers, body, address_secret: None, at }
    }

    /// The text of a header.
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Id {
    fn of(&self, sent: &Sent<'_>) -> String {
        match self {
            Self::Sent(id) => id_or_hash(id.as_deref(), sent.body),
            Self::Bytes => id_or_hash(None, sent.body),
            Self::Moment => format!("{}-{}", id_or_hash(None, sent.body), sent.at.as_microsecond()),
        }
    }
}

/// A push of these tags. Nothing where no tag is left that images have: untagged manifests are the children of an index,
/// signatures have tags of their own, and our anchors are told of as soon as we write them.
fn pushed(
    registry: Option<&str>,
    repository: &str,
    tags: impl IntoIterator<Item = String>,
    digest: Option<&str>,
) -> Option<RegistryEvent> {
    let is_image = |tag: &String| tag.parse::<Tag>().is_ok_and(|tag| !tag.is_of_digest());
    let tags: Vec<String> = tags.into_iter().filter(is_image).collect();
    let registry = registry.filter(|host| (1..=HOST_BYTES_MAX).contains(&host.len()));
    Some(RegistryEvent {
        repository: repository_path(repository).filter(|_| !tags.is_empty())?,
        registry: registry.map(str::to_ascii_lowercase),
        tags,
        digest: digest.and_then(|digest| digest.parse().ok()),
    })
}

/// What stands before the first `/` of a reference, and what behind.
fn split_host(reference: &str) -> Option<(&str, &str)> {
    reference.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty())
}

/// The sender's id where it can serve as one, else the SHA-256 of the body.
fn id_or_hash(id: Option<&str>, body: &[u8]) -> String {
    let is_id = |id: &&str| {
        (1..=DELIVERY_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    id.filter(is_id).map_or_else(|| hex::encode(Sha256::digest(body)), ToOwned::to_owned)
}

/// The path of a repository without its host, in lower case; nothing where it is none.
fn repository_path(text: &str) -> Option<String> {
    let path = text.to_ascii_lowercase();
    format!("localhost/{path}").parse::<Repository>().ok().map(|_| path)
}

/// Reads a body of this form.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(body).map_err(|error| form(&error))
}

fn form(error: &serde_json::Error) -> ParseError {
    ParseError::Form { reason: shown(&error.to_string()) }
}

/// Text of a sender as the log and a page may repeat it: short, one line, nothing that hides or turns it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
