//! Which tags are set, in which order, and what is said of those that are not.

use jiff::Timestamp;

use super::{IMAGES, at, came, record, release, snapshot};
use crate::image::{Digest, Repository, Tag};
use crate::plan::effect::{Effect, Plan, SetTag};
use crate::plan::snapshot::{Answer, FileState, Probed, Question};
use crate::plan::{Snapshot, tags};
use crate::promotion::Event;

fn image() -> Repository {
    IMAGES[0].parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn digest(version: &str) -> Digest {
    Digest::of(version.as_bytes())
}

/// One image in dev, with both channels there, and somebody who sets tags.
fn world() -> Snapshot {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages.truncate(1);
    world.pipeline.stages[0].channel = Some(tag("dev"));
    world.pipeline.stages[0].rollback_channel = Some(tag("dev-back"));
    world.tagging.insert(image(), Ok(true));
    world
}

fn effects(world: &Snapshot) -> Vec<Effect> {
    let mut plan = Plan::default();
    tags::effects(world, &mut plan);
    plan.effects
}

/// What would be done, a word each: `dev-back=1.0.0`, `anchor=1.0.0`, `-anchor=1.0.0`; `!` behind what may move.
fn told(world: &Snapshot) -> Vec<String> {
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
    let version = |found: Digest| versions.into_iter().find(|version| digest(version) == found).unwrap();
    let word = |effect: Effect| {
        if let Effect::Tag(set) = effect {
            let name = if set.tag.is_anchor() { "anchor" } else { set.tag.as_str() };
            return format!("{name}={}{}", version(set.digest), if set.moves { "!" } else { "" });
        }
        let Effect::Untag { digest, .. } = effect else { panic!("{effect:?}") };
        format!("-anchor={}", version(digest))
    };
    effects(world).into_iter().map(word).collect()
}

/// Carries out what is due, as the registry would let it be done.
fn carry_out(world: &mut Snapshot) {
    for effect in effects(world) {
        if let Effect::Tag(set) = effect {
            let SetTag { stage, repository, tag, digest, .. } = *set;
            record(world, Event::Tagged { stage, repository, tag, digest, was: None });
        } else if let Effect::Untag { repository, digest } = effect {
            record(world, Event::Untagged { repository, tag: Tag::anchor(digest), kept: None });
        }
    }
}

fn holds(world: &Snapshot) -> Vec<String> {
    let mut plan = Plan::default();
    tags::holds(world, &mut plan);
    plan.holds.into_iter().map(|hold| format!("{}: {}", hold.gate.name(), hold.text)).collect()
}

#[test]
fn the_way_back_is_named_first_and_nothing_is_written_twice() {
    let mut world = world();
    assert!(told(&world).is_empty());
    at(&mut world, 1);
    came(&mut world, 0, release(&["1.0.0"]));
    assert_eq!(told(&world), ["anchor=1.0.0", "dev=1.0.0"]);
    carry_out(&mut world);
    assert!(told(&world).is_empty());
    at(&mut world, 2);
    came(&mut world, 0, release(&["1.1.0"]));
    assert_eq!(told(&world), ["dev-back=1.0.0", "anchor=1.1.0", "dev=1.1.0!"]);
    carry_out(&mut world);
    at(&mut world, 3);
    came(&mut world, 0, release(&["1.2.0"]));
    let want = ["dev-back=1.1.0!", "anchor=1.2.0", "dev=1.2.0!", "-anchor=1.0.0"];
    assert_eq!(told(&world), want);
    carry_out(&mut world);
    assert!(told(&world).is_empty());
}

#[test]
fn what_somebody_else_pinned_is_protected_and_not_released() {
    let mut world = world();
    came(&mut world, 0, release(&["1.0.0"]));
    carry_out(&mut world);
    let stage = world.pipeline.stages[0].name.clone();
    let found = Some(release(&["1.1.0"]));
    record(&mut world, Event::OutOfBand { stage, found, replaced: None, commit: "0".repeat(40) });
    assert_eq!(told(&world), ["anchor=1.1.0"]);
}

#[test]
fn an_image_that_is_gone_gets_no_anchor() {
    let mut world = world();
    came(&mut world, 0, release(&["1.0.0"]));
    let (stage, repository) = (world.pipeline.stages[0].name.clone(), image());
    let what = "the manifest".to_owned();
    record(&mut world, Event::Missing { stage, repository, digest: digest("1.0.0"), what });
    assert_eq!(told(&world), ["dev=1.0.0"]);
}

#[test]
fn a_pipeline_that_is_removed_gives_its_anchors_back() {
    let mut world = world();
    came(&mut world, 0, release(&["1.0.0"]));
    carry_out(&mut world);
    world.file = FileState::Removed;
    assert_eq!(told(&world), ["-anchor=1.0.0"]);
}

#[test]
fn nothing_is_set_where_nobody_may_and_what_fails_rests() {
    let mut world = world();
    came(&mut world, 0, release(&["1.0.0"]));
    assert_eq!(tags::concerned(&world).into_iter().collect::<Vec<_>>(), [image()]);
    let cases = [
        (Some(Ok(true)), 2, ""),
        (Some(Ok(false)), 0, "tags: channel r.example/shop/web:dev is not set: `retag_docker_config`"),
        (Some(Err("no answer".to_owned())), 0, "tags: tag r.example/shop/web:lockkeeper-"),
        (None, 0, ""),
    ];
    for (tagging, count, hold) in cases {
        world.tagging.clear();
        world.tagging.extend(tagging.clone().map(|tagging| (image(), tagging)));
        assert_eq!(effects(&world).len(), count, "{tagging:?}");
        let found = holds(&world);
        assert!(found.first().map_or("", String::as_str).starts_with(hold), "{found:?}");
        assert_eq!(found.is_empty(), hold.is_empty(), "{found:?}");
    }
    world.tagging.insert(image(), Ok(true));
    let again_at = Timestamp::from_second(60).unwrap();
    world.untaggable.insert((image(), tag("dev")), ("it is immutable".to_owned(), again_at));
    for (second, want) in [(59, ["anchor=1.0.0"].as_slice()), (60, &["anchor=1.0.0", "dev=1.0.0"])] {
        world.now = Timestamp::from_second(second).unwrap();
        assert_eq!(told(&world), want);
        assert_eq!(holds(&world).len(), 2 - want.len(), "said as long as it rests");
    }
}

#[test]
fn a_channel_that_somebody_moved_is_said_once_and_left() {
    let mut world = world();
    at(&mut world, 5);
    came(&mut world, 0, release(&["1.0.0"]));
    carry_out(&mut world);
    let events = |world: &Snapshot| {
        let mut plan = Plan::default();
        tags::record(world, &mut plan);
        let mut found = Vec::new();
        for effect in plan.effects {
            let Effect::Record(entries) = effect else { panic!("{effect:?}") };
            found.extend(entries.into_iter().map(|entry| entry.event));
        }
        found
    };
    let question = Question::Channel(image(), tag("dev"));
    // Minute of the answer, what it names, whether that is news; each after the one before.
    let cases = [
        (4, Some("1.1.0"), false),
        (5, Some("1.1.0"), false),
        (6, Some("1.0.0"), false),
        (6, Some("1.1.0"), true),
        (7, Some("1.1.0"), false),
        (8, None, true),
        (9, None, false),
        (10, Some("1.0.0"), true),
        (11, Some("1.0.0"), false),
    ];
    for (minute, names, is_news) in cases {
        let asked_at = Timestamp::from_second(minute * 60).unwrap();
        let answer = Answer::Names(names.map(digest));
        world.probes.insert(question.clone(), Probed { answer: Some((asked_at, answer)), silent: None });
        let found = events(&world);
        assert_eq!(!found.is_empty(), is_news, "minute {minute}: {found:?}");
        for event in found {
            record(&mut world, event);
        }
        let is_said = holds(&world).iter().any(|hold| hold.starts_with("channel: channel "));
        let is_wrong = minute > 5 && names != Some("1.0.0");
        assert_eq!(is_said, is_wrong, "minute {minute}");
        assert!(told(&world).is_empty(), "it is left until the stage moves");
    }
}
