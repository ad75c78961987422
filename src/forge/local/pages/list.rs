//! The lists of pull requests and issues.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use super::App;
use super::body::{Badge, Frame, name, visible};
use super::moment::{Moment, ago};
use super::problem::{Problem, page, redirect};
use super::visitor::Visitor;
use crate::forge::local::BOT_NAME;
use crate::forge::local::folder::Marks;
use crate::forge::local::thread::{Kind, Thread};
use crate::forge::{CheckStatus, Number};

/// How many closed pull requests a page lists.
const CLOSED_PER_PAGE: usize = 30;
/// How many files are looked at to find them: one page costs at most that many reads.
const CLOSED_LOOK_MAX: u64 = 300;
/// The most open ones listed, so that a page stays under 500 kB.
const OPEN_MAX: usize = 500;

/// What the list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    state: Which,
    before: Option<Number>,
}

/// Which pull requests are listed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    #[default]
    Open,
    Closed,
}

#[derive(Template)]
#[template(path = "forge/list.html")]
struct ListPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    left_out: usize,
    next: Option<Number>,
}

struct Row {
    number: Number,
    path: String,
    badge: Badge,
    title: String,
    author: String,
    labels: Vec<String>,
    /// `branch → base`; empty for an issue.
    branches: String,
    check: Option<Badge>,
    opened: Moment,
    ago: String,
    comments: usize,
}

pub(super) async fn home(State(site): State<App>) -> Response {
    redirect(&site.path("/pulls"))
}

pub(super) async fn pulls(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad(error.body_text()))?;
    let frame = Frame::new(&site, Some(&visitor), "Pull requests");
    if wanted.state == Which::Closed {
        let before = wanted.before.unwrap_or(Number::MAX);
        let (threads, next) = site
            .forge
            .folder
            .reading(move |folder| folder.closed_pulls(before, CLOSED_PER_PAGE, CLOSED_LOOK_MAX))
            .await?;
        let rows = site.rows(&threads).await?;
        return Ok(page(StatusCode::OK, &ListPage { frame, tab: "closed", rows, left_out: 0, next }));
    }
    let open = site.forge.current_open().await?;
    let threads: Vec<Thread> = open.into_iter().rev().map(|current| current.thread).collect();
    let left_out = threads.len().saturating_sub(OPEN_MAX);
    let rows = site.rows(threads.get(..threads.len().min(OPEN_MAX)).unwrap_or_default()).await?;
    Ok(page(StatusCode::OK, &ListPage { frame, tab: "open", rows, left_out, next: None }))
}

pub(super) async fn issues(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let frame = Frame::new(&site, Some(&visitor), "Issues");
    let mut threads = site.forge.folder.reading(|folder| folder.open_threads(Marks::Issues)).await?;
    let left_out = threads.len().saturating_sub(OPEN_MAX);
    threads.truncate(OPEN_MAX);
    let rows = site.rows(&threads).await?;
    Ok(page(StatusCode::OK, &ListPage { frame, tab: "issues", rows, left_out, next: None }))
}

impl super::Site {
    async fn rows(&self, threads: &[Thread]) -> Result<Vec<Row>, Problem> {
        let now = self.forge.now();
        let mut rows = Vec::new();
        for thread in threads {
            rows.push(Row { check: self.own_check(thread).await?, ..row(thread, now) });
        }
        Ok(rows)
    }

    /// How lockkeeper's check stands on the head.
    async fn own_check(&self, thread: &Thread) -> Result<Option<Badge>, Problem> {
        let Kind::Pull(pull) = &thread.kind else { return Ok(None) };
        let head = pull.head;
        let checks = self.forge.folder.reading(move |folder| folder.checks(head)).await?;
        let own = checks.iter().find(|check| check.app == BOT_NAME && check.name == BOT_NAME);
        let status = own.map(|check| check.status);
        let any_failed = checks.iter().any(|check| check.status == CheckStatus::Failed);
        Ok(if any_failed { Some(CheckStatus::Failed) } else { status }.map(Badge::of_check))
    }
}

fn row(thread: &Thread, now: Timestamp) -> Row {
    let (kind, branches) = match &thread.kind {
        Kind::Pull(pull) => ("pulls", visible(&format!("{} → {}", pull.branch, pull.base))),
        Kind::Issue { .. } => ("issues", String::new()),
    };
    Row {
        number: thread.number,
        path: format!("/{kind}/{}", thread.number),
        badge: Badge::of_state(&thread.state),
        title: visible(&thread.title),
        author: name(&thread.author),
        labels: thread.labels.iter().map(|label| visible(label)).collect(),
        branches,
        check: None,
        opened: Moment::new(thread.opened_at),
        ago: ago(thread.opened_at, now),
        comments: thread.comments.len(),
    }
}
