//! Credentials for registries, where container tools keep them: docker's and podman's configuration files.
//!
//! Source: docker's `config.json` (`auths`, `credHelpers`, `credsStore`), `$DOCKER_CONFIG`, and podman's
//! `REGISTRY_AUTH_FILE` and `$XDG_RUNTIME_DIR/containers/auth.json`. A file is read again once it changed, so that
//! mounted secrets can rotate. Keys below a host (`ghcr.io/acme`) are not matched.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use docker_credential::{CredentialRetrievalError, DockerCredential};

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
    #[error("credentials file `{}` cannot be used: {reason}", path.display())]
    File {
        /// The file.
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
    helper_turn: Arc<tokio::sync::Mutex<()>>,
}

/// One file, and what it means if it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AuthFile {
    path: PathBuf,
    absence: Absence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// A default place: no file, no credentials.
    Allowed,
    /// A place somebody named: no file is a mistake.
    Mistake,
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
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
/// Most hosts remembered; past that all are forgotten, which costs a look into the files each.
const HOSTS_MAX: usize = 256;
/// Largest file read: 1 MiB holds some 5,000 registries of 200 bytes each.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The key under which docker files credentials for Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
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
    /// In this order, the first that knows the registry: `$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json` (else
    /// `~/.docker/config.json`), `$XDG_RUNTIME_DIR/containers/auth.json`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::of_files(auth_files(|name| env::var_os(name).map(PathBuf::from)))
    }

    fn of_files(files: Vec<AuthFile>) -> Self {
        Self { files, known: Mutex::default(), helper_turn: Arc::default() }
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
        let credential = self.look_up(host).await?;
        let mut known = self.lock();
        if known.len() >= HOSTS_MAX {
            known.clear();
        }
        known.insert(host.to_owned(), Known { credential: credential.clone(), stamps, at: Instant::now() });
        Ok(credential)
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

    /// Reads the files on a thread of its own, since a helper blocks and cannot be stopped. The turn goes with it, so
    /// that a helper that hangs costs one thread and not one per question.
    async fn look_up(&self, host: &str) -> Result<Credential, CredentialsError> {
        let (files, turn, asked) = (self.files.clone(), Arc::clone(&self.helper_turn), host.to_owned());
        let search = async move {
            let turn = turn.lock_owned().await;
            let search = move || {
                let found = find(&files, &asked);
                drop(turn);
                found
            };
            tokio::task::spawn_blocking(search).await
        };
        match tokio::time::timeout(HELPER_TIMEOUT, search).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => {
                Err(CredentialsError::Helper { host: host.to_owned(), reason: "it was stopped".to_owned() })
            }
            Err(_) => Err(CredentialsError::Slow { host: host.to_owned() }),
        }
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
    let named = variable("REGISTRY_AUTH_FILE").map(|path| AuthFile { path, absence: Absence::Mistake });
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let docker = docker.map(|folder| folder.join("config.json"));
    let podman = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let defaults = docker.into_iter().chain(podman).map(|path| AuthFile { path, absence: Absence::Allowed });
    named.into_iter().chain(defaults).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// The first credential that one of the files has for the host.
fn find(files: &[AuthFile], host: &str) -> Result<Credential, CredentialsError> {
    for file in files {
        let Some(content) = read(file)? else { continue };
        for key in keys(host) {
            if let Some(credential) = credential_in(file, &content, key, host)? {
                return Ok(credential);
            }
        }
    }
    Ok(Credential::Anonymous)
}

/// The keys under which a file may have the host.
fn keys(host: &str) -> Vec<&str> {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => vec![DOCKER_HUB_KEY, "docker.io"],
        _ => vec![host],
    }
}

fn read(file: &AuthFile) -> Result<Option<Vec<u8>>, CredentialsError> {
    let error = |reason: String| CredentialsError::File { path: file.path.clone(), reason };
    let opened = match std::fs::File::open(&file.path) {
        Ok(opened) => opened,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && file.absence == Absence::Allowed => {
            return Ok(None);
        }
        Err(e) => return Err(error(e.to_string())),
    };
    let mut content = Vec::new();
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(|e| error(e.to_string()))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(error(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(content))
}

fn credential_in(
    file: &AuthFile,
    content: &[u8],
    key: &str,
    host: &str,
) -> Result<Option<Credential>, CredentialsError> {
    match docker_credential::get_credential_from_reader(content, key) {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credential::Basic { username, password }))
        }
        Ok(DockerCredential::IdentityToken(password)) if host.ends_with(".azurecr.io") => {
            Ok(Some(Credential::Basic { username: AZURE_TOKEN_USER.to_owned(), password }))
        }
        Ok(DockerCredential::IdentityToken(_)) => Err(CredentialsError::File {
            path: file.path.clone(),
            reason: format!("it has an identity token for `{host}`, which only Azure's registries take"),
        }),
        Err(error) => match reason(error) {
            Failure::NothingThere => Ok(None),
            Failure::File(reason) => {
                Err(CredentialsError::File { path: file.path.clone(), reason: reason.to_owned() })
            }
            Failure::Helper(reason) => Err(CredentialsError::Helper { host: host.to_owned(), reason }),
        },
    }
}

/// Whose failure it is.
enum Failure {
    NothingThere,
    File(&'static str),
    Helper(String),
}

/// Sorts the errors of the package, and drops what helpers print: it may hold the secret.
fn reason(error: CredentialRetrievalError) -> Failure {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => {
            Failure::NothingThere
        }
        CredentialRetrievalError::ConfigReadError => {
            Failure::File("it is no JSON of the form {\"auths\": {\"host\": {\"auth\": …}}}")
        }
        CredentialRetrievalError::CredentialDecodingError => {
            Failure::File("an `auth` is no base64 of `user:password`")
        }
        CredentialRetrievalError::CredentialMismatchError => {
            Failure::File("an `auth` differs from the `username` and `password` beside it")
        }
        CredentialRetrievalError::HelperCommunicationError => Failure::Helper("it cannot be run".to_owned()),
        CredentialRetrievalError::MalformedHelperResponse => {
            Failure::Helper("its answer is not of the helper protocol".to_owned())
        }
        CredentialRetrievalError::HelperFailure { helper, stdout, .. } => {
            // The text is part of the helper protocol: it tells "none stored" from "broken".
            if stdout.contains("credentials not found") {
                return Failure::NothingThere;
            }
            Failure::Helper(format!("`{helper}` ended with an error"))
        }
    }
}

#[cfg(test)]
mod tests;
