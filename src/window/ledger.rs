//! What each owned input partition has contributed: partial results per window, and how far it is
//! read. Owned by the sink thread.
//!
//! In:  per epoch what the workers counted, and the progress and horizon of the cut.
//! Out: one [`PartitionChange`] per owned partition, absolute. It says all that others need to know
//! of a partition, so a merger can be elsewhere.
//! Holds: a partition's watermark, offset and horizon never go back; every event of a partition
//! below its offset is in exactly one partial, was late, or its window was published and forgotten.
//! `prepare` changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Completeness, EpochInput, Partial, PartitionChange, PartitionDelta, PartitionProgress,
    PartitionState, StateImage, WindowRules,
};
use crate::ids::{EventTimeMs, PartitionId, WindowStart};

/// Partial results and progress of the owned partitions, as of the last committed epoch.
#[derive(Debug)]
pub struct Ledger {
    rules: WindowRules,
    partitions: BTreeMap<PartitionId, OwnedPartition>,
    memory_bytes: usize,
}

/// One input partition.
#[derive(Debug)]
struct OwnedPartition {
    state: PartitionState,
    /// Events of windows at or behind it are late. Right after a takeover it may be ahead of what
    /// the partition's head says.
    horizon: Option<EventTimeMs>,
    partials: BTreeMap<WindowStart, Arc<Partial>>,
}

/// What the workers say of one partition in one epoch.
#[derive(Debug, Default)]
struct Counted {
    windows: BTreeMap<WindowStart, Partial>,
    highest_event_time: Option<EventTimeMs>,
    first_event: Option<(i64, EventTimeMs)>,
}

impl Counted {
    /// Adds one worker's report.
    fn add(&mut self, delta: PartitionDelta) {
        self.highest_event_time = self.highest_event_time.max(delta.highest_event_time);
        self.first_event = [self.first_event, delta.first_event]
            .into_iter()
            .flatten()
            .min_by_key(|&(offset, _)| offset);
        for (start, partial) in delta.windows.into_iter().filter(|(_, sum)| sum.total > 0) {
            let sum = self.windows.entry(start);
            sum.and_modify(|sum| sum.merge(&partial)).or_insert(partial);
        }
    }
}

impl Ledger {
    /// Takes the owned partitions out of an image. Panics when one has no state in it: recovery
    /// decides where an unknown partition starts and whether its windows are complete.
    pub fn new(rules: WindowRules, image: &StateImage, owned: &[PartitionId]) -> Self {
        let partition = |p: &PartitionId| {
            let state = image.partitions.get(p).copied();
            let state = state.expect("recovery gives every owned partition a state");
            let horizon = image.horizon.max(state.horizon);
            let partials = image.partials_of(*p).map(|((_, start), sum)| (*start, Arc::clone(sum)));
            (*p, OwnedPartition { state, horizon, partials: partials.collect() })
        };
        let partitions: BTreeMap<_, _> = owned.iter().map(partition).collect();
        let partials = partitions.values().flat_map(|owned| owned.partials.values());
        let memory_bytes = partials.map(|partial| partial.memory_bytes()).sum();
        Self { rules, partitions, memory_bytes }
    }

    /// State of the owned partitions.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionId, &PartitionState)> {
        self.partitions.iter().map(|(p, owned)| (*p, &owned.state))
    }

    /// Whether a partition is owned.
    pub fn owns(&self, p: PartitionId) -> bool {
        self.partitions.contains_key(&p)
    }

    /// Keeps the journal's copy of what is the same there, so that it is in memory once.
    pub fn share(&mut self, p: PartitionId, counts: &BTreeMap<WindowStart, Arc<Partial>>) {
        let Some(owned) = self.partitions.get_mut(&p) else { return };
        for (start, partial) in &mut owned.partials {
            if let Some(same) = counts.get(start).filter(|other| partial.is_same(other)) {
                self.memory_bytes += same.memory_bytes();
                self.memory_bytes -= partial.memory_bytes();
                *partial = Arc::clone(same);
            }
        }
    }

    /// All partial results.
    pub(super) fn partials(&self) -> BTreeMap<super::PartialKey, Arc<Partial>> {
        let all = self.partitions.iter().flat_map(|(p, owned)| {
            owned.partials.iter().map(|(start, sum)| ((*p, *start), Arc::clone(sum)))
        });
        all.collect()
    }

    /// Memory of the partial results, in bytes. Constant time.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Works out what an epoch changes, by partition. Windows up to `forgotten` are dropped. Panics
    /// when its input breaks an invariant: a partition that is not owned, missing or gone back, an
    /// event at or behind the horizon.
    pub fn prepare(
        &self,
        input: EpochInput,
        forgotten: Option<EventTimeMs>,
    ) -> Vec<PartitionChange> {
        let mut counted = BTreeMap::<PartitionId, Counted>::new();
        for delta in input.deltas {
            let p = delta.partition;
            assert!(self.partitions.contains_key(&p), "partition {p} is not owned");
            counted.entry(p).or_default().add(delta);
        }
        let mut progress: Vec<_> = input.progress;
        progress.sort_unstable_by_key(|progress| progress.partition);
        assert!(
            progress.iter().map(|progress| progress.partition).eq(self.partitions.keys().copied()),
            "an epoch reports every owned partition, and each once"
        );
        let changes = progress.into_iter().map(|progress| {
            let owned = &self.partitions[&progress.partition];
            let counted = counted.remove(&progress.partition).unwrap_or_default();
            owned.prepare(&self.rules, progress, (input.horizon, forgotten), counted)
        });
        changes.collect()
    }

    /// Whether an epoch's changes count something or move a position.
    pub fn is_moved_by(&self, changes: &[PartitionChange]) -> bool {
        changes.iter().any(|change| {
            let before = self.partitions[&change.partition].state.next_offset;
            !change.partials.is_empty() || change.state.next_offset != before
        })
    }

    /// All counts of a partition as they are once its change is applied.
    pub fn counts_after(&self, change: &PartitionChange) -> BTreeMap<WindowStart, Arc<Partial>> {
        let mut counts = self.partitions[&change.partition].partials.clone();
        counts.retain(|start, _| !change.dropped.contains(start));
        counts.extend(change.partials.iter().map(|(start, sum)| (*start, Arc::clone(sum))));
        counts
    }

    /// Takes over a committed epoch's changes.
    pub fn commit(&mut self, changes: &[PartitionChange]) {
        for change in changes {
            let owned = self.partitions.get_mut(&change.partition).expect("changes are of owned");
            let horizon = change.state.horizon;
            assert!(horizon >= owned.horizon, "the horizon never goes back");
            owned.state = change.state;
            owned.horizon = horizon;
            for (start, sum) in &change.partials {
                self.memory_bytes += sum.memory_bytes();
                let before = owned.partials.insert(*start, Arc::clone(sum));
                self.memory_bytes -= before.map_or(0, |partial| partial.memory_bytes());
            }
            for start in &change.dropped {
                let before = owned.partials.remove(start);
                self.memory_bytes -= before.map_or(0, |partial| partial.memory_bytes());
            }
        }
    }
}

impl OwnedPartition {
    fn prepare(
        &self,
        rules: &WindowRules,
        progress: PartitionProgress,
        (horizon, forgotten): (Option<EventTimeMs>, Option<EventTimeMs>),
        counted: Counted,
    ) -> PartitionChange {
        let PartitionProgress { partition, next_offset, idle_as_of } = progress;
        assert!(next_offset >= self.state.next_offset, "partition {partition} went back");
        let state = PartitionState {
            next_offset,
            watermark: self.state.watermark.max(counted.highest_event_time),
            idle_as_of,
            horizon: horizon.max(self.horizon),
            completeness: self.completeness_after(rules, counted.first_event),
            topic: self.state.topic,
        };
        let is_late = |start: &WindowStart| rules.is_late(*start, self.horizon);
        let is_forgotten = |start: &WindowStart| rules.is_late(*start, forgotten);
        let dropped = self.partials.keys().copied().take_while(is_forgotten).collect();
        let partials = counted.windows.into_iter().map(|(start, delta)| {
            assert!(!is_late(&start), "an event of window {start} was counted behind the horizon");
            let sum = match self.partials.get(&start) {
                Some(before) => {
                    let mut sum = Partial::clone(before);
                    sum.merge(&delta);
                    sum
                }
                None => delta,
            };
            (start, Arc::new(sum))
        });
        PartitionChange { partition, state, partials: partials.collect(), dropped }
    }

    fn completeness_after(
        &self,
        rules: &WindowRules,
        first_event: Option<(i64, EventTimeMs)>,
    ) -> Completeness {
        match (self.state.completeness, first_event) {
            (Completeness::UntilFirstEvent { at_least }, Some((_, time))) => {
                let first = rules.window_of(time);
                Completeness::After(at_least.map_or(first, |start| start.max(first)))
            }
            (before, _) => before,
        }
    }
}
