//! What a follow rule picks of what the registry has.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;

use super::Reconcile;
use super::gather::within;
use crate::image::{Pinned, Release, ReleaseId, Repository, Tag};
use crate::pipeline::{Follow, ImageRule, Picked, disagreement};
use crate::plan::{self, Pick, Snapshot};
use crate::registry::{Registry, RegistryError};

/// Images asked for at one time, so that no registry is stormed.
const AT_ONCE: usize = 4;

/// Asks the registry for what the rule needs, and picks: one manifest for a rule that names its tag, else the list of
/// tags (a request for each 1,000 or what the registry has on a page) and a manifest for each spelling of the newest;
/// for `newest` besides, once for each tag, what its image says. A time after `now` is none.
///
/// # Errors
/// [`RegistryError`] where one of the answers is none.
pub async fn pick(registry: &dyn Registry, rule: &ImageRule, now: Timestamp) -> Result<Pick, RegistryError> {
    let repository = &rule.repository;
    if let Some(tag) = rule.follow.named() {
        return agreed(registry, repository, vec![tag]).await;
    }
    let tags = registry.tags(repository).await?;
    match rule.follow.pick(&tags) {
        Picked::Tags(tied) => agreed(registry, repository, tied).await,
        Picked::Created(fitting) => newest(registry, repository, fitting, now).await,
        Picked::Nothing => Ok(Pick::Nothing),
        Picked::Refused(reason) => Ok(Pick::Refused(reason)),
    }
}

/// The first of the tags, if they all name one digest.
async fn agreed(
    registry: &dyn Registry,
    repository: &Repository,
    tags: Vec<&Tag>,
) -> Result<Pick, RegistryError> {
    let mut picked = None;
    for tag in tags {
        let digest = registry.resolve(repository, tag).await?;
        match picked {
            Some((first, known)) if known != digest => {
                return Ok(Pick::Refused(disagreement(first, tag, "are the same version")));
            }
            Some(_) => {}
            None => picked = Some((tag, digest)),
        }
    }
    Ok(picked.map_or(Pick::Nothing, |(tag, digest)| Pick::Found { tag: tag.clone(), digest }))
}

/// The earlier picks that the registry still has: those whose tags name them still, so that what was withdrawn in time
/// never counts; and of a tag that moves, those whose digest is still there, since what it named before has no name.
pub(super) async fn standing(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeSet<ReleaseId> {
    let mut found = BTreeSet::new();
    for release in plan::earlier(snapshot) {
        let asked = try_join_all(snapshot.pipeline.images.iter().map(|rule| stands(run, rule, &release)));
        match within(run, is_hurried, asked).await {
            Some(Ok(stand)) if stand.iter().all(|stands| *stands) => {
                found.insert(release.id());
            }
            Some(Err(RegistryError::Unavailable { .. })) => {
                run.is_registry_away.store(true, Ordering::Relaxed);
            }
            Some(Ok(_) | Err(_)) | None => {}
        }
    }
    found
}

async fn stands(run: &Reconcile<'_>, rule: &ImageRule, release: &Release) -> Result<bool, RegistryError> {
    let (registry, repository) = (run.world.registry.as_ref(), &rule.repository);
    let Some(Pinned { tag: Some(tag), digest }) = release.get(repository) else { return Ok(false) };
    if rule.follow.moves() {
        return registry.probe(repository, *digest).await.map(|_| true);
    }
    Ok(registry.resolve(repository, tag).await? == *digest)
}

/// The tag whose image was created last, if it still names what it did when that was read.
async fn newest(
    registry: &dyn Registry,
    repository: &Repository,
    tags: Vec<&Tag>,
    now: Timestamp,
) -> Result<Pick, RegistryError> {
    let mut created = Vec::new();
    for some in tags.chunks(AT_ONCE) {
        let asked = some.iter().map(|tag| registry.first_named(repository, tag));
        for (tag, told) in some.iter().zip(join_all(asked).await) {
            match told {
                Ok(named) => created.push((*tag, named.digest, named.created)),
                // Listed, and withdrawn meanwhile; or some registries list what they have no manifest of any more.
                Err(RegistryError::NotFound { .. }) => {}
                // A cache that a build keeps there, say: it stays so, and somebody has to leave it out.
                Err(error @ RegistryError::Untrusted { .. }) => {
                    let text = format!(
                        "tag `{tag}` is no image that can be read ({error}); leave it out by `ignore`"
                    );
                    return Ok(Pick::Refused(text));
                }
                Err(error) => return Err(error),
            }
        }
    }
    loop {
        let tag = match Follow::newest(&created, now) {
            Ok(Some(tag)) => tag,
            Ok(None) => return Ok(Pick::Nothing),
            Err(reason) => return Ok(Pick::Refused(reason)),
        };
        let digest = match registry.resolve(repository, tag).await {
            Ok(digest) => digest,
            // What it was is remembered, and it is gone since.
            Err(RegistryError::NotFound { .. }) => {
                created.retain(|(other, ..)| *other != tag);
                continue;
            }
            Err(error) => return Err(error),
        };
        let was = created.iter().find(|(other, ..)| *other == tag).map(|(_, was, _)| *was);
        return Ok(match was.filter(|was| *was != digest) {
            Some(was) => Pick::Refused(format!(
                "tag `{tag}` moved from {} to {}; follow one that moves by `tag`, or leave it out by `ignore`",
                was.short(),
                digest.short()
            )),
            None => Pick::Found { tag: tag.clone(), digest },
        });
    }
}
