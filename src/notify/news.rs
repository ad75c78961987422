//! Which events are news, and what is known of each.

use jiff::Timestamp;

use crate::image::{Digest, Release, Repository};
use crate::pipeline::{PipelineName, StageName};
use crate::plan::messages::one_line;
use crate::promotion::{Event, Followed, Lane, WatchEnd, WatchEnded};
use crate::settings::Occasion;
use crate::store::Happening;

/// An event that somebody may want to know of. Texts of people and registries are one line of bounded length; nothing in
/// them is escaped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub(super) occasion: Occasion,
    pub(super) repository: String,
    pub(super) pipeline: PipelineName,
    /// The place among the events of the pipeline.
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
    pub(super) stage: StageName,
    pub(super) what: What,
    /// The page of the pull request.
    pub(super) url: Option<String>,
    /// Who asked for it.
    pub(super) by: Option<String>,
    /// Why, in the words of whom asked, or of the registry.
    pub(super) reason: Option<String>,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A release in a stage, or on its way there.
    Move(Move),
    /// An image.
    Image(Repository, Digest),
    /// A release whose watch did not pass, and what is done about it.
    Watch(Release, Followed),
}

/// A release takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) lane: Lane,
    pub(super) release: Release,
    pub(super) was: Option<Release>,
    /// Whose approval it waits for.
    pub(super) waits_for: Option<String>,
    /// Whose approvals counted.
    pub(super) approved_by: Vec<String>,
}

impl News {
    /// The same at each try, and at no other event: a store that is made anew numbers its events from 1 again, at later times.
    pub(super) fn id(&self) -> String {
        format!("{}/{}/{}", self.source(), self.sequence, self.at.as_second())
    }

    pub(super) fn source(&self) -> String {
        format!("{}/{}", self.repository, self.pipeline)
    }
}

/// What an event is an occasion to tell, and of which stage.
pub(super) fn occasion(event: &Event) -> Option<(Occasion, &StageName)> {
    if let Event::Proposed { stage, waits_for: Some(_), .. } = event {
        Some((Occasion::Waiting, stage))
    } else if let Event::Merged { stage, lane: Lane::Rollback, .. } = event {
        Some((Occasion::RolledBack, stage))
    // Without a number it was read from git, where only a rollback is made by hand.
    } else if let Event::Merged { stage, lane: Lane::Normal | Lane::Hotfix, number: Some(_), .. } = event {
        Some((Occasion::Promoted, stage))
    } else if let Event::Missing { stage, .. } = event {
        Some((Occasion::RollbackTargetMissing, stage))
    } else if let Event::WatchEnded(WatchEnded {
        stage, end: WatchEnd::Failed | WatchEnd::Unproven, ..
    }) = event
    {
        Some((Occasion::WatchFailed, stage))
    } else {
        None
    }
}

/// The news of an event that is an occasion. `intent` is the `Proposing` before a `Proposed`.
pub(super) fn news(
    happening: &Happening,
    intent: Option<&Event>,
    url: impl Fn(u64) -> Option<String>,
) -> Option<News> {
    let (occasion, stage) = occasion(&happening.entry.event)?;
    let (what, number, by, reason) = told(&happening.entry.event, intent)?;
    Some(News {
        occasion,
        repository: happening.key.repository.clone(),
        pipeline: happening.key.pipeline.clone()?,
        sequence: happening.sequence,
        at: happening.entry.at,
        stage: stage.clone(),
        what,
        url: number.and_then(url),
        by: by.map(|by| one_line(&by)),
        reason: reason.map(|reason| one_line(&reason)),
    })
}

type Told = (What, Option<u64>, Option<String>, Option<String>);

fn told(event: &Event, intent: Option<&Event>) -> Option<Told> {
    if let (
        Event::Proposed { number, waits_for, .. },
        Some(Event::Proposing { lane, release, was, requested_by, reason, .. }),
    ) = (event, intent)
    {
        let (release, was, waits_for) = (release.clone(), was.clone(), waits_for.clone());
        let what = Move { lane: *lane, release, was, waits_for, approved_by: Vec::new() };
        let by = requested_by.as_ref().map(|actor| actor.name.clone());
        Some((What::Move(what), Some(*number), by, reason.clone()))
    } else if let Event::Merged { lane, release, was, number, approvals, requested_by, reason, .. } = event {
        let approved_by = approvals.iter().map(|approval| one_line(&approval.person.name)).collect();
        let (release, was) = (release.clone(), was.clone());
        let what = Move { lane: *lane, release, was, waits_for: None, approved_by };
        let by = requested_by.as_ref().map(|actor| actor.name.clone());
        Some((What::Move(what), *number, by, reason.clone()))
    } else if let Event::Missing { repository, digest, what, .. } = event {
        Some((What::Image(repository.clone(), *digest), None, None, Some(what.clone())))
    } else if let Event::WatchEnded(ended) = event {
        let what = What::Watch(ended.release.clone(), ended.followed);
        Some((what, ended.number, None, Some(format!("{}: {}", ended.end, ended.why))))
    } else {
        None
    }
}
