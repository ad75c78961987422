//! The page of a pull request, and its twin for programs.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::body::{Badge, Frame, name, visible};
use super::diff::FileDiff;
use super::moment::{Moment, ago};
use super::problem::{Problem, page, redirect};
use super::talk::{Talk, verdict};
use super::visitor::Visitor;
use super::{App, Site, markdown};
use crate::forge::local::pull::Current;
use crate::forge::local::thread::{Kind, Thread};
use crate::forge::{
    Check, CheckStatus, Number, Permission, PersonId, PullRequest, PullRequestState, Review, Verdict,
};

/// A difference of at most that many lines stands on the page itself: a promotion changes one line per image.
const INLINE_LINES_MAX: usize = 120;
/// The longest text that a link may put into the comment field, in bytes.
const PREFILL_BYTES_MAX: usize = 2_000;

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// A text for the comment field, so that other pages can link to a command that is ready to be sent.
    pub(super) comment: Option<String>,
}

/// The head of every page of one pull request.
pub(super) struct Head {
    pub(super) number: Number,
    pub(super) title: String,
    pub(super) badge: Badge,
    pub(super) author: String,
    pub(super) branch: String,
    pub(super) base: String,
    /// The commit at the head, 40 digits.
    pub(super) commit: String,
    pub(super) opened: Moment,
    pub(super) ago: String,
    pub(super) tab: &'static str,
    /// Whether the page has a field for comments, far down.
    pub(super) may_comment: bool,
    pub(super) may_review: bool,
}

#[derive(Template)]
#[template(path = "forge/pull.html")]
struct PullPage {
    frame: Frame,
    head: Head,
    body: String,
    labels: Vec<String>,
    checks: Vec<CheckRow>,
    reviews: Vec<ReviewRow>,
    files: Vec<FileDiff>,
    more_changes: String,
    talk: Talk,
    standing: Badge,
    standing_text: String,
    may: May,
    prefill: String,
}

struct CheckRow {
    badge: Badge,
    name: String,
    app: String,
    summary: String,
    text: String,
}

struct ReviewRow {
    symbol: &'static str,
    class: &'static str,
    text: String,
}

/// Which forms are shown, and why some are not.
struct May {
    comment: bool,
    review: bool,
    write: bool,
    why_not: String,
}

pub(super) async fn show(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad(error.body_text()))?;
    let as_json = number.strip_suffix(".json");
    let current = site.forge.current(parsed(as_json.unwrap_or(&number))?).await?;
    if let Kind::Issue { .. } = current.thread.kind {
        return Ok(redirect(&site.path(&format!("/issues/{}", current.thread.number))));
    }
    if as_json.is_some() {
        return site.pull_json(current).await;
    }
    let prefill = prefill(wanted.comment)?;
    let now = site.forge.now();
    let Current { thread, mergeable } = current.clone();
    let pull = site.forge.view(current).await?;
    let (files, more_changes) = site.inline_changes(&thread).await;
    let (standing, standing_text) = standing(&pull, mergeable, site.forge.required_check.as_deref());
    let may = may(&visitor, &site, &pull);
    let page_of = PullPage {
        frame: Frame::new(&site, Some(&visitor), &visible(&format!("{} · #{}", pull.title, pull.number))),
        head: Head { may_comment: may.comment, may_review: may.review, ..Head::new(&pull, now, "talk") },
        body: markdown::render(&pull.body),
        labels: thread.labels.iter().map(|label| visible(label)).collect(),
        checks: pull.checks.iter().map(check_row).collect(),
        reviews: review_rows(&pull),
        files,
        more_changes,
        talk: Talk::new(&thread, now),
        may,
        standing,
        standing_text,
        prefill,
    };
    Ok(page(StatusCode::OK, &page_of))
}

/// The number in the path.
pub(super) fn parsed(text: &str) -> Result<Number, Problem> {
    text.parse().map_err(|_| Problem::not_found("pull request or issue of that number"))
}

/// The text that a link puts into the comment field.
pub(super) fn prefill(text: Option<String>) -> Result<String, Problem> {
    let text = text.unwrap_or_default();
    if text.len() > PREFILL_BYTES_MAX {
        return Err(Problem::bad(format!(
            "The comment in the link has more than {PREFILL_BYTES_MAX} bytes."
        )));
    }
    Ok(text)
}

impl Head {
    pub(super) fn new(pull: &PullRequest, now: jiff::Timestamp, tab: &'static str) -> Self {
        Self {
            number: pull.number,
            title: visible(&pull.title),
            badge: Badge::of_state(&pull.state),
            author: name(&pull.author),
            branch: visible(&pull.branch),
            base: visible(&pull.base),
            commit: pull.head.to_string(),
            opened: Moment::new(pull.opened_at),
            ago: ago(pull.opened_at, now),
            tab,
            may_comment: false,
            may_review: false,
        }
    }

    /// The head as people read it.
    fn short(&self) -> &str {
        self.commit.get(..12).unwrap_or(&self.commit)
    }
}

impl Site {
    async fn pull_json(&self, current: Current) -> Result<Response, Problem> {
        let thread = current.thread.clone();
        let pull = self.forge.view(current).await?;
        let comment = |spoken: &crate::forge::local::thread::Spoken| {
            let reactions: Vec<_> = spoken.reactions.values().collect();
            json!({ "comment": spoken.comment(thread.number), "reactions": reactions })
        };
        let comments: Vec<_> = thread.comments.iter().map(comment).collect();
        let json = json!({ "pull_request": pull, "labels": thread.labels, "comments": comments, "events": thread.events });
        Ok(axum::Json(json).into_response())
    }

    /// The difference, if it is small enough to stand on the page; else a word about it.
    async fn inline_changes(&self, thread: &Thread) -> (Vec<FileDiff>, String) {
        let files = match self.files_of(thread).await {
            Ok(files) => files,
            Err(reason) => return (Vec::new(), reason),
        };
        let lines: usize = files.iter().flat_map(|file| &file.hunks).map(|hunk| hunk.lines.len()).sum();
        if lines <= INLINE_LINES_MAX {
            return (files, String::new());
        }
        let added: usize = files.iter().map(|file| file.added).sum();
        let removed: usize = files.iter().map(|file| file.removed).sum();
        let text = format!("{} files, {added} lines added, {removed} removed.", files.len());
        (Vec::new(), text)
    }
}

fn check_row(check: &Check) -> CheckRow {
    CheckRow {
        badge: Badge::of_check(check.status),
        name: visible(&check.name),
        app: visible(&check.app),
        // One plain line: code needs no marks here.
        summary: visible(&check.summary).replace('`', ""),
        text: if check.text.is_empty() { String::new() } else { markdown::render(&check.text) },
    }
}

/// The latest review of each person.
fn review_rows(pull: &PullRequest) -> Vec<ReviewRow> {
    let mut latest: std::collections::BTreeMap<PersonId, &Review> = std::collections::BTreeMap::new();
    for review in &pull.reviews {
        latest.insert(review.person.id, review);
    }
    let counts = latest.into_values().filter(|review| review.verdict != Verdict::Dismissed);
    counts
        .map(|review| {
            let (symbol, class, words) = verdict(review.verdict);
            let is_old = review.head != pull.head;
            let (symbol, class) = if is_old { ("·", "") } else { (symbol, class) };
            let old = if is_old { ": an older head, does not count" } else { "" };
            let text = format!("{} {words} {}{old}", name(&review.person), review.head.short());
            ReviewRow { symbol, class, text }
        })
        .collect()
}

/// Whether it can be merged, as one state and one sentence.
fn standing(pull: &PullRequest, mergeable: Option<bool>, required: Option<&str>) -> (Badge, String) {
    let badge = |symbol, word, class| Badge { symbol, word, class };
    match &pull.state {
        PullRequestState::Merged { commit, at, by } => {
            let text = format!("{} as {} · {}", name(by), commit.short(), Moment::new(*at).shown);
            return (Badge::of_state(&pull.state), text);
        }
        PullRequestState::Closed { at, by } => {
            return (Badge::of_state(&pull.state), format!("{} · {}", name(by), Moment::new(*at).shown));
        }
        PullRequestState::Open => {}
    }
    if mergeable != Some(true) {
        let text = format!("It conflicts with {}, or has nothing in common with it.", visible(&pull.base));
        return (badge("✖", "conflict", "stop"), text);
    }
    let passed = |wanted: &str| {
        let own = |check: &&Check| check.name == wanted && check.app == crate::forge::local::BOT_NAME;
        pull.checks.iter().find(own).is_some_and(|check| check.status == CheckStatus::Passed)
    };
    match required.filter(|wanted| !passed(wanted)) {
        Some(wanted) => (
            badge("◔", "waiting", "wait"),
            format!("Check {wanted} has not passed on {}.", pull.head.short()),
        ),
        None => (badge("✓", "ready", "go"), format!("Merges cleanly into {}.", visible(&pull.base))),
    }
}

fn may(visitor: &Visitor, site: &Site, pull: &PullRequest) -> May {
    let Some((known, _)) = &visitor.known else {
        let why_not = "Sign in to comment or review.".to_owned();
        return May { comment: false, review: false, write: false, why_not };
    };
    let permission = visitor.permission(site.options.sign_in);
    let is_open = pull.state == PullRequestState::Open;
    let may_write = permission >= Permission::Write && !known.person.bot;
    let is_author = known.person.id == pull.author.id;
    let why_not = match (is_open, may_write, is_author) {
        (true, false, _) => {
            format!("{} may comment; to review takes the permission to write.", known.person.name)
        }
        (true, true, true) => "You opened it, so somebody else reviews it.".to_owned(),
        (true, true, false) | (false, _, _) => String::new(),
    };
    May {
        comment: permission >= Permission::Read,
        review: is_open && may_write && !is_author,
        write: is_open && may_write,
        why_not,
    }
}
