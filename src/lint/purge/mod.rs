//! Clean-ups of registries in scripts: what they would untag or delete.
//!
//! Source: `cmd/acr/purge.go` and the README of Azure/acr-cli: `--filter <repository>:<tag>`, regular expressions, that of
//! the repository anchored; tags that match and are older than `--ago` are deleted, and with `--untagged` manifests
//! without a tag *besides*; `--untagged-only` leaves tags alone.

mod deleters;

use crate::image::{Digest, Repository, Tag};
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
    /// These images.
    Targets(Vec<Target>),
    /// Everything in a registry that has no tag, after some days.
    AllUntagged,
    /// What only the shell knows that runs it, or what is not understood here.
    Unclear,
}

/// What a command names.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where.
    pub place: Place,
    /// What of it.
    pub part: Part,
}

/// A repository, as a command names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// By registry and path.
    Repository(Repository),
    /// By its path at a registry that is not named.
    Path(String),
}

/// What of a repository is deleted.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A tag, or what it names.
    Tag(Tag),
    /// What has this digest.
    Digest(Digest),
    /// All of it.
    All,
}

impl Place {
    /// Whether it is this repository.
    #[must_use]
    pub fn is(&self, repository: &Repository) -> bool {
        match self {
            Self::Repository(named) => named.is_same(repository),
            Self::Path(path) => path == repository.path(),
        }
    }
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
/// Flags of `acr purge` whose values do not choose what is deleted, or delete less.
const HARMLESS: [&str; 7] =
    ["--ago", "--keep", "--registry", "-r", "--concurrency", "--repository-page-size", "--config"];
const LOOK_AHEAD: (&str, &str) = ("^(?!(", ")$).*");
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
            // Its words are then read from somewhere else.
            let is_fed = words.iter().take(start).any(|word| matches!(*word, "xargs" | "parallel"));
            let deletes = if is_fed { Deletes::Unclear } else { deletes };
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
    let (program, words) = words.split_first()?;
    match (program.rsplit('/').next()?, words) {
        ("acr", ["purge", flags @ ..]) => purge(flags),
        (image, ["purge", flags @ ..]) if image.split(':').next() == Some("acr-cli") => purge(flags),
        (program, words) => deleters::deletes(program, words),
    }
}

fn purge(flags: &[&str]) -> Option<Deletes> {
    let has = |name: &str| flags.iter().any(|flag| *flag == name || *flag == format!("{name}=true"));
    // What only the shell knows counts as given.
    let may_have = |name: &str| {
        let is_given = |value: &str| value.starts_with('=') && value != "=false";
        has(name) || flags.iter().any(|flag| flag.strip_prefix(name).is_some_and(is_given))
    };
    if has("--dry-run") {
        return None;
    }
    let is_untagged_only = has("--untagged-only");
    let mut filters: Vec<Option<Filter>> = values(flags, &["--filter", "-f"]).map(filter).collect();
    // Words of which the shell makes others: there may be filters among them.
    let is_harmless = |at: usize| {
        at.checked_sub(1).and_then(|at| flags.get(at)).is_some_and(|flag| HARMLESS.contains(flag))
    };
    if flags.iter().enumerate().any(|(at, flag)| flag.starts_with('$') && !is_harmless(at)) {
        filters.push(None);
    }
    match filters.as_slice() {
        [] if is_untagged_only => Some(Deletes::AllUntagged),
        [] => Some(Deletes::Unclear),
        _ => Some(Deletes::Matching {
            filters,
            tags: !is_untagged_only,
            untagged: may_have("--untagged") || may_have("--untagged-only"),
            locked: may_have("--include-locked"),
        }),
    }
}

/// Whether a shell, or what makes the script, puts something else in place of a part of this: `$NAME`, `${NAME}`, `$(…)`,
/// backticks, which are read as `$()`, `{{ … }}`. A `$` before anything else ends an expression.
fn is_filled_in(text: &str) -> bool {
    let begins = |next: char| next.is_ascii_alphanumeric() || "_{(@*".contains(next);
    let mut behind = text.split('$').skip(1);
    behind.any(|rest| rest.starts_with(begins)) || text.contains("{{") || text.contains('`')
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
    if is_filled_in(text) {
        return None;
    }
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
mod tests;
