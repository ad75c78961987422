//! When a host wants to be left alone: after a refusal for too many requests, and after the last one that it allows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use super::answer::retry_after;

/// What is known of one host, whoever asks it and for whatever repository.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    until: Option<Instant>,
    /// Refusals in a row that did not say for how long.
    refusals: u32,
}

/// What is left of the requests of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quota {
    count: u64,
    window: Duration,
}

/// The first rest after a refusal that names none; it doubles with each.
const UNNAMED: Duration = Duration::from_secs(30);
/// The longest rest that is not asked for.
const UNNAMED_MAX: Duration = Duration::from_mins(15);

impl Rest {
    /// How long the host still rests.
    pub(super) fn left(&self) -> Option<Duration> {
        self.lock().until?.checked_duration_since(Instant::now())
    }

    /// The host asks for so much rest. Of answers that came side by side the longest counts.
    pub(super) fn asked_for(&self, rest: Duration) {
        let mut known = self.lock();
        known.until = Instant::now().checked_add(rest).max(known.until);
    }

    /// Notes what the head of an answer says of how often the host may be asked.
    pub(super) fn note(&self, status: StatusCode, headers: &HeaderMap) {
        let rest = match (status, retry_after(headers)) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(rest)) => Some(rest),
            (StatusCode::TOO_MANY_REQUESTS, None) => Some(self.refused()),
            _ => {
                self.lock().refusals = 0;
                used_up(headers)
            }
        };
        if let Some(rest) = rest {
            self.asked_for(rest);
        }
    }

    fn refused(&self) -> Duration {
        let mut known = self.lock();
        known.refusals = known.refusals.saturating_add(1);
        UNNAMED.saturating_mul(1 << (known.refusals - 1).min(16)).min(UNNAMED_MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest after the last request of a window: until the next one can be expected. Before that nothing is held back, since
/// one question takes several requests, of which the first would keep the others waiting.
///
/// Source: Docker's "Docker Hub usage and limits": `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`.
fn used_up(headers: &HeaderMap) -> Option<Duration> {
    let quota = |name: &str| quota(headers.get(name)?.to_str().ok()?);
    let (limit, left) = (quota("ratelimit-limit")?, quota("ratelimit-remaining")?);
    let share = u32::try_from(limit.count.max(1)).unwrap_or(u32::MAX);
    (left.count == 0).then(|| (left.window / share).clamp(UNNAMED, UNNAMED_MAX))
}

fn quota(text: &str) -> Option<Quota> {
    let (count, rest) = text.split_once(';')?;
    let seconds = rest.trim().strip_prefix("w=")?.parse().ok()?;
    Some(Quota { count: count.trim().parse().ok()?, window: Duration::from_secs(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest after an answer with these headers, in whole seconds.
    fn check(rest: &Rest, status: u16, headers: &[(&'static str, &str)], want: Option<u64>) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        rest.note(StatusCode::from_u16(status).unwrap(), &headers.collect());
        let found = rest.left().map(|left| left.as_secs_f64().ceil());
        assert_eq!(found, want.map(|want| f64::from(u32::try_from(want).unwrap())));
    }

    #[test]
    fn a_refusal_that_names_no_time_means_longer_and_longer_rests() {
        let rest = Rest::default();
        for want in [30, 60, 120, 240, 480, 900, 900] {
            check(&rest, 429, &[], Some(want));
        }
        check(&Rest::default(), 503, &[], None);
        check(&Rest::default(), 503, &[("retry-after", "7")], Some(7));
        check(&Rest::default(), 200, &[("retry-after", "7")], None);
        let rest = Rest::default();
        check(&rest, 429, &[("retry-after", "600")], Some(600));
        check(&rest, 429, &[], Some(600));
    }

    #[test]
    fn a_window_that_is_used_up_is_waited_for() {
        let quota = |left: &'static str| [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", left)];
        for (left, want) in [
            ("76;w=21600", None),
            ("1;w=21600", None),
            ("0;w=21600", Some(216)),
            ("0;w=60", Some(30)),
            ("0;w=999999", Some(900)),
        ] {
            check(&Rest::default(), 200, &quota(left), want);
        }
        for odd in ["", "9", "9;w=", "x;w=1", "9;w=-1", "9;v=5"] {
            check(&Rest::default(), 200, &quota(odd), None);
        }
        check(&Rest::default(), 200, &[("ratelimit-remaining", "0;w=21600")], None);
    }
}
