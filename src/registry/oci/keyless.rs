//! Keyless signatures, verified by an installed `cosign`, which knows certificates, logs and how their roots are renewed.
//!
//! It is run with fixed arguments, without a shell and without our variables, two at one time. What it says is believed as
//! far as it names our digest. To read there it gets a token for that one repository, or the password where the registry
//! itself wants that, in a folder that lives as long as it runs.
//!
//! Source: cosign 2.2 to 3.0, `doc/cosign_verify.md`, `cmd/cosign/cli/verify/verify.go`, `cmd/cosign/errors/exit_codes.go`;
//! go-containerregistry, `pkg/v1/remote/transport/bearer.go` (a `registrytoken` goes to the registry alone, and is exchanged
//! for none) and `pkg/name/registry.go` (where it falls back to http).

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::session::Lent;
use super::{Name, OciRegistry};
use crate::image::Digest;
use crate::pipeline::is_hidden;
use crate::registry::SignatureError;
use crate::registry::credentials::docker_key;
use crate::registry::program::{self, Bounds, Ended};
use crate::signature::{ClaimError, Keyless, told};

/// How many run, and what was said lately.
#[derive(Debug)]
pub(super) struct Cosign {
    turns: Semaphore,
    /// One at one time for each registry: one that hangs keeps nobody else waiting.
    hosts: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    /// What it said no to, of whom, when and why.
    refused: Cache<Digest, (Vec<Keyless>, Instant, String)>,
    left: Once,
}

/// A docker configuration in a folder of its own, for one run.
struct Login(PathBuf);

/// What a run came to.
enum Told {
    Signed,
    /// It found none that counts; why, and in which of the two forms it looked.
    Not(String, Form),
    /// It is not known.
    Nothing(String),
}

/// Where cosign looked: version 3 looks for bundles first, and for the tag where there is no bundle at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bundle,
    Tag,
}

/// A run asks the registry some times and renews the roots of trust once a day, each within a few seconds. What it prints are
/// some kilobytes for each signature.
const BOUNDS: Bounds = Bounds { timeout: Duration::from_secs(30), bytes_max: 1024 * 1024 };
/// The same, said to it: one that outlives us ends by itself.
const TIMEOUT: &str = "--timeout=30s";
/// At one time: each takes some hundred megabytes.
const AT_ONCE: usize = 2;
/// How long a no is remembered: within one look the same is asked several times, and a signature may come with the next look.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// Most images of which a no is remembered.
const REFUSED_MAX: usize = 256;
/// Most registries with a turn of their own; past that all that nobody waits for are dropped.
const HOSTS_MAX: usize = 256;
/// What it needs of our environment: to be found, where it keeps the roots of trust, how it gets out. Its own variables, by
/// which it could be told to trust somebody else, are kept away from it.
const VARIABLES: [&str; 12] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TUF_ROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// No signature at all, none that fits, none with a certificate; all three of the tag.
const NONE_IN_TAG: [i32; 3] = [10, 12, 13];
/// What it says of bundles of which none counts: it has no number for that.
const NONE_IN_BUNDLES: &str = "no matching attestations";
/// What the folders of its logins begin with, and how old one is that nobody uses any more: many times what a run may take.
const LOGIN_PREFIX: &str = "lockkeeper-cosign-";
const LOGIN_AGE_MAX: Duration = Duration::from_mins(30);
/// What stands before its last word.
const LAST_WORD: &str = "error during command execution:";
const WORDS_CHARACTERS_MAX: usize = 300;

impl Default for Cosign {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE),
            hosts: Mutex::default(),
            refused: Cache::new(REFUSED_MAX),
            left: Once::new(),
        }
    }
}

impl Cosign {
    fn of_host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS_MAX {
            hosts.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(hosts.entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1))))
    }
}

/// Which of these identities signed the digest.
pub(super) async fn find(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    identities: &[Keyless],
) -> Result<Keyless, SignatureError> {
    let Some(program) = &registry.settings.cosign_program else {
        return Err(no_cosign(
            "`cosign_program` of `[registry]` in the settings names no program".to_owned(),
        ));
    };
    let refused = registry.cosign.refused.get(&name.canonical, digest);
    if let Some((.., reason)) = refused.filter(|(of, at, _)| of == identities && at.elapsed() < REFUSED_FOR) {
        return Err(SignatureError::NotKeyless { reason });
    }
    registry.cosign.left.call_once(|| Login::remove_left(&env::temp_dir()));
    let at_host = registry.cosign.of_host(&name.host);
    let stopped = |_| no_cosign("the server stops".to_owned());
    let _turn_there = at_host.acquire().await.map_err(stopped)?;
    let login = login(registry, name).await?;
    let _turn = registry.cosign.turns.acquire().await.map_err(stopped)?;
    let (mut reasons, mut unknown) = (Vec::new(), None);
    for keyless in identities {
        let command = |form| command(program, &login, &arguments(registry, name, digest, keyless, form));
        match ask(command, digest).await {
            Told::Signed => return Ok(keyless.clone()),
            Told::Not(reason, _) => reasons.push(reason),
            // Another may have signed it all the same.
            Told::Nothing(reason) => unknown = unknown.or(Some(reason)),
        }
    }
    if let Some(reason) = unknown {
        return Err(no_cosign(reason));
    }
    let reason = reasons.join("; ");
    let said = (identities.to_vec(), Instant::now(), reason.clone());
    registry.cosign.refused.put(&name.canonical, digest, said);
    Err(SignatureError::NotKeyless { reason })
}

/// What it shows to read there.
async fn login(registry: &OciRegistry, name: &Name) -> Result<Login, SignatureError> {
    let lent = registry.session(name).await?.lend(&name.path, &name.canonical).await?;
    if !matches!(lent, Lent::Nothing)
        && registry.settings.scheme(&name.host) == "https"
        && falls_back(&name.host)
    {
        let reason = format!(
            "cosign would show our login at {} over http, where https gives no answer, since its address is a private one: give \
             the registry a name",
            name.host
        );
        return Err(no_cosign(reason));
    }
    Login::new(&configuration(&lent, &name.host))
        .map_err(|error| no_cosign(format!("no folder for its login can be made: {error}")))
}

/// A docker configuration with this alone.
fn configuration(lent: &Lent, host: &str) -> String {
    let entry = match lent {
        Lent::Nothing => return json!({ "auths": {} }).to_string(),
        Lent::Password(username, password) => {
            json!({ "auth": STANDARD.encode(format!("{username}:{password}")) })
        }
        Lent::Token(token) => json!({ "registrytoken": token }),
    };
    json!({ "auths": { docker_key(host): entry } }).to_string()
}

/// Whether some version of cosign goes on without TLS where this host does not answer with it: older ones look for the loopback
/// addresses anywhere in the name.
fn falls_back(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    let is_local = [".local", ".localhost"].iter().any(|end| name.ends_with(end));
    let is_odd = host.starts_with('[') || host.contains("127.0.0.1") || host.contains("::1");
    is_local || is_odd || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_private())
}

/// Asks once; where bundles were found and none counts, also for the tag: an image may have both, and the bundles be
/// statements of other kinds.
async fn ask(command: impl Fn(Option<Form>) -> Command, digest: Digest) -> Told {
    match run(command(None), digest).await {
        Told::Not(reason, Form::Bundle) => match run(command(Some(Form::Tag)), digest).await {
            Told::Not(_, form) => Told::Not(reason, form),
            told @ (Told::Signed | Told::Nothing(_)) => told,
        },
        told @ (Told::Signed | Told::Not(..) | Told::Nothing(_)) => told,
    }
}

async fn run(command: Command, digest: Digest) -> Told {
    match program::run(command, b"", BOUNDS).await {
        Ok(ended) => read(&ended, digest),
        Err(error) => Told::Nothing(format!("cosign: {error}")),
    }
}

fn read(ended: &Ended, digest: Digest) -> Told {
    let words = last_words(&ended.words);
    match ended.status.code() {
        Some(0) => match told(&ended.output, digest) {
            Ok(()) => Told::Signed,
            Err(error @ (ClaimError::OtherDigest | ClaimError::Attestation)) => {
                Told::Not(error.to_string(), Form::Bundle)
            }
            Err(error @ (ClaimError::Malformed(_) | ClaimError::OtherKey)) => {
                Told::Nothing(error.to_string())
            }
        },
        Some(code) if NONE_IN_TAG.contains(&code) => Told::Not(words, Form::Tag),
        Some(_) if words.contains(NONE_IN_BUNDLES) => Told::Not(words, Form::Bundle),
        Some(_) | None => Told::Nothing(format!("cosign ended with {}: {words}", ended.status)),
    }
}

fn arguments(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    keyless: &Keyless,
    form: Option<Form>,
) -> Vec<String> {
    let identity = match keyless.stem() {
        Some(stem) => format!("--certificate-identity-regexp=^{}.*$", escaped(stem)),
        None => format!("--certificate-identity={}", keyless.identity()),
    };
    let mut arguments = vec!["verify".to_owned(), "--output=json".to_owned(), TIMEOUT.to_owned(), identity];
    arguments.push(format!("--certificate-oidc-issuer={}", keyless.issuer()));
    if form == Some(Form::Tag) {
        arguments.push("--new-bundle-format=false".to_owned());
    }
    if registry.settings.scheme(&name.host) == "http" {
        arguments.push("--allow-http-registry".to_owned());
    }
    arguments.push(format!("{}@{digest}", name.canonical));
    arguments
}

/// The text as a pattern that fits it alone. Source: RE2, "Syntax": punctuation behind `\` is itself.
fn escaped(text: &str) -> String {
    let escape = |letter: char| letter.is_ascii_punctuation().then_some('\\').into_iter().chain([letter]);
    text.chars().flat_map(escape).collect()
}

fn command(program: &Path, login: &Login, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("DOCKER_CONFIG", &login.0);
    for name in VARIABLES {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// What it said last, on one line. It repeats what certificates hold, which is anybody's text.
fn last_words(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let last = text.rsplit_once(LAST_WORD).map_or_else(
        || text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing"),
        |(_, last)| last,
    );
    let line = last.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|letter| !is_hidden(*letter)).take(WORDS_CHARACTERS_MAX).collect()
}

fn no_cosign(reason: String) -> SignatureError {
    SignatureError::NoCosign { reason }
}

impl Login {
    /// Makes the folder: new, and for this user alone.
    fn new(configuration: &str) -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("{LOGIN_PREFIX}{:032x}", rand::random::<u128>()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let login = Self(folder);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(login.0.join("config.json"));
        file?.write_all(configuration.as_bytes())?;
        Ok(login)
    }

    /// Removes what a process of this user left that was ended in between; what cannot be read or removed stays.
    fn remove_left(parent: &Path) {
        let user = rustix::process::geteuid().as_raw();
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            // A link is none of ours.
            let Ok(found) = entry.metadata() else { continue };
            let is_ours = entry.file_name().to_string_lossy().starts_with(LOGIN_PREFIX)
                && found.is_dir()
                && found.uid() == user;
            let age = found.modified().ok().and_then(|at| at.elapsed().ok());
            if is_ours && age.is_some_and(|age| age > LOGIN_AGE_MAX) {
                remove(&entry.path());
            }
        }
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "a login that cosign used is still on the disk");
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_a_pattern_of_itself_alone() {
        assert_eq!(escaped("https://a.b/c-d@e_f+1"), r"https\:\/\/a\.b\/c\-d\@e\_f\+1");
    }

    #[test]
    fn where_it_falls_back_to_http_is_known() {
        for host in [
            "10.0.0.1:5000",
            "172.16.0.1",
            "192.168.1.1:443",
            "reg.local",
            "reg.local:5000",
            "a.localhost",
            "[fd00::1]:5000",
            "127.0.0.1.nip.io",
        ] {
            assert!(falls_back(host), "{host}");
        }
        for host in
            ["reg.example", "172.15.0.1", "8.8.8.8", "local", "reg.local.example", "10.0.0.1.example", ""]
        {
            assert!(!falls_back(host), "{host}");
        }
    }

    #[test]
    fn logins_that_were_left_go_and_others_stay() {
        let parent = tempfile::tempdir().unwrap();
        let made = |name: &str, minutes: u64| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("config.json"), "{}").unwrap();
            let at = std::time::SystemTime::now() - Duration::from_mins(minutes);
            fs::File::open(&path).unwrap().set_modified(at).unwrap();
            path
        };
        let old = made("lockkeeper-cosign-1", 31);
        let used = made("lockkeeper-cosign-2", 29);
        let other = made("lockkeeper-other", 31);
        let link = parent.path().join("lockkeeper-cosign-3");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        Login::remove_left(parent.path());
        assert_eq!([old, used, other, link].map(|path| path.exists()), [false, true, true, true]);
    }

    #[test]
    fn its_last_words_are_one_line() {
        let long = "x".repeat(1000);
        for (words, want) in [
            (
                "Error: no\nmain.go:74: error during command execution: no matching signatures:\n  none fit\n",
                "no matching signatures: none fit",
            ),
            ("WARNING: old\nError: unknown flag\n\n", "Error: unknown flag"),
            ("", "it says nothing"),
            ("a\u{202e}b\u{7}\n", "ab"),
            (long.as_str(), &long[..WORDS_CHARACTERS_MAX]),
        ] {
            assert_eq!(last_words(words.as_bytes()), want);
        }
    }
}
