//! What happens to the registry.

use lockkeeper::image::Repository;
use lockkeeper::store::{Delivery, Hint};

use super::cast::repository;
use super::{Checked, Story, text};

impl Story {
    pub(super) async fn push(&mut self, image: &str, tag: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let mut platforms = vec!["linux/amd64", "linux/arm64"];
        let mut bytes = tag;
        let mut is_quiet = false;
        let mut revision = tag;
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
                ["revision", commit, tail @ ..] => {
                    revision = commit;
                    tail
                }
                _ => return Err("push IMAGE TAG [as NAME] [only PLATFORM] [revision R] [quietly]".to_owned()),
            };
        }
        let labels = [("revision", revision), ("source", "https://git.test/shop/web")];
        self.registry.push(&name, tag, bytes, &platforms, &labels);
        if is_quiet || self.running.is_none() {
            return Ok(());
        }
        self.deliver(image, tag).await
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
            }],
        };
        let image: Repository = repository(image).parse().unwrap();
        let store = self.running()?.world.store.clone();
        let keys = store.watchers(&image.canonical()).await.map_err(text)?;
        store.put(&delivery, &keys).await.map_err(text)?;
        // A repeat is a no-op, so every delivery of every story comes twice.
        store.put(&delivery, &keys).await.map_err(text)?;
        self.settle().await
    }
}
