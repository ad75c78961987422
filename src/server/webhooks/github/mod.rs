//! What GitHub sends to its Apps and repositories.
//!
//! Source: GitHub's page "Webhook events and payloads" (API version 2022-11-28), and `@octokit/webhooks-examples` 7.6.1,
//! all of which is read without an error (`tests/github_examples.rs`). The models are our own and take what is missing
//! or new: GitHub adds actions and fields without a word, and events that are unknown tell of nothing.
//!
//! GitHub signs the body alone. So the name of the event and the id of the delivery, which stand in headers, are no more
//! than hints to us, like everything else in here.

mod form;
mod package;
mod payload;

use http::{HeaderMap, HeaderName, header};

pub(super) use self::package::parse as parse_package;
use self::payload::{Account, Check, Payload};
pub use super::list::LIST_MAX;
use super::verify::Authentication;
use super::{ParseError, ReceiveError, RegistryEvent, Sent, id_or_hash};
use crate::image::Digest;
use crate::settings::FullName;

/// Largest body: GitHub sends nothing above 25 MB.
pub const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Longest name of a branch that is kept; GitHub takes none above 244 bytes.
const BRANCH_BYTES_MAX: usize = 255;
/// Branches of promotions are ours.
pub const BRANCH_PREFIX: &str = "lockkeeper/";
/// The signature of the body.
pub const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// The id of the delivery, which a repeat keeps.
pub const DELIVERY_HEADER: HeaderName = HeaderName::from_static("x-github-delivery");
/// The name of the event.
pub const EVENT_HEADER: HeaderName = HeaderName::from_static("x-github-event");

/// Events that may concern us; all others are stored, and not read.
pub const EVENTS: [&str; 11] = [
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "check_run",
    "check_suite",
    "status",
    "push",
    "package",
    "registry_package",
    "installation",
    "installation_repositories",
];
/// Actions at a pull request that change what its gates see. Labels, assignees and requested reviewers do not.
const PULL_REQUEST_ACTIONS: [&str; 9] = [
    "opened",
    "closed",
    "reopened",
    "synchronize",
    "edited",
    "ready_for_review",
    "converted_to_draft",
    "auto_merge_enabled",
    "auto_merge_disabled",
];
const REVIEW_ACTIONS: [&str; 3] = ["submitted", "edited", "dismissed"];

/// Whose deliveries are expected, and who we are.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The secrets.
    pub authentication: Authentication,
    /// The id of our App; none where we have a token.
    pub app_id: Option<u64>,
    /// The name of our App in addresses: it acts as `<name>[bot]`.
    pub app_name: String,
    /// The container registry, where a delivery does not name it.
    pub registry: String,
}

/// An authenticated delivery that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Tells a delivery from others, and is the same when it is sent again.
    pub delivery_id: String,
    /// What it tells of.
    pub news: News,
}

/// What a delivery tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing that concerns us.
    Nothing,
    /// A person commented.
    Comment {
        /// Where.
        repository: FullName,
        /// The id of the comment.
        id: u64,
        /// The number of the issue or pull request.
        thread: u64,
        /// The digest of what it says.
        said: Option<Digest>,
    },
    /// A pull request changed.
    PullRequest {
        /// Where.
        repository: FullName,
        /// Its number.
        number: u64,
    },
    /// Somebody else's check or status has a result.
    Checked {
        /// Where.
        repository: FullName,
        /// The pull requests with this head, as far as GitHub says; at most [`LIST_MAX`].
        numbers: Vec<u64>,
        /// Our branches with this head, as far as GitHub says; at most [`LIST_MAX`].
        branches: Vec<String>,
    },
    /// A branch moved.
    Push {
        /// Where.
        repository: FullName,
        /// The branch.
        branch: String,
    },
    /// An image was pushed.
    Image(RegistryEvent),
    /// What the App may reach changed.
    Access {
        /// These changed; at most [`LIST_MAX`].
        repositories: Vec<FullName>,
        /// Whether it may be others, too.
        and_others: bool,
    },
}

/// Authenticates a delivery over its raw bytes and, only then, reads it.
///
/// # Errors
/// [`ReceiveError`], by what to answer.
pub fn receive(sender: &Sender, sent: &Sent<'_>) -> Result<Received, ReceiveError> {
    let Sent { headers, body, .. } = *sent;
    if body.len() > BODY_BYTES_MAX {
        return Err(ReceiveError::TooLarge { found: body.len(), most: BODY_BYTES_MAX });
    }
    if !sender.authentication.accepts(sent) {
        return Err(ReceiveError::Unauthorized);
    }
    let delivery_id = id_or_hash(text(headers, &DELIVERY_HEADER), body);
    let event = text(headers, &EVENT_HEADER).unwrap_or_default();
    let is_form = text(headers, &header::CONTENT_TYPE).is_some_and(form::is_form);
    let news = if is_form { read(sender, event, &form::payload(body)) } else { read(sender, event, body) };
    match news {
        Ok(news) => Ok(Received { delivery_id, news }),
        Err(reason) => Err(ReceiveError::Unparsable { delivery_id, reason }),
    }
}

/// Reads a delivery as GitHub's own list has it, which we asked for: what it holds was sent by whoever made the event,
/// and is believed no more than what comes by itself.
///
/// # Errors
/// [`ReceiveError::Unparsable`].
pub fn receive_listed(
    sender: &Sender,
    guid: &str,
    event: &str,
    listed: &[u8],
) -> Result<Received, ReceiveError> {
    let delivery_id = id_of_listed(guid);
    match Payload::parse_listed(listed).and_then(|payload| read_payload(sender, event, &payload)) {
        Ok(news) => Ok(Received { delivery_id, news }),
        Err(reason) => Err(ReceiveError::Unparsable { delivery_id, reason }),
    }
}

/// The id of a delivery of which the list tells this one.
#[must_use]
pub fn id_of_listed(guid: &str) -> String {
    id_or_hash(Some(guid), guid.as_bytes())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a body of this event tells of.
fn read(sender: &Sender, event: &str, body: &[u8]) -> Result<News, ParseError> {
    if !EVENTS.contains(&event) {
        return Ok(News::Nothing);
    }
    read_payload(sender, event, &Payload::parse(body)?)
}

fn read_payload(sender: &Sender, event: &str, payload: &Payload) -> Result<News, ParseError> {
    // What we did ourselves is no news.
    if payload.sender.as_ref().is_some_and(|account| is_us(sender, account)) {
        return Ok(News::Nothing);
    }
    match event {
        "issue_comment" => comment(payload),
        "pull_request" => pull_request(payload, &PULL_REQUEST_ACTIONS),
        "pull_request_review" => pull_request(payload, &REVIEW_ACTIONS),
        "check_run" | "check_suite" => checked(sender, payload),
        "status" => status(payload),
        "push" => push(payload),
        "package" | "registry_package" => {
            let image = package::image(payload, Some(&sender.registry))?;
            Ok(image.map_or(News::Nothing, News::Image))
        }
        "installation" | "installation_repositories" => Ok(access(payload)),
        _ => Ok(News::Nothing),
    }
}

fn is_us(sender: &Sender, account: &Account) -> bool {
    let login = account.login.as_deref().unwrap_or_default();
    let name = login.strip_suffix("[bot]");
    account.is_bot() && name.is_some_and(|name| name.eq_ignore_ascii_case(&sender.app_name))
}

/// Only what is new, and only from whoever wrote it: everybody with write access may edit the comments of others, and
/// then stands there as the sender while the comment keeps its author.
fn comment(payload: &Payload) -> Result<News, ParseError> {
    if !payload.is(&["created"]) {
        return Ok(News::Nothing);
    }
    let comment = payload.comment.as_ref().ok_or_else(|| absent("comment"))?;
    let (Some(author), Some(by)) = (&comment.user, &payload.sender) else { return Ok(News::Nothing) };
    let is_own = author.id.is_some() && author.id == by.id;
    let is_machine = author.is_bot() || by.is_bot() || comment.performed_via_github_app.is_some();
    if !is_own || is_machine {
        return Ok(News::Nothing);
    }
    Ok(News::Comment {
        repository: payload.full_name()?,
        id: comment.id.ok_or_else(|| absent("comment.id"))?,
        thread: payload.issue_number().ok_or_else(|| absent("issue.number"))?,
        said: comment.body.as_deref().map(|body| Digest::of(body.as_bytes())),
    })
}

fn pull_request(payload: &Payload, actions: &[&str]) -> Result<News, ParseError> {
    if !payload.is(actions) {
        return Ok(News::Nothing);
    }
    let number = payload.pull_request_number().ok_or_else(|| absent("pull_request.number"))?;
    Ok(News::PullRequest { repository: payload.full_name()?, number })
}

fn checked(sender: &Sender, payload: &Payload) -> Result<News, ParseError> {
    let check = payload.check_run.as_ref().or(payload.check_suite.as_ref());
    // One that begins takes back what an earlier run of it said.
    let is_news = payload.is(&["created", "completed"]);
    let Some(check) = check.filter(|_| is_news) else { return Ok(News::Nothing) };
    if is_our_check(sender, check) {
        return Ok(News::Nothing);
    }
    Ok(News::Checked {
        repository: payload.full_name()?,
        numbers: payload.numbers_of(check),
        branches: check.head_branch().into_iter().filter_map(our_branch).collect(),
    })
}

/// By the id of the App where both are known; else by its name, which others may show, too.
fn is_our_check(sender: &Sender, check: &Check) -> bool {
    let Some(app) = &check.app else { return false };
    if let (Some(ours), Some(found)) = (sender.app_id, app.id) {
        return ours == found;
    }
    let names = [&app.slug, &app.name];
    names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&sender.app_name))
}

/// A status knows no pull requests, only branches.
fn status(payload: &Payload) -> Result<News, ParseError> {
    let branches = payload.branches().filter_map(our_branch).collect();
    Ok(News::Checked { repository: payload.full_name()?, numbers: Vec::new(), branches })
}

/// A branch of a promotion, by its name.
fn our_branch(name: &str) -> Option<String> {
    let is_ours = name.starts_with(BRANCH_PREFIX) && name.len() <= BRANCH_BYTES_MAX;
    is_ours.then(|| name.to_owned())
}

/// Tags and other refs are nobody's base.
fn push(payload: &Payload) -> Result<News, ParseError> {
    let reference = payload.reference.as_deref().ok_or_else(|| absent("ref"))?;
    match reference.strip_prefix("refs/heads/").filter(|branch| branch.len() <= BRANCH_BYTES_MAX) {
        Some(branch) => Ok(News::Push { repository: payload.full_name()?, branch: branch.to_owned() }),
        None => Ok(News::Nothing),
    }
}

fn access(payload: &Payload) -> News {
    let lists = payload.access_lists();
    let names = lists.iter().flat_map(|list| list.items.iter());
    let mut repositories: Vec<FullName> = names.filter_map(payload::Named::full_name).collect();
    let is_long = repositories.len() > LIST_MAX || lists.iter().any(|list| list.is_cut);
    repositories.truncate(LIST_MAX);
    // An App that may reach all repositories of an account names some of them or none.
    News::Access { and_others: is_long || repositories.is_empty(), repositories }
}

fn absent(field: &'static str) -> ParseError {
    ParseError::Field { field, found: "nothing".to_owned() }
}

#[cfg(test)]
mod tests;
