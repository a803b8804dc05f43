//! One pass of the router, of a worker and of a bare simd-json parse over the same events, each in
//! a function of its own: `scripts/instructions` counts what the processor is asked to do in it.

mod common;

use std::hint::black_box;

use common::Memory;
use crossbeam_channel::{Receiver, unbounded};
use logintide::{
    control::Control,
    epoch::{Mode, ToWorker},
    event::FieldNames,
    ids::Epoch,
    metrics::Health,
    source::Router,
    worker::Worker,
};

const EVENTS: u64 = 20_000;

#[inline(never)]
fn counted_router(router: &Router, values: &[Vec<u8>]) -> usize {
    (0..).zip(values).map(|(at, value)| router.worker_of(value, at).0).sum()
}

#[inline(never)]
fn counted_worker(worker: Worker, input: &Receiver<ToWorker>) {
    worker.run(input);
}

#[inline(never)]
fn counted_tape(values: &[Vec<u8>], copy: &mut Vec<u8>, buffers: &mut simd_json::Buffers) {
    for value in values {
        copy.clear();
        copy.extend_from_slice(value);
        let tape = simd_json::to_tape_with_buffers(copy, buffers);
        black_box(tape.expect("plain events are JSON").0.len());
    }
}

fn main() {
    let values = common::values(EVENTS, 0.0);
    black_box(counted_router(&Router::new(&FieldNames::default(), 4), &values));
    counted_tape(&values, &mut Vec::new(), &mut simd_json::Buffers::default());

    let memory = Memory::new();
    let (to_worker, input) = unbounded();
    let begin = ToWorker::Begin { epoch: Epoch(1), horizon: None, mode: Mode::Process };
    to_worker.send(begin).expect("it is open");
    for batch in common::batches(&values, &memory) {
        to_worker.send(ToWorker::Batch(batch)).expect("it is open");
    }
    let barrier = ToWorker::Barrier { epoch: Epoch(1), horizon: None };
    to_worker.send(barrier).expect("it is open");
    drop(to_worker);
    let (to_sink, output) = unbounded();
    counted_worker(Worker::new(memory.worker(0), to_sink, Control::new(Health::new(0), 1)), &input);
    println!("{EVENTS} events, {} messages to the sink", output.len());
}
