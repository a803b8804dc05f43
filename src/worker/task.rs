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
    epoch::{Inherited, PartitionCounts},
    event::{Field, Reject, RejectReason, SoftProblem, SoftProblems},
    ids::{Epoch, EventTimeMs, Incarnation, PartitionId},
    journal::RowChanges,
    latency::EpochAges,
    topics::PerOutput,
    users::Said,
    window::PartitionDelta,
};

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
    /// An incarnation begins.
    fn begin(&mut self, horizon: Option<EventTimeMs>, inherited: Inherited);

    /// Makes something of a batch. `now_us`: the wall clock, microseconds since the Unix epoch.
    fn process(
        &mut self,
        batch: &mut InputBatch,
        now_us: i64,
        stamp: Stamp,
        noted: &mut Noted,
    ) -> Result<(), SinkGone>;

    /// Sends all output that is buffered.
    fn send_all(&mut self, stamp: Stamp) -> Result<(), SinkGone>;

    /// Bytes that are held for the epoch.
    fn memory_bytes(&self) -> usize;

    /// Takes what the epoch has made, after everything was sent. From here on windows that end at
    /// or before the horizon are late.
    fn take(&mut self, horizon: Option<EventTimeMs>) -> Made;

    /// The output topics have so many partitions from here on; nothing is buffered.
    fn resize(&mut self, partitions: PerOutput<i32>);

    /// Drops everything of the incarnation.
    fn clear(&mut self);
}
