//! The deployer of the canary regions: runs what `main` pins there, and reports it.
//!
//! It knows nothing of lockkeeper but the address for its reports, as Argo CD or a script after `kubectl apply` would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::DemoError;
use super::sample::{CANARIES, PIPELINE};
use crate::image::Digest;
use crate::manifest;
use crate::repository::read_tree;

/// Between two looks at the repository.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// A report is said again so often where nothing changes: it counts for five minutes.
const REPORT_INTERVAL: Duration = Duration::from_mins(2);
/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Instances in each region.
const INSTANCES: u32 = 2;

/// At work until it is dropped.
pub(super) struct Deployer {
    regions: Arc<Mutex<Regions>>,
    begun: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What happens in the clusters whatever `main` pins.
#[derive(Default)]
struct Regions {
    /// What does not run well in a stage, and why.
    failing: BTreeMap<&'static str, (Digest, &'static str)>,
    /// What somebody set by hand.
    by_hand: BTreeMap<&'static str, Digest>,
}

/// What one report says.
#[derive(Clone, PartialEq, Eq)]
struct Runs {
    digest: Digest,
    fails: Option<&'static str>,
}

struct Reporter {
    client: reqwest::Client,
    url: String,
    token: String,
    environment: PathBuf,
    said: BTreeMap<&'static str, (Runs, Instant)>,
}

impl Deployer {
    /// Looks at this repository, and reports to this address with this token.
    pub(super) fn start(environment: &Path, url: String, token: String) -> Result<Self, DemoError> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().redirect(Policy::none()).build();
        let client = client.map_err(DemoError::part("the deployer"))?;
        let environment = environment.to_owned();
        let mut reporter = Reporter { client, url, token, environment, said: BTreeMap::new() };
        let (regions, begun) = (Arc::new(Mutex::new(Regions::default())), Arc::new(Notify::new()));
        let (shared, is_begun) = (Arc::clone(&regions), Arc::clone(&begun));
        let task = tokio::spawn(async move {
            is_begun.notified().await;
            loop {
                for (stage, folder) in CANARIES {
                    reporter.look(stage, folder, &shared).await;
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        });
        Ok(Self { regions, begun, task })
    }

    /// Looks and reports from now on: what was reported before lockkeeper saw the stages first, counts for none of them.
    pub(super) fn begin(&self) {
        self.begun.notify_one();
    }

    /// From now on these digests do not run in this region.
    pub(super) fn fail(&self, stage: &'static str, digest: Digest, why: &'static str) {
        locked(&self.regions).failing.insert(stage, (digest, why));
    }

    /// Somebody sets an image there by hand, past git; without one the deployer puts it right again.
    pub(super) fn set_by_hand(&self, stage: &'static str, digest: Option<Digest>) {
        let mut regions = locked(&self.regions);
        match digest {
            Some(digest) => regions.by_hand.insert(stage, digest),
            None => regions.by_hand.remove(stage),
        };
    }
}

impl Drop for Deployer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reporter {
    /// What cannot be read or said now is read and said at the next look.
    async fn look(&mut self, stage: &'static str, folder: &str, regions: &Mutex<Regions>) {
        let Some(pinned) = self.pinned(folder).await else { return };
        let runs = locked(regions).runs(stage, pinned);
        let is_said = |(said, at): &(Runs, Instant)| *said == runs && at.elapsed() < REPORT_INTERVAL;
        if self.said.get(stage).is_some_and(is_said) {
            return;
        }
        let ready = if runs.fails.is_some() { 0 } else { INSTANCES };
        let report = json!({
            "pipeline": PIPELINE,
            "stage": stage,
            "digest": runs.digest,
            "running": format!("{ready}/{INSTANCES}"),
            "health": if runs.fails.is_some() { "degraded" } else { "healthy" },
            "why": runs.fails,
        });
        let sent = self.client.post(&self.url).bearer_auth(&self.token);
        let sent = sent.header(http::header::CONTENT_TYPE, "application/json").body(report.to_string());
        if sent.send().await.is_ok_and(|response| response.status().is_success()) {
            self.said.insert(stage, (runs, Instant::now()));
        }
    }

    async fn pinned(&self, folder: &str) -> Option<Digest> {
        let files = read_tree(&self.environment, "main", folder, |_, bytes| bytes).await.ok()?;
        let (_, bytes) = files.first()?;
        manifest::find(bytes, &[]).ok()?.pins.first()?.digest
    }
}

impl Regions {
    fn runs(&self, stage: &str, pinned: Digest) -> Runs {
        let digest = self.by_hand.get(stage).copied().unwrap_or(pinned);
        let failing = self.failing.get(stage).filter(|(failing, _)| *failing == digest);
        Runs { digest, fails: failing.map(|(_, why)| *why) }
    }
}

fn locked(regions: &Mutex<Regions>) -> std::sync::MutexGuard<'_, Regions> {
    regions.lock().unwrap_or_else(PoisonError::into_inner)
}
