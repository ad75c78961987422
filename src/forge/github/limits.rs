//! GitHub's ceilings: a budget for what we write, and rest where it asks for rest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::forge::ForgeError;
use crate::settings::Ceilings;

/// How urgent a write is. What decides has room where notes have none left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Words: comments, reactions, bodies, labels.
    Note,
    /// The check that tells how the gates stand.
    Gate,
    /// What changes what runs: opening, merging, closing.
    Act,
}

/// Writes of the last hour, and until when GitHub wants not to be asked.
#[derive(Debug, Default)]
pub(super) struct Limits {
    ceilings: Ceilings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    writes: VecDeque<Instant>,
    rests_until: Option<Instant>,
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

impl Urgency {
    /// The part of the ceiling that writes of this kind may use, in percent: 60 notes a minute leave room for 20 gates
    /// and merges.
    fn share(self) -> usize {
        match self {
            Self::Note => 75,
            Self::Gate => 90,
            Self::Act => 100,
        }
    }
}

impl Limits {
    pub(super) fn new(ceilings: Ceilings) -> Self {
        Self { ceilings, state: Mutex::default() }
    }

    /// Whether GitHub may be asked at all.
    ///
    /// # Errors
    /// [`ForgeError::Unavailable`] with the rest that it asked for.
    pub(super) fn may_ask(&self, now: Instant) -> Result<(), ForgeError> {
        match self.lock().rests_until.and_then(|until| until.checked_duration_since(now)) {
            Some(rest) if !rest.is_zero() => Err(later("GitHub asked not to be asked", rest)),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes one write out of the budget.
    ///
    /// # Errors
    /// [`ForgeError::Unavailable`] with the time until there is room for one of this urgency.
    pub(super) fn may_write(&self, urgency: Urgency, now: Instant) -> Result<(), ForgeError> {
        let mut state = self.lock();
        while state.writes.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            state.writes.pop_front();
        }
        let Ceilings { per_minute, per_hour } = self.ceilings;
        for (window, ceiling) in [(MINUTE, per_minute), (HOUR, per_hour)] {
            let room = ceiling * urgency.share() / 100;
            let recent = state.writes.iter().rev().take_while(|at| now.duration_since(**at) < window).count();
            if recent >= room {
                let oldest = state.writes.get(state.writes.len() - room);
                let wait = oldest.map_or(window, |at| window.saturating_sub(now.duration_since(*at)));
                return Err(later("the budget of writes to GitHub is spent", wait));
            }
        }
        state.writes.push_back(now);
        Ok(())
    }

    /// GitHub asked for rest. Of answers that came side by side the longest counts.
    pub(super) fn rest(&self, rest: Duration, now: Instant) {
        let mut state = self.lock();
        state.rests_until = state.rests_until.max(now.checked_add(rest));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (limits, now) = (Limits::default(), Instant::now());
        let count = |urgency| (0..200).filter(|_| limits.may_write(urgency, now).is_ok()).count();
        assert_eq!([Urgency::Note, Urgency::Gate, Urgency::Act].map(count), [60, 12, 8]);
        let soon = now + Duration::from_secs(59);
        let ForgeError::Unavailable { retry_after: Some(wait), .. } =
            limits.may_write(Urgency::Act, soon).unwrap_err()
        else {
            panic!("not unavailable")
        };
        assert_eq!(wait, Duration::from_secs(1));
        assert!(limits.may_write(Urgency::Act, now + MINUTE).is_ok());
    }

    #[test]
    fn an_hour_has_a_ceiling_of_its_own() {
        let (limits, begun) = (Limits::default(), Instant::now());
        let written = (0..3_600)
            .filter(|second| limits.may_write(Urgency::Note, begun + Duration::from_secs(*second)).is_ok());
        assert_eq!(written.count(), 375);
    }

    #[test]
    fn who_asks_for_rest_has_it() {
        let (limits, now) = (Limits::default(), Instant::now());
        limits.rest(Duration::from_secs(10), now);
        limits.rest(Duration::from_secs(5), now);
        assert!(limits.may_ask(now + Duration::from_secs(9)).is_err());
        assert!(limits.may_ask(now + Duration::from_secs(10)).is_ok());
    }
}
