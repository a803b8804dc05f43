//! How far each partition of the input is, as far as that is known. Part of the merger.
//!
//! In:  the state of every partition that has a head. Out: what that means for so many partitions
//! as are announced.
//! Holds: a partition that is announced and has no head is behind everything.

use std::collections::BTreeMap;

use super::{PartitionChange, PartitionState, watermark::PartitionTime};
use crate::{
    failpoint::{self, Fault},
    ids::{EventTimeMs, PartitionId, WindowStart},
};

/// The partitions that have a head.
#[derive(Debug, Clone)]
pub(super) struct Standings(BTreeMap<PartitionId, PartitionState>);

impl Standings {
    pub(super) fn of(partitions: &BTreeMap<PartitionId, PartitionState>) -> Self {
        Self(partitions.clone())
    }

    pub(super) fn insert(&mut self, p: PartitionId, state: PartitionState) {
        self.0.insert(p, state);
    }

    /// As they are after these changes.
    pub(super) fn with(&self, changes: &[PartitionChange]) -> Self {
        let mut partitions = self.0.clone();
        partitions.extend(changes.iter().map(|change| (change.partition, change.state)));
        Self(partitions)
    }

    pub(super) fn get(&self, p: PartitionId) -> Option<&PartitionState> {
        self.0.get(&p)
    }

    /// Number of partitions that heads name.
    pub(super) fn named(&self) -> u32 {
        self.0.keys().next_back().map_or(0, |p| p.0 as u32 + 1)
    }

    /// Each of so many partitions, with its state if it has one.
    fn each(
        &self,
        count: u32,
    ) -> impl Iterator<Item = (PartitionId, Option<&PartitionState>)> + Clone {
        (0..count as i32).map(|p| (PartitionId(p), self.0.get(&PartitionId(p))))
    }

    /// The lowest horizon that so many partitions have adopted; none while one has no head.
    pub(super) fn adopted(&self, count: u32) -> Option<EventTimeMs> {
        self.each(count).map(|(_, state)| state.and_then(|state| state.horizon)).min().flatten()
    }

    /// The highest horizon that any has adopted.
    pub(super) fn highest_horizon(&self) -> Option<EventTimeMs> {
        self.0.values().map(|state| state.horizon).max().flatten()
    }

    /// Whether a window has all input of so many partitions.
    pub(super) fn are_complete(&self, count: u32, start: WindowStart) -> bool {
        let has_all = |state: &PartitionState| !state.completeness.may_miss(start);
        count > 0 && self.each(count).all(|(_, state)| state.is_some_and(has_all))
    }

    /// Whether each of so many partitions has a head.
    pub(super) fn have_heads(&self, count: u32) -> bool {
        failpoint::is_planted(Fault::HeadlessIgnored)
            || self.each(count).all(|(_, state)| state.is_some())
    }

    /// The event time of each.
    pub(super) fn times(&self, count: u32) -> impl Iterator<Item = PartitionTime> + Clone {
        let ignored = failpoint::is_planted(Fault::HeadlessIgnored);
        let known = self.each(count).filter(move |(_, state)| state.is_some() || !ignored);
        known.map(|(_, state)| PartitionTime {
            watermark: state.and_then(|state| state.watermark),
            idle_as_of: state.and_then(|state| state.idle_as_of),
        })
    }
}
