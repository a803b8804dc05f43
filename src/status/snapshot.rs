//! The snapshot's parts. Times are milliseconds since the Unix epoch, counts are since the start of
//! the process. Its lists of windows and its history are not serialized with it: they are long, and
//! have answers of their own.

use std::sync::Arc;

use serde::Serialize;

use super::{Sample, WindowView};
use crate::latency::Percentiles;

/// Everything at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at_ms: i64,
    /// When the process began; 0: it has not.
    pub started_at_ms: i64,
    /// Sums since then.
    pub totals: Totals,
    /// Input records per second, over the last seconds.
    pub events_per_second: f64,
    /// Records between what is committed and the ends of all owned partitions whose ends are known,
    /// records of open transactions included; `None` while no partition is owned or no end known.
    pub lag_records: Option<u64>,
    /// Global watermark.
    pub watermark_ms: Option<i64>,
    /// How far it is behind the wall clock, milliseconds.
    pub watermark_delay_ms: Option<i64>,
    /// Windows that are not closed yet, more than `open_windows` may show.
    pub open_window_count: usize,
    /// How long each stage took, in the last minute.
    pub latency: Latencies,
    /// The most frequent values since the start.
    pub usage: Usage,
    /// Dead letters by reason, the most frequent first.
    pub dead_letters: Vec<DeadLetters>,
    /// Values that were corrected or doubted.
    pub soft_problems: Vec<SoftProblems>,
    /// The owned partitions.
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
    pub history: Arc<Vec<Point>>,
}

/// Sums since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Records taken from the input, tombstones included.
    pub events_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Events enriched and written, late ones included.
    pub processed: u64,
    /// Records written to the dead-letter topic.
    pub dead_lettered: u64,
    /// Records without a value, skipped.
    pub tombstones: u64,
    /// Processed events that no window counts.
    pub late: u64,
    /// Window records written, revisions included.
    pub window_records: u64,
    /// Window records that revise an earlier one.
    pub revisions: u64,
    /// Epochs committed.
    pub epochs: u64,
    /// Epochs rolled back.
    pub rollbacks: u64,
}

impl Totals {
    /// Records that are neither processed nor dead-lettered nor tombstones: 0, or some are lost.
    pub fn difference(&self) -> i64 {
        self.events_in as i64 - (self.processed + self.dead_lettered + self.tombstones) as i64
    }
}

/// One owned partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: i32,
    /// Next offset to read, committed.
    pub next_offset: i64,
    /// Records behind it, those of open transactions included; `None` while that is not known.
    pub lag_records: Option<u64>,
    /// Whether an open transaction hides the records behind it.
    pub held_by_transaction: bool,
    /// Its watermark.
    pub watermark_ms: Option<i64>,
    /// Whether it is at its end and silent, so that windows do not wait for it.
    pub idle: bool,
    /// Records taken, tombstones included.
    pub events_in: u64,
    /// Events enriched and written.
    pub processed: u64,
    /// Dead letters.
    pub dead_lettered: u64,
    /// Records without a value.
    pub tombstones: u64,
}

/// Percentiles of each stage's time, over the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latencies {
    /// From the append in Kafka to the commit that covers the record.
    pub end_to_end: Percentiles,
    /// From the append in Kafka to the worker.
    pub kafka_queue: Percentiles,
    /// A worker's time for one batch.
    pub worker_batch: Percentiles,
    /// From an epoch's cut until all it made is delivered.
    pub sink_epoch: Percentiles,
    /// From there to the commit.
    pub commit: Percentiles,
    /// Writing an epoch's state.
    pub state_flush: Percentiles,
}

/// The most frequent values, the highest count first; the rest as `other`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// By `locale`.
    pub locations: Vec<(String, u64)>,
    /// By `device_type`.
    pub devices: Vec<(String, u64)>,
    /// By `app_version`.
    pub versions: Vec<(String, u64)>,
}

/// Dead letters of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetters {
    /// The reason.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
    /// A recent one.
    pub sample: Option<Sample>,
}

/// Values of one field that were accepted and corrected or doubted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SoftProblems {
    /// The field.
    pub field: &'static str,
    /// What is wrong with them.
    pub problem: &'static str,
    /// How many.
    pub count: u64,
}

/// The last committed epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LastEpoch {
    /// Its number.
    pub epoch: u64,
    /// When it was committed.
    pub committed_at_ms: i64,
    /// How long the commit took, milliseconds.
    pub commit_ms: f64,
    /// How long writing its state took, milliseconds.
    pub state_flush_ms: f64,
}

/// One second of the past.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Its end.
    pub at_ms: i64,
    /// Input records per second.
    pub events_per_second: f64,
    /// Lag at its end, if it was known.
    pub lag_records: Option<u64>,
    /// End-to-end latency of the minute before, milliseconds.
    pub p50_ms: f64,
    /// 99 % of it.
    pub p99_ms: f64,
}
