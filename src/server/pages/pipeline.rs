//! The page of a pipeline: its stages with pins and holds, and its history.

use askama::Template;
use jiff::Timestamp;

use super::text::{age, link, machine, parts, people};
use crate::plan::view::{HistoryLine, PipelineView, Presence, PullRequestView, StageView};

/// Text, and whether it is code.
type Parts = Vec<(bool, String)>;

#[derive(Template)]
#[template(path = "board/pipeline.html")]
pub(super) struct PipelinePage {
    title: String,
    stylesheet: &'static str,
    repository: String,
    pipeline: String,
    owner: Option<String>,
    issue_url: Option<String>,
    error: Option<Parts>,
    stages: Vec<Stage>,
    has_pins: bool,
    history: Vec<Line>,
    updated: Time,
}

/// A time, for machines and for people, and how long ago it was.
struct Time {
    machine: String,
    people: String,
    age: String,
}

struct Stage {
    view: StageView,
    since: Option<Time>,
    /// Where it is not the normal one.
    lane: Option<String>,
    holds: Vec<Parts>,
    running_url: Option<String>,
    pull_request: Option<PullRequestView>,
    is_target_missing: bool,
    target_word: String,
}

struct Line {
    at: Time,
    text: Parts,
    url: Option<String>,
}

impl PipelinePage {
    pub(super) fn new(view: PipelineView, stylesheet: &'static str, now: Timestamp) -> Self {
        let pipeline = view.pipeline.unwrap_or_default();
        Self {
            title: format!("{pipeline} · {}", view.repository),
            stylesheet,
            repository: view.repository,
            pipeline,
            owner: view.owner,
            issue_url: view.issue_url.as_deref().and_then(link).map(str::to_owned),
            error: view.error.as_deref().map(parts),
            has_pins: view.stages.iter().any(|stage| !stage.pins.is_empty()),
            stages: view.stages.into_iter().map(|stage| Stage::new(stage, now)).collect(),
            history: view.history.iter().map(|line| Line::new(line, now)).collect(),
            updated: Time::new(view.updated_at, now),
        }
    }
}

impl Time {
    fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { machine: machine(at), people: people(at), age: age(now, at) }
    }
}

impl Stage {
    fn new(view: StageView, now: Timestamp) -> Self {
        let presence = view.rollback_target.as_ref().map(|target| target.present);
        Self {
            since: view.since.map(|since| Time::new(since, now)),
            lane: view.lane.clone().filter(|lane| lane != "normal"),
            holds: view.holds.iter().map(|hold| parts(hold)).collect(),
            pull_request: view.pull_request.clone().filter(|request| link(&request.url).is_some()),
            running_url: view
                .running
                .as_ref()
                .and_then(|running| link(running.url.as_deref()?).map(str::to_owned)),
            is_target_missing: presence == Some(Presence::No),
            target_word: view
                .rollback_target
                .as_ref()
                .map_or_else(String::new, |target| target.words().to_owned()),
            view,
        }
    }
}

impl Line {
    fn new(line: &HistoryLine, now: Timestamp) -> Self {
        Self {
            at: Time::new(line.at, now),
            text: parts(&line.text),
            url: line.url.as_deref().and_then(link).map(str::to_owned),
        }
    }
}
