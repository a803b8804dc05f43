//! The epoch protocol's messages, and the alignment of workers: the core idea, pure.
//!
//! An epoch is the unit of commit. The source cuts it with a barrier through every worker's queue
//! and a cut to the sink; the sink completes it when the cut and all workers' answers are in.
//! Holds: epochs complete in order and once; in = processed + dead-lettered, per partition; what
//! belongs to an older generation is dropped unseen.

use std::collections::BTreeMap;

use crate::{
    batch::{InputBatch, OutputBatch, RejectBatch},
    event::{Field, RejectReason, SoftProblem},
    ids::{Epoch, EventTimeMs, Generation, Offset, PartitionId, TopicId, WindowStart, WorkerId},
    latency::EpochLatency,
    state::Committed,
    topics::OutputPartitions,
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
    /// From the next record on, processed-logins has so many partitions. Between two epochs.
    OutputPartitions(i32),
    /// Drop everything unfinished and say so to the sink.
    Reset(Generation),
    /// A generation's first epoch begins.
    Begin {
        /// First epoch.
        epoch: Epoch,
        /// Horizon in force.
        horizon: Option<EventTimeMs>,
        /// What is made of the records.
        mode: Mode,
    },
}

/// What workers make of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Outputs and counts.
    Process,
    /// Counts only: the outputs were committed before, the window state is being rebuilt.
    Replay,
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
    /// A worker has dropped what was older than this generation.
    ResetDone(Generation),
    /// The output topics have so many partitions. Before the cut of the last epoch without them.
    OutputPartitions(OutputPartitions),
    /// The source has cut an epoch.
    Cut(Box<EpochCut>),
    /// The source has left the previous generation: roll back what is open.
    Reset(Generation),
    /// Partitions to recover, after a `Reset`.
    Recover(Box<RecoverRequest>),
}

/// Sink → source.
#[derive(Debug)]
pub enum ToSource {
    /// Answer to `Reset`: nothing of an older generation is queued, in flight or in an open
    /// transaction, and every worker has dropped it.
    Undone(Generation),
    /// Answer to `Recover`: windows were lost, count these records again first.
    Rebuild(Rebuild),
    /// Answer to `Recover`, at once or after a rebuild: where to read on.
    Recovered(Recovered),
    /// An epoch is committed (or had nothing to commit).
    Committed(CommittedEpoch),
    /// Something failed that reading again mends: leave the generation.
    RollBack {
        /// The generation to leave.
        generation: Generation,
        /// What failed, for the log.
        reason: String,
    },
}

/// Why an epoch was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutReason {
    /// The commit interval passed.
    Interval,
    /// Deltas and ledger came near the budget.
    Budget,
    /// Partitions are to be given away.
    Revoke,
    /// The process stops.
    Stop,
    /// The bounded input is at its end: every window closes.
    EndOfInput,
    /// Everything that was to be counted again has been read.
    Rebuilt,
}

/// One partition's share of a cut.
#[derive(Debug, Clone, Copy)]
pub struct CutPartition {
    /// Next offset to read, as of the cut, and idleness.
    pub progress: PartitionProgress,
    /// Records routed to workers in this epoch.
    pub routed: u64,
    /// Null values skipped in this epoch.
    pub tombstones: u64,
    /// Records between `next_offset` and the log's end, those of open transactions included;
    /// `None` while the end is not known.
    pub lag: Option<u64>,
    /// Whether it stands at its end because an open transaction hides the rest.
    pub held: bool,
}

/// The source's account of an epoch.
#[derive(Debug)]
pub struct EpochCut {
    /// Generation.
    pub generation: Generation,
    /// Epoch.
    pub epoch: Epoch,
    /// Every owned partition.
    pub partitions: Vec<CutPartition>,
    /// The horizon that the barrier carries.
    pub horizon: Option<EventTimeMs>,
    /// Wall clock of the cut, milliseconds.
    pub cut_at_ms: i64,
    /// Why.
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
    /// Records counted again without output.
    pub replayed: u64,
}

/// A worker's account of an epoch.
#[derive(Debug)]
pub struct WorkerEpoch {
    /// Generation.
    pub generation: Generation,
    /// Epoch.
    pub epoch: Epoch,
    /// Who answers.
    pub worker: WorkerId,
    /// What was counted, per partition.
    pub deltas: Vec<PartitionDelta>,
    /// How many records were made, per partition.
    pub counts: Vec<(PartitionId, PartitionCounts)>,
    /// Events sent to the late topic.
    pub late: u64,
    /// Dead letters by reason, only those that occurred.
    pub reasons: Vec<(RejectReason, u64)>,
    /// Soft data problems, only those that occurred.
    pub soft: Vec<((Field, SoftProblem), u64)>,
    /// How old its records were, and how long it took.
    pub latency: EpochLatency,
    /// Bytes of the deltas, as reported to the budget.
    pub delta_bytes: usize,
}

/// One partition to recover.
#[derive(Debug, Clone)]
pub struct RecoverPartition {
    /// The partition.
    pub partition: PartitionId,
    /// Where to begin when nothing is committed, by `--start-from`.
    pub fresh_start: Offset,
    /// First offset the log still holds.
    pub log_start: Offset,
    /// Offset behind the last record that may be read.
    pub log_end: Offset,
    /// A stretch that cannot be read.
    pub unreadable: Option<Gap>,
}

/// Offsets that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first of them.
    pub from: Offset,
    /// The first behind them.
    pub until: Offset,
}

impl RecoverPartition {
    /// First offset that can be read at a position or behind it.
    pub fn first_readable(&self, position: Offset) -> Offset {
        let unreadable = self.unreadable.filter(|gap| gap.from <= position);
        unreadable.map_or(self.log_start, |gap| gap.until.max(self.log_start))
    }
}

/// Partitions just assigned, or to be read again after a rollback.
#[derive(Debug)]
pub struct RecoverRequest {
    /// The generation that begins.
    pub generation: Generation,
    /// What Kafka has committed for every partition of the topic: the last epoch may have owned
    /// others than now.
    pub committed: Vec<Committed>,
    /// Every owned partition.
    pub partitions: Vec<RecoverPartition>,
    /// Whether that is the whole topic.
    pub owns_all: bool,
    /// The topic's id; `None` where the brokers have none.
    pub topic: Option<TopicId>,
}

/// Records to count again, because their windows were lost while their outputs are committed.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// The generation.
    pub generation: Generation,
    /// The epoch to end it with; no other is cut before.
    pub epoch: Epoch,
    /// Windows that end at or before this are over: their events count for nothing.
    pub horizon: Option<EventTimeMs>,
    /// What to read.
    pub ranges: Vec<ReplayRange>,
}

/// Part of a partition's log, `from <= offset < until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayRange {
    /// The partition.
    pub partition: PartitionId,
    /// First offset.
    pub from: Offset,
    /// The committed offset.
    pub until: Offset,
}

/// Where reading goes on.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The generation.
    pub generation: Generation,
    /// Next offset per partition.
    pub starts: Vec<(PartitionId, Offset)>,
    /// First epoch.
    pub epoch: Epoch,
    /// Event-time facts as of the last committed epoch.
    pub times: Times,
    /// Whether the first epoch is to be cut at once, to have the start offsets committed.
    pub commit: bool,
}

/// Event-time facts that the sink publishes with every epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Times {
    /// Horizon for the next barrier.
    pub horizon: Option<EventTimeMs>,
    /// Watermark per partition that has one.
    pub watermarks: Vec<(PartitionId, EventTimeMs)>,
    /// Oldest window not closed yet.
    pub lowest_open: Option<WindowStart>,
    /// Windows not closed yet.
    pub open_windows: usize,
}

/// An epoch the sink has finished.
#[derive(Debug, Clone)]
pub struct CommittedEpoch {
    /// Generation.
    pub generation: Generation,
    /// The epoch.
    pub epoch: Epoch,
    /// Event-time facts after it.
    pub times: Times,
}

/// A complete epoch: the cut and every worker's answer.
#[derive(Debug)]
pub struct AlignedEpoch {
    /// The source's account.
    pub cut: EpochCut,
    /// The workers' accounts, in the order they came.
    pub workers: Vec<WorkerEpoch>,
}

impl AlignedEpoch {
    /// Counts of all workers by partition.
    pub fn counts(&self) -> BTreeMap<PartitionId, PartitionCounts> {
        let mut sums: BTreeMap<PartitionId, PartitionCounts> = BTreeMap::new();
        for (partition, counts) in self.workers.iter().flat_map(|worker| &worker.counts) {
            let sum = sums.entry(*partition).or_default();
            sum.processed += counts.processed;
            sum.dead_lettered += counts.dead_lettered;
            sum.replayed += counts.replayed;
        }
        sums
    }

    /// The conservation invariant: every routed record was processed, dead-lettered or, in a
    /// rebuild, counted again, per partition; no partition was counted that is not owned.
    pub fn assert_conserved(&self) {
        let counts = self.counts();
        for cut in &self.cut.partitions {
            let made = counts.get(&cut.progress.partition).copied().unwrap_or_default();
            assert_eq!(
                cut.routed,
                made.processed + made.dead_lettered + made.replayed,
                "epoch {}: partition {}: records routed = processed + dead-lettered + replayed",
                self.cut.epoch,
                cut.progress.partition
            );
        }
        assert!(
            counts.keys().all(|p| self.cut.partitions.iter().any(|c| c.progress.partition == *p)),
            "epoch {}: a worker counted a partition that is not owned",
            self.cut.epoch
        );
    }
}

/// Collects the accounts of one epoch. One is enough: the source cuts the next epoch only after
/// this one was answered as committed.
#[derive(Debug)]
pub struct Alignment {
    workers: usize,
    epoch: Epoch,
    cut: Option<EpochCut>,
    answers: Vec<WorkerEpoch>,
}

impl Alignment {
    /// Waits for `workers` answers per epoch, beginning with `epoch`.
    pub fn new(workers: usize, epoch: Epoch) -> Self {
        Self { workers, epoch, cut: None, answers: Vec::with_capacity(workers) }
    }

    /// The epoch that is open: its records may be sent, later ones wait.
    pub fn open_epoch(&self) -> Epoch {
        self.epoch
    }

    /// Takes the source's account.
    pub fn offer_cut(&mut self, cut: EpochCut) {
        assert_eq!(cut.epoch, self.epoch, "the source cuts the open epoch only");
        assert!(self.cut.is_none(), "an epoch is cut once");
        self.cut = Some(cut);
    }

    /// Takes a worker's account.
    pub fn offer_worker(&mut self, answer: WorkerEpoch) {
        assert_eq!(answer.epoch, self.epoch, "workers answer the open epoch only");
        let answered = self.answers.iter().any(|other| other.worker == answer.worker);
        assert!(!answered, "a worker answers an epoch once");
        self.answers.push(answer);
    }

    /// The open epoch once it is complete. It stays open until `finish`.
    pub fn take_complete(&mut self) -> Option<AlignedEpoch> {
        if self.answers.len() < self.workers {
            return None;
        }
        let cut = self.cut.take()?;
        Some(AlignedEpoch { cut, workers: std::mem::take(&mut self.answers) })
    }

    /// Opens the next epoch, after the taken one was committed.
    pub fn finish(&mut self) {
        assert!(self.cut.is_none() && self.answers.is_empty(), "an epoch finishes once complete");
        self.epoch = self.epoch.next();
    }

    /// Bytes of the deltas that were collected and not taken.
    pub fn waiting_delta_bytes(&self) -> usize {
        self.answers.iter().map(|answer| answer.delta_bytes).sum()
    }
}
