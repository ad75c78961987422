//! The `images:` of kustomize: entries of a kustomization, and overrides in an Argo CD Application.

use super::path::Path;
use super::site::{DigestField, Extend, Field, Place};
use super::split::{self, Fields};
use super::tree::{Entry, Id};
use super::walk::Walk;
use super::{Form, ReadError};

/// Adds the entries of an `images:` list; false where it is not kustomize's.
///
/// `is_root` says that the list stands at the root of a kustomization, where every entry counts. Elsewhere (a Flux
/// Kustomization, a file that names no kind) an entry has to look like one.
pub(super) fn images(
    walk: &mut Walk<'_, '_>,
    list: Id,
    path: &Path<'_>,
    is_root: bool,
) -> Result<bool, ReadError> {
    let tree = walk.tree;
    let mut is_any = false;
    for (index, item) in tree.items(list).enumerate() {
        walk.visit(item, path)?;
        let item = tree.resolve(item);
        let entries = walk.entries(item)?;
        if is_root || looks_like_entry(&entries) {
            entry(walk, item, &entries, &path.index(index));
            is_any = true;
        }
    }
    Ok(is_any)
}

fn looks_like_entry(entries: &[Entry<'_>]) -> bool {
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    has("name") && (has("newTag") || has("newName") || (has("digest") && !has("tag") && !has("repository")))
}

/// One entry: the repository is `newName`, or else `name`.
fn entry(walk: &mut Walk<'_, '_>, id: Id, entries: &[Entry<'_>], path: &Path<'_>) {
    let tree = walk.tree;
    let named = |key: &str| entries.iter().find(|entry| entry.key == key);
    let has_text = |entry: &&Entry<'_>| tree.text(entry.value).is_some_and(|text| !text.is_empty());
    let field = |entry: &Entry<'_>| Field {
        node: tree.resolve(entry.value),
        path: path.key(entry.key).to_string(),
        key: Some(entry.key_id),
    };
    let Some(repository) = named("newName").filter(has_text).or_else(|| named("name").filter(has_text))
    else {
        return;
    };
    // A digest alone is a pin as well: kustomize then drops the tag of the image it replaces.
    let before = named("newTag").unwrap_or(repository);
    let without_digest = match before {
        // Kustomize passes over a suffix where there is a digest.
        _ if named("tagSuffix").is_some() => DigestField::Missing(
            "entangled: a digest would undo `tagSuffix`; write `newTag` instead".to_owned(),
        ),
        Entry { key_id, ordinal: Some(ordinal), .. } => DigestField::AddAfter {
            mapping: id,
            mapping_path: path.to_string(),
            key: *key_id,
            ordinal: *ordinal,
        },
        Entry { key, .. } => DigestField::Missing(format!(
            "entangled: `{key}` is merged in from elsewhere; add `digest: \"\"`"
        )),
    };
    let fields = Fields {
        registry: None,
        repository: field(repository),
        tag: named("newTag").map(field),
        digest: named("digest").map(field),
        without_digest,
    };
    split::add(
        &mut walk.found,
        tree,
        &fields,
        Place { path: path.to_string(), form: Form::Kustomize },
        Some(id),
    );
}

/// Adds the strings `[name=]repository[:tag][@digest]` of `kustomize.images` in a source of an Application.
pub(super) fn overrides(walk: &mut Walk<'_, '_>, kustomize: Id, path: &Path<'_>) {
    let tree = walk.tree;
    let Some(images) = tree.get(kustomize, "images") else { return };
    let list = path.key("images");
    for (index, item) in tree.items(images).enumerate() {
        let node = tree.resolve(item);
        let Some(text) = tree.text(node) else { continue };
        let prefix = text.split_once('=').map_or("", |(name, _)| text.get(..=name.len()).unwrap_or_default());
        let path = list.index(index).to_string();
        let value = Field { node, path: path.clone(), key: None };
        walk.found.whole(tree, value, prefix, Place { path, form: Form::HelmParameter }, Extend::Yes);
    }
}
