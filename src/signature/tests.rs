use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

const KEY: &str = include_str!("../../tests/fixtures/signatures/key.pub");
const SIMPLE: &str = include_str!("../../tests/fixtures/signatures/simple.json");
const BUNDLE: &str = include_str!("../../tests/fixtures/signatures/bundle.json");
const ATTESTATION: &str = include_str!("../../tests/fixtures/signatures/attestation.json");

fn key() -> PublicKey {
    KEY.parse().unwrap()
}

/// The digest that the fixtures sign.
fn digest() -> Digest {
    Digest::of(b"image")
}

fn simple(payload: &[u8], signature: &str) -> Claim {
    Claim::Simple { payload: payload.to_owned(), signature: signature.to_owned() }
}

fn fixture() -> (String, String) {
    let value: Value = serde_json::from_str(SIMPLE).unwrap();
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    (text("payload"), text("signature"))
}

/// A key that signs what a test needs.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn public(&self) -> PublicKey {
        let point = self.0.public_key().as_ref();
        let mut der = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap();
        der.extend_from_slice(point);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        pem.parse().unwrap()
    }

    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&SystemRandom::new(), message).unwrap())
    }

    /// An envelope of this statement.
    fn bundle(&self, kind: &str, statement: &[u8]) -> Value {
        let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len()).into_bytes();
        message.extend_from_slice(statement);
        json!({ "dsseEnvelope": {
            "payloadType": kind,
            "payload": STANDARD.encode(statement),
            "signatures": [{ "sig": self.sign(&message) }],
        } })
    }
}

fn payload(kind: &str, digest: &str) -> Vec<u8> {
    json!({ "critical": { "type": kind, "image": { "docker-manifest-digest": digest } } })
        .to_string()
        .into_bytes()
}

fn statement(kind: &str, predicate: &str, digests: &[&str]) -> Vec<u8> {
    let subjects: Vec<Value> =
        digests.iter().map(|hex| json!({ "name": "x", "digest": { "sha256": hex } })).collect();
    json!({ "_type": kind, "predicateType": predicate, "subject": subjects }).to_string().into_bytes()
}

fn bundled(value: &Value) -> Claim {
    Claim::Bundle(value.to_string().into_bytes())
}

#[test]
fn signatures_of_openssl_count_in_both_forms() {
    let (payload, signature) = fixture();
    let tag = Signed { key: key().id(), scheme: Scheme::Tag };
    assert_eq!(simple(payload.as_bytes(), &signature).check(digest(), &[key()]), Ok(tag));
    let bundle = Claim::Bundle(BUNDLE.as_bytes().to_owned());
    assert_eq!(bundle.check(digest(), &[key()]), Ok(Signed { key: key().id(), scheme: Scheme::Bundle }));
    // cosign writes the id of the key into the bundle.
    let hint: Value = serde_json::from_str(BUNDLE).unwrap();
    let hint = hint["verificationMaterial"]["publicKey"]["hint"].as_str().unwrap();
    assert_eq!(hex::encode(STANDARD.decode(hint).unwrap()), key().id().hex());
    // Any of several keys: old and new ones stand side by side while they are rotated.
    let both = [Signer::new().public(), key()];
    assert_eq!(simple(payload.as_bytes(), &signature).check(digest(), &both), Ok(tag));
}

#[test]
fn what_is_not_signed_counts_for_nothing() {
    let (payload, signature) = fixture();
    let other = [Signer::new().public()];
    let good = simple(payload.as_bytes(), &signature);
    assert_eq!(good.check(digest(), &other), Err(ClaimError::OtherKey));
    assert_eq!(good.check(digest(), &[]), Err(ClaimError::OtherKey));
    assert_eq!(good.check(Digest::of(b"other"), &[key()]), Err(ClaimError::OtherDigest));
    let bundle = Claim::Bundle(BUNDLE.as_bytes().to_owned());
    assert_eq!(bundle.check(digest(), &other), Err(ClaimError::OtherKey));
    assert_eq!(bundle.check(Digest::of(b"other"), &[key()]), Err(ClaimError::OtherDigest));
    let attestation = Claim::Bundle(ATTESTATION.as_bytes().to_owned());
    assert_eq!(attestation.check(digest(), &[key()]), Err(ClaimError::Attestation));
}

/// No prefix of what is signed, and nothing with one byte changed, counts.
#[test]
fn what_was_changed_or_cut_counts_for_nothing() {
    let (payload, signature) = fixture();
    let payload = payload.as_bytes();
    for index in 0..payload.len() {
        let mut changed = payload.to_vec();
        changed[index] ^= 1;
        assert_eq!(simple(&changed, &signature).check(digest(), &[key()]), Err(ClaimError::OtherKey));
        assert!(simple(&payload[..index], &signature).check(digest(), &[key()]).is_err());
    }
    for index in 0..signature.len() {
        assert!(simple(payload, &signature[..index]).check(digest(), &[key()]).is_err(), "{index}");
    }
    for index in 0..BUNDLE.trim_end().len() {
        assert!(Claim::Bundle(BUNDLE.as_bytes()[..index].to_owned()).check(digest(), &[key()]).is_err());
    }
    let mut moved: Value = serde_json::from_str(BUNDLE).unwrap();
    let payload = moved["dsseEnvelope"]["payload"].as_str().unwrap();
    let text = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
    let other = STANDARD.encode(text.replace(&digest().hex(), &Digest::of(b"other").hex()));
    moved["dsseEnvelope"]["payload"] = json!(other);
    assert_eq!(bundled(&moved).check(Digest::of(b"other"), &[key()]), Err(ClaimError::OtherKey));
}

#[test]
fn what_is_signed_has_to_be_of_the_right_kind() {
    let signer = Signer::new();
    let keys = [signer.public()];
    let check =
        |bytes: &[u8]| simple(bytes, &signer.sign(bytes)).check(digest(), &keys).map(|found| found.scheme);
    let wanted = "cosign container image signature";
    assert_eq!(check(&payload(wanted, &digest().to_string())), Ok(Scheme::Tag));
    assert!(matches!(
        check(&payload("atomic container signature", &digest().to_string())),
        Err(ClaimError::Malformed(_))
    ));
    assert_eq!(check(&payload(wanted, &digest().hex())), Err(ClaimError::OtherDigest));
    for bytes in [&b""[..], b"{}", b"[]", b"\xff", b"{\"critical\":{}}"] {
        assert!(matches!(check(bytes), Err(ClaimError::Malformed(_))), "{bytes:?}");
    }
    let doubled = String::from_utf8(payload(wanted, &digest().to_string())).unwrap();
    let doubled = doubled.replacen("\"critical\"", "\"critical\":{},\"critical\"", 1);
    assert!(matches!(check(doubled.as_bytes()), Err(ClaimError::Malformed(_))), "{doubled}");
}

#[test]
fn a_statement_has_to_be_one_of_a_signature() {
    let signer = Signer::new();
    let keys = [signer.public()];
    let (kind, payload_type) = ("https://in-toto.io/Statement/v1", "application/vnd.in-toto+json");
    let sign = "https://sigstore.dev/cosign/sign/v1";
    let (this, other) = (digest().hex(), Digest::of(b"other").hex());
    let check = |value: &Value| bundled(value).check(digest(), &keys).map(|found| found.scheme);
    let good = signer.bundle(payload_type, &statement(kind, sign, &[&other, &this]));
    assert_eq!(check(&good), Ok(Scheme::Bundle));
    for (payload_type, statement) in [
        ("application/json", statement(kind, sign, &[&this])),
        (payload_type, statement("https://in-toto.io/Statement/v2", sign, &[&this])),
        (payload_type, b"{}".to_vec()),
        (payload_type, b"[]".to_vec()),
    ] {
        assert!(matches!(check(&signer.bundle(payload_type, &statement)), Err(ClaimError::Malformed(_))));
    }
    assert_eq!(
        check(&signer.bundle(payload_type, &statement(kind, sign, &[]))),
        Err(ClaimError::OtherDigest)
    );
    let provenance = statement(kind, "https://slsa.dev/provenance/v1", &[&this]);
    assert_eq!(check(&signer.bundle(payload_type, &provenance)), Err(ClaimError::Attestation));
    assert!(matches!(check(&json!({ "messageSignature": {} })), Err(ClaimError::Malformed(_))));
    // One good signature among others, and the other alphabet of base64 without its end.
    let mut several = good.clone();
    let sig = good["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap();
    let sig = URL_SAFE_NO_PAD.encode(STANDARD.decode(sig).unwrap());
    several["dsseEnvelope"]["signatures"] = json!([{ "sig": "" }, { "sig": "!" }, { "sig": sig }]);
    assert_eq!(check(&several), Ok(Scheme::Bundle));
    let many: Vec<Value> = (0..8).map(|_| json!({ "sig": "" })).chain([json!({ "sig": sig })]).collect();
    several["dsseEnvelope"]["signatures"] = json!(many);
    assert_eq!(check(&several), Err(ClaimError::OtherKey), "only so many are looked at");
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    let check = |text: &str, want: &str| {
        let error = text.parse::<PublicKey>().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    check(include_str!("../../tests/fixtures/signatures/rsa.pub"), "found an RSA key");
    check(include_str!("../../tests/fixtures/signatures/ed25519.pub"), "found an Ed25519 key");
    check(include_str!("../../tests/fixtures/signatures/p384.pub"), "found one on the curve P-384");
    check(
        include_str!("../../tests/fixtures/signatures/compressed.pub"),
        "found one with a compressed point",
    );
    let private = format!("-----BEGIN ENCRYPTED SIGSTORE {} KEY-----\nc2VjcmV0\n", "PRIVATE");
    check(&private, "make a new pair");
    check("-----BEGIN CERTIFICATE-----\n", "a certificate");
    check(&format!("{KEY}{KEY}"), "without base64");
    check("keys/release.pub", "no PEM");
    check("", "no PEM");
    check("-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----", "another kind");
    // A point that is not on the curve.
    let point =
        [&STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA=").unwrap()[..], &[4], &[7; 64]].concat();
    check(
        &format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(point)),
        "not on it",
    );
    // Line ends and indentation of a YAML block change nothing.
    assert_eq!(KEY.replace('\n', "\r\n  ").parse::<PublicKey>().unwrap(), key());
}
