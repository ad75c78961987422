//! `FROM` and `--from` of Dockerfiles.
//!
//! Source: Dockerfile reference, sections "FROM", "COPY --from", "RUN --mount" and "Understand how ARG and FROM interact".

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::mention::{Mention, Source, said};
use super::place::Lines;
use super::shell::last_lines;

/// Most times that an argument stands for one with another in it.
const ARGUMENTS_DEPTH_MAX: usize = 4;
/// Longest text that is taken for a reference: host, path, tag and digest have some hundred each.
const REFERENCE_BYTES_MAX: usize = 1000;

/// What a Dockerfile pulls.
pub(super) fn mentions(text: &str, lines: &Lines<'_>) -> Vec<Mention> {
    let mut file = File { lines, stages: BTreeSet::new(), arguments: BTreeMap::new(), found: Vec::new() };
    for instruction in instructions(text) {
        file.instruction(text, &instruction);
    }
    file.found
}

struct File<'l> {
    lines: &'l Lines<'l>,
    /// Names of stages, in lower case as docker compares them.
    stages: BTreeSet<String>,
    /// Defaults of the arguments before the first `FROM`.
    arguments: BTreeMap<String, String>,
    found: Vec<Mention>,
}

impl File<'_> {
    fn instruction(&mut self, text: &str, words: &[Range<usize>]) {
        let word = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let Some((name, rest)) = words.split_first() else { return };
        match word(name).to_ascii_uppercase().as_str() {
            "ARG" if self.stages.is_empty() && self.found.is_empty() => {
                for (name, value) in rest.iter().filter_map(|range| word(range).split_once('=')) {
                    let value = value.trim_matches(['"', '\'']);
                    // A longer one is no part of a reference, and stays a variable.
                    if value.len() <= REFERENCE_BYTES_MAX {
                        self.arguments.insert(name.to_owned(), value.to_owned());
                    }
                }
            }
            "FROM" => {
                let mut rest = rest.iter().filter(|range| !word(range).starts_with("--"));
                let Some(image) = rest.next() else { return };
                self.image(word(image), image.clone());
                let named = rest.next().filter(|range| word(range).eq_ignore_ascii_case("as"));
                let stage = named.and_then(|_| rest.next()).map_or("", word);
                // Without a name it is one all the same: arguments that follow are its own.
                self.stages.insert(stage.to_ascii_lowercase());
            }
            "COPY" | "ADD" => {
                for range in rest {
                    if let Some(image) = word(range).strip_prefix("--from=") {
                        self.image(image, range.end - image.len()..range.end);
                    }
                }
            }
            "RUN" => {
                for range in rest.iter().take_while(|range| word(range).starts_with("--")) {
                    let parts = word(range).strip_prefix("--mount=").unwrap_or_default().split(',');
                    for image in parts.filter_map(|part| part.strip_prefix("from=")) {
                        self.image(image, range.clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn image(&mut self, written: &str, at: Range<usize>) {
        let written = written.trim_matches(['"', '\'']);
        let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
        if written == "scratch" || is_number || self.stages.contains(&written.to_ascii_lowercase()) {
            return;
        }
        let text = self.with_arguments(written);
        if let Some(said) = said(&text) {
            self.found.push(said.mention(self.lines.region(at), &text, Source::Dockerfile));
        }
    }

    /// The text with the defaults of its arguments; those without a default stay as they are written.
    fn with_arguments(&self, written: &str) -> String {
        let mut text = written.to_owned();
        for _ in 0..ARGUMENTS_DEPTH_MAX {
            let Some((before, name, default, after)) = variable(&text) else { break };
            let Some(value) = self.arguments.get(name).map(String::as_str).or(default) else { break };
            if before.len() + value.len() + after.len() > REFERENCE_BYTES_MAX {
                break;
            }
            text = format!("{before}{value}{after}");
        }
        text
    }
}

/// The first variable of a text: what stands before it, its name, its default, what stands behind it.
fn variable(text: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    let (before, rest) = text.split_once('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let (inner, after) = inner.split_once('}')?;
        let (name, default) = match inner.split_once(":-").or_else(|| inner.split_once('-')) {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        return Some((before, name, default, after));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some((before, rest.get(..end)?, None, rest.get(end..)?))
}

/// The instructions, each as the bytes of its words; continued lines joined, comments and here-documents left out.
fn instructions(text: &str) -> Vec<Vec<Range<usize>>> {
    let (mut found, mut words, mut at) = (Vec::new(), Vec::new(), 0);
    let mut here: Vec<String> = Vec::new();
    let last = last_lines(text, 0..text.len());
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let body = line.trim_end();
        if let Some(mark) = here.first() {
            if body.trim_start_matches('\t') == mark {
                here.remove(0);
            }
            continue;
        }
        if body.trim_start().starts_with('#') || (body.trim().is_empty() && !words.is_empty()) {
            continue;
        }
        let is_continued = body.ends_with('\\');
        let body = body.strip_suffix('\\').unwrap_or(body);
        words.extend(words_of(body).map(|range| start + range.start..start + range.end));
        if !is_continued {
            here = documents(text, &words);
            // What nothing ends was something else.
            here.retain(|mark| last.get(mark.as_str()).is_some_and(|last| *last >= at));
            found.push(std::mem::take(&mut words));
        }
    }
    found.push(words);
    found
}

fn words_of(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    line.split_whitespace().map(|word| {
        // Both are parts of one text.
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        start..start + word.len()
    })
}

/// The marks that end the here-documents of an instruction that takes them.
fn documents(text: &str, words: &[Range<usize>]) -> Vec<String> {
    let word = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let takes_them = words.first().is_some_and(|name| {
        ["RUN", "COPY", "ADD"].iter().any(|known| word(name).eq_ignore_ascii_case(known))
    });
    let mut quote = None;
    let marks = words.iter().filter(|_| takes_them).filter_map(|range| {
        let is_quoted = quote.is_some();
        quote = quote_behind(word(range), quote);
        let mark = word(range).strip_prefix("<<").filter(|_| !is_quoted)?;
        let mark = mark.trim_start_matches('-').trim_matches(['"', '\'']);
        (!mark.is_empty() && !mark.starts_with('<')).then(|| mark.to_owned())
    });
    marks.collect()
}

/// The quotes that are still open behind a word.
fn quote_behind(word: &str, mut quote: Option<char>) -> Option<char> {
    let mut is_escaped = false;
    for char in word.chars() {
        match (char, quote) {
            _ if is_escaped => is_escaped = false,
            ('\\', None | Some('"')) => is_escaped = true,
            ('"' | '\'', None) => quote = Some(char),
            (char, Some(open)) if char == open => quote = None,
            _ => {}
        }
    }
    quote
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_from_stages_and_variables() {
        for (text, want) in [
            ("FROM golang:1.22 AS build\nFROM build\nCOPY --from=build /a /b\n", &["golang:1.22"][..]),
            ("from --platform=$BUILDPLATFORM nginx as Web\nFROM web\n", &["nginx"]),
            ("# FROM a:latest\nFROM b:latest\n", &["b:latest"]),
            ("FROM scratch\nCOPY --from=0 /a /b\nCOPY --from=busybox:latest /c /d\n", &["busybox:latest"]),
            ("ARG TAG=latest\nFROM nginx:${TAG}\n", &["nginx:latest"]),
            ("ARG TAG=1.2\nFROM nginx:$TAG\n", &["nginx:1.2"]),
            ("ARG BASE\nFROM $BASE\n", &[]),
            ("ARG BASE\nFROM $BASE:latest\n", &["$BASE:latest"]),
            ("FROM nginx:${TAG:-latest}\n", &["nginx:latest"]),
            ("FROM \\\n  # a word\n  nginx\n", &["nginx"]),
            (
                "FROM a:1\nRUN <<EOF\nFROM b\nEOF\nRUN --mount=type=bind,from=c:latest,target=/x x\n",
                &["a:1", "c:latest"],
            ),
            ("FROM a:1\r\nRUN echo FROM b\r\n", &["a:1"]),
            ("FROM a:1\nARG X=y\nFROM $X\n", &["a:1"]),
            (
                "FROM a:1\nRUN echo \"x <<EOF y\"\nFROM b:1\nRUN echo EOF\nEOF\nFROM c:1\n",
                &["a:1", "b:1", "c:1"],
            ),
            ("FROM a:1\nRUN echo $((1 <<2 ))\nFROM b:1\n", &["a:1", "b:1"]),
            ("FROM a:1\nRUN 'it' <<'E' && x\nFROM b:1\nE\nFROM c:1\n", &["a:1", "c:1"]),
            ("FROM", &[]),
            ("", &[]),
        ] {
            let found = mentions(text, &Lines::of(text));
            let found: Vec<&str> = found.iter().map(|mention| mention.text.as_str()).collect();
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn a_long_argument_takes_no_longer() {
        let text =
            format!("ARG A={}\nARG B=b:latest\n{}FROM $B\n", "a".repeat(500_000), "FROM $A\n".repeat(50_000));
        let found = mentions(&text, &Lines::of(&text));
        assert_eq!(found.iter().map(|mention| mention.text.as_str()).collect::<Vec<_>>(), ["b:latest"]);
    }
}
