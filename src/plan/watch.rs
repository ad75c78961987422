//! What is looked at after a promotion was merged: for how long, when it failed, and what follows.
//!
//! A watch passes where the release is seen running and healthy at its end, and fails with the first observation in it that
//! says degraded. Where what was there before was degraded as well, only an observation of the release alone counts: what is
//! replaced may be seen for a while. A rollout under way is neither; what nobody saw healthy at the end is *unproven*: it is told,
//! held where the stage says so, and never taken back, since the silence of an observer is no failure. It passes
//! as soon as it is seen healthy.
//!
//! What failed is vetoed here and downstream, by lockkeeper: so its proposals are withdrawn, no later stage gets it and no
//! rollback goes to it, until a person takes that back. A stage goes back by itself once for each release, and never where a
//! person acted since the merge: then it is told, and the person decides. Commands are obeyed before (the layer above).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::candidate::{later, minute};
use super::effect::{Gate, HoldReason, Plan};
use super::pins::Pins;
use super::snapshot::{FileState, Snapshot};
use super::{commands, live, messages, presence, step};
use crate::image::{Digest, Release};
use crate::observation::{Health, Sighting};
use crate::pipeline::{OnFailure, Stage, StageName, Watch};
use crate::promotion::{
    self, Act, Actor, Event, Followed, HoldKind, Lane, Origin, Seen, Sight, Stint, WatchBegan, WatchEnd,
    WatchEnded, Watched,
};

/// Begins and ends watches: one layer of the plan.
pub(super) fn record(snapshot: &Snapshot, plan: &mut Plan) {
    if snapshot.file == FileState::Removed {
        return;
    }
    for stage in &snapshot.pipeline.stages {
        cut_short(snapshot, stage, plan);
        let Some((rule, live)) = watched(snapshot, stage) else { continue };
        match &live.watch {
            None => begin(snapshot, stage, rule, live, plan),
            // Who goes back already waits for no verdict.
            Some(watch) if watch.is_open() && !step::is_rolling_back(snapshot, stage) => {
                if let Some((end, why)) = verdict(snapshot, stage, rule, live) {
                    finish(snapshot, stage, rule, live, end, why, plan);
                }
            }
            Some(_) => {}
        }
    }
}

/// What a promotion brought that is live in a stage with a watch.
fn watched<'a>(snapshot: &'a Snapshot, stage: &'a Stage) -> Option<(&'a Watch, &'a Stint)> {
    let live = snapshot.state.live(&stage.name)?;
    let is_promoted = matches!(live.origin, Origin::Promoted(Lane::Normal | Lane::Hotfix));
    Some((stage.watch.as_ref()?, live)).filter(|_| is_promoted)
}

/// When the watch of the live release ends by the rules.
fn ends_at(rule: &Watch, live: &Stint) -> Timestamp {
    later(live.from, rule.length)
}

/// A rule that came while its time was running watches the rest of it. One that came later watches nothing, nor is what git
/// history alone tells of watched.
fn begin(snapshot: &Snapshot, stage: &Stage, rule: &Watch, live: &Stint, plan: &mut Plan) {
    if live.number.is_some() && snapshot.now < ends_at(rule, live) {
        plan.record(snapshot.now, began(&stage.name, rule, &live.release, live.from));
    }
}

/// What watches a merge in this lane. That it begins is in the record with the merge: what is heard of late passes no further
/// unseen.
pub(super) fn rule(stage: &Stage, lane: Lane) -> Option<&Watch> {
    stage.watch.as_ref().filter(|_| lane != Lane::Rollback)
}

pub(super) fn began(stage: &StageName, rule: &Watch, release: &Release, at: Timestamp) -> Event {
    let (stage, release, until) = (stage.clone(), release.clone(), later(at, rule.length));
    Event::WatchBegan(WatchBegan { stage, release, until })
}

/// What was replaced before its watch was over.
fn cut_short(snapshot: &Snapshot, stage: &Stage, plan: &mut Plan) {
    let stints = snapshot.state.stints(&stage.name);
    let is_it = |stint: &&Stint| stint.ended.is_some() && stint.watch == Some(Watched::Running);
    let Some(stint) = stints.and_then(|stints| stints.newest_first().find(is_it)) else { return };
    let next = snapshot.state.live(&stage.name).map(|live| live.release.version());
    let why = match next {
        Some(version) => format!("{version} took its place"),
        None => "nothing is pinned any more".to_owned(),
    };
    let ended = ended(stage, stint, WatchEnd::CutShort, why, Followed::Nothing);
    plan.record(snapshot.now, Event::WatchEnded(ended));
}

fn ended(stage: &Stage, stint: &Stint, end: WatchEnd, why: String, followed: Followed) -> WatchEnded {
    WatchEnded {
        stage: stage.name.clone(),
        release: stint.release.clone(),
        number: stint.number,
        end,
        why,
        followed,
        text: String::new(),
    }
}

/// How the watch ends now, and the evidence; none: not yet.
fn verdict(snapshot: &Snapshot, stage: &Stage, rule: &Watch, live: &Stint) -> Option<(WatchEnd, String)> {
    let end = ends_at(rule, live);
    let said = |sighting: &Sighting| live::seen(snapshot, stage, live, sighting);
    let is_failed = |seen: &Seen| {
        seen.health.is_degraded() && (seen.sight == Sight::Running || !was_degraded(snapshot, stage))
    };
    let is_good = |seen: &Seen| seen.sight == Sight::Running && seen.health == Health::Healthy;
    let counts_at = |sighting: &Sighting, at: Timestamp| later(sighting.at, stage.live.counts_for) >= at;
    let seen = sightings(snapshot, stage, live);
    let (during, after): (Vec<&Sighting>, Vec<&Sighting>) =
        seen.iter().partition(|sighting| sighting.at <= end);
    let is_unproven = live.watch.as_ref().is_some_and(|watch| watch.end().is_some());
    let failed = during.iter().copied().filter_map(said).find(is_failed).filter(|_| !is_unproven);
    if let Some(seen) = failed {
        return Some((WatchEnd::Failed, words(&seen)));
    }
    if snapshot.now < end {
        return None;
    }
    let last = during.last().copied().filter(|last| counts_at(last, end)).and_then(said);
    if let Some(seen) = last.filter(|seen| is_good(seen) && !is_unproven) {
        return Some((WatchEnd::Passed, words(&seen)));
    }
    // Nobody looked at the end: what is seen now tells.
    let newest = if is_unproven { after.last().or(during.last()) } else { after.last() };
    let now = newest.copied().filter(|last| counts_at(last, snapshot.now)).and_then(said);
    match now {
        Some(seen) if is_good(&seen) => Some((WatchEnd::Passed, words(&seen))),
        _ if is_unproven => None,
        // Long after the end it is no failure of the merge any more.
        Some(seen) if is_failed(&seen) && snapshot.now <= later(end, rule.length) => {
            Some((WatchEnd::Failed, words(&seen)))
        }
        Some(_) | None => {
            let why = live::words(snapshot, stage).unwrap_or_else(|| "nothing is reported".to_owned());
            Some((WatchEnd::Unproven, format!("it was not seen running and healthy at the end: {why}")))
        }
    }
}

/// What was seen since the merge, oldest first.
fn sightings(snapshot: &Snapshot, stage: &Stage, live: &Stint) -> Vec<Sighting> {
    let Some(running) = snapshot.running.get(&stage.name) else { return Vec::new() };
    let all = running.last.iter().chain(&running.new);
    let mut found: Vec<Sighting> =
        all.filter_map(|sighting| live::of_live(snapshot, stage, live, sighting)).collect();
    found.sort_by_key(|sighting| sighting.at);
    found
}

fn words(seen: &Seen) -> String {
    messages::one_line(&format!("{seen}, says {}", seen.source))
}

/// Whether what was live before was degraded when it was replaced.
fn was_degraded(snapshot: &Snapshot, stage: &Stage) -> bool {
    before(snapshot, stage).is_some_and(is_degraded)
}

fn before<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Option<&'a Stint> {
    snapshot.state.stints(&stage.name)?.newest_first().nth(1)
}

fn is_degraded(stint: &Stint) -> bool {
    stint.evidence.as_ref().is_some_and(|evidence| evidence.seen.health.is_degraded())
}

/// Records the end, and what follows.
fn finish(
    snapshot: &Snapshot,
    stage: &Stage,
    rule: &Watch,
    live: &Stint,
    end: WatchEnd,
    why: String,
    plan: &mut Plan,
) {
    let reaction = match end {
        WatchEnd::Failed | WatchEnd::Unproven => reaction(snapshot, stage, rule, live, end),
        WatchEnd::Passed | WatchEnd::CutShort => Reaction::default(),
    };
    let reason = format!("watch of {} in {} {end}: {why}", live.release.version(), stage.name);
    let mut events = match &reaction.back {
        Some(target) => commands::going_back(&Actor::watch(), stage, live, target, Some(&reason)),
        None => Vec::new(),
    };
    if reaction.is_held {
        events.push(held(stage, &reason));
    }
    // Who took back a veto before did not know of this.
    if end == WatchEnd::Failed && reaction.back.is_none() {
        events.push(vetoed(snapshot, stage, live, &reason));
    }
    let followed = match (end, &reaction) {
        (WatchEnd::Passed | WatchEnd::CutShort, _) => Followed::Nothing,
        (_, Reaction { back: Some(_), .. }) => Followed::RollingBack,
        (_, Reaction { is_held: true, .. }) => Followed::Held,
        (WatchEnd::Failed | WatchEnd::Unproven, _) => Followed::Told,
    };
    let mut ended = ended(stage, live, end, why, followed);
    ended.text = messages::watch_ended(snapshot, &ended, reaction.back, reaction.kept.as_deref());
    plan.record(snapshot.now, Event::WatchEnded(ended));
    for event in events {
        plan.record(snapshot.now, event);
    }
}

/// What is done where a watch did not pass.
#[derive(Default)]
struct Reaction<'a> {
    /// Where the stage goes back to by itself.
    back: Option<&'a Stint>,
    /// Whether the stage is held, without going back.
    is_held: bool,
    /// Why less is done than the rules say.
    kept: Option<String>,
}

fn reaction<'a>(
    snapshot: &'a Snapshot,
    stage: &Stage,
    rule: &Watch,
    live: &Stint,
    end: WatchEnd,
) -> Reaction<'a> {
    let only_told = |kept: String| Reaction { kept: Some(kept), ..Reaction::default() };
    match (rule.on_failure, last_act(snapshot, stage)) {
        (OnFailure::Tell, _) => Reaction::default(),
        (OnFailure::Hold | OnFailure::Rollback, Some(act)) => {
            only_told(format!("{}, and what people decide is left to them", messages::acted(act)))
        }
        (OnFailure::Hold, None) => Reaction { is_held: true, ..Reaction::default() },
        (OnFailure::Rollback, None) if end == WatchEnd::Unproven => {
            only_told("what was only not seen is not taken back".to_owned())
        }
        (OnFailure::Rollback, None) if is_repinned(snapshot, stage, &live.release) => {
            only_told("the pins are not those that were merged, so somebody is at work there".to_owned())
        }
        (OnFailure::Rollback, None) => match target(snapshot, stage, live) {
            Ok(target) => Reaction { back: Some(target), ..Reaction::default() },
            Err(kept) => only_told(kept),
        },
    }
}

/// Whether the base has something else in the stage than this release. What cannot be read may be read soon.
fn is_repinned(snapshot: &Snapshot, stage: &Stage, release: &Release) -> bool {
    match snapshot.pins(stage) {
        Pins::Release(pinned) => !pinned.is_same(release),
        Pins::Mixed(_) | Pins::Unpinned(_) => true,
        Pins::Unreadable(_) => false,
    }
}

/// Where the stage goes back to by itself, or why it does not.
fn target<'a>(snapshot: &'a Snapshot, stage: &Stage, live: &Stint) -> Result<&'a Stint, String> {
    let state = snapshot.state.stage(&stage.name);
    if state.is_some_and(|state| state.was_undone(&live.release)) {
        return Err(format!(
            "it was taken back here by itself before, and that is done once for a release; {} does it",
            messages::code(&format!("/rollback {}", stage.name))
        ));
    }
    let mut absent: Vec<Digest> = presence::absent(snapshot);
    absent.extend(state.into_iter().flat_map(|state| &state.missing).map(|known| known.digest));
    let target = promotion::target(&snapshot.state, &snapshot.pipeline, &stage.name, None, &absent)
        .map_err(|error| messages::prose(&error.to_string()))?;
    // A person may want it all the same.
    if target.was_never_seen() {
        let version = messages::prose(&target.release.version());
        return Err(format!("{version}, which was there before, was never seen running"));
    }
    Ok(target)
}

/// What a person did last in the stage since the merge.
fn last_act<'a>(snapshot: &'a Snapshot, stage: &Stage) -> Option<&'a Act> {
    snapshot.state.stage(&stage.name)?.acts.last()
}

fn held(stage: &Stage, reason: &str) -> Event {
    Event::Held {
        stage: stage.name.clone(),
        kind: HoldKind::Watch,
        by: Actor::watch(),
        reason: Some(reason.to_owned()),
        until: None,
    }
}

/// Of several images those that were there before are not what failed.
fn vetoed(snapshot: &Snapshot, stage: &Stage, live: &Stint, reason: &str) -> Event {
    let good = before(snapshot, stage).map(|stint| stint.release.digests()).unwrap_or_default();
    let mut digests: BTreeSet<Digest> = live.release.digests().difference(&good).copied().collect();
    if digests.is_empty() {
        digests = live.release.digests();
    }
    Event::Vetoed {
        stage: stage.name.clone(),
        digests,
        version: live.release.version(),
        by: Actor::watch(),
        reason: Some(reason.to_owned()),
    }
}

/// Whether a rollback that lockkeeper began is not to go on: a person acted since.
pub(super) fn is_withdrawn(snapshot: &Snapshot, stage: &Stage, by: Option<&Actor>) -> bool {
    let is_worked_on = || matches!(snapshot.pins(stage), Pins::Mixed(_) | Pins::Unpinned(_));
    by.is_some_and(Actor::is_watch) && (last_act(snapshot, stage).is_some() || is_worked_on())
}

/// Why a release that was in a stage for long enough has not passed there: its watch.
pub(super) fn hold(
    snapshot: &Snapshot,
    stage: &Stage,
    upstream: &StageName,
    release: &Release,
) -> Option<HoldReason> {
    let rule = snapshot.pipeline.stage(upstream)?.watch.as_ref()?;
    let stints = snapshot.state.stints(upstream)?;
    if stints.has_passed_watch(release) {
        return None;
    }
    let (version, until) = (release.version(), stints.live().map(|live| ends_at(rule, live)));
    match stints.live().filter(|live| live.release.is_same(release)).and_then(|live| live.watch.as_ref()) {
        Some(Watched::Running) => {
            let until = until.unwrap_or(snapshot.now);
            let text = format!("{version} is watched in {upstream} until {}", minute(until));
            Some(HoldReason::new(&stage.name, Gate::Watch, text).opens_at(until))
        }
        Some(Watched::Ended { why, .. }) => {
            let text = format!("{version} has not passed its watch in {upstream}: {why}");
            Some(HoldReason::new(&stage.name, Gate::Watch, text).who(live::WHO))
        }
        None => {
            let text = format!("{version} was replaced in {upstream} before its watch was over");
            Some(HoldReason::new(&stage.name, Gate::Watch, text))
        }
    }
}

/// When the soonest watch ends.
pub(super) fn wake_at(snapshot: &Snapshot) -> Option<Timestamp> {
    let ends = snapshot.pipeline.stages.iter().filter_map(|stage| {
        let (rule, live) = watched(snapshot, stage)?;
        let is_running = live.watch == Some(Watched::Running);
        Some(ends_at(rule, live)).filter(|end| is_running && *end > snapshot.now)
    });
    ends.min()
}

/// Whether what runs in this stage decides of a watch.
#[must_use]
pub fn is_watching(snapshot: &Snapshot, stage: &Stage) -> bool {
    watched(snapshot, stage).is_some_and(|(_, live)| live.watch.as_ref().is_some_and(Watched::is_open))
}

/// How the watch of what is live stands, in words; nothing where there is none.
pub(super) fn standing(snapshot: &Snapshot, stage: &Stage) -> Option<String> {
    let live = snapshot.state.live(&stage.name)?;
    let ends = |rule: &Watch| {
        format!("watched until {}; on failure: {}", minute(ends_at(rule, live)), rule.on_failure)
    };
    match live.watch.as_ref()? {
        Watched::Running => stage.watch.as_ref().map(ends),
        Watched::Ended { end, at, why } => Some(format!("watch {end} at {}: {why}", minute(*at))),
    }
}

/// Whether what is live did not pass its watch, and nobody has taken that back.
pub(super) fn failed(snapshot: &Snapshot, stage: &Stage) -> Option<WatchEnd> {
    let live = snapshot.state.live(&stage.name)?;
    let end = live.watch.as_ref()?.end()?;
    let is_vetoed = || snapshot.state.veto(&snapshot.pipeline, &stage.name, &live.release).is_some();
    match end {
        WatchEnd::Failed => is_vetoed().then_some(end),
        WatchEnd::Unproven => Some(end),
        WatchEnd::Passed | WatchEnd::CutShort => None,
    }
}
