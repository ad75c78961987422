//! The page of a pull request's difference.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::body::{Frame, visible};
use super::diff::{FileDiff, diffs};
use super::problem::{Problem, page};
use super::pull::{Head, parsed};
use super::visitor::Visitor;
use super::{App, Site};
use crate::forge::local::thread::Thread;

/// The most files compared.
const FILES_MAX: usize = 100;

#[derive(Template)]
#[template(path = "forge/changes.html")]
struct ChangesPage {
    frame: Frame,
    head: Head,
    files: Vec<FileDiff>,
    problem: String,
    is_cut: bool,
}

pub(super) async fn show(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let current = site.forge.current(parsed(&number)?).await?;
    let thread = current.thread.clone();
    let pull = site.forge.view(current).await?;
    let (files, problem) = match site.files_of(&thread).await {
        Ok(files) => (files, String::new()),
        Err(problem) => (Vec::new(), problem),
    };
    let frame = Frame::new(&site, Some(&visitor), &visible(&format!("Changes of #{}", pull.number)));
    let head = Head::new(&pull, site.forge.now(), "changes");
    let is_cut = files.len() >= FILES_MAX;
    Ok(page(StatusCode::OK, &ChangesPage { frame, head, files, problem, is_cut }))
}

impl Site {
    /// What the pull request changes since it left its base; or why that cannot be shown, in a sentence.
    pub(super) async fn files_of(&self, thread: &Thread) -> Result<Vec<FileDiff>, String> {
        let gone = |error: &dyn std::fmt::Display| format!("The difference cannot be shown: {error}.");
        let pull = thread.pull().map_err(|error| gone(&error))?;
        let mirror = &self.forge.mirror;
        let from = mirror.merge_base(pull.base_head, pull.head).await.map_err(|error| gone(&error))?;
        let from = from.unwrap_or(pull.base_head);
        let changes = mirror.changes(from, pull.head, FILES_MAX).await.map_err(|error| gone(&error))?;
        tokio::task::spawn_blocking(move || diffs(&changes)).await.map_err(|error| gone(&error))
    }
}
