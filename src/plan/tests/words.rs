//! What people say, and what was said after it by the time it is heard.

use std::collections::BTreeSet;

use super::{record, snapshot};
use crate::plan::commands::obey;
use crate::plan::effect::{Effect, Plan};
use crate::plan::snapshot::{Asked, Snapshot, Thread};
use crate::promotion::{Actor, Event};
use crate::pull_request::{Permission, Person, Standing};

const ISSUE: u64 = 1;

fn ana() -> Person {
    Person { id: 7, name: "ana".to_owned(), bot: false }
}

/// A world in which ana, an administrator, froze prod by comment 9, until some minute or until it is lifted.
fn frozen() -> Snapshot {
    let mut world = snapshot(&super::IMAGES[..1], "semver: '*'");
    let standing = Standing { person: ana(), permission: Permission::Admin, teams: BTreeSet::new() };
    world.standings.insert(ana().id, standing);
    record(&mut world, Event::IssueOpened { number: ISSUE });
    let by = Actor { id: ana().id, name: ana().name, via: "comment 9".to_owned() };
    let stage = world.pipeline.stages[1].name.clone();
    record(&mut world, Event::Frozen { stage, by, reason: None, until: None });
    world
}

fn heard(world: &mut Snapshot, comment: u64, text: &str) -> Vec<Event> {
    world.asked = vec![Asked {
        key: format!("comment:{comment}"),
        body: text.to_owned(),
        person: ana(),
        at: world.now,
        thread: Thread::Forge { number: ISSUE, comment },
        stage: None,
        edited: false,
    }];
    let mut plan = Plan::default();
    obey(world, &mut plan);
    let records = plan
        .effects
        .into_iter()
        .filter_map(|effect| if let Effect::Record(entries) = effect { Some(entries) } else { None });
    records.flatten().map(|entry| entry.event).collect()
}

#[test]
fn a_word_about_a_freeze_that_is_heard_late_undoes_none_that_came_after_it() {
    for (comment, text, want) in [
        (8, "/freeze prod until 5m", &["answered"][..]),
        (10, "/freeze prod until 5m", &["frozen", "answered"]),
        (8, "/unfreeze prod", &["answered"]),
        (10, "/unfreeze prod", &["unfrozen", "answered"]),
        // Of several, those that were said before stay as they are.
        (8, "/freeze all until 5m", &["frozen", "answered"]),
        (10, "/freeze all until 5m", &["frozen", "frozen", "answered"]),
    ] {
        let found: Vec<String> =
            heard(&mut frozen(), comment, text).iter().map(|event| event.name().to_owned()).collect();
        assert_eq!(found, want, "comment {comment}: {text}");
    }
}
