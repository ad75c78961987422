//! A file's documents, found by their marker lines alone, so that only those that can match are parsed.

use std::ops::Range;

use memchr::{memchr, memchr2, memmem};

use super::ReadError;
use crate::image::Repository;

/// Largest file read, 16 MiB: three times the largest bundle seen in public (5 MB).
const FILE_BYTES_MAX: usize = 16 << 20;

/// Some editors put it at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One document of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Its number in the file, from 0.
    pub(super) index: usize,
    /// Its bytes, directives and markers included.
    pub(super) text: &'a str,
    /// Where they stand in the file.
    pub(super) start: usize,
    /// The line they begin on, from 1.
    pub(super) line: usize,
}

/// What has been seen of the document so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Blank lines, comments and directives: not a document yet.
    Prefix,
    /// A `---` line or content.
    Content,
}

/// The text of a file.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, ReadError> {
    if bytes.len() > FILE_BYTES_MAX {
        let reason = format!("file has {} bytes, at most {FILE_BYTES_MAX} are read", bytes.len());
        return Err(ReadError { line: 1, reason });
    }
    if let Some(encoding) = wide_encoding(bytes) {
        return Err(ReadError { line: 1, reason: format!("file is {encoding}; save it as UTF-8") });
    }
    let refuse = |at: usize, reason: &str| {
        let before = bytes.get(..at).unwrap_or_default();
        ReadError { line: line_starts(before).count() + 1, reason: reason.to_owned() }
    };
    // YAML knows no NUL (1.2.2, section 5.1), and the parser takes one for the end of the file.
    if let Some(at) = memchr(0, bytes) {
        return Err(refuse(at, "file holds a NUL"));
    }
    std::str::from_utf8(bytes).map_err(|error| refuse(error.valid_up_to(), "bytes are not UTF-8"))
}

/// The encoding of a file that has more than one byte for each letter; its first letter is ASCII or a byte order mark.
///
/// Source: YAML 1.2.2, section 5.2, "Character Encodings".
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [0xff, 0xfe, 0, 0, ..] | [_, 0, 0, 0, ..] => {
            Some("UTF-32")
        }
        [0xfe, 0xff, ..] | [0, _, ..] | [0xff, 0xfe, ..] | [_, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// Splits a file into its documents.
///
/// A line that begins with `---` or `...` and a blank is a document marker wherever it stands, also in the midst of a
/// block or quoted scalar (YAML 1.2.2, section 9.1.2, `c-forbidden`), so no parse is needed to find one.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut line, mut seen) = (0, 1, Seen::Prefix);
    let between = |range: Range<usize>| text.get(range).unwrap_or_default();
    let mut push = |range: Range<usize>, line: usize| {
        let index = documents.len();
        documents.push(Document { index, start: range.start, text: between(range), line });
    };
    for (at, mark) in markers(text) {
        if seen == Seen::Prefix && has_content(between(start..at)) {
            seen = Seen::Content;
        }
        match mark {
            // Behind a byte order mark there is no line of its own, but at the very beginning.
            _ if seen == Seen::Content && text.as_bytes()[..at].ends_with(BYTE_ORDER_MARK) => {}
            Marker::Start if seen == Seen::Content => {
                push(start..at, line);
                line += line_breaks(between(start..at));
                start = at;
            }
            Marker::Start => seen = Seen::Content,
            Marker::End => {
                let end = at + memchr2(b'\n', b'\r', &text.as_bytes()[at..]).unwrap_or(text.len() - at);
                if seen == Seen::Content {
                    push(start..end, line);
                }
                line += line_breaks(between(start..end));
                (start, seen) = (end, Seen::Prefix);
            }
        }
    }
    if seen == Seen::Content || has_content(between(start..text.len())) {
        push(start..text.len(), line);
    }
    documents
}

/// A line that is no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Marker {
    /// `---`, which may have content behind it.
    Start,
    /// `...`.
    End,
}

/// The lines that are document markers, by the byte at which they stand, in order.
fn markers(text: &str) -> Vec<(usize, Marker)> {
    let bytes = text.as_bytes();
    let found = |mark: &'static str, is: Marker| {
        memmem::find_iter(bytes, mark).filter(move |at| is_marker(bytes, *at)).map(move |at| (at, is))
    };
    let mut markers: Vec<_> = found("---", Marker::Start).chain(found("...", Marker::End)).collect();
    markers.sort_unstable();
    markers
}

/// Whether the three characters at this byte begin a line, perhaps behind byte order marks, and end a word.
fn is_marker(bytes: &[u8], at: usize) -> bool {
    let mut before = bytes.get(..at).unwrap_or_default();
    while let Some(rest) = before.strip_suffix(BYTE_ORDER_MARK) {
        before = rest;
    }
    matches!(before.last(), None | Some(b'\n' | b'\r'))
        && matches!(bytes.get(at + 3), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
}

/// Whether some line holds more than blanks, a comment or a directive.
fn has_content(text: &str) -> bool {
    let starts = std::iter::once(0).chain(line_starts(text.as_bytes()));
    starts.into_iter().any(|at| is_content(text.get(at..).unwrap_or_default().trim_start_matches('\u{feff}')))
}

/// How many line breaks a text has: LF, CR, or both.
fn line_breaks(text: &str) -> usize {
    let count = |byte| memchr::memchr_iter(byte, text.as_bytes()).count();
    match count(b'\r') {
        0 => count(b'\n'),
        returns => count(b'\n') + returns - memmem::find_iter(text.as_bytes(), "\r\n").count(),
    }
}

/// The offsets at which a line begins, but for the first line. A line ends with LF, CR, or both.
pub(super) fn line_starts(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let has_cr = memchr(b'\r', bytes).is_some();
    let other = if has_cr { b'\r' } else { b'\n' };
    memchr::memchr2_iter(b'\n', other, bytes).filter_map(move |at| {
        let is_first_of_two = bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n');
        (!is_first_of_two).then_some(at + 1)
    })
}

/// Whether one of these words stands in the text, or an escape that could spell it.
///
/// A superset: a double-quoted scalar may write any letter as `\x`, `\u` or `\U`, or be broken by `\` at a line's end.
pub(super) fn may_hold(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| memmem::find(text.as_bytes(), word.as_bytes()).is_some())
        || has_escape(text.as_bytes())
}

/// Looks for one repository, however it is spelled.
#[derive(Debug)]
pub(super) struct NameSearch<'n> {
    /// Finds the words that every spelling has, the last and most telling first.
    words: Vec<memmem::Finder<'n>>,
}

impl<'n> NameSearch<'n> {
    pub(super) fn of(repository: &'n Repository) -> Self {
        let words = repository.stem().rsplit(|char: char| !u8::try_from(char).is_ok_and(is_of_word));
        Self { words: words.filter(|word| !word.is_empty()).map(memmem::Finder::new).collect() }
    }

    /// Whether the text may name the repository: each word stands there by itself, or an escape may spell it.
    ///
    /// A superset: the words may stand in fields far from each other (`registry`, `repository`), in any order.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.words.iter().all(|word| stands_by_itself(word, text.as_bytes())) || has_escape(text.as_bytes())
    }
}

/// Whether a word of a name stands in the text and not just in the midst of longer ones.
fn stands_by_itself(word: &memmem::Finder<'_>, text: &[u8]) -> bool {
    word.find_iter(text).any(|at| {
        let is_begun = match text.get(..at) {
            // The letter of an escape (`\t`, `\n`) is of no word.
            Some([.., b'\\', _] | []) | None => false,
            Some([.., before]) => is_of_word(*before),
        };
        !is_begun && !text.get(at + word.needle().len()).copied().is_some_and(is_of_word)
    })
}

/// Whether a byte may stand in a component of a repository's path.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

fn has_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', bytes).any(|at| {
        // In a text that holds YAML itself, an end of line is spelled, too: `\` and `\n` behind it.
        let rest = bytes.get(at + 1..).unwrap_or_default();
        matches!(rest, [b'x' | b'u' | b'U' | b'/' | b'\n' | b'\r', ..] | [b'\\', b'\\', ..])
    })
}

/// Whether the line holds more than blanks, a comment or a directive.
fn is_content(line: &str) -> bool {
    if line.starts_with('%') {
        return false;
    }
    let first = line.bytes().find(|byte| !matches!(byte, b' ' | b'\t'));
    !matches!(first, None | Some(b'#' | b'\n' | b'\r'))
}
