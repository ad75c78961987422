//! What a deployer reports around a merge, and what of it counts.

use super::*;
use crate::observation::{Health, Sighting};
use crate::pipeline::LiveSource;
use crate::plan::effect::{Effect, Plan};
use crate::plan::live::{self, Running};
use crate::promotion::Sight;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A report of these releases at this second.
fn report(second: i64, tags: &[&str]) -> Sighting {
    Sighting {
        at: at(second),
        source: "observer argo".to_owned(),
        digests: tags.iter().flat_map(|tag| release(&[*tag]).digests()).collect(),
        ready: 2,
        wanted: 2,
        health: Health::Healthy,
        url: None,
    }
}

/// What is recorded of a stage that got 1.0.0 at second 0 and 1.1.0 at 1,000, and where this was kept before and this is new.
fn check(kept: Option<Sighting>, new: Vec<Sighting>, want: &[(i64, bool)]) {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages[0].live.source = LiveSource::Observed;
    came(&mut world, 0, release(&["1.0.0"]));
    world.now = at(1_000);
    came(&mut world, 0, release(&["1.1.0"]));
    world.now = at(1_100);
    let stage = world.pipeline.stages[0].name.clone();
    world.running.insert(stage, Running { last: kept, new, silent: None, heard_until: world.now });
    let mut plan = Plan::default();
    live::record(&world, &mut plan);
    let found: Vec<(i64, bool)> = plan
        .effects
        .iter()
        .flat_map(|effect| if let Effect::Record(entries) = effect { entries.as_slice() } else { &[] })
        .map(|entry| {
            let Event::Observed { seen, .. } = &entry.event else { panic!("{entry:?}") };
            (entry.at.as_second(), seen.sight == Sight::Running)
        })
        .collect();
    assert_eq!(found, want);
}

#[test]
fn a_deployer_that_is_quicker_than_the_record_is_heard() {
    check(None, vec![report(1_010, &["1.1.0"])], &[(1_010, true)]);
    check(None, vec![report(1_000, &["1.1.0"])], &[(1_000, true)]);
    check(None, vec![report(999, &["1.1.0"])], &[(1_000, true)]);
    check(Some(report(999, &["1.1.0"])), Vec::new(), &[(1_000, true)]);
    check(None, vec![report(940, &["1.1.0"])], &[(1_000, true)]);
    check(None, vec![report(939, &["1.1.0"])], &[]);
}

#[test]
fn what_it_said_of_another_release_before_is_nothing_about_this_one() {
    check(None, vec![report(999, &["1.0.0"])], &[]);
    check(None, vec![report(999, &["1.0.0", "1.1.0"])], &[]);
    check(Some(report(999, &["1.0.0"])), vec![report(1_001, &["1.0.0"])], &[(1_001, false)]);
    let both = vec![report(998, &["1.1.0"]), report(1_002, &["1.0.0"])];
    check(None, both, &[(1_000, true), (1_002, false)]);
}

#[test]
fn a_clock_that_is_set_back_hides_nothing_and_repeats_nothing() {
    let mut world = snapshot(&IMAGES[..1], "semver: '*'");
    world.pipeline.stages[0].live.source = LiveSource::Observed;
    world.now = at(1_000);
    came(&mut world, 0, release(&["1.0.0"]));
    let stage = world.pipeline.stages[0].name.clone();
    world.now = at(500);
    let bad = Sighting { health: Health::Degraded("crash loop".to_owned()), ..report(490, &["1.0.0"]) };
    let new = vec![report(480, &["1.0.0"]), bad];
    world.running.insert(stage, Running { last: None, new, silent: None, heard_until: world.now });
    let mut recorded = Vec::new();
    for _ in 0..3 {
        let mut plan = Plan::default();
        live::record(&world, &mut plan);
        for effect in plan.effects {
            let Effect::Record(entries) = effect else { panic!("{effect:?}") };
            for entry in entries {
                world.state.apply(&entry).unwrap();
                recorded.push(entry);
            }
        }
    }
    let [entry] = recorded.as_slice() else { panic!("{recorded:?}") };
    let Event::Observed { seen, .. } = &entry.event else { panic!("{entry:?}") };
    assert!(seen.health.is_degraded() && entry.at == at(1_000), "{entry:?}");
}
