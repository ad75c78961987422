//! Foreign text in what we write.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use lockkeeper::command;
use lockkeeper::plan::messages::{code, escape as escaped, one_line, prose};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// What a forge acts on in text: mentions, references, closing keywords (they need a reference), links, addresses.
static ACTING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)@\w|#\w|!\d|\bgh-\d|://|\bwww\.|[a-z0-9.+_-]@[a-z0-9._-]").unwrap());

/// Foreign text reads as itself, and nothing in it acts.
pub fn escape(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let line = one_line(&text);
    assert!(line.chars().count() <= 400 && !line.contains(char::is_control), "{line:?}");
    let (plain, codes) = shown(&escaped(&text));
    assert_eq!((plain.replace('\u{2060}', ""), codes), (line.clone(), vec![]));
    check_quiet(&plain);
    let (beside, _) = shown(&format!("vetoed by {} ({})", escaped(&text), escaped(&text)));
    check_quiet(&beside);
    let in_code = line.replace('`', "'");
    assert_eq!(
        shown(&code(&text)),
        ("\0".to_owned(), vec![if in_code.is_empty() { " ".to_owned() } else { in_code }])
    );
    check_quiet(&shown(&prose(&text)).0);
    for written in [escaped(&text), code(&text), prose(&text)] {
        assert_eq!(command::parse(&written, "lockkeeper", &BTreeSet::new()), Ok(vec![]), "{written}");
        assert!(written.len() <= 16 * 400 && !written.contains('\n'), "{written:?}");
    }
}

fn check_quiet(shown: &str) {
    assert!(!ACTING.is_match(shown), "{:?} acts in {shown:?}", ACTING.find(shown));
}

/// What Markdown makes of it: the text, and the code in it. It is one paragraph of nothing else.
fn shown(markdown: &str) -> (String, Vec<String>) {
    let (mut text, mut codes) = (String::new(), Vec::new());
    for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Text(part) => text.push_str(&part),
            // What stands before and behind code does not meet.
            Event::Code(part) => {
                codes.push(part.into_string());
                text.push('\0');
            }
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
            other => panic!("{other:?} in {markdown:?}"),
        }
    }
    (text, codes)
}
