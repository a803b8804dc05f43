//! Counts what one worker has seen in one epoch. Owned by the worker thread.
//!
//! In:  one call per record, in the order read.
//! Out: per partition the window deltas, the highest event time and the counts, at the barrier.
//! Holds: `memory_bytes` is the amount reported to the budget; an event allocates only when it is
//! the first of a window or brings a value that its window does not have yet.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{
    epoch::PartitionCounts,
    event::Event,
    ids::{EventTimeMs, PartitionId, Position, WindowStart},
    window::{Dimension, Partial, PartitionDelta, PerDimension},
};

/// The counts of an epoch.
#[derive(Debug, Default)]
pub(crate) struct EpochDelta {
    /// Indexed by partition number.
    partitions: Vec<PartitionAccumulator>,
    memory_bytes: usize,
}

#[derive(Debug, Default)]
struct PartitionAccumulator {
    counts: PartitionCounts,
    windows: Vec<(WindowStart, Partial)>,
    /// Where in `windows` a window is.
    places: HashMap<WindowStart, usize, FixedState>,
    highest_event_time: Option<EventTimeMs>,
    first_event: Option<(i64, EventTimeMs)>,
}

impl EpochDelta {
    /// Counts a dead letter.
    pub(crate) fn dead_letter(&mut self, partition: PartitionId) {
        self.partition(partition).counts.dead_lettered += 1;
    }

    /// Counts an event, counted as processed already, that came too late for its window.
    pub(crate) fn late(&mut self, partition: PartitionId) {
        self.partition(partition).counts.late += 1;
    }

    /// Counts a processed event; in `window` as well, unless that is `None` because it is late.
    pub(crate) fn processed(
        &mut self,
        at: Position,
        event: &Event<'_>,
        window: Option<WindowStart>,
    ) {
        let partition = self.partition(at.partition);
        partition.counts.processed += 1;
        let grown = partition.count(at, event, window);
        self.memory_bytes += grown;
    }

    /// Counts a processed event that no window counts.
    pub(crate) fn seen(&mut self, at: Position, event_time: EventTimeMs) {
        let partition = self.partition(at.partition);
        partition.counts.processed += 1;
        partition.raise(at, event_time);
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Takes the epoch's result and begins a new one.
    pub(crate) fn take(&mut self) -> (Vec<PartitionDelta>, Vec<(PartitionId, PartitionCounts)>) {
        self.memory_bytes = 0;
        let mut deltas = Vec::new();
        let mut counts = Vec::new();
        for (number, accumulator) in self.partitions.iter_mut().enumerate() {
            let partition = PartitionId(number as i32);
            if accumulator.counts != PartitionCounts::default() {
                counts.push((partition, accumulator.counts));
            }
            if accumulator.first_event.is_some() {
                deltas.push(accumulator.take_delta(partition));
            }
            accumulator.counts = PartitionCounts::default();
        }
        (deltas, counts)
    }

    fn partition(&mut self, partition: PartitionId) -> &mut PartitionAccumulator {
        let index = partition.0 as usize;
        if index >= self.partitions.len() {
            self.partitions.resize_with(index + 1, PartitionAccumulator::default);
        }
        &mut self.partitions[index]
    }
}

impl PartitionAccumulator {
    /// Returns by how many bytes this grew.
    #[inline]
    fn count(&mut self, at: Position, event: &Event<'_>, window: Option<WindowStart>) -> usize {
        self.raise(at, event.event_time);
        let Some(window) = window else { return 0 };
        let mut new = 0;
        let place = *self.places.entry(window).or_insert_with(|| {
            let partial = Partial::new();
            new = partial.memory_bytes();
            self.windows.push((window, partial));
            self.windows.len() - 1
        });
        let partial = &mut self.windows[place].1;
        let values = PerDimension::from_fn(|dimension| match dimension {
            Dimension::Location => event.locale,
            Dimension::Device => event.device_type,
            Dimension::Version => event.app_version,
        });
        new + partial.count(values, event.user_id)
    }

    /// An event raises the watermark at most to its record's Kafka timestamp: a sender with a wrong
    /// clock must not close the windows of all others.
    #[inline]
    fn raise(&mut self, at: Position, event_time: EventTimeMs) {
        let time = event_time.min(EventTimeMs(at.timestamp_ms));
        self.highest_event_time = self.highest_event_time.max(Some(time));
        self.first_event.get_or_insert((at.offset, event_time));
    }

    fn take_delta(&mut self, partition: PartitionId) -> PartitionDelta {
        self.places.clear();
        PartitionDelta {
            partition,
            windows: std::mem::take(&mut self.windows),
            highest_event_time: self.highest_event_time.take(),
            first_event: self.first_event.take(),
        }
    }
}
