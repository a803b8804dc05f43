//! The whole way in memory: a source that has all records at hand, 1, 2 or 4 workers, a sink that
//! throws the output away, each on its own thread. What is left of the program without Kafka.

mod common;

use std::{thread, time::Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use crossbeam_channel::{Receiver, Sender, bounded};
use logintide::{
    control::Control,
    epoch::{ToSink, ToWorker},
    event::FieldNames,
    ids::Epoch,
    limits,
    metrics::Health,
    source::Router,
    users::Inherited,
    worker::Worker,
};

use common::Memory;

const EVENTS: u64 = 20_000;

/// Routes and copies every value `times` times.
fn source(values: &[Vec<u8>], times: u64, memory: &Memory, workers: &[Sender<ToWorker>]) {
    let router = Router::new(&FieldNames::default(), workers.len());
    let mut filling: Vec<_> = workers.iter().map(|_| memory.batch()).collect();
    let send = |worker: usize, batch| {
        workers[worker].send(ToWorker::Batch(batch)).expect("the workers live as long");
    };
    for worker in workers {
        let begin =
            ToWorker::Begin { epoch: Epoch(1), horizon: None, inherited: Inherited::default() };
        worker.send(begin).expect("the workers live as long");
    }
    let events = values.len() as i64 * times as i64;
    for (number, value) in (0..events).zip(values.iter().cycle()) {
        let worker = router.worker_of(value, number).0;
        common::append(&mut filling[worker], number, value);
        if filling[worker].arena.len() >= limits::INPUT_BATCH_BYTES {
            send(worker, std::mem::replace(&mut filling[worker], memory.batch()));
        }
    }
    filling.into_iter().enumerate().for_each(|(worker, batch)| send(worker, batch));
    for worker in workers {
        let barrier = ToWorker::Barrier { epoch: Epoch(1), horizon: None };
        worker.send(barrier).expect("the workers live as long");
    }
}

/// Counts the enriched records.
fn sink(memory: &Memory, input: &Receiver<ToSink>) -> usize {
    let mut records = 0;
    for message in input {
        if let ToSink::Output(batch) = &message {
            records += batch.records.len();
        }
        memory.take_back(message);
    }
    records
}

fn pipeline(criterion: &mut Criterion) {
    let values = common::values(EVENTS, 0.0);
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(common::throughput(&values));
    group.sample_size(20);
    for workers in [1, 2, 4] {
        let memory = Memory::new();
        group.bench_function(BenchmarkId::new("workers", workers), |bench| {
            bench.iter_custom(|times| {
                let began = Instant::now();
                let records = run(&values, times, workers, &memory);
                assert_eq!(records as u64, EVENTS * times, "all events come through");
                began.elapsed()
            });
        });
    }
    group.finish();
}

fn run(values: &[Vec<u8>], times: u64, workers: usize, memory: &Memory) -> usize {
    let control = Control::new(Health::new(0), workers);
    let (to_sink, output) = bounded(limits::SINK_QUEUE_MESSAGES);
    thread::scope(|scope| {
        let mut inputs = Vec::new();
        for number in 0..workers {
            let (input, received) = bounded(limits::WORKER_QUEUE_BATCHES);
            let control = control.clone();
            let worker = Worker::new(memory.worker(number), to_sink.clone(), control);
            scope.spawn(move || worker.run(&received).expect("nothing can fail"));
            inputs.push(input);
        }
        drop(to_sink);
        let counted = scope.spawn(|| sink(memory, &output));
        source(values, times, memory, &inputs);
        drop(inputs);
        counted.join().expect("the sink does not panic")
    })
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
