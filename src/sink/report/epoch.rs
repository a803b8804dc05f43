//! What an epoch adds to the counts, once it is committed. Sink thread.

use std::{collections::BTreeMap, time::Instant};

use crate::{
    epoch::{AlignedEpoch, CutReason},
    event::{Field, RejectReason, SoftProblem},
    ids::Epoch,
    latency::EpochLatency,
    status::{PartitionStatus, WindowView},
    window::{PerDimension, ValueCounts, WindowRecord},
};

/// An epoch's counts.
#[derive(Debug)]
pub(in crate::sink) struct EpochCounts {
    pub(in crate::sink) epoch: Epoch,
    pub(in crate::sink) completed_at: Instant,
    pub(super) cut_at_ms: i64,
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    pub(super) late: u64,
    pub(super) truncated: u64,
    pub(super) early: bool,
    pub(super) reasons: BTreeMap<RejectReason, u64>,
    pub(super) soft: BTreeMap<(Field, SoftProblem), u64>,
    /// This epoch's counts per partition.
    pub(super) partitions: Vec<PartitionStatus>,
    pub(super) latency: Vec<EpochLatency>,
    /// How often each value occurred.
    pub(super) usage: PerDimension<ValueCounts>,
    pub(super) windows: Vec<WindowView>,
    pub(super) capped_values: u64,
}

impl EpochCounts {
    /// `truncated` dead letters had to be cut.
    pub(in crate::sink) fn of(
        aligned: &mut AlignedEpoch,
        truncated: u64,
        completed_at: Instant,
    ) -> Self {
        let made = aligned.counts();
        let late = made.values().map(|made| made.late).sum();
        let partitions = aligned.cut.partitions.iter().map(|p| {
            let made = made.get(&p.progress.partition).copied().unwrap_or_default();
            PartitionStatus {
                partition: p.progress.partition.0,
                next_offset: p.progress.next_offset.0,
                lag_records: p.lag,
                held_by_transaction: p.held,
                watermark_ms: None,
                idle: p.progress.idle_as_of.is_some(),
                events_in: p.routed + p.tombstones,
                processed: made.processed,
                dead_lettered: made.dead_lettered,
                tombstones: p.tombstones,
            }
        });
        let partitions = partitions.collect();
        let AlignedEpoch { cut, workers } = aligned;
        let mut usage = PerDimension::<ValueCounts>::default();
        let deltas = workers.iter().flat_map(|worker| &worker.deltas);
        for (_, partial) in deltas.flat_map(|delta| &delta.windows) {
            for (dimension, counts) in usage.iter_mut() {
                counts.merge(&partial.counts[dimension]);
            }
        }
        Self {
            epoch: cut.epoch,
            completed_at,
            cut_at_ms: cut.cut_at_ms,
            bytes: cut.bytes,
            dropped: cut.dropped,
            late,
            truncated,
            early: cut.reason == CutReason::Budget,
            reasons: sum_by(workers.iter().flat_map(|w| &w.reasons)),
            soft: sum_by(workers.iter().flat_map(|w| &w.soft)),
            partitions,
            latency: workers.iter_mut().map(|w| std::mem::take(&mut w.latency)).collect(),
            usage,
            windows: Vec::new(),
            capped_values: 0,
        }
    }

    /// Window records of the epoch.
    pub(in crate::sink) fn add_windows(&mut self, records: &[WindowRecord], capped_values: u64) {
        self.windows = records.iter().map(WindowView::of).collect();
        self.capped_values = capped_values;
    }
}

fn sum_by<'a, K: Ord + Copy + 'a>(counts: impl Iterator<Item = &'a (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (key, n) in counts {
        *sums.entry(*key).or_default() += n;
    }
    sums
}
