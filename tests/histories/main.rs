//! Random histories against the law of promotion, told once more and independently ([`oracle`]).
//!
//! The pure engine over a world in memory ([`tiny`]): plan, apply, record, also with stops in between. `HISTORIES=200`
//! tells so many histories; `HISTORY=7` begins at that seed, which every failure names. A failure is shrunk, and printed
//! as the lines of a story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, missing_docs, reason = "modules of one test")]
#![allow(
    clippy::single_match_else,
    clippy::type_complexity,
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    reason = "a test: what is another is a failure"
)]

mod faults;
mod oracle;
mod step;
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod tiny;
mod told;

use faults::Fault;
use jiff::Timestamp;
use oracle::Oracle;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use step::{
    Act, Bytes, Calendar, Exception, Fix, Freeze, Place, REPOSITORY, STAGES, Said, Step, Verb, digest,
};
use tiny::Tiny;

/// Events of one history.
const EVENTS: usize = 1_000;
/// Most histories told with a fault before it counts as missed.
const FAULT_HISTORIES: u64 = 12;
/// When every history begins.
const BEGIN: &str = "2026-03-02T09:00:00Z";
/// What every stage pins at first.
const FIRST: &str = "1.10.0";

/// The rules: with `loose`, `us` needs one approval, else two; `eu` needs one for what is newer by its version, else two.
fn rules(is_loose: bool) -> String {
    rules_with(is_loose, "")
}

/// The same where `staging` and `us` are watched.
fn watched_rules(is_loose: bool) -> String {
    rules_with(
        is_loose,
        "live: observed\n        counts_for: 1d\n        watch: { for: 45m, on_failure: rollback }",
    )
}

fn rules_with(is_loose: bool, watch: &str) -> String {
    let min = if is_loose { 1 } else { 2 };
    format!(
        r#"version: 1
freezes: calendars/freezes.yaml
pipelines:
  - name: web
    owner: team:acme/owners
    start: now
    images: [{{ repository: {REPOSITORY}, follow: {{ semver: ">=1.0" }} }}]
    stages:
      - {{ name: dev, pins: [env/dev/web.yaml], merge: automatic }}
      - name: staging
        pins: [env/staging/web.yaml]
        merge: automatic
        gates: {{ soak: 30m }}
        {watch}
        hotfix: {{ by: ["user:tom"] }}
      - name: eu
        group: prod
        after: [staging]
        pins: [env/eu/web.yaml]
        gates:
          soak: 1h
          approvals: {{ min: 2, minor: 1, from: ["team:acme/sre"] }}
          window: {{ days: mon-sat, hours: "06:00-22:00", zone: Europe/Berlin }}
        rollback: {{ by: ["team:acme/oncall"] }}
        hotfix: {{ by: ["team:acme/oncall"] }}
      - name: us
        group: prod
        after: [staging, eu]
        pins: [env/us/web.yaml]
        gates:
          soak: 10m
          approvals: {{ min: {min}, from: ["team:acme/sre"] }}
          window: {{ days: mon-sun, hours: "20:00-14:00", zone: UTC }}
        rollback: {{ by: ["team:acme/oncall", "team:acme/sre"], approvals: 1 }}
        {watch}
        hotfix: {{ by: ["team:acme/oncall", "user:li"] }}
"#
    )
}

/// The file of a stage; without bytes its pin has no digest.
fn manifest(tag: &str, bytes: Option<&str>) -> String {
    let digest = bytes.map(|bytes| format!("@{}", digest(bytes))).unwrap_or_default();
    format!(
        "# kept as it is\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          image: {REPOSITORY}:{tag}{digest}   # the pin\n          env: [{{ name: A, value: \"1\" }}]\n"
    )
}

fn path(stage: usize) -> String {
    format!("env/{}/web.yaml", STAGES[stage])
}

/// Who wrote what is behind a version.
fn author(tag: &str) -> usize {
    usize::from(tag.bytes().map(u16::from).sum::<u16>() % 5 == 0)
}

/// The newest version, from which steps count, and what makes acts of steps.
struct Teller {
    newest: u32,
}

fn version(number: u32) -> String {
    format!("1.{number}.0")
}

impl Teller {
    fn back(&self, by: u8) -> String {
        version(self.newest.saturating_sub(u32::from(by)).max(8))
    }

    /// What a step means now; a wait where it means nothing.
    fn act(&mut self, step: Step, oracle: &Oracle) -> Act {
        self.possible(step, oracle).unwrap_or(Act::Wait { minutes: 7 })
    }

    fn possible(&mut self, step: Step, oracle: &Oracle) -> Option<Act> {
        let open = |stage: u8| Some(usize::from(stage)).filter(|stage| oracle.is_open(*stage));
        Some(match step {
            Step::Push(at, bytes) => {
                let number = (self.newest + u32::from(at)).saturating_sub(3).max(8);
                self.newest = self.newest.max(number);
                let own = version(number);
                let (tag, bytes) = match bytes {
                    Bytes::Own => (own.clone(), own),
                    Bytes::PreRelease => (format!("{own}-rc.1"), format!("{own}-rc.1")),
                    Bytes::Other(which) => (own.clone(), format!("{own}-other-{which}")),
                    Bytes::Before => (own, version(number - 1)),
                };
                Act::Push { tag, bytes }
            }
            Step::Remove(back) => Act::Remove { bytes: self.back(back) },
            Step::Registry(away) => Act::Registry { away },
            Step::Wait(minutes) => Act::Wait { minutes: i64::from(minutes) },
            Step::Clock(0) => return None,
            Step::Clock(hours) => Act::Clock { hours: i64::from(hours) },
            Step::Review(stage, who, verdict) => {
                let stage = open(stage)?;
                if verdict == step::Verdict::ApproveOlder && !oracle.has_older_head(stage) {
                    return None;
                }
                Act::Review { stage, who: usize::from(who), verdict }
            }
            Step::Close(stage, who) => Act::Close { stage: open(stage)?, who: usize::from(who) },
            Step::PushOn(stage) => Act::PushOn { stage: open(stage)? },
            Step::Say(who, place, verb, late) => self.say(who, place, verb, late, oracle)?,
            Step::Deliver(which) => {
                let count = oracle.untold.len();
                Act::Deliver { which: usize::from(which).checked_rem(count)? }
            }
            Step::DeliverAll => Some(Act::DeliverAll).filter(|_| !oracle.untold.is_empty())?,
            Step::Again => Act::Again,
            Step::Pin(stage, back) => {
                let tag = self.back(back);
                Act::Pin { stage: usize::from(stage), bytes: tag.clone(), tag }
            }
            Step::Unpin(stage) => {
                let stage = usize::from(stage);
                Act::Unpin { stage, tag: oracle.live_tag(stage)?.to_owned() }
            }
            Step::Revert(stage) => {
                let stage = usize::from(stage);
                let (tag, bytes) = oracle.before(stage)?;
                Act::Pin { stage, tag, bytes }
            }
            Step::Edit(stage) => Act::Edit { stage: usize::from(stage) },
            Step::Rules(loose) if loose == oracle.is_loose() => return None,
            Step::Rules(loose) => Act::Rules { loose },
            Step::Calendar(kind, from, long) => {
                let calendar = calendar(kind, from, long, oracle.now());
                if calendar == *oracle.calendar() {
                    return None;
                }
                Act::Calendar(calendar)
            }
            Step::Stop(writes) => Act::Stop { writes: usize::from(writes) },
            Step::Observe(stage, is_live, health) => {
                let stage = usize::from(stage);
                let (tag, digest) = if is_live { oracle.live_pin(stage)? } else { oracle.before(stage)? };
                Act::Observe { stage, tag, digest, health }
            }
        })
    }

    fn say(&self, who: u8, place: Place, verb: Verb, late: bool, oracle: &Oracle) -> Option<Act> {
        let target = match verb {
            Verb::Veto(Some(back)) | Verb::Unveto(back) | Verb::Rollback(_, Some(back)) => {
                Some(self.back(back))
            }
            Verb::Promote(_, Some((back, by_digest))) => {
                let tag = self.back(back);
                Some(if by_digest { digest(&format!("{tag}-other-0")).hex() } else { tag })
            }
            Verb::Hotfix(_, Fix::Version(back), _) => Some(self.back(back)),
            Verb::Hotfix(_, Fix::PreRelease(back), _) => Some(format!("{}-rc.1", self.back(back))),
            Verb::Hotfix(_, Fix::Digest(back), _) => Some(digest(&self.back(back)).hex()),
            Verb::Veto(None)
            | Verb::Rollback(_, None)
            | Verb::Promote(_, None)
            | Verb::Hold(..)
            | Verb::Resume(_)
            | Verb::Freeze(..)
            | Verb::Unfreeze(_)
            | Verb::Retry => None,
        };
        if let Place::Pull(stage) = place
            && !oracle.is_open(usize::from(stage))
        {
            return None;
        }
        let is_nowhere = matches!(verb, Verb::Retry | Verb::Veto(None)) && place == Place::Operations;
        // Elsewhere it is only refused.
        let place = if matches!(verb, Verb::Freeze(..)) { Place::Operations } else { place };
        let said = Said { who: usize::from(who), place, verb, target };
        (!is_nowhere).then_some(Act::Say { said, late })
    }
}

/// A calendar of some kind: none, broken, or a freeze, of some stages, with an exception or without.
fn calendar(kind: u8, from: i8, long: u8, now: i64) -> Calendar {
    let from = now + i64::from(from) * 3_600;
    let until = from + i64::from(long) * 3_600;
    let exception = |word, is_hotfix, until| Some(Exception { word, is_hotfix, until });
    let (word, exception) = match kind {
        0..=3 => return Calendar::Known(None),
        4 => return Calendar::Broken,
        5 => (5, None),
        6 => (4, None),
        7 => (4, exception(5, true, until)),
        8 => (4, exception(2, false, until - 1_800)),
        9 => (3, exception(3, true, now + 1_800)),
        _ => (5, exception(4, false, until)),
    };
    Calendar::Known(Some(Freeze { from, until, word, exception }))
}

/// What telling a history gave: its lines, and what was wrong after the last of them.
struct Told {
    lines: Vec<String>,
    wrong: Option<String>,
    oracle: Oracle,
}

fn hex(bytes: &str) -> String {
    digest(bytes).hex()
}

fn tell(steps: &[Step], fault: Option<Fault>) -> Told {
    let begin: Timestamp = BEGIN.parse().unwrap();
    let is_watched = steps.iter().any(|step| matches!(step, Step::Observe(..)));
    let mut tiny = Tiny::new(FIRST, begin, fault, is_watched);
    let mut oracle = Oracle::new(FIRST, &hex(FIRST), begin.as_second(), Some(author));
    let mut teller = Teller { newest: 10 };
    let mut lines = Vec::new();
    for step in steps {
        let act = teller.act(*step, &oracle);
        lines.push(act.to_string());
        let told = tiny.act(&act);
        oracle.act(&act, hex, tiny.now().as_second());
        if let Err(wrong) = told.and_then(|()| oracle.look(&tiny.view())) {
            return Told { lines, wrong: Some(wrong), oracle };
        }
    }
    Told { lines, wrong: None, oracle }
}

/// The steps of a seed.
fn steps(seed: u64) -> Vec<Step> {
    steps_of(seed, step::step())
}

/// The same where stages are watched.
fn watched_steps(seed: u64) -> Vec<Step> {
    steps_of(seed, step::watched_step())
}

fn steps_of(seed: u64, step: impl proptest::strategy::Strategy<Value = Step>) -> Vec<Step> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    proptest::collection::vec(step, EVENTS).new_tree(&mut runner).unwrap().current()
}

/// The fewest steps that are wrong still: pieces are left out, large ones first.
fn shrunk(mut steps: Vec<Step>) -> Told {
    let fails = |steps: &[Step]| {
        let told = tell(steps, None);
        told.wrong.is_some().then_some(told)
    };
    let mut told = fails(&steps).unwrap();
    steps.truncate(told.lines.len());
    let mut size = steps.len().div_ceil(2);
    loop {
        let (mut at, mut was_shorter) = (0, false);
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match fails(&fewer) {
                Some(found) => {
                    fewer.truncate(found.lines.len());
                    (steps, told, was_shorter) = (fewer, found, true);
                }
                None => at += size,
            }
        }
        if size == 1 && !was_shorter {
            return told;
        }
        size = size.div_ceil(2).max(1);
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Tells the history of a seed, and where it goes against the law the shortest that does.
fn lawful(seed: u64, steps: Vec<Step>) -> Oracle {
    let begun = std::time::Instant::now();
    let told = tell(&steps, None);
    if told.wrong.is_some() {
        let told = shrunk(steps);
        let wrong = told.wrong.unwrap();
        panic!("seed {seed}: {wrong}\n{}\n", told.lines.join("\n"));
    }
    let (merged, alone) = (told.oracle.merged, told.oracle.alone);
    println!("seed {seed}: {merged:?}, {alone} by a watch, in {:.1} s", begun.elapsed().as_secs_f32());
    told.oracle
}

/// Whatever happens in whatever order, the law holds after each event.
#[test]
fn no_history_goes_against_the_law() {
    let (first, count) = (number("HISTORY", 1), number("HISTORIES", 4));
    let (mut opened, mut merged) = (0, [0; 3]);
    for seed in first..first + count {
        let oracle = lawful(seed, steps(seed));
        opened += oracle.opened;
        for (sum, of_one) in merged.iter_mut().zip(oracle.merged) {
            *sum += of_one;
        }
    }
    println!(
        "{count} histories of {EVENTS} events from seed {first}: {opened} left open for a while, {} merged, {} rolled back, {} hotfixes",
        merged[0], merged[1], merged[2]
    );
    // Where nothing happens, nothing is proved.
    assert!(
        merged[0] as u64 >= 10 * count && merged[1] as u64 >= count,
        "hardly anything was merged: {merged:?}"
    );
}

/// The same where stages are watched: what fails goes back by itself, once for a release, and never after a person's word.
#[test]
fn no_watch_goes_against_the_law() {
    let (first, count) = (number("HISTORY", 1), number("HISTORIES", 4));
    let alone: usize = (first..first + count).map(|seed| lawful(seed, watched_steps(seed)).alone).sum();
    assert!(alone as u64 >= count, "hardly anything went back by itself: {alone}");
}

/// Each fault that is planted in the engine is found, and it is that which is found: what the law does not notice, it does
/// not hold.
#[test]
fn every_fault_is_found() {
    let mut missed = Vec::new();
    for (fault, soon) in Fault::ALL {
        let begun = std::time::Instant::now();
        let found = std::iter::once(soon).chain(1..FAULT_HISTORIES).find_map(|seed| {
            let mut steps = if fault.is_of_watch() { watched_steps(seed) } else { steps(seed) };
            let told = tell(&steps, Some(fault));
            let wrong = told.wrong?;
            steps.truncate(told.lines.len());
            tell(&steps, None).wrong.is_none().then_some((seed, steps.len(), wrong))
        });
        match found {
            Some((seed, events, wrong)) => {
                let seconds = begun.elapsed().as_secs_f32();
                println!("{fault:?}: seed {seed}, event {events}, {seconds:.1} s: {wrong}");
            }
            None => missed.push(fault),
        }
    }
    assert_eq!(missed, [], "nobody noticed");
}
