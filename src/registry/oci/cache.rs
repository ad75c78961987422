//! Answers that cannot change: what a digest holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::image::Digest;

/// What was read last of each digest, by canonical repository and digest; at most `count_max` of them.
#[derive(Debug)]
pub(super) struct Cache<T> {
    count_max: usize,
    content: Mutex<Content<T>>,
}

#[derive(Debug)]
struct Content<T> {
    values: BTreeMap<Key, T>,
    oldest_first: VecDeque<Key>,
}

type Key = (String, Digest);

impl<T: Clone> Cache<T> {
    pub(super) fn new(count_max: usize) -> Self {
        let content = Content { values: BTreeMap::new(), oldest_first: VecDeque::new() };
        Self { count_max, content: Mutex::new(content) }
    }

    pub(super) fn get(&self, repository: &str, digest: Digest) -> Option<T> {
        self.lock().values.get(&(repository.to_owned(), digest)).cloned()
    }

    /// Keeps a value, and drops the one that came first where the cache is full.
    pub(super) fn put(&self, repository: &str, digest: Digest, value: T) {
        let mut content = self.lock();
        let key = (repository.to_owned(), digest);
        if content.values.insert(key.clone(), value).is_none() {
            content.oldest_first.push_back(key);
        }
        if content.values.len() > self.count_max
            && let Some(oldest) = content.oldest_first.pop_front()
        {
            content.values.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_drops_what_came_first() {
        let cache = Cache::new(2);
        let digest = |n: u8| Digest::of(&[n]);
        for n in [0, 1, 1, 2] {
            cache.put("shop/web", digest(n), n);
        }
        let found = [0, 1, 2].map(|n| cache.get("shop/web", digest(n)));
        assert_eq!(found, [None, Some(1), Some(2)]);
        assert_eq!(cache.get("shop/api", digest(1)), None);
    }
}
