//! Characters that people do not see but that change what they read.

/// Whether the character is a control, or moves, hides or turns around the text near it.
///
/// Source: Unicode Standard Annex 9, section 2 (explicit directional formatting), and Annex 14 (line separators).
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_directions_are_hidden_and_letters_are_not() {
        for hidden in
            ['\0', '\n', '\t', '\x7f', '\u{85}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200b}', '\u{feff}']
        {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for seen in ['a', ' ', 'é', '支', '→', '🚀', '\u{200d}', '\u{2027}', '\u{202f}'] {
            assert!(!is_hidden(seen), "{seen:?}");
        }
    }
}
