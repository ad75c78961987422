//! What disturbs a world from outside, once and at a chosen moment: a stop, or a remote that fails one call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lockkeeper::witness::{Witness, Write};
use tokio::sync::Notify;

/// A kind of disturbance; where several moments are counted, each kind counts its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The process is gone right after a write that lasts.
    StopAfter(Write),
    /// A call to the forge is refused before it does anything.
    ForgeFails,
    /// A call to the forge does what was asked, and its answer is lost.
    ForgeForgets,
    /// A call to the registry is refused.
    RegistryFails,
}

/// What happened in a world that can be disturbed, and what is to disturb it.
#[derive(Debug, Default)]
pub struct Faults {
    /// How often each fault could have come since the last [`Faults::begin`].
    chances: Mutex<BTreeMap<Fault, usize>>,
    /// The chance to take, from 1 for each kind.
    at: Mutex<Option<(Fault, usize)>>,
    is_armed: AtomicBool,
    fired: AtomicUsize,
    stopped: Notify,
}

impl Faults {
    /// Counts from here, and takes this chance.
    pub fn begin(&self, at: Option<(Fault, usize)>) {
        self.locked().clear();
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.fired.store(0, Ordering::SeqCst);
    }

    /// The chances since the last [`Faults::begin`].
    pub fn chances(&self) -> Vec<(Fault, usize)> {
        let counts = self.locked().clone();
        counts.into_iter().flat_map(|(fault, count)| (1..=count).map(move |place| (fault, place))).collect()
    }

    /// Whether something was disturbed.
    pub fn has_fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst) > 0
    }

    /// The result of work of the engine; none where the process was stopped in it.
    pub async fn alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.is_armed.store(true, Ordering::SeqCst);
        let result = tokio::select! {
            biased;
            () = self.stopped.notified() => None,
            result = work => Some(result),
        };
        self.is_armed.store(false, Ordering::SeqCst);
        result
    }

    /// Whether this moment is the one to disturb. What people do is not counted.
    pub fn is_now(&self, fault: Fault) -> bool {
        if !self.is_armed.load(Ordering::SeqCst) {
            return false;
        }
        let place = {
            let mut chances = self.locked();
            let count = chances.entry(fault).or_insert(0);
            *count += 1;
            *count
        };
        let is_now = *self.at.lock().unwrap_or_else(PoisonError::into_inner) == Some((fault, place));
        if is_now {
            self.fired.fetch_add(1, Ordering::SeqCst);
        }
        is_now
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Fault, usize>> {
        self.chances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Witness for Faults {
    async fn wrote(&self, write: Write) {
        if self.is_now(Fault::StopAfter(write)) {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
    }
}
