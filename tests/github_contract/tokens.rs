//! Who is let in: the App by its JWT and the tokens it asks for, people by their own.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use octocrab::jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::place::{Client, Place, setting};

/// A key pair made for one test, PEM.
pub(crate) fn key_pair() -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let file = file.to_str().unwrap();
    let run = |words: &[&str]| {
        let output = Command::new("openssl").args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["genrsa", "-out", file, "2048"]);
    (std::fs::read_to_string(file).unwrap(), run(&["rsa", "-pubout", "-in", file]))
}

fn claims(app: u64, lives_seconds: i64) -> Value {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    json!({"iss": app, "iat": now - 60, "exp": now + lives_seconds})
}

#[tokio::test]
async fn an_app_gets_a_token_for_an_hour_by_its_jwt() {
    let Some(_) = crate::parts::part("openssl") else { return };
    let (private, public) = key_pair();
    let place = Place::with(crate::github::Setting { public_key: Some(public), ..setting() }).await;
    let key = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
    let jwt = |claims: &Value| encode(&Header::new(Algorithm::RS256), claims, &key).unwrap();
    let client = |token: String| Client { base: place.fake.url(), token };
    let app = client(jwt(&claims(77, 540)));
    assert_eq!(app.get("/app").await.body["slug"], "lockkeeper");
    let installation = app.of("/installation").await.body["id"].clone();
    let path = format!("/app/installations/{installation}/access_tokens");
    let token = app.send("POST", &path, None, &[]).await.unwrap();
    assert_eq!((token.status, token.body["expires_at"].as_str()), (201, Some("2026-01-01T01:00:00Z")));
    let token = token.body["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("ghs_"));
    for (seconds, status) in [(0, 200), (3_599, 200), (1, 401)] {
        place.pass(seconds);
        assert_eq!(client(token.clone()).of("/pulls").await.status, status, "after {seconds} s more");
    }
    let (stranger, _) = key_pair();
    let forged = EncodingKey::from_rsa_pem(stranger.as_bytes()).unwrap();
    let forged = encode(&Header::new(Algorithm::RS256), &claims(77, 540), &forged).unwrap();
    for (token, wanted) in [
        (String::new(), "401 Requires authentication"),
        ("ghs_unknown".to_owned(), "401 Bad credentials"),
        (forged, "401 A JSON web token could not be decoded"),
        (jwt(&claims(78, 540)), "404 Integration not found"),
        (jwt(&claims(77, 700)), "401 'Expiration time' claim"),
    ] {
        let found = client(token).get("/app").await.message();
        assert!(found.starts_with(wanted), "{found}");
    }
    assert_eq!(client(jwt(&claims(77, 540))).of("/pulls").await.status, 401, "a JWT is for the App alone");
    place.no_violations();
}

#[tokio::test]
async fn a_person_has_a_token_that_can_be_revoked() {
    let place = Place::new().await;
    let (ada, app) = (place.client("ada"), place.app());
    assert_eq!(ada.get("/user").await.body["id"], 1);
    assert_eq!(app.get("/user").await.message(), "403 Resource not accessible by integration");
    assert_eq!(app.get("/rate_limit").await.body["rate"]["used"], 2);
    place.fake.revoke_tokens();
    assert_eq!(ada.get("/user").await.message(), "401 Bad credentials");
    place.no_violations();
}

/// A JWT whose signature is nobody's, for a fake that has no key of the App.
pub(crate) fn unchecked_jwt(app: u64) -> String {
    use base64::Engine as _;
    let encode = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", encode(&json!({"alg": "RS256", "typ": "JWT"})), encode(&claims(app, 540)))
}
