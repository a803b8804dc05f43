//! A worker: makes something of the records that are routed to it. Thread `worker-i`.
//!
//! In:  `ToWorker` in order: batches, barriers, resets.
//! Out: what its task makes of them, one `WorkerEpoch` per barrier.
//! Holds: an event takes no lock, no I/O, no log line and no clock read (a batch takes three clock
//! reads); nothing of an epoch is sent after its `WorkerEpoch`.

mod batcher;
mod counting;
mod delta;
mod profiling;
mod task;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use self::{
    batcher::SinkGone,
    counting::Counting,
    profiling::Profiling,
    task::{Made, Noted, Stamp, Task, WorkerEnd},
};
pub use self::{counting::CountingSettings, profiling::ProfilingSettings};
use crate::{
    batch::{Emptied, InputBatch, InputRecord, Pool, Span},
    budget::Budget,
    client::{Clock, SystemClock},
    control::Control,
    epoch::{ToSink, ToWorker, WorkerEpoch},
    error::RunError,
    failpoint::{self, Point},
    ids::{Epoch, EventTimeMs, Incarnation, WorkerId},
};

/// What a worker makes of its records.
#[expect(clippy::large_enum_variant, reason = "one exists per worker, and is taken apart at once")]
#[derive(Debug, Clone)]
pub enum TaskSettings {
    /// Enriched events, and their counts in windows.
    Counting(CountingSettings),
    /// Profiles of users, and what does not look like them.
    Profiling(Box<ProfilingSettings>),
}

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub id: WorkerId,
    pub task: TaskSettings,
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
    budget: Arc<Budget>,
    input_pool: Pool<Emptied<InputRecord>>,
    sink: Sender<ToSink>,
    control: Arc<Control>,
    stamp: Stamp,
    task: Box<dyn Task>,
    noted: Noted,
    /// Bytes of what the task holds for the epoch that were reported to the budget.
    reported_bytes: usize,
    /// Those of what it holds beyond that.
    reported_excess: usize,
    /// Why it has ended, if that is no other thread's end.
    failure: Option<RunError>,
}

impl Worker {
    /// A worker that sends to `sink`.
    pub fn new(settings: WorkerSettings, sink: Sender<ToSink>, control: Arc<Control>) -> Self {
        let WorkerSettings { id, task, budget, input_pool, output_pool } = settings;
        let task: Box<dyn Task> = match task {
            TaskSettings::Counting(counting) => {
                Box::new(Counting::new(counting, &sink, &output_pool, &budget))
            }
            TaskSettings::Profiling(profiling) => {
                Box::new(Profiling::new(*profiling, &sink, &output_pool, &budget))
            }
        };
        Self {
            id,
            clock: Box::new(SystemClock),
            budget,
            input_pool,
            sink,
            control,
            stamp: Stamp { incarnation: Incarnation(0), epoch: Epoch(0) },
            task,
            noted: Noted::default(),
            reported_bytes: 0,
            reported_excess: 0,
            failure: None,
        }
    }

    /// The same worker by other clocks than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: impl BatchClock + 'static) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// Works until the source or the sink has ended.
    ///
    /// # Errors
    /// `Failed` when rows cannot be read.
    pub fn run(mut self, input: &Receiver<ToWorker>) -> Result<(), RunError> {
        loop {
            let turn = match self.step(input) {
                Turn::Quiet => self.take(input.recv().map_err(|_| SinkGone)),
                turn => turn,
            };
            if turn == Turn::Ended {
                return self.result();
            }
        }
    }

    /// Of one that has ended: why.
    ///
    /// # Errors
    /// As `run`.
    pub fn result(self) -> Result<(), RunError> {
        self.failure.map_or(Ok(()), Err)
    }

    /// Handles one message; without one, sends what is buffered. It waits for nothing but room in
    /// the sink's queue.
    pub fn step(&mut self, input: &Receiver<ToWorker>) -> Turn {
        match input.try_recv() {
            Ok(message) => self.take(Ok(message)),
            Err(TryRecvError::Disconnected) => Turn::Ended,
            Err(TryRecvError::Empty) => {
                let sent = self.task.send_all(self.stamp);
                if sent.is_ok() { Turn::Quiet } else { Turn::Ended }
            }
        }
    }

    fn take(&mut self, message: Result<ToWorker, SinkGone>) -> Turn {
        let handled = message.map_err(WorkerEnd::from).and_then(|message| self.handle(message));
        if let Err(end) = handled {
            if let WorkerEnd::Rows(fault) = end {
                self.failure = Some(RunError::Failed(fault.to_string()));
            }
            return Turn::Ended;
        }
        self.control.activity().workers[self.id.0].handled.fetch_add(1, Relaxed);
        Turn::Moved
    }

    fn handle(&mut self, message: ToWorker) -> Result<(), WorkerEnd> {
        match message {
            ToWorker::Batch(batch) => self.process(batch),
            ToWorker::Barrier { epoch, horizon } => Ok(self.end_epoch(epoch, horizon)?),
            ToWorker::OutputPartitions(partitions) => {
                self.task.resize(partitions);
                Ok(())
            }
            ToWorker::Reset(incarnation) => Ok(self.reset(incarnation)?),
            ToWorker::Begin { epoch, horizon, inherited } => {
                self.stamp.epoch = epoch;
                self.task.begin(epoch, horizon, &inherited);
                Ok(())
            }
        }
    }

    fn process(&mut self, mut batch: InputBatch) -> Result<(), WorkerEnd> {
        let (began, now_us) = (self.clock.now(), self.clock.now_us());
        self.noted.ages.begin_batch(now_us / 1000);
        self.task.process(&mut batch, now_us, self.stamp, &mut self.noted)?;
        self.noted.ages.end_batch(self.clock.now().saturating_duration_since(began));
        let InputBatch { arena, records, permit } = batch;
        self.input_pool.give(arena, records);
        drop(permit);
        let grown = self.task.memory_bytes() - self.reported_bytes;
        self.budget.delta_grew(grown);
        self.reported_bytes += grown;
        Ok(())
    }

    fn end_epoch(&mut self, epoch: Epoch, horizon: Option<EventTimeMs>) -> Result<(), SinkGone> {
        assert_eq!(epoch, self.stamp.epoch, "barriers come in order");
        failpoint::reached(Point::Answer);
        self.task.send_all(self.stamp)?;
        let Made { deltas, counts, rows, said } = self.task.take(horizon);
        self.report_excess();
        let Noted { ages, reasons, soft } = &mut self.noted;
        let answer = WorkerEpoch {
            incarnation: self.stamp.incarnation,
            epoch,
            worker: self.id,
            deltas,
            rows,
            said,
            counts,
            reasons: std::mem::take(reasons).into_iter().collect(),
            soft: std::mem::take(soft).into_iter().collect(),
            latency: ages.take(),
            delta_bytes: std::mem::take(&mut self.reported_bytes),
        };
        self.stamp.epoch = epoch.next();
        self.sink.send(ToSink::WorkerEpoch(Box::new(answer))).map_err(|_| SinkGone)
    }

    fn report_excess(&mut self) {
        let (before, now) = (self.reported_excess, self.task.excess_bytes());
        self.budget.excess_changed(before, now);
        self.reported_excess = now;
    }

    fn reset(&mut self, incarnation: Incarnation) -> Result<(), SinkGone> {
        self.task.clear();
        self.report_excess();
        self.budget.delta_freed(std::mem::take(&mut self.reported_bytes));
        self.noted.clear();
        self.stamp.incarnation = incarnation;
        self.sink.send(ToSink::ResetDone(incarnation)).map_err(|_| SinkGone)
    }
}
