use std::fs;

use http::HeaderName;
use proptest::prelude::*;

use super::verify::Secret;
use super::*;

fn capture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/webhooks/distribution");
    fs::read(format!("{folder}/{name}.body.json")).unwrap()
}

/// One line for each event: `host/repository:tags@digest`.
fn lines(events: &[RegistryEvent]) -> Vec<String> {
    let line = |event: &RegistryEvent| {
        let registry = event.registry.as_deref().unwrap_or("?");
        let digest = event.digest.as_ref().map_or_else(|| "?".to_owned(), Digest::short);
        format!("{registry}/{}:{}@{digest}", event.repository, event.tags.join(","))
    };
    events.iter().map(line).collect()
}

fn check(name: &str, want: &[&str]) {
    assert_eq!(lines(&distribution::parse(&capture(name)).unwrap()), want, "{name}");
}

#[test]
fn pushes_of_tagged_images_are_events() {
    check("v2-push-single-by-tag", &["127.0.0.1:5055/shop/web:1.4.2@0ae45071aef2"]);
    check("v2-push-multi-index-by-tag", &["127.0.0.1:5055/shop/api:2.0.0@76bf3494db93"]);
    check("v3-push-multi-index-by-tag", &["127.0.0.1:5075/shop/api:2.0.0@76bf3494db93"]);
    check("v2-retag-index", &["127.0.0.1:5055/shop/api:staging@76bf3494db93"]);
    check("v2-retag-same-tag-same-digest", &["127.0.0.1:5055/shop/web:staging@0ae45071aef2"]);
    check("v2auth-retag-by-bot-user", &["127.0.0.1:5065/shop/api:staging@76bf3494db93"]);
}

#[test]
fn everything_else_is_ignored() {
    for name in [
        "v2-push-multi-child-untagged",
        "v2-pull-head-by-tag",
        "v2-delete-by-digest",
        "v2-delete-by-digest-tag-event",
        "v2-push-cosign-sig-tag",
        "v2-push-referrers-fallback-tag",
        "v2auth-push-blob",
        "v2auth-mount-blob",
        "v3-delete-by-tag",
    ] {
        check(name, &[]);
    }
}

#[test]
fn missing_fields_are_ignored_and_other_forms_refused() {
    let push = |target: &str| format!(r#"{{"events":[{{"action":"push","target":{target}}}]}}"#);
    let image = r#""mediaType":"application/vnd.oci.image.index.v1+json","repository":"Shop/Web""#;
    let events = distribution::parse(push(&format!(r#"{{{image},"tag":"1"}}"#)).as_bytes()).unwrap();
    assert_eq!(lines(&events), ["?/shop/web:1@?"]);
    for ignored in [
        r#"{"events":[]}"#.to_owned(),
        r#"{"events":[{}]}"#.to_owned(),
        r#"{"events":[{"action":null,"target":null}]}"#.to_owned(),
        push("{}"),
        push(&format!("{{{image}}}")),
        push(&format!(r#"{{{image},"tag":"../x"}}"#)),
        push(r#"{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"../x","tag":"1"}"#),
    ] {
        assert_eq!(distribution::parse(ignored.as_bytes()), Ok(vec![]), "{ignored}");
    }
    for other in ["", "{}", "[]", "null", r#"{"events":{}}"#, r#"{"events":[5]}"#] {
        assert!(matches!(distribution::parse(other.as_bytes()), Err(ParseError::Form { .. })), "{other}");
    }
}

#[test]
fn the_number_of_events_is_bounded() {
    let push = r#"{"action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"a","tag":"1"}}"#;
    let body = |count: usize| format!(r#"{{"events":[{{}},{}]}}"#, vec![push; count].join(","));
    assert_eq!(distribution::parse(body(EVENTS_MAX).as_bytes()).unwrap().len(), EVENTS_MAX);
    let noise = format!(r#"{{"events":[{}]}}"#, vec!["{}"; EVENTS_MAX + 1].join(","));
    assert_eq!(distribution::parse(noise.as_bytes()), Ok(vec![]), "only pushes count");
    let too_many = ParseError::TooManyEvents { found: EVENTS_MAX + 1 };
    assert_eq!(distribution::parse(body(EVENTS_MAX + 1).as_bytes()), Err(too_many));
}

#[test]
fn a_delivery_is_known_by_its_first_event_or_its_bytes() {
    let id = |body: &str| distribution::delivery_id(body.as_bytes());
    assert_eq!(
        distribution::delivery_id(&capture("v2-push-single-by-tag")),
        "c24d08c7-4c26-482c-b9da-93fe463ad65c"
    );
    assert_eq!(id(r#"{"events":[{"id":"a"},{"id":"b"}]}"#), "a");
    let longest = "x".repeat(DELIVERY_ID_BYTES_MAX);
    assert_eq!(id(&format!(r#"{{"events":[{{"id":"{longest}"}}]}}"#)), longest);
    let hash = |body: &str| hex::encode(Sha256::digest(body));
    let long = format!(r#"{{"events":[{{"id":"{longest}x"}}]}}"#);
    for body in ["", "{}", r#"{"events":[{"id":"a b"}]}"#, r#"{"events":[{"id":""}]}"#, &long] {
        assert_eq!(id(body), hash(body), "{body}");
    }
}

#[test]
fn our_own_format_names_an_image_and_a_tag_or_digest() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let parse = |body: &str| generic::parse(body.as_bytes()).map(|events| lines(&events));
    let all = format!(
        r#"{{"image":"reg.example/Shop/Web","tag":"1.4.2","digest":"{digest}","source":{{"revision":"4f0c"}}}}"#
    );
    assert_eq!(parse(&all).unwrap(), ["reg.example/shop/web:1.4.2@0a0a0a0a0a0a"]);
    assert_eq!(parse(r#"{"image":"nginx","tag":"1"}"#).unwrap(), ["docker.io/library/nginx:1@?"]);
    let untagged = format!(r#"{{"image":"localhost:5000/web","digest":"{digest}"}}"#);
    assert_eq!(parse(&untagged).unwrap(), ["localhost:5000/web:@0a0a0a0a0a0a"]);
    for (body, field) in [
        (r#"{"image":"web"}"#, "tag"),
        (r#"{"image":"web","tag":"a b"}"#, "tag"),
        (r#"{"image":"web","digest":"sha512:00"}"#, "digest"),
        (r#"{"image":"shop//web","tag":"1"}"#, "image"),
        (r#"{"image":"","tag":"1"}"#, "image"),
    ] {
        assert!(
            matches!(parse(body), Err(ParseError::Field { field: found, .. }) if found == field),
            "{body}"
        );
    }
    assert!(matches!(parse(r#"{"tag":"1"}"#), Err(ParseError::Form { .. })));
    assert_eq!(generic::delivery_id(br#"{"id":"run-1"}"#), "run-1");
    assert_eq!(generic::delivery_id(b"{}"), hex::encode(Sha256::digest(b"{}")));
}

#[test]
fn what_is_authenticated_and_unreadable_keeps_its_id() {
    let values = vec![Secret::new("Bearer t").unwrap()];
    let name = HeaderName::from_static("authorization");
    let authentication = Authentication::Header { name: name.clone(), values };
    let headers = |value: &str| HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
    let receive =
        |value: &str, body: &[u8]| receive(Kind::Distribution, &authentication, &headers(value), body);
    assert_eq!(receive("Bearer x", b"{"), Err(ReceiveError::Unauthorized));
    let Err(ReceiveError::Unparsable { delivery_id, .. }) = receive("Bearer t", b"{") else {
        panic!("readable")
    };
    assert_eq!(delivery_id, hex::encode(Sha256::digest(b"{")));
    assert_eq!(receive("Bearer t", &capture("v2-push-single-by-tag")).unwrap().events.len(), 1);
    let mut padded = capture("v2-push-single-by-tag");
    padded.resize(BODY_BYTES_MAX, b' ');
    assert_eq!(receive("Bearer t", &padded).unwrap().events.len(), 1);
    padded.push(b' ');
    assert_eq!(
        receive("Bearer t", &padded),
        Err(ReceiveError::TooLarge { found: BODY_BYTES_MAX + 1, most: BODY_BYTES_MAX })
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text in r#"[{}\[\]",:a-z0-9]{0,60}"#, header: Vec<u8>) {
        let secrets = vec![Secret::new("s").unwrap()];
        let name = HeaderName::from_static("x-signature");
        let headers: HeaderMap = http::HeaderValue::from_bytes(&header).ok().map(|value| (name.clone(), value)).into_iter().collect();
        let hmac = Authentication::Hmac { header: name.clone(), secrets: secrets.clone() };
        let plain = Authentication::Header { name, values: secrets };
        for body in [&bytes, text.as_bytes()] {
            for kind in [Kind::Distribution, Kind::Generic] {
                prop_assert!(receive(kind, &hmac, &headers, body).is_err());
                prop_assert_eq!(receive(kind, &plain, &headers, body).is_ok(), false);
            }
            let _ = (distribution::parse(body), generic::parse(body));
            let _ = (distribution::delivery_id(body), generic::delivery_id(body));
        }
    }
}
