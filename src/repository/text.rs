//! Text from the git host, made harmless: it ends in logs, pages and comments.

/// Characters of one text kept: a screenful of a hook's words, and no more than a comment can hold.
const TEXT_CHARS_MAX: usize = 2_000;

/// These bytes as one line: lines are joined by `; `, control, terminal and direction characters are dropped,
/// the rest is cut at 2,000 characters (`TEXT_CHARS_MAX`).
pub(super) fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(['\n', '\r']) {
        let plain = plain(part);
        let plain = plain.trim();
        if !plain.is_empty() {
            lines.push(plain.to_owned());
        }
    }
    let joined = lines.join("; ");
    if joined.chars().count() <= TEXT_CHARS_MAX {
        return joined;
    }
    joined.chars().take(TEXT_CHARS_MAX).chain(['…']).collect()
}

/// Drops terminal sequences (`ESC [ … letter`) and every character that a reader cannot see.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            while characters.next_if(|next| !('@'..='~').contains(next)).is_some() {}
            characters.next();
        } else if character == '\t' {
            plain.push(' ');
        } else if !character.is_control() && !is_direction(character) {
            plain.push(character);
        }
    }
    plain
}

/// Zero-width and direction characters reorder what a person reads (Unicode 16, sections 23.2 and 23.3).
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_becomes_one_harmless_line() {
        for (given, want) in [
            (&b"no direct pushes\nask #ops\n"[..], "no direct pushes; ask #ops"),
            (b"\x1b[31mred\x1b[0m alert\r\n\r\n", "red alert"),
            (b"a\0b\x07c\td", "abc d"),
            ("left\u{202e}right\u{200b}".as_bytes(), "leftright"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\x1b[", ""),
            (b"", ""),
        ] {
            assert_eq!(line(given), want);
        }
    }

    #[test]
    fn text_is_cut_at_its_bound() {
        assert_eq!(line(&[b'x'; TEXT_CHARS_MAX]).chars().count(), TEXT_CHARS_MAX);
        assert_eq!(line(&[b'x'; TEXT_CHARS_MAX + 1]).chars().count(), TEXT_CHARS_MAX + 1);
        assert!(line(&[b'x'; TEXT_CHARS_MAX + 1]).ends_with('…'));
    }
}
