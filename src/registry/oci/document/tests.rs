use serde_json::{Value, json};

use super::*;

fn parse(document: &Value) -> Result<Document, String> {
    Document::parse(document.to_string().as_bytes())
}

fn descriptor(hex: &str, os: &str, architecture: &str) -> Value {
    json!({
        "mediaType": MANIFEST_TYPES[0], "size": 2, "digest": format!("sha256:{}", hex.repeat(64)),
        "platform": { "os": os, "architecture": architecture },
    })
}

fn index(children: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "manifests": children })
}

fn manifest() -> Value {
    let config = json!({ "mediaType": "x", "size": 2, "digest": format!("sha256:{}", "c".repeat(64)) });
    json!({ "schemaVersion": 2, "config": config, "layers": [] })
}

#[test]
fn the_shape_decides_and_the_media_type_has_to_fit() {
    let with = |mut document: Value, media_type: &str| {
        document["mediaType"] = json!(media_type);
        parse(&document).map(|document| document.media_type)
    };
    let index = index(&[descriptor("a", "linux", "amd64")]);
    assert_eq!(parse(&index).unwrap().media_type, INDEX_TYPES[0]);
    assert_eq!(parse(&manifest()).unwrap().media_type, MANIFEST_TYPES[0]);
    for media_type in INDEX_TYPES {
        assert_eq!(with(index.clone(), media_type).unwrap(), media_type);
        assert!(with(manifest(), media_type).is_err(), "{media_type}");
    }
    for media_type in MANIFEST_TYPES {
        assert_eq!(with(manifest(), media_type).unwrap(), media_type);
        assert!(with(index.clone(), media_type).is_err(), "{media_type}");
    }
    assert!(with(manifest(), "text/html").is_err());
}

#[test]
fn what_is_neither_or_both_is_refused() {
    let mut both = manifest();
    both["manifests"] = json!([descriptor("a", "linux", "amd64")]);
    let mut layered = index(&[descriptor("a", "linux", "amd64")]);
    layered["layers"] = json!([]);
    let schema_1 = json!({ "schemaVersion": 1, "fsLayers": [], "history": [] });
    let sha512 = json!({ "schemaVersion": 2, "config": { "digest": "sha512:00" }, "layers": [] });
    let headless = json!({ "schemaVersion": 2, "layers": [] });
    for document in [both, layered, schema_1, sha512, headless, json!({}), json!([]), index(&[])] {
        assert!(parse(&document).is_err(), "{document}");
    }
    for bytes in ["", "<html>", "{\"schemaVersion\":2", "null"] {
        assert!(Document::parse(bytes.as_bytes()).is_err(), "{bytes}");
    }
}

#[test]
fn attestations_are_no_platforms() {
    let mut nameless = descriptor("d", "", "");
    nameless["platform"] = Value::Null;
    let children = [
        descriptor("a", "unknown", "unknown"),
        descriptor("b", "linux", "arm64"),
        descriptor("c", "linux", "amd64"),
        nameless,
    ];
    let Kind::Index(children) = parse(&index(&children)).unwrap().kind else { panic!("no index") };
    assert_eq!(
        sorted(&children).iter().map(|child| child.platform.to_string()).collect::<Vec<_>>(),
        ["linux/amd64", "linux/arm64"]
    );
    assert_eq!(speaker(&children).unwrap().platform.to_string(), "linux/amd64");
    assert_eq!(speaker(&children[..1]).unwrap().platform.to_string(), "linux/arm64");
    assert!(parse(&index(&[descriptor("a", "unknown", "unknown")])).is_err());
    assert!(parse(&index(&[descriptor("a", "linux\n", "amd64")])).is_err());
}

#[test]
fn the_number_of_platforms_is_bounded() {
    let children = |count: usize| index(&vec![descriptor("a", "linux", "amd64"); count]);
    assert!(parse(&children(PLATFORMS_MAX)).is_ok());
    assert!(parse(&children(PLATFORMS_MAX + 1)).is_err());
}

#[test]
fn labels_are_the_specified_ones_nearest_first_and_bounded() {
    let map = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| (format!("{LABEL_PREFIX}{k}"), (*v).to_owned())).collect()
    };
    let (first, second): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (map(&[("version", "1")]), map(&[("version", "2"), ("source", "s")]));
    let longest = "x".repeat(LABEL_BYTES_MAX);
    let mut third: BTreeMap<String, String> =
        map(&[("revision", "r"), ("url", &longest), ("title", &format!("{longest}x"))]);
    third.insert("ci.build".to_owned(), "7".to_owned());
    third.insert("ci.log".to_owned(), "x".repeat(OTHER_LABEL_BYTES_MAX + 1));
    let labels = merged([&first, &second, &third]);
    let mut want: BTreeMap<String, String> =
        map(&[("version", "1"), ("source", "s"), ("revision", "r"), ("url", &longest)]);
    want.insert("ci.build".to_owned(), "7".to_owned());
    assert_eq!(labels, want);
    let many = (0..100).map(|n| (format!("{LABEL_PREFIX}{n}"), String::new())).collect();
    assert_eq!(merged([&many, &first, &second]).len(), LABELS_MAX);
    let others: BTreeMap<String, String> = (0..100).map(|n| (format!("{n}"), String::new())).collect();
    assert!(merged([&others, &first]).contains_key(&format!("{LABEL_PREFIX}version")));
}

#[test]
fn layers_count_where_each_says_what_it_is() {
    let layers = |layers: Value| {
        let mut document = manifest();
        document["layers"] = layers;
        let Kind::Manifest { content, .. } = parse(&document).unwrap().kind else { panic!("no manifest") };
        content.map(|content| (content.layers.len(), content.bytes()))
    };
    let layer =
        |hex: &str, size: u64| json!({ "digest": format!("sha256:{}", hex.repeat(64)), "size": size });
    assert_eq!(layers(json!([])), Some((0, 0)));
    assert_eq!(layers(json!([layer("a", 5), layer("b", 7)])), Some((2, 12)));
    assert_eq!(layers(json!([{ "digest": "sha512:00", "size": 1 }])), None);
    assert_eq!(layers(json!([{ "digest": format!("sha256:{}", "a".repeat(64)) }])), None);
    assert_eq!(layers(json!(vec![layer("a", 1); LAYERS_MAX])).unwrap().0, LAYERS_MAX);
    assert_eq!(layers(json!(vec![layer("a", 1); LAYERS_MAX + 1])), None);
}

#[test]
fn a_build_time_before_2000_says_nothing() {
    let config = |created: Value| {
        let config = json!({ "os": "linux", "architecture": "amd64", "created": created, "config": { "Labels": null } });
        ImageConfig::parse(config.to_string().as_bytes()).unwrap().created
    };
    for text in ["2000-01-01T00:00:00Z", "2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05+02:00"] {
        assert_eq!(config(json!(text)), Some(text.parse().unwrap()), "{text}");
    }
    for text in ["1999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday", ""] {
        assert_eq!(config(json!(text)), None, "{text}");
    }
    assert_eq!(config(Value::Null), None);
}

#[test]
fn a_configuration_names_its_platform_or_none() {
    let platform = |config: Value| ImageConfig::parse(config.to_string().as_bytes()).unwrap().platform;
    let arm = json!({ "os": "linux", "architecture": "arm", "variant": "v7" });
    assert_eq!(platform(arm).unwrap().to_string(), "linux/arm/v7");
    assert_eq!(
        platform(json!({ "os": "linux", "architecture": "amd64", "variant": "" })).unwrap().variant,
        None
    );
    assert_eq!(platform(json!({})), None);
    assert!(ImageConfig::parse(b"[]").is_err());
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, text in r#"[{}\[\]",:a-z0-9]{0,60}"#) {
        let _ = (Document::parse(&bytes), ImageConfig::parse(&bytes));
        let _ = (Document::parse(text.as_bytes()), ImageConfig::parse(text.as_bytes()));
    }
}
