//! What each registry sends, to the server as it runs: who is let in, and what comes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use lockkeeper::server::run::Tally;
use lockkeeper::server::{App, Clock, serve};
use lockkeeper::settings::Settings;
use lockkeeper::store::{Hint, Key, Store};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Two that count, while one is changed for the other, and one that does not.
const OLD: &str = "0d0c0b0a09080706050403020100f0e0";
const NEW: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
const WRONG: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f91";
/// When all of it comes, within a microsecond each; the tokens of the fixtures count for an hour more.
const NOW: &str = "2026-03-02T09:00:00Z";

/// How a sender shows that it may tell us things.
#[derive(Clone, Copy)]
enum Shows {
    Bearer,
    Plain,
    Basic,
    Named(&'static str),
    Sha256(&'static str),
    Sha1(&'static str),
    InAddress,
    Token,
    Header(&'static str),
}

/// A sender, what it sends, and what is to come of it.
struct Row {
    kind: &'static str,
    shows: Shows,
    file: &'static str,
    /// What the settings say of the registry.
    place: &'static str,
    /// Where images of it are pulled.
    image: &'static str,
    tags: &'static [&'static str],
    /// Whether a repeat is known as one.
    is_known_again: bool,
}

const HERE: &str = "registry = 'registry.example'";
const ONE: &[&str] = &["1.4.2"];

/// Rows of which most is as usual.
fn row(kind: &'static str, shows: Shows, file: &'static str, place: &'static str) -> Row {
    Row { kind, shows, file, place, image: "registry.example/shop/web", tags: ONE, is_known_again: true }
}

fn rows() -> Vec<Row> {
    let acme = "registry.example/acme/shop/web";
    let ecr = "aliases = { '123456789012.eu-west-1' = 'registry.example', 'other' = 'other.example' }";
    let artifactory = "aliases = { 'registry.example/docker-local' = 'docker.registry.example' }";
    let named = Shows::Named("x-hub-signature-256");
    vec![
        Row {
            image: "registry.example/shop/api",
            tags: &["2.0.0"],
            ..row("gitlab", Shows::Plain, "push.json", "")
        },
        row("harbor", Shows::Plain, "push.json", ""),
        row("harbor", Shows::Bearer, "push.cloudevent.json", ""),
        Row {
            image: "mirror.example/shop/web",
            ..row("dockerhub", Shows::InAddress, "push.json", "registry = 'mirror.example'")
        },
        row("github", named, "package.json", ""),
        row("github", named, "registry_package.json", ""),
        Row {
            tags: &["1.4.2", "main"],
            is_known_again: false,
            ..row("quay", Shows::InAddress, "push.json", "")
        },
        row("acr", Shows::Bearer, "push.json", ""),
        row("eventgrid", Shows::InAddress, "push.json", ""),
        row("eventgrid", Shows::InAddress, "push.cloudevent.json", ""),
        row("eventgrid", Shows::Header("x-lockkeeper"), "push.json", "header = 'X-Lockkeeper'"),
        row("eventgrid", Shows::Bearer, "push.cloudevent.json", "header = 'Authorization'"),
        row("ecr", Shows::Plain, "push.json", ecr),
        Row { image: acme, ..row("gar", Shows::Token, "push.json", "") },
        Row { image: acme, is_known_again: false, ..row("gar", Shows::Token, "unwrapped.json", "") },
        Row {
            image: "docker.registry.example/shop/web",
            is_known_again: false,
            ..row("artifactory", Shows::Sha256("x-jfrog-event-auth"), "push.json", artifactory)
        },
        row("nexus", Shows::Sha1("x-nexus-webhook-signature"), "push.json", HERE),
        row("zot", Shows::Basic, "push.json", HERE),
        row("zot", Shows::Bearer, "push.cloudevent.json", HERE),
        row("gitea", Shows::Sha256("x-gitea-signature"), "push.json", HERE),
        row("generic", Shows::Named("x-signature"), "push.json", ""),
    ]
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks")
}

fn fixture(file: &str) -> Vec<u8> {
    fs::read(fixtures().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn tokens() -> BTreeMap<String, String> {
    serde_json::from_slice(&fixture("tokens/tokens.json")).unwrap()
}

/// The name of a row's webhook, and of the pipeline that watches its image.
fn name(index: usize, kind: &str) -> String {
    format!("{kind}-{index}")
}

fn mac<M: Mac + hmac::digest::KeyInit>(secret: &str, body: &[u8]) -> String {
    hex::encode(
        <M as Mac>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize().into_bytes(),
    )
}

/// The server, listening.
struct Place {
    url: String,
    app: App,
    client: Client,
    folder: TempDir,
}

impl Place {
    async fn start(webhooks: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for (name, secret) in [("old", OLD.to_owned()), ("new", format!("{NEW}\n"))] {
            fs::write(at(name), secret).unwrap();
        }
        fs::write(at("basic"), format!("Basic {}", basic(NEW))).unwrap();
        let keys = fixtures().join("tokens/keys.json").display().to_string();
        let repository =
            "[[repositories]]\nname = 'env'\nlocation = '/x'\nlocal = { folder = '/x', people = '/y' }\n";
        let webhooks = webhooks.replace("OLD", &at("old")).replace("NEW", &at("new")).replace("KEYS", &keys);
        let webhooks = webhooks.replace("BASIC", &at("basic"));
        fs::write(at("settings.toml"), format!("{webhooks}\n{repository}")).unwrap();
        let settings = Settings::load_from(Some(Path::new(&at("settings.toml"))), []);
        let settings = settings.unwrap_or_else(|error| panic!("{error}\n{webhooks}"));
        let store = Store::open(Path::new(&at("store.db"))).await.unwrap();
        let mut app = Tally::new(&settings).app(&settings, store).unwrap();
        let ticks = AtomicI64::new(0);
        app.clock = Clock::new(Arc::new(move || {
            now() + SignedDuration::from_micros(ticks.fetch_add(1, Ordering::Relaxed))
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, app.clone(), vec![], std::future::pending()));
        Self { url, app, client: Client::builder().no_proxy().build().unwrap(), folder }
    }

    /// A request that shows this secret; none: that shows nothing.
    fn request(&self, webhook: &str, shows: Shows, secret: Option<&str>, body: &[u8]) -> RequestBuilder {
        let url = format!("{}/{webhook}", self.url);
        let post = |url: String| self.client.post(url).body(body.to_vec());
        let Some(secret) = secret else { return post(url) };
        match shows {
            Shows::Bearer => post(url).bearer_auth(secret),
            Shows::Plain => post(url).header("authorization", secret),
            Shows::Basic => post(url).header("authorization", format!("Basic {}", basic(secret))),
            Shows::Named(header) => {
                post(url).header(header, format!("sha256={}", mac::<Hmac<Sha256>>(secret, body)))
            }
            Shows::Sha256(header) => post(url).header(header, mac::<Hmac<Sha256>>(secret, body)),
            Shows::Sha1(header) => post(url).header(header, mac::<Hmac<Sha1>>(secret, body)),
            Shows::InAddress => post(format!("{url}/{secret}")),
            Shows::Header(header) => post(url).header(header, secret),
            Shows::Token => {
                let name = if secret == WRONG { "signed_by_another_key" } else { "right" };
                post(url).bearer_auth(&tokens()[name])
            }
        }
    }

    fn deliveries(&self, webhook: &str) -> String {
        let figures = self.app.metrics.render();
        let prefix = format!("lockkeeper_deliveries_total{{webhook=\"{webhook}\",outcome=\"");
        let mut found: Vec<String> = figures
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .map(|line| line.replace("\"}", ""))
            .collect();
        found.sort();
        found.join(", ")
    }

    /// What each pipeline that is due was told, by its name: one line for each delivery.
    async fn told(&self) -> BTreeMap<String, Vec<String>> {
        let mut told = BTreeMap::new();
        while let Some(lease) =
            self.app.store.claim(now() + SignedDuration::from_secs(1), Duration::from_mins(1)).await.unwrap()
        {
            let lines =
                lease.deliveries.iter().map(|delivery| delivery.hints.iter().map(line).collect::<String>());
            told.insert(lease.key.pipeline.unwrap().to_string(), lines.collect());
        }
        told
    }

    /// Has a pipeline look at these images and no others.
    async fn watch(&self, pipeline: &str, images: &[&str]) {
        let key = Key::pipeline("env", pipeline.parse().unwrap());
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        self.app.store.set_watches(&key, &images).await.unwrap();
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn basic(password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("zot:{password}"))
}

fn line(hint: &Hint) -> String {
    let Hint::Image { repository, registry, tags, .. } = hint else { return format!("{hint:?}") };
    format!("{}/{repository} {}", registry.as_deref().unwrap_or("?"), tags.join(","))
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn settings(rows: &[Row]) -> String {
    let tables = rows.iter().enumerate().map(|(index, Row { kind, shows, place, .. })| {
        let proof = match shows {
            Shows::Token => TOKEN,
            Shows::Basic => "secret_files = ['BASIC']",
            Shows::Bearer
            | Shows::Plain
            | Shows::Named(_)
            | Shows::Sha256(_)
            | Shows::Sha1(_)
            | Shows::InAddress
            | Shows::Header(_) => SECRETS,
        };
        format!("[[webhooks]]\nkind = '{kind}'\npath = '{}'\n{proof}\n{place}\n", name(index, kind))
    });
    tables.collect()
}

fn webhook(kind: &str, rest: &str) -> String {
    format!("[[webhooks]]\nkind = '{kind}'\npath = 'main'\n{rest}\n")
}

const TOKEN: &str = "token = { keys_file = 'KEYS', issuer = 'https://id.example.com', audience = 'lockkeeper', \
                     email = 'push@example.com' }";
const SECRETS: &str = "secret_files = ['OLD', 'NEW']";

/// Every sender × right, wrong, missing and repeated; and what cannot be read.
#[tokio::test]
async fn every_registry_is_let_in_by_its_own_proof_and_makes_its_image_due() {
    let rows = rows();
    let place = Place::start(&settings(&rows)).await;
    for (index, row) in rows.iter().enumerate() {
        let (webhook, body) = (name(index, row.kind), fixture(&format!("{}/{}", row.kind, row.file)));
        let cloud_event =
            ((row.kind, row.file) == ("zot", "push.json")).then_some("zotregistry.image.updated");
        let send = |secret: Option<&str>, body: &[u8]| {
            let request = place.request(&webhook, row.shows, secret, body);
            let request = cloud_event
                .into_iter()
                .fold(request, |request, kind| request.header("ce-type", kind).header("ce-id", "0c9e4b0e"));
            status(request)
        };
        place.watch(&webhook, &[row.image]).await;
        assert_eq!(send(None, &body).await, 401, "{webhook} shows nothing");
        assert_eq!(send(Some(WRONG), &body).await, 401, "{webhook} shows a wrong secret");
        assert_eq!(send(Some(NEW), &body).await, 202, "{webhook} shows a right one");
        let other = if matches!(row.shows, Shows::Basic) { NEW } else { OLD };
        assert_eq!(send(Some(other), &body).await, 202, "{webhook} repeats itself, with the other secret");
        assert_eq!(send(Some(NEW), b"{\"half\":").await, 202, "{webhook} sends half a body");
        let taken = if row.is_known_again { "accepted 1, repeat 1" } else { "accepted 2" };
        assert_eq!(place.deliveries(&webhook), format!("{taken}, unauthorized 2, unparsable 1"), "{webhook}");
        let want = format!("{} {}", row.image, row.tags.join(","));
        let want = vec![want; if row.is_known_again { 1 } else { 2 }];
        assert_eq!(place.told().await, BTreeMap::from([(webhook.clone(), want)]));
        place.watch(&webhook, &[]).await;
    }
}

/// What was captured from docker-registry 2.8.2 and 3.1.1, byte for byte.
#[tokio::test]
async fn every_captured_notification_is_stored_and_the_pushes_of_tags_alone_are_acted_on() {
    let place = Place::start(&webhook("distribution", &format!("{SECRETS}\n{HERE}"))).await;
    for image in ["web", "api"] {
        place.watch(image, &[&format!("registry.example/shop/{image}")]).await;
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(fixtures().join("distribution")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 29);
    for file in files {
        let body = fs::read(&file).unwrap();
        assert_eq!(status(place.request("main", Shows::Bearer, Some(NEW), &body)).await, 202, "{file:?}");
    }
    assert_eq!(place.deliveries("main"), "accepted 29");
    let told = place.told().await;
    let tags = |image: &str| -> Vec<&str> {
        told[image].iter().map(|line| line.rsplit(' ').next().unwrap()).collect()
    };
    // In the order of the files: version 2, the same with a login, version 3.
    assert_eq!(tags("web"), ["1.4.2", "1.4.2", "staging", "staging", "1.4.2"]);
    assert_eq!(tags("api"), ["2.0.0", "staging", "retry500", "2.0.0", "staging", "2.0.0", "staging"]);
}

#[tokio::test]
async fn a_token_counts_only_if_signed_by_a_key_of_the_file_and_meant_for_us_now() {
    let place = Place::start(&webhook("gar", TOKEN)).await;
    let body = fixture("gar/push.json");
    let url = format!("{}/main", place.url);
    let post = || place.client.post(&url).body(body.clone());
    let tokens = tokens();
    assert_eq!(tokens.len(), 16);
    for (name, token) in &tokens {
        let want = if name == "right" { 202 } else { 401 };
        assert_eq!(status(post().bearer_auth(token)).await, want, "{name}");
    }
    let right = &tokens["right"];
    for odd in [format!("bearer {right}"), right.clone(), format!("Bearer {right}."), "Bearer ".to_owned()] {
        assert_eq!(status(post().header("authorization", &odd)).await, 401, "{odd}");
    }
    assert_eq!(status(post().bearer_auth(right).bearer_auth(right)).await, 401, "two of them");
}

/// The file is read at each use: whatever renews it tells nobody.
#[tokio::test]
async fn keys_are_changed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, fixture("tokens/keys.json")).unwrap();
    let token = TOKEN.replace("KEYS", &file.display().to_string());
    let place = Place::start(&webhook("gar", &token)).await;
    let send = || status(place.request("main", Shows::Token, Some(NEW), &fixture("gar/push.json")));
    let keys = fs::read_to_string(&file).unwrap();
    for (text, want) in
        [(keys.clone(), 202), (keys.replace("key-1", "key-2"), 401), ("{".to_owned(), 401), (keys, 202)]
    {
        fs::write(&file, text).unwrap();
        assert_eq!(send().await, want);
    }
}

#[tokio::test]
async fn event_grid_hears_its_code_or_its_origin_back_where_it_knows_the_secret() {
    let place = Place::start(&webhook("eventgrid", SECRETS)).await;
    let validation = fixture("eventgrid/validation.json");
    let answer = place.request("main", Shows::InAddress, Some(NEW), &validation).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(said, json!({ "validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6" }));
    assert_eq!(status(place.request("main", Shows::InAddress, Some(WRONG), &validation)).await, 401);
    assert_eq!(place.deliveries("main"), "handshake 1, unauthorized 1");
    for (path, origin, want) in [
        (format!("main/{OLD}"), Some("grid.example.com"), 200),
        (format!("main/{WRONG}"), Some("grid.example.com"), 401),
        (format!("main/{OLD}"), None, 400),
        (format!("other/{OLD}"), Some("grid.example.com"), 404),
    ] {
        let asked = place.client.request(Method::OPTIONS, format!("{}/{path}", place.url));
        let asked =
            origin.into_iter().fold(asked, |asked, origin| asked.header("webhook-request-origin", origin));
        let answer = asked.send().await.unwrap();
        let allowed = answer.headers().get("webhook-allowed-origin").map(|value| value.to_str().unwrap());
        assert_eq!(answer.status().as_u16(), want, "{path} {origin:?}");
        assert_eq!(allowed, origin.filter(|_| want == 200), "{path}");
    }
}

/// Where a header is named, that and nothing else lets in: once, and not by the address.
#[tokio::test]
async fn event_grid_is_let_in_by_the_header_that_was_named_for_it() {
    let place = Place::start(&webhook("eventgrid", &format!("{SECRETS}\nheader = 'X-Lockkeeper'"))).await;
    let validation = fixture("eventgrid/validation.json");
    let (shows, name) = (Shows::Header("x-lockkeeper"), "x-lockkeeper");
    let send = |secret| place.request("main", shows, secret, &validation);
    let options = |header: Option<&str>| {
        let asked = place.client.request(Method::OPTIONS, format!("{}/main", place.url));
        let asked = asked.header("webhook-request-origin", "grid.example.com");
        header.into_iter().fold(asked, |asked, secret| asked.header(name, secret))
    };
    for (what, request, want) in [
        ("right", send(Some(OLD)), 200),
        ("wrong", send(Some(WRONG)), 401),
        ("missing", send(None), 401),
        ("twice", send(Some(OLD)).header(name, OLD), 401),
        ("beside a wrong one", send(Some(OLD)).header(name, WRONG), 401),
        ("with a scheme", send(None).header(name, format!("Bearer {OLD}")), 401),
        ("another header", send(None).bearer_auth(OLD), 401),
        ("in the address", place.request("main", Shows::InAddress, Some(OLD), &validation), 401),
        ("origin", options(Some(NEW)), 200),
        ("origin, wrong", options(Some(WRONG)), 401),
        ("origin, missing", options(None), 401),
    ] {
        assert_eq!(status(request).await, want, "{what}");
    }
}

/// The secret in an address is said nowhere else: not in an answer, not in a figure, not in what is stored.
#[tokio::test]
async fn an_address_with_a_secret_is_not_repeated() {
    let place = Place::start(&webhook("quay", SECRETS)).await;
    let body = fixture("quay/push.json");
    let mut said = Vec::new();
    for (path, want) in [
        (format!("main/{NEW}"), 202),
        (format!("main/{NEW}x"), 401),
        (format!("main/{NEW}/"), 404),
        (format!("main/{NEW}%ff"), 400),
        (format!("other/{NEW}"), 404),
        ("main".to_owned(), 401),
    ] {
        let answer =
            place.client.post(format!("{}/{path}", place.url)).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), want, "{path}");
        said.push(format!("{:?}", answer.headers()));
        said.push(answer.text().await.unwrap());
    }
    said.push(place.app.metrics.render());
    said.push(format!("{:?}", place.app));
    for entry in fs::read_dir(place.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("store.db") {
            said.push(String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        }
    }
    let said = said.concat();
    assert!(
        said.contains("/webhooks/{name}/{secret}") && said.contains("shop/web"),
        "it looks where it is said"
    );
    assert!(!said.contains(NEW) && !said.contains(OLD), "{said}");
}
