//! What registries answer, and the files that hold their credentials.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lockkeeper::image::{Digest, Repository};
use lockkeeper::registry::credentials::{Credential, Credentials};
use lockkeeper::registry::oci::{OciRegistry, OciSettings, TAGS_MAX};
use lockkeeper::registry::{Registry as _, RegistryError, SignatureError};
use lockkeeper::signature::Signers;
use tokio::runtime::Runtime;

/// Stands between the answers of the registry.
const BETWEEN: &str = "\n>>>\n";
/// Answers of one registry that are played; what it is asked beyond them is not found.
const ANSWERS_MAX: usize = 8;
/// The key of the fixtures, and how the signatures begin that it made.
const SIGNER: &str = include_str!("../../fixtures/signatures/key.pub");
const SIGNED: [&str; 2] =
    ["MEYCIQDzY/Y0fuSkX9RiTvNXnXOWR7ropDAl5aT9", "MEUCIQCiMjK0128PIQSGLMNCBvdwKf5jFkaEKtJn"];
const PASSWORD: &str = "hunter2-of-the-registry";

/// One runtime and one registry on loopback for all inputs.
static HOST: LazyLock<Host> = LazyLock::new(Host::start);
/// Tells inputs apart, so that no sign-in or image of one is known to the next.
static NUMBER: AtomicU64 = AtomicU64::new(0);

struct Host {
    runtime: Runtime,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// What the registry still has to say.
static SCRIPT: Mutex<VecDeque<Response<Vec<u8>>>> = Mutex::new(VecDeque::new());
/// How often it was asked.
static ASKED: AtomicU64 = AtomicU64::new(0);
/// One input at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Host {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().fallback(|| async { next() });
        runtime.spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        let auth = format!(r#"{{"auths":{{"{address}":{{"username":"bot","password":"{PASSWORD}"}}}}}}"#);
        fs::write(&file, auth).unwrap();
        Self { runtime, address, folder }
    }

    /// One that knows nothing yet: a host that wants rest, or has said what it wants to be shown, is met anew by the next.
    fn registry(&self) -> OciRegistry {
        let settings = OciSettings { timeout: Duration::from_secs(5), ..OciSettings::default() };
        OciRegistry::new(settings, Credentials::from_file(self.folder.path().join("config.json")))
    }
}

fn next() -> Response<Body> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    let answer = SCRIPT.lock().unwrap().pop_front();
    answer
        .map_or_else(|| Response::builder().status(404).body(Body::empty()).unwrap(), |it| it.map(Body::from))
}

/// Answers of a registry: a status, headers, a blank line and a body, `>>>` between them, `<host>` for its address. A
/// digest is that of the bytes, lists are bounded and sorted, an error is one short line without our password.
pub fn registry(data: &[u8]) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let host = &*HOST;
    let text = String::from_utf8_lossy(data).replace("<host>", &host.address.to_string());
    let answers: Vec<_> =
        text.split(BETWEEN).take(ANSWERS_MAX).map(|text| answer(text, host.address)).collect();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let repository: Repository = format!("{}/r{number}", host.address).parse().unwrap();
    let bodies: Vec<Vec<u8>> = answers.iter().map(|answer| answer.body().clone()).collect();
    let play = || *SCRIPT.lock().unwrap() = answers.iter().cloned().collect();
    let before = ASKED.load(Ordering::Relaxed);
    play();
    let resolved = host.runtime.block_on(host.registry().resolve(&repository, &"1".parse().unwrap()));
    if let Some(digest) = checked(resolved) {
        assert!(bodies.iter().any(|body| Digest::of(body) == digest), "{digest} is of no body");
    }
    assert!(ASKED.load(Ordering::Relaxed) > before, "nothing was asked, so nothing was read");
    play();
    if let Some(tags) = checked(host.runtime.block_on(host.registry().tags(&repository))) {
        assert!(tags.len() <= TAGS_MAX && tags.is_sorted() && tags.windows(2).all(|two| two[0] != two[1]));
    }
    play();
    let keys = Signers::of_keys(&[SIGNER.parse().unwrap()]);
    match host.runtime.block_on(host.registry().signature(&repository, Digest::of(b"image"), &keys)) {
        // Only the holder of the key can make one.
        Ok(_) => assert!(SIGNED.iter().any(|signature| text.contains(signature)), "{text}"),
        Err(SignatureError::Registry(error)) => drop(checked::<()>(Err(error))),
        Err(error) => assert!(error.to_string().len() < 300, "{error}"),
    }
    for body in bodies.iter().take(3) {
        play();
        let digest = Digest::of(body);
        let Some(image) = checked(host.runtime.block_on(host.registry().image(&repository, digest))) else {
            continue;
        };
        assert_eq!(image.digest, digest);
        assert!(image.platforms.len() <= 64 && image.platforms.is_sorted());
        assert!(image.labels.len() <= 64 && image.labels.values().all(|label| label.len() <= 1024));
    }
}

fn checked<T>(result: Result<T, RegistryError>) -> Option<T> {
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(text.chars().count() <= 1_000 && !text.contains(char::is_control), "{text:?}");
    assert!(!format!("{text}{error:?}").contains(PASSWORD), "{text}");
    if let RegistryError::Unavailable { retry_after: Some(wait), .. } = error {
        assert!(wait <= Duration::from_hours(1), "{wait:?}");
    }
    None
}

/// One answer. Headers that lead away from this host are left out: nothing else is to be asked by a test.
fn answer(text: &str, address: SocketAddr) -> Response<Vec<u8>> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.parse::<StatusCode>().ok());
    let mut answer = Response::new(body.as_bytes().to_vec());
    *answer.status_mut() = status.filter(|status| status.as_u16() >= 200).unwrap_or_default();
    let here = format!("//{address}/");
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let (Ok(name), Ok(parsed)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) else {
            continue;
        };
        let is_framing =
            ["content-length", "transfer-encoding", "connection", "upgrade"].contains(&name.as_str());
        let leads_away = value.replace(&here, "").contains("//") || value.contains('\\');
        let is_redirect = name == "location" && !value.starts_with('/');
        if !is_framing && !leads_away && !is_redirect {
            answer.headers_mut().append(name, parsed);
        }
    }
    answer
}

/// A file of credentials: what cannot be read is an error that shows nothing of it, never "anonymous".
pub fn credentials(data: &[u8]) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // No program is started by a test.
    let text = String::from_utf8_lossy(data);
    if text.contains("cred") || text.contains("\\u") {
        return;
    }
    let host = &*HOST;
    let file: PathBuf = host.folder.path().join("given.json");
    fs::write(&file, data).unwrap();
    for name in ["reg.example", "docker.io", "a.azurecr.io"] {
        match host.runtime.block_on(Credentials::from_file(&file).of(name)) {
            Ok(Credential::Anonymous) => {
                // What is passed over need not be UTF-8.
                let is_json = serde_json::from_slice::<serde_json::Value>(data).is_ok();
                assert!(is_json || std::str::from_utf8(data).is_err(), "no JSON is no answer");
            }
            Ok(credential @ Credential::Basic { .. }) => {
                let Credential::Basic { password, .. } = &credential else { return };
                let shown = format!("{credential:?}");
                assert!(password.len() < 8 || !shown.contains(password.as_str()), "{shown}");
            }
            Err(error) => {
                let text = format!("{error} {error:?}");
                assert!(!text.contains("s3cret") && text.len() < 2_000, "{text}");
            }
        }
    }
}
