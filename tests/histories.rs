//! The epoch protocol under every crash and every outcome of a commit, in random histories.
//!
//! Kafka, the process and its threads are played one step at a time; the protocol's parts are the
//! library's own. After each history everything is read to the end and committed, and the promises
//! are checked. `PROPTEST_CASES` says how many histories; a failing one is printed with its seed.

#[path = "histories/kafka.rs"]
mod kafka;
#[path = "histories/known.rs"]
mod known;
#[path = "histories/process.rs"]
mod process;
#[path = "histories/workers.rs"]
mod workers;
#[path = "histories/world.rs"]
mod world;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, TestRunner},
};

use kafka::{Fate, Mode, PARTITIONS};
use process::StartUp;
use world::{Ending, Next, Step, World};

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        5 => Just(Fate::Committed),
        1 => Just(Fate::Failed),
        3 => any::<u8>().prop_map(Fate::Unknown),
    ]
}

fn any_ending() -> impl Strategy<Value = Ending> {
    (any_fate(), any::<bool>()).prop_map(|(fate, dies)| Ending { fate, dies })
}

fn any_step() -> impl Strategy<Value = Step> {
    let partition = 0..PARTITIONS as i32;
    prop_oneof![
        8 => (partition, 1..6_i64)
            .prop_map(|(partition, records)| Step::Read { partition, records }),
        4 => (0..3_usize, 1..8_usize)
            .prop_map(|(worker, messages)| Step::Work { worker, messages }),
        3 => (0..8_u8).prop_map(|idle| Step::Cut { idle }),
        5 => any_ending().prop_map(Step::Sink),
        6 => (0..8_u8, 0..3_usize, any_ending())
            .prop_map(|(idle, first_worker, ending)| Step::Epoch { idle, first_worker, ending }),
        1 => Just(Step::BreakDisk),
        1 => Just(Step::RollBack),
        1 => Just(Step::Rebalance),
        2 => Just(Step::Crash),
        1 => (1..60_i64).prop_map(Step::Clock),
    ]
}

fn any_next() -> impl Strategy<Value = Next> {
    (1..4_usize, any::<u8>(), 0..6_u8, any::<u8>()).prop_map(
        |(workers, owned, dies_after, arrive)| Next {
            start: StartUp { workers, owned, dies_after },
            arrive,
        },
    )
}

/// Runs histories of one mode and says how many there were.
fn run(mode: Mode, name: &'static str) {
    let ran = AtomicU64::new(0);
    let seeds = FileFailurePersistence::Direct("proptest-regressions/histories.txt");
    let config =
        ProptestConfig { failure_persistence: Some(Box::new(seeds)), ..ProptestConfig::default() };
    let histories = (
        prop::collection::vec(any_step(), 1..40),
        prop::collection::vec(any::<i16>(), 1..40),
        prop::collection::vec(any_next(), 1..6),
    );
    let mut runner = TestRunner::new(config);
    let result = runner.run(&histories, |(steps, jitter, nexts)| {
        ran.fetch_add(1, Relaxed);
        let mut world = World::new(mode, jitter, nexts);
        for step in &steps {
            world.step(step);
        }
        world.drain();
        world.check()
    });
    println!("{name}: {} histories", ran.load(Relaxed));
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn exactly_once_histories_keep_every_promise() {
    run(Mode::ExactlyOnce, "exactly once");
}

#[test]
fn at_least_once_histories_keep_every_total() {
    run(Mode::AtLeastOnce, "at least once");
}
