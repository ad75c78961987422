//! Which commits behind a digest touched a path: read from a local copy of the source repository.

use super::authors::{COMMITS_MAX, commits};
use super::{LocalForge, of_git};
use crate::forge::{ForgeError, SourceCommit, Touched};
use crate::repository::RepositoryError;

impl LocalForge {
    pub(super) async fn source_touched(
        &self,
        source: &str,
        from: &str,
        to: &str,
        paths: &[String],
    ) -> Result<Touched, ForgeError> {
        let Some(mirror) = self.source_mirror(source).await? else {
            let source: String = source.chars().take(200).collect();
            return Ok(Touched::Unknown(format!("source repository {source} is not in the settings")));
        };
        let between = match commits(&mirror, from, to).await {
            Ok(between) => between,
            Err(RepositoryError::NotFound { what }) => {
                return Ok(Touched::Unknown(format!("{what} is not in the source repository")));
            }
            Err(error) => return Err(of_git(error)),
        };
        if between.len() > COMMITS_MAX {
            return Ok(Touched::Unknown(format!("more than {COMMITS_MAX} commits")));
        }
        let ids = between.iter().map(|commit| commit.id).collect();
        let touching = mirror.touching(ids, paths.to_vec()).await.map_err(of_git)?;
        let by_path = paths.iter().zip(touching).map(|(path, ids)| {
            let of_path = between.iter().filter(|commit| ids.contains(&commit.id));
            let shown = of_path.map(|commit| SourceCommit::new(&commit.id.to_string(), &commit.message));
            (path.clone(), shown.collect())
        });
        Ok(Touched::Known { of: between.len(), by_path: by_path.collect() })
    }
}
