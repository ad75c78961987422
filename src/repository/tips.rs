//! Tips asked for at one time: the host is asked once for all who came while it answered somebody else.

use std::time::Instant;

use tokio::sync::Mutex;

use super::{CommitId, RepositoryError};

/// The last answer, and who asks next.
#[derive(Debug, Default)]
pub(super) struct Tips(Mutex<Option<Answer>>);

#[derive(Debug)]
struct Answer {
    name: String,
    asked_at: Instant,
    tip: Result<Option<CommitId>, RepositoryError>,
}

impl Tips {
    /// The tip of the ref `name` by an answer that was asked for after this call: by `ask`, or by somebody else's.
    pub(super) async fn of(
        &self,
        name: &str,
        ask: impl Future<Output = Result<Option<CommitId>, RepositoryError>>,
    ) -> Result<Option<CommitId>, RepositoryError> {
        let came_at = Instant::now();
        // Those who wait come in their order: the first of them asks, the others find its answer.
        let mut last = self.0.lock().await;
        if let Some(answer) = last.as_ref().filter(|answer| answer.name == name && answer.asked_at >= came_at)
        {
            return answer.tip.clone();
        }
        let asked_at = Instant::now();
        let tip = ask.await;
        *last = Some(Answer { name: name.to_owned(), asked_at, tip: tip.clone() });
        tip
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
        tips.of("other", ask()).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 4, "an answer of before is none, nor one for another ref");
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_the_question_to_the_next() {
        let tips = Tips::default();
        let hangs = tips.of("main", std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(20), hangs).await.is_err());
        assert_eq!(tips.of("main", async { Ok(None) }).await.unwrap(), None);
    }
}
