//! Who wrote the commits behind a digest: read from a local copy of the source repository, by the addresses that the
//! people file knows.

use std::collections::BTreeMap;

use super::{LocalForge, of_git};
use crate::forge::{Authors, ForgeError, Person};
use crate::repository::{Commit, Credentials, Location, Mirror, RepositoryError, co_authors};

/// The most commits whose authors are looked for, as at other forges' compare pages.
pub(super) const COMMITS_MAX: usize = 1_000;

impl LocalForge {
    pub(super) async fn source_authors(
        &self,
        source: &str,
        from: &str,
        to: &str,
    ) -> Result<Authors, ForgeError> {
        let Some(mirror) = self.source_mirror(source).await? else {
            let source: String = source.chars().take(200).collect();
            return Ok(Authors::Unknown(format!("source repository {source} is not in the settings")));
        };
        // One more than allowed, to see whether there are more.
        let commits = match commits(&mirror, from, to).await {
            Ok(commits) => commits,
            Err(RepositoryError::NotFound { what }) => {
                return Ok(Authors::Unknown(format!("{what} is not in the source repository")));
            }
            Err(error) => return Err(of_git(error)),
        };
        if commits.len() > COMMITS_MAX {
            return Ok(Authors::Unknown(format!("more than {COMMITS_MAX} commits")));
        }
        self.people_of(&commits).await
    }

    async fn people_of(&self, commits: &[Commit]) -> Result<Authors, ForgeError> {
        let people = self.people().current().await?;
        let mut found: BTreeMap<u64, Person> = BTreeMap::new();
        for commit in commits {
            let Some(person) = people.of_address(&commit.author_email) else {
                let email: String = commit.author_email.chars().take(100).collect();
                return Ok(Authors::Unknown(format!(
                    "{email} (commit {}) is nobody's address here",
                    commit.id.short()
                )));
            };
            found.insert(person.id, person);
            for address in co_authors(&commit.message) {
                let Some(person) = people.of_address(&address) else {
                    let address: String = address.chars().take(100).collect();
                    let of = commit.id.short();
                    return Ok(Authors::Unknown(format!(
                        "co-author {address} (commit {of}) is nobody's address here"
                    )));
                };
                found.insert(person.id, person);
            }
        }
        Ok(Authors::Known(found.into_values().collect()))
    }

    /// The mirror of a source repository, opened at the first question; none if it is not in the settings.
    pub(super) async fn source_mirror(&self, source: &str) -> Result<Option<Mirror>, ForgeError> {
        let Some((place, path)) = self.sources.iter().enumerate().find(|(_, (name, _))| *name == source)
        else {
            return Ok(None);
        };
        let mut mirrors = self.source_mirrors.lock().await;
        if let Some(mirror) = mirrors.get(source) {
            return Ok(Some(mirror.clone()));
        }
        let folder = self.folder.path().join("sources").join(place.to_string());
        let location = Location::File(path.1.clone());
        let mirror = Mirror::open(location, &folder, Credentials::default()).await.map_err(of_git)?;
        mirrors.insert(source.to_owned(), mirror.clone());
        Ok(Some(mirror))
    }
}

/// The commits after `from` up to `to`. A revision that the mirror does not have yet is fetched with the branches.
pub(super) async fn commits(mirror: &Mirror, from: &str, to: &str) -> Result<Vec<Commit>, RepositoryError> {
    match mirror.between(from, to, COMMITS_MAX + 1).await {
        Err(RepositoryError::NotFound { .. }) => {}
        other => return other,
    }
    mirror.fetch().await?;
    mirror.between(from, to, COMMITS_MAX + 1).await
}
