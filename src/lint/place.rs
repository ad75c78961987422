//! Where something stands in a file, as people and editors count.

use std::ops::Range;

/// Bytes between two places up to which columns are counted beforehand: a line may be as long as the file.
const COUNTED_BYTES: usize = 256;

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
    /// Every so many bytes, the begin of a character and the units before it.
    counted: Vec<(usize, usize)>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = memchr::memchr2_iter(b'\n', b'\r', bytes);
        let ends = ends.filter(|at| !(bytes.get(*at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n')));
        let starts = std::iter::once(0).chain(ends.map(|at| at + 1)).collect();
        let (mut counted, mut from, mut before) = (Vec::new(), 0, 0);
        for at in (0..=text.len()).step_by(COUNTED_BYTES) {
            let at = text.floor_char_boundary(at);
            before += units(text, from..at);
            counted.push((at, before));
            from = at;
        }
        Self { text, starts, counted }
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
        let [start, from, to] = [self.of_line(line).start, span.start, span.end].map(|at| self.before(at));
        Region { line, column: from - start + 1, end_column: to - start + 1 }
    }

    /// The units before a byte.
    fn before(&self, at: usize) -> usize {
        let (from, before) = self.counted.get(at / COUNTED_BYTES).copied().unwrap_or_default();
        before + units(self.text, from..at)
    }
}

/// UTF-16 code units; no reader counts the byte order mark.
fn units(text: &str, range: Range<usize>) -> usize {
    let is_begin = range.start == 0;
    let text = text.get(range).unwrap_or_default();
    let text = if is_begin { text.trim_start_matches('\u{feff}') } else { text };
    text.encode_utf16().count()
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

    #[test]
    fn places_of_a_long_line_may_come_in_any_order() {
        let text = "é🚀 x".repeat(20_000);
        let lines = Lines::of(&text);
        for index in (0..20_000).rev() {
            let at = index * 8;
            let want = Region { line: 1, column: index * 5 + 1, end_column: index * 5 + 4 };
            assert_eq!(lines.region(at..at + 6), want);
        }
    }
}
