//! What is live where somebody observes it: from what was seen to what is recorded, and how long a release ran.
//!
//! What is merged counts as live only from the first observation that it runs: its index, or a manifest of it. Time counts
//! while observations follow each other, each for `counts_for`: a gap adds nothing and breaks nothing, a contrary one
//! breaks the stretch. What was seen last is kept beside the record, which has the changes, the moment at which a stretch
//! was long enough for a stage after it, and a word each day.

use std::time::Duration;

use jiff::Timestamp;

use super::candidate::{later, minute};
use super::effect::{Gate, HoldReason, Plan};
use super::messages;
use super::snapshot::Snapshot;
use super::view::StageState;
use crate::image::{Digest, Release};
use crate::observation::{Health, Sighting};
use crate::pipeline::{Stage, StageName};
use crate::promotion::{Event, Evidence, Seen, Sight, Stint, Stints};

/// What is known of what runs in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// What was seen last before this look.
    pub last: Option<Sighting>,
    /// What was seen since, oldest first.
    pub new: Vec<Sighting>,
    /// Why a cluster tells nothing now.
    pub silent: Option<String>,
    /// Up to when all that was said is in here.
    pub heard_until: Timestamp,
}

/// Longer than a merge takes from the push to its record.
const MERGE_MAX: Duration = Duration::from_mins(1);
/// With nothing new, the record has a word each day: so much of a stretch may be forgotten with a change of the rules.
const WORD_EVERY: Duration = Duration::from_hours(24);

impl Running {
    /// What was seen last of all: what came last, whatever somebody set the clock to meanwhile.
    #[must_use]
    pub fn latest(&self) -> Option<&Sighting> {
        self.new.last().or(self.last.as_ref())
    }
}

/// Records what changed, stage by stage.
pub(super) fn record(snapshot: &Snapshot, plan: &mut Plan) {
    for stage in snapshot.pipeline.stages.iter().filter(|stage| stage.live.is_observed()) {
        if let Some(live) = snapshot.state.live(&stage.name) {
            record_stage(snapshot, stage, live, plan);
        }
    }
}

fn record_stage(snapshot: &Snapshot, stage: &Stage, live: &Stint, plan: &mut Plan) {
    let Some(running) = snapshot.running.get(&stage.name) else { return };
    let mut evidence = live.evidence.clone();
    // How far observations reach.
    let kept = running.last.as_ref().and_then(|last| of_live(snapshot, stage, live, last));
    let mut last = kept.as_ref().map(|last| last.at).filter(|at| *at <= snapshot.now);
    // It is in the record, but where it was not known then what runs, or where it was read as one of the release before.
    let unread = kept.filter(|kept| evidence.as_ref().is_none_or(|known| known.at < kept.at));
    let mut note = |at: Timestamp, seen: Seen, until: Option<Timestamp>, known: &mut Option<Evidence>| {
        let event = Event::Observed {
            stage: stage.name.clone(),
            release: live.release.clone(),
            seen: seen.clone(),
            until,
        };
        plan.record(at, event);
        *known = Some(Evidence::after(known.take(), seen, at, until));
    };
    let new = running.new.iter().filter_map(|sighting| of_live(snapshot, stage, live, sighting));
    let mut unread: Vec<Sighting> = unread.into_iter().chain(new).collect();
    if evidence.as_ref().map_or(live.from, |known| known.at) > snapshot.now {
        // A clock was set back: all that comes is of one moment to the record, and the last of it counts.
        unread = unread.pop().into_iter().collect();
    }
    for sighting in unread {
        let known_at = evidence.as_ref().map_or(live.from, |known| known.at);
        // What the record is past of was read before, in a look that was stopped; but for a clock that was set back.
        if sighting.at > snapshot.now || sighting.at < known_at && known_at <= snapshot.now {
            continue;
        }
        let at = sighting.at.max(known_at);
        let Some(seen) = seen(snapshot, stage, live, &sighting) else { continue };
        let reached = last.map(|at| later(at, stage.live.counts_for));
        let counting = evidence.as_ref().and_then(Evidence::counting);
        // From the record alone where nothing was kept: less time, never more.
        let reached = counting.map(|from| reached.map_or(from, |reached| reached.clamp(from, at.max(from))));
        let is_gap = reached.is_some_and(|reached| reached < at);
        if is_gap || evidence.as_ref().is_none_or(|known| !known.seen.is_like(&seen)) {
            note(at, seen, reached, &mut evidence);
        }
        last = Some(sighting.at);
    }
    let (Some(known), Some(last)) = (evidence.clone(), last) else { return };
    // Never further than what was said so far: what comes later may say otherwise of the time between.
    let until = later(last, stage.live.counts_for).min(snapshot.now).min(running.heard_until.max(last));
    let latest = running.latest().and_then(|latest| seen(snapshot, stage, live, latest));
    let Some(latest) = latest.filter(|_| until > known.at) else { return };
    if known.counting().is_some() && is_due(snapshot, stage, &known, until) {
        note(until, latest, Some(until), &mut evidence);
    } else if last > known.at && is_replaced_soon(snapshot, stage, &known) {
        note(last, latest, Some(last), &mut evidence);
    }
}

/// Whether something is proposed for a stage whose health counts for others, and the record has no word that still counts:
/// how it was when it is replaced is told by the record alone.
fn is_replaced_soon(snapshot: &Snapshot, stage: &Stage, known: &Evidence) -> bool {
    let mut after = snapshot.pipeline.stages.iter().filter(|other| other.after.contains(&stage.name));
    snapshot.state.proposal(&stage.name).is_some()
        && later(known.at, stage.live.counts_for) <= snapshot.now
        && after.any(|other| other.gates.healthy)
}

/// Whether the stretch got long enough for a stage after it since the record had a word, or that was a day ago.
fn is_due(snapshot: &Snapshot, stage: &Stage, known: &Evidence, until: Timestamp) -> bool {
    let (before, now) = (known.stretch(None), known.stretch(Some(until)));
    let after = snapshot.pipeline.stages.iter().filter(|other| other.after.contains(&stage.name));
    let is_past = |soak: Duration| before < soak && soak <= now;
    after.map(|other| other.gates.soak).any(is_past) || later(known.at, WORD_EVERY) <= until
}

/// A sighting of what is live, and when it counts from.
///
/// A deployer can be quicker than the record of a merge: what shows just then that the new release runs counts from the
/// record on.
pub(super) fn of_live(
    snapshot: &Snapshot,
    stage: &Stage,
    live: &Stint,
    sighting: &Sighting,
) -> Option<Sighting> {
    let is_set_back = live.from > snapshot.now && sighting.at <= snapshot.now;
    if sighting.at >= live.from || is_set_back {
        return Some(sighting.clone());
    }
    // What runs of the same release while it was live before says nothing of now.
    let since = |before: &Stint| match before.ended {
        Some((at, _)) if before.release.is_same(&live.release) => at,
        Some(_) | None => before.from,
    };
    let before = snapshot.state.stints(&stage.name)?.newest_first().nth(1).map(since);
    let is_near = later(sighting.at, MERGE_MAX) >= live.from && before.is_none_or(|from| sighting.at >= from);
    let is_of_it = is_near && sight(snapshot, stage, &live.release, sighting) == Some(Sight::Running);
    is_of_it.then(|| Sighting { at: live.from, ..sighting.clone() })
}

/// What a sighting says of what is live; nothing where it cannot be known which release a digest is of.
pub(super) fn seen(snapshot: &Snapshot, stage: &Stage, live: &Stint, sighting: &Sighting) -> Option<Seen> {
    Some(Seen {
        sight: sight(snapshot, stage, &live.release, sighting)?,
        health: sighting.health.clone(),
        ready: sighting.ready,
        wanted: sighting.wanted,
        source: sighting.source.clone(),
    })
}

/// The releases that are live in stages where something runs of which only their images tell whether it is a part of them.
#[must_use]
pub fn unknown_parts(snapshot: &Snapshot) -> Vec<Release> {
    let live_where_unknown = |stage: &Stage| {
        let live = snapshot.state.live(&stage.name)?;
        let latest = snapshot.running.get(&stage.name)?.latest()?;
        sight(snapshot, stage, &live.release, latest).is_none().then(|| live.release.clone())
    };
    snapshot.pipeline.stages.iter().filter_map(live_where_unknown).collect()
}

/// Each image of the release runs, and nothing else of the pipeline does. Nothing where something runs that is not named as
/// the release is, and may be a part of an image that was not read.
fn sight(snapshot: &Snapshot, stage: &Stage, release: &Release, sighting: &Sighting) -> Option<Sight> {
    let runs = |digest: Digest| sighting.digests.iter().any(|found| is_of(snapshot, *found, digest));
    let others: Vec<Digest> = sighting
        .digests
        .iter()
        .copied()
        .filter(|found| !release.digests().iter().any(|digest| is_of(snapshot, *found, *digest)))
        .collect();
    if others.is_empty() && release.digests().into_iter().all(runs) {
        return Some(Sight::Running);
    }
    let is_read = |digest: &Digest| matches!(snapshot.images.get(digest), Some(Ok(_)));
    let is_named = |digest: &Digest| {
        snapshot
            .state
            .stints(&stage.name)
            .into_iter()
            .flat_map(Stints::newest_first)
            .any(|stint| stint.release.digests().contains(digest))
    };
    if !others.iter().all(is_named) && !release.digests().iter().filter(|digest| !runs(**digest)).all(is_read)
    {
        return None;
    }
    Some(Sight::Contrary(if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|digest| named(snapshot, &stage.name, *digest)).collect();
        let verb = if names.len() == 1 { "runs" } else { "run" };
        format!("{} {verb}", names.join(", "))
    } else if sighting.digests.is_empty() {
        "nothing of it runs".to_owned()
    } else {
        "not all of its images run".to_owned()
    }))
}

/// Whether a digest that runs is this one, or a manifest of its index.
fn is_of(snapshot: &Snapshot, found: Digest, digest: Digest) -> bool {
    let parts = || match snapshot.images.get(&digest) {
        Some(Ok(image)) => image.parts.as_slice(),
        Some(Err(_)) | None => &[],
    };
    found == digest || parts().iter().any(|part| part.manifest == found)
}

/// What people call a digest that runs: the version of what was in the stage before, where it was that.
fn named(snapshot: &Snapshot, stage: &StageName, digest: Digest) -> String {
    let stints = snapshot.state.stints(stage).into_iter().flat_map(Stints::newest_first);
    let known = stints
        .map(|stint| &stint.release)
        .find(|release| release.digests().iter().any(|known| is_of(snapshot, digest, *known)));
    known.map_or_else(|| digest.short(), Release::version)
}

/// Up to when what was seen last of a stage counts as time; none where it shows something else, or failed.
pub(super) fn until(snapshot: &Snapshot, stage: &Stage) -> Option<Timestamp> {
    let live = snapshot.state.live(&stage.name)?;
    let latest = snapshot.running.get(&stage.name)?.latest()?;
    let seen = seen(snapshot, stage, live, latest).filter(|_| latest.at <= snapshot.now)?;
    seen.counts().then(|| later(latest.at, stage.live.counts_for).min(snapshot.now))
}

/// The longest unbroken time that a release was live upstream by a promotion; none where it never was.
pub(super) fn longest(snapshot: &Snapshot, upstream: &StageName, release: &Release) -> Option<Duration> {
    let stints = snapshot.state.stints(upstream)?;
    match snapshot.pipeline.stage(upstream).filter(|stage| stage.live.is_observed()) {
        Some(stage) => stints.longest_observed(release, until(snapshot, stage)),
        None => stints.longest(release, snapshot.now),
    }
}

/// The hold on a release that is live upstream, and not for long enough.
pub(super) fn soaks(snapshot: &Snapshot, stage: &Stage, upstream: &StageName, live: &Stint) -> HoldReason {
    let version = live.release.version();
    let hold = |text: String| HoldReason::new(&stage.name, Gate::Soak, text);
    let Some(observed) = snapshot.pipeline.stage(upstream).filter(|stage| stage.live.is_observed()) else {
        let until = later(live.from, stage.gates.soak);
        return hold(format!("{version} soaks in {upstream} until {}", minute(until))).opens_at(until);
    };
    let until = until(snapshot, observed);
    let evidence = live.evidence.as_ref();
    let done = evidence.map_or(Duration::ZERO, |evidence| evidence.stretch(until));
    let goes_on = evidence.is_some_and(|evidence| evidence.counting().is_some())
        && until.is_some_and(|until| until >= snapshot.now);
    if goes_on {
        let opens_at = later(snapshot.now, stage.gates.soak.saturating_sub(done));
        let text = format!("{version} soaks in {upstream} until {}, while it is observed", minute(opens_at));
        return hold(text).opens_at(opens_at);
    }
    let (done, of) = (messages::duration(done), messages::duration(stage.gates.soak));
    let why = words(snapshot, observed).map_or_else(String::new, |words| format!("; {words}"));
    hold(format!("{version} soaks in {upstream}: observed {done} of {of}{why}")).who(WHO)
}

/// The hold on a release that is merged upstream, and was not seen there.
pub(super) fn unseen(snapshot: &Snapshot, stage: &Stage, upstream: &Stage, release: &Release) -> HoldReason {
    let words = words(snapshot, upstream).unwrap_or_else(|| "nothing is reported yet".to_owned());
    let text = format!("waits until {} is seen running in {}: {words}", release.version(), upstream.name);
    HoldReason::new(&stage.name, Gate::Upstream, text).who(WHO)
}

/// What was seen last of what is live, where that still counts.
pub(super) fn now(snapshot: &Snapshot, stage: &Stage, live: &Stint) -> Option<Seen> {
    let running = snapshot.running.get(&stage.name).filter(|running| running.silent.is_none())?;
    let latest = running.latest().and_then(|latest| of_live(snapshot, stage, live, latest))?;
    // One from the future was seen before somebody set the clock back.
    let is_fresh = latest.at <= snapshot.now && later(latest.at, stage.live.counts_for) >= snapshot.now;
    if is_fresh { seen(snapshot, stage, live, &latest) } else { None }
}

/// Whether what is pinned is seen running, and healthy.
pub(super) fn is_good(snapshot: &Snapshot, stage: &Stage) -> bool {
    let live = snapshot.state.live(&stage.name);
    let seen = live.and_then(|live| now(snapshot, stage, live));
    seen.is_some_and(|seen| seen.sight == Sight::Running && seen.health == Health::Healthy)
}

/// How a stage stands that waits for nothing, and a word for it. What nobody observes is live by its merge.
pub(super) fn standing(snapshot: &Snapshot, stage: &Stage) -> (StageState, String) {
    if !stage.live.is_observed() {
        return (StageState::Live, "live".to_owned());
    }
    let seen = snapshot.state.live(&stage.name).and_then(|live| now(snapshot, stage, live));
    let Some(seen) = seen else { return (StageState::Waiting, "not observed".to_owned()) };
    let (ready, wanted) = (seen.ready, seen.wanted);
    match (&seen.sight, &seen.health) {
        (_, Health::Degraded(_)) => (StageState::Failed, format!("degraded {ready}/{wanted}")),
        (Sight::Running, Health::Healthy) => (StageState::Live, format!("live {ready}/{wanted}")),
        (Sight::Running, Health::Progressing(_)) => {
            (StageState::Waiting, format!("rolling out {ready}/{wanted}"))
        }
        (Sight::Contrary(_), Health::Progressing(_)) => (StageState::Waiting, "rolling out".to_owned()),
        (Sight::Contrary(_), Health::Healthy) => (StageState::Drift, "other runs".to_owned()),
    }
}

/// Who can make it known what runs.
pub(super) const WHO: &str = "whoever deploys or reports there";

/// What is known of what runs in a stage, in words; nothing where nobody observes it.
pub(super) fn words(snapshot: &Snapshot, stage: &Stage) -> Option<String> {
    if !stage.live.is_observed() {
        return None;
    }
    let running = snapshot.running.get(&stage.name);
    if let Some(silent) = running.and_then(|running| running.silent.as_ref()) {
        return Some(silent.clone());
    }
    let live = snapshot.state.live(&stage.name)?;
    let latest = running.and_then(Running::latest).and_then(|latest| of_live(snapshot, stage, live, latest));
    let Some(latest) = latest else { return Some("nothing is reported yet".to_owned()) };
    let Some(seen) = seen(snapshot, stage, live, &latest) else {
        return Some("which release runs is not known: its image cannot be read".to_owned());
    };
    if latest.at > snapshot.now || later(latest.at, stage.live.counts_for) < snapshot.now {
        return Some(format!("nothing is reported since {} ({seen})", minute(latest.at)));
    }
    Some(seen.to_string())
}
