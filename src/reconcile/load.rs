//! What is recorded of a pipeline.

use super::ReconcileError;
use crate::promotion::State;
use crate::store::{Key, Store, StoreError};

/// Events read at once when a state is folded.
const ENTRIES_PAGE: usize = 1_000;

/// The state of a pipeline: the stored fold, and the events after it.
///
/// # Errors
/// [`ReconcileError::Store`] and [`ReconcileError::Illegal`], where they cannot be read or do not fit.
pub async fn load(store: &Store, key: &Key) -> Result<State, ReconcileError> {
    let corrupt = |reason: String| ReconcileError::Store(StoreError::Corrupt { reason });
    let (mut after, mut state) = match store.fold(key).await? {
        Some((sequence, value)) => {
            let state =
                serde_json::from_value(value).map_err(|error| corrupt(format!("fold of {key}: {error}")))?;
            (sequence, state)
        }
        None => (0, State::default()),
    };
    loop {
        let entries = store.entries(key, after, ENTRIES_PAGE).await?;
        for (sequence, entry) in &entries {
            state.apply(entry)?;
            after = *sequence;
        }
        if entries.len() < ENTRIES_PAGE {
            return Ok(state);
        }
    }
}
