//! How soon a registry is asked again of which nothing was heard.
//!
//! A webhook is seen to work where it told of an image; it is seen to be silent where an image changed and nothing told of
//! it. Where all images of a pipeline are told of and nothing is under way, polling is as good as off: what is left of it
//! finds out that a webhook fell silent. All of it is in memory: after a start, everything is polled until it is told of.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::image::{Digest, Repository, Tag};
use crate::pipeline::{ImageRule, Order, Picked, Pipeline};
use crate::plan::Pick;
use crate::store::{Hint, Key, Lease};

/// What was refused or not answered is tried again after this time; long enough for a person to read why. Where a
/// registry lacks the same again, it doubles up to the interval of polls.
pub(super) const AGAIN: Duration = Duration::from_mins(1);
/// When a push is looked for again that a webhook told of and the registry does not show yet: lists and replicas of some
/// are behind by seconds. After the last, polling has to find it.
const SHOWN_AFTER: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1)];

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
    /// Looks in a row for which a registry lacked something.
    lacking: u32,
    /// What webhooks told of and no look has found.
    expected: BTreeMap<Repository, Vec<Expected>>,
    /// Looks in a row since then.
    waited: usize,
}

/// A push that is told of.
#[derive(Debug, Clone)]
struct Expected {
    tag: Tag,
    digest: Option<Digest>,
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
    /// A registry gave no answer that can be used, or had no signature yet.
    Lacking,
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
        known.lacking = if look == Look::Lacking { known.lacking.saturating_add(1) } else { 0 };
        let soon = known.wait();
        let usual = match look {
            Look::Lacking => AGAIN.saturating_mul(1 << (known.lacking - 1).min(16)).min(intervals.polled),
            Look::Refused => AGAIN.min(intervals.polled),
            Look::Quiet if known.is_told() => intervals.told,
            Look::Quiet | Look::Busy => intervals.polled,
        };
        soon.map_or(usual, |soon| soon.min(usual))
    }

    /// Forgets a pipeline that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Known {
    fn note(&mut self, lease: &Lease, pipeline: &Pipeline, picks: &[Pick]) {
        self.images.retain(|name, _| pipeline.images.iter().any(|rule| rule.repository == *name));
        self.expected.retain(|name, _| pipeline.images.iter().any(|rule| rule.repository == *name));
        for (rule, pick) in pipeline.images.iter().zip(picks) {
            let name = &rule.repository;
            let told: Vec<&Hint> = hints(lease, name).collect();
            let is_told = self.expect(rule, pick, &told);
            let Pick::Found { digest, .. } = pick else { continue };
            let before = self.images.get(name).copied();
            let is_new = before.is_none_or(|before| before.digest != *digest);
            if is_new {
                self.lacking = 0;
            }
            let from = match before {
                _ if is_told => Source::Told,
                Some(before) if !is_new => before.from,
                Some(_) | None => Source::Polled,
            };
            self.images.insert(name.clone(), Heard { digest: *digest, from });
        }
    }

    /// Notes the pushes that these hints tell of, and forgets what the registry shows by now; whether a webhook told of
    /// what it shows.
    fn expect(&mut self, rule: &ImageRule, pick: &Pick, told: &[&Hint]) -> bool {
        let expected = self.expected.entry(rule.repository.clone()).or_default();
        for hint in told {
            let Hint::Image { tags, digest, .. } = hint else { continue };
            let tags = tags.iter().filter_map(|tag| tag.parse().ok());
            expected.extend(tags.map(|tag| Expected { tag, digest: *digest }));
            self.waited = 0;
        }
        let known = expected.len();
        expected.retain(|push| is_missing(rule, pick, push));
        let is_shown = expected.len() < known;
        if expected.is_empty() {
            self.expected.remove(&rule.repository);
        }
        is_shown || !told.is_empty()
    }

    /// How long what is expected is waited for; nothing is, where it has been for long enough.
    fn wait(&mut self) -> Option<Duration> {
        if self.expected.is_empty() {
            return None;
        }
        let soon = SHOWN_AFTER.get(self.waited).copied();
        self.waited += 1;
        if soon.is_none() {
            for (name, _) in std::mem::take(&mut self.expected) {
                self.images.entry(name).and_modify(|heard| heard.from = Source::Polled);
            }
        }
        soon
    }

    fn is_told(&self) -> bool {
        !self.images.is_empty() && self.images.values().all(|heard| heard.from == Source::Told)
    }
}

/// What the deliveries of this lease say of the repository. Senders may leave out the host.
fn hints<'a>(lease: &'a Lease, name: &Repository) -> impl Iterator<Item = &'a Hint> {
    let canonical = name.canonical();
    let is_meant = move |hint: &&Hint| match hint {
        Hint::Image { repository, registry: Some(registry), .. } => {
            let told = format!("{registry}/{repository}").parse::<Repository>();
            told.is_ok_and(|told| told.canonical() == canonical)
        }
        Hint::Image { repository, registry: None, .. } => {
            canonical == *repository || canonical.ends_with(&format!("/{repository}"))
        }
        Hint::Comment { .. }
        | Hint::PullRequest { .. }
        | Hint::Push
        | Hint::Command { .. }
        | Hint::Sighting { .. }
        | Hint::Unparsable { .. } => false,
    };
    lease.deliveries.iter().flat_map(|delivery| &delivery.hints).filter(is_meant)
}

/// Whether the registry would have given another answer if it showed this push.
fn is_missing(rule: &ImageRule, pick: &Pick, push: &Expected) -> bool {
    let fits = || match rule.follow.named() {
        Some(named) => *named == push.tag,
        None => !matches!(rule.follow.pick(std::slice::from_ref(&push.tag)), Picked::Nothing),
    };
    match pick {
        Pick::Found { tag, digest } if *tag == push.tag => push.digest.is_some_and(|told| told != *digest),
        Pick::Found { tag, .. } => rule.follow.compare(Some(&push.tag), Some(tag)) == Order::Newer && fits(),
        Pick::Nothing | Pick::Failed(_) => fits(),
        Pick::Refused(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;
    use crate::store::Delivery;

    const INTERVALS: Intervals = Intervals { polled: Duration::from_mins(5), told: Duration::from_hours(1) };

    fn lease(told: &[&str]) -> Lease {
        let hint = |name: &&str| Hint::Image {
            repository: (*name).to_owned(),
            registry: None,
            tags: Vec::new(),
            digest: None,
        };
        let delivery = Delivery {
            id: "d".to_owned(),
            source: "registry".to_owned(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            hints: told.iter().map(hint).chain([Hint::Push]).collect(),
        };
        let key = Key::pipeline("env", "shop".parse().unwrap());
        Lease { key, generation: 1, claimed_at: jiff::Timestamp::UNIX_EPOCH, deliveries: vec![delivery] }
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
            check(&polls, &[], [1, 1], Look::Lacking, want);
        }
        check(&polls, &[], [1, 1], Look::Quiet, 5);
        check(&polls, &[], [1, 1], Look::Lacking, 1);
        check(&polls, &[], [1, 1], Look::Lacking, 2);
        // Another image may have what the one before lacked.
        check(&polls, &[], [1, 2], Look::Lacking, 1);
        check(&polls, &[], [1, 2], Look::Refused, 1);
        check(&polls, &[], [1, 2], Look::Refused, 1);
        let soon = Intervals { polled: Duration::from_secs(10), told: Duration::from_secs(10) };
        assert_eq!(polls.noted(&lease(&[]), None, Look::Lacking, soon), Duration::from_secs(10));
    }

    #[test]
    fn a_push_that_is_told_of_is_looked_for_until_the_registry_shows_it() {
        let rules = "version: 1\npipelines:\n  - name: shop\n    images: [{ repository: r.example/shop/web, follow: { semver: '<2' } }]\n    \
                     stages: [{ name: dev, pins: [a] }]\n";
        let pipeline = parse(rules.as_bytes()).unwrap().pipelines.remove(0);
        let polls = Polls::default();
        let told = |registry: Option<&str>, tag: &str, digest: Option<u8>| {
            let mut lease = lease(&[]);
            lease.deliveries[0].hints.push(Hint::Image {
                repository: "shop/web".to_owned(),
                registry: registry.map(str::to_owned),
                tags: vec![tag.to_owned()],
                digest: digest.map(|n| Digest::of(&[n])),
            });
            lease
        };
        let found = |tag: &str, n: u8| Pick::Found { tag: tag.parse().unwrap(), digest: Digest::of(&[n]) };
        let check = |lease: &Lease, pick: Pick, want_seconds: u64| {
            let next =
                polls.noted(lease, Some((&pipeline, std::slice::from_ref(&pick))), Look::Quiet, INTERVALS);
            assert_eq!(next, Duration::from_secs(want_seconds), "{:?} {pick:?}", lease.deliveries);
        };
        let quiet = lease(&[]);
        check(&told(None, "1.4.2", None), found("1.4.2", 1), 3600);
        check(&told(None, "1.4.3", None), found("1.4.2", 1), 5);
        check(&quiet, found("1.4.2", 1), 15);
        check(&quiet, found("1.4.3", 2), 3600);
        check(&told(None, "1.4.4", None), Pick::Failed("404".to_owned()), 5);
        for want in [15, 60, 300, 300] {
            check(&quiet, found("1.4.3", 2), want);
        }
        // The same tag with another digest, an older tag, one that the rule does not take, and another registry's.
        check(&told(Some("r.example"), "1.4.3", Some(3)), found("1.4.3", 2), 5);
        check(&quiet, found("1.4.3", 3), 3600);
        check(&told(Some("r.example"), "1.4.1", None), found("1.4.3", 3), 3600);
        check(&told(None, "2.0.0", None), found("1.4.3", 3), 3600);
        check(&told(Some("s.example"), "1.4.9", None), found("1.4.3", 3), 3600);
    }
}
