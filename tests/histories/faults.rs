//! Faults, planted one at a time: the engine does not see something that stops it, or its effects are not what they
//! should be. An oracle that finds them all can fail.

use std::time::Duration;

use lockkeeper::image::Digest;
use lockkeeper::observation::{Health, Sighting};
use lockkeeper::pipeline::{Calendar, ExceptionLane, Principal, RoleName, Stage};
use lockkeeper::plan::{Effect, Plan, Snapshot};
use lockkeeper::promotion::{Event, HoldKind, State};
use lockkeeper::pull_request::Authors;

use crate::step::REPOSITORY;

/// What is wrong with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    HoldIgnored,
    FreezeIgnored,
    CalendarIgnored,
    BrokenCalendarIgnored,
    ExceptionForAnyLane,
    WindowIgnored,
    VetoIgnored,
    RefusalIgnored,
    SoakIgnored,
    RolledBackComesAgain,
    HotfixByAnybody,
    RollbackByAnybody,
    RollbackAlone,
    RollbackHoldsNothing,
    OlderHeadApproved,
    ClassIgnored,
    OwnApproval,
    AuthorsApproval,
    ChangesNotHeard,
    VoidApprovals,
    OldCommands,
    LateWordsUndo,
    AnotherRelease,
    MoreThanThePin,
    WatchFightsPeople,
    WatchGoesBackAgain,
    WatchOfTheUnseen,
}

impl Fault {
    /// Each with a history in which it comes to light soon.
    pub const ALL: [(Self, u64); 27] = [
        (Self::HoldIgnored, 3),
        (Self::FreezeIgnored, 45),
        (Self::CalendarIgnored, 2),
        (Self::BrokenCalendarIgnored, 6),
        (Self::ExceptionForAnyLane, 30),
        (Self::WindowIgnored, 6),
        (Self::VetoIgnored, 5),
        (Self::RefusalIgnored, 42),
        (Self::SoakIgnored, 1),
        (Self::RolledBackComesAgain, 52),
        (Self::HotfixByAnybody, 7),
        (Self::RollbackByAnybody, 35),
        (Self::RollbackAlone, 12),
        (Self::RollbackHoldsNothing, 5),
        (Self::OlderHeadApproved, 37),
        (Self::ClassIgnored, 3),
        (Self::OwnApproval, 1),
        (Self::AuthorsApproval, 12),
        (Self::ChangesNotHeard, 54),
        (Self::VoidApprovals, 48),
        (Self::OldCommands, 19),
        (Self::LateWordsUndo, 18),
        (Self::AnotherRelease, 1),
        (Self::MoreThanThePin, 1),
        (Self::WatchFightsPeople, 2),
        (Self::WatchGoesBackAgain, 1),
        (Self::WatchOfTheUnseen, 1),
    ];

    /// Whether it comes to light only where stages are watched.
    pub fn is_of_watch(self) -> bool {
        matches!(self, Self::WatchFightsPeople | Self::WatchGoesBackAgain | Self::WatchOfTheUnseen)
    }

    /// What the engine believes to see.
    pub fn blind(self, snapshot: &mut Snapshot) {
        let stages = snapshot.state.stages.values_mut();
        let rules = &mut snapshot.pipeline.stages;
        let writers = || vec![Principal::Role(RoleName::Write)];
        match self {
            Self::HoldIgnored => stages.for_each(|stage| stage.hold = None),
            Self::FreezeIgnored => stages.for_each(|stage| stage.frozen = None),
            Self::CalendarIgnored => snapshot.pipeline.freezes = Calendar::Known(Vec::new()),
            Self::BrokenCalendarIgnored => {
                if let Calendar::Unusable { .. } = snapshot.pipeline.freezes {
                    snapshot.pipeline.freezes = Calendar::Known(Vec::new());
                }
            }
            Self::ExceptionForAnyLane => {
                if let Calendar::Known(freezes) = &mut snapshot.pipeline.freezes {
                    for freeze in freezes {
                        let mut others = freeze.exceptions.clone();
                        for other in &mut others {
                            other.lane = another(other.lane);
                        }
                        freeze.exceptions.extend(others);
                    }
                }
            }
            Self::WindowIgnored => rules.iter_mut().for_each(|stage| stage.gates.windows.clear()),
            Self::VetoIgnored => snapshot.state.vetoes.clear(),
            Self::RefusalIgnored => stages.for_each(|stage| stage.refused.clear()),
            Self::SoakIgnored => rules.iter_mut().for_each(|stage| stage.gates.soak = Duration::ZERO),
            Self::RolledBackComesAgain => forget_rollbacks(&mut snapshot.state),
            Self::HotfixByAnybody => each(rules, |stage| stage.hotfix_by = writers()),
            Self::RollbackByAnybody => each(rules, |stage| stage.rollback_by = writers()),
            Self::RollbackAlone => each(rules, |stage| stage.rollback_approvals = None),
            Self::ClassIgnored => {
                let rules = rules.iter_mut().filter_map(|stage| stage.gates.approvals.as_mut());
                for rule in rules.filter(|rule| !rule.by_class.is_empty()) {
                    (rule.min, rule.by_class) = (1, std::collections::BTreeMap::new());
                }
            }
            Self::OlderHeadApproved => {
                for pull in snapshot.pull_requests.values_mut() {
                    let head = pull.head;
                    pull.reviews.iter_mut().for_each(|review| review.head = head);
                }
            }
            Self::OwnApproval => {
                for proposal in stages.filter_map(|stage| stage.proposal.as_mut()) {
                    proposal.requested_by = None;
                }
            }
            Self::AuthorsApproval => {
                snapshot.authors.values_mut().for_each(|authors| *authors = Authors::Known(Vec::new()));
            }
            Self::ChangesNotHeard => {
                for pull in snapshot.pull_requests.values_mut() {
                    pull.reviews
                        .retain(|review| review.verdict == lockkeeper::pull_request::Verdict::Approved);
                }
            }
            Self::VoidApprovals => stages.for_each(|stage| stage.void_until = None),
            Self::OldCommands => snapshot.settings.command_age_max = Duration::from_hours(1_000),
            Self::LateWordsUndo => {
                for asked in &mut snapshot.asked {
                    if let lockkeeper::plan::Thread::Forge { comment, .. } = &mut asked.thread {
                        *comment += 1_000_000;
                    }
                }
            }
            // Of watches, or what is spoiled afterwards.
            _ => self.blind_to_watches(snapshot),
        }
    }

    fn blind_to_watches(self, snapshot: &mut Snapshot) {
        if self == Self::WatchFightsPeople {
            snapshot.state.stages.values_mut().for_each(|stage| stage.acts.clear());
        } else if self == Self::WatchGoesBackAgain {
            forget_undone(&mut snapshot.state);
        } else if self == Self::WatchOfTheUnseen {
            snapshot.running.values_mut().flat_map(|running| &mut running.new).for_each(misread);
        }
    }

    /// What the engine does instead of what it should.
    pub fn spoil(self, plan: &mut Plan) {
        for effect in &mut plan.effects {
            match (self, effect) {
                (Self::RollbackHoldsNothing, Effect::Record(entries)) => {
                    let is_it = |event: &Event| matches!(event, Event::Held { kind: HoldKind::Rollback, .. });
                    entries.retain(|entry| !is_it(&entry.event));
                }
                (Self::MoreThanThePin, Effect::Open(open)) => {
                    open.edits.iter_mut().for_each(|(_, _, after)| after.extend(b"# and more\n"));
                }
                (Self::AnotherRelease, Effect::Open(open)) => {
                    let other = Digest::of(format!("{REPOSITORY}:of somebody").as_bytes()).hex();
                    for (_, _, after) in &mut open.edits {
                        let text = String::from_utf8(after.clone()).unwrap();
                        let at = text.find("@sha256:").map(|at| at + 8).unwrap();
                        *after = format!("{}{other}{}", &text[..at], &text[at + 64..]).into_bytes();
                    }
                }
                _ => {}
            }
        }
    }
}

fn each(stages: &mut [Stage], change: impl Fn(&mut Stage)) {
    stages.iter_mut().for_each(change);
}

fn another(lane: ExceptionLane) -> ExceptionLane {
    match lane {
        ExceptionLane::Hotfix => ExceptionLane::Normal,
        ExceptionLane::Normal => ExceptionLane::Hotfix,
    }
}

/// As if what was rolled back had been replaced by something newer.
fn forget_rollbacks(state: &mut State) {
    let text = serde_json::to_string(&state.stages).unwrap().replace("rolled_back", "replaced");
    state.stages = serde_json::from_str(&text).unwrap();
}

/// As if what rolls out had failed.
fn misread(sighting: &mut Sighting) {
    if let Health::Progressing(why) = &sighting.health {
        sighting.health = Health::Degraded(why.clone());
    }
}

/// As if nothing had ever gone back by itself.
fn forget_undone(state: &mut State) {
    let mut stages = serde_json::to_value(&state.stages).unwrap();
    for stage in stages.as_object_mut().unwrap().values_mut() {
        stage.as_object_mut().unwrap().remove("undone");
    }
    state.stages = serde_json::from_value(stages).unwrap();
}
