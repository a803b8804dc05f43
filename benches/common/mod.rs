//! What the benchmarks share: loadgen's events, by a seed, and workers without a source and a sink.

// Each benchmark uses its part.
#![allow(dead_code)]

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::Throughput;
use crossbeam_channel::{Receiver, Sender, unbounded};
use loadgen::embedded::{Load, LoadShares};
use logintide::{
    batch::{Emptied, InputBatch, InputRecord, Pool, Span},
    budget::Budget,
    control::Control,
    epoch::{ToSink, ToWorker},
    event::EventConfig,
    ids::{Epoch, PartitionId, Position, WorkerId},
    limits,
    metrics::Health,
    users::Inherited,
    window::WindowRules,
    worker::{CountingSettings, TaskSettings, Worker, WorkerSettings},
};

/// First event's time, epoch seconds.
pub(crate) const START_S: i64 = 1_730_653_310;

/// Kafka timestamp of all records, milliseconds.
pub(crate) const KAFKA_MS: i64 = (START_S + 60) * 1000;

/// Partitions of the input and of the output.
pub(crate) const PARTITIONS: usize = 8;

/// The windows of the default settings.
pub(crate) const RULES: WindowRules =
    WindowRules { size_ms: 10_000, grace_ms: 7_000, allowed_lateness_ms: 300_000 };

/// So many values; `odd` of them in unusual JSON, which takes the slow path.
pub(crate) fn values(count: u64, odd: f64) -> Vec<Vec<u8>> {
    let load = Load {
        brokers: String::new(),
        topic: String::new(),
        seed: 1,
        rate: 100_000.0,
        duration: Duration::from_secs(1),
        start_time_s: START_S,
        users: 100_000,
        zipf: 1.0,
        disorder: Duration::from_secs(1),
        run_length: 1,
        shares: LoadShares { odd, ..LoadShares::default() },
        on_warning: |_| {},
    };
    load.values(count).expect("a load that makes sense")
}

/// The values in both units.
pub(crate) fn throughput(values: &[Vec<u8>]) -> Throughput {
    let bytes = values.iter().map(|value| value.len() as u64).sum();
    Throughput::ElementsAndBytes { elements: values.len() as u64, bytes }
}

/// The arenas and the budget of some workers. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) budget: Arc<Budget>,
    pub(crate) input: Pool<Emptied<InputRecord>>,
    pub(crate) output: Pool<Emptied<Span>>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            budget: Budget::new(512 << 20),
            input: Pool::new(limits::INPUT_BATCH_BYTES, Arc::default()),
            output: Pool::new(limits::OUTPUT_BATCH_BYTES, Arc::default()),
        }
    }

    pub(crate) fn worker(&self, number: usize) -> WorkerSettings {
        WorkerSettings {
            id: WorkerId(number),
            task: TaskSettings::Counting(CountingSettings {
                event: EventConfig::default(),
                rules: RULES,
                output_partitions: PARTITIONS as i32,
            }),
            budget: Arc::clone(&self.budget),
            input_pool: self.input.clone(),
            output_pool: self.output.clone(),
        }
    }

    /// What the sink does beside Kafka: the arenas of what is there go back to the workers.
    pub(crate) fn empty(&self, sink: &Receiver<ToSink>) {
        sink.try_iter().for_each(|message| self.take_back(message));
    }

    /// As [`Self::empty`], for one message.
    pub(crate) fn take_back(&self, message: ToSink) {
        if let ToSink::Output(batch) = message {
            self.output.give(batch.arena, batch.records);
        }
    }

    /// An empty batch for a worker.
    pub(crate) fn batch(&self) -> InputBatch {
        let (arena, records) = self.input.take();
        InputBatch { arena, records, permit: self.budget.permit() }
    }
}

/// Appends the event with this number; the numbers go round the partitions in runs.
pub(crate) fn append(batch: &mut InputBatch, number: i64, value: &[u8]) {
    const RUN: i64 = 500;
    let span = Span::append(&mut batch.arena, None, value);
    let partition = PartitionId((number / RUN % PARTITIONS as i64) as i32);
    let position = Position { partition, offset: number, timestamp_ms: KAFKA_MS };
    batch.permit.grow(2 * value.len() + limits::ENRICH_MAX_ADDED_BYTES);
    batch.records.push(InputRecord { position, span });
}

/// All values in full batches.
pub(crate) fn batches(values: &[Vec<u8>], memory: &Memory) -> Vec<InputBatch> {
    let mut batches = vec![memory.batch()];
    for (number, value) in (0..).zip(values) {
        let batch = batches.last_mut().expect("there is one");
        append(batch, number, value);
        if batch.arena.len() >= limits::INPUT_BATCH_BYTES {
            batches.push(memory.batch());
        }
    }
    batches
}

/// A worker, and in its queue the beginning of an epoch and all values; what it sends arrives in
/// the last of these.
pub(crate) fn worker(
    values: &[Vec<u8>],
    memory: &Memory,
) -> (Worker, Sender<ToWorker>, Receiver<ToWorker>, Receiver<ToSink>) {
    let (to_worker, input) = unbounded();
    let begin = ToWorker::Begin { epoch: Epoch(1), horizon: None, inherited: Inherited::default() };
    to_worker.send(begin).expect("it is open");
    for batch in batches(values, memory) {
        to_worker.send(ToWorker::Batch(batch)).expect("it is open");
    }
    let (to_sink, output) = unbounded();
    let control = Control::new(Health::new(0), 1);
    (Worker::new(memory.worker(0), to_sink, control), to_worker, input, output)
}

/// The yardstick of everything that parses: a bare simd-json tape of a copy of each value.
#[derive(Default)]
pub(crate) struct Tapes {
    copy: Vec<u8>,
    buffers: simd_json::Buffers,
}

impl Tapes {
    pub(crate) fn of(&mut self, values: &[Vec<u8>]) {
        for value in values {
            self.copy.clear();
            self.copy.extend_from_slice(value);
            let tape = simd_json::to_tape_with_buffers(&mut self.copy, &mut self.buffers);
            black_box(tape.expect("plain events are JSON").0.len());
        }
    }
}
