//! What an epoch says of a partition, and of the merger, beside the counts: the heads of their
//! journal records.
//!
//! Pure data, made by the sink and read by every instance. All values are absolute.
//! Holds: a head and the counts of its record are of the same epoch.

use std::{collections::BTreeMap, sync::Arc};

use super::{PartitionState, WindowRules};
use crate::ids::{EventTimeMs, Offset, PartitionId};

/// State of one input partition after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionHead {
    /// How far it is.
    pub state: PartitionState,
    /// The owner has read all that the log had.
    pub at_end: bool,
    /// What has become of the partition's records.
    pub totals: PartitionTotals,
}

/// Records of one partition since its first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartitionTotals {
    /// Records read, tombstones among them.
    pub records_in: u64,
    /// Events that were enriched, late ones among them.
    pub processed: u64,
    /// Records that went to the dead-letter topic.
    pub dead_lettered: u64,
    /// Events that went to the late topic.
    pub late: u64,
    /// Records without a value.
    pub tombstones: u64,
}

/// State of the merger after an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergerHead {
    /// Global watermark; never goes back.
    pub watermark: Option<EventTimeMs>,
    /// Windows that end at or before this take no more events; never goes back.
    pub horizon: Option<EventTimeMs>,
    /// Windows that end at or before this are forgotten by everyone; at most `horizon`.
    pub forgotten: Option<EventTimeMs>,
    /// Announced number of input partitions; never shrinks.
    pub partitions: u32,
    /// The newest bounded run, finished or not.
    pub run: Option<BoundedRun>,
    /// Window size, grace and lateness that the merger works with.
    pub rules: WindowRules,
}

/// A run that ends where the input ended when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundedRun {
    /// Counts the runs of the group, from 1.
    pub number: u64,
    /// Per input partition the offset to read up to.
    pub ends: Arc<BTreeMap<PartitionId, Offset>>,
    /// All windows are closed and published.
    pub done: bool,
}

/// What the merger remembers of a published window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublishedTotal {
    /// Revision last published, from 1; 0 while the window is open.
    pub revision: u32,
    /// Events in that revision.
    pub total: u64,
    /// Of these, the events counted after the window had closed.
    pub late_events: u64,
}
