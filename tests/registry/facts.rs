//! What Debian's docker-registry tells of sizes, layers and platforms, and what it does not.

use lockkeeper::image::{Digest, Image, Likeness, Platform, Repository};
use lockkeeper::registry::{Registry as _, RegistryError};
use reqwest::Client;
use serde_json::{Value, json};

use super::support::docker_registry::{DockerRegistry, Options};
use super::{anonymous, kind, repository};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository that is pushed to by hand.
struct Shelf {
    registry: DockerRegistry,
    client: Client,
    web: Repository,
}

impl Shelf {
    fn start() -> Option<Self> {
        let registry = DockerRegistry::start(&Options::default())?;
        let web = repository(registry.address(), "shop/web");
        Some(Self { registry, client: Client::new(), web })
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/v2/shop/web/{rest}", self.registry.address())
    }

    async fn blob(&self, bytes: &[u8]) -> Value {
        let begun = self.client.post(self.url("blobs/uploads/")).send().await.unwrap();
        let place = begun.headers()["Location"].to_str().unwrap();
        let digest = Digest::of(bytes);
        let put = self.client.put(format!("{place}&digest={digest}")).body(bytes.to_vec());
        assert!(put.send().await.unwrap().status().is_success());
        json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "size": bytes.len(), "digest": digest })
    }

    async fn put(&self, media_type: &str, document: &Value) -> Value {
        let text = document.to_string();
        let digest = Digest::of(text.as_bytes());
        let put =
            self.client.put(self.url(&format!("manifests/{digest}"))).header("Content-Type", media_type);
        let answer = put.body(text.clone()).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        json!({ "mediaType": media_type, "size": text.len(), "digest": digest })
    }

    /// The manifest of one platform, with layers of these sizes.
    async fn manifest(&self, platform: &str, layers: &[usize]) -> Value {
        let parts: Vec<&str> = platform.split('/').collect();
        let mut config = json!({ "os": parts[0], "architecture": parts[1], "variant": parts.get(2) });
        config["rootfs"] = json!({ "type": "layers", "diff_ids": [] });
        let config = self.blob(config.to_string().as_bytes()).await;
        let mut described = Vec::new();
        for size in layers {
            described.push(self.blob(&vec![7; *size]).await);
        }
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described });
        let mut descriptor = self.put(MANIFEST, &manifest).await;
        descriptor["platform"] = json!({ "os": parts[0], "architecture": parts[1], "variant": parts.get(2) });
        descriptor
    }

    async fn index(&self, children: &[Value], note: &str) -> Digest {
        let annotations = json!({ "org.opencontainers.image.title": note });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children, "annotations": annotations });
        digest(&self.put(INDEX, &index).await)
    }

    /// What a client that has read nothing yet reads.
    async fn image(&self, digest: Digest) -> Result<Image, RegistryError> {
        anonymous().image(&self.web, digest).await
    }
}

fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

fn sizes(image: &Image) -> Vec<(String, Option<u64>)> {
    let size = |part: &lockkeeper::image::Part| part.content.as_ref().map(lockkeeper::image::Content::bytes);
    image.parts.iter().map(|part| (part.platform.to_string(), size(part))).collect()
}

#[tokio::test]
async fn sizes_are_those_of_each_platform_and_compared_with_the_like() {
    let Some(shelf) = Shelf::start() else { return };
    let (amd, arm) = ("linux/amd64", "linux/arm/v7");
    let old = [shelf.manifest(amd, &[1000, 20]).await, shelf.manifest(arm, &[900]).await];
    let mut attestation = shelf.manifest("unknown/unknown", &[5]).await;
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let new = [shelf.manifest(amd, &[1000, 50]).await, old[1].clone(), attestation];
    let (old_index, new_index) = (shelf.index(&old, "a").await, shelf.index(&new, "a").await);
    let (before, after) = (shelf.image(old_index).await.unwrap(), shelf.image(new_index).await.unwrap());
    assert_eq!(sizes(&before), [(amd.to_owned(), Some(1020)), (arm.to_owned(), Some(900))]);
    assert_eq!(sizes(&after), [(amd.to_owned(), Some(1050)), (arm.to_owned(), Some(900))]);
    let growth: Vec<_> =
        after.growth(&before).map(|(platform, growth)| (platform.to_string(), growth)).collect();
    assert_eq!(growth[0].0, amd);
    assert_eq!(
        (growth[0].1.before, growth[0].1.after, growth[0].1.shared, growth[0].1.new),
        (1020, 1050, 1, 1)
    );
    assert_eq!((growth[1].1.shared, growth[1].1.new), (1, 0));

    let single = shelf.image(digest(&new[0])).await.unwrap();
    assert_eq!(sizes(&single), [(amd.to_owned(), Some(1050))]);
    assert_eq!(Likeness::of(&after, &single), Likeness::PartOf(amd.parse().unwrap()));
    let wrapped = shelf.image(shelf.index(&new, "b").await).await.unwrap();
    assert_eq!(Likeness::of(&after, &wrapped), Likeness::SameManifests);
    assert_eq!(Likeness::of(&before, &after), Likeness::SomeManifests(vec![arm.parse().unwrap()]));
}

#[tokio::test]
async fn an_index_that_is_not_whole_or_nested_is_told_apart_from_a_whole_one() {
    let Some(shelf) = Shelf::start() else { return };
    let children = [shelf.manifest("linux/amd64", &[10]).await, shelf.manifest("linux/arm64", &[20]).await];
    let index = shelf.index(&children, "whole").await;
    let kept = anonymous();
    assert!(kept.image(&shelf.web, index).await.unwrap().missing.is_empty());

    let mut inner = json!({ "mediaType": INDEX, "size": 1, "digest": index });
    inner["platform"] = json!({ "os": "linux", "architecture": "s390x" });
    let nested = shelf.index(&[children[0].clone(), inner], "nested").await;
    let error = shelf.image(nested).await.unwrap_err();
    assert_eq!(kind(&error), "untrusted");
    assert!(error.to_string().contains("an index within an index"), "{error}");

    let url = shelf.url(&format!("manifests/{}", digest(&children[1])));
    assert!(shelf.client.delete(url).send().await.unwrap().status().is_success());
    let arm: Platform = "linux/arm64".parse().unwrap();
    let image = shelf.image(index).await.unwrap();
    assert_eq!((image.platforms.len(), &image.missing), (2, &vec![arm]));
    // What was read whole is not asked for again; what was not is.
    assert!(kept.image(&shelf.web, index).await.unwrap().missing.is_empty());
    let again = anonymous();
    assert_eq!(again.image(&shelf.web, index).await.unwrap().missing.len(), 1);
    shelf.manifest("linux/arm64", &[20]).await;
    assert!(again.image(&shelf.web, index).await.unwrap().missing.is_empty());

    let url = shelf.url(&format!("manifests/{}", digest(&children[0])));
    assert!(shelf.client.delete(url).send().await.unwrap().status().is_success());
    assert_eq!(kind(&shelf.image(index).await.unwrap_err()), "not found");
}
