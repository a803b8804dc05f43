//! A process that a namesake has replaced stops and says so, and nothing is doubled.

use std::time::{Duration, Instant};

use logintide::kafka::Producer;
use testkit::{Process, Scenario, Served};

use super::{SMALL, finish_fixed, fixed, joined, topics};
use crate::client::support::{PATIENCE, transactional_settings};

/// The group gives a silent member up after six seconds, the shortest that brokers allow; the
/// broker ends a silent transaction after ten.
const QUICK: &[&str] = &[
    "--session-timeout",
    "6s",
    "-X",
    "transaction.timeout.ms=10000",
    "-X",
    "message.timeout.ms=8000",
    "-X",
    "socket.timeout.ms=8000",
];

/// Longer than the session timeout.
const STOP: Duration = Duration::from_secs(9);

/// Longer than any transaction lasts.
const LONG_STOP: Duration = Duration::from_secs(25);

/// A process with a name and a folder of its own, in the middle of its work.
fn member(scenario: &Scenario, instance: &str, state: &str) -> Served {
    let own = ["--instance-id", instance, "--commit-interval", "100ms"];
    scenario.serve_group("group", state, &joined(&[&own, QUICK]))
}

/// The end of a process that was replaced.
fn ends_fenced(mut member: Served, name: &str) {
    member.ends_with(1);
    let log = member.log();
    let error = log.lines().rev().find(|line| line.contains("fenced"));
    let error = error.unwrap_or_else(|| panic!("not fenced:\n{}", member.tail()));
    println!("{error}");
    assert!(error.contains(name), "{name} is not named:\n{}", member.tail());
}

/// All of the input is processed by whom is left, and the judge finds nothing.
fn finish(scenario: &Scenario, mut produced: Process, last: Served, instance: &str, state: &str) {
    produced.ends_with(0);
    last.stop();
    let own = ["--instance-id", instance, "--exit-at-end"];
    scenario.start_group("group", state, &joined(&[&own, QUICK])).ends_with(0);
    println!("{}", scenario.verify(&joined(&[SMALL, &["--expect-complete"]])));
}

/// Stops the first process for this long, while the second takes over.
fn taken_over_while_stopped(
    scenario: &Scenario,
    first: &Served,
    second: &str,
    stop: Duration,
) -> Served {
    first.wait_for_epochs(3.0);
    first.signal("-STOP");
    let stopped = Instant::now();
    let before = topics::committed(scenario);
    let end: i64 = topics::log_ends(scenario, "input").values().map(|(_, high)| high).sum();
    let reached: i64 = before.values().map(|(offset, _)| offset).sum();
    assert!(reached > 0, "the first process was in the middle of its work, at {reached} of {end}");
    let second = member(scenario, second, "second");
    second.wait_for_epochs(1.0);
    std::thread::sleep(stop.saturating_sub(stopped.elapsed()));
    first.signal("-CONT");
    second
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_and_replaced_under_the_same_instance_id() {
    let scenario = Scenario::new("fenced-same");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = member(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "one", STOP);
    ends_fenced(first, "one");
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_while_another_instance_took_over_it_joins_again() {
    let scenario = Scenario::new("fenced-other");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let mut first = member(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "two", STOP);
    // What it had open never counts, and it takes its share again.
    first.wait_for_line("joined again");
    for member in [&first, &second] {
        member.wait_for("logintide_assigned_partitions", |n| n as u64 == 4);
    }
    first.stop();
    finish(&scenario, produced, second, "two", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_process_that_wakes_late_does_not_fence_the_one_that_has_replaced_it() {
    let scenario = Scenario::new("fenced-late");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = member(&scenario, "one", "first");
    let second = taken_over_while_stopped(&scenario, &first, "one", LONG_STOP);
    ends_fenced(first, "one");
    // `finish` stops it in order: it has not been fenced.
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn started_twice_by_mistake_under_the_same_instance_id() {
    let scenario = Scenario::new("fenced-twice");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let first = member(&scenario, "one", "first");
    first.wait_for_epochs(3.0);
    let second = member(&scenario, "one", "second");
    ends_fenced(first, "one");
    second.wait_for_epochs(1.0);
    finish(&scenario, produced, second, "one", "second");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn stopped_for_longer_than_its_transaction_may_last_and_replaced_by_nobody_it_goes_on() {
    let scenario = Scenario::new("fenced-nobody");
    let produced = scenario.producing(&joined(&[SMALL, &["--rate", "1500"]]));
    let mut first = member(&scenario, "one", "first");
    first.wait_for_epochs(3.0);
    first.signal("-STOP");
    let before = topics::committed(&scenario);
    std::thread::sleep(LONG_STOP);
    first.signal("-CONT");
    // Its partitions, its transaction or both.
    first.wait_for_line("rolled back");
    first.wait_for_epochs(6.0);
    assert!(before != topics::committed(&scenario), "it goes on\n{}", first.tail());
    finish(&scenario, produced, first, "one", "first");
}

/// Registers the transactional id of a `fixed` process, as one would that takes it for dead.
fn register(scenario: &Scenario) {
    let id = format!("{}-fixed", scenario.topic("group"));
    let settings = transactional_settings(scenario.brokers(), &id, PATIENCE);
    let producer = Producer::new(&settings).expect("a producer");
    producer.transactions().init(PATIENCE).expect("it is registered");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_transactional_id_that_somebody_registers_is_taken_back() {
    let scenario = Scenario::new("registered");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "3000"]]));
    let running = fixed(&scenario);
    for times in 1..=3 {
        running.wait_for_epochs(3.0 * f64::from(times));
        register(&scenario);
        running.wait_for("logintide_epoch_rollbacks_total", |n| n >= f64::from(times));
        let epochs = running.metric("logintide_epochs_committed_total").unwrap_or_default();
        running.wait_for_epochs(epochs + 2.0);
    }
    println!("{}", running.log().lines().filter(|line| line.contains("rolled back")).count());
    produced.ends_with(0);
    finish_fixed(running, &scenario, SMALL);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn one_that_is_registered_again_and_again_is_a_second_process_of_this_name() {
    let scenario = Scenario::new("registered-often");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "3000"]]));
    let mut running = fixed(&scenario);
    running.wait_for_epochs(3.0);
    let began = Instant::now();
    for times in 1..=5 {
        register(&scenario);
        if times < 5 {
            running.wait_for("logintide_epoch_rollbacks_total", |n| n >= f64::from(times));
            let epochs = running.metric("logintide_epochs_committed_total").unwrap_or_default();
            running.wait_for_epochs(epochs + 1.0);
        }
    }
    println!("registered five times within {:?}", began.elapsed());
    running.ends_with(1);
    let log = running.log();
    let error = log.lines().rev().find(|line| line.contains("fenced 5 times within 60 s"));
    println!("{}", error.unwrap_or_else(|| panic!("not fenced:\n{}", running.tail())));
    produced.ends_with(0);
    finish_fixed(fixed(&scenario), &scenario, SMALL);
}
