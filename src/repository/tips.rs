//! Tips asked for at one time: the host is asked once for all who came while it answered somebody else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{CommitId, RepositoryError};

/// The last answer for each ref that somebody asks for, and who asks next.
#[derive(Debug, Default)]
pub(super) struct Tips(Mutex<BTreeMap<String, Arc<Tip>>>);

type Tip = tokio::sync::Mutex<Option<Answer>>;

#[derive(Debug)]
struct Answer {
    asked_at: Instant,
    tip: Result<Option<CommitId>, RepositoryError>,
}

/// Refs of which an answer is kept though nobody waits for one; then those are dropped.
const IDLE_MAX: usize = 64;

impl Tips {
    /// The tip of the ref `name` by an answer that was asked for after this call: by `ask`, or by somebody else's. So it
    /// waits for two questions at most, each with its own timeout. A failure is shared as well: a host that hangs is not
    /// asked by one after the other.
    pub(super) async fn of(
        &self,
        name: &str,
        ask: impl Future<Output = Result<Option<CommitId>, RepositoryError>>,
    ) -> Result<Option<CommitId>, RepositoryError> {
        let came_at = Instant::now();
        let tip = self.named(name);
        // Those who wait come in their order: the first of them asks, the others find its answer.
        let mut last = tip.lock().await;
        if let Some(answer) = last.as_ref().filter(|answer| answer.asked_at >= came_at) {
            return answer.tip.clone();
        }
        let asked_at = Instant::now();
        let tip = ask.await;
        *last = Some(Answer { asked_at, tip: tip.clone() });
        tip
    }

    fn named(&self, name: &str) -> Arc<Tip> {
        let mut tips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tips.len() > IDLE_MAX {
            tips.retain(|_, tip| Arc::strong_count(tip) > 1);
        }
        Arc::clone(tips.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_shares_the_next_answer() {
        let (tips, asked) = (Tips::default(), AtomicUsize::new(0));
        let ask = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(RepositoryError::NotFound { what: asked.load(Ordering::SeqCst).to_string() })
        };
        let found = futures::future::join_all((0..8).map(|_| tips.of("main", ask()))).await;
        // The first came before all: its answer may be older than what the others know of.
        let said: Vec<String> = found.into_iter().map(|found| found.unwrap_err().to_string()).collect();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(said[0].starts_with('1') && said[1..].iter().all(|said| said.starts_with('2')), "{said:?}");
        tips.of("main", ask()).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 3, "an answer of before is none");
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_the_question_to_the_next() {
        let tips = Tips::default();
        let hangs = tips.of("main", std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(20), hangs).await.is_err());
        assert_eq!(tips.of("main", async { Ok(None) }).await.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_waits_for_another_ref() {
        let tips = Tips::default();
        let hangs = tips.of("theirs", std::future::pending());
        let found = tokio::select! {
            biased;
            _ = hangs => None,
            found = tips.of("main", async { Ok(None) }) => Some(found.unwrap()),
        };
        assert_eq!(found, Some(None));
        for n in 0..200 {
            tips.of(&format!("refs/heads/{n}"), async { Ok(None) }).await.unwrap();
        }
        assert!(tips.0.lock().unwrap().len() <= IDLE_MAX + 1);
    }
}
