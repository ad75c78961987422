//! Who we are to the git host. The token is read from its file at each use, so that it can be rotated.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use http::HeaderValue;

use super::RepositoryError;

/// The user name that git hosts take beside a token.
const TOKEN_USER: &str = "x-access-token";
/// Bytes of a token file; tokens in use have up to 2 kB (JWT).
const TOKEN_BYTES_MAX: usize = 16 * 1_024;

/// Where tokens come from that are made as they are needed.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// The token that counts now.
    ///
    /// # Errors
    /// [`RepositoryError`], if there is none.
    async fn token(&self) -> Result<String, RepositoryError>;
}

/// How to say who we are to the git host. Never printed.
#[derive(Clone, Default)]
pub struct Credentials {
    /// User name of HTTP basic authentication; `x-access-token` where a host wants only a token.
    pub user: Option<String>,
    /// The file that holds the token, read at each use so that it can be rotated.
    pub token_file: Option<PathBuf>,
    /// Where the token comes from instead of a file.
    pub token_source: Option<Arc<dyn TokenSource>>,
    /// The private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
    /// The known hosts file for ssh.
    pub ssh_known_hosts_file: Option<PathBuf>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(hidden)")
    }
}

impl Credentials {
    /// The value of `Authorization`; none without a token.
    ///
    /// Source: RFC 7617, section 2.
    pub(super) async fn authorization(&self) -> Result<Option<HeaderValue>, RepositoryError> {
        let token = match (&self.token_source, &self.token_file) {
            (Some(source), _) => source.token().await?,
            (None, Some(file)) => token(file).await?,
            (None, None) => return Ok(None),
        };
        let user = self.user.as_deref().unwrap_or(TOKEN_USER);
        if user.contains(':') || user.chars().any(char::is_control) {
            return Err(denied("user name has a `:` or a control character"));
        }
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
            .map_err(|_| denied("token does not fit into a header"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

async fn token(path: &Path) -> Result<String, RepositoryError> {
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| denied(&format!("token file {}: {error}", path.display())))?;
    let text = if bytes.len() > TOKEN_BYTES_MAX { "" } else { std::str::from_utf8(&bytes).unwrap_or("") };
    let token = text.trim();
    if token.is_empty() || token.chars().any(char::is_control) {
        let reason = format!("token file {} holds no single line of 1 to 16,384 bytes", path.display());
        return Err(denied(&reason));
    }
    Ok(token.to_owned())
}

fn denied(reason: &str) -> RepositoryError {
    RepositoryError::Denied { reason: reason.to_owned() }
}
