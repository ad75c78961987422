//! Answers that cannot change: what a digest holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::image::Digest;
use crate::registry::Image;

/// What the images asked for last hold, by canonical repository and digest.
#[derive(Debug, Default)]
pub(super) struct ImageCache {
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    images: BTreeMap<Key, Image>,
    oldest_first: VecDeque<Key>,
}

type Key = (String, Digest);

/// Most images kept: 1,000 pipelines × 4 stages. With 14 labels of 100 bytes that is about 10 MiB; labels at their
/// bounds (64 × 1 KiB) would make it 256 MiB, which nobody's images come near.
const IMAGES_MAX: usize = 4096;

impl ImageCache {
    pub(super) fn get(&self, repository: &str, digest: Digest) -> Option<Image> {
        self.lock().images.get(&(repository.to_owned(), digest)).cloned()
    }

    /// Keeps an image, and drops the one that came first where the cache is full.
    pub(super) fn put(&self, repository: &str, image: Image) {
        let mut content = self.lock();
        let key = (repository.to_owned(), image.digest);
        if content.images.insert(key.clone(), image).is_none() {
            content.oldest_first.push_back(key);
        }
        if content.images.len() > IMAGES_MAX
            && let Some(oldest) = content.oldest_first.pop_front()
        {
            content.images.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_drops_what_came_first() {
        let cache = ImageCache::default();
        let digest = |n: usize| Digest::of(&n.to_be_bytes());
        for n in 0..=IMAGES_MAX {
            let (media_type, labels) = (String::new(), BTreeMap::new());
            let image = Image { digest: digest(n), media_type, platforms: Vec::new(), labels, created: None };
            cache.put("shop/web", image);
        }
        assert_eq!(cache.get("shop/web", digest(0)), None);
        assert!(
            cache.get("shop/web", digest(1)).is_some() && cache.get("shop/web", digest(IMAGES_MAX)).is_some()
        );
        assert_eq!(cache.get("shop/api", digest(1)), None);
    }
}
