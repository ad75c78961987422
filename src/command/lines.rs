//! Which lines of a comment are commands: Markdown decides what is plain text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{COMMENT_BYTES_MAX, CommandError, Problem, Verb};
use crate::command::error::shown;

/// First folders of absolute paths, which people write at the start of a line: `/etc is full`.
const ROOT_FOLDERS: [&str; 18] = [
    "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv",
    "sys", "tmp", "usr", "var",
];
/// Longest word that can be a verb.
const VERB_BYTES_MAX: usize = 32;
/// Elements that have no end tag, or may leave it out: they do not enclose what follows.
const UNENCLOSING: [&str; 23] = [
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option",
    "p", "source", "tbody", "td", "th", "thead", "tr", "track", "wbr",
];

/// A line that is addressed to us.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// Letters only.
    pub(super) verb: &'a str,
    pub(super) arguments: &'a str,
}

/// All lines of the comment that are addressed to us.
pub(super) fn lines<'a>(body: &'a str, bot: &str) -> Result<Vec<Line<'a>>, CommandError> {
    if body.len() > COMMENT_BYTES_MAX {
        let mut numbered = body.lines().enumerate();
        let is_addressed = |line: &str| !matches!(address(line, bot), Address::Nobody);
        return match numbered.find(|(_, line)| is_addressed(line)) {
            Some((index, _)) => {
                Err(CommandError::new(index + 1, Problem::CommentTooLong { found: body.len() }))
            }
            None => Ok(Vec::new()),
        };
    }
    let mut found = Vec::new();
    for (start, number) in plain_line_starts(body) {
        let rest = body.get(start..).unwrap_or_default();
        let text = rest.split(['\n', '\r']).next().unwrap_or_default();
        match address(text, bot) {
            Address::Nobody => {}
            Address::Us { verb, arguments } => found.push(Line { number, verb, arguments }),
            Address::Almost(problem) => return Err(CommandError::new(number, problem)),
        }
    }
    Ok(found)
}

enum Address<'a> {
    Nobody,
    Us { verb: &'a str, arguments: &'a str },
    Almost(Problem),
}

/// Whether a line is a command for us: its first word is `/` and letters, or our name and a word of letters.
fn address<'a>(line: &'a str, bot: &str) -> Address<'a> {
    let (first, rest) = split_word(line);
    let is_us = |name: &str| {
        let name = name.strip_suffix("[bot]").unwrap_or(name);
        !name.is_empty() && name.eq_ignore_ascii_case(bot.strip_suffix("[bot]").unwrap_or(bot))
    };
    let (word, arguments) = match (first.strip_prefix('/'), first.strip_prefix('@')) {
        (Some(word), _) if !ROOT_FOLDERS.contains(&word) => (word, rest),
        (None, Some(name)) if is_us(name) => split_word(rest),
        _ => return Address::Nobody,
    };
    let verb = word.trim_end_matches([',', ':', ';', '.', '!', '?']);
    if !is_letters(verb) {
        return Address::Nobody;
    }
    match (verb == word, Verb::of_word(verb)) {
        (true, _) => Address::Us { verb, arguments },
        (false, Ok(known)) => {
            Address::Almost(Problem::Punctuation { verb: known.name().to_owned(), found: shown(word) })
        }
        (false, Err(_)) => Address::Nobody,
    }
}

fn is_letters(word: &str) -> bool {
    (1..=VERB_BYTES_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The first word, which starts at column 0, and what follows the blanks after it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_matches([' ', '\t']))
}

/// Where lines start (offset in bytes, number from 1) whose first character is text of a top-level paragraph.
fn plain_line_starts(body: &str) -> Vec<(usize, usize)> {
    let has_candidate = body.split(['\n', '\r']).any(|line| line.starts_with(['/', '@']));
    if !has_candidate {
        return Vec::new();
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut open: Vec<Tag<'_>> = Vec::new();
    let mut html = String::new();
    let mut enclosing: usize = 0;
    let mut starts = Vec::new();
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        match event {
            Event::Start(tag) => open.push(tag),
            Event::End(end) => {
                open.pop();
                if end == TagEnd::HtmlBlock {
                    enclosing = enclosed_after(enclosing, &std::mem::take(&mut html));
                }
            }
            Event::Html(text) => html.push_str(&text),
            Event::InlineHtml(text) => enclosing = enclosed_after(enclosing, &text),
            Event::Text(_) if enclosing == 0 && matches!(open.as_slice(), [Tag::Paragraph]) => {
                starts.extend(is_line_start(body, range.start).then_some(range.start));
            }
            Event::Text(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    numbered(body, &starts)
}

/// Adds the line numbers, in one pass over the body.
fn numbered(body: &str, starts: &[usize]) -> Vec<(usize, usize)> {
    let mut numbered = Vec::new();
    let (mut number, mut counted) = (1, 0);
    for &start in starts {
        let between = body.get(counted..start).unwrap_or_default();
        let is_end = |(index, byte): (usize, &u8)| {
            *byte == b'\n' || (*byte == b'\r' && between.as_bytes().get(index + 1) != Some(&b'\n'))
        };
        number +=
            between.as_bytes().iter().enumerate().filter(|(index, byte)| is_end((*index, byte))).count();
        counted = start;
        numbered.push((start, number));
    }
    numbered
}

fn is_line_start(body: &str, offset: usize) -> bool {
    offset.checked_sub(1).is_none_or(|before| matches!(body.as_bytes().get(before), Some(b'\n' | b'\r')))
}

/// How many HTML elements enclose what follows this HTML, with `before` of them open already.
///
/// To Markdown a paragraph between `<details>` and `</details>` is top-level; to people it is hidden or quoted.
fn enclosed_after(before: usize, html: &str) -> usize {
    let mut depth = before;
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let (inner, next) = after.split_once('>').unwrap_or((after, ""));
        let (name, is_end) = inner.strip_prefix('/').map_or((inner, false), |name| (name, true));
        let name: String =
            name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let is_enclosing = !name.is_empty() && !inner.ends_with('/') && !UNENCLOSING.contains(&name.as_str());
        if is_enclosing {
            depth = if is_end { depth.saturating_sub(1) } else { depth + 1 };
        }
        rest = next;
    }
    depth
}
