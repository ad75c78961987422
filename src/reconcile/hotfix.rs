//! The releases that people name for a hotfix: nobody need have picked them, so the registry is asked.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::future::try_join_all;

use super::Reconcile;
use super::gather::{unread, within};
use crate::command::Target;
use crate::image::{Digest, Pinned, Release, Repository, Tag};
use crate::plan::{self, Snapshot, Unread};
use crate::promotion;
use crate::registry::RegistryError;

/// Digits of a whole digest.
const DIGEST_DIGITS: usize = 64;

/// What each of those is that was named and has no answer yet.
pub(super) async fn hotfixes(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<Target, Result<Release, Unread>> {
    let mut found = BTreeMap::new();
    for target in plan::hotfix_targets(snapshot) {
        let named = within(run, is_hurried, named(run, snapshot, &target)).await;
        let named = named.unwrap_or_else(|| Err(Unread::Unknown("it takes too long".to_owned())));
        if matches!(named, Err(Unread::Unknown(_))) {
            run.is_registry_away.store(true, Ordering::Relaxed);
        }
        found.insert(target, named);
    }
    found
}

/// By a tag that every image has; else by what is known, if the registry has it still; else by a whole digest. Whoever names
/// a digest means no tag that looks like one, which anybody who pushes can make.
async fn named(run: &Reconcile<'_>, snapshot: &Snapshot, target: &Target) -> Result<Release, Unread> {
    let (Target::Version(text) | Target::Digest(text)) = target;
    let mut lacking = None;
    let is_whole = text.len() == DIGEST_DIGITS;
    for tag in spellings(text).into_iter().filter(|_| !is_whole) {
        match tagged(run, snapshot, &tag).await {
            Ok(release) if is_another_digest(snapshot, target, &release) => {
                let text = format!("{tag} is a tag, and how another digest begins: name the whole digest");
                return Err(Unread::Absent(text));
            }
            Ok(release) => return Ok(release),
            Err(RegistryError::NotFound { what }) => lacking = lacking.or(Some(what)),
            Err(error) => return Err(unread(&error)),
        }
    }
    if let Some(release) = plan::known(snapshot).find(|release| promotion::names(target, release)) {
        let images = release.images().map(|(repository, pinned)| present(run, repository, pinned.digest));
        return try_join_all(images).await.map(|_| release.clone()).map_err(|error| unread(&error));
    }
    let whole =
        (text.len() == DIGEST_DIGITS).then(|| format!("sha256:{text}").parse::<Digest>().ok()).flatten();
    let Some(digest) = whole else {
        let what = lacking.unwrap_or_else(|| target.to_string());
        let text = format!("{what} is not in the registry, and no release of that name is known");
        return Err(Unread::Absent(text));
    };
    let images = snapshot.pipeline.images.iter().map(|rule| async move {
        present(run, &rule.repository, digest).await?;
        Ok((rule.repository.clone(), Pinned { tag: None, digest }))
    });
    let images = try_join_all(images).await.map_err(|error: RegistryError| unread(&error))?;
    Ok(images.into_iter().collect())
}

/// Whether the words are also the beginning of a digest that is known, and that the tag does not name.
fn is_another_digest(snapshot: &Snapshot, target: &Target, found: &Release) -> bool {
    let begins = |release: &&Release| release.images().any(|(_, pinned)| target.names_digest(pinned));
    plan::known(snapshot).filter(begins).any(|known| !known.is_same(found))
}

/// A tag as it is written, and with or without the `v` of a version.
fn spellings(text: &str) -> Vec<Tag> {
    let other = text.strip_prefix('v').map_or_else(|| format!("v{text}"), str::to_owned);
    [text, &other].iter().filter_map(|text| text.parse().ok()).collect()
}

async fn tagged(run: &Reconcile<'_>, snapshot: &Snapshot, tag: &Tag) -> Result<Release, RegistryError> {
    let images = snapshot.pipeline.images.iter().map(|rule| async move {
        let digest = run.world.registry.resolve(&rule.repository, tag).await?;
        Ok::<_, RegistryError>((rule.repository.clone(), Pinned { tag: Some(tag.clone()), digest }))
    });
    Ok(try_join_all(images).await?.into_iter().collect())
}

async fn present(run: &Reconcile<'_>, repository: &Repository, digest: Digest) -> Result<(), RegistryError> {
    run.world.registry.probe(repository, digest).await.map(|_| ())
}
