//! Credentials for registries, where container tools keep them: docker's and podman's configuration files.
//!
//! Source: docker's `config.json` (`auths`, `credHelpers`, `credsStore`), `$DOCKER_AUTH_CONFIG`, `$DOCKER_CONFIG`, and
//! podman's `REGISTRY_AUTH_FILE` and `$XDG_RUNTIME_DIR/containers/auth.json`. A file is read again once it changed, so that
//! mounted secrets can rotate; a helper is asked again every minute, so that tokens that expire are renewed. Keys below a
//! host (`ghcr.io/acme`) are not matched.

mod helper;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::helper::{Helper, Said};
use crate::bounded;

/// What a registry is told about who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A user name and a password or token, for HTTP Basic or a token server.
    Basic {
        /// The user name.
        username: String,
        /// The password or token; never printed.
        password: String,
    },
}

/// Why the credentials for a registry are not known.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Mend the file: it is there, or was named, and cannot be used.
    #[error("credentials in `{}` cannot be used: {reason}", path.display())]
    File {
        /// The file, or the variable in place of one.
        path: PathBuf,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// Mend the credential helper.
    #[error("credential helper for `{host}` failed: {reason}")]
    Helper {
        /// The registry asked for.
        host: String,
        /// What went wrong; never what the helper printed.
        reason: String,
    },
    /// Ask again later: the helper still runs.
    #[error("credential helper for `{host}` gave no answer within {} s", HELPER_TIMEOUT.as_secs())]
    Slow {
        /// The registry asked for.
        host: String,
    },
}

/// The credentials of all registries, looked up by host in one or more files.
pub struct Credentials {
    files: Vec<AuthFile>,
    known: Mutex<BTreeMap<String, Known>>,
    /// One question at a time for each host: whoever waited finds the answer.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// One file, and what it means if it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AuthFile {
    path: PathBuf,
    absence: Absence,
}

/// The parts of docker's configuration that name helpers.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Helpers {
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

/// What a file has for a host.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Credential(Credential),
    /// Somebody else knows.
    Helper(Helper),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// A default place: no file, no credentials.
    Allowed,
    /// A place somebody named: no file is a mistake.
    Mistake,
    /// It is a variable, which holds what a file would.
    Variable,
}

/// What was found for one host, and for which state of the files.
struct Known {
    credential: Credential,
    stamps: Vec<Stamp>,
    at: Instant,
}

/// Tells one state of a file from another: when it changed and how long it is; nothing where there is no file.
type Stamp = Option<(SystemTime, u64)>;

/// How long an answer is used while the files stay as they are. Tokens from helpers live for an hour or more
/// (Google 1 h, Azure 3 h, Amazon 12 h), so a minute is early enough, and one helper call a minute and host is cheap.
const LIFETIME: Duration = Duration::from_mins(1);
/// How long a helper may take: it may have to ask a cloud's token service, which answers within a second or two.
pub(super) const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
/// Most hosts remembered; past that all are forgotten, which costs a look into the files each.
const HOSTS_MAX: usize = 256;
/// Largest file read: 1 MiB holds some 5,000 registries of 200 bytes each.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const NO_CONFIGURATION: &str = "it is no JSON of the form {\"auths\": {\"host\": {\"auth\": …}}}";
const ONLY_AZURE: &str = "which only Azure's registries take";
/// The key under which docker files credentials for Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The variable that holds a configuration itself: docker's own, and of CI systems.
const VARIABLE: &str = "DOCKER_AUTH_CONFIG";
/// Azure's registries, of all of its clouds.
const AZURE_SUFFIXES: [&str; 3] = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
/// The user name with which Azure's registries take an identity token as password.
const AZURE_TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

impl Credentials {
    /// No credentials for anybody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of_files(Vec::new())
    }

    /// The credentials in this file, which has to be there.
    #[must_use]
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::of_files(vec![AuthFile { path: path.into(), absence: Absence::Mistake }])
    }

    /// The credentials in the files that container tools use, as the environment has them now.
    ///
    /// In this order, the first that knows the registry: `$DOCKER_AUTH_CONFIG` (the JSON itself), `$REGISTRY_AUTH_FILE`,
    /// `$DOCKER_CONFIG/config.json` (else `~/.docker/config.json`), `$XDG_RUNTIME_DIR/containers/auth.json`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::of_files(auth_files(|name| env::var_os(name).map(PathBuf::from)))
    }

    fn of_files(files: Vec<AuthFile>) -> Self {
        Self { files, known: Mutex::default(), turns: Mutex::default() }
    }

    /// The credential for this host (and port); anonymous where no file names one.
    ///
    /// # Errors
    /// [`CredentialsError`]: a broken file or helper is never read as "anonymous".
    pub async fn of(&self, host: &str) -> Result<Credential, CredentialsError> {
        let stamps: Vec<Stamp> = self.files.iter().map(|file| stamp(&file.path)).collect();
        if let Some(credential) = self.still_known(host, &stamps) {
            return Ok(credential);
        }
        let turn = self.turn(host);
        let _turn = turn.lock().await;
        if let Some(credential) = self.still_known(host, &stamps) {
            return Ok(credential);
        }
        let credential = self.found(host).await?.unwrap_or(Credential::Anonymous);
        let mut known = self.lock();
        if known.len() >= HOSTS_MAX {
            known.clear();
        }
        known.insert(host.to_owned(), Known { credential: credential.clone(), stamps, at: Instant::now() });
        Ok(credential)
    }

    /// The first that a file or its helper knows for the host.
    async fn found(&self, host: &str) -> Result<Option<Credential>, CredentialsError> {
        for file in &self.files {
            let found = match find(file, host)? {
                Some(Found::Credential(credential)) => Some(credential),
                Some(Found::Helper(helper)) => credential_of(helper.ask(host).await?, host)?,
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Forgets what was found for this host, because the registry refused it.
    pub fn forget(&self, host: &str) {
        self.lock().remove(host);
    }

    fn still_known(&self, host: &str, stamps: &[Stamp]) -> Option<Credential> {
        let known = self.lock();
        let known =
            known.get(host).filter(|known| known.stamps == stamps && known.at.elapsed() < LIFETIME)?;
        Some(known.credential.clone())
    }

    fn turn(&self, host: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= HOSTS_MAX {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(host.to_owned()).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("files", &self.files).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("Anonymous"),
            Self::Basic { username, .. } => write!(formatter, "Basic({username:?}, hidden)"),
        }
    }
}

/// The files to look into, by the variables of the environment.
fn auth_files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<AuthFile> {
    let itself =
        variable(VARIABLE).map(|_| AuthFile { path: PathBuf::from(VARIABLE), absence: Absence::Variable });
    let named = variable("REGISTRY_AUTH_FILE").map(|path| AuthFile { path, absence: Absence::Mistake });
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let docker = docker.map(|folder| folder.join("config.json"));
    let podman = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let defaults = docker.into_iter().chain(podman).map(|path| AuthFile { path, absence: Absence::Allowed });
    itself.into_iter().chain(named).chain(defaults).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What the file has for the host.
fn find(file: &AuthFile, host: &str) -> Result<Option<Found>, CredentialsError> {
    let Some(content) = read(file)? else { return Ok(None) };
    found_in(file, &content, host)
}

/// As docker looks it up: the helper for the host, what stands there for it, the helper for all others.
fn found_in(file: &AuthFile, content: &[u8], host: &str) -> Result<Option<Found>, CredentialsError> {
    let configuration: Map<String, Value> =
        serde_json::from_slice(content).map_err(|_| broken(file, NO_CONFIGURATION))?;
    // Without what names helpers: the package would run them on this thread, for as long as they like.
    let auths = json!({ "auths": configuration.get("auths").unwrap_or(&json!({})) }).to_string();
    let helpers = serde_json::from_value(Value::Object(configuration));
    let helpers: Helpers = helpers.map_err(|_| broken(file, NO_CONFIGURATION))?;
    for key in keys(host) {
        if let Some(name) = helpers.cred_helpers.get(key) {
            return Ok(Some(Found::Helper(Helper::new(name, key))));
        }
        if let Some(credential) = credential_in(file, auths.as_bytes(), key, host)? {
            return Ok(Some(Found::Credential(credential)));
        }
    }
    let store = helpers.creds_store.filter(|name| !name.is_empty());
    Ok(store.zip(keys(host).first()).map(|(name, key)| Found::Helper(Helper::new(&name, key))))
}

/// The key under which docker looks for the credentials of a host.
pub(super) fn docker_key(host: &str) -> &str {
    keys(host).first().copied().unwrap_or(host)
}

/// The keys under which a file may have the host.
fn keys(host: &str) -> Vec<&str> {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => vec![DOCKER_HUB_KEY, "docker.io"],
        _ => vec![host],
    }
}

fn broken(file: &AuthFile, reason: &str) -> CredentialsError {
    CredentialsError::File { path: file.path.clone(), reason: reason.to_owned() }
}

fn read(file: &AuthFile) -> Result<Option<Vec<u8>>, CredentialsError> {
    if file.absence == Absence::Variable {
        return Ok(env::var_os(&file.path).map(|text| text.to_string_lossy().into_owned().into_bytes()));
    }
    match bounded::read(&file.path, FILE_BYTES_MAX) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound && file.absence == Absence::Allowed => Ok(None),
        Err(error) => Err(broken(file, &error.to_string())),
    }
}

/// What stands in the file itself.
fn credential_in(
    file: &AuthFile,
    auths: &[u8],
    key: &str,
    host: &str,
) -> Result<Option<Credential>, CredentialsError> {
    match docker_credential::get_credential_from_reader(auths, key) {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credential::Basic { username, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => {
            let token = identity_token(token, host);
            token
                .map(Some)
                .ok_or_else(|| broken(file, &format!("it has an identity token for `{host}`, {ONLY_AZURE}")))
        }
        Err(error) => reason(&error).map_or(Ok(None), |reason| Err(broken(file, reason))),
    }
}

/// What a helper said, as a credential; none where it knows none.
fn credential_of(said: Said, host: &str) -> Result<Option<Credential>, CredentialsError> {
    match said {
        Said::Nothing => Ok(None),
        Said::Password { username, password } => Ok(Some(Credential::Basic { username, password })),
        Said::IdentityToken(token) => identity_token(token, host)
            .map(Some)
            .ok_or_else(|| helper::failed(host, format!("it gives an identity token, {ONLY_AZURE}"))),
    }
}

/// Whether this host is a registry of Azure's, in any of its clouds.
#[must_use]
pub fn is_azure(host: &str) -> bool {
    AZURE_SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
}

/// An identity token as a password, where it is taken as one.
fn identity_token(password: String, host: &str) -> Option<Credential> {
    is_azure(host).then(|| Credential::Basic { username: AZURE_TOKEN_USER.to_owned(), password })
}

/// Why nothing stands in the file that can be used; none where nothing stands there for the host.
fn reason(error: &CredentialRetrievalError) -> Option<&'static str> {
    match error {
        CredentialRetrievalError::NoCredentialConfigured
        | CredentialRetrievalError::ConfigNotFound
        // No helper is asked here.
        | CredentialRetrievalError::HelperCommunicationError
        | CredentialRetrievalError::MalformedHelperResponse
        | CredentialRetrievalError::HelperFailure { .. } => None,
        CredentialRetrievalError::ConfigReadError => Some(NO_CONFIGURATION),
        CredentialRetrievalError::CredentialDecodingError => Some("an `auth` is no base64 of `user:password`"),
        CredentialRetrievalError::CredentialMismatchError => {
            Some("an `auth` differs from the `username` and `password` beside it")
        }
    }
}

#[cfg(test)]
mod tests;
