//! The tags that can be found on the images that are proposed, for people who know them by another one.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::Reconcile;
use super::gather::{is_settled, within};
use crate::image::{Digest, Repository, Tag, expected_tags};
use crate::plan::{Pick, Snapshot};
use crate::store::Hint;

/// Tags found on each digest, asked for once in the life of this process. None is asked for where a person waits, or
/// where even the image could not be read; what cannot be found out is left out, for nothing depends on it.
pub(super) async fn tags(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<Digest, Vec<Tag>> {
    let read = proposed(snapshot).into_iter().map(|(repository, digest, tag)| async move {
        let Some(Ok(image)) = snapshot.images.get(&digest) else { return None };
        let expected = if is_hurried {
            Vec::new()
        } else {
            let rule = snapshot.pipeline.images.iter().find(|rule| rule.repository.is_same(&repository));
            let build = rule.zip(tag.as_ref()).and_then(|(rule, tag)| rule.follow.told(tag).build);
            let mut expected = told(run, &repository);
            expected.extend(expected_tags(image, tag.as_ref(), build));
            expected.retain(|found| Some(found) != tag.as_ref());
            expected
        };
        let asked = run.world.registry.tags_on(&repository, digest, &expected);
        let found = within(run, is_hurried, asked).await?.ok()?;
        (!found.is_empty()).then_some((digest, found))
    });
    join_all(read).await.into_iter().flatten().collect()
}

/// What is picked and what is proposed, each with its tag.
fn proposed(snapshot: &Snapshot) -> BTreeSet<(Repository, Digest, Option<Tag>)> {
    let mut found = BTreeSet::new();
    if is_settled(snapshot) {
        return found;
    }
    for (rule, pick) in snapshot.pipeline.images.iter().zip(&snapshot.picks) {
        if let Pick::Found { tag, digest } = pick {
            found.insert((rule.repository.clone(), *digest, Some(tag.clone())));
        }
    }
    for proposal in snapshot.state.stages.values().filter_map(|state| state.proposal.as_ref()) {
        let images = proposal.release.images();
        found.extend(images.map(|(name, pinned)| (name.clone(), pinned.digest, pinned.tag.clone())));
    }
    found
}

/// Tags that a registry told of just now. It is asked all the same: anybody may have said so.
fn told(run: &Reconcile<'_>, repository: &Repository) -> Vec<Tag> {
    let canonical = repository.canonical();
    let hints = run.lease.deliveries.iter().flat_map(|delivery| &delivery.hints);
    let of_it = hints.filter_map(|hint| match hint {
        Hint::Image { repository, tags, .. } => {
            let rest = canonical.strip_suffix(repository.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/')).then_some(tags)
        }
        Hint::Comment { .. }
        | Hint::Command { .. }
        | Hint::PullRequest { .. }
        | Hint::Push
        | Hint::Sighting { .. }
        | Hint::Unparsable { .. } => None,
    });
    of_it.flatten().filter_map(|tag| tag.parse().ok()).collect()
}
