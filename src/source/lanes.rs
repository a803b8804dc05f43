//! The source's side of every worker's queue, and of the sink's. Owned by the source thread.
//!
//! In:  records (one arena copy each), barriers, resets.
//! Out: `ToWorker` and `ToSink` messages, in the order given, without ever blocking.
//! Holds: what did not fit a queue waits in its outbox, ahead of all that comes later.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, TrySendError};

use super::router::worker_of_partition;
use crate::{
    batch::{Emptied, InputBatch, InputRecord, Pool, Span},
    budget::{Budget, Permit},
    epoch::{ToSink, ToWorker},
    ids::{Epoch, EventTimeMs, Incarnation, PartitionId, Position, WorkerId},
    kafka::Headers,
    limits,
    topics::PerOutput,
    users::Inherited,
};

/// A thread at the other end is gone: the process is stopping.
#[derive(Debug)]
pub(crate) struct PeerGone;

/// A FIFO in front of a bounded channel.
#[derive(Debug)]
struct Outbox<T> {
    channel: Sender<T>,
    waiting: VecDeque<T>,
}

impl<T> Outbox<T> {
    fn new(channel: Sender<T>) -> Self {
        Self { channel, waiting: VecDeque::new() }
    }

    fn queued(&self) -> usize {
        self.waiting.len() + self.channel.len()
    }

    fn push(&mut self, message: T) -> Result<(), PeerGone> {
        self.waiting.push_back(message);
        self.flush()
    }

    fn flush(&mut self) -> Result<(), PeerGone> {
        while let Some(message) = self.waiting.pop_front() {
            match self.channel.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.waiting.push_front(message);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => return Err(PeerGone),
            }
        }
        Ok(())
    }
}

/// A worker's open batch and outbox.
#[derive(Debug)]
struct Lane {
    outbox: Outbox<ToWorker>,
    arena: Vec<u8>,
    records: Vec<InputRecord>,
    /// Covers `admitted`, and up to a step more.
    permit: Permit,
    /// Bytes of the budget that the open batch needs.
    admitted: usize,
    opened: Option<Instant>,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    workers: Vec<Lane>,
    sink: Outbox<ToSink>,
    budget: Arc<Budget>,
    pool: Pool<Emptied<InputRecord>>,
    /// Bytes of a key or a value beyond which nobody needs any.
    most_bytes: usize,
}

impl Lanes {
    /// One lane per worker queue.
    pub(crate) fn new(
        workers: Vec<Sender<ToWorker>>,
        sink: Sender<ToSink>,
        budget: Arc<Budget>,
        pool: Pool<Emptied<InputRecord>>,
        most_bytes: usize,
    ) -> Self {
        let workers = workers
            .into_iter()
            .map(|channel| {
                let (arena, records) = pool.take();
                let outbox = Outbox::new(channel);
                Lane { outbox, arena, records, permit: budget.permit(), admitted: 0, opened: None }
            })
            .collect();
        Self { workers, sink: Outbox::new(sink), budget, pool, most_bytes }
    }

    /// Copies a record into its worker's open batch; sends the batch when it is full. Returns
    /// whether more may be admitted.
    pub(crate) fn admit(
        &mut self,
        worker: WorkerId,
        position: Position,
        key: Option<&[u8]>,
        value: &[u8],
        headers: Headers<'_>,
        now: Instant,
    ) -> Result<bool, PeerGone> {
        let lane = &mut self.workers[worker.0];
        let (key_bytes, most) = (key.map_or(0, <[u8]>::len), self.most_bytes);
        let mut span = if key_bytes.max(value.len()) <= most {
            Span::append(&mut lane.arena, key, value)
        } else {
            Span::append_cut(&mut lane.arena, key, value, most)
        };
        if !headers.is_empty() {
            span = append_headers(span, headers, &mut lane.arena);
        }
        // Payload, the same again enriched under a user id that is part of it, and what is added.
        let kept = key_bytes.min(most) + 2 * (value.len().min(most) + span.headers_len());
        lane.admitted += kept + limits::ENRICH_MAX_ADDED_BYTES;
        let uncovered = lane.admitted.saturating_sub(lane.permit.bytes());
        if uncovered > 0 {
            // In steps: the account is shared with the threads that give bytes back.
            lane.permit.grow(uncovered + limits::ADMISSION_STEP_BYTES);
        }
        lane.records.push(InputRecord { position, span });
        lane.opened.get_or_insert(now);
        if lane.arena.len() >= limits::INPUT_BATCH_BYTES {
            lane.send(&self.pool, &self.budget)?;
        }
        let outbox_full = lane.outbox.waiting.len() >= limits::OUTBOX_MESSAGES;
        Ok(!outbox_full && (uncovered == 0 || self.budget.has_room()))
    }

    /// Whether records may be taken: no outbox is full and the budget has room.
    pub(crate) fn may_admit(&self) -> bool {
        self.budget.has_room()
            && self.workers.iter().all(|l| l.outbox.waiting.len() < limits::OUTBOX_MESSAGES)
    }

    /// Sends open batches that are older than they may be.
    pub(crate) fn send_aged(&mut self, now: Instant) -> Result<(), PeerGone> {
        for lane in &mut self.workers {
            let age = lane.opened.map(|opened| now.saturating_duration_since(opened));
            if age.is_some_and(|age| age >= limits::INPUT_BATCH_MAX_AGE) {
                lane.send(&self.pool, &self.budget)?;
            }
        }
        Ok(())
    }

    /// Time until the oldest open batch must be sent; `None` without one.
    pub(crate) fn next_send_in(&self, now: Instant) -> Option<Duration> {
        let oldest = self.workers.iter().filter_map(|lane| lane.opened).min()?;
        let age = now.saturating_duration_since(oldest);
        Some(limits::INPUT_BATCH_MAX_AGE.saturating_sub(age))
    }

    /// Sends all open batches, then a barrier to every worker.
    pub(crate) fn barrier(
        &mut self,
        epoch: Epoch,
        horizon: Option<EventTimeMs>,
    ) -> Result<(), PeerGone> {
        for lane in &mut self.workers {
            lane.send(&self.pool, &self.budget)?;
            lane.outbox.push(ToWorker::Barrier { epoch, horizon })?;
        }
        Ok(())
    }

    /// Lets the workers' next records go to so many partitions of the output topics.
    pub(crate) fn output_partitions(&mut self, partitions: PerOutput<i32>) -> Result<(), PeerGone> {
        self.workers
            .iter_mut()
            .try_for_each(|lane| lane.outbox.push(ToWorker::OutputPartitions(partitions)))
    }

    /// Begins an incarnation's first epoch at every worker. What is known of a partition goes to
    /// who gets its records, if they go by partition.
    pub(crate) fn begin(
        &mut self,
        epoch: Epoch,
        horizon: Option<EventTimeMs>,
        inherited: &Inherited,
    ) -> Result<(), PeerGone> {
        let workers = self.workers.len();
        for (number, lane) in self.workers.iter_mut().enumerate() {
            let is_own = |p: &&PartitionId| worker_of_partition(**p, workers).0 == number;
            let own = |all: &[PartitionId]| all.iter().filter(is_own).copied().collect();
            let inherited = Inherited {
                owned: own(&inherited.owned),
                anew: own(&inherited.anew),
                first_partitions: inherited.first_partitions,
            };
            lane.outbox.push(ToWorker::Begin { epoch, horizon, inherited })?;
        }
        Ok(())
    }

    /// Empties every outbox and open batch, then sends the reset to the sink and every worker.
    pub(crate) fn reset(&mut self, incarnation: Incarnation) -> Result<(), PeerGone> {
        self.sink.push(ToSink::Reset(incarnation))?;
        for lane in &mut self.workers {
            lane.clear(&self.budget);
            // Resets are never thrown away: the sink waits for one answer to each.
            lane.outbox.waiting.retain(|message| matches!(message, ToWorker::Reset(_)));
            lane.outbox.push(ToWorker::Reset(incarnation))?;
        }
        Ok(())
    }

    /// Messages that wait for each worker, and for the sink.
    pub(crate) fn queued(&self) -> (impl Iterator<Item = usize>, usize) {
        (self.workers.iter().map(|lane| lane.outbox.queued()), self.sink.queued())
    }

    /// Sends to the sink.
    pub(crate) fn tell_sink(&mut self, message: ToSink) -> Result<(), PeerGone> {
        self.sink.push(message)
    }

    /// Offers again what did not fit before.
    pub(crate) fn flush(&mut self) -> Result<(), PeerGone> {
        self.sink.flush()?;
        self.workers.iter_mut().try_for_each(|lane| lane.outbox.flush())
    }
}

/// Appends what an input record keeps of its headers, behind its value.
#[cold]
fn append_headers(span: Span, headers: Headers<'_>, arena: &mut Vec<u8>) -> Span {
    headers.copy(arena, limits::MAX_HEADERS_BYTES).append(arena);
    span.with_headers(arena)
}

impl Lane {
    fn send(
        &mut self,
        pool: &Pool<Emptied<InputRecord>>,
        budget: &Arc<Budget>,
    ) -> Result<(), PeerGone> {
        if self.records.is_empty() {
            return Ok(());
        }
        let (arena, records) = pool.split((&mut self.arena, &mut self.records));
        let mut permit = std::mem::replace(&mut self.permit, budget.permit());
        permit.cover(arena.capacity() + records.capacity() * size_of::<InputRecord>());
        let batch = InputBatch { arena, records, permit };
        self.admitted = 0;
        self.opened = None;
        self.outbox.push(ToWorker::Batch(batch))
    }

    fn clear(&mut self, budget: &Arc<Budget>) {
        self.arena.clear();
        self.records.clear();
        self.permit = budget.permit();
        self.admitted = 0;
        self.opened = None;
    }
}
