//! How soon a registry is asked again of which nothing was heard.
//!
//! A webhook is seen to work where it told of an image; it is seen to be silent where an image changed and nothing told of
//! it. Where all images of a pipeline are told of and nothing is under way, polling is as good as off: what is left of it
//! finds out that a webhook fell silent. All of it is in memory: after a start, everything is polled until it is told of.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::image::{Digest, Repository};
use crate::pipeline::Pipeline;
use crate::plan::Pick;
use crate::store::{Hint, Key, Lease};

/// What was refused or not answered is tried again after this time; long enough for a person to read why. Where a
/// registry gives no answer again, it doubles up to the interval of polls.
pub(super) const AGAIN: Duration = Duration::from_mins(1);

/// How often registries are asked of which nothing was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Where no webhook is seen to work.
    pub polled: Duration,
    /// Where webhooks told of every image last.
    pub told: Duration,
}

/// What is known of each pipeline's images.
#[derive(Debug, Default)]
pub struct Polls {
    known: Mutex<BTreeMap<Key, Known>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    images: BTreeMap<Repository, Heard>,
    /// Looks in a row that had no answer.
    away: u32,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    digest: Digest,
    from: Source,
}

/// How the last that was heard of an image came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A webhook told of it.
    Told,
    /// Polling found it, or nothing was heard yet.
    Polled,
}

/// How a look went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is under way.
    Quiet,
    /// Something is.
    Busy,
    /// Something was refused, or could not be said.
    Refused,
    /// A registry gave no answer.
    Away,
}

impl Polls {
    /// Notes what a look picked and what had told of it; returns how long nothing has to be heard until the next look.
    pub(super) fn noted(
        &self,
        lease: &Lease,
        seen: Option<(&Pipeline, &[Pick])>,
        look: Look,
        intervals: Intervals,
    ) -> Duration {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(lease.key.clone()).or_default();
        if let Some((pipeline, picks)) = seen {
            known.note(lease, pipeline, picks);
        }
        known.away = if look == Look::Away { known.away.saturating_add(1) } else { 0 };
        match look {
            Look::Away => AGAIN.saturating_mul(1 << (known.away - 1).min(16)).min(intervals.polled),
            Look::Refused => AGAIN.min(intervals.polled),
            Look::Quiet if known.is_told() => intervals.told,
            Look::Quiet | Look::Busy => intervals.polled,
        }
    }

    /// Forgets a pipeline that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Known {
    fn note(&mut self, lease: &Lease, pipeline: &Pipeline, picks: &[Pick]) {
        self.images.retain(|name, _| pipeline.images.iter().any(|rule| rule.repository == *name));
        for (rule, pick) in pipeline.images.iter().zip(picks) {
            let Pick::Found { digest, .. } = pick else { continue };
            let name = &rule.repository;
            let before = self.images.get(name).copied();
            let from = match before {
                _ if is_told(lease, name) => Source::Told,
                Some(before) if before.digest == *digest => before.from,
                Some(_) | None => Source::Polled,
            };
            self.images.insert(name.clone(), Heard { digest: *digest, from });
        }
    }

    fn is_told(&self) -> bool {
        !self.images.is_empty() && self.images.values().all(|heard| heard.from == Source::Told)
    }
}

/// Whether a delivery of this lease speaks of the repository. Senders may leave out the host.
fn is_told(lease: &Lease, name: &Repository) -> bool {
    let canonical = name.canonical();
    let is_meant = |hint: &Hint| {
        if let Hint::Image { repository, .. } = hint {
            canonical == *repository || canonical.ends_with(&format!("/{repository}"))
        } else {
            false
        }
    };
    lease.deliveries.iter().flat_map(|delivery| &delivery.hints).any(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;
    use crate::store::Delivery;

    const INTERVALS: Intervals = Intervals { polled: Duration::from_mins(5), told: Duration::from_hours(1) };

    fn lease(told: &[&str]) -> Lease {
        let hint =
            |name: &&str| Hint::Image { repository: (*name).to_owned(), registry: None, tags: Vec::new() };
        let delivery = Delivery {
            id: "d".to_owned(),
            source: "registry".to_owned(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            hints: told.iter().map(hint).chain([Hint::Push]).collect(),
        };
        let key = Key::pipeline("env", "shop".parse().unwrap());
        Lease { key, generation: 1, deliveries: vec![delivery] }
    }

    fn pipeline() -> Pipeline {
        let text = "version: 1\npipelines:\n  - name: shop\n    images:\n      - { repository: r.example/shop/web, follow: { tag: m } }\n      \
                    - { repository: r.example/shop/api, follow: { tag: m } }\n    stages: [{ name: dev, pins: [a] }]\n";
        parse(text.as_bytes()).unwrap().pipelines.remove(0)
    }

    /// One look: what told of it, what the two images were, how it went, and after how many minutes the next one is.
    fn check(polls: &Polls, told: &[&str], picked: [u8; 2], look: Look, want_minutes: u64) {
        let pick = |n: u8| Pick::Found { tag: "m".parse().unwrap(), digest: Digest::of(&[n]) };
        let picks = picked.map(pick);
        let found = polls.noted(&lease(told), Some((&pipeline(), &picks)), look, INTERVALS);
        assert_eq!(found, Duration::from_mins(want_minutes), "{told:?} {picked:?} {look:?}");
    }

    #[test]
    fn polling_is_off_where_every_image_is_told_of_and_on_where_one_falls_silent() {
        let polls = Polls::default();
        check(&polls, &[], [1, 1], Look::Quiet, 5);
        check(&polls, &[], [1, 1], Look::Quiet, 5);
        check(&polls, &["shop/web"], [2, 1], Look::Quiet, 5);
        check(&polls, &["r.example/shop/api"], [2, 2], Look::Quiet, 60);
        check(&polls, &[], [2, 2], Look::Quiet, 60);
        check(&polls, &[], [2, 2], Look::Busy, 5);
        check(&polls, &["op/web", "other/shop/web", "elsewhere"], [2, 2], Look::Quiet, 60);
        // Nothing told of this one.
        check(&polls, &[], [3, 2], Look::Quiet, 5);
        check(&polls, &[], [3, 2], Look::Quiet, 5);
        check(&polls, &["shop/api"], [3, 3], Look::Quiet, 5);
        // The delivery comes after the poll that found it.
        check(&polls, &["shop/web"], [3, 3], Look::Quiet, 60);
        polls.forget(&lease(&[]).key);
        check(&polls, &[], [3, 3], Look::Quiet, 5);
    }

    #[test]
    fn a_registry_that_stays_away_is_asked_less_and_less_often() {
        let polls = Polls::default();
        for want in [1, 2, 4, 5, 5] {
            check(&polls, &[], [1, 1], Look::Away, want);
        }
        check(&polls, &[], [1, 1], Look::Quiet, 5);
        check(&polls, &[], [1, 1], Look::Away, 1);
        check(&polls, &[], [1, 1], Look::Refused, 1);
        check(&polls, &[], [1, 1], Look::Refused, 1);
        let soon = Intervals { polled: Duration::from_secs(10), told: Duration::from_secs(10) };
        assert_eq!(polls.noted(&lease(&[]), None, Look::Away, soon), Duration::from_secs(10));
    }
}
