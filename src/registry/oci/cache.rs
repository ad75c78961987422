//! Answers that cannot change: what a digest holds, and what a tag named first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was read last, by canonical repository and what is asked for in it; at most `count_max` answers.
#[derive(Debug)]
pub(super) struct Cache<K, T> {
    count_max: usize,
    content: Mutex<Content<K, T>>,
}

#[derive(Debug)]
struct Content<K, T> {
    values: BTreeMap<(String, K), T>,
    oldest_first: VecDeque<(String, K)>,
}

impl<K: Ord + Clone, T: Clone> Cache<K, T> {
    pub(super) fn new(count_max: usize) -> Self {
        let content = Content { values: BTreeMap::new(), oldest_first: VecDeque::new() };
        Self { count_max, content: Mutex::new(content) }
    }

    pub(super) fn get(&self, repository: &str, of: K) -> Option<T> {
        self.lock().values.get(&(repository.to_owned(), of)).cloned()
    }

    /// Keeps a value, and drops the one that came first where the cache is full.
    pub(super) fn put(&self, repository: &str, of: K, value: T) {
        let mut content = self.lock();
        let key = (repository.to_owned(), of);
        if content.values.insert(key.clone(), value).is_none() {
            content.oldest_first.push_back(key);
        }
        if content.values.len() > self.count_max
            && let Some(oldest) = content.oldest_first.pop_front()
        {
            content.values.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Content<K, T>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

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
