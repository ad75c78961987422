//! What runs in stages, as deployers report it: verified, stored, answered. What it means is found out afterwards.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::App;
use super::receive::unavailable;
use super::webhooks::verify::{Authentication, EmptySecret, Secret};
use super::webhooks::{Report, Sent, parse_report};
use crate::image::Digest;
use crate::pipeline::LiveSource;
use crate::plan::PipelineView;
use crate::settings::{self, StagePattern};
use crate::store::{Delivery, Hint, Key, Put, StoreError};
use crate::telemetry::DELIVERIES;

/// Who may report.
#[derive(Debug, Clone)]
pub struct Observer {
    name: String,
    authentication: Authentication,
    stages: Vec<StagePattern>,
}

/// How a report ended; each is counted.
enum Outcome {
    Accepted,
    Repeat,
    Unauthorized,
    TooLarge,
    Unparsable(String),
    Forbidden(String),
    Unknown(String),
    Unwanted(String),
    Unavailable(Response),
}

impl Observer {
    /// The observer that the settings describe.
    ///
    /// # Errors
    /// [`EmptySecret`] if a token is.
    pub fn new(observer: &settings::Observer) -> Result<Self, EmptySecret> {
        let bearer = |token: &settings::Secret| Secret::new(format!("Bearer {}", token.expose()));
        let values = observer.tokens.iter().map(bearer).collect::<Result<_, _>>()?;
        Ok(Self {
            name: observer.name.clone(),
            authentication: Authentication::Header { name: header::AUTHORIZATION, values },
            stages: observer.stages.clone(),
        })
    }
}

/// `POST /observations/{name}`.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(observer) = app.observers.iter().find(|observer| observer.name == name) else {
        return (StatusCode::NOT_FOUND, "no observer of this name\n").into_response();
    };
    let head = Sent::new(&headers, b"", app.clock.now());
    let outcome = if observer.authentication.accepts(&head) {
        match to_bytes(body, app.settings.body_bytes_max).await {
            Ok(bytes) => take(&app, observer, &Sent { body: &bytes, at: app.clock.now(), ..head }).await,
            Err(_) => Outcome::TooLarge,
        }
    } else {
        tracing::warn!(observer = %observer.name, "report without a right token");
        Outcome::Unauthorized
    };
    app.metrics.add(&DELIVERIES, &[("webhook", &observer.name), ("outcome", outcome.name())], 1);
    outcome.answer()
}

async fn take(app: &App, observer: &Observer, sent: &Sent<'_>) -> Outcome {
    let (id, report) = match parse_report(sent) {
        Ok(found) => found,
        // A script of the user's sent it, which repeats nothing by itself: it is told what is wrong.
        Err(error) => return Outcome::Unparsable(error.to_string()),
    };
    match key(app, observer, &report).await {
        Ok(Ok(key)) => put(app, observer, sent, id, report, key).await,
        Ok(Err(refused)) => refused,
        Err(error) => Outcome::Unavailable(unavailable(&error).into_response()),
    }
}

async fn put(
    app: &App,
    observer: &Observer,
    sent: &Sent<'_>,
    id: String,
    report: Report,
    key: Key,
) -> Outcome {
    let stage = report.stage.clone();
    let sighting = report.sighting(&observer.name, sent.at);
    // A run may report several stages, and each of them more than once, under one id: only the same again is a repeat.
    let body = Digest::of(sent.body).short();
    let delivery = Delivery {
        id: format!("observation:{}:{key}/{stage}:{id}:{body}", observer.name),
        source: format!("observer {}", observer.name),
        received_at: sent.at,
        hints: vec![Hint::Sighting { stage, sighting }],
    };
    match app.store.put(&delivery, &[key]).await {
        Ok(Put::New) => {
            app.health.store_answered(true);
            Outcome::Accepted
        }
        Ok(Put::Repeat) => Outcome::Repeat,
        Err(error) => {
            app.health.store_answered(false);
            Outcome::Unavailable(unavailable(&error).into_response())
        }
    }
}

/// The pipeline that a report is about, where the observer may report it and its stage takes reports.
async fn key(app: &App, observer: &Observer, report: &Report) -> Result<Result<Key, Outcome>, StoreError> {
    let repository = match (&report.repository, app.repositories.as_slice()) {
        (Some(name), known) if known.contains(name) => name,
        (Some(name), _) => return Ok(Err(Outcome::Unknown(format!("no repository {name:?}")))),
        (None, [only]) => only,
        (None, _) => {
            let text = "there are several repositories; say which in `repository`";
            return Ok(Err(Outcome::Unparsable(text.to_owned())));
        }
    };
    let (pipeline, stage) = (&report.pipeline, &report.stage);
    if !observer.stages.iter().any(|pattern| pattern.matches(repository, pipeline, stage)) {
        let text = format!("observer {} may not report {repository}/{pipeline}/{stage}", observer.name);
        return Ok(Err(Outcome::Forbidden(text)));
    }
    let key = Key::pipeline(repository.clone(), pipeline.clone());
    if !app.store.keys(repository).await?.contains(&key) {
        return Ok(Err(Outcome::Unknown(format!("no pipeline {key}"))));
    }
    let view = app.store.view(&key).await?;
    // What was shown last says which stages there are; a pipeline that was not looked at yet takes what comes.
    let view: Option<PipelineView> = view.and_then(|view| serde_json::from_value(view).ok());
    let Some(view) = view.filter(|view| !view.stages.is_empty()) else { return Ok(Ok(key)) };
    Ok(match view.stages.iter().find(|known| known.name == stage.as_str()) {
        None => Err(Outcome::Unknown(format!("no stage {stage} in {key}"))),
        Some(found) if found.source != LiveSource::Observed.to_string() => Err(Outcome::Unwanted(format!(
            "stage {stage} of {key} takes no reports: lockkeeper.yaml says `live: {}` there",
            found.source
        ))),
        Some(_) => Ok(key),
    })
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Unauthorized => "unauthorized",
            Self::TooLarge => "too_large",
            Self::Unparsable(_) => "unparsable",
            Self::Forbidden(_) => "forbidden",
            Self::Unknown(_) => "unknown",
            Self::Unwanted(_) => "unwanted",
            Self::Unavailable(_) => "unavailable",
        }
    }

    fn answer(self) -> Response {
        let said = |status: StatusCode, text: String| (status, format!("{text}\n")).into_response();
        match self {
            Self::Accepted | Self::Repeat => StatusCode::ACCEPTED.into_response(),
            Self::Unauthorized => said(StatusCode::UNAUTHORIZED, "the token is missing or wrong".to_owned()),
            Self::TooLarge => said(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large".to_owned()),
            Self::Unparsable(text) => said(StatusCode::BAD_REQUEST, text),
            Self::Forbidden(text) => said(StatusCode::FORBIDDEN, text),
            Self::Unknown(text) => said(StatusCode::NOT_FOUND, text),
            Self::Unwanted(text) => said(StatusCode::CONFLICT, text),
            Self::Unavailable(response) => response,
        }
    }
}
