//! Counts what one worker has seen in one epoch. Owned by the worker thread.
//!
//! In:  one call per record, in the order read.
//! Out: per partition the window deltas, the highest event time and the counts, at the barrier.
//! Holds: `memory_bytes` is the amount reported to the budget; an event allocates only when it is
//! the first of a window or brings a value that its window does not have yet.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{
    batch::Position,
    epoch::PartitionCounts,
    event::Event,
    ids::{EventTimeMs, PartitionId, WindowStart},
    window::{Partial, PartitionDelta},
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
    /// Index in `windows` of the one counted last: most events fall into the same as the one
    /// before.
    last: usize,
    /// Used only beyond `LINEAR_WINDOWS`: a backfill opens thousands of windows in one epoch.
    index: HashMap<WindowStart, usize, FixedState>,
    highest_event_time: Option<EventTimeMs>,
    first_event: Option<(i64, EventTimeMs)>,
}

/// Windows up to this many are found by walking the list from its end.
const LINEAR_WINDOWS: usize = 8;

impl EpochDelta {
    /// Counts a dead letter.
    pub(crate) fn dead_letter(&mut self, partition: PartitionId) {
        self.partition(partition).counts.dead_lettered += 1;
    }

    /// Counts a record that was read again.
    pub(crate) fn replayed(&mut self, partition: PartitionId) {
        self.partition(partition).counts.replayed += 1;
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

    /// Counts a valid event in `window`; for a late event, without a window, it only notes its
    /// time.
    pub(crate) fn count(&mut self, at: Position, event: &Event<'_>, window: Option<WindowStart>) {
        let grown = self.partition(at.partition).count(at, event, window);
        self.memory_bytes += grown;
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
        // An event raises the watermark at most to its record's Kafka timestamp: a sender with a
        // wrong clock must not close the windows of all others.
        let time = event.event_time.min(EventTimeMs(at.timestamp_ms));
        self.highest_event_time = self.highest_event_time.max(Some(time));
        self.first_event.get_or_insert((at.offset, event.event_time));
        let Some(window) = window else { return 0 };
        let (partial, opened) = self.window(window);
        let new = if opened { partial.memory_bytes() } else { 0 };
        new + partial.count(
            at.offset,
            event.locale,
            event.device_type,
            event.app_version,
            event.user_id,
        )
    }

    fn window(&mut self, start: WindowStart) -> (&mut Partial, bool) {
        let known = match self.windows.get(self.last) {
            Some((last, _)) if *last == start => Some(self.last),
            _ => self.find(start),
        };
        let opened = known.is_none();
        self.last = known.unwrap_or_else(|| {
            self.windows.push((start, Partial::new()));
            self.index_windows();
            self.windows.len() - 1
        });
        (&mut self.windows[self.last].1, opened)
    }

    fn find(&self, start: WindowStart) -> Option<usize> {
        if self.windows.len() <= LINEAR_WINDOWS {
            self.windows.iter().rposition(|(known, _)| *known == start)
        } else {
            self.index.get(&start).copied()
        }
    }

    fn index_windows(&mut self) {
        if self.windows.len() > LINEAR_WINDOWS {
            let indexed = self.index.len();
            let new = self.windows.iter().enumerate().skip(indexed);
            self.index.extend(new.map(|(place, (start, _))| (*start, place)));
        }
    }

    fn take_delta(&mut self, partition: PartitionId) -> PartitionDelta {
        self.index.clear();
        self.last = 0;
        PartitionDelta {
            partition,
            windows: std::mem::take(&mut self.windows),
            highest_event_time: self.highest_event_time.take(),
            first_event: self.first_event.take(),
        }
    }
}
