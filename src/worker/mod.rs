//! A worker: parses, validates, enriches and counts the events of its users. Thread `worker-i`.
//!
//! In:  `ToWorker` in order: batches, barriers, resets.
//! Out: enriched and rejected records, one `WorkerEpoch` per barrier.
//! Holds: an event takes no lock, no I/O, no log line and no clock read (a batch takes three clock
//! reads); nothing of an epoch is sent after its `WorkerEpoch`.

mod batcher;
mod delta;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use self::{
    batcher::{OutputBatcher, SinkGone},
    delta::EpochDelta,
};
use crate::{
    batch::{Emptied, InputBatch, InputRecord, Pool, RejectKind, Span},
    budget::{Budget, Permit},
    client::{Clock, SystemClock},
    control::Control,
    epoch::{ToSink, ToWorker, WorkerEpoch},
    event::{Enricher, Event, EventConfig, Field, Parser, Reject, RejectReason, SoftProblem},
    failpoint::{self, Point},
    ids::{Epoch, EventTimeMs, Incarnation, WorkerId},
    kafka::Partitioner,
    latency::EpochAges,
    window::WindowRules,
};

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub id: WorkerId,
    pub event: EventConfig,
    pub rules: WindowRules,
    /// Partitions of processed-logins.
    pub output_partitions: usize,
    pub budget: Arc<Budget>,
    /// Takes emptied input arenas back.
    pub input_pool: Pool<Emptied<InputRecord>>,
    /// Gives empty output arenas.
    pub output_pool: Pool<Emptied<Span>>,
}

/// What one step was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A message was handled.
    Moved,
    /// None is there, and nothing is buffered any more.
    Quiet,
    /// The source or the sink has ended.
    Ended,
}

/// A worker's clocks. Dispatch is dynamic: a batch reads them, and a generic worker takes 2 % more
/// instructions per event.
pub trait BatchClock: Send {
    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock, microseconds since the Unix epoch.
    fn now_us(&self) -> i64;
}

impl<K: Clock + Send> BatchClock for K {
    fn now(&self) -> Instant {
        Clock::now(self)
    }

    fn now_us(&self) -> i64 {
        Clock::now_us(self)
    }
}

pub struct Worker {
    id: WorkerId,
    clock: Box<dyn BatchClock>,
    rules: WindowRules,
    partitioner: Partitioner,
    budget: Arc<Budget>,
    input_pool: Pool<Emptied<InputRecord>>,
    parser: Parser,
    enricher: Enricher,
    outputs: OutputBatcher,
    sink: Sender<ToSink>,
    control: Arc<Control>,
    incarnation: Incarnation,
    epoch: Epoch,
    horizon: Option<EventTimeMs>,
    delta: EpochDelta,
    /// The delta's bytes that were reported to the budget.
    reported_bytes: usize,
    ages: EpochAges,
    reasons: BTreeMap<RejectReason, u64>,
    soft: BTreeMap<(Field, SoftProblem), u64>,
}

impl Worker {
    /// A worker that sends to `sink`.
    pub fn new(settings: WorkerSettings, sink: Sender<ToSink>, control: Arc<Control>) -> Self {
        let WorkerSettings { id, event, rules, budget, input_pool, output_pool, .. } = settings;
        let output_partitions = settings.output_partitions;
        let outputs =
            OutputBatcher::new(output_partitions, sink.clone(), output_pool, Arc::clone(&budget));
        Self {
            id,
            clock: Box::new(SystemClock),
            rules,
            partitioner: Partitioner::new(output_partitions as i32),
            budget,
            input_pool,
            parser: Parser::new(&event),
            enricher: Enricher::new(&event),
            outputs,
            sink,
            control,
            incarnation: Incarnation(0),
            epoch: Epoch(0),
            horizon: None,
            delta: EpochDelta::default(),
            reported_bytes: 0,
            ages: EpochAges::default(),
            reasons: BTreeMap::new(),
            soft: BTreeMap::new(),
        }
    }

    /// The same worker by other clocks than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: impl BatchClock + 'static) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// Works until the source or the sink has ended.
    pub fn run(mut self, input: &Receiver<ToWorker>) {
        loop {
            let turn = match self.step(input) {
                Turn::Quiet => self.take(input.recv().map_err(|_| SinkGone)),
                turn => turn,
            };
            if turn == Turn::Ended {
                return;
            }
        }
    }

    /// Handles one message; without one, sends what is buffered. It waits for nothing but room in
    /// the sink's queue.
    pub fn step(&mut self, input: &Receiver<ToWorker>) -> Turn {
        match input.try_recv() {
            Ok(message) => self.take(Ok(message)),
            Err(TryRecvError::Disconnected) => Turn::Ended,
            Err(TryRecvError::Empty) => {
                let sent = self.outputs.send_all(self.incarnation, self.epoch);
                if sent.is_ok() { Turn::Quiet } else { Turn::Ended }
            }
        }
    }

    fn take(&mut self, message: Result<ToWorker, SinkGone>) -> Turn {
        if message.and_then(|message| self.handle(message)).is_err() {
            return Turn::Ended;
        }
        self.control.activity().workers[self.id.0].handled.fetch_add(1, Relaxed);
        Turn::Moved
    }

    fn handle(&mut self, message: ToWorker) -> Result<(), SinkGone> {
        match message {
            ToWorker::Batch(batch) => self.process(batch),
            ToWorker::Barrier { epoch, horizon } => self.end_epoch(epoch, horizon),
            ToWorker::OutputPartitions(partitions) => {
                self.partitioner = Partitioner::new(partitions);
                self.outputs.resize(partitions as usize);
                Ok(())
            }
            ToWorker::Reset(incarnation) => self.reset(incarnation),
            ToWorker::Begin { epoch, horizon } => {
                self.epoch = epoch;
                self.horizon = horizon;
                Ok(())
            }
        }
    }

    fn process(&mut self, batch: InputBatch) -> Result<(), SinkGone> {
        let InputBatch { arena, records, mut permit } = batch;
        let (began, processed_at_us) = (self.clock.now(), self.clock.now_us());
        self.ages.begin_batch(processed_at_us / 1000);
        for record in &records {
            self.ages.record(record.position.timestamp_ms);
            self.record(record, &arena, processed_at_us, &mut permit)?;
        }
        self.ages.end_batch(self.clock.now().saturating_duration_since(began));
        self.input_pool.give(arena, records);
        let grown = self.delta.memory_bytes() - self.reported_bytes;
        self.budget.delta_grew(grown);
        self.reported_bytes += grown;
        Ok(())
    }

    fn record(
        &mut self,
        record: &InputRecord,
        arena: &[u8],
        processed_at_us: i64,
        permit: &mut Permit,
    ) -> Result<(), SinkGone> {
        let raw = record.span.value(arena);
        let event = match self.parser.parse(raw, record.position.timestamp_ms) {
            Ok(event) => event,
            Err(reject) => return self.dead_letter(reject, record, arena, permit),
        };
        if !event.soft.is_empty() {
            note_soft(&mut self.soft, &event);
        }
        let window = self.rules.window_of(event.event_time);
        let late = self.rules.is_late(window, self.horizon);
        self.delta.processed(record.position, &event, (!late).then_some(window));
        let partition = self.partitioner.partition_of(event.user_id.as_bytes());
        let (key, headers) = (event.user_id.as_bytes(), record.span.headers(arena));
        let full = self.outputs.enriched(partition, key, headers, permit, |out| {
            self.enricher.append(raw, &event, processed_at_us, out);
        });
        if full {
            self.outputs.send_partition(partition, self.incarnation, self.epoch)?;
        }
        if late {
            self.delta.late(record.position.partition);
            if self.outputs.rejected(RejectKind::Late, record, arena, permit) {
                self.outputs.send_rejects(self.incarnation, self.epoch)?;
            }
        }
        Ok(())
    }

    fn dead_letter(
        &mut self,
        reject: Reject,
        record: &InputRecord,
        arena: &[u8],
        permit: &mut Permit,
    ) -> Result<(), SinkGone> {
        self.delta.dead_letter(record.position.partition);
        *self.reasons.entry(reject.reason).or_default() += 1;
        if self.outputs.rejected(RejectKind::DeadLetter(reject), record, arena, permit) {
            self.outputs.send_rejects(self.incarnation, self.epoch)?;
        }
        Ok(())
    }

    fn end_epoch(&mut self, epoch: Epoch, horizon: Option<EventTimeMs>) -> Result<(), SinkGone> {
        assert_eq!(epoch, self.epoch, "barriers come in order");
        failpoint::reached(Point::Answer);
        self.outputs.send_all(self.incarnation, self.epoch)?;
        let (deltas, counts) = self.delta.take();
        let answer = WorkerEpoch {
            incarnation: self.incarnation,
            epoch,
            worker: self.id,
            deltas,
            counts,
            reasons: std::mem::take(&mut self.reasons).into_iter().collect(),
            soft: std::mem::take(&mut self.soft).into_iter().collect(),
            latency: self.ages.take(),
            delta_bytes: std::mem::take(&mut self.reported_bytes),
        };
        self.epoch = epoch.next();
        self.horizon = horizon;
        self.sink.send(ToSink::WorkerEpoch(Box::new(answer))).map_err(|_| SinkGone)
    }

    fn reset(&mut self, incarnation: Incarnation) -> Result<(), SinkGone> {
        self.outputs.clear();
        drop(self.delta.take());
        self.budget.delta_freed(std::mem::take(&mut self.reported_bytes));
        self.ages.clear();
        self.reasons.clear();
        self.soft.clear();
        self.incarnation = incarnation;
        self.sink.send(ToSink::ResetDone(incarnation)).map_err(|_| SinkGone)
    }
}

fn note_soft(soft: &mut BTreeMap<(Field, SoftProblem), u64>, event: &Event<'_>) {
    for (field, problem) in event.soft.iter() {
        *soft.entry((field, problem)).or_default() += 1;
    }
}
