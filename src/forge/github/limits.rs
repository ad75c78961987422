//! GitHub's ceilings: a budget for what we write, and rest where it asks for rest.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::answer::Answer;
use crate::forge::{ForgeError, Priority};
use crate::settings::Ceilings;

/// The writes of the last hour. GitHub counts those of an App together, whatever the repository.
#[derive(Debug, Default)]
pub struct Writes {
    ceilings: Ceilings,
    times: Mutex<VecDeque<Instant>>,
    /// The rest that GitHub asked the App for, whatever the repository: its secondary limits.
    pub(super) rest: Rest,
}

/// Until when GitHub wants not to be asked.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Option<Instant>>);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The part of the ceiling that writes of this kind may use, in percent: 60 notes a minute leave room for 20 gates and
/// merges.
fn share(priority: Priority) -> usize {
    match priority {
        Priority::Note => 75,
        Priority::Gate => 90,
        Priority::Act => 95,
        Priority::Rollback => 100,
    }
}

impl Writes {
    /// None yet, under these ceilings.
    #[must_use]
    pub fn new(ceilings: Ceilings) -> Self {
        Self { ceilings, times: Mutex::default(), rest: Rest::default() }
    }

    /// Takes one write out of the budget.
    ///
    /// # Errors
    /// [`ForgeError::Unavailable`] with the time until there is room for one of this priority.
    pub(super) fn take(&self, priority: Priority, now: Instant) -> Result<(), ForgeError> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        self.have_room(&mut times, 1, priority, now)?;
        times.push_back(now);
        Ok(())
    }

    /// Whether there is room for so many writes now.
    ///
    /// # Errors
    /// [`ForgeError::Unavailable`] with the time until there is.
    pub(super) fn have_room_for(
        &self,
        count: usize,
        priority: Priority,
        now: Instant,
    ) -> Result<(), ForgeError> {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        self.have_room(&mut times, count, priority, now)
    }

    fn have_room(
        &self,
        times: &mut VecDeque<Instant>,
        count: usize,
        priority: Priority,
        now: Instant,
    ) -> Result<(), ForgeError> {
        while times.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            times.pop_front();
        }
        let Ceilings { per_minute, per_hour } = self.ceilings;
        for (window, ceiling) in [(MINUTE, per_minute), (HOUR, per_hour)] {
            // However low the ceiling is, one write goes through.
            let room = (ceiling * share(priority) / 100).saturating_sub(count - 1).max(1);
            let recent = times.iter().rev().take_while(|at| now.duration_since(**at) < window).count();
            if recent >= room {
                let oldest = times.get(times.len() - room);
                let wait = oldest.map_or(window, |at| window.saturating_sub(now.duration_since(*at)));
                return Err(later("the budget of writes to GitHub is spent", wait));
            }
        }
        Ok(())
    }
}

impl Rest {
    /// Whether GitHub may be asked at all.
    ///
    /// # Errors
    /// [`ForgeError::Unavailable`] with the rest that it asked for.
    pub(super) fn is_over(&self, now: Instant) -> Result<(), ForgeError> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match until.and_then(|until| until.checked_duration_since(now)) {
            Some(rest) if !rest.is_zero() => Err(later("GitHub asked not to be asked", rest)),
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps the rest that an answer asks for, if it does. Of answers that came side by side the longest counts.
    pub(super) fn heed(&self, answer: &Answer, now: Instant) {
        let Some(rest) = answer.rest() else { return };
        tracing::warn!(seconds = rest.as_secs(), reason = answer.reason(), "GitHub asks for rest");
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(now.checked_add(rest));
    }
}

fn later(why: &str, wait: Duration) -> ForgeError {
    let reason = format!("{why}; again in {} s", wait.as_secs() + 1);
    ForgeError::Unavailable { reason, retry_after: Some(wait) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_leave_room_for_gates_and_these_for_acts() {
        let (writes, now) = (Writes::default(), Instant::now());
        let count = |priority| (0..200).filter(|_| writes.take(priority, now).is_ok()).count();
        assert_eq!(
            [Priority::Note, Priority::Gate, Priority::Act, Priority::Rollback].map(count),
            [60, 12, 4, 4]
        );
        let soon = now + Duration::from_secs(59);
        let ForgeError::Unavailable { retry_after: Some(wait), .. } =
            writes.take(Priority::Rollback, soon).unwrap_err()
        else {
            panic!("not unavailable")
        };
        assert_eq!(wait, Duration::from_secs(1));
        assert!(writes.take(Priority::Act, now + MINUTE).is_ok());
    }

    #[test]
    fn what_needs_two_writes_does_not_begin_with_the_last() {
        let (writes, now) = (Writes::default(), Instant::now());
        while writes.have_room_for(2, Priority::Act, now).is_ok() {
            writes.take(Priority::Act, now).unwrap();
        }
        assert!(writes.take(Priority::Act, now).is_ok() && writes.take(Priority::Act, now).is_err());
    }

    #[test]
    fn an_hour_has_a_ceiling_of_its_own() {
        let (writes, begun) = (Writes::default(), Instant::now());
        let written = (0..3_600)
            .filter(|second| writes.take(Priority::Note, begun + Duration::from_secs(*second)).is_ok());
        assert_eq!(written.count(), 375);
    }

    #[test]
    fn who_asks_for_rest_has_it() {
        let (rest, now) = (Rest::default(), Instant::now());
        for seconds in ["10", "5"] {
            let headers = [(http::header::RETRY_AFTER, seconds.parse().unwrap())];
            let (headers, status) = (headers.into_iter().collect(), http::StatusCode::TOO_MANY_REQUESTS);
            rest.heed(&Answer { status, headers, body: bytes::Bytes::new() }, now);
        }
        assert!(rest.is_over(now + Duration::from_secs(9)).is_err());
        assert!(rest.is_over(now + Duration::from_secs(10)).is_ok());
    }
}
