//! `lockkeeper observe`: reporting what runs in a stage to the server.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde_json::json;

use super::order::token;
use super::show::plain;
use super::{CliError, Context, Exit, Outcome};
use crate::image::Digest;
use crate::pipeline::{PipelineName, StageName};

/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Characters printed of what the server says: one line.
const SAID_CHARS_MAX: usize = 300;

/// Where the token comes from.
const TOKEN_NEXT: &str =
    "--token-file FILE, or LOCKKEEPER_TOKEN, with a token of this observer in the server's `[[observers]]`";

/// Report what runs in a stage, where `lockkeeper.yaml` says `live: observed`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper observe checkout prod-eu sha256:<64 hex digits> --running 12/12\n  \
    lockkeeper observe shop/checkout prod-eu sha256:<64 hex digits> --running 9/12 --degraded \"crash loop\"\n\n\
    Report again within `counts_for` of the stage (5 minutes, unless the rules say otherwise):\n\
    time counts while reports follow each other. The token is that of an observer in the server's\n\
    settings (`[[observers]]`). Nothing is printed where the report was taken.")]
pub struct Args {
    /// The pipeline, or `repository/pipeline`.
    pipeline: String,
    /// The stage.
    stage: String,
    /// The digests that run, of all images of the pipeline; none where nothing does.
    #[arg(value_name = "DIGEST")]
    digests: Vec<Digest>,
    /// Instances that are ready, of those wanted.
    #[arg(long, value_name = "READY/WANTED")]
    running: String,
    /// The rollout failed, or what ran does not any more: why.
    #[arg(long, value_name = "WHY", conflicts_with = "progressing")]
    degraded: Option<String>,
    /// The rollout goes on: what it waits for.
    #[arg(long, value_name = "WHAT")]
    progressing: Option<String>,
    /// Where more is to be seen.
    #[arg(long)]
    url: Option<String>,
    /// The address of the server; else `LOCKKEEPER_SERVER` has it, else the settings.
    #[arg(long, value_name = "URL", env = "LOCKKEEPER_SERVER")]
    server: Option<String>,
    /// The name of the observer; else `LOCKKEEPER_OBSERVER` has it, else it is the only one of the settings.
    #[arg(long, value_name = "NAME", env = "LOCKKEEPER_OBSERVER")]
    observer: Option<String>,
    /// The file with the observer's token; else the variable `LOCKKEEPER_TOKEN` has it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Reports.
///
/// # Errors
/// Exit 2 for words that are off, 4 where the observer may not report that, 5 for an unknown stage, 6 where the stage takes
/// no reports, 7 where the server does not answer.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let body = body(&args)?;
    let address = address(context, &args)?;
    let token = token(args.token_file.as_deref()).map_err(|error| {
        let missing = CliError::new(Exit::Permission, "there is no token of an observer").next(TOKEN_NEXT);
        // Without a file the words for people who give commands would mislead.
        let why = args.token_file.is_some().then(|| error.why.unwrap_or(error.what));
        why.into_iter().fold(missing, CliError::why)
    })?;
    let away = |error: &reqwest::Error| {
        CliError::new(Exit::TryAgain, "the server does not answer").why(plain(&error.to_string()))
    };
    // A redirect would carry the token elsewhere.
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build();
    let client = client.map_err(|error| away(&error))?;
    let sent = client
        .post(address)
        .bearer_auth(token)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .map_err(|error| away(&error.without_url()))?;
    let status = sent.status();
    if status == StatusCode::ACCEPTED {
        return Ok(Exit::Ok);
    }
    let said: String = sent.text().await.unwrap_or_default().chars().take(SAID_CHARS_MAX).collect();
    Err(CliError::new(exit(status), format!("the report was not taken ({status})")).why(plain(said.trim())))
}

fn exit(status: StatusCode) -> Exit {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Exit::Usage,
        // Not followed: the address that was given is not the server's own.
        status if status.is_redirection() => Exit::Usage,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Permission,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::CONFLICT => Exit::Refused,
        _ => Exit::TryAgain,
    }
}

fn body(args: &Args) -> Result<String, CliError> {
    let usage = |what: String| CliError::new(Exit::Usage, what);
    let (repository, pipeline) = match args.pipeline.split_once('/') {
        Some((repository, pipeline)) => (Some(repository), pipeline),
        None => (None, args.pipeline.as_str()),
    };
    let pipeline: PipelineName = pipeline.parse().map_err(|error| usage(format!("pipeline: {error}")))?;
    let stage: StageName = args.stage.parse().map_err(|error| usage(format!("stage: {error}")))?;
    let (health, why) = match (&args.degraded, &args.progressing) {
        (Some(why), _) => (Some("degraded"), Some(why)),
        (None, Some(what)) => (Some("progressing"), Some(what)),
        (None, None) => (None, None),
    };
    let digests: Vec<String> = args.digests.iter().map(ToString::to_string).collect();
    let report = json!({
        "repository": repository, "pipeline": pipeline.as_str(), "stage": stage.as_str(), "digests": digests,
        "running": args.running, "health": health, "why": why, "url": args.url,
    });
    Ok(report.to_string())
}

/// `https://lockkeeper.example.com/observations/argo`.
fn address(context: &Context, args: &Args) -> Result<Url, CliError> {
    let missing = |what: &str, how: &str| CliError::new(Exit::Usage, what).next(how);
    let (server, observer) = if let (Some(server), Some(observer)) = (&args.server, &args.observer) {
        (server.clone(), observer.clone())
    } else {
        let settings = context.settings()?;
        let observer = match (&args.observer, settings.observers.as_slice()) {
            (Some(name), _) => name.clone(),
            (None, [only]) => only.name.clone(),
            (None, _) => return Err(missing("nobody is named who reports", "--observer NAME")),
        };
        (args.server.clone().unwrap_or(settings.server.url), observer)
    };
    let wrong = || missing("the address of the server is none", "--server https://lockkeeper.example.com");
    let mut address = Url::parse(&server).map_err(|_| wrong())?;
    if !matches!(address.scheme(), "http" | "https") {
        return Err(wrong());
    }
    address.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(["observations", &observer]);
    Ok(address)
}
