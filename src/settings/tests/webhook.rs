//! What of webhooks is refused, and what lets a sender in.

use super::*;

const KEYS: &str = r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQ","e":"AQAB"}]}"#;

fn token(issuer: &str, keys: &Path) -> String {
    format!("token = {{ keys_file = {keys:?}, issuer = '{issuer}', audience = 'b', email = 'c' }}")
}

fn load_webhook(place: &Place, kind: &str, rest: &str) -> Result<Settings, String> {
    place.load(&format!("[[webhooks]]\nkind = '{kind}'\npath = 'main'\n{rest}\n{REPOSITORY}"), &[])
}

#[test]
fn every_kind_of_webhook_says_by_what_it_is_let_in() {
    let place = Place::new();
    let long = place.file("long", &"0a".repeat(16));
    let keys = place.file("keys", KEYS);
    let secret = format!("secret_files = [{long:?}]");
    let here = "registry = 'registry.example.com:5000/docker'";
    for (kind, rest) in [
        ("distribution", secret.clone()),
        ("gitlab", secret.clone()),
        ("harbor", format!("{secret}\nheader = 'X-Harbor'")),
        ("dockerhub", secret.clone()),
        ("github", secret.clone()),
        ("quay", format!("{secret}\naliases = {{ 'Quay.example' = 'registry.example' }}")),
        ("acr", secret.clone()),
        ("eventgrid", secret.clone()),
        ("eventgrid", format!("{secret}\nheader = 'X-Secret'")),
        ("ecr", format!("{secret}\naliases = {{ '1.eu' = 'registry.example' }}")),
        ("ecr", format!("{secret}\n{here}")),
        ("gar", token("a", &keys)),
        ("artifactory", secret.clone()),
        ("nexus", format!("{secret}\n{here}")),
        ("zot", format!("{secret}\n{here}")),
        ("gitea", format!("{secret}\n{here}")),
        ("generic", secret.clone()),
    ] {
        let webhook = load_webhook(&place, kind, &rest)
            .unwrap_or_else(|error| panic!("{kind}: {error}"))
            .webhooks
            .remove(0);
        assert_eq!(webhook.secrets.is_empty(), webhook.kind.proof() == Proof::Token, "{kind}");
        assert_eq!(webhook.aliases.contains_key("quay.example"), kind == "quay");
        if webhook.kind.proof() != Proof::Token {
            let error = load_webhook(&place, kind, here).unwrap_err();
            assert!(error.ends_with("webhook `main` needs a file with its secret"), "{kind}: {error}");
        }
    }
}

#[test]
fn a_webhook_that_would_let_in_anybody_or_tell_of_nothing_is_refused() {
    let place = Place::new();
    let long = place.file("long", &"0a".repeat(16));
    let keys = place.file("keys", KEYS);
    let (short, odd) = (place.file("short", &"0".repeat(31)), place.file("odd", &"0/".repeat(16)));
    let secret = format!("secret_files = [{long:?}]");
    let address = "the secret becomes part of an address";
    let nowhere = "what is sent does not say from where images are pulled";
    for (kind, rest, want) in [
        ("harbour", secret.clone(), "does not have variant constructor harbour"),
        ("quay", format!("secret_files = [{short:?}]"), address),
        ("dockerhub", format!("secret_files = [{long:?}, {odd:?}]"), address),
        ("quay", format!("{secret}\nheader = 'X-Secret'"), "does not show a secret in a header"),
        ("eventgrid", format!("secret_files = [{short:?}]"), address),
        ("gar", String::new(), "needs this table, which says what tokens count"),
        ("gar", format!("{}\n{secret}", token("a", &keys)), "shows a token, and no secret"),
        ("gar", token("", &keys), "setting `webhooks.0.token.issuer` is missing"),
        ("gar", token("a", &long), "wanted a JWK set"),
        ("gar", token("a", Path::new("/nowhere/keys")), "secret of setting `webhooks.0.token.keys_file`"),
        ("harbor", format!("{secret}\n{}", token("a", &keys)), "shows a secret, and no token"),
        ("nexus", secret.clone(), nowhere),
        ("zot", format!("{secret}\naliases = {{ 'a' = 'registry.example' }}"), nowhere),
        ("gitea", secret.clone(), nowhere),
        ("ecr", secret.clone(), nowhere),
        (
            "harbor",
            format!("{secret}\nregistry = 'harbor'"),
            "setting `webhooks.0.registry` in my.toml: wanted a host",
        ),
        ("harbor", format!("{secret}\nregistry = 'https://registry.example'"), "wanted a host"),
        (
            "harbor",
            format!("{secret}\naliases = {{ 'a' = '' }}"),
            "setting `webhooks.0.aliases` in my.toml: wanted a host",
        ),
        ("harbor", format!("{secret}\nheader = 'a b'"), "wanted the name of a header"),
    ] {
        let error = load_webhook(&place, kind, &rest).unwrap_err();
        assert!(error.contains(want), "{kind} {rest}: {error}");
    }
}
