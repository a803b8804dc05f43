//! Groups a worker's output by output partition and sends it in batches. Owned by the worker.
//!
//! In:  enriched records and rejected ones, each with a share of its input batch's budget.
//! Out: `OutputBatch` and `RejectBatch` to the sink.
//! Holds: a batch belongs to one epoch, because everything is sent before a barrier is answered.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::task::Stamp;
use crate::{
    batch::{
        Emptied, InputRecord, OutputBatch, Pool, RejectBatch, RejectKind, RejectedRecord, Span,
    },
    budget::{Budget, Permit},
    epoch::ToSink,
    headers::HeaderBlock,
    ids::PartitionId,
    limits,
    topics::Topic,
};

/// The sink is gone: the process is stopping, and so must this worker.
#[derive(Debug)]
pub(crate) struct SinkGone;

/// A worker's output buffers, one for each output partition and one for the side topics.
#[derive(Debug)]
pub(crate) struct OutputBatcher {
    topic: Topic,
    sink: Sender<ToSink>,
    pool: Pool<Emptied<Span>>,
    budget: Arc<Budget>,
    partitions: Vec<Buffer<Span>>,
    rejects: Buffer<RejectedRecord>,
}

#[derive(Debug)]
struct Buffer<R> {
    arena: Vec<u8>,
    records: Vec<R>,
    permit: Permit,
}

impl<R> Buffer<R> {
    fn new((arena, records): Emptied<R>, budget: &Arc<Budget>) -> Self {
        Self { arena, records, permit: budget.permit() }
    }

    /// The permit of a batch that was taken out; covers all its memory.
    fn permit_for(&mut self, (arena, records): &Emptied<R>, budget: &Arc<Budget>) -> Permit {
        let mut permit = std::mem::replace(&mut self.permit, budget.permit());
        permit.cover(arena.capacity() + records.capacity() * size_of::<R>());
        permit
    }

    fn clear(&mut self, budget: &Arc<Budget>) {
        self.arena.clear();
        self.records.clear();
        self.permit = budget.permit();
    }
}

impl OutputBatcher {
    /// Buffers for so many partitions of a topic.
    pub(crate) fn new(
        topic: Topic,
        partitions: usize,
        sink: Sender<ToSink>,
        pool: Pool<Emptied<Span>>,
        budget: Arc<Budget>,
    ) -> Self {
        assert!(partitions > 0, "a topic has at least one partition");
        let rejects = Buffer::new(Emptied::default(), &budget);
        let partitions = (0..partitions).map(|_| Buffer::new(pool.take(), &budget)).collect();
        Self { topic, sink, pool, budget, partitions, rejects }
    }

    /// Changes the number of output partitions. All buffers must be empty.
    pub(crate) fn resize(&mut self, partitions: usize) {
        assert!(partitions > 0, "a topic has at least one partition");
        let waits = self.partitions.iter().any(|buffer| !buffer.records.is_empty());
        assert!(!waits, "partitions change between two epochs");
        let Self { pool, budget, .. } = self;
        self.partitions.resize_with(partitions, || Buffer::new(pool.take(), budget));
    }

    /// Appends one enriched record; `write` appends its value after the key. Returns whether the
    /// partition's batch is full.
    pub(crate) fn enriched(
        &mut self,
        partition: PartitionId,
        key: &[u8],
        headers: HeaderBlock<'_>,
        input: &mut Permit,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let buffer = &mut self.partitions[partition.0 as usize];
        let start = buffer.arena.len();
        buffer.arena.extend_from_slice(key);
        write(&mut buffer.arena);
        let span = Span::closing(&buffer.arena, start, key.len());
        buffer.records.push(span.and_headers(&mut buffer.arena, headers));
        input.hand_over(&mut buffer.permit, buffer.arena.len() - start);
        buffer.records.len() >= limits::OUTPUT_BATCH_RECORDS
            || buffer.arena.len() >= limits::OUTPUT_BATCH_BYTES
    }

    /// Appends a record for a side topic, with its raw bytes and its headers. Returns whether the
    /// batch is full.
    pub(crate) fn rejected(
        &mut self,
        kind: RejectKind,
        record: &InputRecord,
        arena: &[u8],
        input: &mut Permit,
    ) -> bool {
        let buffer = &mut self.rejects;
        let start = buffer.arena.len();
        let span = record.span.copy(arena, &mut buffer.arena);
        buffer.records.push(RejectedRecord { kind, position: record.position, span });
        input.hand_over(&mut buffer.permit, buffer.arena.len() - start);
        buffer.records.len() >= limits::OUTPUT_BATCH_RECORDS
            || buffer.arena.len() >= limits::OUTPUT_BATCH_BYTES
    }

    /// Sends the batch of one output partition.
    pub(super) fn send_partition(
        &mut self,
        partition: PartitionId,
        stamp: Stamp,
    ) -> Result<(), SinkGone> {
        let topic = self.topic;
        let buffer = &mut self.partitions[partition.0 as usize];
        if buffer.records.is_empty() {
            return Ok(());
        }
        let batch = self.pool.split((&mut buffer.arena, &mut buffer.records));
        let permit = buffer.permit_for(&batch, &self.budget);
        let (arena, records) = batch;
        let Stamp { incarnation, epoch } = stamp;
        let batch = OutputBatch { incarnation, epoch, topic, partition, arena, records, permit };
        self.sink.send(ToSink::Output(batch)).map_err(|_| SinkGone)
    }

    /// Sends the batch for the side topics.
    pub(super) fn send_rejects(&mut self, stamp: Stamp) -> Result<(), SinkGone> {
        let buffer = &mut self.rejects;
        if buffer.records.is_empty() {
            return Ok(());
        }
        let batch = (std::mem::take(&mut buffer.arena), std::mem::take(&mut buffer.records));
        let permit = buffer.permit_for(&batch, &self.budget);
        let (arena, records) = batch;
        let Stamp { incarnation, epoch } = stamp;
        let batch = RejectBatch { incarnation, epoch, arena, records, permit };
        self.sink.send(ToSink::Rejects(batch)).map_err(|_| SinkGone)
    }

    /// Sends everything.
    pub(super) fn send_all(&mut self, stamp: Stamp) -> Result<(), SinkGone> {
        for number in 0..self.partitions.len() {
            self.send_partition(PartitionId(number as i32), stamp)?;
        }
        self.send_rejects(stamp)
    }

    /// Drops everything unsent.
    pub(crate) fn clear(&mut self) {
        for buffer in &mut self.partitions {
            buffer.clear(&self.budget);
        }
        self.rejects.clear(&self.budget);
    }
}
