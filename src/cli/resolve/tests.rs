use std::collections::BTreeMap;

use async_trait::async_trait;
use clap::Parser as _;

use super::*;
use crate::image::{Platform, Repository};
use crate::signature::Scheme;

#[derive(Debug, clap::Parser)]
struct Program {
    #[command(flatten)]
    args: Args,
}

/// A registry whose tags are named after what it answers.
struct Told;

#[async_trait]
impl Registry for Told {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        let (what, reason) = (format!("{repository}:{tag}"), "told so".to_owned());
        match tag.as_str() {
            "missing" => Err(RegistryError::NotFound { what }),
            "denied" => Err(RegistryError::Denied { what, reason }),
            "away" => {
                Err(RegistryError::Unavailable { what, reason, retry_after: Some(Duration::from_secs(9)) })
            }
            "lie" => Err(RegistryError::Untrusted { what, reason }),
            text => Ok(Digest::of(text.as_bytes())),
        }
    }

    async fn tags(&self, _: &Repository) -> Result<Vec<Tag>, RegistryError> {
        Ok(Vec::new())
    }

    async fn image(&self, _: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        let labels =
            BTreeMap::from([("org.opencontainers.image.version".to_owned(), "1\u{1b}[2J".to_owned())]);
        let platforms = vec!["linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap()];
        let created = Some("2026-11-18T16:02:00Z".parse().unwrap());
        Ok(Image { digest, media_type: "application/x".to_owned(), platforms, labels, created })
    }

    async fn probe(&self, _: &Repository, _: Digest) -> Result<Vec<Platform>, RegistryError> {
        Ok(Vec::new())
    }

    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        keys: &[PublicKey],
    ) -> Result<Signed, SignatureError> {
        if digest == Digest::of(b"signed") {
            return Ok(Signed { key: keys[0].id(), scheme: Scheme::Bundle });
        }
        if digest == Digest::of(b"asleep") {
            let (what, reason) = (repository.to_string(), "told so".to_owned());
            return Err(RegistryError::Unavailable { what, reason, retry_after: None }.into());
        }
        Err(SignatureError::Missing)
    }
}

async fn resolved(texts: &[&str]) -> Result<Vec<Resolved>, CliError> {
    let references: Vec<Reference> = texts.iter().map(|text| text.parse().unwrap()).collect();
    resolve_all(&Told, &references, &[]).await
}

#[tokio::test]
async fn each_answer_of_the_registry_has_its_exit_code() {
    for (tag, exit, next) in [
        ("missing", Exit::NotFound, Some("check the spelling of reg.example/web:missing")),
        ("denied", Exit::Permission, Some("docker login reg.example")),
        ("away", Exit::TryAgain, Some("in 9 s")),
        ("lie", Exit::Integrity, None),
    ] {
        let error = resolved(&[&format!("reg.example/web:{tag}")]).await.unwrap_err();
        assert_eq!(error.exit, exit, "{tag}");
        let found = error.next.unwrap_or_default();
        assert!(found.contains(next.unwrap_or_default()), "{found}");
    }
}

#[tokio::test]
async fn a_reference_is_read_as_container_tools_read_it() {
    let digest = Digest::of(b"x");
    for (text, want) in [
        ("web", Digest::of(b"latest")),
        ("web:1", Digest::of(b"1")),
        (&format!("web:1@{digest}"), digest),
        (&format!("web@{digest}"), digest),
    ] {
        assert_eq!(resolved(&[text]).await.unwrap()[0].image.digest, want, "{text}");
    }
}

#[tokio::test]
async fn sameness_is_of_digests() {
    for (texts, want) in [
        (&["a/web:1"][..], true),
        (&["a/web:1", "b/web:1"], true),
        (&["a/web:1", "a/web:2"], false),
        (&["a/web:1", "b/web:1", "c/web:2"], false),
    ] {
        assert_eq!(are_same(&resolved(texts).await.unwrap()), want, "{texts:?}");
    }
    let two = resolved(&["web:1", "web:2"]).await.unwrap();
    assert_eq!(differences(&two), "web:1 is 6b86b273ff34, web:2 is d4735e3a265e");
}

#[tokio::test]
async fn what_is_printed() {
    let one = resolved(&["reg.example/web:1"]).await.unwrap();
    insta::assert_snapshot!(render(&one, Format::Table), @r"
    reg.example/web:1@sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
     digest     sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
     platforms  linux/amd64 linux/arm64
     created    2026-11-18T16:02:00Z
     type       application/x
     version    1 [2J
    ");
    insta::assert_snapshot!(render(&one, Format::Json), @r#"
    {
      "apiVersion": "lockkeeper/v1",
      "images": [
        {
          "reference": "reg.example/web:1",
          "repository": "reg.example/web",
          "tag": "1",
          "digest": "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
          "mediaType": "application/x",
          "platforms": [
            "linux/amd64",
            "linux/arm64"
          ],
          "created": "2026-11-18T16:02:00Z",
          "labels": {
            "org.opencontainers.image.version": "1\u001b[2J"
          }
        }
      ]
    }
    "#);
}

#[test]
fn the_words_are_checked() {
    let parse = |words: &[&str]| Program::try_parse_from([&["resolve"], words].concat());
    let args = parse(&["--same", "-o", "json", "web:1", "web:2"]).unwrap().args;
    assert!(args.same && args.output == Format::Json && args.references.len() == 2);
    for bad in [&[][..], &["Web:1"], &["web:-"], &["--timeout", "0", "web"], &["-o", "xml", "web"]] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_digest_is_signed_by_a_key_or_that_is_the_answer() {
    let keys = [include_str!("../../../tests/fixtures/signatures/key.pub").parse::<PublicKey>().unwrap()];
    let check = |tag: &str| {
        let references = [format!("reg.example/web:{tag}").parse().unwrap()];
        let keys = keys.clone();
        async move { resolve_all(&Told, &references, &keys).await }
    };
    let resolved = check("signed").await.unwrap();
    let line = format!("signed     by key {}, kept as bundle", keys[0].id());
    assert!(render(&resolved, Format::Table).contains(&line), "{}", render(&resolved, Format::Table));
    let json: Value = serde_json::from_str(&render(&resolved, Format::Json)).unwrap();
    assert_eq!(json["images"][0]["signed"], json!({ "key": keys[0].id(), "scheme": "bundle" }));
    for (tag, exit) in [("1", Exit::Negative), ("asleep", Exit::TryAgain)] {
        assert_eq!(check(tag).await.unwrap_err().exit, exit, "{tag}");
    }
}
