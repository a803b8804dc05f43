//! What the journal brings of others, between two epochs of one's own. Pure data, from the replica
//! to the sink.
//!
//! Holds: all of it was committed, and is absolute: what comes later replaces what came before.

use std::{collections::BTreeMap, sync::Arc};

use super::{Partial, PartitionHead};
use crate::ids::{EventTimeMs, PartitionId, WindowStart};

/// What has come since it was last taken.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// The newest state of partitions, owned ones among them.
    pub partitions: BTreeMap<PartitionId, PartitionNews>,
    /// What the merger and all partitions say of the group, if any of that has changed.
    pub group: Option<GroupFacts>,
}

/// The newest state of a partition.
#[derive(Debug, Clone)]
pub struct PartitionNews {
    /// Its head.
    pub head: PartitionHead,
    /// Counts of every window that is not forgotten.
    pub windows: BTreeMap<WindowStart, Arc<Partial>>,
}

/// What is true of the whole group, as far as the journal was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupFacts {
    /// Global watermark.
    pub watermark: Option<EventTimeMs>,
    /// Windows that end at or before this take no more events once an owner has adopted it.
    pub horizon: Option<EventTimeMs>,
    /// Windows that end at or before this are forgotten by everyone.
    pub forgotten: Option<EventTimeMs>,
    /// Announced number of input partitions.
    pub announced: u32,
    /// Windows with counts that are not published.
    pub open_windows: usize,
    /// The earliest of them.
    pub lowest_open: Option<WindowStart>,
}

impl News {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty() && self.group.is_none()
    }
}
