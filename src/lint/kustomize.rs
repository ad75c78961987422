//! Which references a kustomization replaces: a base may name an image without a tag where every overlay gives one.

use std::collections::{BTreeMap, BTreeSet};

use crate::manifest::{self, ReadError};

/// What a kustomization says of images and of the files it takes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kustomization {
    /// Files and folders, as written.
    resources: Vec<String>,
    /// Folders of components, as written.
    components: Vec<String>,
    /// Names of images, and what they get.
    images: BTreeMap<String, Given>,
}

/// What an entry, or several together, do to a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Given {
    gives: Gives,
    /// Whether it becomes another repository.
    is_renamed: bool,
}

/// What a reference gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Gives {
    #[default]
    Nothing,
    Tag,
    Digest,
}

/// All kustomizations of a checkout.
#[derive(Debug, Default)]
pub(super) struct Overlays<'k> {
    /// The folders of the kustomizations that take in this file, or the kustomization of this folder.
    taken_by: BTreeMap<String, Vec<&'k str>>,
    /// By the name of an image: what the kustomizations of folders, their components with them, do to it.
    own: BTreeMap<&'k str, BTreeMap<&'k str, Given>>,
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
    let mut entries: BTreeMap<String, (String, String, Gives)> = BTreeMap::new();
    for text in manifest::texts(bytes)? {
        let keys: Vec<&str> = text.keys.iter().map(String::as_str).collect();
        match keys.as_slice() {
            ["resources" | "bases", "[]"] => kustomization.resources.push(text.text),
            ["components", "[]"] => kustomization.components.push(text.text),
            ["images", "[]", key @ ("name" | "newName" | "newTag" | "digest")] => {
                let entry = text.path.rsplit_once('.').map_or("", |(entry, _)| entry).to_owned();
                let (name, new_name, gives) = entries.entry(entry).or_default();
                match *key {
                    "name" => *name = text.text,
                    "newName" => *new_name = text.text,
                    "digest" if !text.text.is_empty() => *gives = Gives::Digest,
                    "newTag" if !text.text.is_empty() => *gives = (*gives).max(Gives::Tag),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let given = |(name, new_name, gives): (String, String, Gives)| {
        let is_renamed = !new_name.is_empty() && new_name != name;
        (name, Given { gives, is_renamed })
    };
    kustomization.images = entries.into_values().map(given).collect();
    Ok(kustomization)
}

impl<'k> Overlays<'k> {
    pub(super) fn of(kustomizations: impl Iterator<Item = (&'k str, &'k Kustomization)>) -> Self {
        let (mut overlays, mut component_of) = (Self::default(), BTreeMap::<String, Vec<&str>>::new());
        let mut entries = Vec::new();
        for (path, kustomization) in kustomizations {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for component in kustomization.components.iter().filter_map(|path| joined(folder, path)) {
                component_of.entry(component).or_default().push(folder);
            }
            for resource in kustomization.resources.iter().chain(&kustomization.components) {
                if let Some(target) = joined(folder, resource) {
                    overlays.taken_by.entry(target).or_default().push(folder);
                }
            }
            entries.extend(kustomization.images.iter().map(|(name, given)| (folder, name, *given)));
        }
        for (folder, name, given) in entries {
            spread(overlays.own.entry(name).or_default(), &component_of, folder, given);
        }
        overlays
    }

    /// What every way by which this file is applied gives to a reference of this name. A way ends with the first
    /// kustomization that gives something; one that comes back to itself can be applied by nobody.
    pub(super) fn gives(&self, file: &str, name: &str) -> Gives {
        let Some(own) = self.own.get(name) else { return Gives::Nothing };
        let (mut seen, mut open, mut least) = (BTreeSet::from([file]), vec![file], None);
        while let Some(target) = open.pop() {
            let Some(folders) = self.taken_by.get(target) else { return Gives::Nothing };
            for folder in folders {
                match own.get(folder).map_or(Gives::Nothing, |given| given.gives) {
                    Gives::Nothing if seen.insert(folder) => open.push(folder),
                    Gives::Nothing => {}
                    gives @ (Gives::Tag | Gives::Digest) => {
                        least = Some(least.map_or(gives, |least: Gives| least.min(gives)));
                    }
                }
            }
        }
        least.unwrap_or(Gives::Nothing)
    }

    /// Whether some way by which this file is applied makes another repository of a reference of this name.
    pub(super) fn renames(&self, file: &str, name: &str) -> bool {
        let Some(own) = self.own.get(name).filter(|own| own.values().any(|given| given.is_renamed)) else {
            return false;
        };
        let (mut seen, mut open) = (BTreeSet::from([file]), vec![file]);
        while let Some(target) = open.pop() {
            for folder in self.taken_by.get(target).into_iter().flatten() {
                if own.get(folder).is_some_and(|given| given.is_renamed) {
                    return true;
                }
                if seen.insert(folder) {
                    open.push(folder);
                }
            }
        }
        false
    }
}

/// Adds what a folder does to all that have it as a component, through others too. What is known only grows, so that
/// components in a circle end it.
fn spread<'k>(
    own: &mut BTreeMap<&'k str, Given>,
    component_of: &BTreeMap<String, Vec<&'k str>>,
    folder: &'k str,
    given: Given,
) {
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        let known = own.get(folder).copied().unwrap_or_default();
        let (gives, is_renamed) = (known.gives.max(given.gives), known.is_renamed || given.is_renamed);
        let all = Given { gives, is_renamed };
        if all != known {
            own.insert(folder, all);
            open.extend(component_of.get(folder).into_iter().flatten());
        }
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

    /// What the base `b/x.yaml` gets by these kustomizations.
    #[track_caller]
    fn check(all: &[(String, String)], gives: Gives, renames: bool) {
        let read: Vec<(String, Kustomization)> =
            all.iter().map(|(path, text)| (path.clone(), read(text.as_bytes()).unwrap())).collect();
        let overlays = Overlays::of(read.iter().map(|(path, kustomization)| (path.as_str(), kustomization)));
        assert_eq!(overlays.gives("b/x.yaml", "web"), gives, "{all:?}");
        assert_eq!(overlays.renames("b/x.yaml", "web"), renames, "{all:?}");
    }

    fn file(folder: &str, text: &str) -> (String, String) {
        (format!("{folder}/kustomization.yaml"), text.to_owned())
    }

    #[test]
    fn components_in_a_circle_end() {
        let own = "components: [../b, ../b, ../c]\nresources: [x.yaml]\n";
        let other = "components: [../b, ../c, ../c]\n";
        check(&[file("b", own), file("c", other)], Gives::Nothing, false);
        let pins = format!("{other}images: [{{name: web, newTag: '1'}}]\n");
        check(&[file("b", own), file("c", &pins)], Gives::Tag, false);
    }

    #[test]
    fn many_overlays_and_those_that_meet_again_count_each() {
        let base = file("b", "resources: [x.yaml]\n");
        let mut all = vec![base.clone()];
        all.extend((0..60).map(|index| file(&format!("o{index}"), "resources: [../b]\n")));
        let folders: Vec<String> = (0..60).map(|index| format!("../o{index}")).collect();
        let root = format!("images: [{{name: web, newTag: '1'}}]\nresources: [{}]\n", folders.join(", "));
        all.push(file("root", &root));
        check(&all, Gives::Tag, false);
        let tail = "images: [{name: web, newTag: '1'}]\nresources: [../l, ../r]\n";
        let sides = [file("l", "resources: [../m]\n"), file("r", "resources: [../m]\n")];
        let both = [base, file("m", "resources: [../b]\n"), file("top", tail)];
        check(&[&sides[..], &both[..]].concat(), Gives::Tag, false);
    }

    #[test]
    fn a_new_name_is_seen_through_what_gives_a_tag() {
        let base = file("b", "resources: [x.yaml]\n");
        let tag = file("t", "resources: [../b]\nimages: [{name: web, newTag: '1'}]\n");
        let name =
            |new: &str| file("n", &format!("resources: [../t]\nimages: [{{name: web, newName: {new}}}]\n"));
        check(&[base.clone(), tag.clone(), name("r/web")], Gives::Tag, true);
        check(&[base, tag, name("web")], Gives::Tag, false);
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
