//! One target: it follows the history, one message at a time.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use tokio::time::{sleep, timeout};

use super::news::{News, news, occasion};
use super::send::{Answer, client, send};
use super::{NotifyError, Telling};
use crate::promotion::Event;
use crate::settings::NotifyTarget;
use crate::store::{Happening, StoreError};
use crate::telemetry::NOTIFICATIONS;

/// Events read at once; some kilobytes each.
const READ_AT_ONCE: usize = 100;

/// A target, and how far it was told.
pub(super) struct Follower {
    telling: Telling,
    target: NotifyTarget,
    client: Client,
    cursor: Cursor,
}

/// The last event that was told or passed over, and since when the target is known: what happened before is not told,
/// whenever it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    number: u64,
    began: Timestamp,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (number, began) = text.split_once(' ')?;
        Some(Self { number: number.parse().ok()?, began: began.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{} {}", self.number, self.began)
    }
}

impl Follower {
    /// Takes up where the target was left, or at the newest event.
    pub(super) async fn new(telling: Telling, target: NotifyTarget) -> Result<Self, NotifyError> {
        let client = client(&target, telling.pace.timeout)
            .map_err(|source| NotifyError::Client { target: target.name.clone(), source })?;
        let newest = telling.store.newest().await?;
        let known = telling.store.cursor(&cursor_name(&target)).await?.as_deref().and_then(Cursor::parse);
        // A store that was restored from a backup has fewer events than were told.
        let known = known.map(|cursor| Cursor { number: cursor.number.min(newest), ..cursor });
        let cursor = known.unwrap_or_else(|| Cursor { number: newest, began: (telling.now)() });
        telling.store.set_cursor(&cursor_name(&target), &cursor.text()).await?;
        Ok(Self { telling, target, client, cursor })
    }

    /// Tells whatever happens; never ends.
    pub(super) async fn follow(mut self) {
        let mut changed = self.telling.store.subscribe();
        loop {
            changed.mark_unchanged();
            if let Err(error) = self.catch_up().await {
                tracing::warn!(target_name = self.target.name, %error, "nobody is told for now");
                sleep(self.telling.pace.look).await;
                continue;
            }
            // An end of the channel cannot be: the store is held here.
            let _ = timeout(self.telling.pace.look, changed.changed()).await;
            sleep(self.telling.pace.gather).await;
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        loop {
            let happenings = self.telling.store.happenings(self.cursor.number, READ_AT_ONCE).await?;
            let Some(last) = happenings.last().map(|happening| happening.number) else { return Ok(()) };
            for happening in &happenings {
                if let Some(news) = self.news(happening).await? {
                    self.tell(&news).await;
                    self.advance(happening.number).await?;
                }
            }
            if self.cursor.number < last {
                self.advance(last).await?;
            }
        }
    }

    /// What this target wants to know of an event.
    async fn news(&self, happening: &Happening) -> Result<Option<News>, StoreError> {
        let (Some((occasion, stage)), Some(pipeline)) =
            (occasion(&happening.entry.event), &happening.key.pipeline)
        else {
            return Ok(None);
        };
        if happening.entry.at < self.cursor.began || !self.target.wants(occasion, pipeline, stage) {
            return Ok(None);
        }
        let store = &self.telling.store;
        let intent = if matches!(happening.entry.event, Event::Proposed { .. }) {
            store.last_before(&happening.key, happening.sequence, "proposing", stage).await?
        } else {
            None
        };
        let prefix = self.telling.url_prefixes.get(&happening.key.repository);
        let url = |number: u64| prefix.map(|prefix| format!("{prefix}{number}"));
        Ok(news(happening, intent.as_ref().map(|entry| &entry.event), url))
    }

    /// Sends until it is taken, refused for good, or too old.
    async fn tell(&self, news: &News) {
        let pace = self.telling.pace;
        let (mut wait, mut refusals) = (pace.retry_min, 0);
        loop {
            if self.is_too_old(news) {
                return self.gave_up("expired", news, "it was not taken in time");
            }
            let (reason, after) = match send(&self.client, &self.target, news).await {
                Answer::Taken => return self.count("told"),
                Answer::Later { reason, after } => (reason, after.unwrap_or_default()),
                Answer::Refused { reason } => {
                    refusals += 1;
                    if refusals >= pace.refusals_max {
                        return self.gave_up("refused", news, &reason);
                    }
                    (reason, Duration::ZERO)
                }
            };
            self.count("retried");
            let rest = after.min(pace.retry_after_max).max(wait);
            tracing::info!(
                target_name = self.target.name,
                id = news.id(),
                reason,
                again_after_seconds = rest.as_secs_f64(),
                "not told yet"
            );
            sleep(rest.mul_f64(rand::random_range(1.0..1.1))).await;
            wait = wait.saturating_mul(2).min(pace.retry_max);
        }
    }

    fn is_too_old(&self, news: &News) -> bool {
        let age = (self.telling.now)().duration_since(news.at);
        Duration::try_from(age).is_ok_and(|age| age > self.telling.pace.keep)
    }

    fn gave_up(&self, outcome: &str, news: &News, reason: &str) {
        tracing::warn!(target_name = self.target.name, id = news.id(), outcome, reason, "will not be told");
        self.count(outcome);
    }

    fn count(&self, outcome: &str) {
        let labels = [("target", self.target.name.as_str()), ("outcome", outcome)];
        self.telling.metrics.add(&NOTIFICATIONS, &labels, 1);
    }

    async fn advance(&mut self, number: u64) -> Result<(), StoreError> {
        // Here first: what was told is not told again by this process, whatever the disk says.
        self.cursor.number = number;
        self.telling.store.set_cursor(&cursor_name(&self.target), &self.cursor.text()).await
    }
}

fn cursor_name(target: &NotifyTarget) -> String {
    format!("notify:{}", target.name)
}
