//! Who may read: docker's configuration file against a real registry and a token server.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use lockkeeper::demo::registry::DemoRegistry;
use lockkeeper::registry::Registry as _;
use lockkeeper::registry::credentials::Credentials;

use super::support::docker_registry::{DockerRegistry, HTPASSWD, Options, PASSWORD, USER};
use super::{anonymous, client, kind, repository, skopeo, spec, tag};

fn write_auth(path: &Path, host: &str, password: &str) {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
    fs::write(path, format!(r#"{{"auths":{{"{host}":{{"auth":"{pair}"}}}}}}"#)).unwrap();
}

#[tokio::test]
async fn a_password_that_was_wrong_and_is_mended_is_used_without_a_restart() {
    let options = Options { htpasswd: Some(HTPASSWD.to_owned()), ..Options::default() };
    let Some(real) = DockerRegistry::start(&options) else { return };
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let digest = demo.push_image("shop/web", &tag("1.4.2"), &spec("1.4.2")).unwrap();
    let (from, host) = (format!("docker://{}/shop/web:1.4.2", demo.address()), real.address().to_string());
    let to = format!("docker://{host}/shop/web:1.4.2");
    let login = format!("--dest-creds={USER}:{PASSWORD}");
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let Some(_) = skopeo(&["copy", "--all", plain[0], plain[1], &login, &from, &to]).await else { return };

    let web = repository(real.address(), "shop/web");
    assert_eq!(kind(&anonymous().resolve(&web, &tag("1.4.2")).await.unwrap_err()), "denied");
    assert_eq!(kind(&anonymous().tags(&web).await.unwrap_err()), "denied");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    write_auth(&path, &host, "wrong");
    let registry = client(Credentials::from_file(&path));
    let error = registry.resolve(&web, &tag("1.4.2")).await.unwrap_err();
    assert_eq!(kind(&error), "denied");
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    write_auth(&path, &host, PASSWORD);
    assert_eq!(registry.resolve(&web, &tag("1.4.2")).await.unwrap(), digest);
    assert_eq!(registry.tags(&web).await.unwrap(), [tag("1.4.2")]);
    assert_eq!(registry.image(&web, digest).await.unwrap().platforms.len(), 2);
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);

    fs::write(&path, "{").unwrap();
    let error = registry.resolve(&web, &tag("1.4.2")).await.unwrap_err();
    assert_eq!(kind(&error), "denied");
    assert!(error.to_string().contains("config.json"), "{error}");
}
