//! The messages of the epoch protocol. Pure.
//!
//! An epoch is the unit of commit. The source ends it with a barrier through every worker's queue
//! and an `EpochCut` to the sink; the sink completes it when the cut and all workers' answers are
//! in.
//! Holds: epochs complete in order; messages of an older incarnation are dropped.

mod alignment;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

pub use self::alignment::{AlignedEpoch, Alignment};
use crate::{
    batch::{InputBatch, OutputBatch, RejectBatch},
    event::{Field, RejectReason, SoftProblem},
    ids::{
        Epoch, EventTimeMs, Incarnation, InstanceId, Offset, PartitionId, TopicId, WindowStart,
        WorkerId,
    },
    journal::RowChanges,
    latency::EpochLatency,
    topics::PerOutput,
    users::{Inherited, Said},
    window::{PartitionDelta, PartitionProgress},
};

/// Source → worker, in order.
#[derive(Debug)]
pub enum ToWorker {
    /// Records to process.
    Batch(InputBatch),
    /// End of an epoch: answer with a `WorkerEpoch`.
    Barrier {
        /// The epoch that ends.
        epoch: Epoch,
        /// Windows that end at or before this are late from here on.
        horizon: Option<EventTimeMs>,
    },
    /// From the next record on, the output topics have so many partitions. Sent between two epochs.
    OutputPartitions(PerOutput<i32>),
    /// Drop everything unfinished and answer the sink with `ResetDone`.
    Reset(Incarnation),
    /// An incarnation's first epoch begins.
    Begin {
        /// First epoch.
        epoch: Epoch,
        /// Horizon in force.
        horizon: Option<EventTimeMs>,
        /// What was kept of the partitions before.
        inherited: Inherited,
    },
}

/// To the sink, from workers and the source.
#[derive(Debug)]
pub enum ToSink {
    /// Enriched records.
    Output(OutputBatch),
    /// Records for the side topics.
    Rejects(RejectBatch),
    /// A worker's answer to a barrier.
    WorkerEpoch(Box<WorkerEpoch>),
    /// A worker has dropped everything older than this incarnation.
    ResetDone(Incarnation),
    /// The output topics have so many partitions now. Sent before the cut of the last epoch that
    /// does not use the new ones.
    OutputPartitions(PerOutput<i32>),
    /// The source has cut an epoch.
    Cut(Box<EpochCut>),
    /// The source has ended the previous incarnation: roll back what is open.
    Reset(Incarnation),
    /// Partitions to recover, after a `Reset`.
    Recover(Box<RecoverRequest>),
}

/// Sink → source.
#[derive(Debug)]
pub enum ToSource {
    /// Answer to `Reset`: nothing of an older incarnation is queued, in flight or in an open
    /// transaction, and every worker has dropped it.
    Undone(Incarnation),
    /// Answer to `Recover`: what the journal holds does not go with the commits, so ask for both
    /// anew.
    AskAgain {
        /// The incarnation that asks.
        incarnation: Incarnation,
        /// Who wrote the newest records of the journal.
        writers: BTreeSet<InstanceId>,
    },
    /// Answer to `Recover`: where reading continues.
    Recovered(Recovered),
    /// An epoch is committed (or had nothing to commit).
    Committed(CommittedEpoch),
    /// Others have committed something meanwhile.
    News {
        /// The incarnation that is told.
        incarnation: Incarnation,
        /// Event-time facts now.
        times: Times,
    },
    /// Something failed that a rollback repairs: end the incarnation.
    RollBack {
        /// The incarnation to end.
        incarnation: Incarnation,
        /// What failed, for the log.
        reason: String,
    },
}

/// Why an epoch was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutReason {
    /// The commit interval has passed.
    Interval,
    /// Deltas and ledger have nearly used up the budget.
    Budget,
    /// Partitions are to be given away.
    Revoke,
    /// The process stops.
    Stop,
}

/// One partition's share of a cut.
#[derive(Debug, Clone, Copy)]
pub struct CutPartition {
    /// Next offset to read, as of the cut, and idleness.
    pub progress: PartitionProgress,
    /// Whether all that the log had was read.
    pub at_end: bool,
    /// Records routed to workers in this epoch.
    pub routed: u64,
    /// Null values skipped in this epoch.
    pub tombstones: u64,
    /// Records between `next_offset` and the log's end, those of open transactions included;
    /// `None` while the end is not known.
    pub lag: Option<u64>,
    /// Whether an open transaction hides the rest of its log.
    pub held: bool,
}

/// The source's report of an epoch.
#[derive(Debug)]
pub struct EpochCut {
    pub incarnation: Incarnation,
    pub epoch: Epoch,
    /// Every owned partition.
    pub partitions: Vec<CutPartition>,
    /// Partitions of the input as last seen, owned or not; 0 before anybody has looked.
    pub input_partitions: u32,
    /// The horizon that the barrier carries.
    pub horizon: Option<EventTimeMs>,
    /// Wall clock of the cut, milliseconds.
    pub cut_at_ms: i64,
    pub reason: CutReason,
    /// Payload bytes routed.
    pub bytes: u64,
    /// Records dropped because their partition is not owned or they were read before.
    pub dropped: u64,
}

/// A worker's counts of one partition's records in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartitionCounts {
    /// Enriched records made.
    pub processed: u64,
    /// Dead letters made.
    pub dead_lettered: u64,
    /// Events sent to the late topic; they are among the processed ones.
    pub late: u64,
}

/// A worker's report of an epoch.
#[derive(Debug)]
pub struct WorkerEpoch {
    pub incarnation: Incarnation,
    pub epoch: Epoch,
    pub worker: WorkerId,
    /// What was counted, per partition.
    pub deltas: Vec<PartitionDelta>,
    /// Rows that changed, each partition once.
    pub rows: Vec<RowChanges>,
    /// What was said of users, and how often.
    pub said: Vec<(Said, u64)>,
    /// How many records were made, per partition.
    pub counts: Vec<(PartitionId, PartitionCounts)>,
    /// Dead letters by reason, only those that occurred.
    pub reasons: Vec<(RejectReason, u64)>,
    /// Soft data problems, only those that occurred.
    pub soft: Vec<((Field, SoftProblem), u64)>,
    /// How old its records were, and how long its batches took.
    pub latency: EpochLatency,
    /// Bytes of the deltas and the rows, as reported to the budget.
    pub delta_bytes: usize,
}

#[derive(Debug, Clone)]
pub struct RecoverPartition {
    pub partition: PartitionId,
    /// Where reading starts when nothing is committed, as `--start-from` says.
    pub fresh_start: Offset,
    /// First offset the log still holds.
    pub log_start: Offset,
    /// End of what may be read: the offset behind the last such record.
    pub log_end: Offset,
    /// A range that cannot be read.
    pub unreadable: Option<Gap>,
}

/// Offsets that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First of them.
    pub from: Offset,
    /// First offset behind them.
    pub until: Offset,
}

impl RecoverPartition {
    /// First offset that can be read at a position or behind it.
    pub fn first_readable(&self, position: Offset) -> Offset {
        let unreadable = self.unreadable.filter(|gap| gap.from <= position);
        unreadable.map_or(self.log_start, |gap| gap.until.max(self.log_start))
    }
}

/// A partition's commit, as read from Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// An input partition.
    pub partition: PartitionId,
    /// The committed offset; `None` when nothing is committed.
    pub offset: Option<Offset>,
    /// The text committed with it, possibly by another program.
    pub metadata: String,
}

/// The journal as the brokers describe it, after the commits were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFacts {
    /// The topic's id; `None` where the brokers do not support ids.
    pub topic: Option<TopicId>,
    /// High watermark of each partition: everything below was written before the question.
    pub ends: BTreeMap<PartitionId, Offset>,
}

/// Partitions just assigned, or to be read again after a rollback.
#[derive(Debug)]
pub struct RecoverRequest {
    /// The incarnation that begins.
    pub incarnation: Incarnation,
    /// How often it was asked in this incarnation before.
    pub attempt: u32,
    /// When it was first asked in this incarnation.
    pub since: Instant,
    /// What Kafka has committed for every partition of the topic: the last epoch may have owned
    /// others than now.
    pub committed: Vec<Committed>,
    /// The journal.
    pub journal: JournalFacts,
    /// Every owned partition.
    pub partitions: Vec<RecoverPartition>,
    /// The topic's id; `None` where the brokers do not support ids.
    pub topic: Option<TopicId>,
    /// Where a bounded run is to end, if this instance owns input partition 0 and wants one.
    pub run_ends: Option<RunEnds>,
}

/// Where a bounded run is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnds {
    /// End of the log of every partition, records of open transactions included.
    pub ends: BTreeMap<PartitionId, Offset>,
    /// Whether they count in place of those of a run that goes on: the logs have become shorter, or
    /// are others.
    pub replaces: bool,
}

/// Where reading continues.
#[derive(Debug, Clone)]
pub struct Recovered {
    pub incarnation: Incarnation,
    /// Next offset of each partition.
    pub starts: Vec<(PartitionId, Offset)>,
    /// First epoch.
    pub epoch: Epoch,
    /// Event-time facts as of the last committed epoch.
    pub times: Times,
    /// What was kept of the partitions before.
    pub inherited: Inherited,
}

/// Event-time facts that the sink publishes with every epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Times {
    /// Horizon for the next barrier.
    pub horizon: Option<EventTimeMs>,
    /// Watermark per partition that has one.
    pub watermarks: Vec<(PartitionId, EventTimeMs)>,
    /// The lowest watermark of partitions of others that are not read to their ends.
    pub lowest_elsewhere: Option<EventTimeMs>,
    /// Oldest window not closed yet, in the whole group.
    pub lowest_open: Option<WindowStart>,
    /// Windows not closed yet, in the whole group.
    pub open_windows: usize,
    /// Number of input partitions that the merger has announced.
    pub announced: u32,
    /// Whether this instance merges and has something to say of what others have committed.
    pub has_news: bool,
    /// Where the bounded run ends that is not done, if there is one.
    pub run_ends: Option<Arc<BTreeMap<PartitionId, Offset>>>,
    /// Whether a bounded run is done that was not when this process began.
    pub run_is_over: bool,
}

/// An epoch the sink has finished.
#[derive(Debug, Clone)]
pub struct CommittedEpoch {
    pub incarnation: Incarnation,
    pub epoch: Epoch,
    /// Event-time facts after it.
    pub times: Times,
    /// What it wrote into the journal, bytes.
    pub journal_bytes: usize,
}
