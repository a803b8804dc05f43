//! A producer's open transaction in the input: counted, named, waited for.

use std::{ops::Range, time::Duration};

use logintide::kafka::Producer;
use testkit::{Scenario, Served};

use crate::{
    check::exits,
    client::support::{PATIENCE, flush, send_all, transactional},
};

/// Far longer than a test lasts: what ends a transaction here is the test.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Of the partition that the transactions have records in.
const HELD: &str = "logintide_held_by_transaction_seconds{partition=\"0\"}";
const LAG: &str = "logintide_lag_records{partition=\"0\"}";
/// What the log says of an open transaction.
pub(crate) const HIDES: &str = "open transaction hides records of the input";

/// Opens a transaction that holds one record, no event, in partition 0 of the input.
pub(crate) fn open_transaction(scenario: &Scenario, timeout: Duration) -> Producer {
    open_transaction_in(scenario, "input", 0..1, timeout)
}

fn open_transaction_in(
    scenario: &Scenario,
    topic: &str,
    partitions: Range<i32>,
    timeout: Duration,
) -> Producer {
    let (topic, id) = (scenario.topic(topic), scenario.topic("foreign"));
    let (producer, handle) = transactional(scenario.brokers(), &topic, &id, timeout);
    producer.transactions().begin().expect("begin");
    for partition in partitions {
        send_all(&producer, handle, partition, &["no event".to_owned()]);
    }
    flush(&producer);
    producer
}

/// Events of now.
fn live(scenario: &Scenario, seed: &str) {
    scenario.produce(&["--seed", seed, "--count", "800", "--rate", "1000", "--disorder", "0s"]);
}

/// Waits until a metric is above `least`, and returns its value.
fn above(running: &Served, name: &str, least: f64) -> f64 {
    running.wait_for(name, |value| value > least);
    running.metric(name).expect("it is there")
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_open_transaction_is_counted_as_lag_named_and_keeps_windows_open() {
    let scenario = Scenario::new("open-transaction");
    live(&scenario, "21");
    let running = scenario.serve(&[
        "--idle-timeout",
        "1s",
        "--grace",
        "1s",
        "--window",
        "2s",
        "--commit-interval",
        "200ms",
    ]);
    running.wait_for_events(800.0);
    running.wait_for("logintide_open_windows", |open| open == 0.0);
    running.wait_for(LAG, |lag| lag == 0.0);

    let transaction = open_transaction(&scenario, TIMEOUT);
    // Nothing else moves, and it is counted all the same.
    running.wait_for(LAG, |lag| (1.0..2.0).contains(&lag));
    live(&scenario, "22");
    // Window, grace and idle timeout are over long before.
    above(&running, HELD, 8.0);
    assert!(above(&running, LAG, 1.0) > 1.0, "committed records lie behind the open one");
    let all_but_hidden = |read| running.metric(LAG).is_some_and(|lag| (read + lag) as u64 == 1601);
    running.wait_for("logintide_events_in_total", all_but_hidden);
    let open = running.metric("logintide_open_windows");
    assert!(open.is_some_and(|open| open > 0.0), "{open:?} windows wait\n{}", running.tail());
    let log = running.log();
    assert!(log.contains(HIDES) && log.contains("partitions=\"0 (offsets "), "{}", running.tail());

    transaction.transactions().abort(PATIENCE).expect("abort");
    running.wait_for_events(1600.0);
    running.wait_for("logintide_open_windows", |open| open == 0.0);
    running.wait_for(LAG, |lag| lag == 0.0);
    running.wait_for(HELD, |seconds| seconds == 0.0);
    running.stop();
    let expected = ["--window", "2s", "--expect-complete", "--expect-late", "none"];
    println!("{}", scenario.verify(&expected));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_bounded_run_waits_for_a_transaction_that_is_open_at_its_start() {
    for commits in [true, false] {
        let scenario = Scenario::new("bounded-transaction");
        scenario.produce(&["--seed", "23", "--count", "1000"]);
        let transaction = open_transaction(&scenario, TIMEOUT);
        scenario.produce(&["--seed", "24", "--count", "1000"]);
        let mut running = scenario.start(&["--exit-at-end", "--idle-timeout", "1s"]);
        running.wait_for_line(HIDES);
        assert!(running.log().contains("exit_at_end_waits_at_most_s="), "{}", running.tail());
        assert!(running.ended().is_none(), "{}", running.tail());
        let transactions = transaction.transactions();
        let ended =
            if commits { transactions.commit(PATIENCE) } else { transactions.abort(PATIENCE) };
        ended.expect("ended");
        running.ends_with(0);
        println!("{}", scenario.verify(&["--expect-complete"]));
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_bounded_run_ends_at_once_behind_transactions_that_have_ended() {
    let scenario = Scenario::new("ended-transactions");
    scenario.produce(&["--seed", "25", "--count", "1000"]);
    // The log ends with an aborted record and two markers.
    open_transaction(&scenario, TIMEOUT).transactions().commit(PATIENCE).expect("commit");
    open_transaction(&scenario, TIMEOUT).transactions().abort(PATIENCE).expect("abort");
    let mut running = scenario.start(&["--exit-at-end"]);
    running.ends_with(0);
    assert!(!running.log().contains(HIDES), "{}", running.tail());
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_stop_ends_the_wait_for_a_transaction() {
    let scenario = Scenario::new("stopped-transaction");
    scenario.produce(&["--seed", "26", "--count", "1000"]);
    let transaction = open_transaction(&scenario, TIMEOUT);
    let mut running = scenario.start(&["--exit-at-end"]);
    running.wait_for_line(HIDES);
    running.signal("-TERM");
    running.ends_with(0);
    let said = exits(&scenario.check_config(&[]), 0);
    assert!(said.contains("committed offsets of all 8 partitions, 1 behind"), "{said}");
    transaction.transactions().abort(PATIENCE).expect("abort");
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}
