//! Webhooks of Azure Container Registry.
//!
//! Source: Microsoft's "Azure Container Registry webhook reference". One event of CNCF Distribution, without its list; the
//! ping and what is about charts or quarantine have other actions.

use super::distribution::Event;
use super::list::Entry as _;
use super::{Id, ParseError, Parsed, read};

/// The push that this body tells of.
pub(super) fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let mut event: Event = read(body)?;
    let id = Id::Sent(event.take_id());
    Ok(Parsed { id, events: event.push().into_iter().collect() })
}
