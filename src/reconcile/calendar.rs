//! The calendar of freezes, where it is a file of its own: read at the commit whose rules name it.

use super::{Reconcile, ReconcileError};
use crate::commit::CommitId;
use crate::pipeline::{Calendar, Pipeline, parse_calendar};
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
        pipeline.freezes = read(run, file, commit).await?.of(&pipeline.name);
    }
    Ok(pipeline)
}

async fn read(run: &Reconcile<'_>, file: &str, commit: CommitId) -> Result<Calendar, ReconcileError> {
    let unusable = |reason: String| Ok(Calendar::Unusable { file: file.to_owned(), reason });
    let bytes = match run.repository.mirror.read(commit, file).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return unusable(format!("there is no such file on branch {}", run.repository.base)),
        // A folder, a link, a file that is too large.
        Err(error @ RepositoryError::Edit { .. }) => return unusable(error.to_string()),
        Err(error) => return Err(error.into()),
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
