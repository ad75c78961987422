//! CI files: the images that their jobs run in, and what their scripts pull.

use std::collections::BTreeMap;

use crate::manifest::{self, ReadError, Text, TextStyle};

use super::kind::Kind;
use super::mention::{Mention, Source, said};
use super::place::Lines;
use super::script::Scripts;
use super::shell::Breaks;

/// Shells of steps that are not read as words.
const OTHER_SHELLS: [&str; 6] = ["python", "python3", "pwsh", "powershell", "cmd", "node"];
/// Keys of GitLab below which no job stands.
const NO_JOBS: [&str; 5] = ["variables", "include", "stages", "workflow", "spec"];
/// Keys below which `image` is something else: of machines, of variables, of inputs.
const NO_IMAGES: [&str; 8] =
    ["machine", "env", "environment", "variables", "with", "settings", "parameters", "matrix"];

/// What a text of a CI file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An image that is pulled.
    Image,
    /// An image only where it says so: `docker://…`.
    PerhapsImage,
    /// A script.
    Script,
    /// Names that a step gives to what it builds.
    Built,
    /// Anything else.
    Other,
}

/// What a CI file pulls.
///
/// # Errors
/// [`ReadError`] if it is no YAML.
pub(super) fn mentions(kind: Kind, bytes: &[u8], lines: &Lines<'_>) -> Result<Vec<Mention>, ReadError> {
    let texts = manifest::texts(bytes)?;
    let file = std::str::from_utf8(bytes).unwrap_or_default();
    let shells: BTreeMap<&str, &str> =
        texts.iter().map(|text| (text.path.as_str(), text.text.as_str())).collect();
    let (mut found, mut scripts) = (Vec::new(), Scripts::of(lines));
    for text in &texts {
        let keys: Vec<&str> = text.keys.iter().map(String::as_str).collect();
        match role(kind, &keys) {
            Role::Image => found.extend(image(text, lines)),
            Role::PerhapsImage if text.text.starts_with("docker://") => found.extend(image(text, lines)),
            Role::Script if is_shell(&text.path, &shells) => script(&mut scripts, file, text),
            Role::Built => {
                text.text.split([',', '\n']).for_each(|name| scripts.builds(name.trim()));
            }
            Role::Other | Role::PerhapsImage | Role::Script => {}
        }
    }
    found.extend(scripts.into_mentions());
    // Through aliases, one text may be read at several places.
    found.sort_by(|one, other| (one.region, &one.text).cmp(&(other.region, &other.text)));
    found.dedup_by(|one, other| one.region == other.region && one.text == other.text);
    Ok(found)
}

fn role(kind: Kind, keys: &[&str]) -> Role {
    match kind {
        Kind::GitHub => of_github(keys),
        Kind::GitLab => of_gitlab(keys),
        Kind::OtherCi | Kind::Manifest | Kind::Dockerfile | Kind::Script => of_others(keys),
    }
}

/// Source: GitHub's workflow syntax and metadata syntax of actions.
fn of_github(keys: &[&str]) -> Role {
    match keys {
        ["jobs", _, "container"]
        | ["jobs", _, "container", "image"]
        | ["jobs", _, "services", _, "image"] => Role::Image,
        ["jobs", _, "steps", "[]", "uses"] | ["runs", "steps", "[]", "uses"] | ["runs", "image"] => {
            Role::PerhapsImage
        }
        ["jobs", _, "steps", "[]", "run"] | ["runs", "steps", "[]", "run"] => Role::Script,
        [.., "steps", "[]", "with", "tags"] => Role::Built,
        _ => Role::Other,
    }
}

/// Source: GitLab's CI/CD YAML syntax reference.
fn of_gitlab(keys: &[&str]) -> Role {
    if keys.first().is_some_and(|first| NO_JOBS.contains(first)) {
        return Role::Other;
    }
    let own = match keys {
        // At the top, or in a job, or in `default`.
        ["image" | "services" | "script" | "before_script" | "after_script", ..] => keys,
        [_, own @ ..] => own,
        [] => return Role::Other,
    };
    match own {
        ["image"] | ["image", "name"] | ["services", "[]"] | ["services", "[]", "name"] => Role::Image,
        ["script" | "before_script" | "after_script", items @ ..] if items.iter().all(|key| *key == "[]") => {
            Role::Script
        }
        _ => Role::Other,
    }
}

fn of_others(keys: &[&str]) -> Role {
    if keys.iter().any(|key| NO_IMAGES.contains(key)) {
        return Role::Other;
    }
    let named = keys.iter().rev().find(|key| **key != "[]").copied().unwrap_or_default();
    match named {
        "image" if keys.last() == Some(&"image") => Role::Image,
        // Bitbucket's long form.
        "name" if keys.ends_with(&["image", "name"]) => Role::Image,
        "run" | "command" | "commands" | "script" => Role::Script,
        _ => Role::Other,
    }
}

/// Whether the step has no shell of another language.
fn is_shell(path: &str, texts: &BTreeMap<&str, &str>) -> bool {
    let shell = path.strip_suffix(".run").map(|step| format!("{step}.shell"));
    let shell = shell.and_then(|path| texts.get(path.as_str()).copied()).unwrap_or("bash");
    let name = shell.split_whitespace().next().unwrap_or_default();
    !OTHER_SHELLS.contains(&name)
}

fn image(text: &Text, lines: &Lines<'_>) -> Option<Mention> {
    let bare = text.text.strip_prefix("docker://").unwrap_or(&text.text);
    let mut mention = said(bare)?.mention(lines.region(text.span.clone()), bare, Source::Ci);
    let is_whole = bare.len() == text.text.len();
    mention.place = is_whole.then(|| (text.document, text.path.clone()));
    Some(mention)
}

/// Reads a script by the bytes of the file, so that each word is found where it stands.
fn script(scripts: &mut Scripts<'_>, file: &str, text: &Text) {
    let (span, written) = (text.span.clone(), file.get(text.span.clone()).unwrap_or_default());
    let quote = usize::from(written.len() > 1 && written.starts_with(['"', '\'']));
    match text.style {
        TextStyle::Literal => scripts.read(file, span, Breaks::End),
        TextStyle::Folded => scripts.read(file, span, Breaks::Fold),
        // What a `\` of YAML stands for is no byte of the file.
        TextStyle::Flow if written.starts_with('"') && written.contains('\\') => {
            scripts.read_decoded(&text.text, span);
        }
        TextStyle::Flow => scripts.read(file, span.start + quote..span.end - quote, Breaks::Fold),
    }
}
