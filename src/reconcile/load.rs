//! What is recorded of a pipeline.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::{EnvironmentRepository, Reconcile, ReconcileError, World};
use crate::promotion::State;
use crate::store::{Key, Lease, Store, StoreError};

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

impl<'a> Reconcile<'a> {
    /// With what is recorded, and nothing noted yet.
    pub(super) async fn begin(
        world: &'a World,
        lease: &'a Lease,
        repository: &'a EnvironmentRepository,
    ) -> Result<Self, ReconcileError> {
        Ok(Self {
            world,
            lease,
            repository,
            state: load(&world.store, &lease.key).await?,
            refusals: Vec::new(),
            is_muted: false,
            is_unmirrored: false,
            is_registry_slow: AtomicBool::new(false),
            is_cluster_slow: AtomicBool::new(false),
            is_registry_away: AtomicBool::new(false),
            is_unsigned: AtomicBool::new(false),
            standings: Mutex::default(),
        })
    }
}
