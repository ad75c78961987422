//! Keyless signatures: what becomes of what a program says that stands for cosign, whatever it does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use http::{StatusCode, header};
use lockkeeper::image::{Digest, Repository};
use lockkeeper::registry::credentials::Credentials;
use lockkeeper::registry::oci::{OciRegistry, OciSettings};
use lockkeeper::registry::{Registry as _, SignatureError};
use lockkeeper::signature::{Keyless, Signers, Verified};

const ISSUER: &str = "https://issuer.example";
const NAME: &str = "registry.invalid/shop/web";

/// A folder with a program in it, which writes down what it was asked and with which variables.
struct Cosign {
    folder: tempfile::TempDir,
}

impl Cosign {
    fn new(script: &str) -> Self {
        let cosign = Self { folder: tempfile::tempdir().unwrap() };
        cosign.write(script);
        cosign
    }

    /// Written beside and put in place, so that what runs is never written to.
    fn write(&self, script: &str) {
        let (path, new) = (self.path("cosign"), self.path("new"));
        let place = self.folder.path().display();
        let noted = format!(
            "echo \"$@\" >> '{place}/asked'; env > '{place}/variables'; cat \"$DOCKER_CONFIG/config.json\" > '{place}/login'"
        );
        fs::write(&new, format!("#!/bin/sh\nP='{place}'\n{noted}\n{script}\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What it was asked since the last time, a line for each run.
    fn asked(&self) -> Vec<String> {
        let asked = self.read("asked").lines().map(str::to_owned).collect();
        let _ = fs::remove_file(self.path("asked"));
        asked
    }

    /// What reads at this host, beside another's.
    fn reader(&self, host: &str) -> Credentials {
        let path = self.path("config.json");
        let auths =
            format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}},"other.invalid":{{"auth":"eDp5"}}}}}}"#, pair());
        fs::write(&path, auths).unwrap();
        Credentials::from_file(path)
    }

    fn registry(&self, credentials: Credentials) -> OciRegistry {
        let cosign_program = Some(self.path("cosign"));
        OciRegistry::new(OciSettings { cosign_program, ..OciSettings::default() }, credentials)
    }
}

fn pair() -> String {
    base64::engine::general_purpose::STANDARD.encode("reader:s3cret")
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn keyless(identity: &str) -> Keyless {
    Keyless::new(identity, ISSUER).unwrap()
}

fn by(identities: &[&str]) -> Signers {
    Signers { keys: Vec::new(), keyless: identities.iter().map(|identity| keyless(identity)).collect() }
}

/// A script that prints a payload of this kind and digest.
fn prints(kind: &str, digest: Digest) -> String {
    format!(
        r#"printf '\n[{{"critical":{{"identity":{{"docker-reference":"x"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":{{"Subject":"x"}}}}]\n'"#
    )
}

fn signature(digest: Digest) -> String {
    prints("cosign container image signature", digest)
}

async fn ask(registry: &OciRegistry, signers: &Signers) -> Result<Verified, SignatureError> {
    let web: Repository = NAME.parse().unwrap();
    registry.signature(&web, image(), signers).await
}

#[tokio::test]
async fn only_a_clear_yes_of_our_digest_is_one() {
    let cosign = Cosign::new("");
    let failed = "echo 'main.go:74: error during command execution:";
    let (good, other) = (signature(image()), signature(Digest::of(b"other")));
    for (script, is_answer, want) in [
        (good.clone(), true, ""),
        (prints("https://sigstore.dev/cosign/sign/v1", image()), true, ""),
        // Two forms are asked for where bundles were found.
        (other, true, "it was made for another digest"),
        (prints("https://slsa.dev/provenance/v1", image()), true, "an attestation and no signature"),
        (format!("{failed} no signatures found' >&2; exit 10"), true, "no signatures found"),
        (format!("{failed} no matching signatures: none fit' >&2; exit 12"), true, "none fit"),
        (format!("{failed} no matching attestations: x' >&2; exit 1"), true, "no matching attestations: x"),
        // Whatever it prints, it said no.
        (
            format!("{good}; {failed} connection refused' >&2; exit 1"),
            false,
            "exit status: 1: connection refused",
        ),
        ("echo Verified OK".to_owned(), false, "no list of payloads"),
        ("echo '[]'".to_owned(), false, "an empty list"),
        (String::new(), false, "no list of payloads"),
        ("kill -9 $$".to_owned(), false, "signal: 9"),
        ("yes".to_owned(), false, "it printed more than 1048576 bytes"),
        ("yes >&2".to_owned(), false, "it printed more than 1048576 bytes"),
    ] {
        cosign.write(&script);
        match ask(&cosign.registry(Credentials::anonymous()), &by(&["kim@example.com"])).await {
            Ok(verified) => {
                assert!(want.is_empty(), "{script}");
                assert_eq!(verified, Verified::Keyless(keyless("kim@example.com")));
            }
            Err(error) => {
                let text = error.to_string();
                assert!(!want.is_empty() && text.contains(want), "{script}: {text}");
                assert_eq!(error.is_answer(), is_answer, "{script}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn without_the_program_nothing_counts_and_the_setting_is_named() {
    let off = OciRegistry::new(OciSettings::default(), Credentials::anonymous());
    let error = ask(&off, &by(&["kim@example.com"])).await.unwrap_err();
    assert!(!error.is_answer() && error.to_string().contains("`cosign_program` of `[registry]`"), "{error}");
    let cosign = Cosign::new("");
    fs::remove_file(cosign.path("cosign")).unwrap();
    let error = ask(&cosign.registry(Credentials::anonymous()), &by(&["kim@example.com"])).await.unwrap_err();
    assert!(!error.is_answer() && error.to_string().contains("it cannot be run"), "{error}");
}

/// A registry that asks for the password itself, or, where its answers are for `token`, for a token that it gives out.
async fn serve(asks: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let realm = format!("http://{host}/token");
    let answer = move |request: Request| {
        let asks = asks.replace("REALM", &realm);
        async move { answer(&request, &asks) }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    host
}

fn answer(request: &Request, asks: &str) -> Response {
    if request.uri().path() == "/token" {
        assert_eq!(request.uri().query(), Some("scope=repository%3Ashop%2Fweb%3Apull"));
        return r#"{"token":"pull-only","expires_in":300}"#.into_response();
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, asks)]).into_response()
}

#[tokio::test]
async fn it_is_asked_for_the_digest_with_what_reads_there_and_nothing_else_of_ours() {
    let host = serve("Basic realm=\"shop\"").await;
    let cosign = Cosign::new(&signature(image()));
    let registry = cosign.registry(cosign.reader(&host));
    let web: Repository = format!("{host}/shop/web").parse().unwrap();
    let ask = async |identity: &str| registry.signature(&web, image(), &by(&[identity])).await;
    let workflow = "https://git.example/shop/web/.ci/release.yml@refs/tags/*";
    ask(workflow).await.unwrap();
    let pin = format!("{web}@{}", image());
    let pattern = r"https\:\/\/git\.example\/shop\/web\/\.ci\/release\.yml\@refs\/tags\/";
    let (begin, issuer) =
        ("verify --output=json --timeout=30s", format!("--certificate-oidc-issuer={ISSUER}"));
    let want =
        format!("{begin} --certificate-identity-regexp=^{pattern}.*$ {issuer} --allow-http-registry {pin}");
    assert_eq!(cosign.asked(), [want]);
    assert_eq!(cosign.read("login"), format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, pair()));
    let variables = cosign.read("variables");
    let names: Vec<&str> = variables.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"PATH") && !names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    let login = variables.lines().find_map(|line| line.strip_prefix("DOCKER_CONFIG=")).unwrap();
    assert!(!Path::new(login).exists(), "the login is gone with the run");
    // What was good is remembered for this identity; another one is asked for.
    ask(workflow).await.unwrap();
    assert_eq!(cosign.asked(), [""; 0]);
    cosign.write("exit 12");
    ask(workflow).await.unwrap();
    ask("kim@example.com").await.unwrap_err();
    assert_eq!(
        cosign.asked(),
        [format!("{begin} --certificate-identity=kim@example.com {issuer} --allow-http-registry {pin}")]
    );
}

/// The token server is the one that is checked here: the program asks none.
#[tokio::test]
async fn it_gets_a_token_in_place_of_the_password() {
    let host = serve("Bearer realm=\"REALM\"").await;
    let cosign = Cosign::new(&signature(image()));
    let registry = cosign.registry(cosign.reader(&host));
    let web: Repository = format!("{host}/shop/web").parse().unwrap();
    let signers = by(&["kim@example.com"]);
    registry.signature(&web, image(), &signers).await.unwrap();
    assert_eq!(cosign.read("login"), format!(r#"{{"auths":{{"{host}":{{"registrytoken":"pull-only"}}}}}}"#));
    let elsewhere = serve("Bearer realm=\"https://elsewhere.invalid/token\"").await;
    let registry = cosign.registry(cosign.reader(&elsewhere));
    let web: Repository = format!("{elsewhere}/shop/web").parse().unwrap();
    cosign.asked();
    let error = registry.signature(&web, image(), &signers).await.unwrap_err();
    assert!(!error.is_answer() && error.to_string().contains("elsewhere.invalid"), "{error}");
    assert_eq!(cosign.asked(), [""; 0]);
}

#[tokio::test]
async fn the_next_identity_and_the_other_form_are_asked_for_as_well() {
    let cosign = Cosign::new(&format!("case \"$*\" in *sam@*) {};; *) exit 12;; esac", signature(image())));
    let registry = cosign.registry(Credentials::anonymous());
    let found = ask(&registry, &by(&["kim@example.com", "sam@example.com"])).await.unwrap();
    assert_eq!(found, Verified::Keyless(keyless("sam@example.com")));
    assert_eq!(cosign.asked().len(), 2);
    // One of whom nothing is known hides no other, and is no answer.
    let registry = cosign.registry(Credentials::anonymous());
    cosign.write(&format!("case \"$*\" in *sam@*) {};; *) exit 1;; esac", signature(image())));
    ask(&registry, &by(&["kim@example.com", "sam@example.com"])).await.unwrap();
    cosign.write("case \"$*\" in *sam@*) exit 12;; *) exit 1;; esac");
    let registry = cosign.registry(Credentials::anonymous());
    let error = ask(&registry, &by(&["kim@example.com", "sam@example.com"])).await.unwrap_err();
    assert!(!error.is_answer(), "{error}");
    assert_eq!(cosign.asked().len(), 4);
    // Bundles of which none is a signature hide no signature in the tag.
    let provenance = prints("https://slsa.dev/provenance/v1", image());
    cosign.write(&format!(
        "case \"$*\" in *bundle-format=false*) {};; *) {provenance};; esac",
        signature(image())
    ));
    ask(&cosign.registry(Credentials::anonymous()), &by(&["kim@example.com"])).await.unwrap();
    let asked = cosign.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        !asked[0].contains("--new-bundle-format") && asked[1].contains("--new-bundle-format=false"),
        "{asked:?}"
    );
}

/// One that hangs, in a process of its own as well, is ended with whoever waits for it.
#[tokio::test]
async fn one_that_hangs_is_ended_with_all_that_it_started() {
    let cosign = Cosign::new("echo $$ > $P/pid; sleep 600 & echo $! > $P/child; wait");
    let registry = cosign.registry(Credentials::anonymous());
    let signers = by(&["kim@example.com"]);
    {
        let asked = ask(&registry, &signers);
        tokio::pin!(asked);
        while cosign.read("child").trim().is_empty() {
            tokio::select! {
                found = &mut asked => panic!("{found:?}"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    }
    for name in ["pid", "child"] {
        let pid = cosign.read(name);
        let is_gone = || !Path::new("/proc").join(pid.trim()).join("exe").exists();
        let ended = async {
            while !is_gone() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect(name);
    }
    cosign.write(&signature(image()));
    ask(&registry, &signers).await.unwrap();
}
