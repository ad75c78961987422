//! Shell scripts as words, as far as it takes to see which images their commands pull.
//!
//! No shell is run and no variable is known: quotes, comments, here-documents, continued lines and nested commands are
//! taken apart, and each command is a list of words with the bytes where each stands. What a shell would make of the
//! rest (functions, aliases, `eval`) is not followed.
//!
//! Source: POSIX.1-2024, Shell Command Language, sections 2.2 (quoting), 2.3 (token recognition), 2.7 (redirection).

mod images;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) use images::{Pulls, pulls};

/// Deepest nesting of `$( )`.
const DEPTH_MAX: usize = 16;
/// Longest `(( ))` that is taken for arithmetic.
const ARITHMETIC_BYTES_MAX: usize = 1000;

/// One word of a command, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    pub(super) text: String,
    /// Where it stands, quotes included.
    pub(super) span: Range<usize>,
}

/// What the end of a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// It ends a command.
    End,
    /// It is a blank, as YAML folds it; an empty line ends a command.
    Fold,
}

/// The commands of a script that stands at these bytes of a file.
pub(super) fn commands(text: &str, at: Range<usize>, breaks: Breaks) -> Vec<Vec<Word>> {
    let mut lexer = Lexer {
        text,
        end: at.end.min(text.len()),
        breaks,
        commands: Vec::new(),
        here: Vec::new(),
        last: OnceCell::new(),
    };
    lexer.list(at.start, 0, None);
    lexer.commands
}

struct Lexer<'t> {
    text: &'t str,
    end: usize,
    breaks: Breaks,
    commands: Vec<Vec<Word>>,
    /// Ends of here-documents that begin on the next line.
    here: Vec<String>,
    /// Where lines stand last, from the end of the first that begins a here-document.
    last: OnceCell<BTreeMap<&'t str, usize>>,
}

/// A command that is being read.
#[derive(Default)]
struct Open {
    words: Vec<Word>,
    word: Option<Word>,
    /// Whether the next word is the file of a redirection.
    is_redirected: bool,
}

impl Open {
    fn push(&mut self, at: usize, text: &str) {
        let word = self.word.get_or_insert_with(|| Word { text: String::new(), span: at..at });
        word.text.push_str(text);
    }

    fn end_word(&mut self, at: usize) {
        let Some(mut word) = self.word.take() else { return };
        word.span.end = at;
        if !std::mem::take(&mut self.is_redirected) {
            self.words.push(word);
        }
    }

    fn end(&mut self, at: usize, commands: &mut Vec<Vec<Word>>) {
        self.end_word(at);
        self.is_redirected = false;
        if !self.words.is_empty() {
            commands.push(std::mem::take(&mut self.words));
        }
    }
}

impl Lexer<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied().filter(|_| at < self.end)
    }

    /// Reads commands up to the closing character (or the end) and returns what follows it.
    fn list(&mut self, mut at: usize, depth: usize, close: Option<u8>) -> usize {
        let mut open = Open::default();
        while let Some(byte) = self.byte(at) {
            if Some(byte) == close {
                open.end(at, &mut self.commands);
                return at + 1;
            }
            at = match byte {
                b' ' | b'\t' | b'\r' => {
                    open.end_word(at);
                    at + 1
                }
                b'\n' => self.line_end(&mut open, at),
                b'#' if open.word.is_none() => self.find(at, b'\n'),
                b'\\' => self.escape(&mut open, at),
                b'\'' => self.single(&mut open, at),
                b'"' => self.double(&mut open, at, depth),
                b'$' | b'`' => self.expansion(&mut open, at, depth),
                b'<' | b'>' => self.redirection(&mut open, at),
                b'&' if self.byte(at + 1) == Some(b'>') => self.redirection(&mut open, at + 1),
                b'(' if depth < DEPTH_MAX => {
                    open.end(at, &mut self.commands);
                    match self.behind_arithmetic(at) {
                        Some(end) => self.arithmetic(at + 1..end, depth),
                        None => self.list(at + 1, depth + 1, Some(b')')),
                    }
                }
                b';' | b'&' | b'|' | b'(' | b')' => {
                    open.end(at, &mut self.commands);
                    at + 1
                }
                _ => self.plain(&mut open, at),
            };
        }
        open.end(at, &mut self.commands);
        at.max(self.end)
    }

    fn plain(&self, open: &mut Open, at: usize) -> usize {
        let length = self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        open.push(at, self.text.get(at..at + length).unwrap_or_default());
        at + length
    }

    fn find(&self, at: usize, wanted: u8) -> usize {
        let rest = self.text.as_bytes().get(at..self.end).unwrap_or_default();
        memchr::memchr(wanted, rest).map_or(self.end, |found| at + found)
    }

    fn line_end(&mut self, open: &mut Open, at: usize) -> usize {
        let next = at + 1;
        let is_empty_next =
            self.text.get(next..self.find(next, b'\n')).is_none_or(|line| line.trim().is_empty());
        if self.breaks == Breaks::Fold && !is_empty_next {
            open.end_word(at);
            return next;
        }
        open.end(at, &mut self.commands);
        std::mem::take(&mut self.here).iter().fold(next, |at, mark| self.behind_document(at, mark))
    }

    /// What follows a here-document that ends with this line; without such a line it was something else, and nothing
    /// is passed over.
    fn behind_document(&self, mut at: usize, mark: &str) -> usize {
        let last = self.last.get_or_init(|| last_lines(self.text, at..self.end));
        if last.get(mark).is_none_or(|last| *last < at) {
            return at;
        }
        while at < self.end {
            let end = self.find(at, b'\n');
            let line = self.text.get(at..end).unwrap_or_default();
            at = (end + 1).min(self.end);
            // In a block of YAML every line is indented.
            if line.trim() == mark {
                break;
            }
        }
        at
    }

    fn escape(&self, open: &mut Open, at: usize) -> usize {
        match (self.byte(at + 1), self.byte(at + 2)) {
            (Some(b'\n'), _) => at + 2,
            (Some(b'\r'), Some(b'\n')) => at + 3,
            (Some(_), _) => self.plain(open, at + 1),
            (None, _) => at + 1,
        }
    }

    fn single(&self, open: &mut Open, at: usize) -> usize {
        let end = self.find(at + 1, b'\'');
        open.push(at, self.text.get(at + 1..end).unwrap_or_default());
        (end + 1).min(self.end)
    }

    fn double(&mut self, open: &mut Open, at: usize, depth: usize) -> usize {
        open.push(at, "");
        let mut at = at + 1;
        while let Some(byte) = self.byte(at) {
            at = match byte {
                b'"' => return at + 1,
                b'\\' => self.escape(open, at),
                b'$' | b'`' => self.expansion(open, at, depth),
                _ => self.plain(open, at),
            };
        }
        at
    }

    /// `$name`, `${…}` and `${{ … }}` stay in the word as they are; commands in `$( )` and backticks are read.
    fn expansion(&mut self, open: &mut Open, at: usize, depth: usize) -> usize {
        let is_tick = self.byte(at) == Some(b'`');
        match self.byte(at + 1) {
            _ if depth >= DEPTH_MAX => self.plain(open, at),
            _ if is_tick => {
                open.push(at, "$()");
                self.list(at + 1, depth + 1, Some(b'`'))
            }
            Some(b'(') => {
                open.push(at, "$()");
                match self.behind_arithmetic(at + 1) {
                    Some(end) => self.arithmetic(at + 2..end, depth),
                    None => self.list(at + 2, depth + 1, Some(b')')),
                }
            }
            Some(b'{') => {
                let end = self.behind_brace(at + 1);
                open.push(at, self.text.get(at..end).unwrap_or_default());
                end
            }
            _ => self.plain(open, at),
        }
    }

    /// What follows the `((…))` that begins here; none where two commands in brackets begin.
    fn behind_arithmetic(&self, at: usize) -> Option<usize> {
        if self.byte(at + 1) != Some(b'(') {
            return None;
        }
        let mut depth = 0_usize;
        for at in at..(at + ARITHMETIC_BYTES_MAX).min(self.end) {
            match self.byte(at)? {
                b'(' => depth += 1,
                b')' if depth == 2 => return (self.byte(at + 1) == Some(b')')).then_some(at + 2),
                b')' => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// Of arithmetic, the commands whose output it takes.
    fn arithmetic(&mut self, within: Range<usize>, depth: usize) -> usize {
        let (mut open, mut at) = (Open::default(), within.start);
        while at < within.end {
            at = match self.byte(at) {
                Some(b'$' | b'`') => self.expansion(&mut open, at, depth + 1),
                _ => at + 1,
            };
        }
        at
    }

    /// What follows the brace that closes the one here.
    fn behind_brace(&self, mut at: usize) -> usize {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(at) {
            at += 1;
            match byte {
                b'{' => depth += 1,
                b'}' if depth <= 1 => return at,
                b'}' => depth -= 1,
                // Most likely it was no brace of ours.
                b'\n' => return at - 1,
                _ => {}
            }
        }
        at
    }

    fn redirection(&mut self, open: &mut Open, at: usize) -> usize {
        let is_number = |word: &Word| !word.text.is_empty() && word.text.bytes().all(|b| b.is_ascii_digit());
        if open.word.as_ref().is_some_and(is_number) {
            open.word = None;
        }
        open.end_word(at);
        let rest = self.text.get(at..self.end).unwrap_or_default();
        if rest.starts_with("<<") && !rest.starts_with("<<<") {
            return self.here_document(at + 2);
        }
        open.is_redirected = true;
        at + rest.len() - rest.trim_start_matches(['<', '>', '&', '|']).len()
    }

    /// Notes the line with which the here-document ends.
    fn here_document(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..self.end).unwrap_or_default();
        let mark = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches([' ', '\t']);
        let begin = rest.len() - mark.len();
        let length = mark.find([' ', '\t', '\r', '\n', ';', '|', '&', ')', '>', '<']).unwrap_or(mark.len());
        let mark: String = mark.get(..length).unwrap_or_default().replace(['\'', '"', '\\'], "");
        if !mark.is_empty() {
            self.here.push(mark);
        }
        at + begin + length
    }
}

/// The lines at these bytes without the blanks around them, each with its byte where it stands last.
pub(super) fn last_lines(text: &str, within: Range<usize>) -> BTreeMap<&str, usize> {
    let mut at = within.start;
    let lines = text.get(within).unwrap_or_default().split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        (line.trim(), start)
    });
    lines.collect()
}

#[cfg(test)]
mod tests;
