//! What people see: metrics, the statistics line, and one snapshot for the dashboard, the API and
//! the demo, replaced as a whole.
//!
//! In:  the group as the replica's view has it; reports of committed epochs.
//! Out: the `Reporter` of the sink thread writes a snapshot about twice a second, the http thread
//! and the demo's screen read it. A lock is held only while a pointer is copied.
//! Holds: committed epochs are counted, and nothing else. What is said of the group is of one
//! moment, what is said of the process too; the group may be a moment behind.

mod cluster;
mod epoch_report;
mod group;
mod history;
mod line;
mod recent_windows;
mod reporter;
mod sample;
mod snapshot;
mod stage_times;
mod usage;
mod usage_sums;
mod window;
mod window_sums;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

pub(crate) use self::{
    cluster::{AboutInstance, Cluster, ClusterInstance, ClusterPartition, ClusterRun},
    epoch_report::{CommitTime, EpochReport, PartitionReport},
    group::Group,
    reporter::Reporter,
    sample::{Sample, Samples},
    snapshot::{
        DeadLetters, HistoryPoint, LastEpoch, Latencies, PartitionStatus, ProcessCounts, Snapshot,
        SoftProblemCount, Totals,
    },
    usage::Usage,
    window::WindowView,
    window_sums::WindowSums,
};

/// Holds the newest snapshot, and the newest state of the group for the next one.
#[derive(Debug, Default)]
pub struct Board {
    newest: Mutex<Arc<Snapshot>>,
    group: Mutex<Arc<Group>>,
    wants_sums: AtomicBool,
}

impl Board {
    /// An empty board.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the snapshot.
    pub(crate) fn publish(&self, snapshot: impl Into<Arc<Snapshot>>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = snapshot.into();
    }

    /// The newest snapshot; an empty one before the first.
    pub(crate) fn newest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the group.
    pub(crate) fn set_group(&self, group: Group) {
        let group = Arc::new(group);
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = group;
    }

    /// Says whether the group is to have its windows and usage added up.
    pub(crate) fn ask_for_sums(&self, wants: bool) {
        self.wants_sums.store(wants, Relaxed);
    }

    /// Whether the group is to have its windows and usage added up.
    pub(crate) fn wants_sums(&self) -> bool {
        self.wants_sums.load(Relaxed)
    }

    /// The group; an empty one before the replica has read anything.
    pub(crate) fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
