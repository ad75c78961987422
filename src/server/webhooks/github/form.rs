//! Bodies that came as a form with the JSON in its field `payload`.

use std::borrow::Cow;

/// Whether a content type says so.
pub(super) fn is_form(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The first field `payload`, decoded; nothing where there is none.
///
/// Source: URL Standard, section "application/x-www-form-urlencoded parsing": what is no escape stands for itself.
pub(super) fn payload(body: &[u8]) -> Cow<'_, [u8]> {
    let found = body.split(|byte| *byte == b'&').find_map(|field| field.strip_prefix(b"payload="));
    let Some(text) = found else { return Cow::Borrowed(b"") };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high * 16 + low);
                    rest = behind;
                }
                (Some(_) | None, _) => decoded.push(b'%'),
            },
            (byte, _) => decoded.push(*byte),
        }
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_and_decoded() {
        for (body, want) in [
            ("payload=%7B%22a%22%3A%22b+c%22%7D", r#"{"a":"b c"}"#),
            ("x=1&payload=%7b%7D&payload=2", "{}"),
            ("payload=%2&x", "%2"),
            ("payload=%%zz%C3%A9", "%%zzé"),
            ("payload=", ""),
            ("payloads=1", ""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(payload(body.as_bytes()).into_owned()).unwrap(), want, "{body}");
        }
    }

    #[test]
    fn only_forms_are_forms() {
        for (content_type, want) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", true),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_form(content_type), want, "{content_type}");
        }
    }
}
