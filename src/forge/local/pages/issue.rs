//! The page of an issue.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;

use super::body::{Badge, Frame, name, visible};
use super::moment::{Moment, ago};
use super::problem::{Problem, page, redirect};
use super::pull::{Wanted, parsed, prefill};
use super::talk::Talk;
use super::visitor::Visitor;
use super::{App, markdown};
use crate::forge::local::thread::Kind;
use crate::forge::{Number, Permission};

#[derive(Template)]
#[template(path = "forge/issue.html")]
struct IssuePage {
    frame: Frame,
    number: Number,
    title: String,
    badge: Badge,
    author: String,
    opened: Moment,
    ago: String,
    body: String,
    talk: Talk,
    may_comment: bool,
    may_close: bool,
    prefill: String,
}

pub(super) async fn show(
    State(site): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad(error.body_text()))?;
    let number = parsed(&number)?;
    let thread = site.forge.folder.reading(move |folder| folder.thread(number)).await?;
    if let Kind::Pull(_) = thread.kind {
        return Ok(redirect(&site.path(&format!("/pulls/{number}"))));
    }
    let now = site.forge.now();
    let permission = visitor.known.as_ref().map_or(Permission::None, |(known, _)| known.permission);
    let page_of = IssuePage {
        frame: Frame::new(&site, Some(&visitor), &visible(&format!("{} · #{number}", thread.title))),
        number,
        title: visible(&thread.title),
        badge: Badge::of_state(&thread.state),
        author: name(&thread.author),
        opened: Moment::new(thread.opened_at),
        ago: ago(thread.opened_at, now),
        body: markdown::render(&thread.body),
        talk: Talk::new(&thread, now),
        may_comment: permission >= Permission::Read,
        may_close: permission >= Permission::Write && thread.is_open(),
        prefill: prefill(wanted.comment)?,
    };
    Ok(page(StatusCode::OK, &page_of))
}
