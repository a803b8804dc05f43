//! The program itself on the simulated Kafka: the real source, workers and sink, stepped in one
//! thread by a scheduler that is a function of a seed.
//!
//! `LOGINTIDE_HISTORIES` says how many histories of each mode are played; `LOGINTIDE_SEED` plays
//! one, and shows it.

mod history;
mod house;
mod input;
mod instance;
mod oracle;
mod plan;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use logintide::config::Delivery;

use self::history::{Outcome, play};

/// Histories of each mode, unless it is said.
const HISTORIES: u64 = 2_000;

fn number_of(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// Plays many histories of one mode, or the one that is asked for.
fn play_all(delivery: Delivery, name: &str) {
    if let Some(seed) = number_of("LOGINTIDE_SEED") {
        let Outcome { broken, trace, .. } = play(seed, delivery, true);
        println!("{}", trace.join("\n"));
        assert_eq!(broken, None, "{name}, seed {seed}");
        return;
    }
    let histories = number_of("LOGINTIDE_HISTORIES").unwrap_or(HISTORIES);
    let mut failures = std::collections::BTreeMap::<String, (u64, u64)>::new();
    let mut broken = 0;
    let mut sizes = history::Sizes::default();
    for seed in 0..histories {
        let outcome = catch_unwind(AssertUnwindSafe(|| play(seed, delivery, false)));
        let Ok(outcome) = outcome else {
            println!("{name}, seed {seed}: panic");
            broken += 1;
            continue;
        };
        if let Some(b) = &outcome.broken {
            println!("{name}, seed {seed}: {b}");
            broken += 1
        }
        let s = outcome.sizes;
        sizes.inputs += s.inputs;
        sizes.starts += s.starts;
        sizes.troubles += s.troubles;
        sizes.late += s.late;
        sizes.windows += s.windows;
        sizes.revisions += s.revisions;
        sizes.seconds += s.seconds;
        sizes.rounds += s.rounds;
        for failure in outcome.failures {
            failures.entry(failure).or_insert((0, seed)).0 += 1;
        }
    }
    println!("{name}: {histories} histories {sizes:?}");
    for (f, n) in failures {
        println!("{n:?} {f}");
    }
    assert_eq!(broken, 0);
}

#[test]
fn exactly_once_histories_keep_every_promise() {
    play_all(Delivery::ExactlyOnce, "exactly once");
}

#[test]
fn at_least_once_histories_keep_every_total() {
    play_all(Delivery::AtLeastOnce, "at least once");
}

#[test]
fn the_same_seed_is_the_same_history_of_the_program() {
    for seed in 0..20 {
        let trace = || play(seed, Delivery::ExactlyOnce, true).trace;
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}
