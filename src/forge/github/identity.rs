//! Who we are to GitHub: an App, whose installation gets tokens for an hour each, or the holder of a token.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::answer::{Answer, unavailable};
use super::app::AppClient;
use crate::forge::ForgeError;
use crate::settings::{FullName, GitHub, GitHubIdentity};

/// Gets tokens, one at a time for however many callers.
pub(super) struct Tokens {
    way: Way,
    name: FullName,
    kept: Mutex<Option<Kept>>,
}

enum Way {
    App(Box<AppClient>),
    File(PathBuf),
}

/// A token of the installation. An hour on GitHub's clock is one on ours, whatever the two say the time is.
struct Kept {
    token: String,
    until: Instant,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Issued {
    token: String,
    expires_at: Timestamp,
}

/// Bytes of a file with a token or a key; keys have 1.7 to 3.3 kB.
const FILE_BYTES_MAX: usize = 16 * 1024;
/// A token is renewed this long before it ends, so that none ends under way.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
/// How long a token is used at most.
const LIFE_MAX: Duration = Duration::from_hours(1);
/// How long one whose end has passed already by our clock is used: the clocks differ.
const LIFE_MIN: Duration = Duration::from_mins(1);

impl Tokens {
    pub(super) fn new(name: FullName, github: &GitHub) -> Result<Self, ForgeError> {
        let way = match &github.identity {
            GitHubIdentity::App { id, private_key_file } => {
                Way::App(Box::new(AppClient::new(github, *id, private_key_file)?))
            }
            GitHubIdentity::Token { file } => Way::File(file.clone()),
        };
        Ok(Self { way, name, kept: Mutex::default() })
    }

    /// The token to be sent now.
    pub(super) async fn token(&self) -> Result<String, ForgeError> {
        let app = match &self.way {
            Way::App(app) => app,
            Way::File(file) => return read(file),
        };
        // Who comes while a token is got waits for that one.
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until > Instant::now()) {
            return Ok(kept.token.clone());
        }
        let issued = self.issue(app).await?;
        let life = Duration::try_from(issued.expires_at.duration_since(Timestamp::now())).unwrap_or_default();
        let life = life.saturating_sub(RENEWED_BEFORE).clamp(LIFE_MIN, LIFE_MAX);
        *kept = Some(Kept { token: issued.token.clone(), until: Instant::now() + life });
        Ok(issued.token)
    }

    /// Forgets a token that GitHub refused. Returns whether another could help.
    pub(super) async fn forget(&self, refused: &str) -> bool {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token == refused) {
            *kept = None;
        }
        matches!(self.way, Way::App(_))
    }

    /// Asks as the App itself; none with a token.
    pub(super) async fn as_app(&self, path: &str) -> Option<Result<Answer, ForgeError>> {
        match &self.way {
            Way::App(app) => Some(app.ask(http::Method::GET, path).await),
            Way::File(_) => None,
        }
    }

    async fn issue(&self, app: &AppClient) -> Result<Issued, ForgeError> {
        let name = &self.name;
        let path = format!("/repos/{name}/installation");
        let found = app.ask(http::Method::GET, &path).await?;
        let installation: Installation = found.read(&path).map_err(|error| match error {
            ForgeError::NotFound { .. } => refused(format!("the App is not installed in {name}")),
            ForgeError::Unavailable { .. } | ForgeError::Moved { .. } | ForgeError::Refused { .. } => error,
        })?;
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let issued: Issued = app.ask(http::Method::POST, &path).await?.read(&path)?;
        if http::HeaderValue::from_str(&format!("Bearer {}", issued.token)).is_err() {
            return Err(unavailable("the token of the installation fits into no header"));
        }
        Ok(issued)
    }
}

/// The one line of a file with a secret, or its whole text where it is a key. Not even an error quotes it.
pub(super) fn read(path: &Path) -> Result<String, ForgeError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| refused(format!("{}: {error}", path.display())))?;
    let text = text.trim();
    if text.is_empty() || text.len() > FILE_BYTES_MAX {
        return Err(refused(format!("{} holds not 1 to {FILE_BYTES_MAX} bytes", path.display())));
    }
    Ok(text.to_owned())
}

pub(super) fn refused(reason: String) -> ForgeError {
    ForgeError::Refused { what: "access to GitHub".to_owned(), reason }
}
