//! The App's hook: what GitHub brought to it, and what it could not bring.
//!
//! Source: GitHub's REST API, "Webhooks for GitHub Apps": the list goes back some days, newest first; what is delivered
//! once more is an entry of its own with the same `guid`.

use std::fmt;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::answer::{named, unavailable};
use super::app::AppClient;
use super::client::PAGE_ENTRIES;
use crate::forge::ForgeError;
use crate::settings::{GitHub, GitHubIdentity};

/// The hook of an App.
pub struct Hook(AppClient);

/// A page of the list of deliveries, newest first.
#[derive(Debug, Clone)]
pub struct DeliveriesPage {
    /// The deliveries.
    pub deliveries: Vec<ListedDelivery>,
    /// Where the next page begins, where there is one; as it stands in an address.
    pub next: Option<String>,
}

/// A delivery in the list.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedDelivery {
    /// Its id here.
    pub id: u64,
    /// The id that it carries when it is delivered; the same when that is done again.
    pub guid: String,
    /// The name of the event.
    pub event: String,
    /// When it was delivered, or given up.
    pub delivered_at: Timestamp,
    /// What was answered; 0 without an answer.
    pub status_code: u16,
    /// The same in GitHub's words.
    pub status: String,
}

const LIST: &str = "/app/hook/deliveries";

impl Hook {
    /// The hook of the App in the settings; none with a token, which has none.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the key or the address cannot be used.
    pub fn new(github: &GitHub) -> Result<Option<Self>, ForgeError> {
        match &github.identity {
            GitHubIdentity::App { id, private_key_file } => {
                AppClient::new(github, *id, private_key_file).map(|app| Some(Self(app)))
            }
            GitHubIdentity::Token { .. } => Ok(None),
        }
    }

    /// One page of the list; the newest without a cursor.
    ///
    /// # Errors
    /// [`ForgeError`] if GitHub does not give it.
    pub async fn deliveries(&self, cursor: Option<&str>) -> Result<DeliveriesPage, ForgeError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("{LIST}?per_page={PAGE_ENTRIES}{cursor}");
        let answer = self.0.ask(Method::GET, &path).await?;
        let deliveries = answer.read(&named(&Method::GET, &path))?;
        let next = answer
            .next_in("cursor")
            .map_err(|_| unavailable(format!("a page of {LIST} names no next one")))?;
        Ok(DeliveriesPage { deliveries, next })
    }

    /// A delivery whole, as JSON: what was sent stands in `request.payload`.
    ///
    /// # Errors
    /// [`ForgeError`] if GitHub does not give it.
    pub async fn delivery(&self, id: u64) -> Result<Bytes, ForgeError> {
        let path = format!("{LIST}/{id}");
        let answer = self.0.ask(Method::GET, &path).await?;
        answer.good(&named(&Method::GET, &path))?;
        Ok(answer.body)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hook(hidden)")
    }
}
