//! Every example payload that GitHub's own package has, signed and posted to the server over HTTP.
//!
//! The package is `@octokit/webhooks-examples` 7.6.1 (MIT), which `tests/run` fetches; it is not ours to carry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/parts.rs"]
mod parts;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use lockkeeper::server::run::Tally;
use lockkeeper::server::{App, serve};
use lockkeeper::settings::Settings;
use lockkeeper::store::Store;
use lockkeeper::telemetry::Metrics;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

const EXAMPLES: &str = "target/github/webhooks-examples-7.6.1/index.json";
/// As many as the package has: none is left out.
const PAYLOADS: usize = 329;
const SECRET: &str = "hunter2";
/// The repository of most examples is one of the settings, so that they are not only read, but make something due.
const REPOSITORY: &str = "
[[repositories]]
name = 'hello'
forge = 'github'
base = 'master'
github = { repository = 'Codertocat/Hello-World' }
";

/// An event, with its examples.
#[derive(Deserialize)]
struct Event {
    name: String,
    examples: Vec<Value>,
}

#[tokio::test]
async fn every_example_is_accepted() {
    let Some(file) = parts::fetched(EXAMPLES, "npm") else { return };
    let events: Vec<Event> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path()).await;
    let (metrics, store) = (Arc::clone(&app.metrics), app.store.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/github", listener.local_addr().unwrap());
    let serving = tokio::spawn(serve(listener, app, vec![], std::future::pending()));
    let client = Client::builder().no_proxy().build().unwrap();

    let (mut posted, mut refused) = (0, String::new());
    for Event { name, examples } in &events {
        for example in examples {
            let before = accepted(&metrics);
            let status = post(&client, &url, name, posted, example).await;
            posted += 1;
            // What cannot be read is answered alike, and counted otherwise.
            if status != 202 || accepted(&metrics) != before + 1 {
                writeln!(refused, "{name} {}: {status}", example["action"]).unwrap();
            }
        }
    }
    serving.abort();
    assert_eq!(refused, "", "{}", metrics.render());
    assert_eq!(posted, PAYLOADS);
    let counts = store.counts().await.unwrap();
    assert!(counts.deliveries_open >= 40, "{counts:?}");
    // Past the test harness, which would show it of a failed test only.
    writeln!(
        std::io::stderr(),
        "{posted} example payloads of {} events accepted, {} of them make something due",
        events.len(),
        counts.deliveries_open
    )
    .unwrap();
}

async fn app(folder: &Path) -> App {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let path = secret.display();
    let table = format!("[github]\ntoken_file = '{path}'\nwebhook_secret_files = ['{path}']\n{REPOSITORY}");
    let file = folder.join("settings.toml");
    std::fs::write(&file, table).unwrap();
    let settings = Settings::load_from(Some(&file), []).unwrap();
    let store = Store::open(&folder.join("store.db")).await.unwrap();
    Tally::new(&settings).app(&settings, store).unwrap()
}

async fn post(client: &Client, url: &str, event: &str, number: usize, payload: &Value) -> u16 {
    let body = payload.to_string();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&body).finalize();
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", format!("00000000-0000-0000-0000-{number:012}"))
        .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.into_bytes())))
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// How many were accepted as what they are.
fn accepted(metrics: &Metrics) -> usize {
    let figures = metrics.render();
    let accepted = "lockkeeper_deliveries_total{webhook=\"github\",outcome=\"accepted\"} ";
    figures.lines().find_map(|line| line.strip_prefix(accepted)).map_or(0, |count| count.parse().unwrap())
}
