//! What registries, build jobs and GitHub send.

use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use lockkeeper::image::{Repository, Tag};
use lockkeeper::observation::Sighting;
use lockkeeper::server::webhooks::github::{self, News};
use lockkeeper::server::webhooks::verify::{Authentication, Secret, SignatureForm};
use lockkeeper::server::webhooks::{
    BODY_BYTES_MAX, DIGESTS_MAX, EVENTS_MAX, Kind, ParseError, REPORT_TYPE, ReceiveError, Received,
    RegistryEvent, Sent, parse_report, receive,
};
use lockkeeper::settings::{FullName, TokenRules};
use serde_json::Value;
use sha2::Sha256;

const SECRET: &str = "a secret";
const HEADER: HeaderName = HeaderName::from_static("x-signature");
/// What an event of CloudEvents is, in binary mode.
const EVENT_HEADER: HeaderName = HeaderName::from_static("ce-type");

/// A body of CNCF Distribution.
pub fn webhook_distribution(data: &[u8]) {
    check(Kind::Distribution, data, None);
}

/// A body of our own format.
pub fn webhook_generic(data: &[u8]) {
    check(Kind::Generic, data, None);
}

/// What a deployer reports, as it is and as the data of an event: bounded, and what it says is what was written.
pub fn observations(data: &[u8]) {
    let event = HeaderMap::from_iter([(EVENT_HEADER, HeaderValue::from_static(REPORT_TYPE))]);
    for headers in [HeaderMap::new(), event] {
        let Ok((id, report)) = parse_report(&sent(&headers, data)) else { continue };
        assert!(!id.is_empty() && id.len() <= 128, "{id}");
        assert!(report.digests.len() <= DIGESTS_MAX);
        assert!(report.ready == 0 || !report.digests.is_empty(), "nothing runs, and is ready");
        let seen = report.sighting("fuzz", Timestamp::UNIX_EPOCH);
        assert!(seen.url.as_ref().is_none_or(|url| url.starts_with("http") && !url.contains(' ')));
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Sighting>(&text).unwrap(), seen);
    }
}

/// The first line is the kind of the sender, and perhaps the type of its event; the rest is the body.
pub fn webhook_registries(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (first, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (kind, event) = first.split_at(first.iter().position(|byte| *byte == b' ').unwrap_or(first.len()));
    let Ok(kind) = serde_json::from_value(String::from_utf8_lossy(kind).into()) else { return };
    let event = HeaderValue::from_bytes(event.trim_ascii()).ok().filter(|event| !event.is_empty());
    check(kind, body, event.as_ref());
}

/// A bearer token: whoever holds the key signed none for us.
pub fn webhook_token(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", data].concat()) else { return };
    let rules = TokenRules {
        keys_file: keys_file(),
        issuer: "https://id.example.com".to_owned(),
        audience: "fuzzing".to_owned(),
        email: "push@example.com".to_owned(),
    };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let found = receive(Kind::Gar, &Authentication::Token(rules), &sent(&headers, b"{}"));
    assert_eq!(found, Err(ReceiveError::Unauthorized));
}

/// The fixture, from the package of the tests and from the one that searches.
fn keys_file() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().take(2);
    let mut files = folders.map(|folder| folder.join("tests/fixtures/webhooks/tokens/keys.json"));
    files.find(|file| file.exists()).expect("the fixtures are beside the target")
}

/// The first line is the header's value, the rest the body: only a right signature is accepted.
pub fn webhook_signature(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (value, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_right = hex::encode(mac(body)) == signature_of(value).to_ascii_lowercase();
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let headers = HeaderMap::from_iter([(HEADER, value)]);
    let found = receive(Kind::Generic, &hmac(), &sent(&headers, body));
    assert_eq!(found == Err(ReceiveError::Unauthorized), !is_right, "{found:?}");
}

/// The first line is the event, and ` form` behind it where the body is one; the rest is the body.
pub fn webhook_github(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (first, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (event, is_form) = first.strip_suffix(b" form").map_or((first, false), |event| (event, true));
    let Ok(event) = HeaderValue::from_bytes(event) else { return };
    let signed = |bytes: &[u8]| {
        let signature = format!("sha256={}", hex::encode(mac(bytes)));
        let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        HeaderMap::from_iter([
            (github::SIGNATURE_HEADER, signature.parse().unwrap()),
            (github::EVENT_HEADER, event.clone()),
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        ])
    };
    let receive = |headers: &HeaderMap| github::receive(&github_sender(), &sent(headers, body));
    let found = receive(&signed(body));
    assert_eq!(found, receive(&signed(body)), "the same again");
    match &found {
        Ok(received) => {
            check_id(&received.delivery_id);
            check_news(&received.news);
            // A form is read by its one field, which only its own decoder knows.
            // Nor is a text that nobody looks at, such as the comment's own, read as more than bytes.
            if let (News::Comment { id, thread, .. }, false) = (&received.news, is_form)
                && let Ok(payload) = serde_json::from_str(&String::from_utf8_lossy(body))
            {
                check_comment(&payload, *id, *thread);
            }
        }
        Err(ReceiveError::Unparsable { delivery_id, reason }) => {
            check_id(delivery_id);
            check_reason(reason);
        }
        Err(ReceiveError::TooLarge { found, most }) => {
            assert!(*most == github::BODY_BYTES_MAX && found > most);
        }
        Err(ReceiveError::Unauthorized) => panic!("it is signed"),
    }
    let mut other = body.to_vec();
    other.push(b' ');
    for headers in [signed(&other), HeaderMap::new()] {
        let forged = receive(&headers);
        assert!(
            matches!(forged, Err(ReceiveError::Unauthorized | ReceiveError::TooLarge { .. })),
            "{forged:?}"
        );
    }
}

fn github_sender() -> github::Sender {
    let secrets = vec![Secret::new(SECRET).unwrap()];
    github::Sender {
        authentication: Authentication::Hmac {
            header: github::SIGNATURE_HEADER,
            form: SignatureForm::NamedSha256,
            secrets,
        },
        app_id: Some(7),
        app_name: "lockkeeper".to_owned(),
        registry: "ghcr.io".to_owned(),
    }
}

fn check_news(news: &News) {
    let check_name = |name: &FullName| {
        let text = name.to_string();
        assert!(text.len() <= 201 && text.parse::<FullName>().as_ref() == Ok(name), "{text}");
    };
    match news {
        News::Nothing => {}
        News::Comment { repository, .. } | News::PullRequest { repository, .. } => check_name(repository),
        News::Checked { repository, numbers, branches } => {
            check_name(repository);
            assert!(numbers.len() <= github::LIST_MAX && branches.len() <= github::LIST_MAX);
            assert!(
                branches.iter().all(|name| name.len() <= 255 && name.starts_with("lockkeeper/")),
                "{branches:?}"
            );
        }
        News::Push { repository, branch } => {
            check_name(repository);
            assert!(branch.len() <= 255, "{branch}");
        }
        News::Image(event) => check_event(event),
        News::Access { repositories, .. } => {
            assert!(repositories.len() <= github::LIST_MAX);
            repositories.iter().for_each(check_name);
        }
    }
}

/// It was written by the person who sent it, just now.
fn check_comment(payload: &Value, id: u64, thread: u64) {
    assert_eq!(payload["action"], "created");
    assert_eq!(
        (payload["comment"]["id"].as_u64(), payload["issue"]["number"].as_u64()),
        (Some(id), Some(thread))
    );
    let (author, sender) = (&payload["comment"]["user"], &payload["sender"]);
    assert_eq!(author["id"], sender["id"]);
    assert!(author["type"] != "Bot" && sender["type"] != "Bot");
    assert_eq!(payload["comment"].get("performed_via_github_app").filter(|app| !app.is_null()), None);
}

/// The hex digits behind `sha256=`; nothing where it is no signature at all.
fn signature_of(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.strip_prefix("sha256=").unwrap_or_default().to_owned()
}

fn mac(body: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())
        .unwrap()
        .chain_update(body)
        .finalize()
        .into_bytes()
        .into()
}

fn hmac() -> Authentication {
    let secrets = vec![Secret::new(SECRET).unwrap()];
    Authentication::Hmac { header: HEADER, form: SignatureForm::NamedSha256, secrets }
}

fn sent<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Sent<'a> {
    Sent::new(headers, body, Timestamp::UNIX_EPOCH)
}

fn check(kind: Kind, body: &[u8], event: Option<&HeaderValue>) {
    let signed = |bytes: &[u8]| {
        let value = format!("sha256={}", hex::encode(mac(bytes)));
        let event = event.map(|event| (EVENT_HEADER, event.clone()));
        event.into_iter().chain([(HEADER, value.parse().unwrap())]).collect::<HeaderMap>()
    };
    let found = receive(kind, &hmac(), &sent(&signed(body), body));
    assert_eq!(found, receive(kind, &hmac(), &sent(&signed(body), body)), "the same again");
    match &found {
        Ok(received) => check_received(received, body),
        Err(ReceiveError::Unparsable { delivery_id, reason }) => {
            check_id(delivery_id);
            check_reason(reason);
        }
        Err(ReceiveError::TooLarge { found, most }) => assert!(*most == BODY_BYTES_MAX && found > most),
        Err(ReceiveError::Unauthorized) => panic!("it is signed"),
    }
    let mut other = body.to_vec();
    other.push(b' ');
    let forged = receive(kind, &hmac(), &sent(&signed(&other), body));
    assert!(matches!(forged, Err(ReceiveError::Unauthorized | ReceiveError::TooLarge { .. })), "{forged:?}");
    assert_eq!(receive(kind, &hmac(), &sent(&HeaderMap::new(), b"{}")), Err(ReceiveError::Unauthorized));
}

fn check_received(received: &Received, body: &[u8]) {
    check_id(&received.delivery_id);
    assert!(received.events.len() <= EVENTS_MAX);
    // What is kept is made of what was sent: a small body never grows into a large one.
    let kept: usize = received.events.iter().map(bytes_of).sum();
    assert!(kept <= 2 * body.len() + 200, "{kept} bytes kept of {}", body.len());
    received.events.iter().for_each(check_event);
}

fn check_event(event: &RegistryEvent) {
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(&serde_json::from_str::<RegistryEvent>(&text).unwrap(), event);
    assert!(format!("localhost/{}", event.repository).parse::<Repository>().is_ok(), "{event:?}");
    assert!(event.registry.as_ref().is_none_or(|host| (1..=515).contains(&host.len())), "{event:?}");
    assert!(
        event.tags.len() <= github::LIST_MAX && event.tags.iter().all(|tag| tag.parse::<Tag>().is_ok()),
        "{event:?}"
    );
}

fn bytes_of(event: &RegistryEvent) -> usize {
    let registry = event.registry.as_ref().map_or(0, String::len);
    event.repository.len() + registry + event.tags.iter().map(String::len).sum::<usize>()
}

fn check_id(id: &str) {
    assert!((1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
}

/// It goes into the log and onto a page.
fn check_reason(reason: &ParseError) {
    let text = reason.to_string();
    assert!(text.chars().count() <= 300, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}
