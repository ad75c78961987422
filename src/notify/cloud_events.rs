//! CloudEvents 1.0, structured, as JSON.
//!
//! Source: CloudEvents 1.0.2, "CloudEvents - Version 1.0.2" and "JSON Event Format for CloudEvents".

use jiff::Timestamp;
use serde_json::{Value, json};

use super::news::{Move, News, What};
use crate::image::Release;
use crate::settings::Occasion;

pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The message of an event. Every key of `data` is always there.
pub(super) fn message(news: &News) -> String {
    let (images, movement) = match &news.what {
        What::Move(movement) => (images(&movement.release), Some(movement)),
        What::Image(repository, digest) => {
            let image =
                json!({ "repository": repository.to_string(), "tag": null, "digest": digest.to_string() });
            (Value::from(vec![image]), None)
        }
        What::Watch(release, _) => (images(release), None),
    };
    let version = match &news.what {
        What::Move(Move { release, .. }) | What::Watch(release, _) => Some(release.version()),
        What::Image(..) => None,
    };
    let was = movement.and_then(|movement| movement.was.as_ref());
    let approved_by = movement.map(|movement: &Move| movement.approved_by.clone()).unwrap_or_default();
    let message = json!({
        "specversion": "1.0",
        "id": news.id(),
        "source": news.source(),
        "type": kind(news.occasion),
        "subject": news.stage.as_str(),
        "time": news.at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "repository": news.repository,
            "pipeline": news.pipeline.as_str(),
            "stage": news.stage.as_str(),
            "lane": movement.map(|movement| movement.lane.to_string()),
            "version": version,
            "release": images,
            "was_version": was.map(Release::version),
            "was": was.map(self::images),
            "pull_request": news.url,
            "waits_for": movement.and_then(|movement| movement.waits_for.clone()),
            "approved_by": approved_by,
            "by": news.by,
            "reason": news.reason,
        }
    });
    message.to_string()
}

/// A message of nothing that happened.
pub(super) fn test(target: &str, now: Timestamp) -> String {
    let message = json!({
        "specversion": "1.0",
        "id": format!("test/{target}/{now}"),
        "source": "lockkeeper",
        "type": "dev.lockkeeper.test",
        "time": now.to_string(),
        "datacontenttype": "application/json",
        "data": { "target": target }
    });
    message.to_string()
}

fn kind(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Waiting => "dev.lockkeeper.promotion.waiting",
        Occasion::Promoted => "dev.lockkeeper.promotion.merged",
        Occasion::RolledBack => "dev.lockkeeper.rollback.merged",
        Occasion::WatchFailed => "dev.lockkeeper.watch.failed",
        Occasion::RollbackTargetMissing => "dev.lockkeeper.rollback_target.missing",
    }
}

fn images(release: &Release) -> Value {
    let image = |(repository, pinned): (&crate::image::Repository, &crate::image::Pinned)| {
        json!({
            "repository": repository.to_string(),
            "tag": pinned.tag.as_ref().map(ToString::to_string),
            "digest": pinned.digest.to_string(),
        })
    };
    release.images().map(image).collect()
}
