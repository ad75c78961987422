//! Programs that know credentials: docker's credential helpers.

use serde::Deserialize;
use tokio::process::Command;

use super::{CredentialsError, HELPER_TIMEOUT};
use crate::registry::program::{self, Bounds, ProgramError};

/// A helper, and what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper {
    /// The end of the program's name.
    name: String,
    /// The registry, as docker's configuration names it.
    key: String,
}

/// What it said.
#[derive(PartialEq, Eq)]
pub(super) enum Said {
    /// It knows nothing of the registry.
    Nothing,
    Password {
        username: String,
        password: String,
    },
    IdentityToken(String),
}

/// Source: docker-credential-helpers, "Development": `get` reads the server from standard input.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Tokens have a few kilobytes.
const BOUNDS: Bounds = Bounds { timeout: HELPER_TIMEOUT, bytes_max: 64 * 1024 };
/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// Part of the helper protocol: it tells "none stored" from "broken".
const NOT_FOUND: &str = "credentials not found";

impl Helper {
    pub(super) fn new(name: &str, key: &str) -> Self {
        Self { name: name.to_owned(), key: key.to_owned() }
    }

    /// Runs it, and ends it where it takes too long.
    pub(super) async fn ask(&self, host: &str) -> Result<Said, CredentialsError> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        if self.name.is_empty() || !self.name.chars().all(is_letter) {
            return Err(failed(host, "its name is none of a program on the search path".to_owned()));
        }
        let mut command = Command::new(self.program());
        command.arg("get");
        match program::run(command, format!("{}\n", self.key).as_bytes(), BOUNDS).await {
            // Nothing of what a helper prints is passed on.
            Ok(ended) => self.read(ended.status.success(), &ended.output, host),
            Err(ProgramError::Slow(_)) => Err(CredentialsError::Slow { host: host.to_owned() }),
            Err(ProgramError::Start(_)) => Err(failed(host, "it cannot be run".to_owned())),
            Err(error @ ProgramError::Long(_)) => Err(failed(host, error.to_string())),
        }
    }

    fn read(&self, is_done: bool, said: &[u8], host: &str) -> Result<Said, CredentialsError> {
        if !is_done {
            return match String::from_utf8_lossy(said) {
                text if text.contains(NOT_FOUND) => Ok(Said::Nothing),
                _ => Err(failed(host, format!("`{}` ended with an error", self.program()))),
            };
        }
        let answer = serde_json::from_slice::<Answer>(said);
        let Answer { username, secret } =
            answer.map_err(|_| failed(host, "its answer is not of the helper protocol".to_owned()))?;
        Ok(match username.as_str() {
            TOKEN_USER => Said::IdentityToken(secret),
            _ => Said::Password { username, password: secret },
        })
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }
}

/// What is wrong with the helper for this host.
pub(super) fn failed(host: &str, reason: String) -> CredentialsError {
    CredentialsError::Helper { host: host.to_owned(), reason }
}
