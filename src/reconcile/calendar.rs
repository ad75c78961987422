//! The calendar of freezes, where it is a file of its own: read at the commit whose rules name it.

use jiff::Timestamp;

use super::world::EnvironmentRepository;
use super::{Reconcile, ReconcileError};
use crate::commit::CommitId;
use crate::pipeline::{Calendar, Pipeline, parse_calendar, unknown_names};
use crate::repository::RepositoryError;

/// The pipeline with the freezes that concern it. A calendar that is missing or broken is part of the world: then nothing
/// is known of freezes, and the plan says so.
///
/// # Errors
/// [`ReconcileError`] if git cannot be read.
pub(super) async fn with_calendar(
    run: &Reconcile<'_>,
    mut pipeline: Pipeline,
    commit: CommitId,
) -> Result<Pipeline, ReconcileError> {
    if let Calendar::File(file) = &pipeline.freezes {
        pipeline.freezes = read(run.repository, file, commit).await?.of(&pipeline.name);
    }
    Ok(pipeline)
}

/// What names in the calendar file nothing has, of freezes that are not over; nothing where there is no such file, or where
/// it cannot be used, which every pipeline says of itself.
pub(super) async fn unknown_in(
    repository: &EnvironmentRepository,
    pipelines: &[Pipeline],
    commit: CommitId,
    now: Timestamp,
) -> Result<Vec<String>, RepositoryError> {
    let Some(Calendar::File(file)) = pipelines.first().map(|pipeline| &pipeline.freezes) else {
        return Ok(Vec::new());
    };
    let calendar = read(repository, file, commit).await?;
    let unknown = unknown_names_of(&calendar, pipelines, now);
    Ok(unknown.into_iter().map(|text| format!("{file}: {text}; it stops nothing there")).collect())
}

/// What names in a calendar nothing has, of freezes that are not over.
pub(super) fn unknown_names_of(calendar: &Calendar, pipelines: &[Pipeline], now: Timestamp) -> Vec<String> {
    let Calendar::Known(freezes) = calendar else { return Vec::new() };
    let to_come = freezes.iter().filter(|freeze| freeze.until > now);
    to_come.flat_map(|freeze| unknown_names(freeze, pipelines)).collect()
}

/// The calendar file at a commit.
pub(super) async fn read(
    repository: &EnvironmentRepository,
    file: &str,
    commit: CommitId,
) -> Result<Calendar, RepositoryError> {
    let unusable = |reason: String| Ok(Calendar::Unusable { file: file.to_owned(), reason });
    let bytes = match repository.mirror.read(commit, file).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return unusable(format!("there is no such file on branch {}", repository.base)),
        // A folder, a link, a file that is too large.
        Err(error @ RepositoryError::Edit { .. }) => return unusable(error.to_string()),
        Err(error) => return Err(error),
    };
    match parse_calendar(&bytes) {
        Ok(freezes) => Ok(Calendar::Known(freezes)),
        Err(errors) => {
            let first = errors.first().map_or_else(String::new, |error| {
                format!("line {}, {}: {}", error.line, error.key, error.reason)
            });
            let more =
                if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
            unusable(format!("{first}{more}"))
        }
    }
}
