//! The App itself, whose requests are signed with its key; its installations have tokens instead.

use std::path::Path;
use std::time::{Duration, Instant};

use http::Method;
use octocrab::Octocrab;
use octocrab::models::AppId;

use super::answer::Answer;
use super::client;
use super::identity::{read, refused};
use super::limits::Rest;
use crate::forge::ForgeError;
use crate::settings::GitHub;

/// The App's own requests.
pub(super) struct AppClient {
    octocrab: Octocrab,
    rest: Rest,
    timeout: Duration,
}

impl AppClient {
    /// The App of this id and key, at this GitHub.
    ///
    /// # Errors
    /// [`ForgeError::Refused`] if the key or the address cannot be used.
    pub(super) fn new(github: &GitHub, id: u64, private_key_file: &Path) -> Result<Self, ForgeError> {
        let key = read(private_key_file)?;
        let key = octocrab::auth::EncodingKey::from_rsa_pem(key.as_bytes()).map_err(|_| {
            refused(format!("{} holds no private RSA key in PEM", private_key_file.display()))
        })?;
        let octocrab = client::octocrab(github, &github.api_url, Some((AppId(id), key)))?;
        Ok(Self { octocrab, rest: Rest::default(), timeout: github.timeout })
    }

    /// Asks, and gives GitHub's answer whatever its status.
    pub(super) async fn ask(&self, method: Method, path: &str) -> Result<Answer, ForgeError> {
        self.rest.is_over(Instant::now())?;
        let request = http::Request::builder().method(method).uri(path);
        let request = self.octocrab.build_request(request, None::<&()>);
        let request = request.map_err(|error| client::failed(&error))?;
        let answer = client::answer(&self.octocrab, request, self.timeout).await?;
        self.rest.heed(&answer, Instant::now());
        Ok(answer)
    }
}
