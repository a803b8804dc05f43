//! A request of the processor's producer that reaches the broker a second time, long after it was
//! answered, and is applied to the next transaction.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use logintide::ids::PartitionId;
use testkit::{Scenario, Served};

use super::{SMALL, finish_fixed, joined, topics::committed};
use crate::wire::{NO_TAGS, Wire, code, compact_text, read_compact_text, read_text, text};

const OFFSET_FETCH: i16 = 9;
const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;
const DESCRIBE_TRANSACTIONS: i16 = 65;

/// Half a minute of events none of which is late or invalid.
const PLAIN: &[&str] =
    &["--seed", "47", "--count", "60000", "--events-per-second-of-event-time", "500"];

/// The producer of a `fixed` process, as the broker knows it.
struct Copies {
    wire: Wire,
    group: String,
    input: String,
    transactional_id: String,
}

/// Who sends a request of a transaction.
#[derive(Debug, Clone, Copy)]
struct Producer {
    id: i64,
    epoch: i16,
    is_in_transaction: bool,
}

impl Producer {
    fn claim(self) -> Vec<u8> {
        [&self.id.to_be_bytes()[..], &self.epoch.to_be_bytes()].concat()
    }
}

impl Copies {
    fn of(scenario: &Scenario) -> Self {
        Self {
            wire: Wire::connect(scenario.brokers()),
            group: scenario.topic("group"),
            input: scenario.topic("input"),
            transactional_id: format!("{}-fixed", scenario.topic("group")),
        }
    }

    fn producer(&mut self) -> Producer {
        // One id, in an array whose length is written plus one.
        let mut body = vec![2];
        compact_text(&mut body, &self.transactional_id);
        body.extend(NO_TAGS);
        let answer = self.wire.ask_tagged(DESCRIBE_TRANSACTIONS, 0, &body);
        // Throttle time, the array's length, then the transaction.
        let transaction = &answer[5..];
        assert_eq!(code(transaction), 0, "{answer:?}");
        let (_, rest) = read_compact_text(&transaction[2..]);
        let (state, rest) = read_compact_text(rest);
        // Timeout and begin, then the producer.
        let id = i64::from_be_bytes(rest[12..20].try_into().expect("8 bytes"));
        Producer { id, epoch: code(&rest[20..]), is_in_transaction: state == "Ongoing" }
    }

    /// The commit of a transaction, once more. Returns the broker's answer.
    fn commit(&mut self, producer: Producer) -> i16 {
        let mut body = Vec::new();
        text(&mut body, &self.transactional_id);
        body.extend(producer.claim());
        body.push(1);
        code(&self.wire.ask(END_TXN, 1, &body)[4..])
    }

    /// The offset of a partition that was committed in an earlier transaction, once more.
    fn offset(
        &mut self,
        producer: Producer,
        partition: PartitionId,
        (offset, metadata): &(i64, String),
    ) -> i16 {
        let mut body = Vec::new();
        text(&mut body, &self.transactional_id);
        text(&mut body, &self.group);
        body.extend(producer.claim());
        body.extend(1i32.to_be_bytes());
        text(&mut body, &self.input);
        body.extend(1i32.to_be_bytes());
        body.extend(partition.0.to_be_bytes());
        body.extend(offset.to_be_bytes());
        // No leader epoch.
        body.extend((-1i32).to_be_bytes());
        text(&mut body, metadata);
        let answer = self.wire.ask(TXN_OFFSET_COMMIT, 2, &body);
        code(&answer[answer.len() - 2..])
    }
}

/// The offset that a group has committed for a partition, whatever is under way.
fn committed_now(wire: &mut Wire, scenario: &Scenario, partition: PartitionId) -> i64 {
    let mut body = Vec::new();
    text(&mut body, &scenario.topic("group"));
    body.extend(1i32.to_be_bytes());
    text(&mut body, &scenario.topic("input"));
    body.extend(1i32.to_be_bytes());
    body.extend(partition.0.to_be_bytes());
    let answer = wire.ask(OFFSET_FETCH, 1, &body);
    // One topic, one partition, its number.
    let (_, rest) = read_text(&answer[4..]);
    i64::from_be_bytes(rest[8..16].try_into().expect("8 bytes"))
}

/// A process with long epochs, so that a copy finds one that is open.
fn with_long_epochs(scenario: &Scenario) -> Served {
    let own = ["--instance-id", "fixed", "--commit-interval", "700ms"];
    scenario.serve_group("group", "state", &own)
}

fn epochs(running: &Served) -> f64 {
    running.metric("logintide_epochs_committed_total").unwrap_or_default()
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_commit_that_arrives_again_ends_half_an_epoch_and_every_total_stays_exact() {
    let scenario = Scenario::new("late-commit");
    let mut produced = scenario.producing(&joined(&[PLAIN, &["--rate", "2000"]]));
    let running = with_long_epochs(&scenario);
    running.wait_for_epochs(2.0);
    let mut copies = Copies::of(&scenario);
    let mut hits = 0;
    while hits < 6 {
        let before = epochs(&running);
        thread::sleep(Duration::from_millis(150));
        let sender = copies.producer();
        if sender.is_in_transaction && copies.commit(sender) == 0 {
            hits += 1;
            running.wait_for("logintide_epoch_rollbacks_total", |n| n >= f64::from(hits));
        }
        running.wait_for_epochs(before + 2.0);
    }
    produced.ends_with(0);
    let events = joined(&[PLAIN, &["--allow-duplicates"]]);
    finish_fixed(running, &scenario, &events);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn offsets_that_arrive_again_are_older_than_the_journal_and_nothing_is_read_twice() {
    let scenario = Scenario::new("late-offsets");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let mut running = with_long_epochs(&scenario);
    running.wait_for_epochs(3.0);
    let (mut wire, mut hits) = (Wire::connect(scenario.brokers()), 0);
    for _ in 0..4 {
        let (partition, old) = committed(&scenario).into_iter().next().expect("a commit");
        running.wait_for_epochs(epochs(&running) + 3.0);
        let mut is_old = || committed_now(&mut wire, &scenario, partition) == old.0;
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut copies = Copies::of(&scenario);
                while !is_done.load(SeqCst) {
                    let sender = copies.producer();
                    if sender.is_in_transaction {
                        copies.offset(sender, partition, &old);
                    }
                }
            });
            running.until("an old offset is committed", || is_old().then_some(()));
            is_done.store(true, SeqCst);
        });
        running.kill();
        let hit = is_old();
        running = with_long_epochs(&scenario);
        if hit {
            running.wait_for_line("the committed offset is older than the journal");
            hits += 1;
        }
        running.wait_for_epochs(3.0);
    }
    assert!(hits > 0, "no copy has hit");
    produced.ends_with(0);
    finish_fixed(running, &scenario, SMALL);
}
