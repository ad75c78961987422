//! A repository at GitHub: who we are there, what we may do, whether GitHub tells us things, and what protects the base.

mod base;
mod hook;
mod identity;

use super::Findings;
use crate::forge::ForgeError;
use crate::forge::github::GitHubForge;
use crate::server::assemble::{open_github, writes};
use crate::settings::{Repository, Settings};

/// What is looked at, and who looks.
struct Look<'a> {
    forge: &'a GitHubForge,
    settings: &'a Settings,
    repository: &'a Repository,
}

/// Looks at one repository; nothing where it is not at GitHub. The App itself is looked at with each, as it is installed
/// in each.
pub(super) async fn look(settings: &Settings, repository: &Repository, findings: &mut Findings) {
    let forge = match open_github(settings, repository, &writes(settings)) {
        Ok(Some(forge)) => forge,
        Ok(None) => return,
        Err(error) => {
            let subject = format!("GitHub of {}", repository.name);
            findings.bad(subject, error.to_string(), "check `private_key_file` and `api_url` of `[github]`");
            return;
        }
    };
    let look = Look { forge: &forge, settings, repository };
    let Some(identity) = identity::look(&look, findings).await else { return };
    if identity.app_id.is_some() {
        hook::look(&look, findings).await;
    }
    base::look(&look, identity.app_id, findings).await;
}

impl Look<'_> {
    fn subject(&self, what: &str) -> String {
        format!("{what} of {}", self.repository.name)
    }

    /// Says that something could not be seen: that is not to say that it is as it should be.
    fn unseen(&self, what: &str, error: &ForgeError, findings: &mut Findings) {
        let fix = match error {
            ForgeError::Unavailable { .. } | ForgeError::Moved { .. } => {
                "run `lockkeeper doctor` again when GitHub answers"
            }
            ForgeError::NotFound { .. } | ForgeError::Refused { .. } => {
                "look at it on GitHub's pages: lockkeeper has no permission to"
            }
        };
        findings.notice(self.subject(what), format!("cannot be seen: {error}"), fix);
    }
}
