//! The envelope of CloudEvents, and of those that look like it.

use serde::Deserialize;

use super::{ParseError, Sent, read};

/// An event: what happened, and to what.
///
/// Source: CloudEvents 1.0, HTTP protocol binding, sections "Binary Content Mode" and "Structured Content Mode". In
/// Harbor's own format the data is called `event_data`, in that of Azure's Event Grid the type is called `eventType`.
#[derive(Deserialize)]
pub(super) struct CloudEvent<T> {
    pub(super) id: Option<String>,
    #[serde(rename = "type", alias = "eventType")]
    pub(super) kind: Option<String>,
    #[serde(alias = "event_data")]
    pub(super) data: Option<T>,
}

impl<'a, T: Deserialize<'a>> CloudEvent<T> {
    /// Binary mode has the attributes in headers and the data as body; structured mode has all of it in the body.
    pub(super) fn parse(sent: &Sent<'a>) -> Result<Self, ParseError> {
        match sent.header("ce-type") {
            Some(kind) => Ok(Self {
                id: sent.header("ce-id").map(str::to_owned),
                kind: Some(kind.to_owned()),
                data: Some(read(sent.body)?),
            }),
            None => read(sent.body),
        }
    }

    /// The data, if this is what happened.
    pub(super) fn data_of(self, kinds: &[&str]) -> Option<T> {
        self.data.filter(|_| self.kind.is_some_and(|kind| kinds.contains(&kind.as_str())))
    }
}
