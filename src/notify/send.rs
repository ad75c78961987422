//! One message on its way: signed, sent once, and what the answer means.

use std::error::Error as _;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use sha2::Sha256;

use super::news::News;
use super::{cloud_events, slack};
use crate::settings::{NotifyForm, NotifyTarget, Secret};

/// Holds `sha256=` and the HMAC-SHA256 of the body with the target's secret, in lower-case hex.
pub const SIGNATURE_HEADER: &str = "x-lockkeeper-signature-256";
const USER_AGENT: &str = concat!("lockkeeper/", env!("CARGO_PKG_VERSION"));

/// What became of a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It arrived.
    Taken,
    /// It may be taken later, by the target's word no sooner than after this.
    Later { reason: String, after: Option<Duration> },
    /// The target does not want it as it is.
    Refused { reason: String },
}

/// Who sends to this target, and nowhere else: redirects are answers here.
pub(super) fn client(target: &NotifyTarget, timeout: Duration) -> Result<Client, reqwest::Error> {
    let is_plain = target.address.is_plain();
    let client = Client::builder()
        .https_only(!is_plain)
        .timeout(timeout)
        .redirect(Policy::none())
        .user_agent(USER_AGENT);
    if is_plain { client.no_proxy().build() } else { client.build() }
}

/// Sends what is new once.
pub(super) async fn send(client: &Client, target: &NotifyTarget, news: &News) -> Answer {
    let message = match target.form {
        NotifyForm::CloudEvents => cloud_events::message(news),
        NotifyForm::Slack => slack::message(news),
    };
    post(client, target, message).await
}

/// Sends a message that says that nothing happened, once.
pub(super) async fn send_test(client: &Client, target: &NotifyTarget, now: Timestamp) -> Answer {
    let message = match target.form {
        NotifyForm::CloudEvents => cloud_events::test(&target.name, now),
        NotifyForm::Slack => slack::test(&target.name),
    };
    post(client, target, message).await
}

/// Of the answer only the head is read.
async fn post(client: &Client, target: &NotifyTarget, body: String) -> Answer {
    let content_type = match target.form {
        NotifyForm::CloudEvents => cloud_events::CONTENT_TYPE,
        NotifyForm::Slack => slack::CONTENT_TYPE,
    };
    let mut request = client.post(target.address.expose().clone()).header(CONTENT_TYPE, content_type);
    if let Some(secret) = &target.secret {
        let Some(signature) = signature(secret, body.as_bytes()) else {
            return Answer::Refused { reason: "the secret cannot sign".to_owned() };
        };
        request = request.header(SIGNATURE_HEADER, signature);
    }
    match request.body(body).send().await {
        Ok(response) => answer(&response),
        Err(error) => Answer::Later { reason: causes(&error.without_url()), after: None },
    }
}

fn signature(secret: &Secret, body: &[u8]) -> Option<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    Some(format!("sha256={}", hex::encode(mac.chain_update(body).finalize().into_bytes())))
}

/// 408, 429 and the failures of servers pass; what else is no success does not.
fn answer(response: &Response) -> Answer {
    let status = response.status();
    let reason = || format!("answered {status}");
    let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_success() {
        Answer::Taken
    } else if passes || status.is_server_error() {
        Answer::Later { reason: reason(), after: retry_after(response.headers()) }
    } else if status.is_redirection() {
        Answer::Refused { reason: format!("{}; redirects are not followed", reason()) }
    } else {
        Answer::Refused { reason: reason() }
    }
}

/// Of whole seconds. Source: RFC 9110, section 10.2.3; the date form is left out, so that the other side's clock never
/// matters.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The error with what is behind it: its own text alone is "error sending request".
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(found) = cause {
        text.extend([": ", &found.to_string()]);
        cause = found.source();
    }
    text
}
