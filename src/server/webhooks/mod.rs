//! What registries, build jobs and GitHub send: authenticated over the raw bytes, then read as hints.
//!
//! An event only says *look at this repository*. Nothing it claims is trusted: the tag is resolved again at the
//! registry, the pull request and the comment are read again. So an event that is lost, doubled, late or forged changes when something happens, never what.

pub mod distribution;
pub mod generic;
pub mod github;
pub mod verify;

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::verify::Authentication;
use crate::image::{Digest, Repository};
use crate::pipeline::is_hidden;

/// A push that a registry, or somebody on its behalf, tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryEvent {
    /// The path of the repository, in lower case, without the host.
    pub repository: String,
    /// The registry's host (and port) by which the sender calls it; nothing where it does not say.
    pub registry: Option<String>,
    /// The tags that were pushed; none where the sender names only a digest.
    pub tags: Vec<String>,
    /// The digest, where the sender names one of our algorithm.
    pub digest: Option<Digest>,
}

/// Whose format a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// CNCF Distribution, and registries built on it.
    Distribution,
    /// Our own, for build jobs and scripts.
    Generic,
}

/// An authenticated delivery that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Tells a delivery from others, and is the same when it is sent again.
    pub delivery_id: String,
    /// What it tells of; empty where all of it is to be ignored.
    pub events: Vec<RegistryEvent>,
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

/// Largest body: events are 1 to 2 kB and mostly come one by one; the largest senders stay below 100 kB.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most pushes of images in one delivery: Distribution sends one, and the largest body holds 1,400 of its 1.5 kB; of the
/// shortest ones it holds 20,000. Events of other kinds are read, counted for nothing and not kept.
pub const EVENTS_MAX: usize = 10_000;
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
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Received, ReceiveError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ReceiveError::TooLarge { found: body.len(), most: BODY_BYTES_MAX });
    }
    if !authentication.accepts(headers, body) {
        return Err(ReceiveError::Unauthorized);
    }
    let (parsed, delivery_id) = match kind {
        Kind::Distribution => (distribution::parse(body), distribution::delivery_id(body)),
        Kind::Generic => (generic::parse(body), generic::delivery_id(body)),
    };
    match parsed {
        Ok(events) => Ok(Received { delivery_id, events }),
        Err(reason) => Err(ReceiveError::Unparsable { delivery_id, reason }),
    }
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

fn form(error: &serde_json::Error) -> ParseError {
    ParseError::Form { reason: shown(&error.to_string()) }
}

/// Text of a sender as the log and a page may repeat it: short, one line, nothing that hides or turns it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
