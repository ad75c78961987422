//! How the list is printed: for people, machines, and the clean-ups of registries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::collect::List;
use crate::cli::show::{self, plain};
use crate::image::{Digest, Repository, Tag};
use crate::registry::credentials::is_azure;

pub(super) fn table(list: &List) -> String {
    let rows = list.images.iter().map(|((repository, digest), kept)| {
        let tags: Vec<&str> = kept.tags.iter().map(Tag::as_str).collect();
        let whys: Vec<&str> = kept.whys.iter().map(String::as_str).collect();
        let tags = if tags.is_empty() { "-".to_owned() } else { tags.join(", ") };
        [plain(repository.as_str()), tags, digest.to_string(), plain(&whys.join(", "))]
    });
    show::table(["REPOSITORY", "TAGS", "DIGEST", "FOR"], rows.collect())
}

pub(super) fn document(list: &List) -> Value {
    let images = list.images.iter().map(|((repository, digest), kept)| {
        let parts = kept.parts.iter().filter(|(_, manifest)| manifest != digest);
        let parts = parts.map(|(platform, manifest)| json!({ "platform": platform, "digest": manifest }));
        json!({
            "repository": repository,
            "digest": digest,
            "tags": kept.tags,
            "anchor": Tag::anchor(*digest),
            "signatures": format!("sha256-{}", digest.hex()),
            "platforms": parts.collect::<Vec<_>>(),
            "for": kept.whys,
        })
    });
    let images: Vec<Value> = images.collect();
    let channels = list.channels.iter().filter(|(_, tags)| !tags.is_empty());
    let channels = channels.map(|(repository, tags)| json!({ "repository": repository, "tags": tags }));
    let channels: Vec<Value> = channels.collect();
    let complete = list.gaps.is_empty();
    show::document(json!({ "complete": complete, "gaps": list.gaps, "images": images, "channels": channels }))
}

/// One line for each repository.
pub(super) fn patterns(list: &List) -> String {
    lines(alternations(list).into_iter().map(|(repository, tags)| format!("{repository}: ^({tags})$")))
}

/// One command for each repository at Azure.
///
/// Source: `cmd/acr/purge.go` of Azure/acr-cli: `--filter <repository>:<tag>`, both regular expressions, the first of a
/// whole name; `--registry`.
pub(super) fn purges(list: &List) -> String {
    lines(alternations(list).into_iter().filter_map(|(repository, tags)| {
        let (host, path) = azure(repository)?;
        let path = path.replace('.', r"\.");
        Some(format!("acr purge --registry {host} --filter '{path}:^(?!({tags})$).*' --ago 30d --dry-run"))
    }))
}

/// What the forms by tag cannot say.
pub(super) fn warnings(list: &List, is_azure: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut named: BTreeMap<(&Repository, &Tag), BTreeSet<Digest>> = BTreeMap::new();
    for ((repository, digest), kept) in &list.images {
        for tag in &kept.tags {
            named.entry((repository, tag)).or_default().insert(*digest);
        }
    }
    for ((repository, tag), digests) in named.into_iter().filter(|(_, digests)| digests.len() > 1) {
        warnings.push(format!(
            "{repository}:{tag} moved: it names one of {} digests that have to stay, the others need their anchors",
            digests.len()
        ));
    }
    let untagged = list.images.values().filter(|kept| kept.tags.is_empty()).count();
    if untagged > 0 {
        warnings.push(format!(
            "{untagged} images are pinned without a tag and need their anchors; `-o json` names them"
        ));
    }
    let others: BTreeSet<&Repository> =
        list.images.keys().map(|(repository, _)| repository).filter(|name| azure(name).is_none()).collect();
    if is_azure && !others.is_empty() {
        let names: Vec<&str> = others.into_iter().map(Repository::as_str).collect();
        warnings.push(format!("not at Azure, and left out: {}", names.join(", ")));
    }
    warnings
}

/// The registry and the path there, of a repository at Azure: `acr purge` knows no others.
fn azure(repository: &Repository) -> Option<(&str, &str)> {
    let host = repository.host()?;
    is_azure(host).then(|| (host, repository.path()))
}

/// By repository, an alternation of all tags that keep its images and their signatures.
fn alternations(list: &List) -> BTreeMap<&Repository, String> {
    let mut of_repository: BTreeMap<&Repository, BTreeSet<String>> = BTreeMap::new();
    for ((repository, digest), kept) in &list.images {
        let tags = kept.tags.iter().map(escaped);
        let of_digest =
            [Tag::anchor(*digest).to_string(), format!(r"sha256-{}(\.(sig|att|sbom))?", digest.hex())];
        of_repository.entry(repository).or_default().extend(tags.chain(of_digest));
    }
    for (repository, channels) in &list.channels {
        if let Some(tags) = of_repository.get_mut(repository) {
            tags.extend(channels.iter().map(escaped));
        }
    }
    let joined = |tags: BTreeSet<String>| tags.into_iter().collect::<Vec<_>>().join("|");
    of_repository.into_iter().map(|(repository, tags)| (repository, joined(tags))).collect()
}

/// A tag holds letters, digits, `_`, `.` and `-`, of which only the dot means something else.
fn escaped(tag: &Tag) -> String {
    tag.as_str().replace('.', r"\.")
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |mut text, line| {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{line}");
        text
    })
}
