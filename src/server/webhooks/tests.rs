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
    assert_eq!(lines(&distribution::parse(&capture(name)).unwrap().events), want, "{name}");
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
    assert_eq!(lines(&events.events), ["?/shop/web:1@?"]);
    for ignored in [
        r#"{"events":[]}"#.to_owned(),
        r#"{"events":[{}]}"#.to_owned(),
        r#"{"events":[{"action":null,"target":null}]}"#.to_owned(),
        push("{}"),
        push(&format!("{{{image}}}")),
        push(&format!(r#"{{{image},"tag":"../x"}}"#)),
        push(r#"{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"../x","tag":"1"}"#),
    ] {
        assert_eq!(distribution::parse(ignored.as_bytes()).unwrap().events, [], "{ignored}");
    }
    for other in ["", "{}", "[]", "null", r#"{"events":{}}"#, r#"{"events":[5]}"#] {
        assert!(matches!(distribution::parse(other.as_bytes()), Err(ParseError::Form { .. })), "{other}");
    }
}

#[test]
fn an_event_that_cannot_be_read_costs_the_others_nothing() {
    let good = r#"{"action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"web","tag":"1"}}"#;
    for bad in ["5", r#"{"action":5}"#, "null", "[]", r#"{"target":"web"}"#] {
        let body = format!(r#"{{"events":[{bad},{good},{bad}]}}"#);
        assert_eq!(lines(&distribution::parse(body.as_bytes()).unwrap().events), ["?/web:1@?"], "{bad}");
        let grid =
            format!(r#"[{{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{good}}},{bad}]"#);
        assert_eq!(lines(&eventgrid::parse(grid.as_bytes()).unwrap().events), ["?/web:1@?"], "{bad}");
    }
}

#[test]
fn the_number_of_events_is_bounded() {
    let push = r#"{"action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"a","tag":"1"}}"#;
    let body = |count: usize| format!(r#"{{"events":[{{}},{}]}}"#, vec![push; count].join(","));
    assert_eq!(distribution::parse(body(EVENTS_MAX).as_bytes()).unwrap().events.len(), EVENTS_MAX);
    let noise = format!(r#"{{"events":[{}]}}"#, vec!["{}"; EVENTS_MAX + 1].join(","));
    assert_eq!(distribution::parse(noise.as_bytes()).unwrap().events, [], "only pushes count");
    let too_many = ParseError::TooManyEvents { found: EVENTS_MAX + 1 };
    assert_eq!(distribution::parse(body(EVENTS_MAX + 1).as_bytes()), Err(too_many));
}

/// The id of a delivery that came at the start of 1970.
fn id(parsed: &Parsed, body: &str) -> String {
    parsed.id.of(&sent(&HeaderMap::new(), body.as_bytes()))
}

fn sent<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Sent<'a> {
    Sent::new(headers, body, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_delivery_is_known_by_all_of_its_events_or_its_bytes() {
    let id = |body: &str| id(&distribution::parse(body.as_bytes()).unwrap(), body);
    let capture = String::from_utf8(capture("v2-push-single-by-tag")).unwrap();
    assert_eq!(id(&capture), "c24d08c7-4c26-482c-b9da-93fe463ad65c");
    assert_eq!(id(r#"{"events":[{"id":"a"}]}"#), "a");
    let two = r#"{"events":[{"id":"a"},{"id":"b"}]}"#;
    assert_eq!(id(two), id(r#"{"events":[{"id":"a","action":"pull"},{"id":"b"}]}"#), "the same two");
    for other in [r#"{"events":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#, r#"{"events":[{"id":"ab"},{"id":""}]}"#]
    {
        assert_ne!(id(two), id(other), "{other}");
    }
    let longest = "x".repeat(DELIVERY_ID_BYTES_MAX);
    assert_eq!(id(&format!(r#"{{"events":[{{"id":"{longest}"}}]}}"#)), longest);
    let hash = |body: &str| hex::encode(Sha256::digest(body));
    let long = format!(r#"{{"events":[{{"id":"{longest}x"}}]}}"#);
    let odd = [r#"{"events":[{"id":"a"},{}]}"#, r#"{"events":[{},{"id":"a"}]}"#];
    for body in odd.into_iter().chain([
        r#"{"events":[]}"#,
        r#"{"events":[{"id":"a b"}]}"#,
        r#"{"events":[{"id":""}]}"#,
        &long,
    ]) {
        assert_eq!(id(body), hash(body), "{body}");
    }
}

#[test]
fn our_own_format_names_an_image_and_a_tag_or_digest() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let parse = |body: &str| generic::parse(body.as_bytes()).map(|parsed| lines(&parsed.events));
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
    for (body, want) in [
        (r#"{"id":"run-1","image":"web","tag":"1"}"#, "run-1".to_owned()),
        // At another time it is another push.
        (
            r#"{"image":"web","tag":"1"}"#,
            format!("{}-0", hex::encode(Sha256::digest(br#"{"image":"web","tag":"1"}"#))),
        ),
    ] {
        assert_eq!(id(&generic::parse(body.as_bytes()).unwrap(), body), want);
    }
}

#[test]
fn what_is_authenticated_and_unreadable_keeps_its_id() {
    let values = vec![Secret::new("Bearer t").unwrap()];
    let name = HeaderName::from_static("authorization");
    let authentication = Authentication::Header { name: name.clone(), values };
    let headers = |value: &str| HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
    let receive =
        |value: &str, body: &[u8]| receive(Kind::Distribution, &authentication, &sent(&headers(value), body));
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

/// The events of a fixture of a sender.
fn told(kind: Kind, file: &str) -> Vec<String> {
    let path = format!("{}/tests/fixtures/webhooks/{file}", env!("CARGO_MANIFEST_DIR"));
    let body = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut headers = HeaderMap::new();
    if file == "zot/push.json" {
        headers.insert("ce-type", "zotregistry.image.updated".parse().unwrap());
    }
    lines(&parse(kind, &sent(&headers, &body)).unwrap_or_else(|error| panic!("{file}: {error}")).events)
}

#[test]
fn every_sender_tells_the_same_in_its_own_words() {
    let here = "registry.example/shop/web:1.4.2@7d3848ba9b1e";
    for (kind, file, want) in [
        (Kind::GitLab, "gitlab/push.json", "registry.example/shop/api:2.0.0@76bf3494db93"),
        (Kind::Harbor, "harbor/push.json", here),
        (Kind::Harbor, "harbor/push.cloudevent.json", here),
        (Kind::DockerHub, "dockerhub/push.json", "docker.io/shop/web:1.4.2@?"),
        (Kind::GitHub, "github/package.json", here),
        (Kind::GitHub, "github/registry_package.json", here),
        (Kind::Quay, "quay/push.json", "registry.example/shop/web:1.4.2,main@?"),
        (Kind::Acr, "acr/push.json", here),
        (Kind::EventGrid, "eventgrid/push.json", here),
        (Kind::EventGrid, "eventgrid/push.cloudevent.json", here),
        (Kind::Ecr, "ecr/push.json", "123456789012.eu-west-1/shop/web:1.4.2@7d3848ba9b1e"),
        (Kind::Gar, "gar/push.json", "registry.example/acme/shop/web:1.4.2@7d3848ba9b1e"),
        (Kind::Gar, "gar/unwrapped.json", "registry.example/acme/shop/web:1.4.2@7d3848ba9b1e"),
        (
            Kind::Artifactory,
            "artifactory/push.json",
            "registry.example/docker-local/shop/web:1.4.2@7d3848ba9b1e",
        ),
        (Kind::Nexus, "nexus/push.json", "?/shop/web:1.4.2@?"),
        (Kind::Zot, "zot/push.json", "?/shop/web:1.4.2@7d3848ba9b1e"),
        (Kind::Zot, "zot/push.cloudevent.json", "?/shop/web:1.4.2@7d3848ba9b1e"),
        (Kind::Gitea, "gitea/push.json", "?/shop/web:1.4.2@?"),
        (Kind::Generic, "generic/push.json", here),
    ] {
        assert_eq!(told(kind, file), [want], "{file}");
    }
    for (kind, file) in [
        (Kind::Harbor, "harbor/push_untagged.json"),
        (Kind::Harbor, "harbor/scan.json"),
        (Kind::GitHub, "github/untagged.json"),
        (Kind::GitHub, "github/ping.json"),
        (Kind::Acr, "acr/delete.json"),
        (Kind::Acr, "acr/ping.json"),
        (Kind::EventGrid, "eventgrid/validation.json"),
        (Kind::Ecr, "ecr/push_untagged.json"),
        (Kind::Ecr, "ecr/delete.json"),
        (Kind::Gar, "gar/untagged.json"),
    ] {
        assert_eq!(told(kind, file), [""; 0], "{file}");
    }
}

/// What a body tells of, or why it cannot be read; an empty text: nothing.
fn check_body(kind: Kind, body: &str, want: &str) {
    let found = match parse(kind, &sent(&HeaderMap::new(), body.as_bytes())) {
        Ok(parsed) => lines(&parsed.events).join(" "),
        Err(error) => error.to_string(),
    };
    let is_wanted = if want.is_empty() { found.is_empty() } else { found.contains(want) };
    assert!(is_wanted, "{kind:?} {body}: {found}");
}

#[test]
fn fields_that_are_missing_or_odd_are_ignored_or_named() {
    let signature = format!("sha256-{}.sig", "0a".repeat(32));
    let hub = |name: &str, tag: &str| {
        format!(r#"{{"push_data":{{"tag":"{tag}"}},"repository":{{"repo_name":"{name}"}}}}"#)
    };
    let harbor = |data: &str| format!(r#"{{"type":"PUSH_ARTIFACT","event_data":{data}}}"#);
    let quay = |tags: &str| format!(r#"{{"repository":"Shop/Web","updated_tags":{tags}}}"#);
    let of_path =
        |path: &str| format!(r#"{{"resources":[{{"tag":"1"}}],"repository":{{"repo_full_name":"{path}"}}}}"#);
    for (kind, body, want) in [
        (Kind::DockerHub, hub("nginx", "1"), "docker.io/library/nginx:1@?"),
        (Kind::DockerHub, hub("shop/web", &signature), ""),
        (Kind::DockerHub, hub("shop/web", "lockkeeper-0123456789abcdef"), ""),
        (
            Kind::DockerHub,
            hub("shop/web", "lockkeeper-0123456789abcde"),
            "shop/web:lockkeeper-0123456789abcde@?",
        ),
        (Kind::DockerHub, hub("../x", "1"), "`repository.repo_name` is `../x`, which it cannot be"),
        (Kind::DockerHub, "{}".to_owned(), "missing field `push_data`"),
        (Kind::Harbor, harbor("null"), ""),
        (Kind::Harbor, harbor(r#"{"resources":[],"repository":{"repo_full_name":"a/b"}}"#), ""),
        (Kind::Harbor, harbor(&of_path("a/b/c")), "?/a/b/c:1@?"),
        (Kind::Harbor, harbor(&of_path("../x")), ""),
        (Kind::Harbor, harbor("5"), "invalid type: integer `5`"),
        (Kind::Quay, quay("[]"), ""),
        (Kind::Quay, quay(&format!(r#"["{signature}","1"]"#)), "?/shop/web:1@?"),
        (Kind::Quay, "{}".to_owned(), "missing field `repository`"),
        (Kind::Acr, "{}".to_owned(), ""),
        (Kind::EventGrid, "[]".to_owned(), ""),
        (Kind::EventGrid, "{}".to_owned(), ""),
        (Kind::EventGrid, "5".to_owned(), "invalid type: integer `5`"),
        (Kind::Ecr, "{}".to_owned(), "missing field `source`"),
    ] {
        check_body(kind, &body, want);
    }
}

#[test]
fn other_things_than_images_are_ignored() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let artifactory =
        |data: &str| format!(r#"{{"domain":"docker","event_type":"pushed","data":{data},"jpd_origin":""}}"#);
    let nexus = |action: &str, format: &str| {
        format!(
            r#"{{"action":"{action}","component":{{"format":"{format}","name":"app1/alpine","version":"1"}}}}"#
        )
    };
    let gitea = |kind: &str, version: &str| {
        let package =
            format!(r#"{{"type":"{kind}","name":"web","version":"{version}","owner":{{"login":"a"}}}}"#);
        format!(r#"{{"action":"created","package":{package}}}"#)
    };
    let zot = |kind: &str, reference: &str| {
        format!(r#"{{"type":"{kind}","data":{{"name":"a","reference":"{reference}"}}}}"#)
    };
    for (kind, body, want) in [
        (
            Kind::Gar,
            r#"{"action":"INSERT","tag":"web:1"}"#.to_owned(),
            "`tag` is `web:1`, which it cannot be",
        ),
        (Kind::Gar, r#"{"action":"DELETE","tag":"r.example/web:1"}"#.to_owned(), ""),
        (Kind::Gar, r#"{"message":{"data":"%"}}"#.to_owned(), "`message.data` is `%`, which it cannot be"),
        (Kind::Artifactory, artifactory(r#"{"image_name":"a/b","tag":"1","repo_key":"local"}"#), "?/a/b:1@?"),
        (
            Kind::Artifactory,
            artifactory(r#"{"path":"x/b/1/manifest.json","image_name":"b","tag":"1"}"#),
            "?/x/b:1@?",
        ),
        (Kind::Artifactory, r#"{"domain":"artifact","event_type":"deployed","data":{}}"#.to_owned(), ""),
        (Kind::Nexus, nexus("UPDATED", "docker"), "?/app1/alpine:1@?"),
        (Kind::Nexus, nexus("DELETED", "docker"), ""),
        (Kind::Nexus, nexus("CREATED", "maven2"), ""),
        (Kind::Zot, zot("zotregistry.image.updated", &digest), ""),
        (Kind::Zot, zot("zotregistry.image.deleted", "1"), ""),
        (Kind::Zot, zot("acme.image.updated", "1"), "?/a:1@?"),
        (Kind::Gitea, gitea("container", &digest), ""),
        (Kind::Gitea, gitea("npm", "1"), ""),
        (Kind::Gitea, r#"{"ref":"refs/heads/main"}"#.to_owned(), ""),
    ] {
        check_body(kind, &body, want);
    }
}

#[test]
fn the_handshake_is_the_code_of_a_validation_and_nothing_else() {
    let event = |kind: &str, code: &str| {
        format!(r#"[{{"eventType":"Microsoft.EventGrid.{kind}","data":{{"validationCode":"{code}"}}}}]"#)
    };
    let validation = "SubscriptionValidationEvent";
    for (body, want) in [
        (event(validation, "512d38b6"), Some("512d38b6".to_owned())),
        (event(validation, &"x".repeat(129)), None),
        (event("SubscriptionDeletedEvent", "512d38b6"), None),
        ("[]".to_owned(), None),
        ("{}".to_owned(), None),
    ] {
        assert_eq!(eventgrid::handshake(body.as_bytes()), want, "{body}");
    }
}

const KINDS: [Kind; 15] = [
    Kind::Distribution,
    Kind::GitLab,
    Kind::Harbor,
    Kind::DockerHub,
    Kind::GitHub,
    Kind::Quay,
    Kind::Acr,
    Kind::EventGrid,
    Kind::Ecr,
    Kind::Gar,
    Kind::Artifactory,
    Kind::Nexus,
    Kind::Zot,
    Kind::Gitea,
    Kind::Generic,
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text in r#"[{}\[\]",:a-z0-9]{0,60}"#, header: Vec<u8>) {
        let secrets = vec![Secret::new("s").unwrap()];
        let name = HeaderName::from_static("x-signature");
        let headers: HeaderMap = http::HeaderValue::from_bytes(&header).ok().map(|value| (name.clone(), value)).into_iter().collect();
        let form = verify::SignatureForm::NamedSha256;
        let hmac = Authentication::Hmac { header: name.clone(), form, secrets: secrets.clone() };
        let plain = Authentication::Header { name, values: secrets };
        for body in [&bytes, text.as_bytes()] {
            let sent = sent(&headers, body);
            for kind in KINDS {
                prop_assert!(receive(kind, &hmac, &sent).is_err());
                prop_assert_eq!(receive(kind, &plain, &sent).is_ok(), false);
                let _ = parse(kind, &sent);
            }
        }
    }
}
