//! Who has the last word on a release: whoever closed its pull request, or whoever asked for it.

use super::*;
use crate::promotion::{Outcome, Why};
use crate::pull_request::{Permission, Standing};

/// The answer to a promotion that was asked for `asked` seconds after the beginning, of a release whose pull request was
/// closed ten seconds after it.
fn check(asked: i64, want: &str) {
    let mut world = snapshot(&IMAGES[..1], "tag: main");
    world.now = Timestamp::from_second(20).unwrap();
    let (stage, release) = (world.pipeline.stages[0].name.clone(), release(&["main"]));
    let pinned = format!("image: {}:main@{}\n", IMAGES[0], Digest::of(b"old"));
    world.files.insert("a".to_owned(), Ok(Some(pinned.into_bytes())));
    world.state.issue = Some(9);
    record(&mut world, Event::Seen { release: release.clone() });
    let proposing = Event::Proposing {
        stage: stage.clone(),
        lane: Lane::Normal,
        release,
        was: None,
        attempt: 1,
        base: String::new(),
        branch: String::new(),
        requested_by: None,
        reason: None,
    };
    let by = Actor { id: 3, name: "li".to_owned(), via: "pull request 1".to_owned() };
    let why = Why::Refused { by, closed_at: Timestamp::from_second(10).ok() };
    record(&mut world, proposing);
    record(&mut world, Event::Closed { stage, number: 1, why });
    let person = Person { id: 2, name: "ana".to_owned(), bot: false };
    let standing = Standing { person: person.clone(), permission: Permission::Admin, teams: BTreeSet::new() };
    world.standings.insert(2, standing);
    world.asked.push(Asked {
        key: "comment:7".to_owned(),
        body: "/promote dev to main".to_owned(),
        person,
        at: Timestamp::from_second(asked).unwrap(),
        thread: Thread::Forge { number: 9, comment: 7 },
        stage: None,
        edited: false,
    });
    let mut found = super::super::effect::Plan::default();
    super::super::commands::obey(&world, &mut found);
    let Some(super::super::Effect::Record(entries)) = found.effects.first() else { panic!("{found:?}") };
    let answer = entries.iter().find_map(|entry| {
        let Event::Answered { outcome, text, .. } = &entry.event else { return None };
        Some(if *outcome == Outcome::Done { "done".to_owned() } else { text.clone() })
    });
    assert!(answer.as_ref().unwrap().contains(want), "{asked}: {answer:?}");
}

#[test]
fn what_was_asked_before_a_refusal_does_not_take_it_back() {
    check(9, "was refused for `dev` at 1970-01-01 00:00:10 UTC, after this was written");
    check(10, "done");
    check(11, "done");
}
