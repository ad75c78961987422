//! What has to be there for a way back, what is asked for it, and what is made of the answers.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{IMAGES, at, came, record, release, snapshot};
use crate::image::{Digest, Repository, Tag};
use crate::plan::effect::{Effect, Plan};
use crate::plan::readiness::{Readiness, needed, readiness, record as record_changes, target};
use crate::plan::snapshot::{Answer, Probed, Question};
use crate::plan::{Gate, Snapshot, questions};
use crate::promotion::{Actor, Event};

/// A stage that had 1.0.0, 1.1.0 and 1.2.0, and has the last.
fn world() -> Snapshot {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages.truncate(1);
    for (minute, version) in (1..).zip(["1.0.0", "1.1.0", "1.2.0"]) {
        at(&mut world, minute);
        came(&mut world, 0, release(&[version]));
    }
    world
}

fn image() -> Repository {
    IMAGES[0].parse().unwrap()
}

fn digest(version: &str) -> Digest {
    Digest::of(version.as_bytes())
}

fn lose(world: &mut Snapshot, version: &str) {
    let (stage, repository) = (world.pipeline.stages[0].name.clone(), image());
    let event =
        Event::Missing { stage, repository, digest: digest(version), what: "its manifest".to_owned() };
    record(world, event);
}

fn names(world: &Snapshot) -> Vec<String> {
    let needed = needed(world, &world.pipeline.stages[0]);
    needed.into_iter().map(|(stint, role)| format!("{role} {}", stint.release.version())).collect()
}

fn answer(world: &mut Snapshot, version: &str, answer: Option<Answer>, silent: Option<&str>) {
    let (answer, silent) =
        (answer.map(|answer| (world.now, answer)), silent.map(|why| (world.now, why.to_owned())));
    world.probes.insert(Question::Image(image(), digest(version)), Probed { answer, silent });
}

#[test]
fn what_is_missing_is_passed_over_and_still_asked_for() {
    let mut world = world();
    let asked = |world: &Snapshot| -> BTreeSet<Question> { questions(world) };
    let of = |versions: &[&str]| -> BTreeSet<Question> {
        versions.iter().map(|version| Question::Image(image(), digest(version))).collect()
    };
    assert_eq!(names(&world), ["live image 1.2.0", "rollback target 1.1.0"]);
    assert_eq!(asked(&world), of(&["1.2.0", "1.1.0"]));
    lose(&mut world, "1.1.0");
    assert_eq!(names(&world), ["live image 1.2.0", "rollback target 1.1.0", "next rollback target 1.0.0"]);
    assert_eq!(asked(&world), of(&["1.2.0", "1.1.0", "1.0.0"]));
    // Where nothing behind it is there, it stays the target: pushed again, it would be.
    lose(&mut world, "1.0.0");
    let back = target(&world, &world.pipeline.stages[0]).map(|stint| stint.release.version());
    assert_eq!((names(&world).len(), back.as_deref()), (2, Some("1.1.0")));
    let (stage, by) = (world.pipeline.stages[0].name.clone(), Actor::lockkeeper());
    for version in ["1.0.0", "1.1.0"] {
        let (digests, stage, by) = (release(&[version]).digests(), stage.clone(), by.clone());
        record(&mut world, Event::Vetoed { stage, digests, version: version.to_owned(), by, reason: None });
    }
    assert_eq!(names(&world), ["live image 1.2.0"], "there is no way back");
}

#[test]
fn an_answer_is_recorded_where_it_says_something_new() {
    let (present, missing) = (Answer::Present(2), Answer::Missing("its manifest".to_owned()));
    // What is known, what the registry said, whether it is silent by now, what is recorded.
    let cases = [
        (false, Some(present.clone()), None, ""),
        (false, Some(missing.clone()), None, "missing"),
        (false, Some(missing.clone()), Some("no answer"), ""),
        (false, None, Some("no answer"), ""),
        (true, Some(missing.clone()), None, ""),
        (true, Some(present.clone()), None, "found"),
        (true, Some(present), Some("no answer"), ""),
        (true, Some(Answer::Names(None)), None, ""),
    ];
    for (is_known, said, silent, want) in cases {
        let mut world = world();
        if is_known {
            lose(&mut world, "1.1.0");
        }
        answer(&mut world, "1.1.0", said.clone(), silent);
        let mut plan = Plan::default();
        record_changes(&world, &mut plan);
        let mut found = Vec::new();
        for effect in plan.effects {
            let Effect::Record(entries) = effect else { panic!("{effect:?}") };
            found.extend(entries.iter().map(|entry| entry.event.name()));
        }
        assert_eq!(found.join(" "), want, "{is_known} {said:?} {silent:?}");
    }
}

#[test]
fn what_is_missing_is_said_with_who_can_help_and_whether_it_is_still_known() {
    let mut world = world();
    lose(&mut world, "1.1.0");
    let said = |world: &Snapshot| {
        let mut plan = Plan::default();
        crate::plan::readiness::holds(world, &mut plan);
        assert!(plan.holds.iter().all(|hold| hold.gate == Gate::Missing && hold.who.is_some()));
        plan.holds.into_iter().map(|hold| hold.text).collect::<Vec<_>>()
    };
    let want =
        "rollback target 1.1.0 is not in the registry: its manifest is missing since 1970-01-01 00:03:00 UTC";
    assert_eq!(said(&world), [want]);
    answer(&mut world, "1.1.0", None, Some("no answer"));
    let unknown = "; the registry does not answer since 1970-01-01 00:03:00 UTC, so this is unknown now";
    assert_eq!(said(&world), [format!("{want}{unknown}")]);
}

#[test]
fn a_release_is_ready_when_all_its_images_are() {
    let mut world = snapshot(&IMAGES, "semver: '*'");
    let both = release(&["1.0.0", "1.0.0=other"]);
    let ask = |world: &mut Snapshot, index: usize, answer: Option<Answer>, silent_since: Option<i64>| {
        let (repository, pinned) = both.images().nth(index).unwrap();
        let silent = silent_since.map(|second| (Timestamp::from_second(second).unwrap(), String::new()));
        let probed = Probed { answer: answer.map(|answer| (world.now, answer)), silent };
        world.probes.insert(Question::Image(repository.clone(), pinned.digest), probed);
    };
    assert_eq!(readiness(&world, &both), Readiness::Unprobed);
    ask(&mut world, 0, Some(Answer::Present(2)), None);
    assert_eq!(readiness(&world, &both), Readiness::Unprobed, "of one nothing is known");
    ask(&mut world, 1, Some(Answer::Missing("its manifest".to_owned())), None);
    assert_eq!(readiness(&world, &both), Readiness::Missing);
    ask(&mut world, 1, Some(Answer::Present(1)), None);
    assert_eq!(readiness(&world, &both), Readiness::Ready { platforms: 3, is_protected: false });
    let stage = world.pipeline.stages[0].name.clone();
    for (count, (repository, pinned)) in (1..).zip(both.images()) {
        let (repository, tag, digest) = (repository.clone(), Tag::anchor(pinned.digest), pinned.digest);
        record(&mut world, Event::Tagged { stage: stage.clone(), repository, tag, digest, was: None });
        let is_protected = count == 2;
        assert_eq!(readiness(&world, &both), Readiness::Ready { platforms: 3, is_protected });
    }
    ask(&mut world, 0, Some(Answer::Present(2)), Some(60));
    ask(&mut world, 1, Some(Answer::Missing("its manifest".to_owned())), Some(30));
    let since = Timestamp::from_second(30).unwrap();
    assert_eq!(
        readiness(&world, &both),
        Readiness::Unknown(since),
        "silence comes first, and the longest counts"
    );
}
