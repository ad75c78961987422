//! Answers that GitHub may call unchanged: asking for them again costs nothing of the primary limit.
//!
//! Source: GitHub's documentation, "Use conditional requests if appropriate".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use http::HeaderValue;

use super::answer::Answer;

/// The last answers with an entity tag, by path and query.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    answers: BTreeMap<String, (HeaderValue, Answer)>,
    oldest_first: VecDeque<String>,
    bytes: usize,
}

/// Bytes of all bodies kept.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one body that is kept.
const BODY_BYTES_MAX: usize = 512 * 1024;

impl Cache {
    /// The tag and the answer for this path.
    pub(super) fn get(&self, path: &str) -> Option<(HeaderValue, Answer)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers.get(path).cloned()
    }

    /// Keeps an answer, and drops those that came first where there are too many.
    pub(super) fn put(&self, path: &str, answer: &Answer) {
        let Some(tag) = answer.headers.get(http::header::ETAG).cloned() else { return };
        if answer.body.len() > BODY_BYTES_MAX {
            return;
        }
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        content.bytes += answer.body.len();
        match content.answers.insert(path.to_owned(), (tag, answer.clone())) {
            Some((_, before)) => content.bytes -= before.body.len(),
            None => content.oldest_first.push_back(path.to_owned()),
        }
        while content.bytes > BYTES_MAX {
            let Some(oldest) = content.oldest_first.pop_front() else { return };
            if let Some((_, dropped)) = content.answers.remove(&oldest) {
                content.bytes -= dropped.body.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn the_cache_is_bounded_by_bytes() {
        let cache = Cache::default();
        let answer = |size: usize| Answer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("\"x\""))]),
            body: Bytes::from(vec![0; size]),
        };
        cache.put("large", &answer(BODY_BYTES_MAX + 1));
        assert!(cache.get("large").is_none());
        for n in 0..40 {
            cache.put(&n.to_string(), &answer(BODY_BYTES_MAX));
            cache.put(&n.to_string(), &answer(BODY_BYTES_MAX));
        }
        let kept = (0..40).filter(|n| cache.get(&n.to_string()).is_some()).count();
        assert_eq!(kept, BYTES_MAX / BODY_BYTES_MAX);
        assert!(cache.get("39").is_some() && cache.get("0").is_none());
    }
}
