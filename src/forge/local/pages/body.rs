//! What all pages share: the frame around them, and how text of strangers is shown.

use super::moment::Moment;
use super::style;
use super::visitor::Visitor;
use super::{SignIn, Site};
use crate::forge::{CheckStatus, Person, PullRequestState};

/// The frame of a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) repository: String,
    pub(super) prefix: String,
    pub(super) style: String,
    /// Who is signed in, and how.
    pub(super) person: Option<(String, &'static str)>,
    /// The token for the forms; empty if there is no session.
    pub(super) form_token: String,
    pub(super) is_demo: bool,
    pub(super) as_of: Moment,
}

impl Frame {
    pub(super) fn new(site: &Site, visitor: Option<&Visitor>, title: &str) -> Self {
        let known = visitor.and_then(|visitor| visitor.known.as_ref());
        let session = visitor.and_then(|visitor| visitor.session.as_ref());
        Self {
            title: title.to_owned(),
            repository: site.options.title.clone(),
            prefix: site.prefix.clone(),
            style: site.path(&style::path()),
            person: known.map(|(known, identified)| (known.person.name.clone(), identified.words())),
            form_token: session.map(|session| site.sessions.form_token(session)).unwrap_or_default(),
            is_demo: site.options.sign_in == SignIn::ChooseName,
            as_of: Moment::new(site.forge.now()),
        }
    }
}

/// A state: symbol, word, and the class that colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) symbol: &'static str,
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl Badge {
    pub(super) fn of_state(state: &PullRequestState) -> Self {
        match state {
            PullRequestState::Open => Self { symbol: "●", word: "open", class: "go" },
            PullRequestState::Merged { .. } => Self { symbol: "✔", word: "merged", class: "done" },
            PullRequestState::Closed { .. } => Self { symbol: "✖", word: "closed", class: "stop" },
        }
    }

    pub(super) fn of_check(status: CheckStatus) -> Self {
        match status {
            CheckStatus::Pending => Self { symbol: "◔", word: "pending", class: "wait" },
            CheckStatus::Passed => Self { symbol: "✓", word: "passed", class: "go" },
            CheckStatus::Failed => Self { symbol: "✖", word: "failed", class: "stop" },
        }
    }
}

/// The name of a person, an app marked as one.
pub(super) fn name(person: &Person) -> String {
    if person.bot { format!("{} (app)", person.name) } else { person.name.clone() }
}

/// The text with what cannot be seen made visible: letters that turn the direction of a line, and control characters
/// (a tab apart) could make a line look like another.
pub(super) fn visible(text: &str) -> String {
    let is_hidden = |letter: char| {
        let turns =
            matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
        (letter.is_control() && letter != '\t') || turns || letter == '\u{feff}'
    };
    if !text.contains(is_hidden) {
        return text.to_owned();
    }
    let shown = |letter: char| {
        if is_hidden(letter) {
            format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(letter))
        } else {
            letter.to_string()
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn shows_what_hides() {
        for (text, want) in [
            ("plain → text\t", "plain → text\t"),
            ("a\u{202e}b", "a⟨U+202E⟩b"),
            ("a\u{0}b\u{200b}", "a⟨U+0000⟩b⟨U+200B⟩"),
            ("\u{feff}", "⟨U+FEFF⟩"),
        ] {
            assert_eq!(visible(text), want);
        }
    }
}
