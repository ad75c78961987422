//! Whether lint finds errors in the files of a stage.

use super::{IMAGES, record, release, snapshot};
use crate::pipeline::Policy;
use crate::plan::gates::MergeGates;
use crate::plan::policy::gate;
use crate::plan::snapshot::Linted;
use crate::plan::{Gate, Snapshot};
use crate::promotion::{Event, Lane};

/// What the gate says of 2.0.0: `+` and a text where it is open.
fn check(world: &Snapshot, want: &str) {
    let mut gates = MergeGates::default();
    let stage = &world.pipeline.stages[0];
    gate(world, stage, world.state.proposal(&stage.name).unwrap(), &mut gates);
    let found = gates.lines.into_iter().map(|line| {
        assert_eq!(line.gate, Gate::Policy);
        format!("{}{}", if line.hold.is_some() { "" } else { "+ " }, line.text)
    });
    assert_eq!(found.collect::<Vec<_>>().join("\n"), want);
}

#[test]
fn what_lint_says_of_this_release_counts_and_nothing_else() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    let stage = world.pipeline.stages[0].name.clone();
    let event = Event::Proposing {
        stage: stage.clone(),
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
    check(&world, "");
    world.pipeline.stages[0].gates.policy = Some(Policy::Lint);
    let unknown = "whether lint finds errors in the files is not known:";
    check(&world, &format!("{unknown} they were not read yet"));
    world.linted.insert(stage.clone(), Err("web.yaml is not there".to_owned()));
    check(&world, &format!("{unknown} web.yaml is not there"));
    let first = "web.yaml:3 (latest-tag): `a` has no tag";
    for (version, files, errors, want) in [
        ("1.0.0", 1, 0, format!("{unknown} they were not read yet")),
        ("2.0.0", 1, 0, "+ lint finds no error in the file of this stage".to_owned()),
        ("2.0.0", 3, 0, "+ lint finds no error in the 3 files of this stage".to_owned()),
        ("2.0.0", 3, 1, format!("lint finds an error: {first}")),
        ("2.0.0", 3, 3, format!("lint finds an error: {first} (and 2 more)")),
    ] {
        let first = (errors > 0).then(|| first.to_owned());
        let linted = Linted { release: release(&[version]).id(), files, errors, first };
        world.linted.insert(stage.clone(), Ok(linted));
        check(&world, &want);
    }
}
