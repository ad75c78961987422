//! How what comes to an end stands.

use super::{Standing, one_line};
use crate::cluster::kubernetes::object::Object;
use crate::observation::Health;

/// Of a Job.
pub(super) fn job(object: &Object) -> Standing {
    let wanted = object.spec.completions.unwrap_or(1);
    let succeeded = object.status.succeeded.unwrap_or(0);
    let health = if let Some(why) = failure(object) {
        Health::Degraded(why)
    } else if object.is("Complete") {
        Health::Healthy
    } else if object.spec.suspend == Some(true) {
        Health::Progressing("it is suspended".to_owned())
    } else {
        Health::Progressing(format!("{succeeded} of {wanted} are complete"))
    };
    let ready = if health == Health::Healthy { wanted } else { succeeded.clamp(0, wanted.max(0)) };
    Standing { ready, wanted, health }
}

/// Of a CronJob: what became of the last run that ended. Running nothing is fine, a run under way says nothing yet, and a
/// suspended one waits for nobody.
pub(super) fn cron_job(object: &Object, jobs: &[&Object]) -> Standing {
    let ended = jobs.iter().filter(|job| job.is("Complete") || job.is("Failed")).copied();
    let ended: Vec<&Object> = ended.collect();
    let health = match last(&ended) {
        _ if object.spec.suspend == Some(true) => Health::Healthy,
        Some(last) => match failure(last) {
            Some(why) => Health::Degraded(format!("its last run {}: {why}", last.metadata.name)),
            None => Health::Healthy,
        },
        None if jobs.is_empty() => Health::Healthy,
        None => Health::Progressing("its first run is under way".to_owned()),
    };
    Standing { ready: 0, wanted: 0, health }
}

/// The job that was made last.
pub(super) fn last<'a>(jobs: &[&'a Object]) -> Option<&'a Object> {
    let made = |job: &&&Object| (job.metadata.creation_timestamp, job.metadata.name.clone());
    jobs.iter().max_by_key(made).copied()
}

fn failure(job: &Object) -> Option<String> {
    let failed = job.condition("Failed").filter(|condition| condition.status == "True")?;
    let text = failed.message.as_ref().or(failed.reason.as_ref());
    Some(format!("it failed: {}", one_line(text.map_or("no reason given", String::as_str))))
}
