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
mod users;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use logintide::config::Delivery;

use self::{
    history::{play, play_users},
    sizes::{Outcome, Sizes},
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

/// A panic in a history is a promise that is broken.
fn safely(play: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|_| Outcome {
        broken: Some("a panic, see above".to_owned()),
        ..Outcome::default()
    })
}

fn play_safely(seed: u64, delivery: Delivery) -> Outcome {
    safely(|| play(seed, delivery, |_| {}))
}

/// Plays histories of one mode, or shows the one that is asked for.
fn play_all(delivery: Delivery, test: &str) {
    if let Some(seed) = number_of("LOGINTIDE_SEED") {
        losses::listen(true);
        let Outcome { broken, .. } = play(seed, delivery, Cluster::show);
        assert_eq!(broken, None, "seed {seed}");
        return;
    }
    play_each(test, |seed| play(seed, delivery, |_| {}), Sizes::are_worth_it);
}

/// Plays histories by their seeds.
fn play_each(test: &str, play: impl Fn(u64) -> Outcome, are_worth_it: fn(&Sizes, u64) -> bool) {
    let histories = number_of("LOGINTIDE_HISTORIES").unwrap_or(HISTORIES);
    let (mut sizes, mut broken) = (Sizes::default(), 0);
    for seed in 0..histories {
        let outcome = safely(|| play(seed));
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
    assert!(are_worth_it(&sizes, histories), "histories that do something");
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
fn histories_of_users_keep_every_promise() {
    let test = "histories_of_users";
    if let Some(seed) = number_of("LOGINTIDE_SEED") {
        assert_eq!(play_users(seed, Cluster::show).broken, None, "seed {seed}");
        return;
    }
    play_each(test, |seed| play_users(seed, |_| {}), Sizes::are_worth_it_of_users);
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
