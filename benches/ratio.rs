//! How many times as long as a bare simd-json tape a worker takes for the same events: one after
//! the other in one run, so that a machine that drifts drifts for both.
//!
//! Usage: `cargo bench --bench ratio [-- ROUNDS]`

mod common;

use std::{
    env,
    time::{Duration, Instant},
};

use common::{Memory, Tapes};

const EVENTS: u64 = 20_000;

/// Rounds without an argument.
const ROUNDS: usize = 200;

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// Minimum, median and maximum.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

fn main() {
    // Cargo adds an argument of its own.
    let rounds = env::args().skip(1).find_map(|argument| argument.parse().ok());
    let rounds: usize = rounds.unwrap_or(ROUNDS).max(1);
    let values = common::values(EVENTS, 0.0);
    let (memory, mut tapes) = (Memory::new(), Tapes::default());
    let mut round = || {
        let tape = timed(|| tapes.of(&values));
        let (worker, _, input, output) = common::worker(&values, &memory);
        let whole = timed(|| worker.run(&input).expect("nothing can fail"));
        // The arenas that the sink has emptied come back, as they do while the program runs.
        memory.empty(&output);
        [tape, whole].map(|took| took.as_secs_f64() * 1e9 / EVENTS as f64)
    };
    // The first one grows buffers and arenas.
    round();
    let times: Vec<_> = (0..rounds).map(|_| round()).collect();
    let columns = [
        ("bare simd-json tape, ns per event", times.iter().map(|[tape, _]| *tape).collect()),
        ("worker, ns per event", times.iter().map(|[_, worker]| *worker).collect()),
        ("worker : tape", times.iter().map(|[tape, worker]| worker / tape).collect()),
    ];
    println!("{rounds} rounds of {EVENTS} events: minimum / median / maximum");
    for (name, values) in columns {
        let [min, median, max] = spread(values);
        println!("{name}: {min:.2} / {median:.2} / {max:.2}");
    }
}
