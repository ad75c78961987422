//! Making foreign text harmless in Markdown.

use crate::pipeline::is_hidden;

/// Longest piece of foreign text that is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 400;

/// Has no width, and belongs to no name, number or address.
const WORD_JOINER: char = '\u{2060}';
/// Room for what is escaped in a sentence.
const ESCAPES_BYTES_USUAL: usize = 16;

/// Foreign text as one plain line: no control characters, none that hide or turn text around, bounded.
#[must_use]
pub fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = spaced.filter(|c| !is_hidden(*c)).take(SHOWN_CHARACTERS_MAX).collect();
    line.trim().to_owned()
}

/// Foreign text in a code span that it cannot leave.
#[must_use]
pub fn code(text: &str) -> String {
    match one_line(text).replace('`', "'") {
        // Two backticks would open a span and not be one.
        line if line.is_empty() => "` `".to_owned(),
        line => format!("`{line}`"),
    }
}

/// Foreign text as prose: every character that Markdown gives a meaning is escaped, also at the start of a line;
/// mentions, references, closing keywords and links are broken by an invisible word joiner.
#[must_use]
pub fn escape(text: &str) -> String {
    let line = one_line(text);
    let mut escaped = String::with_capacity(line.len() + ESCAPES_BYTES_USUAL);
    for (at, c) in line.char_indices() {
        let (before, after) = (&line[..at], &line[at + c.len_utf8()..]);
        match c {
            '&' => escaped.push_str("&amp;"),
            c if is_markup(c) || opens_block(before, c, after) => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
        if is_acting(before, c, after) {
            escaped.push(WORD_JOINER);
        }
    }
    escaped
}

/// Foreign text as one plain line in which nothing acts: mentions, references and links are broken by an invisible word
/// joiner. For texts that are not Markdown.
#[must_use]
pub fn disarm(text: &str) -> String {
    let line = one_line(text);
    let mut disarmed = String::with_capacity(line.len() + ESCAPES_BYTES_USUAL);
    for (at, c) in line.char_indices() {
        disarmed.push(c);
        if is_acting(&line[..at], c, &line[at + c.len_utf8()..]) {
            disarmed.push(WORD_JOINER);
        }
    }
    disarmed
}

/// Whether Markdown gives the character a meaning wherever it stands.
fn is_markup(c: char) -> bool {
    matches!(
        c,
        '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '<' | '>' | '~' | '|' | '!' | '$' | '^'
    )
}

/// Whether the character makes a heading, a list, a rule or a command of the line that it begins.
fn opens_block(before: &str, c: char, after: &str) -> bool {
    let is_number = || !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_digit());
    match c {
        '#' | '+' | '-' | '=' | '/' => before.is_empty(),
        '.' => is_number() && (after.is_empty() || after.starts_with(' ')),
        _ => false,
    }
}

/// Whether a forge could act on what begins here: `@name` and `a@b`, `#12`, `!12`, `GH-12`, `http://`, `www.name`.
///
/// Source: GitHub, "Autolinked references and URLs"; GitHub Flavored Markdown 0.29, section 6.9.
fn is_acting(before: &str, c: char, after: &str) -> bool {
    let follows = |is: fn(char) -> bool| after.starts_with(is);
    let ends_in = |word: &str| {
        let tail = before.len().checked_sub(word.len()).and_then(|at| before.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word))
    };
    match c {
        '@' => follows(|c| c != ' '),
        '#' | '!' => follows(|c| c.is_alphanumeric() || c == '_'),
        '-' => ends_in("gh") && follows(char::is_numeric),
        ':' => follows(|c| c == '/'),
        'w' | 'W' => ends_in("ww") && follows(|c| c == '.'),
        _ => false,
    }
}

/// Text of ours that holds foreign text: code spans are kept, all else is escaped.
#[must_use]
pub fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { code(part) } else { spaced_escape(part) }).collect()
}

/// [`escape`] keeps no blanks at the ends; between code spans they matter.
fn spaced_escape(part: &str) -> String {
    let lead = if part.starts_with(' ') { " " } else { "" };
    let tail = if part.len() > 1 && part.ends_with(' ') { " " } else { "" };
    format!("{lead}{}{tail}", escape(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_act() {
        for (text, want) in [
            ("plain", "plain"),
            ("a\nb\u{202e}c", "a bc"),
            ("a: b @ c # d", "a: b @ c # d"),
            ("<img src=x>", "\\<img src=x\\>"),
            ("@team fixes #12", "@\u{2060}team fixes #\u{2060}12"),
            ("[x](http://e)", "\\[x\\]\\(http:\u{2060}//e\\)"),
            ("see www.e.example, WWW.E", "see www\u{2060}.e.example, WWW\u{2060}.E"),
            ("closes GH-12, gh-x", "closes GH-\u{2060}12, gh-x"),
            ("a@_b.example", "a@\u{2060}\\_b.example"),
            ("!12", "\\!\u{2060}12"),
            ("# a", "\\# a"),
            ("- a - b", "\\- a - b"),
            ("/hold prod", "\\/hold prod"),
            ("1. a", "1\\. a"),
            ("1.4.2 a. b", "1.4.2 a. b"),
            ("a\u{200b}b\u{2060}", "ab"),
        ] {
            assert_eq!(escape(text), want);
        }
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(code(" \n"), "` `");
        assert_eq!(one_line(&"x".repeat(500)).len(), 400);
    }
}
