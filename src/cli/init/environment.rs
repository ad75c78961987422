//! Which environment a file belongs to, by the words in its path.

use std::collections::{BTreeMap, BTreeSet};

/// A step on the usual way to production, and the words that mean it, in order.
const FAMILIES: [(&str, &[&str]); 9] = [
    ("dev", &["dev", "develop", "development"]),
    ("test", &["test", "testing", "tst"]),
    ("integration", &["integration", "int", "ci"]),
    ("qa", &["qa"]),
    ("staging", &["staging", "stage", "stg"]),
    ("uat", &["uat", "acceptance", "acc"]),
    ("preprod", &["preprod", "preproduction"]),
    ("canary", &["canary"]),
    ("prod", &["prod", "production", "prd", "live"]),
];
/// Words that mean other things as well; they count only where a folder of environments or a values file says so.
const AMBIGUOUS: [&str; 7] = ["test", "testing", "tst", "int", "ci", "acc", "live"];
/// Folders whose folders are environments.
const CONTAINERS: [&str; 9] =
    ["overlays", "overlay", "environments", "environment", "envs", "env", "clusters", "stages", "regions"];
/// Longest name of a stage.
const NAME_BYTES_MAX: usize = 63;

/// An environment: `prod-eu` is of the family `prod`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Environment {
    /// The place of its family on the way to production.
    pub(super) rank: usize,
    /// Its name, as a stage can have it.
    pub(super) name: String,
}

/// The environments of a repository, by the folder that tells them apart.
#[derive(Default)]
pub(super) struct Environments {
    /// By folder: the names of what is in it.
    entries: BTreeMap<String, BTreeSet<String>>,
    /// By file.
    files: BTreeMap<String, Environment>,
    /// By folder: the names of the environments of all files below it.
    below: BTreeMap<String, BTreeSet<String>>,
}

impl Environment {
    pub(super) fn family(&self) -> &'static str {
        FAMILIES.get(self.rank).map_or("", |(family, _)| family)
    }
}

impl Environments {
    /// Reads the environments of these files.
    pub(super) fn of_files<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut all = Self::default();
        for path in paths.clone() {
            for (folder, name) in parents(path) {
                all.entries.entry(folder.to_owned()).or_default().insert(name.to_owned());
            }
        }
        for path in paths {
            let Some(environment) = all.find(path) else { continue };
            for (folder, _) in parents(path) {
                all.below.entry(folder.to_owned()).or_default().insert(environment.name.clone());
            }
            all.files.insert(path.to_owned(), environment);
        }
        all
    }

    /// The environment that a file is for.
    pub(super) fn of(&self, path: &str) -> Option<&Environment> {
        self.files.get(path)
    }

    /// The environments of the nearest folder above this file that has any, the root left out.
    pub(super) fn around(&self, path: &str) -> BTreeSet<String> {
        let mut folders = parents(path).map(|(folder, _)| folder).filter(|folder| !folder.is_empty());
        folders.find_map(|folder| self.below.get(folder)).cloned().unwrap_or_default()
    }

    /// A file's own name decides (`values-prod.yaml`), then the innermost folder that is one.
    fn find(&self, path: &str) -> Option<Environment> {
        let file = path.rsplit('/').next().unwrap_or(path);
        of_file_name(file)
            .or_else(|| parents(path).skip(1).find_map(|(parent, folder)| self.of_folder(parent, folder)))
    }

    fn of_folder(&self, parent: &str, folder: &str) -> Option<Environment> {
        let container = parent.rsplit('/').next().unwrap_or(parent);
        let is_in_container = CONTAINERS.contains(&container);
        let found = of_word(folder)?;
        let is_whole_word = rank_of(&folder.to_ascii_lowercase()).is_some();
        let is_ambiguous = pieces(folder).iter().any(|piece| AMBIGUOUS.contains(&piece.as_str()));
        // `dev-tools` alone is no environment, `prod-eu` beside `dev` is one.
        let has_sibling = self.entries.get(parent).is_some_and(|siblings| {
            siblings
                .iter()
                .any(|sibling| sibling != folder && rank_of(&sibling.to_ascii_lowercase()).is_some())
        });
        let is_plain = is_whole_word && !is_ambiguous;
        (is_in_container || is_plain || (has_sibling && !is_ambiguous)).then_some(found)
    }
}

/// Each folder above a path, the innermost first, with the name of what leads to the path in it.
fn parents(path: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::successors(Some(path), |inner| inner.rsplit_once('/').map(|(parent, _)| parent))
        .map(|inner| inner.rsplit_once('/').unwrap_or(("", inner)))
}

/// `values-prod.yaml`, `prod.values.yaml`, `deployment-prod-eu.yaml`, `compose.staging.yml`, `prod.yaml`.
fn of_file_name(file: &str) -> Option<Environment> {
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    let all = pieces(stem);
    let is_values = all.iter().any(|piece| piece == "values");
    let rest: Vec<&String> = all.iter().filter(|piece| *piece != "values").collect();
    let is_word = |piece: &str| rank_of(piece).is_some() && (is_values || !AMBIGUOUS.contains(&piece));
    let start = rest.iter().position(|piece| is_word(piece))?;
    let word: Vec<&str> = rest.iter().skip(start).map(|piece| piece.as_str()).collect();
    of_word(&word.join("-"))
}

/// A word that is an environment, perhaps with a region before or after it.
fn of_word(word: &str) -> Option<Environment> {
    let rank = pieces(word)
        .iter()
        .find_map(|piece| rank_of(piece))
        .or_else(|| rank_of(&word.to_ascii_lowercase()))?;
    let name = stage_name(word)?;
    Some(Environment { rank, name })
}

fn pieces(word: &str) -> Vec<String> {
    // `pre-prod` is one word, and must not count as `prod`.
    let word = word.to_ascii_lowercase().replace("pre-prod", "preprod").replace("pre_prod", "preprod");
    word.split(['-', '_', '.']).filter(|piece| !piece.is_empty()).map(ToOwned::to_owned).collect()
}

fn rank_of(word: &str) -> Option<usize> {
    let word = word.replace("pre-prod", "preprod").replace("pre_prod", "preprod");
    FAMILIES.iter().position(|(_, words)| words.contains(&word.as_str()))
}

/// The word in the grammar of stage names: lower case, other characters as `-`.
pub(super) fn stage_name(word: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = word.chars().map(plain).take(NAME_BYTES_MAX).collect();
    let name = name.trim_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the stage that the first of these files is for.
    fn check(paths: &[&str], want: Option<(&str, &str)>) {
        let environments = Environments::of_files(paths.iter().copied());
        let found = environments.of(paths[0]);
        assert_eq!(found.map(|found| (found.family(), found.name.as_str())), want, "{}", paths[0]);
    }

    #[test]
    fn environments_are_read_from_paths() {
        check(&["apps/web/overlays/dev/kustomization.yaml"], Some(("dev", "dev")));
        check(&["apps/web/overlays/test/kustomization.yaml"], Some(("test", "test")));
        check(&["environments/prod-eu/web/deploy.yaml"], Some(("prod", "prod-eu")));
        check(&["clusters/eu-prod/web.yaml"], Some(("prod", "eu-prod")));
        check(&["apps/web/staging/kustomization.yaml"], Some(("staging", "staging")));
        check(&["apps/web/Production/x.yaml"], Some(("prod", "production")));
        check(&["apps/web/pre-prod/x.yaml"], Some(("preprod", "pre-prod")));
        check(&["apps/web/prod_us/x.yaml", "apps/web/dev/x.yaml"], Some(("prod", "prod-us")));
        check(&["charts/web/values-prod.yaml"], Some(("prod", "values-prod")).map(|_| ("prod", "prod")));
        check(&["charts/web/values.test.yaml"], Some(("test", "test")));
        check(&["charts/web/qa.values.yml"], Some(("qa", "qa")));
        check(&["charts/web/values-prod-eu.yaml"], Some(("prod", "prod-eu")));
        check(&["web/deployment-staging.yaml"], Some(("staging", "staging")));
        check(&["compose.prod.yml"], Some(("prod", "prod")));
        check(&["prod.yaml"], Some(("prod", "prod")));
        check(&["environments/dev/values-prod.yaml"], Some(("prod", "prod")));
    }

    #[test]
    fn words_that_mean_something_else_are_no_environments() {
        check(&["apps/web/base/deployment.yaml"], None);
        check(&["charts/web/tests/pod.yaml"], None);
        check(&["charts/web/test/pod.yaml"], None);
        check(&["load-test.yaml"], None);
        check(&["apps/dev-tools/deployment.yaml"], None);
        check(&["apps/live/deployment.yaml"], None);
        check(&["product/deployment.yaml"], None);
        check(&["values.yaml"], None);
    }
}
