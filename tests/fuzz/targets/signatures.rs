//! Signatures as registries keep them, and the keys of `lockkeeper.yaml`.

use lockkeeper::image::Digest;
use lockkeeper::signature::{Claim, PublicKey, Signed, told};
use serde_json::Value;

const KEY: &str = include_str!("../../fixtures/signatures/key.pub");
const SIMPLE: &str = include_str!("../../fixtures/signatures/simple.json");
const BUNDLE: &str = include_str!("../../fixtures/signatures/bundle.json");

/// Nothing counts but what the one who holds the key has signed, and that for its own digest alone.
pub fn signatures(data: &[u8]) {
    let key: PublicKey = KEY.parse().unwrap();
    let text = String::from_utf8_lossy(data).into_owned();
    let made: Value = serde_json::from_str(SIMPLE).unwrap();
    let (payload, signature) = (made["payload"].as_str().unwrap(), made["signature"].as_str().unwrap());
    let given: Option<Value> = serde_json::from_slice(data).ok();
    let member = |name: &str| given.as_ref().and_then(|given| given[name].as_str().map(str::to_owned));
    let simple = |payload: &[u8], signature: &str| Claim::Simple {
        payload: payload.to_owned(),
        signature: signature.to_owned(),
    };
    let mut claims = vec![
        (simple(data, signature), data == payload.as_bytes()),
        (simple(payload.as_bytes(), &text), text.contains(&signature[..80])),
        (Claim::Bundle(data.to_owned()), is_bundle(given.as_ref())),
    ];
    if let (Some(payload), Some(signature)) = (member("payload"), member("signature")) {
        claims.push((simple(payload.as_bytes(), &signature), payload == made["payload"]));
    }
    for (claim, may_count) in claims {
        let is_good = checked(&claim, Digest::of(b"image"), &key);
        assert!(may_count || !is_good, "{claim:?}");
        assert!(!checked(&claim, Digest::of(b"other"), &key), "{claim:?}");
        assert!(claim.check(Digest::of(b"image"), &[]).is_err());
    }
    let printed = told(data, Digest::of(b"image"));
    assert!(printed.is_err() || given.is_some_and(|given| names(&given, Digest::of(b"image"))));
    keys(&text);
}

/// Whether one of the payloads that cosign printed names the digest.
fn names(given: &Value, digest: Digest) -> bool {
    let payloads = given.as_array().into_iter().flatten();
    let named =
        |payload: &Value| payload["critical"]["image"]["docker-manifest-digest"] == digest.to_string();
    payloads.into_iter().any(named)
}

/// Whether the envelope holds what was signed.
fn is_bundle(given: Option<&Value>) -> bool {
    let made: Value = serde_json::from_str(BUNDLE).unwrap();
    // The same bytes can be written in either alphabet, with or without their end.
    let payload = |bundle: &Value| {
        let text = bundle["dsseEnvelope"]["payload"].as_str().unwrap_or_default();
        text.trim_end_matches('=').replace('-', "+").replace('_', "/")
    };
    given.is_some_and(|given| payload(given) == payload(&made))
}

fn checked(claim: &Claim, digest: Digest, key: &PublicKey) -> bool {
    match claim.check(digest, std::slice::from_ref(key)) {
        Ok(Signed { key: made_by, .. }) => {
            assert_eq!(made_by, key.id());
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 200 && !text.contains(char::is_control), "{text:?}");
            false
        }
    }
}

/// A key is known by what it is, and nothing of what is none is repeated.
fn keys(text: &str) {
    match text.parse::<PublicKey>() {
        Ok(key) => {
            let again = text.trim().replace('\n', "\r\n \t").parse::<PublicKey>();
            assert_eq!(again.as_ref(), Ok(&key));
            assert_eq!(format!("{key:?}"), format!("PublicKey({})", key.id()));
        }
        Err(error) => assert!(error.to_string().len() < 300),
    }
}
