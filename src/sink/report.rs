//! Turns finished epochs into metrics and the statistics line. Owned by the sink thread.
//!
//! In:  aligned epochs, commits, rollbacks.
//! Out: metrics, health, one log line per statistics interval.
//! Holds: counts grow when an epoch is committed, so that a rollback counts nothing twice; nothing here is done per event.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    control::Control,
    epoch::{AlignedEpoch, CutReason, Recovered, Times},
    event::{Field, RejectReason, SoftProblem},
    ids::{Epoch, PartitionId},
    metrics::{Metric, Phase, add, add_labeled, set, set_partition},
    state::WriteStats,
    window::Windows,
};

/// Sums since the last statistics line.
#[derive(Debug, Default)]
struct Sums {
    events_in: u64,
    processed: u64,
    dead_lettered: u64,
    late: u64,
    epochs: u64,
    windows: u64,
}

/// What an epoch adds to the counts, once it is committed.
#[derive(Debug)]
pub(super) struct EpochCounts {
    pub(super) epoch: Epoch,
    pub(super) completed_at: Instant,
    routed: u64,
    tombstones: u64,
    bytes: u64,
    dropped: u64,
    processed: u64,
    late: u64,
    truncated: u64,
    early: bool,
    reasons: BTreeMap<RejectReason, u64>,
    soft: BTreeMap<(Field, SoftProblem), u64>,
    lag: Vec<(PartitionId, u64)>,
    window_records: u64,
    capped_values: u64,
}

impl EpochCounts {
    /// `truncated` dead letters had to be cut.
    pub(super) fn of(aligned: &AlignedEpoch, truncated: u64) -> Self {
        let AlignedEpoch { cut, workers } = aligned;
        Self {
            epoch: cut.epoch,
            completed_at: Instant::now(),
            routed: cut.partitions.iter().map(|p| p.routed).sum(),
            tombstones: cut.partitions.iter().map(|p| p.tombstones).sum(),
            bytes: cut.bytes,
            dropped: cut.dropped,
            processed: aligned.counts().values().map(|c| c.processed).sum(),
            late: workers.iter().map(|worker| worker.late).sum(),
            truncated,
            early: cut.reason == CutReason::Budget,
            reasons: sum_by(workers.iter().flat_map(|w| &w.reasons)),
            soft: sum_by(workers.iter().flat_map(|w| &w.soft)),
            lag: cut.partitions.iter().map(|p| (p.progress.partition, p.lag)).collect(),
            window_records: 0,
            capped_values: 0,
        }
    }

    /// Window records of the epoch.
    pub(super) fn add_windows(&mut self, records: usize, capped_values: u64) {
        self.window_records = records as u64;
        self.capped_values = capped_values;
    }
}

/// The sink's reporter.
#[derive(Debug)]
pub(super) struct Report {
    control: Arc<Control>,
    interval: Option<Duration>,
    line_at: Instant,
    sums: Sums,
    lag: u64,
    last_store: Duration,
    last_commit: Duration,
}

impl Report {
    pub(super) fn new(interval: Option<Duration>, control: Arc<Control>) -> Self {
        Self {
            control,
            interval,
            line_at: Instant::now(),
            sums: Sums::default(),
            lag: 0,
            last_store: Duration::ZERO,
            last_commit: Duration::ZERO,
        }
    }

    /// An epoch is finished: committed, or without anything to commit.
    pub(super) fn epoch(&mut self, counts: EpochCounts) {
        add(Metric::EventsIn, counts.routed + counts.tombstones);
        add(Metric::BytesIn, counts.bytes);
        add(Metric::Processed, counts.processed);
        add(Metric::Tombstones, counts.tombstones);
        add(Metric::Unowned, counts.dropped);
        add(Metric::Late, counts.late);
        add(Metric::DeadLettersTruncated, counts.truncated);
        add(Metric::EarlyCuts, u64::from(counts.early));
        add(Metric::WindowRecords, counts.window_records);
        add(Metric::CappedValues, counts.capped_values);
        for (reason, n) in counts.reasons {
            add_labeled(Metric::DeadLettered, &[reason.as_str()], n);
            self.sums.dead_lettered += n;
        }
        for ((field, problem), n) in counts.soft {
            add_labeled(Metric::SoftProblems, &[field.name(), problem.as_str()], n);
        }
        self.lag = 0;
        for (partition, lag) in counts.lag {
            set_partition(Metric::Lag, partition, lag as f64);
            self.lag += lag;
        }
        self.sums.events_in += counts.routed + counts.tombstones;
        self.sums.processed += counts.processed;
        self.sums.late += counts.late;
        self.sums.windows += counts.window_records;
    }

    pub(super) fn stored(&mut self, stats: &WriteStats) {
        self.last_store = stats.duration;
    }

    pub(super) fn rolled_back(&self) {
        add(Metric::EpochRollbacks, 1);
        self.control.health().set_phase(Phase::RollingBack);
    }

    /// An epoch's offsets are committed.
    pub(super) fn committed(&mut self, epoch: Epoch, took: Duration) {
        add(Metric::EpochsCommitted, 1);
        set(Metric::CommittedEpoch, epoch.0 as f64);
        set(Metric::CommitSeconds, took.as_secs_f64());
        self.control.health().set_committed(epoch);
        self.last_commit = took;
        self.sums.epochs += 1;
    }

    /// Writes the statistics line when it is due, also while nothing moves.
    pub(super) fn tick(&mut self, windows: &Windows) {
        let elapsed = self.line_at.elapsed();
        if self.interval.is_some_and(|interval| elapsed >= interval) {
            self.line(elapsed, windows);
        }
    }

    fn line(&mut self, elapsed: Duration, windows: &Windows) {
        let sums = std::mem::take(&mut self.sums);
        self.line_at = Instant::now();
        tracing::info!(
            events_per_second = (sums.events_in as f64 / elapsed.as_secs_f64()) as u64,
            events = sums.events_in,
            processed = sums.processed,
            dead_lettered = sums.dead_lettered,
            late = sums.late,
            epochs = sums.epochs,
            window_records = sums.windows,
            open_windows = windows.open_windows(),
            lag = self.lag,
            watermark_ms = windows.watermark().map(|time| time.0),
            commit_ms = self.last_commit.as_millis() as u64,
            store_ms = self.last_store.as_millis() as u64,
            "statistics"
        );
    }
}

/// Records were gone before they could be read.
pub(super) fn gap(records: u64) {
    add(Metric::GapRecords, records);
}

/// A generation is left: nothing is owned until the next recovery.
pub(super) fn left() {
    set(Metric::AssignedPartitions, 0.0);
}

/// Reading begins.
pub(super) fn recovered(recovered: &Recovered) {
    set(Metric::AssignedPartitions, recovered.starts.len() as f64);
    tracing::info!(
        partitions = recovered.starts.len(),
        first_epoch = recovered.epoch.0,
        open_windows = recovered.times.open_windows,
        "reading"
    );
}

/// An epoch is finished, committed or empty.
pub(super) fn published(times: &Times, windows: &Windows, budget_used: usize) {
    set(Metric::OpenWindows, times.open_windows as f64);
    set(Metric::BudgetUsed, budget_used as f64);
    if let Some(watermark) = windows.watermark() {
        set(Metric::Watermark, watermark.0 as f64 / 1000.0);
    }
}

fn sum_by<'a, K: Ord + Copy + 'a>(counts: impl Iterator<Item = &'a (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (key, n) in counts {
        *sums.entry(*key).or_default() += n;
    }
    sums
}
