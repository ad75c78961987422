//! Whether there is a way back from what is about to be merged.

use jiff::Timestamp;

use super::{IMAGES, at, came, record, release, snapshot};
use crate::image::{Digest, Repository, Tag};
use crate::plan::gates::MergeGates;
use crate::plan::rollback_ready::gate;
use crate::plan::snapshot::{Answer, Probed, Question};
use crate::plan::{Gate, Snapshot, unanswered};
use crate::promotion::{Actor, Event, Lane};

/// A stage that had these releases, with 2.0.0 proposed.
fn world(had: &[&str]) -> Snapshot {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages.truncate(1);
    world.pipeline.stages[0].gates.rollback_ready = true;
    for (minute, version) in (1..).zip(had) {
        at(&mut world, minute);
        came(&mut world, 0, release(&[version]));
    }
    at(&mut world, 60);
    let event = Event::Proposing {
        stage: world.pipeline.stages[0].name.clone(),
        lane: Lane::Normal,
        release: release(&["2.0.0"]),
        was: None,
        attempt: 1,
        base: "0".repeat(40),
        branch: String::new(),
        requested_by: None,
        reason: None,
    };
    record(&mut world, event);
    world
}

fn image() -> Repository {
    IMAGES[0].parse().unwrap()
}

fn question(version: &str) -> Question {
    Question::Image(image(), Digest::of(version.as_bytes()))
}

/// What the probes said of a version, so many minutes ago, and whether they are silent since then.
fn answer(world: &mut Snapshot, version: &str, answer: Answer, minutes: i64, is_silent: bool) {
    let then = Timestamp::from_second(world.now.as_second() - minutes * 60).unwrap();
    let silent = is_silent.then(|| (then, "no answer".to_owned()));
    world.probes.insert(question(version), Probed { answer: Some((then, answer)), silent });
}

/// What the gate says: `+` and a text where it is open.
fn check(world: &Snapshot, want: &str) {
    let mut gates = MergeGates::default();
    let stage = &world.pipeline.stages[0];
    gate(world, stage, world.state.proposal(&stage.name).unwrap(), &mut gates);
    let found = gates.lines.into_iter().map(|line| {
        assert_eq!(line.gate, Gate::RollbackReady);
        format!("{}{}", if line.hold.is_some() { "" } else { "+ " }, line.text)
    });
    let found = found.collect::<Vec<_>>().join("\n");
    assert!(found.starts_with(want) && want.is_empty() == found.is_empty(), "wanted {want}, found {found}");
}

fn protect(world: &mut Snapshot, version: &str) {
    let digest = Digest::of(version.as_bytes());
    let (stage, repository) = (world.pipeline.stages[0].name.clone(), image());
    let event = Event::Tagged { stage, repository, tag: Tag::anchor(digest), digest, was: None };
    record(world, event);
}

#[test]
fn what_is_live_has_to_be_there_for_sure() {
    let (present, missing) = (Answer::Present(2), Answer::Missing("its manifest".to_owned()));
    let unknown = "a rollback would go to 1.1.0, and whether r.example/shop/web has it is not known:";
    let mut world = world(&["1.0.0", "1.1.0"]);
    world.tagging.insert(image(), Ok(false));
    check(&world, &format!("{unknown} it was not looked for yet"));
    world.probes.insert(question("1.1.0"), Probed::default());
    check(&world, &format!("{unknown} it was not looked for yet"));
    for (said, minutes, is_silent, want) in [
        (
            &present,
            30,
            false,
            "+ a rollback would go to 1.1.0: available, 2 of 2 platforms, probed, not protected".to_owned(),
        ),
        (&present, 31, false, format!("{unknown} it was looked for last at 1970-01-01 00:29:00 UTC")),
        (&present, 1, true, format!("{unknown} the registry gives no answer since 1970-01-01 00:59:00 UTC")),
        (
            &missing,
            1,
            false,
            "a rollback would go to 1.1.0, and its manifest is not in the registry: push it again".to_owned(),
        ),
        (&missing, 1, true, format!("{unknown} the registry gives no answer")),
        (&Answer::Names(None), 1, false, format!("{unknown} it was not looked for yet")),
    ] {
        answer(&mut world, "1.1.0", said.clone(), minutes, is_silent);
        check(&world, &want);
    }
    // Without the gate nothing is asked.
    world.pipeline.stages[0].gates.rollback_ready = false;
    check(&world, "");
}

#[test]
fn where_somebody_may_set_tags_it_has_its_anchor() {
    let mut world = world(&["1.0.0"]);
    answer(&mut world, "1.0.0", Answer::Present(2), 1, false);
    let tag = Tag::anchor(Digest::of(b"1.0.0"));
    let text = format!("a rollback would go to 1.0.0, and its anchor tag r.example/shop/web:{tag} is not");
    check(&world, &format!("{text} known to be set"));
    world.tagging.insert(image(), Err("credentials are away".to_owned()));
    check(&world, &format!("{text} set: credentials are away"));
    world.tagging.insert(image(), Ok(true));
    check(&world, &format!("{text} set yet"));
    for (seconds, want) in [(0, "set yet"), (1, "set: the registry refuses it")] {
        let again_at = Timestamp::from_second(world.now.as_second() + seconds).unwrap();
        world.untaggable.insert((image(), tag.clone()), ("the registry refuses it".to_owned(), again_at));
        check(&world, &format!("{text} {want}"));
    }
    protect(&mut world, "1.0.0");
    check(&world, "+ a rollback would go to 1.0.0: available, 2 of 2 platforms, protected");
}

#[test]
fn the_first_release_needs_no_way_back() {
    check(&world(&[]), "+ nothing was here before");
    // Nor does one that is there already, and nothing else ever was.
    check(&world(&["2.0.0"]), "+ nothing was here before");
}

#[test]
fn what_may_not_come_back_is_no_way_back() {
    let mut world = world(&["1.0.0", "1.1.0"]);
    world.tagging.insert(image(), Ok(false));
    answer(&mut world, "1.0.0", Answer::Present(2), 1, false);
    answer(&mut world, "1.1.0", Answer::Present(2), 1, false);
    check(&world, "+ a rollback would go to 1.1.0");
    for (version, want) in [
        ("1.1.0", "+ a rollback would go to 1.0.0"),
        ("1.0.0", "there would be no way back: no earlier release of this stage can be restored"),
    ] {
        let (stage, by) = (world.pipeline.stages[0].name.clone(), Actor::lockkeeper());
        let (digests, version) = (release(&[version]).digests(), version.to_owned());
        record(&mut world, Event::Vetoed { stage, digests, version, by, reason: None });
        check(&world, want);
    }
}

#[test]
fn what_the_gate_waits_for_is_asked_at_once_unless_the_registry_is_silent() {
    let mut world = world(&["1.0.0", "1.1.0"]);
    let asked = |world: &Snapshot| unanswered(world).contains(&question("1.1.0"));
    assert!(asked(&world) && unanswered(&world).len() == 1);
    for (minutes, is_silent, want) in [(30, false, false), (31, false, true), (31, true, false)] {
        answer(&mut world, "1.1.0", Answer::Present(2), minutes, is_silent);
        assert_eq!(asked(&world), want, "{minutes} {is_silent}");
    }
    world.probes.clear();
    world.pipeline.stages[0].gates.rollback_ready = false;
    assert!(!asked(&world));
}
