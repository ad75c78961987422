//! The page of a pull request's commits, with their trailers.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::App;
use super::body::{Frame, visible};
use super::moment::Moment;
use super::problem::{Problem, page};
use super::pull::{Head, parsed};
use super::visitor::Visitor;
use crate::forge::local::thread::Pull;
use crate::forge::{PullRequestState, local::LocalForge};
use crate::repository::{Commit, CommitId, RepositoryError, trailers};

/// The most commits shown.
const COMMITS_MAX: usize = 100;
/// The longest message shown, in letters.
const MESSAGE_LETTERS_MAX: usize = 10_000;

#[derive(Template)]
#[template(path = "forge/commits.html")]
struct CommitsPage {
    frame: Frame,
    head: Head,
    merge: Option<CommitRow>,
    commits: Vec<CommitRow>,
    is_cut: bool,
    problem: String,
}

/// One commit.
struct CommitRow {
    id: String,
    short: String,
    subject: String,
    author: String,
    at: Moment,
    text: String,
    trailers: Vec<(String, String)>,
}

pub(super) async fn show(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let current = site.forge.current(parsed(&number)?).await?;
    let kept = current.thread.pull()?.clone();
    let pull = site.forge.view(current).await?;
    let merged = match &pull.state {
        PullRequestState::Merged { commit, .. } => Some(*commit),
        PullRequestState::Open | PullRequestState::Closed { .. } => None,
    };
    let (found, problem) = match site.forge.commits_of(&kept, merged).await {
        Ok(found) => (found, String::new()),
        Err(error) => ((None, Vec::new()), format!("The commits cannot be shown: {error}.")),
    };
    let (merge, commits) = found;
    let page_of = CommitsPage {
        frame: Frame::new(&site, Some(&visitor), &visible(&format!("Commits of #{}", pull.number))),
        head: Head::new(&pull, site.forge.now(), "commits"),
        merge: merge.as_ref().map(row),
        is_cut: commits.len() >= COMMITS_MAX,
        commits: commits.iter().map(row).collect(),
        problem,
    };
    Ok(page(StatusCode::OK, &page_of))
}

impl LocalForge {
    /// The merge commit and the commits of the branch, newest first.
    async fn commits_of(
        &self,
        pull: &Pull,
        merged: Option<CommitId>,
    ) -> Result<(Option<Commit>, Vec<Commit>), RepositoryError> {
        let merge = match merged {
            Some(commit) => self.mirror.first_parents(commit, 1).await?.pop(),
            None => None,
        };
        let (from, to) = (pull.base_head.to_string(), pull.head.to_string());
        Ok((merge, self.mirror.between(&from, &to, COMMITS_MAX).await?))
    }
}

fn row(commit: &Commit) -> CommitRow {
    let message: String = commit.message.chars().take(MESSAGE_LETTERS_MAX).collect();
    let (subject, text) = message.split_once('\n').unwrap_or((&message, ""));
    let trailers = trailers(&message);
    // The trailers are shown as a table; what stands before their paragraph is the text.
    let text = if trailers.is_empty() {
        text.trim()
    } else {
        text.trim_end().rsplit_once("\n\n").map_or("", |(text, _)| text.trim())
    };
    CommitRow {
        id: commit.id.to_string(),
        short: commit.id.short(),
        subject: visible(subject),
        author: visible(&commit.author_name),
        at: Moment::new(commit.at),
        text: text.split('\n').map(visible).collect::<Vec<_>>().join("\n"),
        trailers: trailers.iter().map(|(key, value)| (visible(key), visible(value))).collect(),
    }
}
