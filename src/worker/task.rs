//! What a worker makes of records. Owned by the worker thread.
//!
//! In:  batches, in the order read; barriers.
//! Out: output for the sink; at a barrier, what the epoch has changed.
//! Holds: what it keeps over epochs is a function of the records since it began, and of what it
//! began with; a task is called per batch, never per record.

use std::collections::BTreeMap;

use super::batcher::SinkGone;
use crate::{
    batch::InputBatch,
    epoch::PartitionCounts,
    event::{Field, Reject, RejectReason, SoftProblem, SoftProblems},
    ids::{Epoch, EventTimeMs, Incarnation, PartitionId},
    journal::RowChanges,
    latency::EpochAges,
    rows::RowFault,
    topics::PerOutput,
    users::{Inherited, Said},
    window::PartitionDelta,
};

/// Why a worker ends.
#[derive(Debug)]
pub(super) enum WorkerEnd {
    /// The sink has ended.
    SinkGone,
    /// Rows cannot be read.
    Rows(RowFault),
}

impl From<SinkGone> for WorkerEnd {
    fn from(_: SinkGone) -> Self {
        Self::SinkGone
    }
}

impl From<RowFault> for WorkerEnd {
    fn from(fault: RowFault) -> Self {
        Self::Rows(fault)
    }
}

/// What the records of now belong to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) incarnation: Incarnation,
    pub(super) epoch: Epoch,
}

/// What an epoch has made of a task's records.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) deltas: Vec<PartitionDelta>,
    pub(super) counts: Vec<(PartitionId, PartitionCounts)>,
    pub(super) rows: Vec<RowChanges>,
    pub(super) said: Vec<(Said, u64)>,
}

/// What an epoch's records were like, whatever is made of them.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) ages: EpochAges,
    pub(super) reasons: BTreeMap<RejectReason, u64>,
    pub(super) soft: BTreeMap<(Field, SoftProblem), u64>,
}

impl Noted {
    /// Notes what is odd about an event.
    #[inline]
    pub(super) fn soft(&mut self, soft: SoftProblems) {
        if !soft.is_empty() {
            self.note_soft(soft);
        }
    }

    fn note_soft(&mut self, soft: SoftProblems) {
        for (field, problem) in soft.iter() {
            *self.soft.entry((field, problem)).or_default() += 1;
        }
    }

    /// Notes a dead letter.
    pub(super) fn dead_letter(&mut self, reject: Reject) {
        *self.reasons.entry(reject.reason).or_default() += 1;
    }

    pub(super) fn clear(&mut self) {
        self.ages.clear();
        self.reasons.clear();
        self.soft.clear();
    }
}

/// What a worker makes of records.
pub(super) trait Task: Send {
    /// An incarnation begins, with this epoch.
    fn begin(&mut self, epoch: Epoch, horizon: Option<EventTimeMs>, inherited: &Inherited);

    /// Makes something of a batch. `now_us`: the wall clock, microseconds since the Unix epoch.
    fn process(
        &mut self,
        batch: &mut InputBatch,
        now_us: i64,
        stamp: Stamp,
        noted: &mut Noted,
    ) -> Result<(), WorkerEnd>;

    /// Sends all output that is buffered.
    fn send_all(&mut self, stamp: Stamp) -> Result<(), SinkGone>;

    /// Bytes that are held for the epoch.
    fn memory_bytes(&self) -> usize;

    /// Bytes that are held beyond that and beyond what was set aside for the task.
    fn excess_bytes(&self) -> usize;

    /// Takes what the epoch has made, after everything was sent. From here on windows that end at
    /// or before the horizon are late.
    fn take(&mut self, horizon: Option<EventTimeMs>) -> Made;

    /// The output topics have so many partitions from here on; nothing is buffered.
    fn resize(&mut self, partitions: PerOutput<i32>);

    /// Drops everything of the incarnation.
    fn clear(&mut self);
}
