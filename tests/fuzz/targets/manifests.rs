//! `manifest::find` and `manifest::repin` over any document.

use std::ops::Range;

use granit_parser::{Event, Parser};
use lockkeeper::image::{Pinned, Reference, Repository};
use lockkeeper::manifest::{Form, Found, Pin, find, repin as change};

/// What a pin is moved to where the document does not say: no reader takes it for a number.
const TO: &str = "v9.9.9@sha256:2222222222222222222222222222222222222222222222222222222222222222";
/// Pins of one document that are moved: each costs some parses.
const MOVED_MAX: usize = 4;

/// Spans lie in the file and say what the pin says; documents do not act on each other.
pub fn pins(data: &[u8]) {
    let found = match find(data, &["a.b[0]", "image"]) {
        Ok(found) => found,
        Err(error) => return check_place(data, error.line, &error.reason),
    };
    let text = std::str::from_utf8(data).expect("pins were found in text alone");
    for place in &found.unreadable {
        check_place(data, place.line, &place.reason);
    }
    for pin in &found.pins {
        check_pin(text, pin);
    }
    let behind = find(format!("x: y\n...\n{text}").as_bytes(), &["a.b[0]", "image"]).map(|mut found| {
        found.pins.iter_mut().for_each(|pin| pin.line -= 2);
        found.pins.iter_mut().for_each(|pin| pin.document -= 1);
        found.pins.iter_mut().for_each(|pin| pin.span = pin.span.start - 9..pin.span.end - 9);
        found.unreadable.iter_mut().for_each(|place| place.line -= 2);
        found
    });
    assert_eq!(behind.as_ref(), Ok(&found), "behind another document");
    let longer = format!("{text}\n---\nx: y\n");
    let before = match find(longer.as_bytes(), &["a.b[0]", "image"]) {
        Ok(before) => before,
        // Directives and comments alone are no document, with the line behind them they belong to one; and a quote that is
        // not closed takes in all that follows.
        Err(error) => return assert!(found.pins.is_empty(), "{error} was YAML before"),
    };
    // The span of a block takes in the line breaks behind it.
    let trimmed = |text: &str, found: &Found| -> Vec<(Pin, String)> {
        let pin =
            |pin: &Pin| (Pin { span: 0..0, ..pin.clone() }, text[pin.span.clone()].trim_end().to_owned());
        found.pins.iter().map(pin).collect()
    };
    assert_eq!(trimmed(&longer, &before), trimmed(text, &found), "before another document");
}

fn check_place(data: &[u8], line: usize, reason: &str) {
    let breaks = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    assert!((1..=breaks + 1).contains(&line), "line {line} of {}: {reason}", breaks + 1);
    assert!(!reason.is_empty());
}

fn check_pin(text: &str, pin: &Pin) {
    let written = text.get(pin.span.clone()).unwrap_or_else(|| panic!("{pin:?} is no text of the file"));
    let is_plain = !text.contains(['*', '\\']);
    match pin.form {
        Form::Container | Form::ValuesString | Form::Compose => {
            assert_eq!(decoded(written), reference(pin), "{pin:?} is written {written:?}");
            assert_eq!(pin.line, line_of(text, pin.span.start), "{pin:?}");
        }
        Form::ValuesSplit | Form::Kustomize if is_plain => {
            let tag = pin.tag.as_ref().map(ToString::to_string);
            for part in [tag, pin.digest.map(|digest| digest.to_string())].into_iter().flatten() {
                assert!(written.contains(&part), "{pin:?} is written {written:?}");
            }
        }
        Form::ValuesSplit | Form::Kustomize | Form::HelmParameter | Form::Marked => {}
    }
}

/// The value of a scalar as it is written, read by another reader than the one that gave the span.
fn decoded(written: &str) -> String {
    if written.starts_with(['"', '\'']) {
        return serde_yaml::from_str(written).unwrap_or_else(|error| panic!("{written:?}: {error}"));
    }
    written.trim().to_owned()
}

fn reference(pin: &Pin) -> String {
    let Pin { repository, tag, digest, .. } = pin.clone();
    Reference { repository, tag, digest }.to_string()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() + 1
}

/// A pin that moves takes nothing along, and there is a way back.
///
/// A first line `# repin <repository> <to> [<path>]` says what is moved; else it is each of the first pins.
pub fn repin(data: &[u8]) {
    let first = std::str::from_utf8(data).unwrap_or_default().lines().next().unwrap_or_default();
    if let Some((repository, to, only)) = asked(first) {
        moved(data, &repository, &to, only.as_deref());
    }
    let Ok(found) = find(data, &[]) else { return };
    let to = pinned(TO).expect("it is well formed");
    for pin in found.pins.iter().take(MOVED_MAX) {
        moved(data, &pin.repository, &to, None);
        moved(data, &pin.repository, &to, Some(&pin.path));
    }
}

fn asked(line: &str) -> Option<(Repository, Pinned, Option<String>)> {
    let mut words = line.strip_prefix("# repin ")?.splitn(3, ' ');
    let (repository, to) = (words.next()?.parse().ok()?, pinned(words.next()?)?);
    Some((repository, to, words.next().map(str::to_owned)))
}

fn pinned(text: &str) -> Option<Pinned> {
    let (tag, digest) = text.split_once('@')?;
    let tag = (!tag.is_empty()).then(|| tag.parse()).transpose().ok()?;
    Some(Pinned { tag, digest: digest.parse().ok()? })
}

fn moved(before: &[u8], repository: &Repository, to: &Pinned, only: Option<&str>) {
    let after = match change(before, repository, to, only) {
        Ok(after) => after,
        Err(refusal) => return check_place(before, refusal.line, &refusal.reason),
    };
    let again = change(&after, repository, to, only);
    assert_eq!(again.as_deref(), Ok(&after[..]), "a second time is no no-op");
    let marked: Vec<&str> = only.into_iter().collect();
    // Another document of the file may be no YAML; it is not looked at, and stays as it is.
    let Ok(was) = find(before, &marked) else { return };
    let is = find(&after, &marked).expect("what could be read can be read");
    let is_meant = |pin: &Pin| only.is_none_or(|only| only == pin.path) && pin.repository.is_same(repository);
    // Compose reads nothing at its root keys `x-…`: an anchor there moves with whoever uses it.
    let meant_spans: Vec<_> = was.pins.iter().filter(|pin| is_meant(pin)).map(|pin| &pin.span).collect();
    let is_moved =
        |pin: &Pin| is_meant(pin) || pin.path.starts_with("x-") && meant_spans.contains(&&pin.span);
    check_found(&was, &is, to, is_moved);
    let meant: Vec<&Pin> = was.pins.iter().filter(|pin| is_meant(pin)).collect();
    check_events(before, &after, to);
    // The parts of such a pin stand in several maps.
    let is_apart = |pin: &&&Pin| matches!(pin.form, Form::HelmParameter | Form::Marked);
    if meant.iter().all(|pin| pin.digest.is_some()) && !meant.iter().any(|pin| is_apart(&pin)) {
        let spans = |found: &Found| merged(found.pins.iter().filter(|pin| is_meant(pin)));
        assert_eq!(gaps(before, &spans(&was)), gaps(&after, &spans(&is)), "bytes outside of the pins");
    }
    check_way_back(before, &after, repository, &meant, only);
}

/// The pins that are meant say what they should, all others what they did.
fn check_found(was: &Found, is: &Found, to: &Pinned, is_meant: impl Fn(&Pin) -> bool) {
    assert_eq!(was.pins.len(), is.pins.len());
    for (was, is) in was.pins.iter().zip(&is.pins) {
        let (digest, is_right_tag) = if is_meant(was) {
            (Some(to.digest), is.tag == to.tag || (was.tag.is_none() && is.tag.is_none()))
        } else {
            (was.digest, is.tag == was.tag)
        };
        assert!(is.digest == digest && is_right_tag, "{was:?} became {is:?}");
        let place = |pin: &Pin| (pin.document, pin.path.clone(), pin.repository.clone());
        assert_eq!(place(was), place(is));
        // A marked name that became a whole reference is one that needs no marker.
        assert!(was.form == is.form || was.form == Form::Marked, "{was:?} became {is:?}");
    }
}

/// A parse of both: the same events, but for scalars that now say the new tag or digest, and digests that came.
fn check_events(before: &[u8], after: &[u8], to: &Pinned) {
    let (Some(before), Some(after)) = (events(before), events(after)) else { return };
    let (digest, tag) = (to.digest.to_string(), to.tag.as_ref().map(ToString::to_string));
    let mut after = after.into_iter().peekable();
    for was in before {
        if was != *after.peek().expect("no event is gone") && after.peek() == Some(&scalar("digest")) {
            after.next();
            assert_eq!(after.next(), Some(scalar(&digest)), "a key came that is not ours");
        }
        let is = after.next().expect("no event is gone");
        let is_new =
            is.strip_prefix('=').is_some_and(|text| text.ends_with(&digest) || Some(text) == tag.as_deref());
        assert!(was == is || (was.starts_with('=') && is_new), "{was} became {is}");
    }
    let rest: Vec<String> = after.collect();
    assert_eq!(rest, Vec::<String>::new());
}

/// The events of a file, scalars as `=` and their text; none where it is no YAML as a whole.
fn events(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let options = granit_parser::options! { emit_comments: false };
    let events = Parser::new_from_str_with_options(text, options).map(|next| match next.ok()?.0 {
        Event::Scalar(text, ..) => Some(scalar(&text)),
        Event::Alias(_) => Some("alias".to_owned()),
        Event::SequenceStart(..) => Some("[".to_owned()),
        Event::MappingStart(..) => Some("{".to_owned()),
        _ => Some("mark".to_owned()),
    });
    events.collect()
}

fn scalar(text: &str) -> String {
    format!("={text}")
}

/// The spans of pins, those that meet as one.
fn merged<'a>(pins: impl Iterator<Item = &'a Pin>) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = pins.map(|pin| pin.span.clone()).collect();
    spans.sort_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end || span.start == last.start => {
                last.end = last.end.max(span.end);
            }
            _ => merged.push(span),
        }
    }
    merged
}

/// What stands before, between and after these spans.
fn gaps<'a>(bytes: &'a [u8], spans: &[Range<usize>]) -> Vec<&'a [u8]> {
    let starts = std::iter::once(0).chain(spans.iter().map(|span| span.end));
    let ends = spans.iter().map(|span| span.start).chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// Where all pins said the same, they can say it again; quotes that a number needed may stay, and an escape is written
/// out for good.
fn check_way_back(before: &[u8], after: &[u8], repository: &Repository, meant: &[&Pin], only: Option<&str>) {
    let Some(first) = meant.first() else { return };
    let Some(digest) = first.digest else { return };
    if before.contains(&b'\\') || meant.iter().any(|pin| (&pin.tag, pin.digest) != (&first.tag, first.digest))
    {
        return;
    }
    let from = Pinned { tag: first.tag.clone(), digest };
    let Ok(back) = change(after, repository, &from, only) else { return };
    let without_quotes =
        |bytes: &[u8]| bytes.iter().copied().filter(|byte| *byte != b'"').collect::<Vec<u8>>();
    let is_exact = first.tag.as_ref().is_some_and(|tag| tag.as_str().starts_with('v'));
    assert_eq!(without_quotes(before), without_quotes(&back), "the way back");
    assert!(!is_exact || before == back, "the way back");
}
