//! Which references a kustomization replaces: a base may name an image without a tag where every overlay gives one.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::{self, ReadError};

/// Longest chain of kustomizations that is followed; real ones have three or four.
const CHAIN_MAX: usize = 32;

/// What a kustomization says of images and of the files it takes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kustomization {
    /// Files and folders, as written.
    resources: Vec<String>,
    /// Folders of components, as written.
    components: Vec<String>,
    /// Names of images, and what they get.
    images: BTreeMap<String, Gives>,
}

/// What a reference gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gives {
    Nothing,
    Tag,
    Digest,
}

/// All kustomizations of a checkout, by their folders.
#[derive(Debug, Default)]
pub(super) struct Overlays<'k> {
    of_folder: BTreeMap<String, &'k Kustomization>,
    /// The folders of the kustomizations that take in this file, or the kustomization of this folder.
    taken_by: BTreeMap<String, Vec<String>>,
}

/// Whether a file is a kustomization, by its name.
pub(super) fn is_kustomization(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// Reads a kustomization.
///
/// # Errors
/// [`ReadError`] if it is no YAML.
pub(super) fn read(bytes: &[u8]) -> Result<Kustomization, ReadError> {
    let mut kustomization = Kustomization::default();
    let mut entries: BTreeMap<String, (String, Gives)> = BTreeMap::new();
    for text in manifest::texts(bytes)? {
        let keys: Vec<&str> = text.keys.iter().map(String::as_str).collect();
        match keys.as_slice() {
            ["resources" | "bases", "[]"] => kustomization.resources.push(text.text),
            ["components", "[]"] => kustomization.components.push(text.text),
            ["images", "[]", key @ ("name" | "newTag" | "digest")] => {
                let entry = text.path.rsplit_once('.').map_or("", |(entry, _)| entry).to_owned();
                let (name, gives) = entries.entry(entry).or_insert_with(|| (String::new(), Gives::Nothing));
                match *key {
                    "name" => *name = text.text,
                    "digest" if !text.text.is_empty() => *gives = Gives::Digest,
                    "newTag" if !text.text.is_empty() => *gives = (*gives).max(Gives::Tag),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    kustomization.images = entries.into_values().collect();
    Ok(kustomization)
}

impl<'k> Overlays<'k> {
    pub(super) fn of(kustomizations: impl Iterator<Item = (&'k str, &'k Kustomization)>) -> Self {
        let mut overlays = Self::default();
        for (path, kustomization) in kustomizations {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            overlays.of_folder.insert(folder.to_owned(), kustomization);
            for resource in kustomization.resources.iter().chain(&kustomization.components) {
                if let Some(target) = joined(folder, resource) {
                    overlays.taken_by.entry(target).or_default().push(folder.to_owned());
                }
            }
        }
        overlays
    }

    /// What every way by which this file is applied gives to a reference of this name.
    pub(super) fn gives(&self, file: &str, name: &str) -> Gives {
        self.chain(file, name, &mut BTreeSet::new())
    }

    fn chain(&self, target: &str, name: &str, seen: &mut BTreeSet<String>) -> Gives {
        let Some(folders) = self.taken_by.get(target) else { return Gives::Nothing };
        if seen.len() >= CHAIN_MAX || !seen.insert(target.to_owned()) {
            return Gives::Nothing;
        }
        let each = folders.iter().map(|folder| match self.own(folder, name, 0) {
            Gives::Nothing => self.chain(folder, name, seen),
            gives @ (Gives::Tag | Gives::Digest) => gives,
        });
        each.min().unwrap_or(Gives::Nothing)
    }

    /// What the kustomization of a folder, or one of its components, gives.
    fn own(&self, folder: &str, name: &str, depth: usize) -> Gives {
        let Some(kustomization) = self.of_folder.get(folder).filter(|_| depth < CHAIN_MAX) else {
            return Gives::Nothing;
        };
        let components = kustomization.components.iter().filter_map(|component| joined(folder, component));
        let of_components = components.map(|component| self.own(&component, name, depth + 1));
        let own = kustomization.images.get(name).copied();
        of_components.chain(own).max().unwrap_or(Gives::Nothing)
    }
}

/// A path below a folder with its `.` and `..` gone; none where it leaves the checkout or is none of its paths.
fn joined(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_covered_where_every_overlay_covers_it() {
        let kustomization = |text: &str| read(text.as_bytes()).unwrap();
        let base = kustomization("resources: [web.yaml]\n");
        let dev = kustomization("resources: [../base]\nimages: [{name: web, newTag: '1'}]\n");
        let prod = kustomization("resources: [../base]\nimages: [{name: web, newTag: '1', digest: x}]\n");
        let bare = kustomization("bases: [../base/]\nimages: [{name: web, newName: r/web}]\n");
        let component = kustomization("images: [{name: web, digest: x}]\n");
        let by_component = kustomization("resources: [../base]\ncomponents: [../pins]\n");
        let cycle = kustomization("resources: [../base, ../cycle]\n");
        let check = |overlays: &[(&str, &Kustomization)], want: Gives| {
            let all = overlays.iter().copied().chain([("base/kustomization.yaml", &base)]);
            assert_eq!(Overlays::of(all).gives("base/web.yaml", "web"), want, "{overlays:?}");
        };
        check(&[], Gives::Nothing);
        check(&[("dev/kustomization.yaml", &dev)], Gives::Tag);
        check(&[("prod/kustomization.yml", &prod)], Gives::Digest);
        check(&[("dev/kustomization.yaml", &dev), ("prod/Kustomization", &prod)], Gives::Tag);
        check(&[("dev/kustomization.yaml", &dev), ("bare/kustomization.yaml", &bare)], Gives::Nothing);
        check(
            &[("pins/kustomization.yaml", &component), ("x/kustomization.yaml", &by_component)],
            Gives::Digest,
        );
        check(&[("cycle/kustomization.yaml", &cycle)], Gives::Nothing);
    }

    #[test]
    fn paths_are_joined() {
        for (folder, path, want) in [
            ("a/b", "../c", Some("a/c")),
            ("", "./x.yaml", Some("x.yaml")),
            ("a", "../..", None),
            ("a", "https://git.example.com/x", None),
            ("a", "/etc", None),
        ] {
            assert_eq!(joined(folder, path).as_deref(), want, "{folder} {path}");
        }
    }
}
