//! What the journal says of the whole group, for people. Plain data.
//!
//! The replica makes it from its view, every instance of a group has the same.
//! Holds: all of it was committed.

use std::collections::BTreeMap;

use super::{Cluster, WindowSums};
use crate::{
    ids::{EventTimeMs, PartitionId, WindowStart},
    window::{PartitionHead, PartitionTotals, PublishedTotal},
};

/// The group as far as the replica has followed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// When the journal began; `None` before its identity was read.
    pub since_ms: Option<i64>,
    /// Global watermark.
    pub watermark: Option<EventTimeMs>,
    /// Sums over all input partitions.
    pub totals: PartitionTotals,
    /// The newest head of every input partition that has one.
    pub heads: BTreeMap<PartitionId, PartitionHead>,
    /// What was published last of the newest windows that are forgotten.
    pub last_published: BTreeMap<WindowStart, PublishedTotal>,
    /// Who reads what; `None` before the identity was read.
    pub cluster: Option<Cluster>,
    /// Its windows and usage, if they were asked for.
    pub sums: Option<WindowSums>,
}
