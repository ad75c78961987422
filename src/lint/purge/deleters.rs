//! Programs that delete what is named to them.
//!
//! Source: the command references of the Azure CLI (`az acr`), the AWS CLI (`ecr`), the gcloud CLI (`artifacts`,
//! `container images`), skopeo, crane, regctl and oras.

use super::{Deletes, Part, Place, Target, is_filled_in, value, values};
use crate::image::{Digest, Reference, Repository};

/// Words that make a command delete something; some programs know several for one thing.
const VERBS: [&str; 9] = [
    "delete",
    "del",
    "rm",
    "remove",
    "untag",
    "batch-delete-image",
    "delete-repository",
    "put-lifecycle-policy",
    "purge",
];
/// Flags without a value. The word behind any other flag is taken for its value, so that no value counts as an image.
const SWITCHES: [&str; 17] = [
    "--async",
    "--debug",
    "--delete-tags",
    "--force",
    "--force-delete-tags",
    "--force-tag-dereference",
    "--ignore-missing",
    "--insecure",
    "--plain-http",
    "--quiet",
    "--verbose",
    "--yes",
    "-d",
    "-f",
    "-q",
    "-v",
    "-y",
];
/// What an image without a tag and a digest means.
const TAG_MEANT: &str = "latest";

/// What a command of one of the known programs deletes; nothing where it deletes nothing.
pub(super) fn deletes(program: &str, words: &[&str]) -> Option<Deletes> {
    let has = |word: &str| words.contains(&word);
    let is_artifacts =
        has("artifacts") && ["docker", "repositories", "packages", "versions", "tags"].into_iter().any(has);
    let is_known = match program {
        "skopeo" | "crane" | "gcrane" | "regctl" | "oras" => true,
        "az" => has("acr"),
        "aws" => has("ecr") || has("ecr-public"),
        "gcloud" => is_artifacts || (has("container") && has("images")),
        "curl" => return over_http(words),
        _ => false,
    };
    if !is_known {
        return None;
    }
    if program == "az" {
        return azure(words);
    }
    let at = words.iter().position(|word| VERBS.contains(word))?;
    let (verb, behind) = (words.get(at)?, words.get(at + 1..)?);
    let found = match (program, *verb) {
        ("aws", _) => amazon(verb, behind),
        ("gcloud", _) if is_artifacts && has("images") => named(behind, Some(&Part::All)),
        ("gcloud", _) if is_artifacts && !(has("docker") && has("tags")) => None,
        ("oras", _) if !has("manifest") => None,
        ("skopeo", _) => named(&of_docker(behind), None),
        _ => named(behind, None),
    };
    Some(found.unwrap_or(Deletes::Unclear))
}

/// The images that stand by themselves; none where one of them cannot be read. `whole` is what one means that says neither
/// tag nor digest, else its tag `latest`.
fn named(words: &[&str], whole: Option<&Part>) -> Option<Deletes> {
    let is_switch = |word: &str| SWITCHES.contains(&word) || word.contains('=');
    let mut targets = Vec::new();
    let mut is_value = false;
    for word in words {
        if word.starts_with('-') {
            is_value = !is_switch(word);
        } else if !std::mem::take(&mut is_value) {
            targets.push(target(word, whole)?);
        }
    }
    (!targets.is_empty()).then_some(Deletes::Targets(targets))
}

fn target(text: &str, whole: Option<&Part>) -> Option<Target> {
    if is_filled_in(text) {
        return None;
    }
    let Reference { repository, tag, digest } = text.parse().ok()?;
    let part = match (digest, tag, whole) {
        (Some(digest), ..) => Part::Digest(digest),
        (None, Some(tag), _) => Part::Tag(tag),
        (None, None, Some(whole)) => whole.clone(),
        (None, None, None) => Part::Tag(TAG_MEANT.parse().ok()?),
    };
    Some(Target { place: Place::Repository(repository), part })
}

/// What is at a registry, for skopeo: its flags have other values.
fn of_docker<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().filter_map(|word| word.strip_prefix("docker://")).collect()
}

fn azure(words: &[&str]) -> Option<Deletes> {
    let at = words.iter().position(|word| *word == "acr")?;
    let found = match words.get(at + 1..)? {
        ["config", "retention", "update", flags @ ..] => match value(flags, &["--status"]) {
            Some("disabled") => return None,
            Some("enabled") => Some(Deletes::AllUntagged),
            _ => None,
        },
        ["repository", "delete" | "untag", flags @ ..] => azure_repository(flags),
        ["manifest", "delete", flags @ ..] => match value(flags, &["--name", "-n"]) {
            Some(name) => {
                azure_host(flags, &["--registry", "-r"]).and_then(|host| one(&format!("{host}/{name}")))
            }
            None => named(flags, None),
        },
        ["delete", ..] => None,
        _ => return None,
    };
    Some(found.unwrap_or(Deletes::Unclear))
}

fn azure_repository(flags: &[&str]) -> Option<Deletes> {
    let host = azure_host(flags, &["--name", "-n"])?;
    match (value(flags, &["--image", "-t"]), value(flags, &["--repository"])) {
        (Some(image), None) => one(&format!("{host}/{image}")),
        (None, Some(name)) if !is_filled_in(name) => {
            let place = Place::Repository(format!("{host}/{name}").parse::<Repository>().ok()?);
            Some(Deletes::Targets(vec![Target { place, part: Part::All }]))
        }
        _ => None,
    }
}

fn one(image: &str) -> Option<Deletes> {
    Some(Deletes::Targets(vec![target(image, None)?]))
}

fn azure_host(flags: &[&str], names: &[&str]) -> Option<String> {
    let registry = value(flags, names).filter(|registry| !is_filled_in(registry))?;
    Some(if registry.contains('.') { registry.to_owned() } else { format!("{registry}.azurecr.io") })
}

/// The account and the region are those of whoever runs it: what is named counts at every registry.
fn amazon(verb: &str, flags: &[&str]) -> Option<Deletes> {
    let place = value(flags, &["--repository-name"]).filter(|path| !is_filled_in(path))?;
    let of = |part: Part| Target { place: Place::Path(place.to_owned()), part };
    if verb == "delete-repository" {
        return Some(Deletes::Targets(vec![of(Part::All)]));
    }
    let first = flags.iter().position(|flag| *flag == "--image-ids")?;
    let ids = flags.get(first + 1..)?.iter().take_while(|word| !word.starts_with("--"));
    let read = |pair: &str| match pair.split_once('=')? {
        ("imageTag", tag) if !is_filled_in(tag) => tag.parse().ok().map(Part::Tag),
        ("imageDigest", digest) => digest.parse::<Digest>().ok().map(Part::Digest),
        _ => None,
    };
    let parts = ids.flat_map(|id| id.split(',')).map(read).collect::<Option<Vec<Part>>>()?;
    let is_whole =
        !parts.is_empty() && values(flags, &["--cli-input-json", "--cli-input-yaml"]).next().is_none();
    is_whole.then(|| Deletes::Targets(parts.into_iter().map(of).collect()))
}

/// A request of the registry's own interface.
fn over_http(words: &[&str]) -> Option<Deletes> {
    let is_delete = words.iter().any(|word| matches!(*word, "DELETE" | "-XDELETE" | "--request=DELETE"));
    let is_of_images = |word: &&str| word.contains("/manifests/") || word.contains("/acr/v1/");
    (is_delete && words.iter().any(is_of_images)).then_some(Deletes::Unclear)
}
