//! How much changes for a stage: told by versions and commits, never guessed.
//!
//! For an image with another digest than before, the first line that fits:
//!
//! | class | where |
//! |---|---|
//! | `major`, `minor`, `patch` | both name a version, and it is this part that differs first; of a pre-release `patch` |
//! | `base-only` | same commit, and the base image that it names is another one |
//! | `rebuild` | same commit; or same version, and one of the two names no commit |
//! | `unknown` | anything else: a first image, the same version from another commit, no version and no commit |
//!
//! The version is that of the tag under the follow rule, else that of the label; both sides have to be told alike. The
//! commit is the label `revision`, else the group `sha` of `extract`. A way back has the class of the way there. Of
//! several images the heaviest class counts, and `unknown` is heavier than all: it may be anything.

use semver::Version;

use super::order::{compare_images, named};
use super::snapshot::Snapshot;
use crate::image::{Image, Pinned, Release, Repository};
use crate::pipeline::{ChangeClass, ImageRule, Order, Rule, version_of};

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Side<'a> {
    tagged: Option<Version>,
    labelled: Option<Version>,
    commit: Option<&'a str>,
    base_digest: Option<&'a str>,
    base_name: Option<&'a str>,
}

/// How much one image changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageChange<'a> {
    /// The image.
    pub(super) repository: &'a Repository,
    /// How much.
    pub(super) class: ChangeClass,
    /// Whether both sides were read: what labels say is known, also where they say nothing.
    pub(super) is_read: bool,
    /// Whether it goes back, as the versions or the follow rule say.
    pub(super) is_back: bool,
}

/// The class of going from one release to another.
#[must_use]
pub fn change_class(snapshot: &Snapshot, was: Option<&Release>, release: &Release) -> ChangeClass {
    let changes = changes(snapshot, was, release);
    changes.iter().map(|change| change.class).max().unwrap_or(ChangeClass::Unknown)
}

/// What changes from one release to another, image by image; nothing of an image that stays. A pin without a tag has the
/// one by which it came.
pub(super) fn changes<'a>(
    snapshot: &'a Snapshot,
    was: Option<&Release>,
    release: &Release,
) -> Vec<ImageChange<'a>> {
    let (was, release) = (was.map(|was| named(snapshot, was)), named(snapshot, release));
    let change = |rule: &'a ImageRule| {
        let (repository, new) = (&rule.repository, release.get(&rule.repository)?);
        let Some(old) = was.as_ref().and_then(|was| was.get(repository)) else {
            let class = ChangeClass::Unknown;
            return Some(ImageChange { repository, class, is_read: true, is_back: false });
        };
        if old.digest == new.digest {
            return None;
        }
        let image =
            |pinned: &Pinned| snapshot.images.get(&pinned.digest).and_then(|image| image.as_ref().ok());
        let (one, other) = (Side::of(rule, old, image(old)), Side::of(rule, new, image(new)));
        Some(ImageChange {
            repository,
            class: of_image(&one, &other),
            is_read: image(old).is_some() && image(new).is_some(),
            is_back: versions(&one, &other).is_some_and(|(old, new)| new.cmp_precedence(old).is_lt())
                || compare_images(snapshot, rule, new, old) == Order::Older,
        })
    };
    snapshot.pipeline.images.iter().filter_map(change).collect()
}

/// The versions of both sides, where they are told alike.
fn versions<'a>(old: &'a Side<'_>, new: &'a Side<'_>) -> Option<(&'a Version, &'a Version)> {
    pair(old.tagged.as_ref(), new.tagged.as_ref())
        .or_else(|| pair(old.labelled.as_ref(), new.labelled.as_ref()))
}

fn of_image(old: &Side<'_>, new: &Side<'_>) -> ChangeClass {
    let versions = versions(old, new);
    if let Some(class) = versions.and_then(|(old, new)| by_version(old, new)) {
        return class;
    }
    match (old.commit, new.commit) {
        (Some(one), Some(other)) if is_same_commit(one, other) => {
            if has_other_base(old, new) {
                ChangeClass::BaseOnly
            } else {
                ChangeClass::Rebuild
            }
        }
        (Some(_), Some(_)) => ChangeClass::Unknown,
        _ if versions.is_some() => ChangeClass::Rebuild,
        _ => ChangeClass::Unknown,
    }
}

/// The part in which two versions differ first; none where they are one version.
fn by_version(old: &Version, new: &Version) -> Option<ChangeClass> {
    if old.major != new.major {
        Some(ChangeClass::Major)
    } else if old.minor != new.minor {
        Some(ChangeClass::Minor)
    } else if old.patch != new.patch || old.pre != new.pre {
        Some(ChangeClass::Patch)
    } else {
        None
    }
}

/// Whether one is the beginning of the other: tags have it cut.
fn is_same_commit(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    one.starts_with(&other) || other.starts_with(&one)
}

/// Whether both name their base image, and it is not the same one. A name may mean another image by now, so where both
/// name a digest, that decides.
fn has_other_base(old: &Side<'_>, new: &Side<'_>) -> bool {
    let digests = pair(old.base_digest, new.base_digest);
    digests.or_else(|| pair(old.base_name, new.base_name)).is_some_and(|(old, new)| old != new)
}

fn pair<T>(one: Option<T>, other: Option<T>) -> Option<(T, T)> {
    one.zip(other)
}

impl<'a> Side<'a> {
    fn of(rule: &ImageRule, pinned: &'a Pinned, image: Option<&'a Image>) -> Self {
        let label = |name: &str| image.and_then(|image| image.label(name));
        // The numbers of a date are no parts of a version.
        let has_versions = !matches!(rule.follow.rule, Rule::Calver(_));
        let told = pinned.tag.as_ref().map(|tag| rule.follow.told(tag)).unwrap_or_default();
        Self {
            tagged: pinned.tag.as_ref().and_then(|tag| rule.follow.version(tag)),
            labelled: label("version").filter(|_| has_versions).and_then(version_of),
            commit: image.and_then(Image::commit).or(told.sha),
            base_digest: label("base.digest"),
            base_name: label("base.name"),
        }
    }
}

#[cfg(test)]
mod tests;
