//! The board: which release is where, for all pipelines on one page.

use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::text::{age, link, machine, parts, people};
use crate::plan::view::{PipelineView, Presence, StageState, StageView};

/// Longest filter text that is looked at, in characters.
const FILTER_CHARS_MAX: usize = 100;

/// What part of the board is wanted; all of it stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filter {
    /// Part of a pipeline's, repository's or owner's name, of a version, or of a digest.
    #[serde(default)]
    q: String,
    /// Only pipelines with a stage in this state.
    state: Option<StageState>,
}

#[derive(Template)]
#[template(path = "board/board.html")]
pub(super) struct Board {
    title: &'static str,
    stylesheet: &'static str,
    q: String,
    as_of: String,
    as_of_machine: String,
    chips: Vec<Chip>,
    repositories: Vec<Repository>,
    shown: usize,
    all: usize,
    has_many_repositories: bool,
}

/// A filter by state, and how many pipelines it shows.
struct Chip {
    label: &'static str,
    class: &'static str,
    href: String,
    count: usize,
    is_on: bool,
}

struct Repository {
    name: String,
    error: Option<Vec<(bool, String)>>,
    issue_url: Option<String>,
    tables: Vec<Table>,
}

/// Pipelines with the same stages, so that a column means one stage and no pipeline gets the columns of all.
struct Table {
    stages: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    name: String,
    group: Option<String>,
}

struct Row {
    repository: String,
    pipeline: String,
    owner: Option<String>,
    error: Option<Vec<(bool, String)>>,
    cells: Vec<Cell>,
}

struct Cell {
    class: &'static str,
    stage: String,
    version: Option<String>,
    word: String,
    short: String,
    since: Option<(String, String)>,
    pull_request: Option<(u64, String)>,
    rollback: Option<Rollback>,
}

struct Rollback {
    text: String,
    is_alarm: bool,
}

impl Board {
    /// Arranges the views; `all` pipelines are counted, those that pass the filter are shown.
    pub(super) fn new(
        views: &[PipelineView],
        filter: &Filter,
        stylesheet: &'static str,
        now: Timestamp,
    ) -> Self {
        let wanted: String = filter.q.trim().chars().take(FILTER_CHARS_MAX).collect();
        let pipelines: Vec<_> = views.iter().filter(|view| view.pipeline.is_some()).collect();
        let found: Vec<_> = pipelines.iter().copied().filter(|view| mentions(view, &wanted)).collect();
        let shown: Vec<_> = found.iter().copied().filter(|view| is_in(view, filter.state)).collect();
        let repositories = arrange(views, &shown, now);
        Self {
            title: "Board",
            stylesheet,
            as_of: people(now),
            as_of_machine: machine(now),
            chips: chips(&found, filter.state, &wanted),
            has_many_repositories: repositories.len() > 1,
            repositories,
            shown: shown.len(),
            all: pipelines.len(),
            q: wanted,
        }
    }
}

fn mentions(view: &PipelineView, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("sha256:").to_lowercase();
    let names = [Some(&view.repository), view.pipeline.as_ref(), view.owner.as_ref()];
    let of_stages = view.stages.iter().flat_map(|stage| [stage.version.as_ref(), stage.short.as_ref()]);
    let mut texts = names.into_iter().chain(of_stages).flatten();
    // A full digest finds its short form.
    wanted.is_empty()
        || texts.any(|text| text.to_lowercase().contains(&wanted))
        || view.stages.iter().any(|stage| is_long_form(&wanted, stage))
}

fn is_long_form(wanted: &str, stage: &StageView) -> bool {
    stage.short.as_ref().is_some_and(|short| !short.is_empty() && wanted.starts_with(short.as_str()))
}

/// A pipeline that cannot be worked on counts as failed.
fn is_in(view: &PipelineView, state: Option<StageState>) -> bool {
    let Some(state) = state else { return true };
    let is_broken = state == StageState::Failed && view.error.is_some();
    is_broken || view.stages.iter().any(|stage| stage.state == state)
}

fn chips(views: &[&PipelineView], on: Option<StageState>, q: &str) -> Vec<Chip> {
    let query = url_encoded(q);
    let all = Chip {
        label: "all",
        class: "",
        href: format!("/?q={query}"),
        count: views.len(),
        is_on: on.is_none(),
    };
    let of_state = |state: StageState| Chip {
        label: state.label(),
        class: state.class(),
        href: format!("/?q={query}&state={}", name_in_address(state)),
        count: views.iter().filter(|view| is_in(view, Some(state))).count(),
        is_on: on == Some(state),
    };
    let states =
        StageState::ALL.into_iter().filter(|state| !matches!(state, StageState::Live | StageState::Empty));
    std::iter::once(all).chain(states.map(of_state)).collect()
}

fn name_in_address(state: StageState) -> &'static str {
    if state == StageState::Person { "person" } else { state.label() }
}

fn url_encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn arrange(views: &[PipelineView], shown: &[&PipelineView], now: Timestamp) -> Vec<Repository> {
    let mut repositories: BTreeMap<&str, Repository> = BTreeMap::new();
    for view in views.iter().filter(|view| view.pipeline.is_none()) {
        let of_repository = repositories.entry(&view.repository).or_insert_with(|| Repository::named(view));
        of_repository.error = view.error.as_deref().map(parts);
        of_repository.issue_url = view.issue_url.as_deref().and_then(link).map(str::to_owned);
    }
    let mut tables: BTreeMap<(&str, Vec<Column>), Vec<Row>> = BTreeMap::new();
    for view in shown {
        let columns = view.stages.iter().map(Column::of).collect();
        tables.entry((&view.repository, columns)).or_default().push(Row::of(view, now));
        repositories.entry(&view.repository).or_insert_with(|| Repository::named(view));
    }
    for ((repository, stages), rows) in tables {
        if let Some(repository) = repositories.get_mut(repository) {
            repository.tables.push(Table { stages, rows });
        }
    }
    let mut repositories: Vec<_> = repositories.into_values().collect();
    repositories.retain(|repository| repository.error.is_some() || !repository.tables.is_empty());
    for repository in &mut repositories {
        // The longest table first: it is the shape that most pipelines share.
        repository.tables.sort_by_key(|table| std::cmp::Reverse(table.rows.len()));
    }
    repositories
}

impl Repository {
    fn named(view: &PipelineView) -> Self {
        Self { name: view.repository.clone(), error: None, issue_url: None, tables: Vec::new() }
    }
}

impl Column {
    fn of(stage: &StageView) -> Self {
        Self { name: stage.name.clone(), group: stage.group.clone() }
    }
}

impl Row {
    fn of(view: &PipelineView, now: Timestamp) -> Self {
        Self {
            repository: view.repository.clone(),
            pipeline: view.pipeline.clone().unwrap_or_default(),
            owner: view.owner.clone(),
            error: view.error.as_deref().map(parts),
            cells: view.stages.iter().map(|stage| Cell::of(stage, now)).collect(),
        }
    }
}

impl Cell {
    fn of(stage: &StageView, now: Timestamp) -> Self {
        let pull_request = stage.pull_request.as_ref();
        Self {
            class: stage.state.class(),
            stage: stage.name.clone(),
            version: stage.version.clone(),
            word: stage.word.clone(),
            short: stage.short.clone().unwrap_or_default(),
            since: stage.since.map(|since| (machine(since), age(now, since))),
            pull_request: pull_request
                .and_then(|request| Some((request.number, link(&request.url)?.to_owned()))),
            rollback: rollback(stage),
        }
    }
}

/// Shown where it matters at a glance: where it is missing, and where the stage is in trouble.
fn rollback(stage: &StageView) -> Option<Rollback> {
    let target = stage.rollback_target.as_ref()?;
    let is_alarm = target.present == Presence::No;
    let is_in_trouble = matches!(stage.state, StageState::Failed | StageState::Drift | StageState::Held);
    let text = format!("{} {}", target.version, target.words());
    (is_alarm || is_in_trouble).then_some(Rollback { text, is_alarm })
}
