use super::*;

const MISSING: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;

fn check(status: u16, body: &str, want: &str) {
    let status = StatusCode::from_u16(status).unwrap();
    let error = refusal(status, body.as_bytes(), Some(Duration::from_secs(7)), "shop/web:1");
    let found = match &error {
        RegistryError::NotFound { .. } => "not found",
        RegistryError::Denied { .. } => "denied",
        RegistryError::Unavailable { retry_after: Some(_), .. } => "unavailable",
        RegistryError::Unavailable { retry_after: None, .. } => "unavailable, no wait",
        RegistryError::Untrusted { .. } => "untrusted",
    };
    assert_eq!(found, want, "{status} {body}: {error}");
}

#[test]
fn only_the_specified_404_says_that_something_is_missing() {
    check(404, MISSING, "not found");
    check(404, r#"{"errors":[{"code":"SOMETHING_NEW"}]}"#, "not found");
    for body in ["", "<html>not found</html>", r#"{"errors":[]}"#, "{}", r#"{"errors":null}"#] {
        check(404, body, "untrusted");
    }
}

#[test]
fn every_status_has_one_meaning() {
    for (status, want) in [
        (401, "denied"),
        (403, "denied"),
        (408, "unavailable"),
        (425, "unavailable"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
        (204, "untrusted"),
        (206, "untrusted"),
        (301, "untrusted"),
        (400, "untrusted"),
        (405, "untrusted"),
        (410, "untrusted"),
    ] {
        check(status, MISSING, want);
        check(status, "You have reached your pull rate limit", want);
    }
}

#[test]
fn what_the_registry_says_is_one_short_line() {
    let long = format!("a\nb\u{1b}[31m{}", "x".repeat(1000));
    let RegistryError::Unavailable { reason, .. } =
        refusal(StatusCode::BAD_GATEWAY, long.as_bytes(), None, "w")
    else {
        panic!("not unavailable")
    };
    assert!(
        reason.chars().count() == REASON_CHARACTERS_MAX && !reason.chars().any(char::is_control),
        "{reason:?}"
    );
}

#[test]
fn a_wait_is_seconds_or_a_date_up_to_an_hour() {
    for (text, want) in [
        ("0", Some(0)),
        ("3600", Some(3600)),
        ("3601", Some(3600)),
        ("999999999", Some(3600)),
        ("-1", None),
        ("soon", None),
        ("", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers), want.map(Duration::from_secs), "{text}");
    }
    assert_eq!(retry_after(&HeaderMap::new()), None);
    let later = "Wed, 21 Oct 2026 07:28:00 GMT";
    for (now, want) in [
        (Some("Wed, 21 Oct 2026 07:18:00 GMT"), Some(600)),
        (Some(later), Some(0)),
        (Some("Wed, 21 Oct 2026 08:00:00 GMT"), None),
        (Some("yesterday"), None),
        (None, None),
    ] {
        let now = now.map(|now| (DATE, now.parse().unwrap()));
        let headers = [(RETRY_AFTER, later.parse().unwrap())].into_iter().chain(now).collect::<HeaderMap>();
        assert_eq!(retry_after(&headers), want.map(Duration::from_secs), "{now:?}", now = headers.get(DATE));
    }
}
