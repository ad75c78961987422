//! Keyless signatures, verified by an installed `cosign`, which knows certificates, logs and how their roots are renewed.
//!
//! It is run with fixed arguments, without a shell and without our variables, a few at one time. What it says is believed as
//! far as it names our digest. Of the registry it gets what we read with, for that host alone, in a folder that lives as long
//! as it runs.
//!
//! Source: cosign 2.2 to 3.0, `doc/cosign_verify.md`, `cmd/cosign/cli/verify/verify.go`, `cmd/cosign/errors/exit_codes.go`.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use super::answer::no_credential;
use super::settings::is_loopback;
use super::{Name, OciRegistry};
use crate::image::Digest;
use crate::pipeline::is_hidden;
use crate::registry::SignatureError;
use crate::registry::credentials::Credential;
use crate::registry::program::{self, Bounds, Ended};
use crate::signature::{ClaimError, Keyless, told};

/// The program, and how many of it run.
#[derive(Debug)]
pub(super) struct Cosign {
    turns: Semaphore,
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
/// At one time: each takes some hundred megabytes.
const AT_ONCE: usize = 1;
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
/// What stands before its last word.
const LAST_WORD: &str = "error during command execution:";
const WORDS_CHARACTERS_MAX: usize = 300;

impl Default for Cosign {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE) }
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
    let Ok(_turn) = registry.cosign.turns.acquire().await else {
        return Err(no_cosign("the server stops".to_owned()));
    };
    let found = registry.credentials.of(&name.host).await;
    let credential = found.map_err(|error| no_credential(&error, &name.canonical))?;
    let login = Login::new(&credential, &name.host)
        .map_err(|error| no_cosign(format!("no folder for its login can be made: {error}")))?;
    let mut reasons = Vec::new();
    for keyless in identities {
        let command = |form| command(program, &login, &arguments(registry, name, digest, keyless, form));
        match ask(command, digest).await {
            Told::Signed => return Ok(keyless.clone()),
            Told::Not(reason, _) => reasons.push(reason),
            Told::Nothing(reason) => return Err(no_cosign(reason)),
        }
    }
    Err(SignatureError::NotKeyless { reason: reasons.join("; ") })
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
    let mut arguments = vec!["verify".to_owned(), "--output=json".to_owned(), identity];
    arguments.push(format!("--certificate-oidc-issuer={}", keyless.issuer()));
    if form == Some(Form::Tag) {
        arguments.push("--new-bundle-format=false".to_owned());
    }
    if registry.settings.scheme(&name.host) == "http" && !is_loopback(&name.host) {
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
    fn new(credential: &Credential, host: &str) -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("lockkeeper-{:032x}", rand::random::<u128>()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let login = Self(folder);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(login.0.join("config.json"));
        file?.write_all(credential.docker_config(host).as_bytes())?;
        Ok(login)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "a login that cosign used is still on the disk");
        }
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
