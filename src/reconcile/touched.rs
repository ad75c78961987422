//! What the commits that a rollback undoes touched, where `attention` of an image asks for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::Reconcile;
use super::gather::source_of;
use crate::image::{Digest, Release};
use crate::pipeline::{ImageRule, Stage};
use crate::plan::{Pins, Snapshot};
use crate::promotion::Lane;
use crate::pull_request::Touched;

/// How long the forge may take, whom a rollback waits for anyway.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Answers kept at most; then all are forgotten.
const ANSWERS_MAX: usize = 256;
/// How long it is not asked again what could not be known.
const UNKNOWN_FOR: Duration = Duration::from_mins(10);

/// The answers: what two commits have between them never changes, so it is asked once.
#[derive(Debug, Default)]
pub struct TouchedAnswers(Mutex<BTreeMap<Between, (Touched, Timestamp)>>);

/// A source, the commit after which and the one up to which, and the paths.
type Between = (String, String, String, Vec<String>);

impl TouchedAnswers {
    fn get(&self, between: &Between, now: Timestamp) -> Option<Touched> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (touched, at) = answers.get(between)?;
        let is_old = at.checked_add(UNKNOWN_FOR).is_ok_and(|until| until <= now);
        (matches!(touched, Touched::Known { .. }) || !is_old).then(|| touched.clone())
    }

    fn keep(&self, between: Between, touched: Touched, now: Timestamp) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS_MAX {
            answers.clear();
        }
        answers.insert(between, (touched, now));
    }
}

/// Asked for rollbacks that are asked for or under way. Whatever cannot be known is said, and stops nothing.
pub(super) async fn touched(run: &Reconcile<'_>, snapshot: &Snapshot) -> BTreeMap<(Digest, Digest), Touched> {
    let stages = snapshot.pipeline.stages.iter();
    let undone: Vec<(&ImageRule, Digest, Digest)> = stages
        .filter_map(|stage| going_back(snapshot, stage))
        .flat_map(|(was, to)| pairs(snapshot, &was, &to))
        .collect();
    let read = undone.into_iter().map(|(rule, was, to)| async move {
        let (from, until) = match (source_of(snapshot, to), source_of(snapshot, was)) {
            (Ok(from), Ok(until)) => (from, until),
            (Err(reason), _) | (_, Err(reason)) => return ((to, was), Touched::Unknown(reason)),
        };
        let between = (until.0, from.1, until.1, rule.attention.clone());
        if let Some(known) = run.world.touched.get(&between, (run.world.now)()) {
            return ((to, was), known);
        }
        let asked = run.repository.forge.touched(&between.0, &between.1, &between.2, &between.3);
        let found = match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Touched::Unknown(error.to_string()),
            Err(_) => Touched::Unknown("the forge takes too long".to_owned()),
        };
        run.world.touched.keep(between, found.clone(), (run.world.now)());
        ((to, was), found)
    });
    join_all(read).await.into_iter().collect()
}

/// What is there and what it goes back to, where that is asked for or under way.
fn going_back(snapshot: &Snapshot, stage: &Stage) -> Option<(Release, Release)> {
    let request = snapshot.state.stage(&stage.name).and_then(|state| state.request.as_ref());
    if let Some(request) = request.filter(|request| request.lane == Lane::Rollback) {
        let Pins::Release(was) = snapshot.pins(stage) else { return None };
        return Some((was, request.release.clone()));
    }
    let proposal = snapshot.state.proposal(&stage.name);
    let proposal = proposal.filter(|proposal| proposal.lane == Lane::Rollback)?;
    Some((proposal.was.clone()?, proposal.release.clone()))
}

/// The images that differ, with what is there and what is restored.
fn pairs<'a>(snapshot: &'a Snapshot, was: &Release, to: &Release) -> Vec<(&'a ImageRule, Digest, Digest)> {
    let digest =
        |release: &Release, rule: &ImageRule| release.get(&rule.repository).map(|pinned| pinned.digest);
    let rules = snapshot.pipeline.images.iter().filter(|rule| !rule.attention.is_empty());
    let pairs = rules.filter_map(|rule| Some((rule, digest(was, rule)?, digest(to, rule)?)));
    pairs.filter(|(_, was, to)| was != to).collect()
}
