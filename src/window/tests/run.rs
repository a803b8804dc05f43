//! A short way to write epochs down: each event is (partition, time), offsets count by themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Completeness, EpochInput, Partial, PartitionDelta, PartitionProgress, PartitionState, Prepared,
    StateImage, WindowRecord, WindowRules, Windows,
};
use crate::ids::{EventTimeMs, Offset, PartitionId, WindowStart};

pub(super) const RULES: WindowRules =
    WindowRules { size_ms: 10, grace_ms: 5, allowed_lateness_ms: 30 };

/// An image in which every partition starts with the given completeness at offset 0.
pub(super) fn image(partitions: &[Completeness]) -> StateImage {
    let state = |completeness: &Completeness| PartitionState::new(Offset(0), *completeness);
    let states = (0..).map(PartitionId).zip(partitions.iter().map(state));
    StateImage { partitions: states.collect(), ..StateImage::default() }
}

/// One worker's delta of one partition.
pub(super) fn delta(p: i32, events: &[(i64, i64)]) -> PartitionDelta {
    let mut windows = BTreeMap::<WindowStart, Partial>::new();
    for &(offset, time) in events {
        let window = windows.entry(RULES.window_of(EventTimeMs(time))).or_default();
        window.count(["NY", "iOS", "1.0"].into(), &offset.to_string());
    }
    PartitionDelta {
        partition: PartitionId(p),
        windows: windows.into_iter().collect(),
        highest_event_time: events.iter().map(|&(_, time)| EventTimeMs(time)).max(),
        first_event: events.iter().min().map(|&(offset, time)| (offset, EventTimeMs(time))),
    }
}

/// A window state with its image, and the epoch that comes next.
pub(super) struct Run {
    pub(super) windows: Windows,
    pub(super) image: StateImage,
    pub(super) idle: BTreeSet<i32>,
    /// The moment of the answers.
    pub(super) idle_as_of: EventTimeMs,
    pub(super) now_ms: i64,
    pub(super) close_all: bool,
}

impl Run {
    pub(super) fn new(rules: WindowRules, partitions: &[Completeness]) -> Self {
        let image = image(partitions);
        let owned: Vec<_> = image.partitions.keys().copied().collect();
        Self {
            windows: Windows::new(rules, &image, &owned),
            image,
            idle: BTreeSet::new(),
            idle_as_of: EventTimeMs(i64::MAX),
            now_ms: 0,
            close_all: false,
        }
    }

    pub(super) fn of(partitions: usize) -> Self {
        Self::new(RULES, &vec![Completeness::FromStart; partitions])
    }

    pub(super) fn completeness(&self, p: i32) -> Completeness {
        let state = self.windows.partitions().find(|(partition, _)| partition.0 == p);
        state.expect("it is owned").1.completeness
    }

    /// The next epoch's input, with the events and the horizon that is due.
    pub(super) fn input(&self, events: &[(i32, i64)]) -> EpochInput {
        let mut deltas = Vec::new();
        let mut progress = Vec::new();
        for (partition, state) in self.windows.partitions() {
            let times = events.iter().filter(|(p, _)| *p == partition.0).map(|(_, time)| *time);
            let events: Vec<_> = (state.next_offset.0..).zip(times).collect();
            let next_offset = Offset(state.next_offset.0 + events.len() as i64);
            let idle_as_of = self.idle.contains(&partition.0).then_some(self.idle_as_of);
            progress.push(PartitionProgress { partition, next_offset, idle_as_of });
            if !events.is_empty() {
                deltas.push(delta(partition.0, &events));
            }
        }
        EpochInput {
            epoch: self.windows.epoch().next(),
            deltas,
            progress,
            horizon: self.windows.horizon(),
            partitions: 0,
            now_ms: self.now_ms,
            close_all: self.close_all,
        }
    }

    /// Runs an epoch with the events up to its commit.
    pub(super) fn epoch(&mut self, events: &[(i32, i64)]) -> Prepared {
        let prepared = self.windows.prepare(self.input(events));
        self.image.take(&prepared);
        self.windows.commit(&prepared);
        prepared
    }

    /// Runs an epoch and returns what it published, as (window, revision, total, late).
    pub(super) fn published(&mut self, events: &[(i32, i64)]) -> Vec<(i64, u32, u64, u64)> {
        self.epoch(events).records().iter().map(summary).collect()
    }
}

pub(super) fn summary(record: &WindowRecord) -> (i64, u32, u64, u64) {
    (record.start.0, record.revision, record.sum.total, record.late_events)
}
