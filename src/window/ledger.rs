//! What each owned input partition has contributed: partial results per (partition, window), and
//! how far it is read. Owned by the sink thread, as part of `Windows`.
//!
//! In:  an epoch's counts and progress. Out: the changed partials and partition states, absolute.
//! Holds: a partition's watermark and offset never go back; every event of a partition below its
//! offset is in exactly one partial, was late, or its window has been published and dropped.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Completeness, Partial, PartialKey, PartitionDelta, PartitionProgress, PartitionState,
    StateImage, WindowRules,
};
use crate::ids::{Epoch, EventTimeMs, Offset, PartitionId, WindowStart};

/// Partial results and progress of the owned partitions, as of the last committed epoch.
#[derive(Debug)]
pub(super) struct Ledger {
    rules: WindowRules,
    partials: BTreeMap<PartialKey, Arc<Partial>>,
    partitions: BTreeMap<PartitionId, PartitionState>,
    /// Partials that nothing can be added to any more: a partition came back after the horizon had
    /// passed them. Removed with the next change.
    expired: Vec<PartialKey>,
    memory_bytes: usize,
}

/// What an epoch says about one partition beside its counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PartitionTimes {
    highest: Option<EventTimeMs>,
    first_event: Option<(i64, EventTimeMs)>,
}

impl PartitionTimes {
    /// Adds one worker's report.
    pub(super) fn add(&mut self, delta: &PartitionDelta) {
        self.highest = self.highest.max(delta.highest_event_time);
        self.first_event = [self.first_event, delta.first_event]
            .into_iter()
            .flatten()
            .min_by_key(|&(offset, _)| offset);
    }
}

/// Changed partials, absolute; `None` = dropped.
pub(super) type PartialChanges = BTreeMap<PartialKey, Option<Arc<Partial>>>;

impl Ledger {
    /// Takes the owned partitions out of an image. Panics when one has no state in it: recovery
    /// decides where an unknown partition starts and whether its windows are complete.
    pub(super) fn new(rules: WindowRules, image: StateImage, owned: &[PartitionId]) -> Self {
        let is_expired = |key: &&PartialKey| !image.retains(&rules, key.1);
        let mut expired: Vec<_> = image.partials.keys().filter(is_expired).copied().collect();
        let StateImage { mut partials, partitions, .. } = image;
        let state_of = |p: &PartitionId| {
            let state = partitions.get(p).copied();
            (*p, state.expect("recovery gives every owned partition a state"))
        };
        let partitions: BTreeMap<_, _> = owned.iter().map(state_of).collect();
        expired.retain(|(p, _)| partitions.contains_key(p));
        partials.retain(|key, _| {
            partitions.contains_key(&key.0) && expired.binary_search(key).is_err()
        });
        let memory_bytes = partials.values().map(|partial| partial.memory_bytes()).sum();
        Self { rules, partials, partitions, expired, memory_bytes }
    }

    /// State of the owned partitions.
    pub(super) fn partitions(&self) -> &BTreeMap<PartitionId, PartitionState> {
        &self.partitions
    }

    /// All partial results.
    #[cfg(test)]
    pub(super) fn partials(&self) -> &BTreeMap<PartialKey, Arc<Partial>> {
        &self.partials
    }

    /// Memory of the partial results.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The partitions' state after an epoch.
    pub(super) fn partitions_after(
        &self,
        epoch: Epoch,
        progress: &[PartitionProgress],
        times: &BTreeMap<PartitionId, PartitionTimes>,
    ) -> BTreeMap<PartitionId, PartitionState> {
        let after: BTreeMap<_, _> = progress
            .iter()
            .map(|progress| {
                let p = progress.partition;
                let before = self.partitions.get(&p).expect("progress is of owned partitions");
                let times = times.get(&p).copied().unwrap_or_default();
                assert!(progress.next_offset >= before.next_offset, "partition {p} went back");
                let state = PartitionState {
                    epoch,
                    next_offset: progress.next_offset,
                    watermark: before.watermark.max(times.highest),
                    completeness: self.completeness_after(before.completeness, times),
                    topic: before.topic,
                };
                (p, state)
            })
            .collect();
        assert_eq!(after.len(), self.partitions.len(), "an epoch reports every owned partition");
        assert_eq!(after.len(), progress.len(), "an epoch reports a partition once");
        after
    }

    fn completeness_after(&self, before: Completeness, times: PartitionTimes) -> Completeness {
        match (before, times.first_event) {
            (Completeness::UntilFirstEvent { at_least }, Some((_, time))) => {
                let first = self.rules.window_of(time);
                Completeness::After(at_least.map_or(first, |start| start.max(first)))
            }
            _ => before,
        }
    }

    /// The partials after an epoch's counts, without the windows that the horizon drops.
    pub(super) fn partials_after(
        &self,
        counted: BTreeMap<PartialKey, Partial>,
        horizon: Option<EventTimeMs>,
    ) -> PartialChanges {
        let mut changes: PartialChanges = self.expired.iter().map(|key| (*key, None)).collect();
        for (key, delta) in counted {
            let sum = match self.partials.get(&key) {
                Some(before) => {
                    let mut sum = Partial::clone(before);
                    sum.merge(&delta);
                    sum
                }
                None => delta,
            };
            changes.insert(key, Some(Arc::new(sum)));
        }
        for &p in self.partitions.keys() {
            let dropped = self
                .partials
                .range((p, WindowStart(i64::MIN))..)
                .take_while(|((q, start), _)| *q == p && self.rules.is_late(*start, horizon));
            changes.extend(dropped.map(|(key, _)| (*key, None)));
        }
        changes
    }

    /// Per partition the lowest offset that counts in a retained window once the changes are
    /// applied, else the next offset to read.
    pub(super) fn replay_from(
        &self,
        changes: &PartialChanges,
        partitions: &BTreeMap<PartitionId, PartitionState>,
    ) -> BTreeMap<PartitionId, Offset> {
        let mut lowest: BTreeMap<_, _> =
            partitions.iter().map(|(p, state)| (*p, state.next_offset)).collect();
        let kept = self.partials.iter().filter(|(key, _)| !changes.contains_key(key));
        let replaced = changes.iter().filter_map(|(key, sum)| Some((key, sum.as_ref()?)));
        for ((p, _), partial) in kept.chain(replaced) {
            let lowest = lowest.get_mut(p).expect("partials are of owned partitions");
            *lowest = (*lowest).min(Offset(partial.first_offset));
        }
        lowest
    }

    /// Takes over a committed epoch's changes.
    pub(super) fn commit(
        &mut self,
        changes: &PartialChanges,
        partitions: &BTreeMap<PartitionId, PartitionState>,
    ) {
        self.expired.clear();
        self.partitions.clone_from(partitions);
        for (key, sum) in changes {
            let before = match sum {
                Some(sum) => {
                    self.memory_bytes += sum.memory_bytes();
                    self.partials.insert(*key, Arc::clone(sum))
                }
                None => self.partials.remove(key),
            };
            self.memory_bytes -= before.map_or(0, |partial| partial.memory_bytes());
        }
    }
}
