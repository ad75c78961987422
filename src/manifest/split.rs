//! Split forms: registry, repository, tag and digest in fields of their own.

use crate::image::{Reference, Repository};

use super::path::Path;
use super::site::{self, DigestField, Extend, Field, Findings, Place, Shape, Site, TagField};
use super::tree::{Entry, Id, Tree};
use super::walk::{Scope, Walk, is_image_key};
use super::{Beside, Pin};

/// The fields of one split pin.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) registry: Option<Field>,
    pub(super) repository: Field,
    pub(super) tag: Option<Field>,
    pub(super) digest: Option<Field>,
    /// What a missing digest means here.
    pub(super) without_digest: DigestField,
}

/// Adds the split pin that a mapping is, and says which key names its repository.
pub(super) fn mapping<'t>(
    walk: &mut Walk<'t, '_>,
    id: Id,
    entries: &[Entry<'t>],
    path: &Path<'_>,
    key: &str,
    scope: Scope,
) -> Option<&'t str> {
    let tree = walk.tree;
    let named = |name: &str| entries.iter().find(|entry| entry.key == name);
    let is_tagged = named("tag").is_some() || named("digest").is_some();
    let repository = repository_entry(tree, entries, key, is_tagged)?;
    let field = |entry: &Entry<'t>| Field {
        node: tree.resolve(entry.value),
        path: path.key(entry.key).to_string(),
        key: Some(entry.key_id),
    };
    let missing = format!("there is no `digest` beside `{}`; add `digest: \"\"`", repository.key);
    let fields = Fields {
        registry: named("registry").map(field),
        repository: field(repository),
        tag: named("tag").map(field),
        digest: named("digest").map(field),
        without_digest: DigestField::Missing(missing),
    };
    let place = Place { path: path.to_string(), form: scope.maps };
    let is_alone = fields.registry.is_none() && fields.tag.is_none() && fields.digest.is_none();
    if is_alone && tree.text(repository.value).is_some_and(is_whole) {
        let place = Place { path: fields.repository.path.clone(), ..place };
        walk.found.whole(tree, fields.repository, "", place, Extend::Yes);
        return Some(repository.key);
    }
    add(&mut walk.found, tree, &fields, place, Some(id));
    Some(repository.key)
}

/// Whether the text has a tag or digest itself.
pub(super) fn is_whole(text: &str) -> bool {
    text.parse::<Reference>().is_ok_and(|reference| reference.tag.is_some() || reference.digest.is_some())
}

/// The entry that names the repository, where the mapping is a split pin at all.
fn repository_entry<'e, 't>(
    tree: &Tree<'_>,
    entries: &'e [Entry<'t>],
    key: &str,
    is_tagged: bool,
) -> Option<&'e Entry<'t>> {
    let is_image = is_image_key(key) || key == "images";
    let text = |name: &str| {
        let entry = entries.iter().find(|entry| entry.key == name)?;
        tree.text(entry.value).filter(|text| !text.is_empty()).map(|text| (entry, text))
    };
    if let Some((entry, text)) = text("repository") {
        let is_readable = text.parse::<Repository>().is_ok();
        return (is_image || (is_tagged && is_readable)).then_some(entry);
    }
    if !is_tagged {
        return None;
    }
    let bare = |name| text(name).filter(|(_, text)| text.parse::<Reference>().is_ok() && !is_whole(text));
    bare("image").or_else(|| bare("name").filter(|_| is_image)).map(|(entry, _)| entry)
}

/// Adds a split pin, or why it cannot be read.
pub(super) fn add(found: &mut Findings, tree: &Tree<'_>, fields: &Fields, place: Place, mapping: Option<Id>) {
    let line = tree.node(fields.repository.node).line;
    let repository = match repository(tree, fields) {
        Ok(repository) => repository,
        Err((reason, guess)) => return found.broken(line, place.path, reason, guess),
    };
    let (tag, digest, shape) = match tag_and_digest(tree, fields) {
        Ok(read) => read,
        Err((line, reason)) => return found.broken(line, place.path, reason, Some(repository)),
    };
    let decisive = match &shape {
        Shape::Parts { tag, digest } => digest.field().or(tag.field()).unwrap_or(&fields.repository),
        Shape::Whole { value, .. } => value,
    };
    let line = tree.node(decisive.key.unwrap_or(decisive.node)).line;
    let span = site::span_in_file(tree, mapping.unwrap_or(fields.repository.node));
    let (Place { path, form }, beside) = (place, Beside::Tag(None));
    let pin = Pin { line, document: tree.document.index, path, form, repository, tag, digest, span, beside };
    found.sites.push(Site { pin, shape });
}

/// `registry/repository`, or `repository` alone.
fn repository(tree: &Tree<'_>, fields: &Fields) -> Result<Repository, (String, Option<Repository>)> {
    let name = tree.text(fields.repository.node).unwrap_or_default();
    let registry = fields.registry.as_ref().and_then(|field| tree.text(field.node)).unwrap_or_default();
    let full = match registry.trim_end_matches('/') {
        "" => name.to_owned(),
        registry => format!("{registry}/{name}"),
    };
    full.parse().map_err(|error: crate::image::ReferenceError| {
        (site::reason(&full, &error.to_string()), site::repository_of(&full))
    })
}

type Read = (Option<crate::image::Tag>, Option<crate::image::Digest>, Shape);

/// What the fields say, and where a change would go.
fn tag_and_digest(tree: &Tree<'_>, fields: &Fields) -> Result<Read, (usize, String)> {
    let line_of = |field: &Field| tree.node(field.key.unwrap_or(field.node)).line;
    let is_scalar = |field: &&Field| tree.node(field.node).text().is_some();
    let mut tag_field = TagField::Absent;
    let (mut tag, mut digest) = (None, None);
    if let Some(field) = fields.tag.as_ref() {
        if let Some(text) = tree.text(field.node) {
            (tag, digest) = site::tag_and_digest(text).map_err(|reason| (line_of(field), reason))?;
            tag_field = if digest.is_some() {
                TagField::WithDigest(field.clone())
            } else {
                TagField::Plain(field.clone())
            };
        } else if tree.node(field.node).is_null() {
            tag_field = TagField::Plain(field.clone());
        } else {
            return Err((line_of(field), "tag is no text".to_owned()));
        }
    }
    let digest_field = match fields.digest.as_ref() {
        Some(field) if matches!(tag_field, TagField::WithDigest(_)) => {
            if tree.text(field.node).is_some_and(|text| !text.is_empty()) {
                return Err((
                    line_of(field),
                    "entangled: a digest stands in the tag and in a field of its own".to_owned(),
                ));
            }
            DigestField::Missing(String::new())
        }
        Some(field) if is_scalar(&field) || tree.node(field.node).is_null() => {
            if let Some(text) = tree.text(field.node).filter(|text| !text.is_empty()) {
                let read = text
                    .parse()
                    .map_err(|error: crate::image::DigestError| site::reason(text, &error.to_string()));
                digest = Some(read.map_err(|reason| (line_of(field), reason))?);
            }
            DigestField::Present(field.clone())
        }
        Some(field) => return Err((line_of(field), "digest is no text".to_owned())),
        None => fields.without_digest.clone(),
    };
    Ok((tag, digest, Shape::Parts { tag: tag_field, digest: digest_field }))
}
