//! Waiting for the server: by looking at the forge and at the board until something is there.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::sample::{ENVIRONMENT, PIPELINE};
use super::{Demo, DemoError};
use crate::forge::{CommentId, Forge as _, Number};
use crate::image::Release;
use crate::pipeline::PipelineName;
use crate::plan::view::{PipelineView, StageView};
use crate::promotion::{Event, Lane};
use crate::repository::{CommitId, CommitIdError};
use crate::store::Key;

/// How long any one thing may take; the slowest, a soak of two seconds and a merge, takes three.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two looks, where the store says nothing before.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Events that are read: the story has some hundred, and a visitor adds a few with each click.
const EVENTS_MAX: usize = 10_000;
/// Comments that are read after one, for the reply to it.
const COMMENTS_MAX: usize = 1_000;

/// One look: what was waited for, or what is there instead.
pub(super) type Look<T> = Result<ControlFlow<T, String>, DemoError>;

/// An open pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proposed {
    pub(super) number: Number,
    pub(super) head: CommitId,
}

/// A merged pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) number: Number,
    pub(super) commit: String,
}

impl Demo {
    /// Looks until it is there.
    pub(super) async fn until<T>(
        &self,
        wanted: &str,
        look: impl AsyncFn() -> Look<T>,
    ) -> Result<T, DemoError> {
        let begun = Instant::now();
        let mut changes = self.store.subscribe();
        loop {
            if self.is_over() {
                return Err(DemoError::Part { part: "the server", source: "it ended".into() });
            }
            match look().await? {
                ControlFlow::Break(found) => return Ok(found),
                ControlFlow::Continue(found) if begun.elapsed() > WAIT_MAX => {
                    return Err(DemoError::Waited { wanted: wanted.to_owned(), waited: WAIT_MAX, found });
                }
                ControlFlow::Continue(_) => {}
            }
            let _ = tokio::time::timeout(LOOK_INTERVAL, changes.changed()).await;
        }
    }

    /// The stage, once the board shows what `is_it` wants.
    pub(super) async fn stage(
        &self,
        name: &str,
        wanted: &str,
        is_it: impl Fn(&StageView) -> bool,
    ) -> Result<StageView, DemoError> {
        let look = async || {
            Ok(match self.view(name).await? {
                Ok(stage) if is_it(&stage) => ControlFlow::Break(stage),
                Ok(stage) => ControlFlow::Continue(shown(&stage)),
                Err(found) => ControlFlow::Continue(found),
            })
        };
        self.until(&format!("{name}: {wanted}"), look).await
    }

    /// The pull request that is open for this version in this stage.
    pub(super) async fn proposed(&self, stage: &str, version: &str) -> Result<Proposed, DemoError> {
        let look = async || {
            let events = self.events().await?;
            let found = proposed(&events, stage, version);
            let found = found.transpose().map_err(DemoError::part("the store"))?;
            self.or_shown(stage, found).await
        };
        self.until(&format!("{version} is proposed for {stage}"), look).await
    }

    /// The pull request that brought this version into this stage by this lane.
    pub(super) async fn merged(&self, stage: &str, version: &str, lane: Lane) -> Result<Merged, DemoError> {
        let look = async || {
            let events = self.events().await?;
            let found = events.iter().rev().find_map(|event| merged(event, stage, version, lane));
            self.or_shown(stage, found).await
        };
        self.until(&format!("{version} is merged into {stage}"), look).await
    }

    /// The reply to a comment, without its marker, once it says this.
    pub(super) async fn reply(&self, comment: CommentId, text: &str) -> Result<String, DemoError> {
        let marker = format!("<!-- lockkeeper:reply:{comment} ");
        let look = async || {
            let said = self.forge.comments_after(comment, COMMENTS_MAX).await;
            let said = said.map_err(DemoError::part("the forge"))?;
            let reply = said.into_iter().map(|comment| comment.body).find(|body| body.starts_with(&marker));
            Ok(match reply {
                Some(reply) if reply.contains(text) => ControlFlow::Break(reply),
                Some(reply) => ControlFlow::Continue(reply),
                None => ControlFlow::Continue("no reply".to_owned()),
            })
        };
        self.until(&format!("a reply with the words “{text}”"), look).await
    }

    async fn or_shown<T>(&self, stage: &str, found: Option<T>) -> Look<T> {
        Ok(match (found, self.view(stage).await?) {
            (Some(found), _) => ControlFlow::Break(found),
            (None, Ok(stage)) => ControlFlow::Continue(shown(&stage)),
            (None, Err(found)) => ControlFlow::Continue(found),
        })
    }

    /// The stage as the board shows it, or what the board says instead.
    async fn view(&self, name: &str) -> Result<Result<StageView, String>, DemoError> {
        let view = self.store.view(&key()?).await.map_err(DemoError::part("the store"))?;
        let Some(view) = view else { return Ok(Err("the pipeline is not on the board".to_owned())) };
        let view: PipelineView = serde_json::from_value(view).map_err(DemoError::part("the board"))?;
        if let Some(error) = view.error {
            return Ok(Err(error));
        }
        let stage = view.stages.into_iter().find(|stage| stage.name == name);
        Ok(stage.ok_or_else(|| "the stage is not on the board".to_owned()))
    }

    /// The operations issue.
    pub(super) async fn issue(&self) -> Result<Number, DemoError> {
        let look = async || {
            let events = self.events().await?;
            let number =
                |event: &Event| if let Event::IssueOpened { number } = event { Some(*number) } else { None };
            Ok(match events.iter().find_map(number) {
                Some(number) => ControlFlow::Break(number),
                None => ControlFlow::Continue("there is none".to_owned()),
            })
        };
        self.until("the operations issue", look).await
    }

    async fn events(&self) -> Result<Vec<Event>, DemoError> {
        let entries = self.store.entries(&key()?, 0, EVENTS_MAX).await;
        let entries = entries.map_err(DemoError::part("the store"))?;
        Ok(entries.into_iter().map(|(_, entry)| entry.event).collect())
    }
}

fn key() -> Result<Key, DemoError> {
    let pipeline: PipelineName = PIPELINE.parse().map_err(DemoError::part("the settings"))?;
    Ok(Key { repository: ENVIRONMENT.to_owned(), pipeline: Some(pipeline) })
}

/// The newest proposal of this version in the stage, if its pull request is open; the intent says of what it is.
fn proposed(events: &[Event], stage: &str, version: &str) -> Option<Result<Proposed, CommitIdError>> {
    let intent = events.iter().rposition(|event| {
        matches!(event, Event::Proposing { stage: of, release, .. }
            if of.as_str() == stage && release.version() == version)
    })?;
    events.iter().skip(intent).find_map(|event| {
        let Event::Proposed { stage: of, number, head, .. } = event else { return None };
        let is_it = of.as_str() == stage;
        is_it.then(|| head.parse().map(|head| Proposed { number: *number, head }))
    })
}

fn merged(event: &Event, stage: &str, version: &str, lane: Lane) -> Option<Merged> {
    let Event::Merged { stage: of, lane: by, release, number, commit, .. } = event else { return None };
    let is_it = of.as_str() == stage && *by == lane && Release::version(release) == version;
    let number = number.filter(|_| is_it)?;
    Some(Merged { number, commit: commit.clone() })
}

fn shown(stage: &StageView) -> String {
    let version = stage.version.as_deref().unwrap_or("nothing");
    let holds = if stage.holds.is_empty() { "no holds".to_owned() } else { stage.holds.join("; ") };
    format!("{} has {version}, {}, {holds}", stage.name, stage.word)
}
