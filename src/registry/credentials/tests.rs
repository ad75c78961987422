use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;

use super::*;

fn basic(username: &str, password: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), password: password.to_owned() }
}

fn encoded(pair: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(pair)
}

/// The credential for `host` in a file of this content.
fn check(content: &str, host: &str) -> Result<Credential, CredentialsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, content).unwrap();
    Ok(match find(&AuthFile { path, absence: Absence::Allowed }, host)? {
        Some(Found::Credential(credential)) => credential,
        Some(Found::Helper(helper)) => panic!("{helper:?} is asked"),
        None => Credential::Anonymous,
    })
}

#[test]
fn a_host_is_found_under_the_keys_that_docker_writes() {
    let auths = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"{}"}}}}}}"#, encoded("ci:se:cret"));
    for (key, host) in [
        ("ghcr.io", "ghcr.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("docker.io", "docker.io"),
    ] {
        assert_eq!(check(&auths(key), host).unwrap(), basic("ci", "se:cret"), "{key} {host}");
    }
    for host in ["quay.io", "127.0.0.1:5001", "docker.io"] {
        assert_eq!(check(&auths("ghcr.io"), host).unwrap(), Credential::Anonymous, "{host}");
    }
}

#[test]
fn an_identity_token_is_a_password_at_azure_and_an_error_elsewhere() {
    let content = |host: &str| format!(r#"{{"auths":{{"{host}":{{"identitytoken":"refresh"}}}}}}"#);
    for host in ["acme.azurecr.io", "acme.azurecr.cn", "acme.azurecr.us"] {
        assert_eq!(check(&content(host), host).unwrap(), basic(AZURE_TOKEN_USER, "refresh"));
    }
    for host in ["ghcr.io", "azurecr.io.evil.example", "evilazurecr.io"] {
        assert!(matches!(check(&content(host), host), Err(CredentialsError::File { .. })), "{host}");
    }
}

#[test]
fn a_broken_file_is_an_error_that_names_it_and_not_its_content() {
    for content in ["", "{", "[]", r#"{"auths":{"ghcr.io":{"auth":"s3cret!"}}}"#, r#"{"auths":"s3cret"}"#] {
        let error = check(content, "ghcr.io").unwrap_err();
        assert!(matches!(error, CredentialsError::File { .. }), "{content}");
        assert!(error.to_string().contains("config.json"), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let long = format!("{{}}{}", " ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() - 2));
    assert_eq!(check(&long, "ghcr.io").unwrap(), Credential::Anonymous);
    assert!(check(&format!("{long} "), "ghcr.io").is_err());
}

#[test]
fn a_missing_file_is_a_mistake_only_where_it_was_named() {
    let path = PathBuf::from("/nonexistent/config.json");
    let allowed = AuthFile { path: path.clone(), absence: Absence::Allowed };
    assert_eq!(find(&allowed, "ghcr.io").unwrap(), None);
    assert!(find(&AuthFile { path, absence: Absence::Mistake }, "ghcr.io").is_err());
}

#[test]
fn the_environment_names_the_files_in_order() {
    let variables = |names: &'static [&'static str]| {
        let files = auth_files(|name| names.contains(&name).then(|| PathBuf::from(format!("/{name}"))));
        files.into_iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(variables(&[]), Vec::<String>::new());
    assert_eq!(variables(&["HOME"]), ["/HOME/.docker/config.json"]);
    assert_eq!(
        variables(&["HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_AUTH_CONFIG"]),
        [
            "DOCKER_AUTH_CONFIG",
            "/REGISTRY_AUTH_FILE",
            "/DOCKER_CONFIG/config.json",
            "/XDG_RUNTIME_DIR/containers/auth.json"
        ]
    );
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?} {:?}", basic("ci", "hunter2"), Credentials::from_file("/etc/auth.json"));
    assert!(
        printed.contains("ci") && printed.contains("/etc/auth.json") && !printed.contains("hunter2"),
        "{printed}"
    );
}

#[tokio::test]
async fn a_changed_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let write = |pair: &str| {
        let content = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{}"}}}}}}"#, encoded(pair));
        fs::write(&path, content).unwrap();
    };
    write("ci:old");
    let credentials = Credentials::from_file(&path);
    assert_eq!(credentials.of("ghcr.io").await.unwrap(), basic("ci", "old"));
    write("ci:longer-new");
    assert_eq!(credentials.of("ghcr.io").await.unwrap(), basic("ci", "longer-new"));
    fs::remove_file(&path).unwrap();
    assert!(credentials.of("ghcr.io").await.is_err(), "a file that vanished is not anonymous");
}

/// Helpers are found on the search path only, so the test runs itself again with one that has them.
#[test]
fn helpers_answer_say_no_or_fail() {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [
        ("gives", r#"read host; echo "{\"Username\":\"$host\",\"Secret\":\"s3cret\"}""#),
        ("none", "echo credentials not found in native keychain; exit 1"),
        ("broken", "echo s3cret; exit 1"),
        ("odd", "echo s3cret"),
        ("token", r#"echo "{\"Username\":\"<token>\",\"Secret\":\"s3cret\"}""#),
        // It tells its own id, to be looked for afterwards.
        ("hangs", "echo $$ > \"$PIDS/hangs\"; exec sleep 600"),
        ("counts", r#"echo once >> "$PIDS/counts"; sleep 0.2; echo "{\"Username\":\"u\",\"Secret\":\"p\"}""#),
    ] {
        let program = folder.path().join(format!("docker-credential-{name}"));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), env::var("PATH").unwrap());
    let again = std::process::Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "registry::credentials::tests::with_helpers_on_the_path"])
        .env("PATH", path)
        .env("PIDS", folder.path())
        .env(VARIABLE, format!(r#"{{"auths":{{"itself.example":{{"auth":"{}"}}}}}}"#, encoded("ci:own")))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && printed.contains("1 passed"), "{printed}");
}

#[tokio::test]
#[ignore = "run by `helpers_answer_say_no_or_fail`, with helpers on the search path"]
async fn with_helpers_on_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let helpers = ["gives", "none", "broken", "odd", "missing", "token", "hangs", "counts", "../../bin/sh"];
    let helpers: Vec<String> =
        helpers.iter().enumerate().map(|(n, name)| format!(r#""h{n}.example":"{name}""#)).collect();
    let plain = format!(r#""plain.example":{{"auth":"{}"}}"#, encoded("ci:plain"));
    let azure = r#""acme.azurecr.io":"token""#;
    let content = format!(
        r#"{{"auths":{{{plain}}},"credHelpers":{{{},{azure}}},"credsStore":"gives"}}"#,
        helpers.join(",")
    );
    fs::write(&path, &content).unwrap();
    let credentials = Arc::new(Credentials::from_file(&path));
    assert_eq!(credentials.of("h0.example").await.unwrap(), basic("h0.example", "s3cret"));
    assert_eq!(credentials.of("h1.example").await.unwrap(), Credential::Anonymous);
    assert_eq!(credentials.of("acme.azurecr.io").await.unwrap(), basic(AZURE_TOKEN_USER, "s3cret"));
    assert_eq!(
        credentials.of("other.example").await.unwrap(),
        basic("other.example", "s3cret"),
        "the store's"
    );
    assert_eq!(Credentials::from_environment().of("itself.example").await.unwrap(), basic("ci", "own"));
    for n in [2, 3, 4, 5, 8] {
        let error = credentials.of(&format!("h{n}.example")).await.unwrap_err();
        assert!(matches!(error, CredentialsError::Helper { .. }), "{n}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
    let next = folder.path().join("next.json");
    fs::write(&next, format!(r#"{{"auths":{{"h9.example":{{"auth":"{}"}}}}}}"#, encoded("ci:next"))).unwrap();
    fs::write(&path, r#"{"credsStore":"none"}"#).unwrap();
    let files = [path.clone(), next].map(|path| AuthFile { path, absence: Absence::Mistake });
    let found = Credentials::of_files(files.to_vec()).of("h9.example").await;
    assert_eq!(found.unwrap(), basic("ci", "next"), "a store that knows nothing ends nothing");
    fs::write(&path, &content).unwrap();
    let counted = futures::future::join_all((0..16).map(|_| credentials.of("h7.example"))).await;
    assert!(counted.into_iter().all(|found| found.unwrap() == basic("u", "p")));
    let pids = PathBuf::from(env::var_os("PIDS").unwrap());
    assert_eq!(fs::read_to_string(pids.join("counts")).unwrap(), "once\n");
    one_that_hangs_is_ended(&credentials, &pids).await;
}

/// It stops nobody else, and is gone when its time is over.
async fn one_that_hangs_is_ended(credentials: &Arc<Credentials>, pids: &Path) {
    let asked = Arc::clone(credentials);
    let hangs = tokio::spawn(async move { asked.of("h6.example").await });
    while !pids.join("hangs").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(credentials.of("plain.example").await.unwrap(), basic("ci", "plain"));
    assert!(!hangs.is_finished());
    assert!(matches!(hangs.await.unwrap(), Err(CredentialsError::Slow { .. })));
    let pid = fs::read_to_string(pids.join("hangs")).unwrap();
    let is_gone = || !Path::new("/proc").join(pid.trim()).join("exe").exists();
    for _ in 0..100 {
        if is_gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("helper {pid} runs on");
}
