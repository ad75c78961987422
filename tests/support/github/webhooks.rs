//! Events on their way to the App's hook: the test delivers them itself, twice or out of order where it wants to.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::model::Delivery;

/// An event as GitHub would post it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `X-GitHub-Event`.
    pub event: String,
    /// `X-GitHub-Delivery`: the same for every delivery of one event.
    pub guid: String,
    /// The body, to be signed and sent byte for byte.
    pub body: Vec<u8>,
}

impl Webhook {
    pub(super) fn of(delivery: &Delivery) -> Self {
        let Delivery { event, guid, body, .. } = delivery;
        Self { event: event.clone(), guid: guid.clone(), body: body.clone().into_bytes() }
    }

    /// The body as JSON.
    pub fn payload(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The headers of its delivery, signed with this secret.
    pub fn headers(&self, secret: &str) -> [(&'static str, String); 4] {
        [
            ("content-type", "application/json".to_owned()),
            ("x-github-event", self.event.clone()),
            ("x-github-delivery", self.guid.clone()),
            ("x-hub-signature-256", sign(secret, &self.body)),
        ]
    }
}

/// The value of `X-Hub-Signature-256`.
///
/// Source: GitHub documentation, "Validating webhook deliveries".
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    code.update(body);
    format!("sha256={}", hex::encode(code.finalize().into_bytes()))
}
