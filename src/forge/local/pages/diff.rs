//! The difference of two commits, file by file, bounded.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::body::visible;
use crate::repository::Change;

/// The largest side of a file that is compared, in bytes: beyond it nobody reads the difference on a page.
const FILE_BYTES_MAX: usize = 256 << 10;
/// The most lines shown, over all files: a page of about 1 MB.
pub(super) const LINES_MAX: usize = 5_000;
/// The longest line shown, in letters; a pin has 200.
const LINE_LETTERS_MAX: usize = 2_000;
/// How long one file may be compared; past it the difference is coarser, and still right.
const TIME_MAX: Duration = Duration::from_millis(200);
/// The lines around a change.
const CONTEXT_LINES: usize = 3;

/// The difference in one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileDiff {
    pub(super) path: String,
    /// What happened to the file: added, removed or changed.
    pub(super) verb: &'static str,
    /// Why no lines are shown; empty if they are.
    pub(super) note: &'static str,
    pub(super) added: usize,
    pub(super) removed: usize,
    pub(super) hunks: Vec<Hunk>,
}

/// Lines that stand together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) header: String,
    pub(super) lines: Vec<Line>,
}

/// One line: its sign, its numbers on both sides, and its text in three parts, of which the middle one differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sign: &'static str,
    pub(super) class: &'static str,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) before: String,
    pub(super) middle: String,
    pub(super) after: String,
}

/// The differences, at most [`LINES_MAX`] lines of them.
pub(super) fn diffs(changes: &[Change]) -> Vec<FileDiff> {
    let mut room = LINES_MAX;
    let mut diffs = Vec::new();
    for change in changes {
        let diff = file(change, room);
        room = room.saturating_sub(diff.hunks.iter().map(|hunk| hunk.lines.len()).sum());
        diffs.push(diff);
    }
    diffs
}

fn file(change: &Change, room: usize) -> FileDiff {
    let verb = match (&change.before, &change.after) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        (Some(_), Some(_)) | (None, None) => "changed",
    };
    let mut diff =
        FileDiff { path: visible(&change.path), verb, note: "", added: 0, removed: 0, hunks: Vec::new() };
    let (Some(before), Some(after)) = (side(change.before.as_deref()), side(change.after.as_deref())) else {
        diff.note = "too large, or no text: not shown";
        return diff;
    };
    let text = TextDiff::configure().timeout(TIME_MAX).diff_lines(before, after);
    for hunk in text.unified_diff().context_radius(CONTEXT_LINES).iter_hunks() {
        let lines: Vec<Line> = hunk.iter_changes().map(|change| line(&change)).collect();
        diff.added += lines.iter().filter(|line| line.sign == "+").count();
        diff.removed += lines.iter().filter(|line| line.sign == "-").count();
        diff.hunks.push(Hunk { header: hunk.header().to_string(), lines: marked(lines) });
    }
    if diff.hunks.iter().map(|hunk| hunk.lines.len()).sum::<usize>() > room {
        diff.hunks.clear();
        diff.note = "too many lines on this page: not shown";
    } else if diff.hunks.is_empty() {
        diff.note = "only its mode or its emptiness changed";
    }
    diff
}

/// The text of a side; none if it is too large or no text.
fn side(bytes: Option<&[u8]>) -> Option<&str> {
    let bytes = bytes.unwrap_or_default();
    let is_text = bytes.len() <= FILE_BYTES_MAX && !bytes.contains(&0);
    std::str::from_utf8(bytes).ok().filter(|_| is_text)
}

fn line(change: &similar::Change<&str>) -> Line {
    let (sign, class) = match change.tag() {
        ChangeTag::Equal => (" ", ""),
        ChangeTag::Delete => ("-", "removed"),
        ChangeTag::Insert => ("+", "added"),
    };
    let number = |index: Option<usize>| index.map(|index| (index + 1).to_string()).unwrap_or_default();
    let text = change.value();
    let ended = text.strip_suffix('\n');
    let mut before = visible(&ended.unwrap_or(text).chars().take(LINE_LETTERS_MAX).collect::<String>());
    if ended.is_none() {
        before.push_str(" (no newline at the end)");
    }
    let (old, new) = (number(change.old_index()), number(change.new_index()));
    Line { sign, class, old, new, before, middle: String::new(), after: String::new() }
}

/// Marks what differs between a removed line and the added one that stands in its place.
fn marked(mut lines: Vec<Line>) -> Vec<Line> {
    let mut at = 0;
    while at < lines.len() {
        let run =
            |from: usize, sign: &str| lines.iter().skip(from).take_while(|line| line.sign == sign).count();
        let removed = run(at, "-");
        let added = run(at + removed, "+");
        if removed == added {
            for place in at..at + removed {
                mark(&mut lines, place, place + removed);
            }
        }
        at += (removed + added).max(1);
    }
    lines
}

fn mark(lines: &mut [Line], old: usize, new: usize) {
    let (Some(one), Some(other)) = (lines.get(old), lines.get(new)) else { return };
    let pairs = || one.before.chars().zip(other.before.chars());
    let same: usize = pairs().take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let ends = one.before.get(same..).unwrap_or_default().chars().rev();
    let ends = ends.zip(other.before.get(same..).unwrap_or_default().chars().rev());
    let tail: usize = ends.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    // Where nearly nothing is the same, a mark on everything says nothing.
    if same + tail == 0 {
        return;
    }
    for place in [old, new] {
        if let Some(line) = lines.get_mut(place) {
            let text = std::mem::take(&mut line.before);
            let (start, after) = text.split_at(text.len() - tail);
            let (before, middle) = start.split_at(same);
            (line.before, line.middle, line.after) = (before.to_owned(), middle.to_owned(), after.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<&[u8]>, after: Option<&[u8]>) -> Change {
        Change {
            path: "a.yaml".to_owned(),
            before: before.map(<[u8]>::to_vec),
            after: after.map(<[u8]>::to_vec),
        }
    }

    fn shown(diff: &FileDiff) -> String {
        let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
        let line = |line: &Line| format!("{}{}[{}]{}", line.sign, line.before, line.middle, line.after);
        lines.map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn marks_what_differs_in_a_pin() {
        let diffs = diffs(&[change(Some(b"a\nimage: x:1.4.1@51b0\n"), Some(b"a\nimage: x:1.4.2@9f20\n"))]);
        assert_eq!(shown(&diffs[0]), " a[]\n-image: x:1.4.[1@51b]0\n+image: x:1.4.[2@9f2]0");
        assert_eq!((diffs[0].added, diffs[0].removed, diffs[0].verb), (1, 1, "changed"));
        assert_eq!(diffs[0].hunks[0].header, "@@ -1,2 +1,2 @@");
        assert_eq!(
            (diffs[0].hunks[0].lines[1].old.as_str(), diffs[0].hunks[0].lines[1].new.as_str()),
            ("2", "")
        );
    }

    #[test]
    fn names_what_it_does_not_show() {
        for (before, after, verb, note) in [
            (None, Some(&b"a\n"[..]), "added", ""),
            (Some(&b"a\n"[..]), None, "removed", ""),
            (Some(&b"a\0"[..]), Some(&b"b\n"[..]), "changed", "too large, or no text: not shown"),
            (Some(&b"\xff"[..]), Some(&b"b\n"[..]), "changed", "too large, or no text: not shown"),
            (None, Some(&b""[..]), "added", "only its mode or its emptiness changed"),
        ] {
            let diffs = diffs(&[change(before, after)]);
            assert_eq!((diffs[0].verb, diffs[0].note), (verb, note));
        }
        let large = |length: usize| vec![b'a'; length];
        assert_eq!(diffs(&[change(None, Some(&large(FILE_BYTES_MAX)))])[0].note, "");
        assert_ne!(diffs(&[change(None, Some(&large(FILE_BYTES_MAX + 1)))])[0].note, "");
        let lines = |count: usize| "a\n".repeat(count).into_bytes();
        assert_eq!(diffs(&[change(None, Some(&lines(LINES_MAX)))])[0].note, "");
        assert_ne!(diffs(&[change(None, Some(&lines(LINES_MAX + 1)))])[0].note, "");
    }

    #[test]
    fn is_quick_with_text_that_has_nothing_in_common() {
        let text = |seed: u64| {
            (0..20_000_u64).map(|at| ((at * seed) % 7919).to_string()).collect::<Vec<_>>().join("\n")
        };
        let (one, other) = (text(31), text(37));
        let begun = std::time::Instant::now();
        diffs(&[change(Some(one.as_bytes()), Some(other.as_bytes()))]);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
