//! Clean-ups of registries in scripts: what they would untag or delete.
//!
//! Source: `cmd/acr/purge.go` and the README of Azure/acr-cli: `--filter <repository>:<tag>`, regular expressions, that of
//! the repository anchored; tags that match and are older than `--ago` are deleted, and with `--untagged` manifests
//! without a tag *besides*; `--untagged-only` leaves tags alone.

use crate::image::{Reference, Repository, Tag};
use crate::pipeline::Pattern;

use super::shell::{Breaks, Word, commands};

/// A command that deletes images, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Purge {
    /// The line, from 1.
    pub line: usize,
    /// The command, shortened.
    pub text: String,
    /// What it deletes.
    pub deletes: Deletes,
}

/// What a command deletes.
#[derive(Debug, Clone, PartialEq)]
pub enum Deletes {
    /// What matches one of these, by `acr purge`.
    Matching {
        /// Repository and tag; nothing where an expression cannot be read here.
        filters: Vec<Option<Filter>>,
        /// Whether tags are deleted.
        tags: bool,
        /// Whether manifests without a tag are.
        untagged: bool,
        /// Whether locks are taken off.
        locked: bool,
    },
    /// This image.
    Image(Reference),
    /// Everything in a registry that has no tag, after some days.
    AllUntagged,
}

/// The expressions of one `--filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    repository: Pattern,
    tag: Tags,
}

/// Which tags an expression takes.
#[derive(Debug, Clone, PartialEq)]
enum Tags {
    Matching(Pattern),
    /// As `keep-list` writes it: all but these. The expressions that we read know no such look ahead.
    AllBut(Pattern),
}

/// Deepest nesting of commands in words of commands: a task, its command, a shell in it.
const DEPTH_MAX: usize = 3;
/// Most characters of a command that are shown.
const SHOWN_CHARS_MAX: usize = 120;
const LOOK_AHEAD: (&str, &str) = ("^(?!(", ")$).*");
/// Commands that delete the image named after them.
const DELETERS: [&[&str]; 8] = [
    &["skopeo", "delete"],
    &["crane", "delete"],
    &["gcrane", "delete"],
    &["regctl", "tag", "delete"],
    &["regctl", "image", "delete"],
    &["oras", "manifest", "delete"],
    &["gcloud", "artifacts", "docker", "images", "delete"],
    &["gcloud", "container", "images", "delete"],
];

/// The clean-ups in a script; a YAML file of tasks reads alike, as far as its commands stand on lines of their own.
#[must_use]
pub fn purges(script: &str) -> Vec<Purge> {
    let mut found = Vec::new();
    let ends: Vec<usize> = script.match_indices('\n').map(|(at, _)| at).collect();
    for command in commands(script, 0..script.len(), Breaks::End) {
        let at = command.first().map_or(0, |word| word.span.start);
        let line = ends.partition_point(|end| *end < at) + 1;
        look(&command, line, 0, &mut found);
    }
    found
}

fn look(command: &[Word], line: usize, depth: usize, found: &mut Vec<Purge>) {
    let words: Vec<&str> = command.iter().map(|word| word.text.as_str()).collect();
    let text = || words.join(" ").chars().take(SHOWN_CHARS_MAX).collect();
    for start in 0..words.len() {
        let rest = words.get(start..).unwrap_or_default();
        if let Some(deletes) = deletes(rest) {
            found.push(Purge { line, text: text(), deletes });
            return;
        }
    }
    // A command within a word: `--cmd "acr purge …"`, `PURGE='acr purge …'`.
    for word in words.iter().filter(|word| depth < DEPTH_MAX && word.contains(char::is_whitespace)) {
        let inner = word
            .split_once("acr purge")
            .map_or_else(|| (*word).to_owned(), |(_, rest)| format!("acr purge{rest}"));
        for command in commands(&inner, 0..inner.len(), Breaks::Fold) {
            look(&command, line, depth + 1, found);
        }
    }
}

fn deletes(words: &[&str]) -> Option<Deletes> {
    match words {
        ["acr" | "mcr.microsoft.com/acr/acr-cli", "purge", flags @ ..] => purge(flags),
        ["az", "acr", "config", "retention", "update", flags @ ..] => {
            value(flags, &["--status"]).filter(|status| *status == "enabled").map(|_| Deletes::AllUntagged)
        }
        ["az", "acr", "repository", "delete" | "untag", flags @ ..] => {
            let image = value(flags, &["--image", "-t"])?;
            let registry = value(flags, &["--name", "-n"])?;
            let host =
                if registry.contains('.') { registry.to_owned() } else { format!("{registry}.azurecr.io") };
            format!("{host}/{image}").parse().ok().map(Deletes::Image)
        }
        _ => {
            let deleter = DELETERS.iter().find(|deleter| words.starts_with(deleter))?;
            let mut names = words.get(deleter.len()..)?.iter().filter(|word| !word.starts_with('-'));
            names.find_map(|word| word.trim_start_matches("docker://").parse().ok()).map(Deletes::Image)
        }
    }
}

fn purge(flags: &[&str]) -> Option<Deletes> {
    let has = |name: &str| flags.iter().any(|flag| *flag == name || *flag == format!("{name}=true"));
    if has("--dry-run") {
        return None;
    }
    let filters = values(flags, &["--filter", "-f"]).map(filter).collect();
    Some(Deletes::Matching {
        filters,
        tags: !has("--untagged-only"),
        untagged: has("--untagged") || has("--untagged-only"),
        locked: has("--include-locked"),
    })
}

fn value<'a>(flags: &'a [&str], names: &'a [&str]) -> Option<&'a str> {
    values(flags, names).next()
}

/// The values of a flag, behind it or after a `=`.
fn values<'a>(flags: &'a [&str], names: &'a [&str]) -> impl Iterator<Item = &'a str> {
    flags.iter().enumerate().filter_map(move |(index, flag)| match flag.split_once('=') {
        Some((name, value)) if names.contains(&name) => Some(value),
        _ if names.contains(flag) => flags.get(index + 1).copied(),
        _ => None,
    })
}

fn filter(text: &str) -> Option<Filter> {
    let (repository, tag) = text.rsplit_once(':')?;
    let (open, close) = LOOK_AHEAD;
    let tag = match tag.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
        Some(kept) => Tags::AllBut(format!("^({kept})$").parse().ok()?),
        None => Tags::Matching(tag.parse().ok()?),
    };
    Some(Filter { repository: format!("^(?:{repository})$").parse().ok()?, tag })
}

impl Filter {
    /// Whether it takes this tag of this repository.
    #[must_use]
    pub fn takes(&self, repository: &Repository, tag: &Tag) -> bool {
        let is_taken = match &self.tag {
            Tags::Matching(pattern) => pattern.is_in(tag.as_str()),
            Tags::AllBut(kept) => !kept.is_in(tag.as_str()),
        };
        is_taken && self.is_about(repository)
    }

    /// Whether it is about this repository, by its path.
    #[must_use]
    pub fn is_about(&self, repository: &Repository) -> bool {
        self.repository.is_in(repository.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(script: &str) -> Deletes {
        let found = purges(script);
        assert_eq!(found.len(), 1, "{script}: {found:?}");
        found.into_iter().next().unwrap().deletes
    }

    /// Whether the first filter takes the tag of the repository.
    fn takes(script: &str, repository: &str, tag: &str) -> bool {
        let Deletes::Matching { filters, tags, .. } = one(script) else { panic!("{script}") };
        let taken = filters
            .iter()
            .flatten()
            .any(|filter| filter.takes(&repository.parse().unwrap(), &tag.parse().unwrap()));
        tags && taken
    }

    #[test]
    fn purges_are_found_wherever_a_script_keeps_them() {
        for script in [
            "acr purge --filter 'web:.*' --untagged --ago 30d",
            "az acr run --registry r \\\n  --cmd \"acr purge --filter 'web:.*' --untagged --ago 30d\" /dev/null",
            "PURGE=\"acr purge --filter 'web:.*' --untagged --ago 30d\"",
            "docker run mcr.microsoft.com/acr/acr-cli purge --filter=web:.* --untagged=true --ago 30d",
            "  - cmd: acr purge --filter 'web:.*' --untagged --ago 30d",
        ] {
            let Deletes::Matching { tags: true, untagged: true, locked: false, .. } = one(script) else {
                panic!("{script}")
            };
            assert!(takes(script, "r.azurecr.io/web", "1.4.2"), "{script}");
            assert!(!takes(script, "r.azurecr.io/shop/web", "1.4.2"), "{script}");
        }
        for harmless in [
            "# acr purge --filter 'web:.*'",
            "echo done",
            "acr purge --filter 'web:.*' --ago 1d --dry-run",
            "az acr config retention update --registry r --status disabled",
            "az acr repository show --name r --image web:1",
            "",
        ] {
            assert_eq!(purges(harmless), [], "{harmless}");
        }
    }

    #[test]
    fn filters_take_what_they_say() {
        let kept =
            r"acr purge --filter 'shop/web\.api:^(?!(1\.4\.2|sha256-0a(\.(sig|att|sbom))?)$).*' --ago 30d";
        assert!(!takes(kept, "r.azurecr.io/shop/web.api", "1.4.2"));
        assert!(takes(kept, "r.azurecr.io/shop/web.api", "1.4.1"));
        assert!(!takes(kept, "r.azurecr.io/shop/web-api", "1.4.1"));
        assert!(!takes("acr purge --filter '.*:.*' --untagged-only --ago 7d", "r.azurecr.io/web", "1"));
        assert!(takes("acr purge --filter 'web:^dev-' --filter 'web:^1' --ago 7d", "r.azurecr.io/web", "1"));
        let Deletes::Matching { filters, .. } = one("acr purge --filter 'web:(?<!x)1' --ago 7d") else {
            panic!()
        };
        assert_eq!(filters, [None], "an expression that is not known here");
    }

    #[test]
    fn single_images_and_retention_are_told() {
        for (script, want) in [
            ("skopeo delete docker://r.example/web:1", "r.example/web:1"),
            ("crane delete --insecure r.example/web:1", "r.example/web:1"),
            ("az acr repository untag -n acme --image web:1", "acme.azurecr.io/web:1"),
            (
                "if true; then az acr repository delete --name acme.azurecr.cn -t web:1; fi",
                "acme.azurecr.cn/web:1",
            ),
        ] {
            assert_eq!(one(script), Deletes::Image(want.parse().unwrap()), "{script}");
        }
        assert_eq!(
            one("az acr config retention update -r a --status enabled --days 7"),
            Deletes::AllUntagged
        );
        assert_eq!(purges("x\n\nskopeo delete docker://r.example/web:1")[0].line, 3);
    }
}
