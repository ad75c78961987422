use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser as _;

use super::*;
use crate::image::{Content, Layer, Part, Repository};
use crate::signature::{Scheme, Signers};

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
        let parts = parts(digest, &platforms);
        let media_type = "application/x".to_owned();
        Ok(Image { digest, media_type, platforms, labels, created, parts, missing: Vec::new() })
    }

    async fn tags_on(&self, _: &Repository, _: Digest, expected: &[Tag]) -> Result<Vec<Tag>, RegistryError> {
        Ok(expected.iter().filter(|tag| tag.as_str() == "latest").cloned().collect())
    }

    async fn probe(&self, _: &Repository, _: Digest) -> Result<Vec<Platform>, RegistryError> {
        Ok(Vec::new())
    }

    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        signers: &Signers,
    ) -> Result<Verified, SignatureError> {
        if digest == Digest::of(b"signed") {
            let key = signers.keys[0].id();
            return Ok(Verified::Key(Signed { key, scheme: Scheme::Bundle }));
        }
        if digest == Digest::of(b"asleep") {
            let (what, reason) = (repository.to_string(), "told so".to_owned());
            return Err(RegistryError::Unavailable { what, reason, retry_after: None }.into());
        }
        Err(SignatureError::Missing)
    }
}

/// Of every image amd64 is the same, and arm64 is its own.
fn parts(digest: Digest, platforms: &[Platform]) -> Vec<Part> {
    let part = |(platform, manifest): (&Platform, Digest)| Part {
        platform: platform.clone(),
        manifest,
        content: Some(Content {
            config: manifest,
            layers: vec![
                Layer { digest: manifest, bytes: 1_800_000 },
                Layer { digest: Digest::of(b"base"), bytes: 30_000_000 },
            ],
        }),
    };
    let manifests = [Digest::of(b"amd64"), digest];
    platforms.iter().zip(manifests).map(part).collect()
}

async fn resolved(texts: &[&str]) -> Result<Vec<Resolved>, CliError> {
    let references: Vec<Reference> = texts.iter().map(|text| text.parse().unwrap()).collect();
    resolve_all(&Told, &references, &Asked { tags: true, ..Asked::default() }).await
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
    assert_eq!(
        differences(&two),
        "web:1 is 6b86b273ff34; web:2 is d4735e3a265e: the same manifest for linux/amd64 alone, inside different indexes"
    );
    let child = resolved(&["web:1", &format!("web@{}", Digest::of(b"1")), "web:amd64"]).await.unwrap();
    assert_eq!(
        differences(&child),
        "web:1 is 6b86b273ff34; web:amd64 is 5861314d7fcc: one is the manifest for linux/amd64 in the other, an index"
    );
}

#[tokio::test]
async fn what_is_printed() {
    let one = resolved(&["reg.example/web:1"]).await.unwrap();
    insta::assert_snapshot!(render(&one, Format::Table), @r"
    reg.example/web:1@sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
     digest      sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
     platforms   linux/amd64 linux/arm64
     created     2026-11-18T16:02:00Z
     type        application/x
     size        31.8 MB in 2 layer(s) for linux/amd64
     size        31.8 MB in 2 layer(s) for linux/arm64
     tags found  latest
     version     1[2J
    ");
}

#[tokio::test]
async fn what_is_printed_for_programs() {
    let one = resolved(&["reg.example/web:1"]).await.unwrap();
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
          },
          "parts": [
            {
              "platform": "linux/amd64",
              "manifest": "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51",
              "content": {
                "config": "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51",
                "layers": [
                  {
                    "digest": "sha256:5861314d7fccb39c2192173240eab44fa35ca66426201ca2acd0630a6258dd51",
                    "bytes": 1800000
                  },
                  {
                    "digest": "sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2",
                    "bytes": 30000000
                  }
                ]
              }
            },
            {
              "platform": "linux/arm64",
              "manifest": "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
              "content": {
                "config": "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
                "layers": [
                  {
                    "digest": "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
                    "bytes": 1800000
                  },
                  {
                    "digest": "sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2",
                    "bytes": 30000000
                  }
                ]
              }
            }
          ],
          "missing": [],
          "tagsFound": [
            "latest"
          ]
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
        let asked = Asked { keys: keys.to_vec(), tags: false };
        async move { resolve_all(&Told, &references, &asked).await }
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
