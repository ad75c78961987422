//! Manifest files: find every pin, and change one by a byte splice that the parse proves.
//!
//! ```text
//! document   the file's documents, by their marker lines; those that cannot match are passed over by bytes
//! tree       one document as nodes with exact byte spans; build makes it (granit-parser)
//! walk       the places that are pins → sites; kustomize, helm, split and mark know their shapes
//! edit       site × (tag, digest) → splices, in the style of the file
//! entangle   refuses a splice that a reader would see at more places than meant
//! prove      reads the document before and after by serde_yaml: just those values differ
//! ```
//!
//! What is read as a pin:
//!
//! - `image: <reference>` in every object and file, but in config maps, secrets, schemas, labels, annotations,
//!   environments and arguments; `fooImage: <reference>` where the text has the shape of one; `imageName` where it has
//!   a tag or digest; `volumes[].image.reference`.
//! - An entry of kustomize's `images:`. Its repository is `newName`, or else `name`.
//! - A map with `repository` and `tag` or `digest` (and `registry`); under a key like `image` also with `name` or `image`,
//!   or with a `repository` that holds the whole reference. `global.imageRegistry` is not looked at.
//! - `helm.valuesObject`, `helm.parameters` and `kustomize.images` of an Argo CD Application, or in its
//!   `.argocd-source.yaml`. `helm.values` and the `valuesContent` of a `HelmChart` are text: pins are told, never changed.
//! - What a path of `lockkeeper.yaml` names, or a comment on the line of the value: `# lockkeeper: pin`, or Flux's
//!   `# {"$imagepolicy": "namespace:name"}` with `:name`, `:tag` or `:digest` on fields that belong together.
//!
//! How a pin changes:
//!
//! - A reference becomes `repository:tag@digest`, the repository as it was written.
//! - In split forms each field that is there changes; `tag: 1.4.1@sha256:…` in one field does so in one. A field `tag` or
//!   `newTag` that is not there is never added: a pin by digest alone stays one. A digest that is not there is added
//!   by a line after kustomize's `newTag` (or else `newName`, or `name`), and asked for elsewhere.
//! - A string without a tag is left alone where a `tag`, `digest` or `version` stands beside it: a chart puts both together.
//! - A tag that some reader takes for a number is quoted where it stands alone.

mod document;
mod tree;
mod build;
mod path;
mod site;
mod walk;
mod texts;
mod split;
mod kustomize;
mod helm;
mod mark;
mod edit;
mod entangle;
mod prove;

use std::ops::Range;

use serde::Serialize;

use crate::image::{Digest, Pinned, Repository, Tag};

use document::{Document, NameSearch};
use site::Broken;
use tree::Tree;
use walk::Nesting;

pub use texts::{Text, TextStyle, texts};

/// The form in which an image reference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One string `repository:tag@digest` in the pod spec of a known workload kind, or any `containers[].image`.
    Container,
    /// An entry of a kustomization's `images:`.
    Kustomize,
    /// One string under `image:` of Helm values (or of another file without a kind).
    ValuesString,
    /// A map `image: { registry, repository, tag, digest }` of Helm values.
    ValuesSplit,
    /// A value or parameter in an Argo CD Application or Flux `HelmRelease`.
    HelmParameter,
    /// `services.*.image` of docker compose.
    Compose,
    /// A field named by a path in `lockkeeper.yaml`, or by a marker comment on its line.
    Marked,
}

/// What stands beside a reference and says more of its tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Beside {
    /// Nothing: without tag and digest it means `latest`, where the form says what is pulled.
    #[default]
    Nothing,
    /// A field that seems to hold the tag (`imageTag`, `version`), and what it says; a chart puts both together.
    Tag(Option<Tag>),
    /// How the image is built (`build` of compose): the reference is the name that it gets.
    Build,
}

/// One image reference found in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// The line of the value that is (or would be) pinned, from 1.
    pub line: usize,
    /// The document in the file, from 0.
    pub document: usize,
    /// The place in the document: `spec.template.spec.containers[0].image`; keys with dots are quoted.
    pub path: String,
    /// How it is written.
    pub form: Form,
    /// The repository, as written (of a split form: `registry/repository`; of kustomize: `newName`, or `name`).
    pub repository: Repository,
    /// The tag.
    pub tag: Option<Tag>,
    /// The digest; a pin without one is not pinned yet.
    pub digest: Option<Digest>,
    /// Where the value (or for split forms the map) stands: bytes of the file.
    #[serde(skip)]
    pub span: Range<usize>,
    /// What stands beside it.
    #[serde(skip)]
    pub beside: Beside,
}

/// A place that holds something like an image reference and cannot be read as one; why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The place in the document.
    pub path: String,
    /// Why, as a fragment.
    pub reason: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Found {
    /// All references, in the order of the file.
    pub pins: Vec<Pin>,
    /// All places that look like one and are not readable.
    pub unreadable: Vec<Unreadable>,
}

/// The file cannot be read as YAML at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// Why, as a fragment.
    pub reason: String,
}

/// Why a pin is not changed. The file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Refusal {
    /// The line, from 1.
    pub line: usize,
    /// Why and what to do, as a fragment; "entangled: …" where one change would move something else as well.
    pub reason: String,
}

/// Finds every image reference in a file. `marked` are paths named in `lockkeeper.yaml`.
///
/// A document in which no reference can stand, by its bytes, is not parsed.
///
/// # Errors
/// [`ReadError`] if the bytes are no YAML (a Helm template, say) or exceed the bounds.
pub fn find(bytes: &[u8], marked: &[&str]) -> Result<Found, ReadError> {
    find_in(bytes, marked, Nesting::File)
}

fn find_in(bytes: &[u8], marked: &[&str], nesting: Nesting) -> Result<Found, ReadError> {
    let mut found = Found::default();
    for document in document::documents(document::text_of(bytes)?) {
        if !walk::may_hold_pins(document.text, marked) {
            continue;
        }
        let findings = walk::recognise(&Tree::parse(&document)?, marked, nesting)?;
        found.pins.extend(findings.sites.into_iter().map(|site| site.pin));
        found.unreadable.extend(findings.broken.into_iter().map(|broken| broken.unreadable));
        if found.pins.len() + found.unreadable.len() > PINS_MAX {
            return Err(walk::too_many_pins(document.line));
        }
    }
    Ok(found)
}

/// The pins of one repository, however it is spelled; never of one that only looks like it.
pub fn pins_of<'a>(found: &'a Found, repository: &Repository) -> impl Iterator<Item = &'a Pin> {
    let repository = repository.clone();
    found.pins.iter().filter(move |pin| pin.repository.is_same(&repository))
}

/// Changes every pin of `repository` (at `only`, where given) to `to` and proves the result.
///
/// `only` is a path as [`Pin::path`] spells it, in any document; it counts as marked, so it may name a field that
/// [`find`] does not know by itself. Returns the new bytes, equal to the old where everything is pinned so already.
///
/// # Errors
/// [`Refusal`] if there is no such pin, or it cannot be changed exactly. Then nothing is changed.
pub fn repin(
    bytes: &[u8],
    repository: &Repository,
    to: &Pinned,
    only: Option<&str>,
) -> Result<Vec<u8>, Refusal> {
    repin_any(bytes, repository, to, only)?.ok_or_else(|| {
        let place = only.map(|path| format!(" at `{path}`")).unwrap_or_default();
        Refusal { line: 1, reason: format!("there is no pin of `{repository}`{place}") }
    })
}

/// Does what [`repin`] does; none where the file has no such pin.
///
/// A document is parsed only where [`find`] parses it, too, so what `find` can read is refused for its pins alone.
///
/// # Errors
/// [`Refusal`] if a pin cannot be changed exactly. Then nothing is changed.
pub fn repin_any(
    bytes: &[u8],
    repository: &Repository,
    to: &Pinned,
    only: Option<&str>,
) -> Result<Option<Vec<u8>>, Refusal> {
    repin_target(bytes, &Target { repository, to, only, document: None })
}

/// Does what [`repin`] does to the place `only` of one document, counted from 0; the same place of others stays.
///
/// # Errors
/// [`Refusal`] if there is no such pin, or it cannot be changed exactly. Then nothing is changed.
pub fn repin_at(
    bytes: &[u8],
    repository: &Repository,
    to: &Pinned,
    (document, only): (usize, &str),
) -> Result<Vec<u8>, Refusal> {
    let target = Target { repository, to, only: Some(only), document: Some(document) };
    repin_target(bytes, &target)?.ok_or_else(|| {
        let reason = format!("there is no pin of `{repository}` at `{only}` of document {document}");
        Refusal { line: 1, reason }
    })
}

fn repin_target(bytes: &[u8], target: &Target<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    let text = document::text_of(bytes)?;
    let name = NameSearch::of(target.repository);
    let (mut edits, mut pins) = (Vec::new(), 0);
    for document in document::documents(text) {
        let is_other = target.document.is_some_and(|wanted| wanted != document.index);
        if is_other
            || !name.may_be_in(document.text)
            || !walk::may_hold_pins(document.text, target.only.as_slice())
        {
            continue;
        }
        let (edited, pins_here) = repin_document(&document, target)?;
        pins += pins_here;
        if pins > PINS_MAX {
            return Err(walk::too_many_pins(document.line).into());
        }
        edits.extend(edited.map(|edited| (document.start..document.start + document.text.len(), edited)));
    }
    Ok((pins > 0).then(|| with_edits(bytes, &edits)))
}

/// Most references of one file, readable or not: a bundle of 5 MB has some thousands, and each takes some 500 bytes. To
/// prove n changes in one list takes n²/2 short steps, for 20,000 of them some tenths of a second.
const PINS_MAX: usize = 20_000;

/// The file with these documents in place of those that stand there.
fn with_edits(bytes: &[u8], edits: &[(Range<usize>, String)]) -> Vec<u8> {
    let added: usize = edits.iter().map(|(_, edited)| edited.len()).sum();
    let mut after = Vec::with_capacity(bytes.len() + added);
    let mut end = 0;
    for (at, edited) in edits {
        after.extend_from_slice(&bytes[end..at.start]);
        after.extend_from_slice(edited.as_bytes());
        end = at.end;
    }
    after.extend_from_slice(&bytes[end..]);
    after
}

/// What is to be changed to what.
struct Target<'t> {
    repository: &'t Repository,
    to: &'t Pinned,
    only: Option<&'t str>,
    /// The only document that is looked at.
    document: Option<usize>,
}

impl Target<'_> {
    fn is_meant(&self, path: &str, repository: Option<&Repository>) -> bool {
        self.only.is_none_or(|only| only == path)
            && repository.is_some_and(|found| found.is_same(self.repository))
    }
}

/// The new text of one document where it changes, and how many pins are meant in it.
fn repin_document(document: &Document<'_>, target: &Target<'_>) -> Result<(Option<String>, usize), Refusal> {
    let tree = Tree::parse(document)?;
    let findings = walk::recognise(&tree, target.only.as_slice(), Nesting::File)?;
    let is_half = |broken: &&Broken| target.is_meant(&broken.unreadable.path, broken.repository.as_ref());
    if let Some(Broken { unreadable: Unreadable { line, path, reason }, .. }) =
        findings.broken.iter().find(is_half)
    {
        return Err(Refusal { line: *line, reason: format!("`{path}`: {reason}") });
    }
    let sites =
        findings.sites.iter().filter(|site| target.is_meant(&site.pin.path, Some(&site.pin.repository)));
    let (mut changes, mut pins) = (Vec::new(), 0);
    for site in sites {
        pins += 1;
        changes.extend(edit::changes(&tree, site, target.to)?);
    }
    if changes.is_empty() {
        return Ok((None, pins));
    }
    entangle::check(&tree, &changes)?;
    let edited = edit::splice(&tree, &mut changes)?;
    prove::prove(&tree, &edited, &changes)?;
    Ok((Some(edited), pins))
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self { line: error.line, reason: error.reason }
    }
}

#[cfg(test)]
mod tests;
