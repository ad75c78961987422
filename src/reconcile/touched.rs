//! What the commits that a rollback undoes touched, where `attention` of an image asks for it.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::Reconcile;
use super::gather::source_of;
use crate::image::{Digest, Release};
use crate::pipeline::{ImageRule, Stage};
use crate::plan::{Pins, Snapshot};
use crate::promotion::Lane;
use crate::pull_request::Touched;

/// Asked while a rollback waits for its pull request. Whatever cannot be known is said, and stops nothing.
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
        let asked = run.repository.forge.touched(&until.0, &from.1, &until.1, &rule.attention);
        let found = match tokio::time::timeout(run.world.settings.hurried_timeout, asked).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Touched::Unknown(error.to_string()),
            Err(_) => Touched::Unknown("the forge takes too long".to_owned()),
        };
        ((to, was), found)
    });
    join_all(read).await.into_iter().collect()
}

/// What is there and what it goes back to, where that is asked for and not opened yet.
fn going_back(snapshot: &Snapshot, stage: &Stage) -> Option<(Release, Release)> {
    let request = snapshot.state.stage(&stage.name).and_then(|state| state.request.as_ref());
    if let Some(request) = request.filter(|request| request.lane == Lane::Rollback) {
        let Pins::Release(was) = snapshot.pins(stage) else { return None };
        return Some((was, request.release.clone()));
    }
    let proposal = snapshot.state.proposal(&stage.name);
    let proposal = proposal.filter(|proposal| proposal.lane == Lane::Rollback && proposal.open.is_none())?;
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
