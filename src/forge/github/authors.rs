//! Who wrote the commits behind a digest, as far as GitHub knows their accounts.

use std::collections::BTreeMap;

use super::GitHubForge;
use super::client::PAGE_ENTRIES;
use super::pulls::query;
use super::wire::{self, Compared, Comparison};
use crate::forge::{Authors, ForgeError, Person};
use crate::settings::FullName;

/// Pages of 100 commits; a promotion of more is one of which nobody knows the authors.
const PAGES_MAX: u32 = 10;
/// The account under which GitHub itself commits what is merged on its pages.
const WEB_FLOW: u64 = 19_864_447;
/// Letters of a name or address that are repeated in a message.
const TEXT_CHARACTERS_MAX: usize = 100;

impl GitHubForge {
    /// Source: GitHub's REST API, "Compare two commits": the commits of `to` that are not in `from`.
    pub(super) async fn source_authors(
        &self,
        source: &str,
        from: &str,
        to: &str,
    ) -> Result<Authors, ForgeError> {
        let Some(name) = self.named_source(source) else {
            let source: String = source.chars().take(TEXT_CHARACTERS_MAX).collect();
            return Ok(Authors::Unknown(format!("source {source} is not at this GitHub")));
        };
        let path = format!("/repos/{name}/compare/{}...{}", query(from), query(to));
        let pages = self.client.pages_within(&path, PAGES_MAX, |page: Comparison| page.commits);
        match pages.await {
            Ok(Some(commits)) => Ok(people(&commits)),
            Ok(None) => {
                let most = PAGES_MAX as usize * PAGE_ENTRIES;
                Ok(Authors::Unknown(format!("{name} has more than {most} commits between them")))
            }
            Err(ForgeError::NotFound { .. }) => {
                Ok(Authors::Unknown(format!("the commits of {name} cannot be read")))
            }
            Err(error) => Err(error),
        }
    }

    /// `https://github.com/acme/web(.git)` → `acme/web`, where that is the GitHub we speak to.
    fn named_source(&self, source: &str) -> Option<FullName> {
        let host = self.web_url.strip_suffix(&self.name.to_string())?;
        let path = source.strip_prefix(host)?.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).parse().ok()
    }
}

fn people(commits: &[Compared]) -> Authors {
    let mut found: BTreeMap<u64, Person> = BTreeMap::new();
    for commit in commits {
        match &commit.author {
            Some(wire::Author::Known(user)) if user.id != WEB_FLOW => {
                found.insert(user.id, user.clone().into());
            }
            Some(wire::Author::Known(_) | wire::Author::Nobody {}) | None => {
                let email = commit.commit.author.as_ref().and_then(|author| author.email.as_deref());
                let email: String = email.unwrap_or("nobody").chars().take(TEXT_CHARACTERS_MAX).collect();
                let id: String = commit.sha.chars().take(12).collect();
                return Authors::Unknown(format!("{email} (commit {id}) is nobody's address at GitHub"));
            }
        }
    }
    Authors::Known(found.into_values().collect())
}
