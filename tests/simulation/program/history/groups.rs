//! Groups to which nothing happens by chance: one that is larger than a machine for tests, and one
//! that loses an instance.
//!
//! Holds: the network and the brokers are quick, and no process waits for its turn, so what is
//! waited for is the protocol's.

use std::time::Duration;

use logintide::{config::Delivery, topics::Topic};

use super::{
    super::{
        house::Repeats,
        oracle::Outputs,
        plan::{Plan, SESSION},
        slot::Slot,
    },
    History, PATIENCE,
};
use crate::kafka::Random;

/// How long a lost instance's partitions may wait beyond its session: the group notices at a
/// heartbeat, all join, and take over.
const TAKEOVER: Duration = Duration::from_secs(3);
/// Longest time between two rounds.
const QUICK: Duration = Duration::from_millis(15);

impl History {
    fn of_group(seed: u64, plan: Plan) -> Self {
        Self::of(seed, plan, Random::new(seed), |_| {})
    }

    fn outputs(&self) -> Outputs {
        Outputs::read(&self.kafka, &self.names)
    }

    /// Turns until something holds, which is looked at after so many rounds each time.
    fn turn_until(&mut self, what: &str, rounds: usize, holds: impl Fn(&Self) -> bool) {
        let deadline = self.now() + PATIENCE;
        while !holds(self) {
            assert!(self.now() < deadline, "{what}: {}", self.describe());
            for _ in 0..rounds {
                self.feed.write(&self.kafka, &mut self.random);
                self.round();
                self.pass(QUICK);
            }
        }
    }

    /// A record is written to each partition of the input; returns when each can be read, enriched
    /// or as a dead letter.
    fn goes_through(&mut self) {
        for partition in 0..self.plan.partitions[Topic::Input] as i32 {
            self.feed.write_to(&self.kafka, &mut self.random, partition);
        }
        let written = self.feed.written().len();
        self.turn_until("all can be read", 1, |history| {
            let written = history.feed.written()[..written].iter().enumerate();
            history.outputs().first_missing(written).is_none()
        });
    }

    fn is_exact(&self) -> bool {
        let (written, repeats) = (self.feed.written(), Repeats::of(self.plan.delivery));
        self.feed.is_done() && self.outputs().check(written, repeats, true, &[]).is_ok()
    }

    /// All that was written is processed, and every window is right and complete.
    fn becomes_exact(&mut self) {
        self.turn_until("all is exact", 40, Self::is_exact);
        self.end();
    }
}

#[test]
fn what_a_lost_instance_had_can_be_read_within_its_session_and_three_seconds() {
    let mut longest = Duration::ZERO;
    for seed in 0..60 {
        let mut history = History::of_group(seed, Plan::of_group(Delivery::ExactlyOnce, 3, 8, 0));
        history.goes_through();
        // In turns it makes the window records or not.
        let mut slot = history.slots.remove(seed as usize % 3);
        slot.bury(&history.kafka, &mut history.random);
        let lost = history.now();
        history.goes_through();
        longest = longest.max(history.now().saturating_sub(lost));
        history.becomes_exact();
    }
    println!("at most {longest:?}, session {SESSION:?}");
    assert!(longest > SESSION / 2 && longest <= SESSION + TAKEOVER, "{longest:?}");
}

#[test]
fn what_is_cut_off_before_anybody_has_read_it_is_written_again() {
    for seed in 0..40 {
        let mut history = History::of_group(seed, Plan::of_group(Delivery::ExactlyOnce, 2, 4, 0));
        history.goes_through();
        history.turn_until("nothing is open", 200, History::is_exact);
        let journal = history.names[Topic::Journal].clone();
        let partitions = 0..history.plan.partitions[Topic::Journal] as i32;
        let before: Vec<_> =
            partitions.clone().map(|p| history.kafka.log_end(&journal, p)).collect();
        // The instance that does not merge has counts of an open window that nobody knows of.
        history.feed.write_to(&history.kafka, &mut history.random, 3);
        history.turn_until("all is committed", 1, History::is_committed);
        for (partition, end) in partitions.zip(before) {
            history.kafka.lose_end(&journal, partition, end);
        }
        history.becomes_exact();
    }
}

#[test]
fn sixteen_instances_read_256_partitions() {
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let mut history = History::of_group(1, Plan::of_group(delivery, 16, 256, 400));
        history.goes_through();
        assert!(history.slots.iter().all(Slot::is_reading));
        history.becomes_exact();
    }
}
