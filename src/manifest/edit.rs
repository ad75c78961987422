//! From a site and what it shall say to the bytes that change.

use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};
use memchr::{memchr2, memrchr2};

use crate::image::{Pinned, Reference};

use super::Refusal;
use super::site::{DigestField, Extend, Field, Shape, Site, TagField};
use super::tree::{Id, Kind, Tagged, Tree};

/// One splice, and what it does to the document as it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The bytes of the document that go.
    pub(super) at: Range<usize>,
    /// The bytes that come.
    pub(super) bytes: String,
    /// The scalar that changes, or the mapping that gets a key.
    pub(super) node: Id,
    /// Its place as a reader sees it.
    pub(super) path: String,
    pub(super) effect: Effect,
}

/// What a splice does to the document as it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// The scalar has this value.
    Value(String),
    /// The mapping has one key more, after its entry of this number.
    Key { name: &'static str, value: String, after: usize },
}

/// The splices that bring a site to `to`; none where it is there.
pub(super) fn changes(tree: &Tree<'_>, site: &Site, to: &Pinned) -> Result<Vec<Change>, Refusal> {
    let refuse = |reason: String| Refusal { line: site.pin.line, reason };
    match &site.shape {
        Shape::Whole { value, prefix, extend } => {
            if let (Extend::TagElsewhere(key), None, None) = (extend, &site.pin.tag, &site.pin.digest) {
                return Err(refuse(format!(
                    "entangled: the value has no tag, and `{key}` beside it may hold it; \
                     mark them and a field for the digest"
                )));
            }
            let repository = site.pin.repository.clone();
            let reference = Reference { repository, tag: to.tag.clone(), digest: Some(to.digest) };
            if is_quietly_equal(site, to) {
                return Ok(Vec::new());
            }
            Ok(put(tree, value, &format!("{prefix}{reference}"))?.into_iter().collect())
        }
        Shape::Parts { tag, digest } => parts(tree, site, tag, digest, to),
    }
}

/// Whether a whole reference says `to` already, however it is escaped.
fn is_quietly_equal(site: &Site, to: &Pinned) -> bool {
    site.pin.digest == Some(to.digest) && site.pin.tag == to.tag
}

fn parts(
    tree: &Tree<'_>,
    site: &Site,
    tag: &TagField,
    digest: &DigestField,
    to: &Pinned,
) -> Result<Vec<Change>, Refusal> {
    let refuse = |reason: &str| Refusal { line: site.pin.line, reason: reason.to_owned() };
    let without_tag =
        || refuse("entangled: the place has a tag and the new digest has none, so both would disagree");
    let mut changes = Vec::new();
    match (tag, &to.tag) {
        (TagField::WithDigest(field), Some(tag)) => {
            changes.extend(put(tree, field, &format!("{tag}@{}", to.digest))?);
            return Ok(changes);
        }
        (TagField::WithDigest(_), None) => return Err(without_tag()),
        (TagField::Plain(_), None) if site.pin.tag.is_some() => return Err(without_tag()),
        (TagField::Plain(field), Some(tag)) => changes.extend(put(tree, field, tag.as_str())?),
        (TagField::Plain(_), None) | (TagField::Absent, _) => {}
    }
    match digest {
        DigestField::Present(field) => changes.extend(put(tree, field, &to.digest.to_string())?),
        DigestField::AddAfter { mapping, mapping_path, key, ordinal } => {
            let (at, bytes) = insertion(tree, *mapping, *key, ("digest", &to.digest.to_string()))?;
            let effect = Effect::Key { name: "digest", value: to.digest.to_string(), after: *ordinal };
            changes.push(Change { at, bytes, node: *mapping, path: mapping_path.clone(), effect });
        }
        DigestField::Missing(reason) => return Err(refuse(reason)),
    }
    Ok(changes)
}

/// The document with these splices; `changes` is left sorted, each splice once.
pub(super) fn splice(tree: &Tree<'_>, changes: &mut Vec<Change>) -> Result<String, Refusal> {
    changes.sort_by_key(|change| (change.at.start, change.at.end));
    // Several places that read one anchored value give the same splice.
    changes.dedup_by(|one, other| one.at == other.at && one.bytes == other.bytes && one.node == other.node);
    let text = tree.document.text;
    let mut edited =
        String::with_capacity(text.len() + changes.iter().map(|change| change.bytes.len()).sum::<usize>());
    let mut end = 0;
    for change in &*changes {
        let Some(kept) = text.get(end..change.at.start).filter(|_| text.get(change.at.clone()).is_some())
        else {
            let reason = "entangled: two changes meet in one value".to_owned();
            return Err(Refusal { line: tree.node(change.node).line, reason });
        };
        edited.push_str(kept);
        edited.push_str(&change.bytes);
        end = change.at.end;
    }
    edited.push_str(text.get(end..).unwrap_or_default());
    Ok(edited)
}

/// The splice that gives a scalar this value in the style it has; none where it has the value.
fn put(tree: &Tree<'_>, field: &Field, value: &str) -> Result<Option<Change>, Refusal> {
    let node = tree.node(field.node);
    let refuse = |reason: &str| Refusal { line: node.line, reason: reason.to_owned() };
    let Kind::Scalar { text, style } = &node.kind else { return Err(refuse("value is no scalar")) };
    let is_bare = *style == ScalarStyle::Plain && node.tagged == Tagged::No;
    if text == value && !(is_bare && reads_as_other(value)) {
        return Ok(None);
    }
    let span = node.span();
    let source = tree.document.text.get(span.clone()).unwrap_or_default();
    let in_style = if is_bare && needs_quotes(value) { format!("\"{value}\"") } else { value.to_owned() };
    let (at, bytes) = match style {
        ScalarStyle::Plain if span.is_empty() => {
            let at = after_colon(tree, field)
                .ok_or_else(|| refuse("field is empty; write `\"\"` as its value"))?;
            (at..at, format!(" {in_style}"))
        }
        ScalarStyle::Plain => (span, in_style),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let quote = if *style == ScalarStyle::SingleQuoted { '\'' } else { '"' };
            if source.len() < 2 || !source.starts_with(quote) || !source.ends_with(quote) {
                return Err(refuse("entangled: the quotes of the value are not where they should be"));
            }
            (span.start + 1..span.end - 1, in_style)
        }
        // Its span begins somewhere before the text and ends after it, and may hold blank lines.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let mut places = source.match_indices(text.as_ref()).map(|(at, _)| span.start + at);
            match (places.next(), places.next()) {
                (Some(at), None) if !text.is_empty() && source.trim() == text => {
                    (at..at + text.len(), in_style)
                }
                _ => return Err(refuse("entangled: the value is a block of more than one line")),
            }
        }
    };
    let effect = Effect::Value(value.to_owned());
    Ok(Some(Change { at, bytes, node: field.node, path: field.path.clone(), effect }))
}

/// Where the value of a key without one begins: right behind its colon, unless a tag or anchor stands there.
fn after_colon(tree: &Tree<'_>, field: &Field) -> Option<usize> {
    let end = tree.node(field.key?).span().end;
    let rest = tree.document.text.get(end..)?.strip_prefix(':')?.trim_start_matches([' ', '\t']);
    let is_free = rest.is_empty() || rest.starts_with(['\n', '\r', '#', ',', '}', ']']);
    is_free.then_some(end + 1)
}

/// Where and how a new entry is added after that of this key.
fn insertion(
    tree: &Tree<'_>,
    mapping: Id,
    key: Id,
    (name, content): (&str, &str),
) -> Result<(Range<usize>, String), Refusal> {
    let text = tree.document.text;
    let refuse = |reason: &str| Refusal { line: tree.node(key).line, reason: reason.to_owned() };
    let value =
        tree.keys_and_values(mapping).find_map(|(other, value)| (other == key).then(|| tree.node(value)));
    let Some(value) = value.filter(|value| !value.span().is_empty()) else {
        return Err(refuse("there is no value to add a digest after; write one, or add `digest: \"\"`"));
    };
    let is_block = match &value.kind {
        Kind::Scalar { style, .. } => matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
        Kind::Sequence { .. } | Kind::Mapping { .. } | Kind::Alias { .. } => false,
    };
    if is_block {
        return Err(refuse("entangled: the value is a block; write it on one line, or add `digest: \"\"`"));
    }
    let end = value.span().end;
    if matches!(tree.node(mapping).kind, Kind::Mapping { style: StructureStyle::Flow, .. }) {
        // In a file that is JSON as well, it stays JSON.
        let is_json = matches!(tree.node(key).kind, Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. });
        let quote = if is_json { "\"" } else { "" };
        return Ok((end..end, format!(", {quote}{name}{quote}: {quote}{content}{quote}")));
    }
    let key_start = tree.node(key).span().start;
    let line_start = memrchr2(b'\n', b'\r', &text.as_bytes()[..key_start]).map_or(0, |at| at + 1);
    let before = text.get(line_start..key_start).unwrap_or_default();
    if !before.bytes().all(|byte| matches!(byte, b' ' | b'-')) {
        return Err(refuse("entangled: something stands before the key on its line; add `digest: \"\"`"));
    }
    let line_end = memchr2(b'\n', b'\r', &text.as_bytes()[end..]).map_or(text.len(), |at| end + at);
    let (line_break, indent) = (line_break(text, line_end), " ".repeat(before.len()));
    Ok((line_end..line_end, format!("{line_break}{indent}{name}: {content}")))
}

/// The line break at this byte; at the end of the text, the first one in it.
fn line_break(text: &str, at: usize) -> &str {
    let rest =
        text.get(at..).filter(|rest| !rest.is_empty()).or_else(|| text.get(text.find(['\n', '\r'])?..));
    match rest.unwrap_or_default().as_bytes() {
        [b'\r', b'\n', ..] => "\r\n",
        [b'\r', ..] => "\r",
        _ => "\n",
    }
}

/// Whether a value cannot stand without quotes.
fn needs_quotes(value: &str) -> bool {
    reads_as_other(value) || !value.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
}

/// Whether some YAML reader takes the plain scalar for a number, a boolean, a null or a date.
///
/// Wider than the reader of the proof: Helm and kustomize read YAML 1.1 (`1_0`, `0o7`, `yes`, `2026-11-21`).
fn reads_as_other(value: &str) -> bool {
    const WORDS: [&str; 12] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    let lower = value.to_ascii_lowercase();
    let digits = lower.replace('_', "");
    let is_based = ["0x", "0o", "0b"].iter().any(|base| {
        digits
            .strip_prefix(base)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    let is_number = digits.parse::<f64>().is_ok() || lower.is_empty();
    WORDS.contains(&lower.as_str()) || lower == "~" || is_number || is_based || is_date(&lower)
}

/// `2026-11-21` and what follows it in a timestamp.
fn is_date(value: &str) -> bool {
    let mut parts = value.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let is_all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let day_digits = day.bytes().take_while(u8::is_ascii_digit).count();
    let after = day.as_bytes().get(day_digits);
    year.len() == 4
        && is_all_digits(year)
        && matches!(month.len(), 1 | 2)
        && is_all_digits(month)
        && matches!(day_digits, 1 | 2)
        && matches!(after, None | Some(b't'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_reader_takes_for_another_type_is_quoted() {
        for number in [
            "1",
            "1.20",
            "12345e7",
            "1e3",
            "1.",
            "010",
            "0x1f",
            "0o17",
            "0b11",
            "1_000",
            "_1",
            "yes",
            "No",
            "ON",
            "y",
            "null",
            "true",
            "nan",
            "inf",
            "2026-11-21",
            "2026-1-2t10",
            "",
        ] {
            assert!(reads_as_other(number), "{number}");
        }
        for text in [
            "1.4.2",
            "v1",
            "1.20-rc1",
            "latest",
            "20261121-abc",
            "2026-11-21-1",
            "9f2c41a",
            "1.2e",
            "0xg",
            "yess",
            "2026-111-2",
        ] {
            assert!(!reads_as_other(text), "{text}");
        }
    }
}
