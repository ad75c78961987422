//! Making foreign text harmless in Markdown.

/// Longest piece of foreign text that is shown, in characters.
const SHOWN_CHARACTERS_MAX: usize = 400;

/// Has no width, and belongs to no name, number or address.
const WORD_JOINER: char = '\u{2060}';

/// Foreign text as one plain line: no control or direction characters, bounded.
#[must_use]
pub fn one_line(text: &str) -> String {
    let is_harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let line: String = spaced.filter(is_harmless).take(SHOWN_CHARACTERS_MAX).collect();
    line.trim().to_owned()
}

/// Foreign text in a code span that it cannot leave.
#[must_use]
pub fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

/// Foreign text as prose: every character that Markdown gives a meaning is escaped; mentions, references, closing
/// keywords and links are broken by an invisible word joiner.
#[must_use]
pub fn escape(text: &str) -> String {
    let line = one_line(text);
    let mut escaped = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '<' | '>' | '~' | '|' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '&' => escaped.push_str("&amp;"),
            _ => escaped.push(c),
        }
        let is_mention = c == '@' && next.is_some_and(char::is_alphanumeric);
        let is_reference = c == '#' && next.is_some_and(|c| c.is_ascii_digit());
        let is_link = c == ':' && next == Some('/');
        if is_mention || is_reference || is_link {
            escaped.push(WORD_JOINER);
        }
    }
    escaped
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
        ] {
            assert_eq!(escape(text), want);
        }
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(one_line(&"x".repeat(500)).len(), 400);
    }
}
