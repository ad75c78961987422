mod observed;
mod policy;
mod provenance;
mod quorum;
mod readiness;
mod refused;
mod rollback_ready;
mod tags;
mod watch;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::candidate::{Candidate, candidate};
use super::order::{against_pinned, backwards, compare, is_forward, moved};
use super::snapshot::{PlanSettings, Thread};
use super::{Asked, Gate, Pick, Snapshot, coming, earlier};
use crate::commit::CommitId;
use crate::image::{Digest, Pinned, Release};
use crate::pipeline::{Order, Together, parse};
use crate::promotion::{Actor, Entry, Event, Lane, State};
use crate::pull_request::{MergeMethod, Person};

const IMAGES: [&str; 2] = ["r.example/shop/web", "r.example/shop/api"];

/// A pipeline of these images under one rule, of which nothing is known yet.
fn snapshot(images: &[&str], follow: &str) -> Snapshot {
    let images: Vec<String> = images
        .iter()
        .map(|name| format!("      - {{ repository: {name}, follow: {{ {follow} }} }}\n"))
        .collect();
    let text = format!(
        "version: 1\npipelines:\n  - name: shop\n    images:\n{}    stages:\n      - {{ name: dev, pins: [a] }}\n      - {{ name: prod, pins: [b] }}\n",
        images.concat()
    );
    let settings = PlanSettings {
        command_age_max: Duration::from_mins(15),
        merge_method: MergeMethod::Merge,
        url_prefix: String::new(),
        has_deployments: false,
        probes_count_for: Duration::from_mins(30),
        source_links: Vec::new(),
    };
    let me = Person { id: 1, name: "lockkeeper".to_owned(), bot: true };
    let pipeline = parse(text.as_bytes()).unwrap().pipelines.remove(0);
    let base = CommitId::from_bytes([0; 20]);
    let unread = Snapshot::unread(Timestamp::UNIX_EPOCH, base, pipeline, State::default(), me, settings);
    Snapshot { repository: "env".to_owned(), base_branch: "main".to_owned(), ..unread }
}

fn record(snapshot: &mut Snapshot, event: Event) {
    snapshot.state.apply(&Entry { at: snapshot.now, event }).unwrap();
}

fn came(snapshot: &mut Snapshot, stage: usize, release: Release) {
    let stage = snapshot.pipeline.stages[stage].name.clone();
    let event = Event::Merged {
        stage,
        lane: Lane::Normal,
        release,
        was: None,
        number: None,
        commit: "0".repeat(40),
        approvals: Vec::new(),
        signatures: Vec::new(),
        exceptions: Vec::new(),
        requested_by: None,
        reason: None,
    };
    record(snapshot, event);
}

/// A release of the first images, each by its tag; `tag=bytes` where the tag stands for other bytes than its own.
fn release(tags: &[&str]) -> Release {
    let images = IMAGES.iter().zip(tags).map(|(name, text)| {
        let (tag, bytes) = text.split_once('=').unwrap_or((text, text));
        (name.parse().unwrap(), Pinned { tag: tag.parse().ok(), digest: Digest::of(bytes.as_bytes()) })
    });
    images.collect()
}

/// The same as pins show it that have no tag.
fn bare(release: &Release) -> Release {
    let images =
        release.images().map(|(name, pinned)| (name.clone(), Pinned { tag: None, ..pinned.clone() }));
    images.collect()
}

#[test]
fn a_pin_without_a_tag_compares_by_the_tag_that_it_came_by() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    let (old, new) = (release(&["1.1.0"]), release(&["1.2.0"]));
    let against = |world: &Snapshot, release: &Release, pinned: &Release| {
        against_pinned(world, &world.pipeline.stages[0], release, Some(&bare(pinned)))
    };
    record(&mut world, Event::Seen { release: old.clone() });
    assert_eq!(against(&world, &old, &new), Ok(Order::Newer), "nothing tells what is pinned");
    came(&mut world, 0, new.clone());
    assert_eq!(against(&world, &old, &new), Ok(Order::Older));
    assert_eq!(against(&world, &release(&["1.3.0"]), &new), Ok(Order::Newer));
    let text = backwards(&world, &world.pipeline.stages[0], &old, Some(&bare(&new))).text;
    assert_eq!(text, "1.1.0 is older than 1.2.0, which is pinned");
    // By what was picked, in the other stage as well.
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    record(&mut world, Event::Seen { release: new.clone() });
    record(&mut world, Event::Seen { release: old.clone() });
    assert_eq!(against(&world, &old, &new), Ok(Order::Older));
    for stage in &world.pipeline.stages {
        let moved = moved(&world, stage, &release(&["1.2.0=other"]), Some(&bare(&new)));
        assert!(
            matches!(moved.as_slice(), [(_, text)] if text.starts_with("version 1.2.0 of ")),
            "{moved:?}"
        );
    }
}

#[test]
fn each_image_that_moved_is_told() {
    let mut world = snapshot(&IMAGES, "semver: '*'");
    record(&mut world, Event::Seen { release: release(&["1.0.0", "1.0.0"]) });
    let stages = world.pipeline.stages.clone();
    let count = |stage: usize, tags: &[&str], pinned: Option<&Release>| {
        moved(&world, &stages[stage], &release(tags), pinned).len()
    };
    assert_eq!(count(0, &["1.0.0=x", "v1.0.0=y"], None), 2);
    assert_eq!(count(0, &["1.0.0=x", "1.0.0"], None), 1);
    assert_eq!(count(0, &["1.0.0", "1.1.0"], None), 0);
    // A later stage never had it.
    assert_eq!(count(1, &["1.0.0=x", "1.0.0=y"], None), 0);
    assert_eq!(count(1, &["1.0.0=x", "1.0.0=y"], Some(&release(&["1.0.0", "0.9.0"]))), 1);
}

/// What happens to a registry and to the pins of a stage.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pushed(usize, u8),
    Removed(usize, u8),
    /// A person pins what is newest; the record has no tag of it then.
    PinnedByHand,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 0..12_u8).prop_map(|(image, version)| Step::Pushed(image, version)),
        4 => (0..2_usize, 0..12_u8).prop_map(|(image, version)| Step::Removed(image, version)),
        1 => Just(Step::PinnedByHand),
    ]
}

fn version(number: u8) -> String {
    format!("1.{}.{}", number / 4, number % 4)
}

proptest! {
    /// Whatever is pushed and removed, whether pins show tags or not, and however many images there are: what is taken is
    /// in no image older than what was there, and of two releases at most one is the newer.
    #[test]
    fn a_stage_never_goes_backwards(
        steps in prop::collection::vec(step(), 1..24),
        images in 1..=2_usize,
        shows_tags in any::<bool>(),
    ) {
        let mut world = snapshot(&IMAGES[..images], "semver: '>=1'");
        let mut there = vec![BTreeSet::from([4_u8]); images];
        let mut pinned: Option<Vec<u8>> = None;
        let of = |versions: &[u8]| {
            let tags: Vec<String> = versions.iter().map(|number| version(*number)).collect();
            release(&tags.iter().map(String::as_str).collect::<Vec<_>>())
        };
        for step in steps {
            let picked: Option<Vec<u8>> = there.iter().map(|versions| versions.last().copied()).collect();
            if let Some(picked) = picked {
                record(&mut world, Event::Seen { release: of(&picked) });
                let shown = pinned.as_deref().map(of).map(|found| if shows_tags { found } else { bare(&found) });
                let is_taken = is_forward(&world, &world.pipeline.stages[0], &of(&picked), shown.as_ref());
                if let (true, Some(pinned)) = (is_taken, &pinned) {
                    let is_older = picked.iter().zip(pinned).any(|(new, old)| new < old);
                    prop_assert!(!is_older, "{picked:?} after {pinned:?}");
                }
                match step {
                    Step::PinnedByHand => {
                        let stage = world.pipeline.stages[0].name.clone();
                        let found = Some(bare(&of(&picked)));
                        let commit = "0".repeat(40);
                        record(&mut world, Event::OutOfBand { stage, found, replaced: None, commit });
                        pinned = Some(picked);
                    }
                    Step::Pushed(..) | Step::Removed(..) if is_taken => {
                        came(&mut world, 0, of(&picked));
                        pinned = Some(picked);
                    }
                    Step::Pushed(..) | Step::Removed(..) => {}
                }
            }
            match step {
                Step::Pushed(image, number) => {
                    there[image % images].insert(number);
                }
                Step::Removed(image, number) => {
                    there[image % images].remove(&number);
                }
                Step::PinnedByHand => {}
            }
        }
        let seen: Vec<Release> = world.state.seen.iter().map(|(release, _)| release.clone()).collect();
        for one in &seen {
            for other in seen.iter().filter(|other| !other.is_same(one)) {
                let (there, back) = (compare(&world, &bare(one), other), compare(&world, other, &bare(one)));
                prop_assert!(!(there == Order::Newer && back == Order::Newer), "{one:?} {other:?}");
                prop_assert_eq!(there, compare(&world, one, &bare(other)));
            }
        }
    }
}

fn at(world: &mut Snapshot, minutes: i64) {
    world.now = Timestamp::from_second(minutes * 60).unwrap();
}

fn picks(world: &mut Snapshot, tags: &[&str]) {
    let release = release(tags);
    world.picks = release
        .images()
        .map(|(_, pinned)| Pick::Found { tag: pinned.tag.clone().unwrap(), digest: pinned.digest })
        .collect();
    // The images stand in the order of the file, those of a release by name.
    world.picks.reverse();
}

/// What passed and was replaced long ago goes on from there, however much came after it: it has to be looked at, and so has
/// what somebody names.
#[test]
fn what_may_come_into_a_stage_is_looked_at_wherever_it_is_live() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages[1].gates.soak = Duration::from_mins(30);
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0"];
    for (minutes, tag) in [0, 10, 50, 51, 52, 53, 54, 55].into_iter().zip(versions) {
        at(&mut world, minutes);
        record(&mut world, Event::Seen { release: release(&[tag]) });
        came(&mut world, 0, release(&[tag]));
    }
    picks(&mut world, &["1.7.0"]);
    let is_coming =
        |world: &Snapshot, tag: &str| coming(world).iter().any(|found| found.is_same(&release(&[tag])));
    let found: Vec<&str> = versions.into_iter().filter(|tag| is_coming(&world, tag)).collect();
    assert_eq!(found, ["1.1.0", "1.7.0"]);
    let person = Person { id: 7, name: "maria".to_owned(), bot: false };
    let (key, body) = ("comment:1".to_owned(), "/promote prod to 1.3.0".to_owned());
    let thread = Thread::Forge { number: 1, comment: 1 };
    world.asked = vec![Asked { key, body, person, at: world.now, thread, stage: None, edited: false }];
    assert!(is_coming(&world, "1.3.0") && !is_coming(&world, "1.4.0"));
}

#[test]
fn an_order_that_cannot_be_told_is_said_of_a_later_stage_too() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    came(&mut world, 0, release(&["1.0.0=other"]));
    let prod = world.pipeline.stages[1].clone();
    let old = release(&["1.0.0"]);
    let held = candidate(&world, &prod, Some(&old));
    assert!(matches!(&held, Candidate::Held(hold) if hold.gate == Gate::Order), "{held:?}");
    // One that is older is no news, and one that is good stands before all.
    assert_eq!(candidate(&world, &prod, Some(&release(&["1.1.0"]))), Candidate::UpToDate);
    came(&mut world, 0, release(&["1.2.0"]));
    assert_eq!(candidate(&world, &prod, Some(&old)), Candidate::Release(release(&["1.2.0"])));
}

/// A first stage that pins 1.0.0 and follows images by a minimum age of an hour; each was seen ten minutes after the other.
fn young(versions: &[&str], minutes_later: i64) -> Snapshot {
    let mut world = snapshot(&IMAGES[..1], "semver: '>=1 !=1.9.0'");
    world.pipeline.images[0].minimum_age = Duration::from_hours(1);
    for (number, tag) in versions.iter().enumerate() {
        at(&mut world, 10 * i64::try_from(number).unwrap());
        record(&mut world, Event::Seen { release: release(&[tag]) });
        picks(&mut world, &[tag]);
    }
    let last = world.now.as_second() / 60;
    at(&mut world, last + minutes_later);
    world
}

/// What a stage that pins 1.0.0 should have; the earlier picks of which the registry is asked are all there but `gone`.
fn check_young(world: &mut Snapshot, gone: &[&str], want: &str) {
    let dev = world.pipeline.stages[0].clone();
    let text = "image: r.example/shop/web:1.0.0@".to_owned() + &Digest::of(b"1.0.0").to_string();
    let file = format!("kind: Pod\napiVersion: v1\nspec:\n  containers:\n    - {text}\n");
    world.files.insert("a".to_owned(), Ok(Some(file.into_bytes())));
    let there = earlier(world).into_iter().filter(|found| !gone.contains(&found.version().as_str()));
    world.standing = there.map(|found| found.id()).collect();
    let found = match candidate(world, &dev, Some(&release(&["1.0.0"]))) {
        Candidate::Release(found) => found.version(),
        Candidate::UpToDate => "-".to_owned(),
        Candidate::Held(hold) => format!("! {}", hold.text),
    };
    assert!(
        found == want || want.starts_with('!') && found.starts_with(want),
        "wanted {want}, found {found}"
    );
}

#[test]
fn while_the_newest_is_too_young_an_earlier_one_goes_in() {
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
    check_young(
        &mut young(&versions, 0),
        &[],
        "! 1.1.0 of r.example/shop/web counts from 1970-01-01 01:10:00",
    );
    check_young(&mut young(&versions, 0), &["1.1.0"], "! 1.3.0 of r.example/shop/web counts from");
    check_young(&mut young(&versions, 39), &[], "! 1.1.0 of");
    check_young(&mut young(&versions, 40), &[], "1.1.0");
    check_young(&mut young(&versions, 49), &[], "1.1.0");
    check_young(&mut young(&versions, 50), &[], "1.2.0");
    check_young(&mut young(&versions, 50), &["1.2.0"], "1.1.0");
    check_young(&mut young(&versions, 50), &["1.2.0", "1.1.0"], "! 1.3.0 of");
    check_young(&mut young(&versions, 60), &["1.2.0", "1.1.0"], "1.3.0");
    // By the rules of today, and not what is vetoed or refused, nor what is older than the pin.
    check_young(&mut young(&["1.0.0", "1.9.0", "1.10.0"], 55), &[], "! 1.10.0 of");
    check_young(&mut young(&["1.0.0", "0.9.0", "1.10.0"], 55), &[], "! 1.10.0 of");
    let mut world = young(&versions, 50);
    let (stage, by) = (world.pipeline.stages[0].name.clone(), Actor::lockkeeper());
    let digests = release(&["1.2.0"]).digests();
    record(&mut world, Event::Vetoed { stage, digests, version: "1.2.0".to_owned(), by, reason: None });
    check_young(&mut world, &[], "1.1.0");
}

#[test]
fn while_a_release_is_incomplete_the_last_that_was_complete_goes_in() {
    let mut world = snapshot(&IMAGES, "semver: '*'");
    (world.pipeline.together, world.pipeline.settle) = (Together::SameTag, Duration::from_mins(5));
    let dev = world.pipeline.stages[0].clone();
    let pinned = release(&["1.0.0", "1.0.0"]);
    record(&mut world, Event::Seen { release: release(&["1.1.0", "1.1.0"]) });
    at(&mut world, 2);
    record(&mut world, Event::Seen { release: release(&["1.2.0", "1.2.0"]) });
    picks(&mut world, &["1.3.0", "1.2.0"]);
    world.standing = world.state.seen.iter().map(|(seen, _)| seen.id()).collect();
    for (minutes, want) in [(6, None), (7, Some("1.2.0"))] {
        at(&mut world, minutes);
        match (candidate(&world, &dev, Some(&pinned)), want) {
            (Candidate::Release(found), Some(want)) => assert_eq!(found.version(), want),
            (Candidate::Held(hold), None) => assert!(hold.text.contains("until all images have one tag")),
            (found, want) => panic!("{found:?}, wanted {want:?}"),
        }
    }
    world.standing.clear();
    assert!(matches!(candidate(&world, &dev, Some(&pinned)), Candidate::Held(_)));
}
