//! What people do on the pages: comment, review, merge, close.

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::posted::{Posted, Tied};
use super::problem::{Problem, redirect};
use super::pull::parsed;
use super::{App, Site};
use crate::forge::local::Actor;
use crate::forge::{Number, PullRequestState, Verdict};
use crate::repository::CommitId;

/// A comment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommentForm {
    form_token: String,
    text: String,
}

/// A review of the head that the page showed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewForm {
    form_token: String,
    head: CommitId,
    verdict: Verdict,
}

/// A merge of the head that the page showed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeForm {
    form_token: String,
    head: CommitId,
}

/// A closing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseForm {
    form_token: String,
}

pub(super) async fn comment(
    State(site): State<App>,
    Path(number): Path<String>,
    posted: Posted<CommentForm>,
) -> Result<Response, Problem> {
    let number = parsed(&number)?;
    let id = site.forge.write_comment(&posted.actor, number, &posted.form.text).await?;
    Ok(redirect(&format!("{}#comment-{id}", site.page_of(number).await?)))
}

pub(super) async fn review(
    State(site): State<App>,
    Path(number): Path<String>,
    posted: Posted<ReviewForm>,
) -> Result<Response, Problem> {
    let number = parsed(&number)?;
    let Posted { form, actor, .. } = posted;
    site.still_shown(number, form.head, &actor).await?;
    let id = site.forge.review(&actor, number, form.head, form.verdict).await?;
    Ok(redirect(&format!("{}#review-{id}", site.page_of(number).await?)))
}

pub(super) async fn merge(
    State(site): State<App>,
    Path(number): Path<String>,
    posted: Posted<MergeForm>,
) -> Result<Response, Problem> {
    let number = parsed(&number)?;
    site.forge.merge_by(&posted.actor, number, posted.form.head).await?;
    Ok(redirect(&site.page_of(number).await?))
}

pub(super) async fn close(
    State(site): State<App>,
    Path(number): Path<String>,
    posted: Posted<CloseForm>,
) -> Result<Response, Problem> {
    let number = parsed(&number)?;
    site.forge.close_by(&posted.actor, number).await?;
    Ok(redirect(&site.page_of(number).await?))
}

impl Site {
    async fn page_of(&self, number: Number) -> Result<String, Problem> {
        let thread = self.forge.folder.reading(move |folder| folder.thread(number)).await?;
        let page = self.forge.page(&thread);
        let path = page.strip_prefix(self.forge.base_url()).unwrap_or_default();
        Ok(self.path(path))
    }

    /// Whether the reviewer saw what is there now, in words that say what to do.
    async fn still_shown(&self, number: Number, head: CommitId, actor: &Actor) -> Result<(), Problem> {
        let thread = self.forge.current(number).await?.thread;
        let now = thread.pull()?.head;
        if now == head || thread.state != PullRequestState::Open {
            return Ok(());
        }
        tracing::info!(number, person = actor.person.id, "review of an older head was refused");
        let text = format!(
            "While you looked at {}, new commits came: the head is now {}. Your review was not counted. Go back, look \
             at the changes as they are now, and review again.",
            head.short(),
            now.short()
        );
        Err(Problem::new(http::StatusCode::CONFLICT, "The head moved", text))
    }
}

macro_rules! tied {
    ($($form:ident),*) => {
        $(impl Tied for $form {
            fn form_token(&self) -> &str {
                &self.form_token
            }
        })*
    };
}

tied!(CommentForm, ReviewForm, MergeForm, CloseForm);
