//! Checks on commits: check runs of Apps, and our own.

use http::Method;
use serde_json::{Value, json};

use super::answer::named;
use super::wire::{self, CheckRun, CheckRuns};
use super::{GitHubForge, Me};
use crate::forge::{Check, CheckStatus, CommitId, ForgeError, Priority};

/// Our check at a commit, as it was written last.
#[derive(Debug, Clone)]
pub(super) struct OwnCheck {
    id: u64,
    check: Check,
}

/// Pages of check runs on one commit: 1,000 is what GitHub keeps of one name.
const PAGES_MAX: u32 = 10;
/// The name of our check, and of the App in plans; at GitHub the App may have any name.
pub(super) const OWN: &str = "lockkeeper";
/// Bytes of a summary and of a text.
///
/// Source: GitHub's REST API, "Create a check run": 65,535 characters each.
const TEXT_CHARACTERS_MAX: usize = 65_000;
/// Characters of the title, which GitHub shows in one line.
const TITLE_CHARACTERS_MAX: usize = 250;

impl GitHubForge {
    /// The newest check of each name and App on a commit, and the newest status of each context.
    pub(super) async fn checks_on(&self, head: CommitId) -> Result<Vec<Check>, ForgeError> {
        let me = self.me().await?;
        let runs = self.path(format!("commits/{head}/check-runs?filter=latest"));
        let (runs, statuses) = futures::try_join!(self.runs(&runs, &me), self.statuses(head, &me))?;
        self.keep_up(head, &runs, &me);
        let mut checks: Vec<Check> = runs.iter().map(|run| check(run, me.app_id)).collect();
        checks.extend(statuses);
        checks.sort_by(|one, other| (&one.name, &one.app).cmp(&(&other.name, &other.app)));
        Ok(checks)
    }

    /// The runs at this path. A fine-grained token may not read them, as nothing of it can be given: then there are none.
    async fn runs(&self, path: &str, me: &Me) -> Result<Vec<CheckRun>, ForgeError> {
        match self.client.pages_of(path, PAGES_MAX, |page: CheckRuns| page.check_runs).await {
            Err(ForgeError::Refused { .. } | ForgeError::NotFound { .. }) if me.app_id.is_none() => {
                Ok(Vec::new())
            }
            runs => runs,
        }
    }

    /// GitHub ends a run by itself that nobody completed within two weeks: what is remembered of ours counts no more.
    fn keep_up(&self, head: CommitId, runs: &[CheckRun], me: &Me) {
        let Some(app) = me.app_id else { return };
        let ours =
            runs.iter().filter(|run| run.name == OWN && run.app.as_ref().is_some_and(|of| of.id == app));
        let Some(newest) = ours.max_by_key(|run| run.id) else { return };
        let found = OwnCheck { id: newest.id, check: check(newest, Some(app)) };
        let mut known = self.known();
        let is_other = |known: &OwnCheck| known.id <= found.id && known.check.status != found.check.status;
        if known.checks.get(&head).is_some_and(is_other) {
            known.checks.insert(head, found);
        }
    }

    /// Reports our check; the same again is not written.
    pub(super) async fn report(
        &self,
        head: CommitId,
        check: &Check,
        priority: Priority,
    ) -> Result<(), ForgeError> {
        let me = self.me().await?;
        let Some(app) = me.app_id else {
            return self.report_status(head, check, priority, &me).await;
        };
        if check.status == CheckStatus::Passed && priority >= Priority::Act {
            // A merge follows: green without it would let others merge.
            self.client.have_room_for(2, priority)?;
        }
        let wanted = shortened(check);
        let known = self.known().checks.get(&head).cloned();
        let known = match known {
            Some(known) => Some(known),
            None => self.own_check(head, app).await?,
        };
        if known.as_ref().is_some_and(|known| known.check == wanted) {
            return Ok(());
        }
        // A run that is completed stays so: what is open once more is a new run, and the newest counts.
        let is_reopened = |known: &OwnCheck| {
            known.check.status != CheckStatus::Pending && wanted.status == CheckStatus::Pending
        };
        let known = known.filter(|known| !is_reopened(known));
        let (method, path) = match &known {
            Some(known) => (Method::PATCH, self.path(format!("check-runs/{}", known.id))),
            None => (Method::POST, self.path("check-runs")),
        };
        let mut body = described(&wanted);
        if known.is_none() {
            body["head_sha"] = json!(head.to_string());
        }
        let answer = self.client.write(priority, method.clone(), &path, &body).await?;
        let run: CheckRun = answer.read(&named(&method, &path))?;
        self.known().checks.insert(head, OwnCheck { id: run.id, check: wanted });
        Ok(())
    }

    async fn own_check(&self, head: CommitId, app: u64) -> Result<Option<OwnCheck>, ForgeError> {
        let path =
            self.path(format!("commits/{head}/check-runs?check_name={OWN}&app_id={app}&filter=latest"));
        let runs = self.client.pages_of(&path, 1, |page: CheckRuns| page.check_runs).await?;
        let newest = runs.into_iter().max_by_key(|run| run.id);
        Ok(newest.map(|run| OwnCheck { id: run.id, check: check(&run, Some(app)) }))
    }
}

/// A check run in our words. Our own App is `lockkeeper`, by its id; nobody else's App is, whatever it calls itself.
fn check(run: &CheckRun, own: Option<u64>) -> Check {
    let app = match &run.app {
        Some(app) if own == Some(app.id) => OWN.to_owned(),
        Some(wire::AppRef { id, slug }) => match slug.as_deref() {
            Some(slug) if slug != OWN => slug.to_owned(),
            Some(_) | None => format!("app {id}"),
        },
        None => String::new(),
    };
    let status = match (run.status.as_str(), run.conclusion.as_deref()) {
        ("completed", Some("success" | "neutral" | "skipped")) => CheckStatus::Passed,
        ("completed", _) => CheckStatus::Failed,
        _ => CheckStatus::Pending,
    };
    let output = run.output.as_ref();
    let text =
        |pick: fn(&wire::Output) -> Option<&String>| output.and_then(pick).cloned().unwrap_or_default();
    Check {
        name: run.name.clone(),
        app,
        status,
        summary: text(|output| output.title.as_ref()),
        text: text(|output| output.text.as_ref()),
    }
}

fn described(check: &Check) -> Value {
    let output = json!({ "title": check.summary, "summary": check.summary, "text": check.text });
    match check.status {
        CheckStatus::Pending => json!({ "name": OWN, "status": "in_progress", "output": output }),
        CheckStatus::Passed => {
            json!({ "name": OWN, "status": "completed", "conclusion": "success", "output": output })
        }
        CheckStatus::Failed => {
            json!({ "name": OWN, "status": "completed", "conclusion": "failure", "output": output })
        }
    }
}

/// As GitHub keeps it. A summary must not be empty.
fn shortened(check: &Check) -> Check {
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let summary = cut(&check.summary, TITLE_CHARACTERS_MAX);
    Check {
        name: OWN.to_owned(),
        app: OWN.to_owned(),
        status: check.status,
        summary: if summary.is_empty() { "–".to_owned() } else { summary },
        text: cut(&check.text, TEXT_CHARACTERS_MAX),
    }
}
