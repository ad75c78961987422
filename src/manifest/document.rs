//! A file's documents, found by their marker lines alone, so that only those that can match are parsed.

use std::ops::Range;

use memchr::{memchr, memchr2, memmem};

use super::ReadError;

/// Largest file read, 16 MiB: three times the largest bundle seen in public (5 MB).
const FILE_BYTES_MAX: usize = 16 << 20;

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

/// Splits a file into its documents.
///
/// A line that begins with `---` or `...` and a blank is a document marker wherever it stands, also in the midst of a
/// block or quoted scalar (YAML 1.2.2, section 9.1.2, `c-forbidden`), so no parse is needed to find one.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut seen) = (0, 1, Seen::Prefix);
    let mut push = |range: Range<usize>, line: usize| {
        let index = documents.len();
        documents.push(Document {
            index,
            text: text.get(range.clone()).unwrap_or_default(),
            start: range.start,
            line,
        });
    };
    let first = std::iter::once(0);
    for (number, at) in first.chain(line_starts(text.as_bytes())).enumerate() {
        let line = text.get(at..).unwrap_or_default();
        let line = if seen == Seen::Prefix { line.trim_start_matches('\u{feff}') } else { line };
        match marker(line) {
            Some("---") if seen == Seen::Content => {
                push(start..at, start_line);
                (start, start_line) = (at, number + 1);
            }
            Some("...") => {
                let end = at + memchr2(b'\n', b'\r', &text.as_bytes()[at..]).unwrap_or(text.len() - at);
                if seen == Seen::Content {
                    push(start..end, start_line);
                }
                (start, start_line, seen) = (end, number + 1, Seen::Prefix);
            }
            Some(_) => seen = Seen::Content,
            None if seen == Seen::Prefix && is_content(line) => seen = Seen::Content,
            None => {}
        }
    }
    if seen == Seen::Content {
        push(start..text.len(), start_line);
    }
    documents
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

fn has_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', bytes)
        .any(|at| matches!(bytes.get(at + 1), Some(b'x' | b'u' | b'U' | b'/' | b'\n' | b'\r')))
}

/// The document marker that this line is.
fn marker(line: &str) -> Option<&str> {
    let mark = line.get(..3).filter(|mark| matches!(*mark, "---" | "..."))?;
    let next = line.as_bytes().get(3);
    matches!(next, None | Some(b' ' | b'\t' | b'\n' | b'\r')).then_some(mark)
}

/// Whether the line holds more than blanks, a comment or a directive.
fn is_content(line: &str) -> bool {
    if line.starts_with('%') {
        return false;
    }
    let first = line.bytes().find(|byte| !matches!(byte, b' ' | b'\t'));
    !matches!(first, None | Some(b'#' | b'\n' | b'\r'))
}
