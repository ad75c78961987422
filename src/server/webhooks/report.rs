//! What runs in a stage, as a deployer reports it: our own format, or the same as the data of a `CloudEvent`.
//!
//! ```json
//! {"id": "run-4711", "repository": "shop", "pipeline": "checkout", "stage": "prod-eu", "digest": "sha256:…",
//!  "running": "12/12", "health": "degraded", "why": "p99 too high", "url": "https://…"}
//! ```
//!
//! `repository` may be left out where there is one only. `digests` is a list, for pipelines of several images. `health` is
//! `healthy`, `progressing` or `degraded`; left out, what is not ready is progressing. `id` tells a report from one that is
//! repeated; without it each counts. Further fields are allowed and not read.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::cloud_event::CloudEvent;
use super::{Id, ParseError, Sent, read, shown};
use crate::image::Digest;
use crate::observation::{Health, Sighting, URL_BYTES_MAX, WORDS_CHARS_MAX};
use crate::pipeline::{PipelineName, StageName, is_hidden};

/// The type of our CloudEvents.
pub const REPORT_TYPE: &str = "dev.lockkeeper.observation";
/// Digests in one report: as many images as a pipeline may have, each in two releases.
pub const DIGESTS_MAX: usize = 128;
/// Longest name of a repository.
const REPOSITORY_BYTES_MAX: usize = 63;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The environment repository, where the sender says it.
    pub repository: Option<String>,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage.
    pub stage: StageName,
    /// The digests that run; none where nothing does.
    pub digests: BTreeSet<Digest>,
    /// Instances that are ready.
    pub ready: u32,
    /// Instances wanted.
    pub wanted: u32,
    /// How the rollout stands.
    pub health: Health,
    /// Where more is to be seen.
    pub url: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    id: Option<String>,
    repository: Option<String>,
    pipeline: String,
    stage: String,
    digest: Option<String>,
    #[serde(default)]
    digests: Vec<String>,
    running: String,
    health: Option<String>,
    why: Option<String>,
    url: Option<String>,
}

/// The report, and by what it is told from others.
///
/// # Errors
/// [`ParseError`], with the field: the sender is a script of the user's.
pub fn parse_report(sent: &Sent<'_>) -> Result<(String, Report), ParseError> {
    let (id, written) = written(sent)?;
    let id = match id {
        Some(id) => Id::Sent(Some(id)),
        None => Id::Moment,
    };
    Ok((id.of(sent), report(written)?))
}

fn written(sent: &Sent<'_>) -> Result<(Option<String>, Written), ParseError> {
    let is_event = sent.header("ce-type").is_some()
        || sent.header("content-type").is_some_and(|kind| kind.starts_with("application/cloudevents"));
    if !is_event {
        let written: Written = read(sent.body)?;
        return Ok((written.id.clone(), written));
    }
    let event: CloudEvent<Written> = CloudEvent::parse(sent)?;
    let kind = event.kind.clone().unwrap_or_default();
    if kind != REPORT_TYPE {
        return Err(field("type", &kind));
    }
    let id = event.id.clone();
    let data = event.data.ok_or_else(|| field("data", "nothing"))?;
    Ok((id, data))
}

fn report(written: Written) -> Result<Report, ParseError> {
    let repository = match written.repository {
        Some(name) if name.is_empty() || name.len() > REPOSITORY_BYTES_MAX => {
            return Err(field("repository", &name));
        }
        repository => repository,
    };
    let texts: Vec<String> = written.digest.into_iter().chain(written.digests).collect();
    if texts.len() > DIGESTS_MAX {
        return Err(field("digests", &format!("{} of them, at most {DIGESTS_MAX} are read", texts.len())));
    }
    let digest = |text: &String| text.parse::<Digest>().map_err(|_| field("digest", text));
    let digests = texts.iter().map(digest).collect::<Result<BTreeSet<_>, _>>()?;
    let (ready, wanted) = counts(&written.running).ok_or_else(|| field("running", &written.running))?;
    if digests.is_empty() && ready > 0 {
        return Err(field("digests", "nothing, while some of it is ready"));
    }
    let health =
        health(written.health.as_deref(), written.why.as_deref().unwrap_or_default(), ready, wanted)?;
    Ok(Report {
        repository,
        pipeline: written.pipeline.parse().map_err(|_| field("pipeline", &written.pipeline))?,
        stage: written.stage.parse().map_err(|_| field("stage", &written.stage))?,
        digests,
        ready,
        wanted,
        health,
        url: written.url.map(url).transpose()?,
    })
}

/// `12/12`: ready, of those wanted.
fn counts(text: &str) -> Option<(u32, u32)> {
    let (ready, wanted) = text.split_once('/')?;
    let count = |text: &str| {
        let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    Some((count(ready)?, count(wanted)?))
}

fn health(word: Option<&str>, why: &str, ready: u32, wanted: u32) -> Result<Health, ParseError> {
    let why: String = why.chars().filter(|c| !is_hidden(*c)).take(WORDS_CHARS_MAX).collect();
    let or = |usual: &str| if why.trim().is_empty() { usual.to_owned() } else { why.clone() };
    match word {
        None | Some("healthy") if wanted == 0 => {
            Ok(Health::Progressing("no instance of it is wanted".to_owned()))
        }
        None | Some("healthy") if ready >= wanted => Ok(Health::Healthy),
        None | Some("healthy" | "progressing") => {
            Ok(Health::Progressing(or(&format!("{ready} of {wanted} are ready"))))
        }
        Some("degraded") => Ok(Health::Degraded(or("it does not say why"))),
        Some(other) => Err(field("health", other)),
    }
}

fn url(text: String) -> Result<String, ParseError> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let is_fit = is_web && text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_fit { Ok(text) } else { Err(field("url", &text)) }
}

fn field(field: &'static str, found: &str) -> ParseError {
    ParseError::Field { field, found: shown(found) }
}

impl Report {
    /// What was seen by this report.
    #[must_use]
    pub fn sighting(self, observer: &str, at: Timestamp) -> Sighting {
        Sighting {
            at,
            source: format!("observer {observer}"),
            digests: self.digests,
            ready: self.ready,
            wanted: self.wanted,
            health: self.health,
            url: self.url,
        }
    }
}
