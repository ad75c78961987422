//! What the forge shows of history: each release that a merge of ours brought into a stage, and what became of it.
//!
//! It is shown when nothing else is to be done, and what is shown is in the record: a merge is shown once, whenever the
//! forge takes it.

use super::effect::{Effect, Plan};
use super::snapshot::Snapshot;
use crate::pipeline::Stage;
use crate::promotion::{End, Origin, StageState, Stint};
use crate::pull_request::{Deployment, DeploymentStanding};

/// Letters of a description; GitHub takes 140.
const DESCRIPTION_CHARACTERS_MAX: usize = 140;

/// Shows what is due of each stage, in the order in which it happened.
pub(super) fn mirror(snapshot: &Snapshot, plan: &mut Plan) {
    if !snapshot.settings.has_deployments {
        return;
    }
    for stage in &snapshot.pipeline.stages {
        let due = snapshot.state.stage(&stage.name).map(due).unwrap_or_default();
        for deployment in due.into_iter().filter_map(|stint| deployment(snapshot, stage, stint)) {
            plan.push(Effect::Deploy { stage: stage.name.clone(), deployment });
        }
    }
}

/// The stints that are not shown as they stand, oldest first: the one shown last, where it has ended since, and those
/// after it.
fn due(state: &StageState) -> Vec<&Stint> {
    // What git history alone tells of has no pull request to lead to; it was shown before the store was lost.
    let is_ours = |stint: &&Stint| {
        matches!(stint.origin, Origin::Promoted(_)) && stint.commit.is_some() && stint.number.is_some()
    };
    let mut stints: Vec<&Stint> = state.stints.newest_first().filter(is_ours).collect();
    stints.reverse();
    let shown = state.mirrored.as_ref().and_then(|(commit, standing)| {
        let place = stints.iter().position(|stint| stint.commit.as_ref() == Some(commit))?;
        Some((place, *standing))
    });
    match shown {
        Some((place, shown)) => {
            let has_ended = stints.get(place).is_some_and(|stint| standing(stint) != shown);
            stints.split_off(if has_ended { place } else { place + 1 })
        }
        // None was ever shown, or it is too long ago: history begins with what is live.
        None => stints.pop().filter(|stint| stint.ended.is_none()).into_iter().collect(),
    }
}

fn deployment(snapshot: &Snapshot, stage: &Stage, stint: &Stint) -> Option<Deployment> {
    let text = format!("{} ({})", stint.release.version(), stint.release.short());
    Some(Deployment {
        commit: stint.commit.as_ref()?.parse().ok()?,
        environment: format!("{}/{}", snapshot.pipeline.name, stage.name),
        production: snapshot.pipeline.stages.iter().all(|other| !other.after.contains(&stage.name)),
        description: text.chars().take(DESCRIPTION_CHARACTERS_MAX).collect(),
        standing: standing(stint),
        url: snapshot.url(stint.number?),
    })
}

fn standing(stint: &Stint) -> DeploymentStanding {
    match stint.ended {
        None => DeploymentStanding::Live,
        Some((_, End::RolledBack)) => DeploymentStanding::RolledBack,
        Some((_, End::Replaced | End::OutOfBand)) => DeploymentStanding::Replaced,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::image::{Digest, Pinned, Release};
    use crate::pipeline::StageName;
    use crate::promotion::{Entry, Event, Lane, State};
    use DeploymentStanding::{Live, Replaced, RolledBack};

    fn stage() -> StageName {
        "prod".parse().unwrap()
    }

    fn release(version: &str) -> Release {
        let pinned = Pinned { tag: Some(version.parse().unwrap()), digest: Digest::of(version.as_bytes()) };
        [("shop/web".parse().unwrap(), pinned)].into_iter().collect()
    }

    fn merged(version: &str, lane: Lane, number: Option<u64>) -> Event {
        Event::Merged {
            stage: stage(),
            lane,
            release: release(version),
            was: None,
            number,
            commit: version.repeat(40),
            approvals: Vec::new(),
            signatures: Vec::new(),
            exceptions: Vec::new(),
            requested_by: None,
            reason: None,
        }
    }

    fn shown(version: &str, standing: DeploymentStanding) -> Event {
        Event::Mirrored { stage: stage(), commit: version.repeat(40), standing }
    }

    fn check(events: &[Event], want: &[(&str, DeploymentStanding)]) {
        let mut state = State::default();
        for event in events {
            state.apply(&Entry { at: Timestamp::UNIX_EPOCH, event: event.clone() }).unwrap();
        }
        let due = due(state.stage(&stage()).unwrap());
        let found: Vec<_> = due.into_iter().map(|stint| (stint.release.version(), standing(stint))).collect();
        let want: Vec<_> =
            want.iter().map(|(version, standing)| ((*version).to_owned(), *standing)).collect();
        assert_eq!(found, want, "{events:?}");
    }

    #[test]
    fn what_happened_while_the_forge_was_away_is_shown_in_order() {
        let adopted = Event::Adopted { stage: stage(), release: release("1") };
        let [two, three, four] = ["2", "3", "4"].map(|version| merged(version, Lane::Normal, Some(7)));
        let back = merged("2", Lane::Rollback, Some(9));
        let gone = Event::OutOfBand { stage: stage(), found: None, replaced: None, commit: "0".repeat(40) };
        let old = merged("2", Lane::Normal, None);
        let all = [adopted, two, three, four];
        let after = |events: &[Event]| [&all[..], events].concat();
        check(&all[..1], &[]);
        check(&all[..2], &[("2", Live)]);
        check(&[&all[..2], &[shown("2", Live)][..]].concat(), &[]);
        check(&all, &[("4", Live)]);
        check(&after(&[shown("2", Live)]), &[("2", Replaced), ("3", Replaced), ("4", Live)]);
        check(&after(&[shown("2", Replaced)]), &[("3", Replaced), ("4", Live)]);
        check(&after(&[shown("3", Live), shown("3", Replaced), shown("4", Live)]), &[]);
        check(&after(&[shown("4", Live), gone.clone()]), &[("4", Replaced)]);
        check(&after(&[gone]), &[]);
        check(&after(&[shown("9", Live)]), &[("4", Live)]);
        check(&after(&[shown("4", Live), back]), &[("4", RolledBack), ("2", Live)]);
        check(&[old], &[]);
    }
}
