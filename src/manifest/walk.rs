//! Recognition: goes through a document and collects its sites.

use crate::image::Reference;

use super::document::may_hold;
use super::path::Path;
use super::site::{Extend, Field, Findings, Place};
use super::tree::{DEPTH_MAX, Entry, Id, Tree};
use super::{Beside, Form, PINS_MAX, ReadError, helm, kustomize, mark, split};

/// Most nodes looked at in a document: each once is 1,000,000, and as many again through aliases. More is a bomb.
pub(super) const VISITS_MAX: usize = 2_000_000;

/// Kinds in which no reference is a pin: text for others, schemas, and repositories to watch.
const KINDS_WITHOUT_PINS: [&str; 8] = [
    "ConfigMap",
    "Secret",
    "CustomResourceDefinition",
    "ImageRepository",
    "ImagePolicy",
    "ImageUpdateAutomation",
    "Warehouse",
    "ImageStream",
];
/// Keys below which text stands that nobody pulls, beside labels and annotations: environments, arguments, config maps; and
/// images of disks.
const KEYS_WITHOUT_PINS: [&str; 8] =
    ["env", "environment", "extraEnv", "envVars", "args", "configMap", "configMaps", "rbd"];
/// Keys of the source of an Argo CD Application, where they make a file of their own: `.argocd-source-<name>.yaml`.
const SOURCE_KEYS: [&str; 4] = ["helm", "kustomize", "directory", "plugin"];
/// Keys of lists of containers in a pod spec.
const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// What names a string or a map that is found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    pub(super) strings: Form,
    pub(super) maps: Form,
    is_application: bool,
}

impl Scope {
    /// A place named by a person.
    pub(super) const MARKED: Self = Self { strings: Form::Marked, maps: Form::Marked, is_application: false };
}

const VALUES: Scope = Scope { strings: Form::ValuesString, maps: Form::ValuesSplit, is_application: false };
const OBJECT: Scope = Scope { strings: Form::Container, maps: Form::ValuesSplit, is_application: false };
const COMPOSE: Scope = Scope { strings: Form::Compose, ..VALUES };
const RELEASE: Scope =
    Scope { strings: Form::HelmParameter, maps: Form::HelmParameter, is_application: false };
const APPLICATION: Scope = Scope { is_application: true, ..OBJECT };

/// A walk through one document.
pub(super) struct Walk<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    pub(super) found: Findings,
    pub(super) nesting: Nesting,
    visits: usize,
}

/// Whether the document is a file's, or text within one; what stands in that is not looked into again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nesting {
    File,
    Text,
}

/// Whether a document can hold a place that [`recognise`] knows: each has one of these words.
pub(super) fn may_hold_pins(text: &str, marked: &[&str]) -> bool {
    may_hold(text, &["mage", "repository", "newTag", mark::FLUX, mark::OURS])
        || marked.iter().any(|path| mark::may_hold_path(text, path))
}

/// All sites of a document.
pub(super) fn recognise(tree: &Tree<'_>, marked: &[&str], nesting: Nesting) -> Result<Findings, ReadError> {
    let mut walk = Walk { tree, found: Findings::default(), nesting, visits: 0 };
    if let Some(root) = tree.root() {
        walk.object(root, &Path::Root)?;
        mark::comments(&mut walk, root)?;
        // Last, for a path may name a pin of several fields by one of them.
        mark::paths(&mut walk, root, marked);
    }
    if tree.is_merged_in_part() {
        return Err(ReadError {
            line: tree.document.line,
            reason: "merges (`<<`) make too many entries".to_owned(),
        });
    }
    let mut found = walk.found;
    found.sites.sort_by_key(|site| site.pin.span.start);
    found.broken.sort_by_key(|broken| broken.unreadable.line);
    Ok(found)
}

impl<'t> Walk<'t, '_> {
    /// A whole document, or an item of a list of objects.
    fn object(&mut self, id: Id, path: &Path<'_>) -> Result<(), ReadError> {
        let text =
            |key: &str| self.tree.get(id, key).and_then(|value| self.tree.text(value)).unwrap_or_default();
        let (kind, version) = (text("kind"), text("apiVersion"));
        if KINDS_WITHOUT_PINS.contains(&kind) || version.starts_with("skaffold/") {
            return Ok(());
        }
        if kind.ends_with("List")
            && let Some(items) = self.tree.get(id, "items")
        {
            let path = path.key("items");
            for (index, item) in self.tree.items(items).enumerate() {
                self.visit(item, &path)?;
                self.object(self.tree.resolve(item), &path.index(index))?;
            }
            return Ok(());
        }
        let is_object = !kind.is_empty() && !version.is_empty();
        let scope = match kind {
            "Application" | "ApplicationSet" if is_object => APPLICATION,
            _ if is_object => OBJECT,
            _ if self.is_compose(id) => COMPOSE,
            _ if self.is_source(id) => APPLICATION,
            _ => VALUES,
        };
        let skip: &[&str] = if is_object { &["metadata", "status"] } else { &[] };
        let is_release = is_object && kind == "HelmRelease";
        self.node(id, path, "", Around { scope, skip, is_release, is_kustomization: is_kustomization(kind) })
    }

    /// Whether the root looks like docker compose: services that name an image or how to build one.
    fn is_compose(&self, id: Id) -> bool {
        let Some(services) = self.tree.get(id, "services") else { return false };
        self.tree.entries(services).iter().any(|service| {
            self.tree.get(service.value, "image").is_some() || self.tree.get(service.value, "build").is_some()
        })
    }

    /// Whether the root looks like the source of an Application: nothing but its keys, and overrides of images below one.
    fn is_source(&self, id: Id) -> bool {
        let list = |source: Id, key: &str| {
            self.tree.get(source, key).is_some_and(|list| self.tree.items(list).next().is_some())
        };
        let entries = self.tree.entries(id);
        entries.iter().all(|entry| SOURCE_KEYS.contains(&entry.key))
            && entries.iter().any(|entry| match entry.key {
                "helm" => list(entry.value, "parameters"),
                "kustomize" => list(entry.value, "images"),
                _ => false,
            })
    }

    /// Counts a visit and stops where a document is too deep or, through aliases, too wide.
    pub(super) fn visit(&mut self, id: Id, path: &Path<'_>) -> Result<(), ReadError> {
        self.visits += 1;
        let line = self.tree.node(id).line;
        if self.visits > VISITS_MAX {
            return Err(ReadError { line, reason: format!("aliases make more than {VISITS_MAX} nodes") });
        }
        if self.found.sites.len() + self.found.broken.len() > PINS_MAX {
            return Err(too_many_pins(line));
        }
        if self.tree.has_aliases && path.depth() > DEPTH_MAX {
            return Err(ReadError { line, reason: format!("aliases nest deeper than {DEPTH_MAX}") });
        }
        Ok(())
    }

    /// The entries of a mapping, counted as visits: through aliases, one may be gone through many times.
    pub(super) fn entries(&mut self, id: Id) -> Result<Vec<Entry<'t>>, ReadError> {
        let entries = self.tree.entries(id);
        self.visits += entries.len();
        self.visit(id, &Path::Root)?;
        Ok(entries)
    }

    /// Any node; `key` is that of the entry it stands in, or of the list it is an item of.
    fn node(&mut self, id: Id, path: &Path<'_>, key: &str, around: Around<'_>) -> Result<(), ReadError> {
        self.visit(id, path)?;
        let id = self.tree.resolve(id);
        if self.tree.is_mapping(id) {
            return self.mapping(id, path, key, around);
        }
        for (index, item) in self.tree.items(id).enumerate() {
            self.node(item, &path.index(index), key, around)?;
        }
        Ok(())
    }

    fn mapping(&mut self, id: Id, path: &Path<'_>, key: &str, around: Around<'_>) -> Result<(), ReadError> {
        let entries = self.entries(id)?;
        if self.is_object_without_pins(&entries) {
            return Ok(());
        }
        let taken = split::mapping(self, id, &entries, path, key, around.scope);
        for entry in &entries {
            if Some(entry.key) == taken || is_key_without_pins(entry.key) || around.skip.contains(&entry.key)
            {
                continue;
            }
            let below = path.key(entry.key);
            if self.special(entry, &below, key, around)? {
                continue;
            }
            if (is_image_key(entry.key) || is_image_name_key(entry.key)) && self.tree.is_scalar(entry.value) {
                self.string(entry, &entries, &below, key, around.scope);
                continue;
            }
            let scope = if around.is_release && path.depth() == 1 && entry.key == "values" {
                RELEASE
            } else {
                around.scope
            };
            self.node(entry.value, &below, entry.key, Around { scope, skip: &[], ..around })?;
        }
        Ok(())
    }

    /// Whether an object within another one is of a kind without pins: a config map in a template, say.
    fn is_object_without_pins(&self, entries: &[Entry<'t>]) -> bool {
        let text = |key: &str| {
            entries.iter().find(|entry| entry.key == key).and_then(|entry| self.tree.text(entry.value))
        };
        text("kind").is_some_and(|kind| KINDS_WITHOUT_PINS.contains(&kind)) && text("apiVersion").is_some()
    }

    /// Places with a shape of their own: true where the entry is done with.
    fn special(
        &mut self,
        entry: &Entry<'t>,
        path: &Path<'_>,
        list: &str,
        around: Around<'_>,
    ) -> Result<bool, ReadError> {
        match entry.key {
            "images" => {
                let is_root = path.depth() == 1 && around.is_kustomization;
                kustomize::images(self, entry.value, path, is_root)
            }
            "image" if list == "volumes" => Ok(self.image_volume(entry, path)),
            "valuesContent" => {
                helm::text(self, entry.value, path);
                Ok(true)
            }
            "helm" if around.scope.is_application => {
                helm::source(self, entry.value, path);
                let values = self.tree.get(entry.value, "valuesObject");
                if let Some(values) = values {
                    let below = path.key("valuesObject");
                    self.node(values, &below, "", Around { scope: RELEASE, ..Around::nothing() })?;
                }
                Ok(true)
            }
            "kustomize" if around.scope.is_application => {
                kustomize::overrides(self, entry.value, path);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// `volumes[].image.reference` of a pod spec.
    fn image_volume(&mut self, entry: &Entry<'t>, path: &Path<'_>) -> bool {
        let reference = self.tree.entries(entry.value).into_iter().find(|entry| entry.key == "reference");
        let Some(reference) = reference else { return false };
        let path = path.key("reference").to_string();
        let value = Field {
            node: self.tree.resolve(reference.value),
            path: path.clone(),
            key: Some(reference.key_id),
        };
        self.found.whole(self.tree, value, "", Place { path, form: Form::Container }, Extend::Yes);
        true
    }

    /// A string under `image`, or under `fooImage` where it has a shape that only references have.
    fn string(&mut self, entry: &Entry<'t>, beside: &[Entry<'t>], path: &Path<'_>, list: &str, scope: Scope) {
        let node = self.tree.resolve(entry.value);
        let text = self.tree.node(node).text().or(self.tree.node(node).text_of_own_tag()).unwrap_or_default();
        let has_shape = text.contains(['/', ':', '@']) && text.parse::<Reference>().is_ok();
        if text.is_empty() || (entry.key != "image" && !has_shape) {
            return;
        }
        if is_image_name_key(entry.key) && !split::is_whole(text) {
            return;
        }
        let form = if CONTAINER_LISTS.contains(&list) { Form::Container } else { scope.strings };
        let tag = beside.iter().find(|other| other.key != entry.key && is_tag_key(other.key));
        let is_built = form == Form::Compose && beside.iter().any(|other| other.key == "build");
        let extend = match tag {
            Some(other) if form != Form::Container && form != Form::Compose => {
                Extend::TagElsewhere(other.key.to_owned())
            }
            _ => Extend::Yes,
        };
        let path = path.to_string();
        let value = Field { node, path: path.clone(), key: Some(entry.key_id) };
        let tag = tag.map(|tag| self.tree.text(tag.value).and_then(|text| text.parse().ok()));
        let Some(pin) = self.found.whole(self.tree, value, "", Place { path, form }, extend) else { return };
        pin.beside = match (is_built, tag) {
            (true, _) => Beside::Build,
            (false, Some(tag)) => Beside::Tag(tag),
            (false, None) => Beside::Nothing,
        };
    }
}

/// What the nodes around a node say about it.
#[derive(Debug, Clone, Copy)]
struct Around<'k> {
    scope: Scope,
    /// Keys of this mapping that are passed over.
    skip: &'k [&'k str],
    is_release: bool,
    is_kustomization: bool,
}

impl Around<'_> {
    fn nothing() -> Self {
        Around { scope: VALUES, skip: &[], is_release: false, is_kustomization: false }
    }
}

pub(super) fn too_many_pins(line: usize) -> ReadError {
    ReadError { line, reason: format!("file has more than {PINS_MAX} references") }
}

fn is_kustomization(kind: &str) -> bool {
    matches!(kind, "Kustomization" | "Component")
}

/// `image`, `sidecarImage`, `sidecar_image`, `sidecar-image`.
pub(super) fn is_image_key(key: &str) -> bool {
    key == "image" || ["Image", "_image", "-image"].iter().any(|end| key.ends_with(end))
}

/// `imageName`, where a custom resource writes the whole reference.
fn is_image_name_key(key: &str) -> bool {
    key == "imageName"
}

/// `tag`, `imageTag`, `image_digest`, `version`, `appVersion` and the like.
pub(super) fn is_tag_key(key: &str) -> bool {
    ["tag", "Tag", "digest", "Digest", "version", "Version"].iter().any(|end| key.ends_with(end))
}

/// `env`, `labels`, `podLabels`, `commonAnnotations`.
fn is_key_without_pins(key: &str) -> bool {
    KEYS_WITHOUT_PINS.contains(&key) || ["abels", "nnotations"].iter().any(|end| key.ends_with(end))
}
