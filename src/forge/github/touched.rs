//! Which commits behind a digest touched a path, as GitHub knows them.

use std::collections::{BTreeMap, BTreeSet};

use super::GitHubForge;
use super::authors::{PAGES_MAX, TEXT_CHARACTERS_MAX};
use super::pulls::query;
use super::wire::{Compared, Comparison};
use crate::forge::{ForgeError, SourceCommit, Touched};

impl GitHubForge {
    /// Source: GitHub's REST API, "Compare two commits", and "List commits" with `path` and `since`: the latter knows
    /// no range, so what it lists is held against the former.
    pub(super) async fn source_touched(
        &self,
        source: &str,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Touched, ForgeError> {
        let Some(name) = self.named_source(source) else {
            let source: String = source.chars().take(TEXT_CHARACTERS_MAX).collect();
            return Ok(Touched::Unknown(format!("source {source} is not at this GitHub")));
        };
        let compare = format!("/repos/{name}/compare/{}...{}", query(from), query(to));
        let more = || Ok(Touched::Unknown(format!("{name} has too many commits between them")));
        let between =
            match self.client.pages_within(&compare, PAGES_MAX, |page: Comparison| page.commits).await {
                Ok(Some(commits)) => commits,
                Ok(None) => return more(),
                Err(ForgeError::NotFound { .. }) => {
                    return Ok(Touched::Unknown(format!("the commits of {name} cannot be read")));
                }
                Err(error) => return Err(error),
            };
        let ids: BTreeSet<&str> = between.iter().map(|commit| commit.sha.as_str()).collect();
        let dates = between.iter().filter_map(|commit| commit.commit.committer.as_ref()?.date.as_deref());
        let since = dates.min().map_or_else(String::new, |date| format!("&since={}", query(date)));
        let mut found = BTreeMap::new();
        for path in paths {
            let list = format!(
                "/repos/{name}/commits?sha={}&path={}{since}",
                query(to),
                query(path.trim_end_matches('/'))
            );
            let pages = self.client.pages_within(&list, PAGES_MAX, |page: Vec<Compared>| page);
            let Some(listed) = pages.await? else { return more() };
            let touching = listed.iter().filter(|commit| ids.contains(commit.sha.as_str()));
            let commit = |commit: &Compared| SourceCommit::new(&commit.sha, &commit.commit.message);
            found.insert(path.clone(), touching.map(commit).collect());
        }
        Ok(Touched::Known { of: between.len(), by_path: found })
    }
}
