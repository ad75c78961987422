//! Registries as they are: Debian's docker-registry, our own for the demo, and some that lie. skopeo is the judge.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "registry/copies.rs"]
mod copies;
#[path = "registry/credentials.rs"]
mod credentials;
#[path = "registry/keyless.rs"]
mod keyless;
#[path = "registry/lint.rs"]
mod lint;
#[path = "registry/facts.rs"]
mod facts;
#[path = "registry/liars.rs"]
mod liars;
#[path = "registry/many.rs"]
mod many;
#[path = "registry/notifications.rs"]
mod notifications;
#[path = "registry/receivers.rs"]
mod receivers;
#[path = "support/oci_layout.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod oci_layout;
#[path = "registry/presence.rs"]
mod presence;
#[path = "registry/retag.rs"]
mod retag;
#[path = "registry/signatures.rs"]
mod signatures;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use lockkeeper::demo::registry::{DemoRegistry, ImageSpec};
use lockkeeper::image::{Repository, Tag};
use lockkeeper::registry::credentials::Credentials;
use lockkeeper::registry::oci::{OciRegistry, OciSettings};
use lockkeeper::registry::{Registry as _, RegistryError};

/// A registry client that waits two seconds at most.
fn client(credentials: Credentials) -> OciRegistry {
    let settings = OciSettings { timeout: Duration::from_secs(2), ..OciSettings::default() };
    OciRegistry::new(settings, credentials)
}

fn anonymous() -> OciRegistry {
    client(Credentials::anonymous())
}

fn repository(address: SocketAddr, path: &str) -> Repository {
    format!("{address}/{path}").parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// The image of one version: two platforms, and labels.
fn spec(version: &str) -> ImageSpec {
    let created = "2026-11-18T16:02:00Z".parse().unwrap();
    ImageSpec::new(version, "4f0c7f1a", "https://git.example.com/shop/web", created)
}

/// What an error asks of the caller.
fn kind(error: &RegistryError) -> &'static str {
    match error {
        RegistryError::NotFound { .. } => "not found",
        RegistryError::Denied { .. } => "denied",
        RegistryError::Unavailable { .. } => "unavailable",
        RegistryError::Untrusted { .. } => "untrusted",
    }
}

/// Runs skopeo and returns what it printed; nothing, and a word why, where the machine has none.
async fn skopeo(words: &[&str]) -> Option<Vec<u8>> {
    let program = support::parts::part("skopeo")?;
    let home = tempfile::tempdir().unwrap();
    let policy = home.path().join("policy.json");
    fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let running = tokio::process::Command::new(program)
        .arg("--policy")
        .arg(&policy)
        .args(words)
        .env("HOME", home.path())
        .env_remove("REGISTRY_AUTH_FILE")
        .env_remove("DOCKER_CONFIG")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(1), running).await.unwrap().unwrap();
    assert!(output.status.success(), "skopeo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Copies an image with all its platforms, bytes unchanged.
async fn copy_all(from: &str, to: &str) -> Option<()> {
    let (from, to) = (format!("docker://{from}"), format!("docker://{to}"));
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", "--all"];
    skopeo(&[&["copy"][..], &plain, &[&from, &to]].concat()).await.map(|_| ())
}

/// One rustls provider has to serve all clients: with two in the tree, the first handshake panics.
#[tokio::test]
async fn every_client_can_be_built_and_tries_a_handshake() {
    let plain = DemoRegistry::start(Vec::new()).await.unwrap();
    let address = plain.address();
    let error = reqwest::Client::new().get(format!("https://{address}/")).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let package = oci_client::Client::try_from(oci_client::client::ClientConfig::default()).unwrap();
    let reference: oci_client::Reference = format!("{address}/web:1").parse().unwrap();
    let auth = oci_client::secrets::RegistryAuth::Anonymous;
    assert!(package.pull_manifest_raw(&reference, &auth, &[]).await.is_err());
    // A host that is not loopback is spoken to with TLS; this name never resolves (RFC 6761, section 6.4).
    let far: Repository = "registry.invalid/web".parse().unwrap();
    assert_eq!(kind(&anonymous().resolve(&far, &tag("1")).await.unwrap_err()), "unavailable");
}
