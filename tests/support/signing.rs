//! Signatures as cosign makes them, by openssl, in both forms.
//!
//! Source: cosign's `SIGNATURE_SPEC.md` and `BUNDLE_SPEC.md`; DSSE, protocol version 1.0.2.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockkeeper::image::Digest;
use lockkeeper::signature::{Claim, PublicKey};
use serde_json::json;

const STATEMENT: &str = "application/vnd.in-toto+json";

/// A pair of keys in PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    private: String,
    pub public: String,
}

/// The pair of this name, made once; by `openssl`, which has to be there.
pub fn pair(name: &str) -> Pair {
    static PAIRS: Mutex<BTreeMap<String, Pair>> = Mutex::new(BTreeMap::new());
    PAIRS.lock().unwrap().entry(name.to_owned()).or_insert_with(Pair::new).clone()
}

impl Pair {
    fn new() -> Self {
        let private = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], b"");
        let public = openssl(&["ec", "-pubout"], &private);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { private: text(private), public: text(public) }
    }

    pub fn key(&self) -> PublicKey {
        self.public.parse().unwrap()
    }

    /// The signature of these bytes, in base64.
    pub fn sign(&self, message: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, &self.private).unwrap();
        STANDARD.encode(openssl(&["dgst", "-sha256", "-sign", &file.display().to_string()], message))
    }

    /// A payload of simple signing, and its signature.
    pub fn simple(&self, digest: Digest) -> (Vec<u8>, String) {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": "elsewhere.example/other" },
                "image": { "docker-manifest-digest": digest.to_string() },
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let signature = self.sign(&payload);
        (payload, signature)
    }

    /// A sigstore bundle.
    pub fn bundle(&self, digest: Digest) -> Vec<u8> {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "digest": { "sha256": digest.hex() } }],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        });
        let statement = statement.to_string();
        let message = format!("DSSEv1 {} {STATEMENT} {} {statement}", STATEMENT.len(), statement.len());
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "publicKey": { "hint": "" }, "tlogEntries": [] },
            "dsseEnvelope": {
                "payload": STANDARD.encode(&statement),
                "payloadType": STATEMENT,
                "signatures": [{ "sig": self.sign(message.as_bytes()) }],
            },
        });
        bundle.to_string().into_bytes()
    }

    /// Both forms of a signature, as a registry would give them.
    pub fn claims(&self, digest: Digest) -> [Claim; 2] {
        let (payload, signature) = self.simple(digest);
        [Claim::Simple { payload, signature }, Claim::Bundle(self.bundle(digest))]
    }
}

fn openssl(words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut running = Command::new("openssl")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(input).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
