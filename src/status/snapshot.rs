//! The snapshot and its parts. Times are milliseconds since the Unix epoch. Totals, partitions,
//! windows and usage are the group's, since its journal began; all other counts are since the start
//! of this process. The lists of windows and the history are not serialized with the snapshot: they
//! are long, and the API has answers of their own for them.

use std::sync::Arc;

use serde::Serialize;

use super::{PartitionReport, Sample, Usage, WindowView};
use crate::{
    ids::PartitionId,
    latency::Percentiles,
    window::{PartitionHead, PartitionTotals},
};

/// The status at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Snapshot {
    /// When it was taken.
    pub at_ms: i64,
    /// When the process started; 0 before that.
    pub started_at_ms: i64,
    /// When the group's journal began; `None` until that was read.
    pub since_ms: Option<i64>,
    /// The group's sums since then.
    pub totals: Totals,
    /// What this process has counted.
    pub process: ProcessCounts,
    /// Input records per second, over the last seconds.
    pub events_per_second: f64,
    /// Records between the committed offsets and the ends of all owned partitions with a known end,
    /// records of open transactions included; `None` while no partition is owned or no end is
    /// known.
    pub lag_records: Option<u64>,
    /// Global watermark.
    pub watermark_ms: Option<i64>,
    /// How far the watermark is behind the wall clock, milliseconds.
    pub watermark_delay_ms: Option<i64>,
    /// Number of windows that are not closed yet; `open_windows` may have fewer.
    pub open_window_count: usize,
    /// Latencies of the last minute.
    pub latency: Latencies,
    /// The most frequent values since the group's journal began.
    pub usage: Usage,
    /// Dead letters by reason, the most frequent first.
    pub dead_letters: Vec<DeadLetters>,
    /// Counts of values that were replaced by a default or are doubtful.
    pub soft_problems: Vec<SoftProblemCount>,
    /// Every input partition that the journal knows.
    pub partitions: Vec<PartitionStatus>,
    /// The last committed epoch.
    pub last_epoch: Option<LastEpoch>,
    /// The newest windows that are not closed, newest first.
    #[serde(skip_serializing)]
    pub open_windows: Vec<WindowView>,
    /// The last revision of recently published windows, newest first.
    #[serde(skip_serializing)]
    pub recent_windows: Arc<Vec<Arc<WindowView>>>,
    /// One point a second, oldest first.
    #[serde(skip_serializing)]
    pub history: Arc<Vec<HistoryPoint>>,
}

/// What has become of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// Records read from the input, tombstones included.
    pub events_in: u64,
    /// Events enriched and written, late ones included.
    pub processed: u64,
    /// Records written to the dead-letter topic.
    pub dead_lettered: u64,
    /// Records without a value, skipped.
    pub tombstones: u64,
    /// Events processed too late to be counted in a window.
    pub late: u64,
}

/// Counts since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ProcessCounts {
    #[serde(flatten)]
    pub records: Totals,
    /// Payload bytes read.
    pub bytes_in: u64,
    /// Window records written, revisions included.
    pub window_records: u64,
    /// Window records that replace an earlier one of the same window.
    pub revisions: u64,
    /// Epochs committed.
    pub epochs: u64,
    /// Epochs rolled back.
    pub rollbacks: u64,
}

impl Totals {
    /// Records that are neither processed nor dead-lettered nor tombstones: 0, or some are lost.
    pub(crate) fn difference(&self) -> i64 {
        self.events_in as i64 - (self.processed + self.dead_lettered + self.tombstones) as i64
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.events_in += more.events_in;
        self.processed += more.processed;
        self.dead_lettered += more.dead_lettered;
        self.tombstones += more.tombstones;
        self.late += more.late;
    }
}

impl From<PartitionTotals> for Totals {
    fn from(totals: PartitionTotals) -> Self {
        let PartitionTotals { records_in, processed, dead_lettered, late, tombstones } = totals;
        Self { events_in: records_in, processed, dead_lettered, tombstones, late }
    }
}

/// One input partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PartitionStatus {
    pub partition: i32,
    /// Committed next offset.
    pub next_offset: i64,
    /// Whether this process reads it.
    pub owned: bool,
    /// Records behind what it has committed, those of open transactions included; `None` while the
    /// end of the log is not known, and of a partition that another process reads.
    pub lag_records: Option<u64>,
    /// Whether an open transaction hides these records.
    pub held_by_transaction: bool,
    pub watermark_ms: Option<i64>,
    /// Whether it is read to its end and idle, so that windows do not wait for it.
    pub idle: bool,
    #[serde(flatten)]
    pub totals: Totals,
}

impl PartitionStatus {
    /// By its newest head; `owned`: what this process knows beside that.
    pub(super) fn of(
        partition: PartitionId,
        head: &PartitionHead,
        owned: Option<&PartitionReport>,
    ) -> Self {
        Self {
            partition: partition.0,
            next_offset: head.state.next_offset.0,
            owned: owned.is_some(),
            lag_records: owned.and_then(|report| report.lag_records),
            held_by_transaction: owned.is_some_and(|report| report.held_by_transaction),
            watermark_ms: head.state.watermark.map(|time| time.0),
            idle: head.state.idle_as_of.is_some(),
            totals: head.totals.into(),
        }
    }
}

/// Percentiles of each stage's time, over the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latencies {
    /// From the append in Kafka to the commit that covers the record.
    pub end_to_end: Percentiles,
    /// From the append in Kafka to the worker.
    pub kafka_queue: Percentiles,
    /// A worker's time for one batch.
    pub worker_batch: Percentiles,
    /// From an epoch's cut until all its output is delivered.
    pub sink_epoch: Percentiles,
    /// From the delivery to the commit.
    pub commit: Percentiles,
}

/// The dead letters of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DeadLetters {
    pub reason: &'static str,
    pub count: u64,
    /// A recent dead letter.
    pub sample: Option<Sample>,
}

/// How many values of one field had one soft problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SoftProblemCount {
    pub field: &'static str,
    /// What is wrong with the values.
    pub problem: &'static str,
    pub count: u64,
}

/// The last committed epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct LastEpoch {
    pub epoch: u64,
    /// When it was committed.
    pub committed_at_ms: i64,
    /// How long the commit took, milliseconds.
    pub commit_ms: f64,
}

/// One second of the history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct HistoryPoint {
    /// The second's end.
    pub at_ms: i64,
    /// Input records per second.
    pub events_per_second: f64,
    /// Lag at the second's end, if it was known.
    pub lag_records: Option<u64>,
    /// Median end-to-end latency of the minute before, milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of it.
    pub p99_ms: f64,
}
