//! One pass of the router, of a worker and of a bare simd-json parse over the same events, each in
//! a function of its own: `cargo xtask instructions` counts what the processor is asked to do in
//! it.
//!
//! A comment that names this benchmark for what something buys was counted on a copy of the files
//! of the record path, with these events, against the plain form. No command repeats that: put the
//! plain form in, and run `cargo xtask instructions`.

mod common;

use std::hint::black_box;

use crossbeam_channel::Receiver;
use logintide::{epoch::ToWorker, event::FieldNames, ids::Epoch, source::Router, worker::Worker};

use common::{Memory, Tapes};

const EVENTS: u64 = 20_000;

#[inline(never)]
fn counted_router(router: &Router, values: &[Vec<u8>]) -> usize {
    (0..).zip(values).map(|(at, value)| router.worker_of(value, at).0).sum()
}

#[inline(never)]
fn counted_worker(worker: Worker, input: &Receiver<ToWorker>) {
    worker.run(input).expect("nothing can fail");
}

#[inline(never)]
fn counted_tape(values: &[Vec<u8>], tapes: &mut Tapes) {
    tapes.of(values);
}

fn main() {
    let values = common::values(EVENTS, 0.0);
    black_box(counted_router(&Router::new(&FieldNames::default(), 4), &values));
    counted_tape(&values, &mut Tapes::default());

    let (worker, to_worker, input, output) = common::worker(&values, &Memory::new());
    let barrier = ToWorker::Barrier { epoch: Epoch(1), horizon: None };
    to_worker.send(barrier).expect("it is open");
    drop(to_worker);
    counted_worker(worker, &input);
    println!("{EVENTS} events, {} messages to the sink", output.len());
}
