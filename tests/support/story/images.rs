//! What happens to the registry.

use lockkeeper::image::{Repository, Tag};
use lockkeeper::store::{Delivery, Hint};

use super::super::signing;
use super::cast::repository;
use super::{Checked, FakeRegistry, Mood, Story, text};

impl Story {
    pub(super) fn registry_is(&self, how: &[&str]) -> Checked {
        let mood = match how {
            ["takes", "tags"] => {
                self.registry.take_tags();
                return Ok(());
            }
            ["keeps", tag] => {
                let tag = tag_of(&repository("web"), tag);
                self.registry.keep(Some(tag.as_str()).filter(|tag| *tag != "nothing"));
                return Ok(());
            }
            [mood] => *mood,
            _ => return Err("takes tags, keeps TAG, keeps nothing, or a mood".to_owned()),
        };
        self.registry.set_mood(match mood {
            "back" => Mood::Well,
            "away" => Mood::Away,
            "hangs" => Mood::Hangs,
            "lies" => Mood::Lies,
            "denies" => Mood::Denies,
            _ => return Err("back, away, hangs, lies or denies".to_owned()),
        });
        Ok(())
    }

    pub(super) async fn push(&mut self, image: &str, tag: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let mut platforms = vec!["linux/amd64", "linux/arm64"];
        let mut bytes = tag;
        let mut is_quiet = false;
        let mut revision = tag;
        let mut created = "2026-01-01T00:00:00Z";
        let mut rest = rest;
        loop {
            rest = match rest {
                [] => break,
                ["as", other, tail @ ..] => {
                    bytes = other;
                    tail
                }
                ["only", platform, tail @ ..] => {
                    platforms = vec![platform];
                    tail
                }
                ["quietly", tail @ ..] => {
                    is_quiet = true;
                    tail
                }
                ["created", time, tail @ ..] => {
                    created = time;
                    tail
                }
                ["revision", commit, tail @ ..] => {
                    revision = commit;
                    tail
                }
                _ => {
                    let words = "push IMAGE TAG [as NAME] [only PLATFORM] [revision R] [created T] [quietly]";
                    return Err(words.to_owned());
                }
            };
        }
        let known = self.revisions.get(revision).map(ToString::to_string);
        let revision = known.as_deref().unwrap_or(revision);
        let source = self.source_address();
        let labels = [("revision", revision), ("source", source.as_str())];
        self.registry.push(&name, tag, bytes, &platforms, &labels, created.parse().ok());
        if is_quiet || self.running.is_none() {
            return Ok(());
        }
        self.deliver(image, tag).await
    }

    /// Lets a tag name the image of another, as people do; with `loudly`, the registry tells of it.
    pub(super) async fn somebody_tags(
        &mut self,
        image: &str,
        tag: &str,
        name: &str,
        rest: &[&str],
    ) -> Checked {
        let repository = repository(image);
        self.registry.set_tag(&repository, tag, FakeRegistry::digest(&repository, name));
        match rest {
            ["loudly"] => self.deliver(image, tag).await,
            _ => Ok(()),
        }
    }

    /// What a tag names: a version, the anchor of a version by `anchor`, or nothing by `gone`.
    pub(super) fn expect_tag(&self, image: &str, tag: &str, want: &str) -> Checked {
        let name = repository(image);
        let tag = tag_of(&name, tag);
        let want = (want != "gone").then(|| FakeRegistry::digest(&name, want));
        let found = self.registry.tagged(&name, &tag);
        if found == want { Ok(()) } else { Err(format!("{tag} names {found:?}, not {want:?}")) }
    }

    /// No registry tells of a signature.
    pub(super) fn sign(&self, image: &str, tag: &str, by: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let (form, signed) = match rest {
            [] => (0, tag),
            ["as", "bundle"] => (1, tag),
            ["of", other] => (0, *other),
            ["without", "key"] => {
                self.registry.sign_keyless(FakeRegistry::digest(&name, tag), by);
                return Ok(());
            }
            _ => return Err("sign IMAGE TAG by KEY [as bundle] [of OTHER] [without key]".to_owned()),
        };
        let [simple, bundle] = signing::pair(by).claims(FakeRegistry::digest(&name, signed));
        self.registry.sign(FakeRegistry::digest(&name, tag), if form == 0 { simple } else { bundle });
        Ok(())
    }

    pub(super) fn cosign_is(&self, words: &[&str]) -> Checked {
        match words {
            ["fails:", why @ ..] => self.registry.set_no_cosign(Some(&why.join(" "))),
            ["back"] => self.registry.set_no_cosign(None),
            _ => return Err("cosign fails: WHY, or cosign back".to_owned()),
        }
        Ok(())
    }

    pub(super) async fn deliver(&mut self, image: &str, tag: &str) -> Checked {
        self.deliveries += 1;
        let delivery = Delivery {
            id: format!("push-{}", self.deliveries),
            source: "registry".to_owned(),
            received_at: self.now(),
            hints: vec![Hint::Image {
                repository: image.to_owned(),
                registry: None,
                tags: vec![tag.to_owned()],
                digest: None,
            }],
        };
        let image: Repository = repository(image).parse().unwrap();
        // A repeat is a no-op, so every delivery of every story comes twice; and again where nobody answered the first.
        let mut answers = 0;
        while answers < 2 {
            let store = self.running()?.world.store.clone();
            let put = async {
                let keys = store.watchers(&image.canonical()).await?;
                store.put(&delivery, &keys).await
            };
            match self.faults.clone().alive(put).await {
                Some(answer) => {
                    answer.map_err(text)?;
                    answers += 1;
                }
                None => Box::pin(self.reboot()).await?,
            }
        }
        self.settle().await
    }
}

/// A tag, or the anchor of a version by `anchor-of-VERSION`.
fn tag_of(repository: &str, tag: &str) -> String {
    match tag.strip_prefix("anchor-of-") {
        Some(version) => Tag::anchor(FakeRegistry::digest(repository, version)).to_string(),
        None => tag.to_owned(),
    }
}
