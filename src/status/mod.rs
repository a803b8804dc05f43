//! The pipeline's status for the dashboard, the API and the demo: one snapshot, replaced as a
//! whole.
//!
//! The sink writes it about twice a second, the http thread and the demo's screen read it. The lock
//! is held only while a pointer is copied.
//! Holds: all numbers of a snapshot are of the same moment, and count committed epochs only.

mod sample;
mod snapshot;
mod usage;
mod window;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use self::{
    sample::{Sample, Samples},
    snapshot::{
        DeadLetters, HistoryPoint, LastEpoch, Latencies, PartitionStatus, Snapshot,
        SoftProblemCount, Totals,
    },
    usage::Usage,
    window::WindowView,
};

/// Holds the newest snapshot.
#[derive(Debug, Default)]
pub struct Board {
    newest: Mutex<Arc<Snapshot>>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the snapshot.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    /// The newest snapshot; an empty one before the first.
    pub(crate) fn newest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
