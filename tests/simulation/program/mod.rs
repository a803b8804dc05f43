//! The program itself on the simulated Kafka: the real source, workers and sink, stepped in one
//! thread by a scheduler that is a function of a seed.
//!
//! `LOGINTIDE_HISTORIES` says how many histories of each mode are played. `LOGINTIDE_SEED` plays
//! one of them and shows all that happens.

mod guest;
mod history;
mod house;
mod input;
mod instance;
mod losses;
mod oracle;
mod plan;
mod planted;
mod runs;
mod sizes;
mod slot;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use logintide::config::Delivery;

use self::{
    history::{Outcome, play},
    sizes::Sizes,
};
use crate::kafka::Cluster;

/// Histories of each mode, unless it is said.
const HISTORIES: u64 = 2_000;
/// Broken histories after which no more are played.
const MOST_BROKEN: usize = 20;

fn number_of(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Plays a history; a panic in it is a promise that is broken.
fn play_safely(seed: u64, delivery: Delivery) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| play(seed, delivery, |_| {}))).unwrap_or_else(|_| Outcome {
        broken: Some("a panic, see above".to_owned()),
        ..Outcome::default()
    })
}

/// Plays histories of one mode, or shows the one that is asked for.
fn play_all(delivery: Delivery, test: &str) {
    if let Some(seed) = number_of("LOGINTIDE_SEED") {
        losses::listen(true);
        let Outcome { broken, .. } = play(seed, delivery, Cluster::show);
        assert_eq!(broken, None, "seed {seed}");
        return;
    }
    let histories = number_of("LOGINTIDE_HISTORIES").unwrap_or(HISTORIES);
    let (mut sizes, mut broken) = (Sizes::default(), 0);
    for seed in 0..histories {
        let outcome = play_safely(seed, delivery);
        sizes += outcome.sizes;
        if let Some(promise) = outcome.broken {
            println!("seed {seed}: {promise}");
            println!(
                "to see it: LOGINTIDE_SEED={seed} cargo test --features test-support --test \
                 simulation {test} -- --nocapture"
            );
            broken += 1;
        }
        assert!(broken < MOST_BROKEN, "{test}: enough");
    }
    println!("{test}: {histories} histories, {sizes}");
    assert_eq!(broken, 0, "histories that break a promise");
    assert!(sizes.are_worth_it(histories), "histories that do something");
}

#[test]
fn exactly_once_histories_keep_every_promise() {
    play_all(Delivery::ExactlyOnce, "exactly_once_histories");
}

#[test]
fn at_least_once_histories_keep_every_total() {
    play_all(Delivery::AtLeastOnce, "at_least_once_histories");
}

#[test]
fn a_seed_is_always_the_same_history() {
    for seed in 0..20 {
        for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
            let trace = || play(seed, delivery, Cluster::trace).trace;
            let first = trace();
            assert!(first.len() > 20, "seed {seed} has a trace");
            assert_eq!(first, trace(), "seed {seed}");
        }
    }
}
