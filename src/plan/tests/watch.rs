//! What is looked at after a merge: when it passes, when it fails, and what follows.

use std::time::Duration;

use super::{IMAGES, at, record, release, snapshot};
use crate::commit::CommitId;
use crate::observation::{Health, Sighting};
use crate::pipeline::{Live, LiveSource, OnFailure, Watch};
use crate::plan::effect::{Effect, MergeNow, Plan};
use crate::plan::live::Running;
use crate::plan::upstream::{Passed, passed};
use crate::plan::{Snapshot, plan, watch};
use crate::promotion::{Actor, Event, HoldKind, Lane};
use crate::pull_request::MergeMethod;

/// What runs, how it does, and when that is seen.
type Seen<'a> = (i64, &'a str, &'a str);

fn merged(world: &mut Snapshot, stage: usize, version: &str, lane: Lane, by: Option<Actor>) {
    let event = Event::Merged {
        stage: world.pipeline.stages[stage].name.clone(),
        lane,
        release: release(&[version]),
        was: None,
        number: Some(7),
        commit: "0".repeat(40),
        approvals: Vec::new(),
        signatures: Vec::new(),
        exceptions: Vec::new(),
        requested_by: by,
        reason: None,
    };
    record(world, event);
    let pinned = format!("image: {}:{version}@{}\n", IMAGES[0], crate::image::Digest::of(version.as_bytes()));
    let file = world.pipeline.stages[stage].pins[0].file.clone();
    world.files.insert(file, Ok(Some(pinned.into_bytes())));
}

/// `dev` had 1.0.0 and got 1.1.0 at minute 0, is watched for 30 minutes, and an observation counts for five.
fn world(on_failure: OnFailure) -> Snapshot {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    let dev = &mut world.pipeline.stages[0];
    dev.live = Live { source: LiveSource::Observed, counts_for: Duration::from_mins(5) };
    dev.watch = Some(Watch { length: Duration::from_mins(30), on_failure });
    at(&mut world, -60);
    let stage = world.pipeline.stages[0].name.clone();
    record(&mut world, Event::Adopted { stage, release: release(&["1.0.0"]) });
    at(&mut world, 0);
    merged(&mut world, 0, "1.1.0", Lane::Normal, None);
    world
}

fn sighting(world: &mut Snapshot, (minute, version, health): Seen<'_>) -> Sighting {
    at(world, minute);
    Sighting {
        at: world.now,
        source: "observer argo".to_owned(),
        digests: version.split('+').flat_map(|version| release(&[version]).digests()).collect(),
        ready: 2,
        wanted: 2,
        health: match health {
            "healthy" => Health::Healthy,
            "degraded" => Health::Degraded("crash loop".to_owned()),
            _ => Health::Progressing("waits".to_owned()),
        },
        url: None,
    }
}

/// What a look at this minute records, each in a word; the look before was after all of this but the last was seen.
fn look(world: &mut Snapshot, seen: &[Seen<'_>], minute: i64) -> Vec<String> {
    let mut new: Vec<Sighting> = seen.iter().map(|seen| sighting(world, *seen)).collect();
    let last = if new.len() > 1 { Some(new.remove(0)) } else { None };
    let stage = world.pipeline.stages[0].name.clone();
    world.running.insert(stage, Running { last, new, silent: None, heard_until: world.now });
    at(world, minute);
    let mut words = Vec::new();
    loop {
        let mut plan = Plan::default();
        watch::record(world, &mut plan);
        let Some(Effect::Record(entries)) = plan.effects.pop() else { return words };
        for entry in entries {
            world.state.apply(&entry).unwrap();
            words.push(if let Event::WatchEnded(ended) = &entry.event {
                format!("{} {:?}", ended.end, ended.followed).to_lowercase()
            } else if let Event::Requested { release, .. } = &entry.event {
                format!("requested {}", release.version())
            } else {
                entry.event.name().to_owned()
            });
        }
    }
}

fn check(on_failure: OnFailure, seen: &[Seen<'_>], minute: i64, want: &[&str]) {
    let mut world = world(on_failure);
    assert_eq!(look(&mut world, &[], 0), ["watch_began"]);
    assert_eq!(look(&mut world, seen, minute), want, "{on_failure}: {seen:?} at {minute}");
}

const BACK: [&str; 4] = ["failed rollingback", "held", "vetoed", "requested 1.0.0"];

#[test]
fn a_watch_ends_by_what_is_seen() {
    use OnFailure::{Hold, Rollback, Tell};
    let healthy = |minute| (minute, "1.1.0", "healthy");
    let rolling = |minute| (minute, "1.0.0+1.1.0", "progressing");
    let failed = |minute| (minute, "1.1.0", "degraded");
    // It passes at its end and not before, by what was seen at most five minutes before that.
    check(Rollback, &[healthy(29)], 29, &[]);
    check(Rollback, &[healthy(29)], 30, &["passed nothing"]);
    check(Rollback, &[rolling(20), healthy(25)], 30, &["passed nothing"]);
    check(Rollback, &[rolling(20), healthy(24)], 30, &["ended unproven told"]);
    // Nobody looked at the end, and somebody does later.
    check(Rollback, &[healthy(24), healthy(40)], 41, &["passed nothing"]);
    check(Rollback, &[healthy(24), healthy(40)], 46, &["ended unproven told"]);
    check(Rollback, &[healthy(24), failed(40)], 41, &BACK);
    check(Rollback, &[healthy(28), failed(40)], 41, &["passed nothing"]);
    // What rolls out, or was seen before the merge, or not at all, is no failure, and no pass.
    check(Rollback, &[rolling(29)], 29, &[]);
    check(Rollback, &[rolling(30)], 30, &["ended unproven told"]);
    check(Rollback, &[failed(-2)], 1, &[]);
    check(Rollback, &[], 29, &[]);
    check(Rollback, &[], 30, &["ended unproven told"]);
    check(Hold, &[], 30, &["ended unproven held", "held"]);
    check(Tell, &[], 30, &["ended unproven told"]);
    // Another release that runs healthily is no pass.
    check(Rollback, &[(30, "1.0.0", "healthy")], 30, &["ended unproven told"]);
    // Degraded fails at once, whatever was seen after.
    check(Rollback, &[failed(1)], 1, &BACK);
    check(Rollback, &[(1, "1.0.0", "degraded")], 1, &BACK);
    check(Rollback, &[failed(30)], 30, &BACK);
    check(Rollback, &[failed(3), healthy(4)], 4, &BACK);
    check(Hold, &[failed(1)], 1, &["failed held", "held", "vetoed"]);
    check(Tell, &[failed(1)], 1, &["failed told", "vetoed"]);
}

#[test]
fn what_came_before_a_rule_or_by_another_way_is_not_watched() {
    let mut later = world(OnFailure::Rollback);
    let begun = |world: &mut Snapshot, minute| look(world, &[(1, "1.1.0", "degraded")], minute);
    assert!(begun(&mut later.clone(), 30).is_empty(), "it was merged too long ago");
    assert!(!begun(&mut later.clone(), 29).is_empty());
    merged(&mut later, 0, "1.0.0", Lane::Rollback, None);
    assert!(begun(&mut later, 1).is_empty(), "a rollback is not watched");
}

/// What was degraded before may be seen for a while after its hotfix: only the hotfix alone says something of it.
#[test]
fn what_was_degraded_before_is_not_taken_for_what_takes_its_place() {
    for (seen, want) in [
        ((1, "1.1.0", "degraded"), &[][..]),
        ((1, "1.1.0+1.2.0", "degraded"), &[]),
        // It goes back past what was degraded.
        ((1, "1.2.0", "degraded"), &["failed rollingback", "held", "vetoed", "requested 1.0.0"]),
    ] {
        let mut world = world(OnFailure::Rollback);
        look(&mut world, &[(1, "1.1.0", "healthy")], 30);
        let now = sighting(&mut world, (31, "1.1.0", "degraded"));
        let live = world.state.live(&world.pipeline.stages[0].name).unwrap();
        let seen_before = crate::plan::live::seen(&world, &world.pipeline.stages[0], live, &now);
        let (stage, release) = (world.pipeline.stages[0].name.clone(), release(&["1.1.0"]));
        record(&mut world, Event::Observed { stage, release, seen: seen_before.unwrap(), until: None });
        at(&mut world, 40);
        merged(&mut world, 0, "1.2.0", Lane::Hotfix, None);
        let found = look(&mut world, &[(40 + seen.0, seen.1, seen.2)], 42);
        assert_eq!(found, [&["watch_began"], want].concat(), "{seen:?}");
    }
}

fn sam() -> Actor {
    Actor { id: 7, name: "sam".to_owned(), via: "comment 9".to_owned() }
}

/// Whatever a person did since the merge: it is told, and nothing else is done.
#[test]
fn a_person_is_not_fought() {
    let stage = || world(OnFailure::Tell).pipeline.stages[0].name.clone();
    let held = |kind, by| Event::Held { stage: stage(), kind, by, reason: None, until: None };
    let asked = |lane, by| {
        let release = release(&["1.2.0"]);
        Event::Requested { stage: stage(), lane, release, by, reason: None }
    };
    let unvetoed = |version: &str| {
        let digests = release(&[version]).digests();
        Event::Unvetoed { digests, by: sam(), reason: None }
    };
    let told = &["failed told", "vetoed"][..];
    for (event, want) in [
        (held(HoldKind::Person, sam()), told),
        (held(HoldKind::OutOfBand, Actor::lockkeeper()), told),
        (Event::Resumed { stage: stage(), by: sam(), reason: None }, told),
        (asked(Lane::Normal, sam()), told),
        (asked(Lane::Hotfix, sam()), told),
        // The person's own rollback is under way: there is no verdict any more.
        (asked(Lane::Rollback, sam()), &[]),
        // A person's word on the release itself is the last on its veto, too.
        (unvetoed("1.1.0"), &["failed told", "vetoed"]),
        (unvetoed("1.0.0"), &BACK),
        (Event::Frozen { stage: stage(), by: sam(), reason: None, until: None }, &BACK),
    ] {
        for on_failure in [OnFailure::Rollback, OnFailure::Hold] {
            let mut world = world(on_failure);
            look(&mut world, &[], 1);
            record(&mut world, event.clone());
            let found = look(&mut world, &[(2, "1.1.0", "degraded")], 2);
            let want = match on_failure {
                OnFailure::Hold if want == BACK => &["failed held", "held", "vetoed"][..],
                OnFailure::Tell | OnFailure::Hold | OnFailure::Rollback => want,
            };
            assert_eq!(found, want, "{event:?}");
        }
    }
}

#[test]
fn a_stage_goes_back_by_itself_once_for_a_release() {
    let mut world = world(OnFailure::Rollback);
    let name = world.pipeline.stages[0].name.clone();
    assert_eq!(look(&mut world, &[(1, "1.1.0", "degraded")], 1)[1..], BACK);
    merged(&mut world, 0, "1.0.0", Lane::Rollback, Some(Actor::watch()));
    let digests = release(&["1.1.0"]).digests();
    record(&mut world, Event::Resumed { stage: name.clone(), by: sam(), reason: None });
    record(&mut world, Event::Unvetoed { digests, by: sam(), reason: None });
    at(&mut world, 10);
    merged(&mut world, 0, "1.1.0", Lane::Normal, Some(sam()));
    let found = look(&mut world, &[(11, "1.1.0", "degraded")], 11);
    assert_eq!(found, ["watch_began", "failed told", "vetoed"]);
    // Another release is another matter.
    at(&mut world, 20);
    merged(&mut world, 0, "1.2.0", Lane::Normal, Some(sam()));
    let found = look(&mut world, &[(21, "1.2.0", "degraded")], 21);
    assert_eq!(
        found[1..],
        ["failed rollingback", "held", "vetoed", "requested 1.0.0"],
        "and past what failed"
    );
}

/// A release that has no other to go back to stays, and the record says why.
#[test]
fn without_a_way_back_it_is_told() {
    let mut world = world(OnFailure::Rollback);
    let (stage, by) = (world.pipeline.stages[0].name.clone(), sam());
    let digests = release(&["1.0.0"]).digests();
    record(&mut world, Event::Vetoed { stage, digests, version: "1.0.0".to_owned(), by, reason: None });
    assert_eq!(look(&mut world, &[(1, "1.1.0", "degraded")], 1)[1..], ["failed told", "vetoed"]);
}

/// A person's word after the watch takes back what it began.
#[test]
fn what_a_watch_began_ends_with_a_persons_word() {
    let mut world = world(OnFailure::Rollback);
    let stage = world.pipeline.stages[0].name.clone();
    look(&mut world, &[(1, "1.1.0", "degraded")], 1);
    let request = |world: &Snapshot| world.state.stage(&stage).unwrap().request.clone();
    assert!(request(&world).is_some_and(|request| request.by.is_watch()));
    assert!(!watch::is_withdrawn(&world, &world.pipeline.stages[0], Some(&Actor::watch())));
    record(&mut world, Event::Resumed { stage: stage.clone(), by: sam(), reason: None });
    assert_eq!(request(&world), None);
    assert!(watch::is_withdrawn(&world, &world.pipeline.stages[0], Some(&Actor::watch())));
    assert!(!watch::is_withdrawn(&world, &world.pipeline.stages[0], Some(&sam())));
}

/// What the stage after it says of a release, as its watch goes.
#[test]
fn a_release_goes_on_once_its_watch_has_passed() {
    let word = |world: &Snapshot| match passed(world, &world.pipeline.stages[1], &release(&["1.1.0"])) {
        Passed::Yes => "passed".to_owned(),
        Passed::Soaks(hold) | Passed::Stopped(hold) => hold.text,
        Passed::No => "no".to_owned(),
    };
    let seen = |world: &mut Snapshot, sight: Seen<'_>, minute| {
        let now = sighting(world, sight);
        let live = world.state.live(&world.pipeline.stages[0].name).unwrap();
        let seen = crate::plan::live::seen(world, &world.pipeline.stages[0], live, &now);
        let (stage, release) = (world.pipeline.stages[0].name.clone(), release(&["1.1.0"]));
        record(world, Event::Observed { stage, release, seen: seen.unwrap(), until: None });
        look(world, &[sight], minute);
        word(world)
    };
    let mut passing = world(OnFailure::Tell);
    assert_eq!(
        seen(&mut passing, (29, "1.1.0", "healthy"), 29),
        "1.1.0 is watched in dev until 1970-01-01 00:30:00 UTC"
    );
    assert_eq!(plan(&passing).wake_at, Some("1970-01-01T00:30:00Z".parse().unwrap()));
    let mut failing = passing.clone();
    let mut unseen = passing.clone();
    let mut replaced = passing.clone();
    assert_eq!(seen(&mut passing, (30, "1.1.0", "healthy"), 30), "passed");
    assert!(seen(&mut failing, (30, "1.1.0", "degraded"), 30).starts_with("1.1.0 is vetoed by lockkeeper"));
    let digests = release(&["1.1.0"]).digests();
    record(&mut failing, Event::Unvetoed { digests, by: sam(), reason: None });
    assert_eq!(word(&failing), "passed", "a person says so");
    let unproven = seen(&mut unseen, (30, "1.1.0", "progressing"), 30);
    assert!(unproven.starts_with("1.1.0 has not passed its watch in dev: it was not seen"), "{unproven}");
    assert_eq!(seen(&mut unseen, (50, "1.1.0", "healthy"), 50), "passed", "later than it ended");
    merged(&mut replaced, 0, "1.2.0", Lane::Normal, None);
    assert_eq!(look(&mut replaced, &[], 29), ["was cut short nothing", "watch_began"]);
    assert_eq!(word(&replaced), "no");
}

#[test]
fn what_somebody_is_at_work_on_is_left_to_them() {
    let mut world = world(OnFailure::Rollback);
    let other = format!("image: {}:1.2.0@{}\n", IMAGES[0], crate::image::Digest::of(b"1.2.0"));
    world.files.insert(world.pipeline.stages[0].pins[0].file.clone(), Ok(Some(other.into_bytes())));
    assert_eq!(look(&mut world, &[(1, "1.1.0", "degraded")], 1)[1..], ["failed told", "vetoed"]);
}

#[test]
fn that_a_watch_begins_is_in_the_record_with_the_merge() {
    let world = world(OnFailure::Rollback);
    let stage = &world.pipeline.stages[0];
    for (lane, want) in [
        (Lane::Normal, &["merged", "watch_began"][..]),
        (Lane::Hotfix, &["merged", "watch_began"]),
        (Lane::Rollback, &["merged"]),
    ] {
        let merge = MergeNow {
            stage: stage.name.clone(),
            lane,
            number: 1,
            branch: String::new(),
            head: CommitId::from_bytes([0; 20]),
            message: String::new(),
            method: MergeMethod::Merge,
            release: release(&["1.1.0"]),
            was: None,
            approvals: Vec::new(),
            signatures: Vec::new(),
            exceptions: Vec::new(),
            requested_by: None,
            reason: None,
            watch: watch::rule(stage, lane).copied(),
        };
        let entries = merge.merged(CommitId::from_bytes([0; 20]), world.now);
        let names: Vec<&str> = entries.iter().map(|entry| entry.event.name()).collect();
        assert_eq!(names, want, "{lane:?}");
        assert!(entries.iter().all(|entry| entry.at == world.now));
    }
}
