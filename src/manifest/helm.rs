//! The `helm` source of an Argo CD Application: parameters, and values that are text.

use std::collections::BTreeMap;

use super::Form;
use super::path::Path;
use super::site::{DigestField, Extend, Field, Place};
use super::split::{self, Fields};
use super::tree::Id;
use super::walk::{Nesting, Walk, is_image_key};

/// Adds what `parameters` and `values` of a `helm` source hold.
pub(super) fn source(walk: &mut Walk<'_, '_>, helm: Id, path: &Path<'_>) {
    parameters(walk, helm, path);
    if let Some(values) = walk.tree.get(helm, "values") {
        text(walk, values, &path.key("values"));
    }
}

/// The parameters that share what stands before the last dot of their name.
#[derive(Debug, Default)]
struct Group {
    registry: Option<Field>,
    repository: Option<Field>,
    tag: Option<Field>,
    digest: Option<Field>,
}

impl Group {
    fn part(&mut self, name: &str) -> Option<&mut Option<Field>> {
        match name {
            "registry" => Some(&mut self.registry),
            "repository" => Some(&mut self.repository),
            "tag" => Some(&mut self.tag),
            "digest" => Some(&mut self.digest),
            _ => None,
        }
    }
}

fn parameters(walk: &mut Walk<'_, '_>, helm: Id, path: &Path<'_>) {
    let tree = walk.tree;
    let Some(given) = tree.get(helm, "parameters") else { return };
    let list_path = path.key("parameters");
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (index, item) in tree.items(given).enumerate() {
        let entries = tree.entries(item);
        let named = |key: &str| entries.iter().find(|entry| entry.key == key);
        let (Some(name), Some(value)) =
            (named("name").and_then(|entry| tree.text(entry.value)), named("value"))
        else {
            continue;
        };
        let path = list_path.index(index).key("value").to_string();
        let field = Field { node: tree.resolve(value.value), path, key: Some(value.key_id) };
        let (prefix, last) = name.rsplit_once('.').unwrap_or(("", name));
        if is_image_key(last) && tree.text(field.node).is_some_and(|text| !text.is_empty()) {
            let place = Place { path: field.path.clone(), form: Form::HelmParameter };
            walk.found.whole(tree, field, "", place, Extend::Yes);
        } else if let Some(part) = groups.entry(prefix).or_default().part(last) {
            *part = Some(field);
        }
    }
    for (prefix, group) in groups {
        let Some(repository) = group.repository else { continue };
        let missing = format!("there is no parameter `{prefix}.digest`; add it with an empty value");
        let place = Place { path: repository.path.clone(), form: Form::HelmParameter };
        let without_digest = DigestField::Missing(missing);
        let Group { registry, tag, digest, .. } = group;
        split::add(
            &mut walk.found,
            tree,
            &Fields { registry, repository, tag, digest, without_digest },
            place,
            None,
        );
    }
}

/// Values that are text are a file within the file: its pins are named, never changed.
pub(super) fn text(walk: &mut Walk<'_, '_>, values: Id, path: &Path<'_>) {
    if walk.nesting == Nesting::Text {
        return;
    }
    let Some(text) = walk.tree.text(values) else { return };
    let line = walk.tree.node(walk.tree.resolve(values)).line;
    let path = path.to_string();
    let advice =
        if path.ends_with("valuesContent") { "put it under `set`" } else { "write it as `valuesObject`" };
    match super::find_in(text.as_bytes(), &[], Nesting::Text) {
        Ok(found) => {
            for pin in found.pins {
                let reason = format!("entangled: `{}` stands in a block of text; {advice}", pin.path);
                walk.found.broken(line, path.clone(), reason, Some(pin.repository));
            }
        }
        Err(error) => walk.found.broken(line, path, format!("values are no YAML: {error}"), None),
    }
}
