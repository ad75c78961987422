//! Who wrote the commits behind a digest, as far as GitHub knows their accounts.

use std::collections::{BTreeMap, BTreeSet};

use super::GitHubForge;
use super::client::PAGE_ENTRIES;
use super::pulls::query;
use super::wire::{self, Compared, Comparison};
use crate::forge::{Authors, ForgeError, Person};
use crate::repository::co_authors;
use crate::settings::FullName;

/// Pages of 100 commits; a promotion of more is one of which nobody knows the authors.
pub(super) const PAGES_MAX: u32 = 10;
/// The account under which GitHub itself commits what is merged on its pages.
const WEB_FLOW: u64 = 19_864_447;
/// Letters of a name or address that are repeated in a message.
pub(super) const TEXT_CHARACTERS_MAX: usize = 100;

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
    pub(super) fn named_source(&self, source: &str) -> Option<FullName> {
        let host = self.web_url.strip_suffix(&self.name.to_string())?;
        let path = source.strip_prefix(host)?.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).parse().ok()
    }
}

/// Whoever wrote one of these commits, or wrote it together with its author. A co-author is only an address in a message:
/// it is somebody where GitHub itself gave it, or where it is that of another author.
fn people(commits: &[Compared]) -> Authors {
    let mut found: BTreeMap<u64, Person> = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for commit in commits {
        let email = commit.commit.author.as_ref().and_then(|author| author.email.as_deref());
        match &commit.author {
            Some(wire::Author::Known(user)) if user.id != WEB_FLOW => {
                addresses.extend(email.map(str::to_lowercase));
                found.insert(user.id, user.clone().into());
            }
            Some(wire::Author::Known(_) | wire::Author::Nobody {}) | None => {
                let email: String = email.unwrap_or("nobody").chars().take(TEXT_CHARACTERS_MAX).collect();
                let id: String = commit.sha.chars().take(12).collect();
                return Authors::Unknown(format!("{email} (commit {id}) is nobody's address at GitHub"));
            }
        }
    }
    for address in commits.iter().flat_map(|commit| co_authors(&commit.commit.message)) {
        if let Some(person) = own(&address) {
            found.entry(person.id).or_insert(person);
        } else if !addresses.contains(&address) {
            let address: String = address.chars().take(TEXT_CHARACTERS_MAX).collect();
            return Authors::Unknown(format!("co-author {address} is nobody known at GitHub"));
        }
    }
    Authors::Known(found.into_values().collect())
}

/// The person of an address that GitHub itself gives: `<id>+<login>@users.noreply.<host>`.
///
/// Source: GitHub's documentation, "Email addresses reference".
fn own(address: &str) -> Option<Person> {
    let (local, host) = address.split_once('@')?;
    let (id, login) = local.split_once('+')?;
    let id = id.parse().ok().filter(|_| host.starts_with("users.noreply."))?;
    let name = login.chars().take(TEXT_CHARACTERS_MAX).collect();
    Some(Person { id, name, bot: login.ends_with("[bot]") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(commits: Value, want: Result<&[u64], &str>) {
        let commits: Vec<Compared> = serde_json::from_value(commits).unwrap();
        match (people(&commits), want) {
            (Authors::Known(people), Ok(want)) => {
                assert_eq!(people.iter().map(|person| person.id).collect::<Vec<_>>(), want);
            }
            (Authors::Unknown(reason), Err(want)) => assert!(reason.contains(want), "{reason}"),
            (found, want) => panic!("{found:?}, wanted {want:?}"),
        }
    }

    fn commit(author: &Value, email: &str, message: &str) -> Value {
        let sha = "0123456789".repeat(4);
        json!({"sha": sha, "author": author, "commit": {"author": {"email": email}, "message": message}})
    }

    #[test]
    fn who_wrote_together_is_an_author_too() {
        let ana = json!({"id": 7, "login": "ana", "type": "User"});
        let with = |trailers: &str| commit(&ana, "ana@example.com", &format!("A change\n\n{trailers}"));
        check(json!([with("")]), Ok(&[7]));
        check(json!([with("Co-authored-by: Li <9+li@users.noreply.example.com>")]), Ok(&[7, 9]));
        check(json!([with("Co-authored-by: Ana <Ana@example.com>")]), Ok(&[7]));
        for nobody in
            ["Eve <eve@example.com>", "Eve <9+li@noreply.example.com>", "Li <x+li@users.noreply.example.com>"]
        {
            check(json!([with(&format!("Co-authored-by: {nobody}"))]), Err("is nobody known at GitHub"));
        }
    }

    #[test]
    fn an_address_that_is_nobodys_leaves_the_authors_unknown() {
        let web_flow = json!({"id": WEB_FLOW, "login": "web-flow", "type": "User"});
        for author in [json!(null), json!({}), web_flow] {
            check(
                json!([commit(&author, "eve@example.com", "A change")]),
                Err("eve@example.com (commit 012345678901)"),
            );
        }
    }
}
