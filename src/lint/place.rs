//! Where something stands in a file, as people and editors count.

use std::cell::Cell;
use std::ops::Range;

/// Some text of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// The line, from 1.
    pub line: usize,
    /// The column of its first character, from 1, in UTF-16 code units, as editors and code scanners count.
    pub column: usize,
    /// The column behind its last character.
    pub end_column: usize,
}

/// A file by lines. A line ends with LF, CR, or both.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The byte up to which columns were counted last, and how many units its line has before it: places come in
    /// order, and a line may be as long as the file.
    counted: Cell<(usize, usize)>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes);
        let ends = ends.filter(|at| !(bytes.get(*at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n')));
        let starts = std::iter::once(0).chain(ends.map(|at| at + 1)).collect();
        Self { text, starts, counted: Cell::default() }
    }

    /// The first line of these bytes.
    pub(super) fn region(&self, span: Range<usize>) -> Region {
        let line = self.starts.partition_point(|start| *start <= span.start).max(1);
        let of_line = self.of_line(line);
        let start = span.start.clamp(of_line.start, of_line.end);
        self.between(line, start..span.end.clamp(start, of_line.end))
    }

    /// What stands in a line, without the blanks around it.
    pub(super) fn line(&self, line: usize) -> Region {
        let of_line = self.of_line(line);
        let text = self.text.get(of_line.clone()).unwrap_or_default();
        let start = of_line.start + (text.len() - text.trim_start().len());
        self.between(line, start..start + text.trim().len())
    }

    /// The bytes of a line without its end.
    fn of_line(&self, line: usize) -> Range<usize> {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        start..start + text.trim_end_matches(['\n', '\r']).len()
    }

    fn between(&self, line: usize, span: Range<usize>) -> Region {
        let units = |range: Range<usize>| {
            let text = self.text.get(range).unwrap_or_default();
            // No reader counts the byte order mark.
            text.trim_start_matches('\u{feff}').encode_utf16().count()
        };
        let start = self.of_line(line).start;
        let (from, before) = match self.counted.get() {
            (at, before) if start <= at && at <= span.start => (at, before),
            _ => (start, 0),
        };
        let before = before + units(from..span.start);
        self.counted.set((span.start, before));
        Region { line, column: before + 1, end_column: before + 1 + units(span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf16_units_and_a_span_ends_with_its_line() {
        let text = "\u{feff}a: 1\r\né🚀: web\rlast: x\n  y\n";
        let lines = Lines::of(text);
        let at = |word: &str| text.find(word).map(|at| at..at + word.len()).unwrap();
        let region = |line, column, end_column| Region { line, column, end_column };
        assert_eq!(lines.region(at("1")), region(1, 4, 5));
        assert_eq!(lines.region(at("web")), region(2, 6, 9));
        assert_eq!(lines.region(at("x\n  y")), region(3, 7, 8));
        assert_eq!(lines.line(4), region(4, 3, 4));
        assert_eq!(lines.line(99), region(99, 1, 1));
        assert_eq!(lines.region(1000..1001).line, 5);
    }
}
