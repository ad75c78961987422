//! Pins named by a person: by a path in `lockkeeper.yaml`, or by a comment on the line of the value.

use std::collections::{BTreeMap, BTreeSet};

use memchr::{memchr2, memmem, memrchr2};

use super::path::{self, OwnedStep, Path};
use super::site::{DigestField, Extend, Field, Place};
use super::split::{self, Fields};
use super::tree::{Id, Kind, Tree};
use super::walk::{Scope, Walk, is_tag_key};
use super::{Form, ReadError};

/// Our marker, a comment on the line of the value: `# lockkeeper: pin`.
pub(super) const OURS: &str = "lockkeeper: pin";
/// The key of Flux's marker, `# {"$imagepolicy": "namespace:name"}`, with `:name`, `:tag` or `:digest` for parts.
///
/// Source: Flux, image-automation-controller, "Configure image update for custom resources".
pub(super) const FLUX: &str = "$imagepolicy";

/// Whether a document can hold this marked path: its last key stands there.
pub(super) fn may_hold_path(text: &str, marked: &str) -> bool {
    let steps = path::parse(marked).unwrap_or_default();
    let last = steps.iter().rev().find_map(|step| match step {
        OwnedStep::Key(key) => Some(key),
        OwnedStep::Index(_) => None,
    });
    last.is_none_or(|key| memmem::find(text.as_bytes(), key.as_bytes()).is_some())
}

/// Adds what the marked paths name, where nothing else found it.
pub(super) fn paths(walk: &mut Walk<'_, '_>, root: Id, marked: &[&str]) {
    for marked in marked {
        let is_known = walk.found.sites.iter().any(|site| site.pin.path == *marked)
            || walk.found.broken.iter().any(|broken| broken.unreadable.path == *marked);
        let Some(steps) = path::parse(marked).filter(|_| !is_known) else { continue };
        descend(walk, root, Spot::default(), &Path::Root, &steps);
    }
}

/// What a value stands in a mapping with.
#[derive(Default)]
struct Spot {
    key: Option<Id>,
    /// The key beside it that seems to hold its tag.
    tag_key: Option<String>,
}

fn descend(walk: &mut Walk<'_, '_>, id: Id, spot: Spot, path: &Path<'_>, steps: &[OwnedStep]) {
    let tree = walk.tree;
    match steps.split_first() {
        None => named(walk, tree.resolve(id), spot, path),
        Some((OwnedStep::Key(name), rest)) => {
            let entries = tree.entries(id);
            if let Some(entry) = entries.iter().find(|entry| entry.key == name) {
                let tag = entries.iter().find(|other| other.key != name && is_tag_key(other.key));
                let spot = Spot { key: Some(entry.key_id), tag_key: tag.map(|tag| tag.key.to_owned()) };
                descend(walk, entry.value, spot, &path.key(name), rest);
            }
        }
        Some((OwnedStep::Index(index), rest)) => {
            if let Some(item) = tree.items(id).nth(*index) {
                descend(walk, item, Spot::default(), &path.index(*index), rest);
            }
        }
    }
}

/// The node that a marked path leads to.
fn named(walk: &mut Walk<'_, '_>, node: Id, spot: Spot, path: &Path<'_>) {
    let tree = walk.tree;
    if tree.text(node).is_some() {
        let place = Place { path: path.to_string(), form: Form::Marked };
        let value = Field { node, path: place.path.clone(), key: spot.key };
        let extend = spot.tag_key.map_or(Extend::Yes, Extend::TagElsewhere);
        walk.found.whole(tree, value, "", place, extend);
        return;
    }
    let entries = tree.entries(node);
    if split::mapping(walk, node, &entries, path, "image", Scope::MARKED).is_none() {
        let reason = "the marked place is neither a reference nor a map with `repository`".to_owned();
        walk.found.broken(tree.node(node).line, path.to_string(), reason, None);
    }
}

/// What a comment says about the value before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Marker {
    Reference,
    Part {
        policy: String,
        part: Part,
    },
    /// One that neither Flux nor we know, by its text.
    Unknown(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Name,
    Tag,
    Digest,
}

/// Parts of one pin: they share their mapping and their policy.
type Groups = BTreeMap<(String, String), BTreeMap<Part, Field>>;

/// Adds what is marked by a comment, where nothing else found it.
pub(super) fn comments(walk: &mut Walk<'_, '_>, root: Id) -> Result<(), ReadError> {
    let markers = markers(walk.tree.document.text);
    if markers.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<Id> =
        walk.found.sites.iter().flat_map(|site| site.nodes().collect::<Vec<_>>()).collect();
    let mut search = Search { markers, known, groups: Groups::new() };
    search.node(walk, root, None, &Path::Root, "")?;
    for ((_, policy), mut parts) in search.groups {
        let (tag, digest) = (parts.remove(&Part::Tag), parts.remove(&Part::Digest));
        if [&tag, &digest].into_iter().flatten().any(|field| search.known.contains(&field.node)) {
            continue;
        }
        add_parts(walk, &policy, parts.remove(&Part::Name), tag, digest);
    }
    Ok(())
}

fn add_parts(
    walk: &mut Walk<'_, '_>,
    policy: &str,
    name: Option<Field>,
    tag: Option<Field>,
    digest: Option<Field>,
) {
    let tree = walk.tree;
    let Some(repository) = name else {
        if let Some(field) = tag.or(digest) {
            let reason =
                format!("marker of `{policy}` names a tag or digest; mark the field of its name as well");
            walk.found.broken(tree.node(field.node).line, field.path, reason, None);
        }
        return;
    };
    if tag.is_none() && digest.is_none() {
        return;
    }
    let place = Place { path: repository.path.clone(), form: Form::Marked };
    let missing = format!("no field is marked `{policy}:digest`; add one");
    let without_digest = DigestField::Missing(missing);
    let fields = Fields { registry: None, repository, tag, digest, without_digest };
    split::add(&mut walk.found, tree, &fields, place, None);
}

/// The markers of a document, by the byte at which the value before them ends.
fn markers(text: &str) -> BTreeMap<usize, Marker> {
    let mut markers = BTreeMap::new();
    for word in [OURS, FLUX] {
        for at in memmem::find_iter(text.as_bytes(), word.as_bytes()) {
            let line_start = memrchr2(b'\n', b'\r', &text.as_bytes()[..at]).map_or(0, |end| end + 1);
            let line_end = memchr2(b'\n', b'\r', &text.as_bytes()[at..]).map_or(text.len(), |end| at + end);
            let Some(before) = text.get(line_start..at) else { continue };
            let Some((value, _)) = before.rsplit_once('#').filter(|(value, _)| value.ends_with([' ', '\t']))
            else {
                continue;
            };
            let hash = line_start + value.len();
            let Some(marker) = text.get(hash + 1..line_end).and_then(marker) else { continue };
            markers.insert(line_start + value.trim_end_matches([' ', '\t', ',', '}', ']']).len(), marker);
        }
    }
    markers
}

fn marker(comment: &str) -> Option<Marker> {
    let comment = comment.trim();
    if let Some(rest) = comment.strip_prefix(OURS) {
        return (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some(Marker::Reference);
    }
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(comment).ok()?;
    let policy = fields.get(FLUX)?.as_str()?;
    let part = |policy: &str, part| Marker::Part { policy: policy.to_owned(), part };
    Some(match policy.rsplit_once(':') {
        Some((policy, "name")) => part(policy, Part::Name),
        Some((policy, "tag")) => part(policy, Part::Tag),
        Some((policy, "digest")) => part(policy, Part::Digest),
        Some((before, _)) if before.contains(':') => Marker::Unknown(policy.to_owned()),
        Some(_) | None => Marker::Reference,
    })
}

/// Whether the key says that its value is the name of an image alone: in Helm's values, and in kustomize.
fn is_name_key(tree: &Tree<'_>, key: Option<Id>) -> bool {
    key.and_then(|key| tree.node(key).text()).is_some_and(|key| ["repository", "newName"].contains(&key))
}

/// Looks for the scalars that the markers stand behind.
struct Search {
    markers: BTreeMap<usize, Marker>,
    known: BTreeSet<Id>,
    groups: Groups,
}

impl Search {
    /// Every node as written, each once: aliases are not followed.
    fn node(
        &mut self,
        walk: &mut Walk<'_, '_>,
        id: Id,
        key: Option<Id>,
        path: &Path<'_>,
        parent: &str,
    ) -> Result<(), ReadError> {
        walk.visit(id, path)?;
        let tree: &Tree<'_> = walk.tree;
        match tree.node(id).kind {
            Kind::Scalar { .. } => {
                if let Some(marker) = self.markers.get(&tree.node(id).span().end).cloned() {
                    self.hit(walk, marker, Field { node: id, path: path.to_string(), key }, parent);
                }
            }
            Kind::Sequence { .. } => {
                for (index, item) in tree.items(id).enumerate() {
                    self.node(walk, item, None, &path.index(index), "")?;
                }
            }
            Kind::Mapping { .. } => {
                let here = path.to_string();
                for (key, value) in tree.keys_and_values(id) {
                    let name = tree.node(key).text().unwrap_or_default();
                    self.node(walk, value, Some(key), &path.key(name), &here)?;
                }
            }
            Kind::Alias { .. } => {}
        }
        Ok(())
    }

    fn hit(&mut self, walk: &mut Walk<'_, '_>, marker: Marker, field: Field, parent: &str) {
        match marker {
            Marker::Reference if self.known.contains(&field.node) => {}
            Marker::Unknown(policy) => {
                let reason = format!("marker `{policy}` ends in none of `:name`, `:tag` and `:digest`");
                walk.found.broken(walk.tree.node(field.node).line, field.path, reason, None);
            }
            // A tag beside it would go on behind the whole reference.
            Marker::Reference if is_name_key(walk.tree, field.key) => {
                let reason = "a whole reference is marked where a name stands; end the marker in `:name`";
                walk.found.broken(walk.tree.node(field.node).line, field.path, reason.to_owned(), None);
            }
            Marker::Reference => {
                let place = Place { path: field.path.clone(), form: Form::Marked };
                walk.found.whole(walk.tree, field, "", place, Extend::Yes);
            }
            Marker::Part { policy, part } => {
                self.groups.entry((parent.to_owned(), policy)).or_default().insert(part, field);
            }
        }
    }
}
