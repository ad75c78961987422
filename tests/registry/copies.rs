//! Images that were pushed and copied are read the same everywhere.

use lockkeeper::demo::registry::DemoRegistry;
use lockkeeper::image::{Digest, Repository};
use lockkeeper::registry::oci::OciRegistry;
use lockkeeper::registry::{Registry as _, RegistryError};

use super::support::docker_registry::{DockerRegistry, Options};
use super::{anonymous, copy_all, kind, repository, skopeo, spec, tag};

/// Asks everything of an index of two platforms that was pushed as 1.4.2.
async fn check_index(registry: &OciRegistry, repository: &Repository, digest: Digest) {
    assert_eq!(registry.resolve(repository, &tag("1.4.2")).await.unwrap(), digest);
    assert!(registry.tags(repository).await.unwrap().contains(&tag("1.4.2")));
    let image = registry.image(repository, digest).await.unwrap();
    assert_eq!(image.digest, digest);
    assert_eq!(image.media_type, "application/vnd.oci.image.index.v1+json");
    let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(image.created.unwrap().to_string(), "2026-11-18T16:02:00Z");
    let labels: Vec<(&str, &str)> =
        image.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let want = [
        ("org.opencontainers.image.created", "2026-11-18T16:02:00Z"),
        ("org.opencontainers.image.revision", "4f0c7f1a"),
        ("org.opencontainers.image.source", "https://git.example.com/shop/web"),
        ("org.opencontainers.image.version", "1.4.2"),
    ];
    assert_eq!(labels, want);
    assert_eq!(registry.probe(repository, digest).await.unwrap(), image.platforms);
}

/// Asks for what is not there.
async fn check_absences(registry: &OciRegistry, repository: &Repository, unknown: &Repository) {
    let absent = Digest::of(b"absent");
    let errors: Vec<RegistryError> = vec![
        registry.resolve(repository, &tag("9.9.9")).await.unwrap_err(),
        registry.resolve(unknown, &tag("1.4.2")).await.unwrap_err(),
        registry.tags(unknown).await.unwrap_err(),
        registry.image(repository, absent).await.unwrap_err(),
        registry.probe(repository, absent).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(kind(&error), "not found", "{error}");
    }
}

/// Deletes the arm64 child and expects the probe to name it.
async fn check_missing_child(registry: &OciRegistry, repository: &Repository, digest: Digest, base: &str) {
    let client = reqwest::Client::new();
    // Distribution 2 hides an index from whoever does not ask for one.
    let get = client.get(format!("{base}/manifests/{digest}"));
    let get = get.header("Accept", "application/vnd.oci.image.index.v1+json");
    let raw = get.send().await.unwrap().bytes().await.unwrap();
    let index: serde_json::Value = serde_json::from_slice(&raw).unwrap();
    let child = index["manifests"][1]["digest"].as_str().unwrap();
    let deleted = client.delete(format!("{base}/manifests/{child}")).send().await.unwrap();
    assert!(deleted.status().is_success());
    let error = registry.probe(repository, digest).await.unwrap_err();
    assert_eq!(kind(&error), "not found");
    assert!(error.to_string().contains(child) && error.to_string().contains("linux/arm64"), "{error}");
    assert_eq!(registry.resolve(repository, &tag("1.4.2")).await.unwrap(), digest);
}

#[tokio::test]
async fn the_demo_registry_serves_what_it_built() {
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let digest = demo.push_image("shop/web", &tag("1.4.2"), &spec("1.4.2")).unwrap();
    assert_eq!(demo.push_image("shop/web", &tag("again"), &spec("1.4.2")).unwrap(), digest);
    let (registry, web) = (anonymous(), repository(demo.address(), "shop/web"));
    check_index(&registry, &web, digest).await;
    check_absences(&registry, &web, &repository(demo.address(), "shop/api")).await;
    let base = format!("http://{}/v2/shop/web", demo.address());
    check_missing_child(&registry, &web, digest, &base).await;
    assert!(demo.push_image("Shop", &tag("1"), &spec("1")).is_err());
    demo.stop().await;
    assert_eq!(kind(&registry.resolve(&web, &tag("1.4.2")).await.unwrap_err()), "unavailable");
}

#[tokio::test]
async fn the_demo_registry_lists_tags_in_pages() {
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    for version in ["1.0.0", "1.10.0", "1.2.0"] {
        demo.push_image("shop/web", &tag(version), &spec("1")).unwrap();
    }
    let page = |query: &'static str| {
        let url = format!("http://{}/v2/shop/web/tags/list{query}", demo.address());
        async move {
            let response = reqwest::get(url).await.unwrap();
            let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
            let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            (body["tags"].to_string(), link)
        }
    };
    let next = Some("</v2/shop/web/tags/list?n=2&last=1.10.0>; rel=\"next\"".to_owned());
    assert_eq!(page("?n=2").await, (r#"["1.0.0","1.10.0"]"#.to_owned(), next));
    assert_eq!(page("?n=2&last=1.10.0").await, (r#"["1.2.0"]"#.to_owned(), None));
    assert_eq!(page("?n=3").await.1, None);
}

/// The judge: skopeo copies from our registry to Debian's, and back, and finds the same bytes.
#[tokio::test]
async fn skopeo_copies_all_platforms_from_and_to_the_demo_registry() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let digest = demo.push_image("shop/web", &tag("1.4.2"), &spec("1.4.2")).unwrap();
    let there = format!("{}/shop/web:1.4.2", real.address());
    let Some(()) = copy_all(&format!("{}/shop/web:1.4.2", demo.address()), &there).await else { return };
    let registry = anonymous();
    check_index(&registry, &repository(real.address(), "shop/web"), digest).await;

    copy_all(&there, &format!("{}/shop/back:1.4.2", demo.address())).await.unwrap();
    check_index(&registry, &repository(demo.address(), "shop/back"), digest).await;
    let reference = format!("docker://{}/shop/back:1.4.2", demo.address());
    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &reference]).await.unwrap();
    assert_eq!(Digest::of(&raw), digest);
    let inspected = skopeo(&["inspect", "--tls-verify=false", &reference]).await.unwrap();
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    assert_eq!(inspected["Labels"]["org.opencontainers.image.revision"], "4f0c7f1a");
    // skopeo wants the blob anew where it cannot mount it: an oci layout knows of no other registry.
    let folder = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}:web", folder.path().display());
    skopeo(&["copy", "--all", "--src-tls-verify=false", &reference, &layout]).await.unwrap();
    let upload = format!("docker://{}/shop/uploaded:1.4.2", demo.address());
    skopeo(&["copy", "--all", "--dest-tls-verify=false", &layout, &upload]).await.unwrap();
    check_index(&registry, &repository(demo.address(), "shop/uploaded"), digest).await;

    let real_web = repository(real.address(), "shop/web");
    check_absences(&registry, &real_web, &repository(real.address(), "shop/api")).await;
    let base = format!("http://{}/v2/shop/web", real.address());
    check_missing_child(&registry, &real_web, digest, &base).await;
}

/// A single manifest, without an index over it: its platform and labels stand in the configuration alone.
#[tokio::test]
async fn a_single_manifest_says_what_it_is_by_its_configuration() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let mut single = spec("2.0.0");
    single.platforms = vec!["linux/arm/v7".parse().unwrap()];
    let digest = demo.push_image("shop/web", &tag("2.0.0"), &single).unwrap();
    let (from, to) = (demo.address(), real.address());
    let Some(()) = copy_all(&format!("{from}/shop/web:2.0.0"), &format!("{to}/shop/web:2.0.0")).await else {
        return;
    };
    for address in [from, to] {
        let (registry, web) = (anonymous(), repository(address, "shop/web"));
        assert_eq!(registry.resolve(&web, &tag("2.0.0")).await.unwrap(), digest);
        let image = registry.image(&web, digest).await.unwrap();
        assert_eq!(image.media_type, "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(image.platforms, single.platforms);
        assert_eq!(image.labels["org.opencontainers.image.version"], "2.0.0");
        assert_eq!(registry.probe(&web, digest).await.unwrap(), single.platforms);
        assert_eq!(registry.tags(&web).await.unwrap(), [tag("2.0.0")]);
    }
}
