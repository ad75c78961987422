//! What recognition finds: sites, which are pins with the nodes that write them, and places that read as none.

use crate::image::{Digest, Reference, Repository, Tag};

use super::tree::{Id, Tree};
use super::{Beside, Form, Pin, Unreadable};

/// A scalar that belongs to a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// The scalar, aliases followed.
    pub(super) node: Id,
    /// Its place as a reader sees it.
    pub(super) path: String,
    /// Its key, where it stands in a mapping.
    pub(super) key: Option<Id>,
}

/// A pin and how it is written.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) pin: Pin,
    pub(super) shape: Shape,
}

/// How a pin is written.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// One string; `prefix` stands before the reference and stays (`old=` of an image override).
    Whole { value: Field, prefix: String, extend: Extend },
    /// Tag and digest apart.
    Parts { tag: TagField, digest: DigestField },
}

/// Whether a string without tag and digest may get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extend {
    Yes,
    /// No: this field beside it seems to hold the tag.
    TagElsewhere(String),
}

/// Where the tag of a split form is.
#[derive(Debug, Clone)]
pub(super) enum TagField {
    /// There is none; the digest alone is moved.
    Absent,
    Plain(Field),
    /// `tag: 1.4.1@sha256:…`: tag and digest in one.
    WithDigest(Field),
}

/// Where the digest of a split form is.
#[derive(Debug, Clone)]
pub(super) enum DigestField {
    Present(Field),
    /// A line is added after this entry of this mapping (kustomize).
    AddAfter {
        mapping: Id,
        mapping_path: String,
        key: Id,
        ordinal: usize,
    },
    /// It has to be added by a person; what and where.
    Missing(String),
}

/// A place that looks like a pin and is none.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) unreadable: Unreadable,
    /// The repository it seems to name: to change others of it and not this one would be half an edit.
    pub(super) repository: Option<Repository>,
}

/// What one document holds.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) sites: Vec<Site>,
    pub(super) broken: Vec<Broken>,
}

/// What a place is called and where it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) form: Form,
}

impl Site {
    /// The nodes that write it.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Id> + '_ {
        let (first, second) = match &self.shape {
            Shape::Whole { value, .. } => (Some(value.node), None),
            Shape::Parts { tag, digest } => {
                (tag.field().map(|field| field.node), digest.field().map(|field| field.node))
            }
        };
        first.into_iter().chain(second)
    }
}

impl TagField {
    pub(super) fn field(&self) -> Option<&Field> {
        match self {
            Self::Absent => None,
            Self::Plain(field) | Self::WithDigest(field) => Some(field),
        }
    }
}

impl DigestField {
    pub(super) fn field(&self) -> Option<&Field> {
        match self {
            Self::Present(field) => Some(field),
            Self::AddAfter { .. } | Self::Missing(_) => None,
        }
    }
}

impl Findings {
    /// Adds a string that holds a whole reference, or why it does not; returns what it reads as.
    pub(super) fn whole(
        &mut self,
        tree: &Tree<'_>,
        value: Field,
        prefix: &str,
        place: Place,
        extend: Extend,
    ) -> Option<&mut Pin> {
        let node = tree.node(value.node);
        if let Some(text) = node.text_of_own_tag() {
            let reason = "value has a YAML tag of its own".to_owned();
            self.broken(node.line, place.path, reason, repository_of(text));
            return None;
        }
        let text = node.text().and_then(|text| text.strip_prefix(prefix))?;
        match text.parse::<Reference>() {
            Ok(Reference { repository, tag, digest }) => {
                let span = span_in_file(tree, value.node);
                let Place { path, form } = place;
                let (line, document) = (node.line, tree.document.index);
                let beside = match &extend {
                    Extend::Yes => Beside::Nothing,
                    Extend::TagElsewhere(_) => Beside::Tag(None),
                };
                let pin = Pin { line, document, path, form, repository, tag, digest, span, beside };
                let shape = Shape::Whole { value, prefix: prefix.to_owned(), extend };
                self.sites.push(Site { pin, shape });
                self.sites.last_mut().map(|site| &mut site.pin)
            }
            Err(error) => {
                self.broken(node.line, place.path, reason(text, &error.to_string()), repository_of(text));
                None
            }
        }
    }

    /// Adds a place that cannot be read.
    pub(super) fn broken(
        &mut self,
        line: usize,
        path: String,
        reason: String,
        repository: Option<Repository>,
    ) {
        self.broken.push(Broken { unreadable: Unreadable { line, path, reason }, repository });
    }
}

/// Where a node stands in the file.
pub(super) fn span_in_file(tree: &Tree<'_>, id: Id) -> std::ops::Range<usize> {
    let (start, span) = (tree.document.start, tree.node(id).span());
    start + span.start..start + span.end
}

/// The value of a `tag` field: a tag, perhaps a digest behind it.
pub(super) fn tag_and_digest(text: &str) -> Result<(Option<Tag>, Option<Digest>), String> {
    let wrong = |error: &dyn std::fmt::Display| reason(text, &error.to_string());
    match text.split_once('@') {
        Some((tag, digest)) => {
            let tag = tag.parse().map_err(|error| wrong(&error))?;
            Ok((Some(tag), Some(digest.parse().map_err(|error| wrong(&error))?)))
        }
        None if text.is_empty() => Ok((None, None)),
        None => Ok((Some(text.parse().map_err(|error| wrong(&error))?), None)),
    }
}

/// Why a text reads as no reference: most often it is a template.
pub(super) fn reason(text: &str, error: &str) -> String {
    match ["{{", "${", "$(", "<%", "%{"].into_iter().find(|opening| text.contains(opening)) {
        Some(opening) => format!("value is a template (`{opening}`)"),
        None if text.ends_with('\n') => {
            "value ends with a line break; write the block with `>-` or `|-`".to_owned()
        }
        None if text.contains(char::is_control) => "value holds control characters".to_owned(),
        None => error.to_owned(),
    }
}

/// The repository that a text seems to name which is no reference as a whole.
pub(super) fn repository_of(text: &str) -> Option<Repository> {
    let before = text
        .trim_start()
        .split(['@', '$', '{', '<', '%', ' ', '\n'])
        .next()
        .unwrap_or_default()
        .trim_end_matches(':');
    let name = match before.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => before,
    };
    name.parse().ok()
}
