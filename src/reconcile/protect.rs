//! What a snapshot says of protection: what the probes know, and who may set tags.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Reconcile, WorldSettings};
use crate::image::Repository;
use crate::plan::{Probed, Question, Snapshot, concerned, questions, unanswered};
use crate::store::Hint;

/// What is known by the probes, which are told what to ask for. A channel that a registry tells of is asked for soon.
pub(super) async fn known(run: &Reconcile<'_>, snapshot: &Snapshot) -> BTreeMap<Question, Probed> {
    let (probes, wanted) = (&run.world.probes, questions(snapshot));
    let told: BTreeSet<&str> = run
        .lease
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.hints)
        .filter_map(|hint| if let Hint::Image { tags, .. } = hint { Some(tags) } else { None })
        .flatten()
        .map(String::as_str)
        .collect();
    let interval = run.world.settings.probe_interval;
    probes.recall(&run.world.store, &run.lease.key, snapshot.now, interval).await;
    let known = probes.want(&run.lease.key, &wanted, snapshot.now, interval);
    for question in &wanted {
        let is_told = matches!(question, Question::Channel(_, tag) if told.contains(tag.as_str()));
        let is_news = known.get(question).and_then(|probed| probed.answer.as_ref());
        if is_told && is_news.is_none_or(|(at, _)| *at < snapshot.now) {
            probes.hasten(question, snapshot.now);
        }
    }
    known
}

/// Has what a gate waits for asked at once, where it was never asked, or too long ago.
pub(super) fn hasten(run: &Reconcile<'_>, snapshot: &Snapshot) {
    for question in unanswered(snapshot) {
        run.world.probes.hasten(&question, snapshot.now);
    }
}

/// Whether somebody is named who may set the tags that have to be set. That credentials are slow says nothing of what the
/// registry would answer, so nothing else is given up for it.
pub(super) async fn tagging(
    run: &Reconcile<'_>,
    snapshot: &Snapshot,
    is_hurried: bool,
) -> BTreeMap<Repository, Result<bool, String>> {
    let WorldSettings { hurried_timeout, unhurried_timeout, .. } = run.world.settings;
    let limit = if is_hurried { hurried_timeout } else { unhurried_timeout };
    let read = concerned(snapshot).into_iter().map(|repository| async move {
        let may = match tokio::time::timeout(limit, run.world.registry.may_tag(&repository)).await {
            Ok(may) => may.map_err(|error| error.to_string()),
            Err(_) => Err("its credentials take too long".to_owned()),
        };
        (repository, may)
    });
    join_all(read).await.into_iter().collect()
}
